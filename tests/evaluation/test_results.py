from __future__ import annotations

import io
import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from rich.console import Console

from lead.errors import LeadError
from lead.evaluation.grids import CALIBRATION_CELLS, FURTHER_CELLS, calibration_grid, grid, markdown, rich_tables
from lead.evaluation.metrics import Summary
from lead.evaluation.results import Result, Row, read

ROWS = (
    Row("mean-shape", "", 10, "regression-5", "%", 30.0, 28.0, 1.0, 3),
    Row("byol/ridge", "64-d", 10, "regression-5", "%", 9.126, 8.0, 0.25, 3),
    Row("lead/ridge", "64-d", 10, "regression-5", "%", 9.124, 8.5, 0.5, 3),
    Row("lead/ridge", "64-d", "all", "regression-5", "%", 7.0, 6.0),
    Row("byol/ridge", "64-d", "all", "regression-5", "%", 6.5, 6.75),
    Row("lead/ridge", "64-d", None, "matching-same", "px", 1.25, 1.0),
    Row("lead/ridge", "64-d", 2, "regression-5", "%", 12.0, 11.0, 2.0, 3),
)
RESULT = Result("few", "beetles", "small", "abc", {"numpy": "2"}, 1.5, {"size": 96, "heads": ["ridge"]}, 0, ROWS)


def test_round_trip(tmp_path: Path) -> None:
    path = RESULT.path(tmp_path)
    RESULT.write(path)
    assert path == tmp_path / "beetles" / "small" / "few.json"
    assert read(path) == RESULT
    assert [file.name for file in path.parent.iterdir()] == ["few.json"]


def test_a_file_is_replaced_only_when_told(tmp_path: Path) -> None:
    path = tmp_path / "few.json"
    RESULT.write(path)
    other = replace(RESULT, seed=1)
    with pytest.raises(LeadError, match=r"few\.json is already there"):
        other.write(path)
    assert read(path) == RESULT
    other.write(path, overwrite=True)
    assert read(path) == other


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"method": "leed/ridge"}, "Unknown method 'leed'. Did you mean 'lead'"),
        ({"metric": "regression-6"}, "Unknown metric 'regression-6'. Did you mean 'regression-68'"),
        ({"labels": "many"}, "labels"),
        ({"labels": 0}, "both start at 1"),
        ({"draws": 0}, "both start at 1"),
        ({"mean": float("nan")}, "finite"),
        ({"sd": -1.0}, "finite"),
        ({"published": -1.0}, "finite"),
        ({"method": "byol+nfm/ridge"}, "Unknown method 'nfm'. Did you mean 'nmf'"),
        ({"method": "lead+"}, "Unknown method ''"),
    ],
)
def test_an_invalid_row_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(LeadError, match=message):
        Row(**(asdict(ROWS[1]) | change))


def test_a_number_measured_twice_is_refused() -> None:
    with pytest.raises(LeadError, match="twice"):
        replace(RESULT, rows=(*ROWS, replace(ROWS[0], mean=1.0)))


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("method", "leed", r"bad\.json: Unknown method 'leed'. Did you mean 'lead'"),
        ("mean", "low", r"bad\.json is not a results file: rows\.0\.mean"),
        ("colour", "red", r"bad\.json is not a results file: rows\.0\.colour"),
    ],
)
def test_a_bad_file_is_named_with_what_is_wrong(tmp_path: Path, key: str, value: str, message: str) -> None:
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    RESULT.write(good)
    data = json.loads(good.read_text())
    data["rows"][0][key] = value
    bad.write_text(json.dumps(data))
    with pytest.raises(LeadError, match=message):
        read(bad)


def test_no_file_and_no_json(tmp_path: Path) -> None:
    with pytest.raises(LeadError, match=r"Cannot read the results file .*none\.json"):
        read(tmp_path / "none.json")
    (tmp_path / "cut.json").write_text('{"name": "fe')
    with pytest.raises(LeadError, match=r"cut\.json is not a results file"):
        read(tmp_path / "cut.json")


def test_a_row_of_draws() -> None:
    draws = [Summary(mean, median, 9.0, 5, 1, 0) for mean, median in ((1.0, 2.0), (3.0, 3.0))]
    row = Row.of_draws("lead", "64-d", 10, "regression-5", "%", draws)
    assert (row.mean, row.median, row.sd, row.draws) == (2.0, 2.5, 1.0, 2)
    assert Row.of_draws("lead", "64-d", 10, "regression-5", "%", draws[:1]).sd is None


def test_pooled_rows_are_the_row_of_all_their_draws() -> None:
    draws = [Summary(mean, median, 9.0, 5, 1, 0) for mean, median in ((1.0, 2.0), (3.0, 3.0), (8.0, 1.0))]

    def row(*which: int) -> Row:
        return Row.of_draws("lead", "64-d", 10, "regression-5", "%", [draws[i] for i in which])

    pooled, together = Row.pooled([row(0, 1), row(2)]), row(0, 1, 2)
    assert pooled.sd is not None
    assert (pooled.mean, pooled.median, pooled.sd) == pytest.approx((together.mean, together.median, together.sd))
    assert replace(pooled, mean=4.0, median=2.0, sd=None) == replace(together, mean=4.0, median=2.0, sd=None)
    assert Row.pooled([row(0)]) == row(0)
    with pytest.raises(LeadError, match=r"lead, regression-5: cannot be pooled with lead, regression-68"):
        Row.pooled([row(0), replace(row(1), metric="regression-68")])


@pytest.mark.parametrize(
    "method", ["moco+alignment", "byol+nmf/ridge", "pretrained+alignment", "scratch+lead", "dve/softargmax"]
)
def test_methods_are_joined_and_may_have_a_head(method: str) -> None:
    assert replace(ROWS[1], method=method).method == method


def test_columns_run_by_metric_then_by_labels() -> None:
    columns = [(c.metric, c.labels) for c in grid(RESULT).columns]
    assert columns == [("regression-5", 2), ("regression-5", 10), ("regression-5", "all"), ("matching-same", None)]


def test_markdown_sets_the_best_in_bold() -> None:
    lines = [line for line in markdown(RESULT).splitlines() if line.startswith("|")]
    assert lines[0].count("|") == lines[1].count("|") == 7
    assert lines[2:] == [
        "| mean-shape |  | – | 30.00 ± 1.00 (28.00) | – | – |",
        # 9.126 and 9.124 print as 9.13 and 9.12: only the second is best.
        "| byol/ridge | 64-d | – | 9.13 ± 0.25 (8.00) | **6.50 (6.75)** | – |",
        "| lead/ridge | 64-d | **12.00 ± 2.00 (11.00)** | **9.12 ± 0.50 (8.50)** | 7.00 (6.00) | **1.25 (1.00)** |",
    ]


def test_equal_as_printed_is_equally_good() -> None:
    tied = replace(RESULT, rows=(replace(ROWS[1], mean=9.1241), ROWS[2]))
    assert markdown(tied).count("**9.12") == 2


def test_the_terminal_shows_every_number() -> None:
    console = Console(width=160, record=True, file=io.StringIO())
    console.print(rich_tables(RESULT)[0])
    text = console.export_text()
    for row in ROWS:
        assert f"{row.mean:.2f}" in text
        assert f"({row.median:.2f})" in text


PUBLISHED = replace(
    RESULT,
    rows=(Row("lead", "64-d", 10, "regression-5", "%", 16.31, 15.9, 0.51, 5, published=13.344), ROWS[1]),
    title="Few labels",
    notes=("Five trainings.", "[Ten] draws."),
    pictures=("few.png", "more.webp"),
)


def test_published_numbers_titles_notes_and_pictures(tmp_path: Path) -> None:
    path = PUBLISHED.path(tmp_path)
    PUBLISHED.write(path)
    assert read(path) == PUBLISHED
    assert markdown(PUBLISHED) == (
        "### Few labels\n\n"
        "| Method | Features | Regression, 5 points, 10 labels (%) |\n| --- | --- | --: |\n"
        "| lead | 64-d | 16.31 ± 0.51 (15.90) [13.34] |\n| byol/ridge | 64-d | **9.13 ± 0.25 (8.00)** |\n\n"
        "Mean ± standard deviation over draws (median). Lower is better. "
        "In brackets, what the method's paper reports, on its own benchmark.\n\n"
        "- Five trainings.\n- [Ten] draws.\n\n![Few labels](few.png)\n\n![Few labels](more.webp)\n"
    )
    console = Console(width=160, record=True, file=io.StringIO())
    console.print(rich_tables(PUBLISHED)[0])
    text = console.export_text()
    for shown in ("Few labels", "16.31 ±0.51 (15.90) [13.34]", "on its own benchmark", "[Ten] draws."):
        assert shown in text
    assert "brackets" not in markdown(RESULT)
    assert "![Few labels](../results/few.png)" in markdown(PUBLISHED, "../results/")
    drawn = markdown(replace(PUBLISHED, rows=()))
    assert "|" not in drawn
    assert "![Few labels](few.png)" in drawn


def test_a_published_number_is_never_the_best() -> None:
    better = replace(PUBLISHED, rows=(replace(PUBLISHED.rows[0], published=1.0), ROWS[1]))
    assert "**9.13" in markdown(better)
    assert "**16.31" not in markdown(better)


def test_pictures_lie_beside_the_file() -> None:
    with pytest.raises(LeadError, match=r"'\.\./few\.png' is not a file name"):
        replace(RESULT, pictures=("../few.png",))


@pytest.mark.parametrize(
    "path",
    [p for p in sorted((Path(__file__).parents[2] / "results").glob("*/*/*.json")) if p.stem != "claims"],
    ids=lambda p: "-".join(p.parts[-3:]),
)
def test_results_files_are_read(path: Path) -> None:
    result = read(path)
    assert result.rows or result.pictures
    assert all((path.parent / picture).is_file() for picture in result.pictures)


def test_a_file_without_the_newer_keys_is_read(tmp_path: Path) -> None:
    path = tmp_path / "old.json"
    RESULT.write(path)
    data = json.loads(path.read_text())
    for key in ("title", "notes", "pictures"):
        del data[key]
    for row in data["rows"]:
        del row["published"]
    path.write_text(json.dumps(data))
    assert read(path) == RESULT


# --- expected errors -------------------------------------------------------------------------------------------------

EXPECTED = replace(
    RESULT,
    rows=(
        *ROWS,
        Row("lead/cascade", "64-d", 10, "regression-5", "%", 8.0, 7.0, 0.5, 3),
        Row("lead/cascade", "64-d", 10, "worst-5", "%", 41.26, 41.26, 2.0, 3),
        Row("lead/cascade", "64-d", 10, "rank-5", "%", -3.21, -3.21, 0.75, 3),
        Row("lead/cascade", "64-d", 10, "within-50-5", "%", 52.04, 52.04, 1.0, 3),
        Row("lead/cascade", "64-d", 1, "within-50-5", "%", 47.0, 47.0),
        Row("lead/cascade", "64-d", "all", "rank-5", "%", 66.0, 66.0),
    ),
)


def test_expected_errors_have_a_table_of_their_own(tmp_path: Path) -> None:
    tables = [part.splitlines() for part in markdown(EXPECTED).split("\n\n") if part.startswith("|")]
    assert len(tables) == 2
    assert tables[1] == [
        "| Method | Labels | Coverage of the 50 % radius, 5 points (%) "
        "| Rank correlation of expected and actual error, 5 points (%) | Recall of the worst decile, 5 points (%) |",
        "| --- | --- | --: | --: | --: |",
        "| lead/cascade | 10 labels | 52.0 ± 1.0 | -3.2 ± 0.8 | 41.3 ± 2.0 |",
        "| lead/cascade | 1 label | 47.0 | – | – |",
        "| lead/cascade | all labels | – | 66.0 | – |",
    ]
    # The other table is what it is without them, with the cascade's line.
    without = replace(EXPECTED, rows=EXPECTED.rows[: len(ROWS) + 1])
    assert tables[0] == [line for line in markdown(without).splitlines() if line.startswith("|")]
    assert CALIBRATION_CELLS in markdown(EXPECTED)
    assert CALIBRATION_CELLS not in markdown(without)
    EXPECTED.write(tmp_path / "expected.json")
    assert read(tmp_path / "expected.json") == EXPECTED


def test_the_terminal_shows_the_expected_errors_beside_the_table() -> None:
    drawn = rich_tables(EXPECTED)
    assert [len(rich_tables(RESULT)), len(drawn)] == [1, 2]
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(drawn[1])
    text = console.export_text()
    for shown in (
        "10 labels",
        "1 label",
        "all labels",
        "52.0 ±1.0",
        "-3.2 ±0.8",
        "41.3 ±2.0",
        "47.0",
        "66.0",
        "Labels",
    ):
        assert shown in text
    assert [len(line.cells) for line in calibration_grid(EXPECTED).lines] == [3, 3, 3]
    assert not calibration_grid(RESULT).lines


def test_only_a_rank_correlation_may_be_below_nothing() -> None:
    with pytest.raises(LeadError, match="finite"):
        Row("lead/cascade", "64-d", 10, "regression-5", "%", -1.0, 1.0)
    with pytest.raises(LeadError, match="finite"):
        Row("lead/cascade", "64-d", 10, "rank-5", "%", float("nan"), 1.0)
    with pytest.raises(LeadError, match=r"Unknown metric 'rank-6'. Did you mean 'rank-68'"):
        Row("lead/cascade", "64-d", 10, "rank-6", "%", 1.0, 1.0)


# --- further metrics -------------------------------------------------------------------------------------------------


def test_further_metrics_have_a_table_of_their_own() -> None:
    further = (
        Row("lead/ridge", "64-d", 10, "pictures-5-regression-68", "%", 3.04, 3.04, 1.0, 3),
        Row("lead/ridge", "64-d", 10, "pck-10-regression-68", "%", 80.26, 80.26, 2.0, 3),
        Row("lead/ridge", "64-d", 10, "pck-5-regression-68", "%", 40.0, 40.0, 2.0, 3),
        Row("copy-location", "", None, "pck-5-matching-same", "%", 0.0, 0.0),
    )
    result = replace(RESULT, rows=(*ROWS, *further))
    tables = [part.splitlines() for part in markdown(result).split("\n\n") if part.startswith("|")]
    assert tables[1] == [
        "| Method | Measured | Points within 5 % (PCK) (%) | Points within 10 % (PCK) (%) "
        "| Pictures with all points within 5 % (%) |",
        "| --- | --- | --: | --: | --: |",
        "| lead/ridge | Regression, 68 points, 10 labels | 40.0 ± 2.0 | 80.3 ± 2.0 | 3.0 ± 1.0 |",
        "| copy-location | Matching, same individual | 0.0 | – | – |",
    ]
    assert FURTHER_CELLS in markdown(result)
    assert tables[0] == [line for line in markdown(RESULT).splitlines() if line.startswith("|")]
    assert len(rich_tables(result)) == 1  # of which the terminal shows nothing
    for metric in ("pck-10", "pck-11-regression-68", "pck-10-regression-6", "pictures-5-"):
        with pytest.raises(LeadError, match=f"Unknown metric '{metric}'"):
            replace(further[0], metric=metric)
