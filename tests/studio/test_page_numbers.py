"""Numbers that the page's JavaScript holds as well are those of the Python modules that it names."""

from __future__ import annotations

import re

import pytest

import lead.cli.use
import lead.training.local
import lead.training.run
from lead.studio.page_files import STATIC


@pytest.mark.parametrize(
    ("file", "name", "here"),
    [
        ("parts.js", "FEWEST", lead.training.local.FEWEST),
        ("parts.js", "FEW_NAMES", lead.cli.use.FEW_NAMES),
        ("start.js", "FEWEST", lead.training.run.FEWEST),
    ],
)
def test_a_number_that_the_page_holds_too_is_the_same(file: str, name: str, here: int) -> None:
    text = (STATIC / file).read_text(encoding="utf-8")
    assert re.findall(rf"^const {name} = (\d+);", text, re.MULTILINE) == [str(here)]
