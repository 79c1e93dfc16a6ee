from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lead.errors import LeadError
from lead.evaluation.grids import markdown
from lead.evaluation.results import Result, Row
from lead.evaluation.tables import fill, main

ROWS = (
    Row("byol/ridge", "3840-d", 10, "regression-5", "%", 9.126, 8.0, 0.25, 3),
    Row("lead/ridge", "64-d", 10, "regression-5", "%", 7.004, 6.5, 0.5, 3),
    Row("lead/ridge", "64-d", "all", "regression-5", "%", 5.0, 4.5),
    Row("lead", "64-d", None, "matching-same", "%", 3.25, 3.0),
)
RESULT = Result("few", "faces", "small", "abc", {}, 1.5, {}, 0, ROWS)
FILE = "results/faces/small/few.json"
TABLE = f"# Title\n\n<!-- {FILE} -->\n<!-- end -->\n\nAfter.\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    RESULT.write(tmp_path / FILE)
    return tmp_path


def value(asked: str) -> str:
    return f"An error of <!-- value {FILE} {asked} -->?<!-- /value --> percent."


def test_a_table_is_the_results_own(root: Path) -> None:
    filled = fill(TABLE, root)
    assert filled == f"# Title\n\n<!-- {FILE} -->\n{markdown(RESULT)}<!-- end -->\n\nAfter.\n"
    assert fill(filled, root) == filled


def test_two_tables_and_a_comment_of_ones_own(root: Path) -> None:
    text = f"{TABLE}<!-- a remark -->\n{TABLE}"
    assert fill(text, root) == f"{fill(TABLE, root)}<!-- a remark -->\n{fill(TABLE, root)}"


def test_results_of_one_measurement_share_a_table(root: Path) -> None:
    mine = replace(ROWS[1], method="lead/softargmax", mean=6.0, draws=2)
    also = replace(ROWS[0], mean=99.0)  # measured in the first as well, which stands
    other = replace(RESULT, preset="other", rows=(also, mine), notes=("Not this.",))
    other.write(root / "results/faces/other/few.json")
    filled = fill(TABLE.replace(FILE, f"{FILE} results/faces/other/few.json"), root)
    note = "Draws of the labelled pictures: 3, but lead 1, lead/softargmax 2."
    together = replace(RESULT, rows=(*ROWS, mine), notes=(note,))
    assert markdown(together) in filled
    assert "99" not in filled


@pytest.mark.parametrize("change", [{"benchmark": "cats"}, {"name": "few-shot"}, {"data": {"pictures": "others"}}])
def test_results_of_different_measurements_do_not(root: Path, change: dict[str, Any]) -> None:
    replace(RESULT, preset="other", **change).write(root / "results/other.json")
    replace(RESULT, data={"pictures": "these"}).write(root / FILE, overwrite=True)
    with pytest.raises(LeadError, match="measure different things"):
        fill(TABLE.replace(FILE, f"{FILE} results/other.json"), root)


@pytest.mark.parametrize(
    ("asked", "number"),
    [
        ("byol/ridge regression-5 10 mean", "9.13"),
        ("lead/ridge regression-5 10 sd", "0.50"),
        ("lead/ridge regression-5 all median", "4.50"),
        ("lead matching-same - mean", "3.25"),
    ],
)
def test_a_number_in_a_sentence(root: Path, asked: str, number: str) -> None:
    filled = fill(value(asked), root)
    assert filled == value(asked).replace("?", number)
    assert fill(filled, root) == filled


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (TABLE.replace("few", "many"), r"Cannot read the results file .*many\.json"),
        (TABLE.replace("<!-- end -->", ""), r"lacks its other half"),
        (TABLE.replace("<!-- end -->", "") + TABLE, r"lacks its other half"),
        (TABLE + "<!-- end -->", r"lacks its other half"),
        (value("lead/ridge regression-5 10 mean").replace("<!-- /value -->", ""), r"lacks its other half"),
        (value("lead/ridge regression-5 mean"), r"FILE METHOD METRIC LABELS FIELD"),
        (value("lead/ridge regression-5 20 mean"), r"Unknown row 'lead/ridge regression-5 20'. Did you mean"),
        (value("lead/ridge regression-5 10 average"), r"Unknown field 'average'"),
        (value("lead/ridge regression-5 all sd"), r"has no sd"),
    ],
)
def test_a_mistake_is_named(root: Path, text: str, message: str) -> None:
    with pytest.raises(LeadError, match=message):
        fill(text, root)


def test_a_number_that_two_rows_have_is_refused(root: Path) -> None:
    twice = replace(RESULT, rows=(*ROWS, replace(ROWS[1], features="128-d")))
    twice.write(root / FILE, overwrite=True)
    with pytest.raises(LeadError, match="has 2 rows"):
        fill(value("lead/ridge regression-5 10 mean"), root)


def test_the_command_fills_in_and_checks(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(root)
    page, plain = Path("page.md"), Path("plain.md")
    page.write_text(TABLE)
    plain.write_text("Nothing to fill in.\n")
    assert main(["--check", "page.md", "plain.md"]) == 1
    assert capsys.readouterr().out == "page.md: out of date; run: make tables\n"
    assert page.read_text() == TABLE
    assert main(["page.md", "plain.md"]) == 0
    assert page.read_text() == fill(TABLE, root)
    assert plain.read_text() == "Nothing to fill in.\n"
    assert main(["--check", "page.md", "plain.md"]) == 0
    (root / FILE).unlink()
    assert main(["--check", "page.md"]) == 2
    assert "page.md: Cannot read the results file" in capsys.readouterr().err
