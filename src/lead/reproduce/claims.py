"""The paper's claims, each put to the numbers that the tables hold."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from lead.errors import LeadError
from lead.evaluation.grids import decimals
from lead.evaluation.results import Result, Row, read
from lead.files import write_atomic
from lead.provenance import commit, today, versions

DIMENSIONS = (64, 128, 256)
TITLE = "The paper's claims, put to the numbers of these tables"
NEAR = 1.05
"""Times the other's error that still counts as near it."""


@dataclass(frozen=True)
class Comparison:
    """Two numbers of one column; the claim is that the first is the lower, or at most ``slack`` times the second.

    Attributes:
        what: the column.
        better, worse: names of the two.
        first, second: their means.
        slack: see above.
    """

    what: str
    better: str
    worse: str
    first: float
    second: float
    slack: float = 1.0

    @property
    def holds(self) -> bool:
        return self.first < self.slack * self.second


@dataclass(frozen=True)
class Claim:
    """What is claimed, where, and how it fared.

    Attributes:
        text: the claim.
        source: where it is made.
        comparisons: that it was put to.
    """

    text: str
    source: str
    comparisons: tuple[Comparison, ...]

    @property
    def verdict(self) -> str:
        """Held, not held, or in how many comparisons."""
        held = sum(c.holds for c in self.comparisons)
        if not self.comparisons:
            return "not measured"
        if held == len(self.comparisons):
            return "held"
        return "not held" if held == 0 else f"held in {held} of {len(self.comparisons)}"


@dataclass(frozen=True)
class Filed:
    """The tables of one study.

    Attributes:
        folder: that holds them.
    """

    folder: Path

    def table(self, name: str) -> Result | None:
        """A table, or None where it was not made."""
        path = self.folder / f"{name}.json"
        return read(path) if path.exists() else None

    def compare(
        self,
        name: str,
        better: tuple[str, str],
        worse: tuple[str, str],
        *,
        keep: Callable[[Row], bool] = lambda _: True,
        slack: float = 1.0,
    ) -> Iterator[Comparison]:
        """The columns that two lines of a table, each a method and the beginning of its features, share."""
        table = self.table(name)
        if table is None:
            return
        first, second = (self._line(table, line) for line in (better, worse))
        for column, row in first.items():
            other = second.get(column)
            if other is None or not keep(row):
                continue
            labels = f", {row.labels} labels" if row.labels is not None else ""
            what = f"{name}, {row.metric}{labels} ({row.unit})"
            yield Comparison(what, _named(row), _named(other), row.mean, other.mean, slack)

    @staticmethod
    def _line(table: Result, line: tuple[str, str]) -> dict[tuple[object, ...], Row]:
        method, features = line
        return {
            (row.metric, row.labels, row.unit): row
            for row in table.rows
            if row.method == method and row.features.startswith(features)
        }


def _named(row: Row) -> str:
    return " ".join(filter(None, [row.method, row.features]))


def _percent(row: Row) -> bool:
    return row.unit == "%"


LEAD, OURS = ("byol+alignment", "64-d, head 256"), ("lead", "64-d")
"""The lines of the paper's method and of our default."""


def claims(filed: Filed) -> list[Claim]:
    """Every claim, put to whatever tables are there."""
    return [*_of_the_paper(filed), *_ours(filed)]


def claim(text: str, source: str, *parts: Iterator[Comparison]) -> Claim:
    """A claim with all comparisons of the parts."""
    return Claim(text, source, tuple(c for part in parts for c in part))


def _of_the_paper(filed: Filed) -> list[Claim]:
    return [
        claim(
            "BYOL is the better stage 1 than MoCo",
            "§3.2, §4.3, Fig. 3",
            filed.compare("table1", ("byol", ""), ("moco", ""), keep=_percent),
            filed.compare("table2", ("byol", ""), ("moco", "")),
        ),
        claim(
            "Alignment is the better stage 2 than the projector, after either stage 1",
            "Table 6",
            *(
                filed.compare("table6", (f"{one}+alignment", f"{d}-d"), (f"{one}+projector", f"{d}-d"))
                for one in ("moco", "byol")
                for d in DIMENSIONS
            ),
        ),
        claim(
            "Alignment reduces the hypercolumn better than NMF does",
            "Table 1",
            *(
                filed.compare("table1", ("byol+alignment", f"{d}-d"), ("byol+nmf", f"{d}-d"), keep=_percent)
                for d in (64, 256)
            ),
        ),
        claim(
            "LEAD matches and regresses better than ContrastLandmarks at the same dimension",
            "Tables 1 and 4",
            filed.compare("table1", LEAD, ("moco+projector", "64-d"), keep=_percent),
            *(filed.compare("table4", ("byol+alignment", f"{d}-d"), ("moco+projector", f"{d}-d")) for d in DIMENSIONS),
        ),
        claim(
            f"64 dimensions are near ({NEAR:.2f} times) the whole hypercolumn, or better",
            "Tables 1 and 5",
            filed.compare("table1", LEAD, ("byol", ""), keep=_percent, slack=NEAR),
            filed.compare("table5", LEAD, ("byol", ""), slack=NEAR),
        ),
        claim(
            "LEAD needs fewer labels than ContrastLandmarks and than DVE",
            "Table 5",
            filed.compare("table5", LEAD, ("moco+projector", "64-d")),
            filed.compare("table5", LEAD, ("dve", "64-d")),
        ),
        claim(
            "The discarded head helps matching between people",
            "Table 3",
            *(
                filed.compare(
                    "table3",
                    ("byol+alignment", f"64-d, head {head}"),
                    ("byol+alignment", "64-d, no head"),
                    keep=lambda row: row.metric == "peers-different" and row.unit == "%",
                )
                for head in (64, 256)
            ),
        ),
        claim(
            "LEAD is less sensitive to scale than ContrastLandmarks",
            "Fig. 9",
            filed.compare("fig9", LEAD, ("moco+projector", "64-d")),
        ),
    ]


def _ours(filed: Filed) -> list[Claim]:
    return [
        claim(
            "Ours: the default is better than the paper's stage 2",
            "this project",
            filed.compare("table1", OURS, LEAD, keep=_percent),
            filed.compare("table4", OURS, LEAD),
            filed.compare("table5", OURS, LEAD),
            filed.compare("fig9", OURS, LEAD),
        ),
        claim(
            "Ours: the default is better than the pre-trained start that it had",
            "this project",
            filed.compare("table1", OURS, ("init", ""), keep=_percent),
            filed.compare("table5", OURS, ("init", "")),
        ),
        claim(
            "Ours: the default with 10 labels is better than training with labels alone, however many",
            "this project",
            _few_against_supervised(filed),
        ),
    ]


def _few_against_supervised(filed: Filed) -> Iterator[Comparison]:
    table = filed.table("supervised")
    if table is None:
        return
    few = next((r for r in table.rows if r.method == "lead" and r.labels == 10), None)
    for row in table.rows:
        if few is not None and row.method == "supervised":
            what = f"supervised, {row.metric} (%)"
            yield Comparison(what, "lead, 10 labels", f"supervised, {row.labels} labels", few.mean, row.mean)


def write(folder: Path) -> list[Claim]:
    """The paper's claims, held or not held by the numbers above.

    Files them in the folder of the tables as ``claims.json`` and ``claims.md``.

    Raises:
        LeadError: there is no table in the folder.
    """
    if not any(folder.glob("table*.json")):
        raise LeadError(f"No table in {folder}. Make them first: lead reproduce all --data DIR")
    found = claims(Filed(folder))
    entries = [asdict(claim) | {"verdict": claim.verdict} for claim in found]
    made_by = {"name": "reproduce", "of": "claims"}
    document = {"title": TITLE, "commit": commit(), "date": today(), "versions": versions(), "command": made_by}
    text = json.dumps({**document, "claims": entries}, indent=1)
    write_atomic(folder / "claims.json", text + "\n", overwrite=True)
    write_atomic(folder / "claims.md", markdown(found), overwrite=True)
    return found


def markdown(found: Sequence[Claim]) -> str:
    """The claims as a table, then every comparison."""
    lines = ["| Claim | Made in | Verdict |", "| --- | --- | --- |"]
    lines += [f"| {claim.text} | {claim.source} | **{claim.verdict}** |" for claim in found]
    for claim in found:
        if claim.comparisons:
            lines += ["", f"**{claim.text}:**", ""]
            lines += [
                f"- {c.what}: {c.better} {decimals(c.first)}, {c.worse} {decimals(c.second)} "
                f"({'held' if c.holds else 'not held'})"
                for c in claim.comparisons
            ]
    return "\n".join(lines) + "\n"
