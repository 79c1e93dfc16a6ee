"""Large pictures: other tools beside `lead` on the same labels and judged pictures, from the results of each.

    python -m benchmarks.peers.beside [--results results]

Measures nothing: it joins what :mod:`benchmarks.studies.large`, :mod:`benchmarks.peers.dlib_shape` and
:mod:`benchmarks.peers.network` have kept. Run it after any of them.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from benchmarks.measuring import keep, table

SETS = ("shells", "wings")
OURS = "`lead`"
TOOLS: dict[str, dict[str | None, str]] = {
    "large": {"local": OURS},
    "network": {None: "ImageNet network, end to end"},
    "dlib-shape": {"found": "dlib, found box", "true": "dlib, true box"},
}
"""Of each kind of result, by its rows' arm or box, what they are called; other rows are left out."""
COLUMNS = {
    "pictures": ("Pictures", "{}"),
    "labels": ("labels", "{}"),
    "tool": ("tool", "{}"),
    "draws": ("draws", "{}"),
    "mean": ("mean error, %", "{:.2f}"),
    "spread": ("± over draws", "{}"),
    "median": ("median, %", "{:.2f}"),
    "px_median": ("median, px", "{:.1f}"),
    "near": ("within 0.3/0.5 %, %", "{}"),
    "ours": ("`lead` on these draws: mean/median, %", "{}"),
}


def joined(folder: Path) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Rows of all tools by pictures and labels, fewest first; and the commit of each result, of those that are there.

    Only numbers of labels for which there is another tool than ours.
    """
    rows, commits = [], {}
    for pictures in SETS:
        for kind, names in TOOLS.items():
            file = folder / f"{kind}-{pictures}-test.json"
            if not file.exists():
                continue
            record = json.loads(file.read_text(encoding="utf-8"))
            commits[file.stem] = record["commit"]
            for row in record["rows"]:
                name = names.get(row.get("arm", row.get("box")))
                if name is not None:
                    draws = len(row["means"])
                    spread = f"{row['sd']:.2f}" if draws > 1 else "–"
                    own = {"pictures": pictures, "labels": str(row["labels"]), "tool": name}
                    rows.append({**row, **own, "draws": draws, "spread": spread})
    shared = {(row["pictures"], row["labels"]) for row in rows if row["tool"] != OURS}
    rows = [row for row in rows if (row["pictures"], row["labels"]) in shared]
    ours = {(row["pictures"], row["labels"]): row for row in rows if row["tool"] == OURS}
    for row in rows:
        row["ours"] = _on_the_draws_of(row, ours.get((row["pictures"], row["labels"])))
    order = [tool for names in TOOLS.values() for tool in names.values()]

    def place(row: dict[str, Any]) -> tuple[int, float, int]:
        count = float("inf") if row["labels"] == "all" else float(row["labels"])
        return SETS.index(row["pictures"]), count, order.index(row["tool"])

    return sorted(rows, key=place), commits


def _on_the_draws_of(row: dict[str, Any], ours: dict[str, Any] | None) -> str:
    """Our mean and median error over the draws that another tool has, which are the first ones."""
    count = row["draws"]
    if ours is None or row is ours or len(ours["means"]) < count:
        return "–"
    return "/".join(f"{sum(ours[name][:count]) / count:.2f}" for name in ("means", "medians"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=Path("results"))
    chosen = parser.parse_args()
    rows, commits = joined(chosen.results / "benchmarks")
    kept = [{name: row[name] for name in (*COLUMNS, "means", "medians")} for row in rows]
    keep("beside", {"results": commits, "rows": kept}, table(COLUMNS, rows), chosen.results)


if __name__ == "__main__":
    main()
