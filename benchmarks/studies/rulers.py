"""A ruler that lies anywhere beside what is measured: found with it as one shape, and apart from it; and lengths in mm.

    python -m benchmarks.studies.rulers RUN RULED

RUN learnt from RULED, which ``lead render --ruler`` made. Models are fitted to ``LABELS`` pictures of it, drawn anew
each time, and judged on others: how far landmarks are off, the scale by the found ruler against the true one, and how
often the 90 % intervals of distances in millimetres hold the true ones. Distances are drawn at random, and are measured
as if errors were independent, and with what the fit has learnt of how they go together.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from lead.tuning import wait_passively

wait_passively()  # before torch is imported

import numpy as np  # noqa: E402

from benchmarks.measuring import keep, table  # noqa: E402
from lead.api import fit  # noqa: E402
from lead.beetles.ruler import MILLIMETRES, NAMES  # noqa: E402
from lead.files import default_cache  # noqa: E402
from lead.images.build import open_store  # noqa: E402
from lead.images.labels import load_labels  # noqa: E402
from lead.landmarks import Labels  # noqa: E402
from lead.landmarks.scales import Scale  # noqa: E402
from lead.morphometrics.measures import Measure  # noqa: E402
from lead.morphometrics.measuring import measure  # noqa: E402
from lead.morphometrics.scaling import from_file, from_ruler  # noqa: E402
from lead.seeds import mixed_seed  # noqa: E402
from lead.training.run import Run  # noqa: E402

LABELS, JUDGED, DISTANCES = 20, 100, 30
COLUMNS = {
    "arm": ("Fitted", "{}"),
    "draws": ("draws", "{}"),
    "ruler": ("ruler, mean px", "{:.2f}"),
    "ruler_median": ("median px", "{:.2f}"),
    "body": ("beetle, mean px", "{:.2f}"),
    "body_median": ("median px", "{:.2f}"),
    "scale": ("scale off, median %", "{:.2f}"),
    "scale_held": ("scale held (%)", "{:.1f}"),
    "independent": ("lengths held, independent (%)", "{:.1f}"),
    "together": ("lengths held, together (%)", "{:.1f}"),
    "wide": ("width, independent", "{:.2f}"),
    "wide_together": ("width, together", "{:.2f}"),
}


def judge(found: Labels, truth: Labels, true: dict[str, Scale], measures: list[Measure]) -> dict[str, list[float]]:
    """By column, a number or several of one draw."""
    away = np.linalg.norm(found.xy - truth.xy, axis=-1)
    marks = np.isin(truth.schema.names, NAMES)
    known = from_ruler(found, NAMES, MILLIMETRES, together=found.together)
    off = [(known[image].x / true[image].x - 1, known[image].error) for image in truth.images if image in known]
    lengths = measure(truth, measures, true).values
    out = {
        "ruler": [float(np.nanmean(away[:, marks]))],
        "ruler_median": [float(np.nanmedian(away[:, marks]))],
        "body": [float(np.nanmean(away[:, ~marks]))],
        "body_median": [float(np.nanmedian(away[:, ~marks]))],
        "scale": [100 * float(np.median([abs(share) for share, _ in off]))],
        "scale_held": [100 * float(np.mean([abs(share) <= 1.6448536 * error for share, error in off]))],
    }
    for way, wide, together in (("independent", "wide", None), ("together", "wide_together", found.together)):
        scales = from_ruler(found, NAMES, MILLIMETRES, together=together)
        seen = measure(found, measures, scales, together=together)
        with np.errstate(invalid="ignore"):
            beside = np.abs(seen.values - lengths) / seen.errors
        out[way] = (100.0 * (beside[np.isfinite(beside)] <= 1.6448536)).tolist()
        out[wide] = [1.6448536 / float(np.nanquantile(beside, 0.9))]
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("ruled", type=Path)
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--results", type=Path, default=Path("results"))
    chosen = parser.parse_args()
    run = Run.open(chosen.run)
    labels = load_labels(chosen.ruled / "landmarks.json", pictures=chosen.ruled)
    true = from_file(chosen.ruled / "scales.csv")
    names = [name for name in labels.schema.names if name not in NAMES]
    random = np.random.default_rng(0)
    pairs = [random.choice(names, 2, replace=False).tolist() for _ in range(DISTANCES)]
    measures = [Measure(f"distance {i}", "distance", tuple(pair)) for i, pair in enumerate(pairs)]
    found: dict[str, list[dict[str, list[float]]]] = {"as one shape": [], "apart": []}
    for draw in range(chosen.draws):
        order = np.random.default_rng(mixed_seed(0, "rulers", draw)).permutation(len(labels))
        some, others = labels.take(order[:LABELS].tolist()), labels.take(order[LABELS : LABELS + JUDGED].tolist())
        store = open_store(chosen.ruled, list(others.images), run.settings.picture.store, default_cache())
        for arm, apart in (("as one shape", False), ("apart", True)):
            model = fit(run, some, pictures=chosen.ruled, seed=draw, apart=apart).landmarker
            parts = [part.schema.names for part in model.loose]
            print(draw, arm, parts, flush=True)
            found[arm].append(judge(model.predict_store(store), others, true, measures))
    rows = [
        {"arm": arm, "draws": chosen.draws}
        | {key: float(np.mean([value for one in draws for value in one[key]])) for key in draws[0]}
        for arm, draws in found.items()
    ]
    result = {"labels": LABELS, "judged": JUDGED, "rows": rows, "run": run.provenance}
    keep("rulers", result, table(COLUMNS, rows), chosen.results)


if __name__ == "__main__":
    main()
