"""Counts in words."""

from __future__ import annotations

import pytest

from lead.reporting import counted


@pytest.mark.parametrize(
    ("count", "words", "told"),
    [
        (1, ["picture"], "1 picture"),
        (0, ["picture"], "0 pictures"),
        (2, ["point without a place"], "2 points without a place"),
        (1, ["point without a place"], "1 point without a place"),
        (1200, ["category with the same landmarks"], "1,200 categories with the same landmarks"),
        (3, ["box without parts"], "3 boxes without parts"),
        (2, ["class"], "2 classes"),
        (2, ["day"], "2 days"),
        (1, ["labelled picture is", "labelled pictures are"], "1 labelled picture is"),
        (2, ["labelled picture is", "labelled pictures are"], "2 labelled pictures are"),
    ],
)
def test_one_is_singular_and_all_else_plural(count: int, words: list[str], told: str) -> None:
    assert counted(count, *words) == told
