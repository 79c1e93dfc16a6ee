"""Files of every kind that strangers have: the good ones are read, each bad one is named with its reason."""

from __future__ import annotations

import re
from pathlib import Path

import hostile
import pytest

from lead.images.build import open_store
from lead.images.find import find_images


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    hostile.make(folder)
    return folder


def test_there_are_many() -> None:
    assert len(hostile.GOOD) + len(hostile.BAD) >= 50


def test_the_good_are_stored_and_each_bad_one_has_its_reason(folder: Path, tmp_path: Path) -> None:
    found = find_images(folder)
    assert set(found) == {*hostile.GOOD, *hostile.BAD}
    store = open_store(folder, found, 32, tmp_path / "cache")
    assert set(store.files) == set(hostile.GOOD)
    reasons = dict(store.skipped)
    assert set(reasons) == set(hostile.BAD)
    for name, (_, reason) in hostile.BAD.items():
        assert re.search(reason, reasons[name]), (name, reasons[name])
