"""Landmarks of large pictures: with local looks and without, on the same labels and features.

    python -m benchmarks.studies.large RUN LABELS PICTURES [--labels 5 10 20 50] [--split validation]

RUN is a run on PICTURES, LABELS a file of landmarks. The last third by name is left for testing; of the others every
draw takes so many to label, and ``validation`` judges on those that are not taken. The unit is the diagonal of the box
around a picture's landmarks. Time is that of predicting the judged files from the first, decoding included, in one
process, the two ways in turn.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lead.tuning import wait_passively

wait_passively()  # before torch is imported

import numpy as np  # noqa: E402
import numpy.typing as npt  # noqa: E402
import torch  # noqa: E402

from benchmarks.measuring import keep, over_draws, table  # noqa: E402
from benchmarks.studies.labelling_share import extents  # noqa: E402
from lead.features import Extractor, FeatureSource  # noqa: E402
from lead.files import default_cache  # noqa: E402
from lead.geometry import FloatArray  # noqa: E402
from lead.images.build import open_store  # noqa: E402
from lead.images.labels import load_labels  # noqa: E402
from lead.inference import Landmarker  # noqa: E402
from lead.landmarks import Labels  # noqa: E402
from lead.seeds import mixed_seed  # noqa: E402
from lead.training.cascade import fit_cascade  # noqa: E402
from lead.training.run import Run  # noqa: E402

SHARES = (0.5, 0.8, 0.9)
ARMS = {"before": False, "local": True}
"""Whether there are local looks."""


@dataclass(frozen=True)
class Found:
    """Of one draw.

    Attributes:
        away: (n, K) errors in pixels; NaN where unlabelled.
        errors: the same in units.
        within: of each share, whether errors are within its radius.
        seconds: to predict a picture.
        looks: how many landmarks each local look has.
    """

    away: FloatArray
    errors: FloatArray
    within: dict[float, FloatArray]
    seconds: float
    looks: list[int]


def split(labels: Labels, name: str, picked: Sequence[int]) -> list[int]:
    """Pictures to judge on."""
    order = np.argsort(labels.images).tolist()
    test = order[len(order) - len(order) // 3 :]
    return sorted(test) if name == "test" else sorted(set(order) - set(test) - set(picked))


def draw_labels(labels: Labels, count: int, draw: int) -> list[int]:
    """Pictures that show every landmark and are not left for testing; fewer where there are no more."""
    pool = set(split(labels, "validation", []))
    whole = [i for i in sorted(pool) if (labels.visible[i] > 0).all()]
    return sorted(np.random.default_rng(mixed_seed(draw, "labels", count)).permutation(whole)[:count].tolist())


def measure(
    run: Run, root: Path, labels: Labels, picked: list[int], judged: list[int], local: bool, draw: int
) -> Found:
    settings = run.settings
    store = open_store(root, list(labels.images), settings.picture.store, default_cache())
    student = run.student()
    source = FeatureSource(Extractor(student, settings.picture), store)
    rows: npt.NDArray[np.int64] = np.array([store.index(image) for image in labels.images])
    xy = np.where(labels.visible[..., None] > 0, labels.xy, np.nan)
    points = torch.from_numpy(source.points(rows, xy)).float()
    fit = fit_cascade(source, rows[picked], points[picked], turned=settings.turned, seed=draw, local=local)
    model = Landmarker(labels.schema, settings, student, fit.head, fit.confidence, {})
    files = [root / labels.images[i] for i in judged]
    start = time.perf_counter()
    found = model.predict(files)
    seconds = (time.perf_counter() - start) / len(files)
    place = {Path(image).name: i for i, image in enumerate(found.images)}
    order = [place[file.name] for file in files]
    assert found.px_error is not None
    away: FloatArray = np.linalg.norm(found.xy[order] - xy[judged], axis=-1)
    known = np.isfinite(away)
    radius = {s: found.px_error[order] * fit.confidence.factor(s) for s in SHARES}
    within = {s: np.where(known, away <= radius[s], np.nan) for s in SHARES}
    unit = extents(labels)[judged][:, None]
    return Found(away, away / unit, within, seconds, [len(look.which) for look in fit.head.looks])


ERRORS = {
    "mean": ("mean error, %", "{:.2f}"),
    "sd": ("± over draws", "{:.2f}"),
    "median": ("median, %", "{:.2f}"),
    "px": ("mean, px", "{:.1f}"),
    "px_median": ("median, px", "{:.1f}"),
    "near": ("within 0.3/0.5 %, %", "{}"),
}
"""Columns of what :func:`of_errors` says."""


def of_errors(
    away: Sequence[FloatArray],
    errors: Sequence[FloatArray],
    within: Sequence[dict[float, FloatArray]] = (),
    shares: Sequence[float] = (),
) -> dict[str, object]:
    """What all draws come to, by errors in pixels and in units; ``within`` and ``shares`` as of :func:`over_draws`."""
    near = [100 * float(np.nanmean([np.nanmean(one < s) for one in errors])) for s in (0.003, 0.005)]
    return {
        **over_draws(errors, within, shares),
        "px": float(np.mean([np.nanmean(one) for one in away])),
        "px_median": float(np.mean([np.nanmedian(one) for one in away])),
        "near": "/".join(f"{share:.0f}" for share in near),
    }


def row(arm: str, count: int, draws: Sequence[Found]) -> dict[str, object]:
    """What all draws come to; errors in percent of the unit."""
    return {
        "arm": arm,
        "labels": count,
        **of_errors([d.away for d in draws], [d.errors for d in draws], [d.within for d in draws], SHARES),
        "ms": 1000 * float(np.median([d.seconds for d in draws])),
        "looks": [d.looks for d in draws],
    }


COLUMNS = {
    "labels": ("Labels", "{}"),
    "arm": ("arm", "{}"),
    **ERRORS,
    "coverage": ("coverage of the 50/80/90 % radius, %", "{}"),
    "ms": ("ms a picture", "{:.0f}"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("landmarks", type=Path)
    parser.add_argument("pictures", type=Path)
    parser.add_argument("--name", help="of the result; by default the landmarks' file's")
    parser.add_argument("--split", choices=("test", "validation"), default="test")
    parser.add_argument("--labels", type=int, nargs="+", default=[5, 10, 20, 50])
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--results", type=Path, default=Path("results"))
    chosen = parser.parse_args()
    run, labels = Run.open(chosen.run), load_labels(chosen.landmarks, pictures=chosen.pictures)
    rows = []
    for count in chosen.labels:
        found: dict[str, list[Found]] = {arm: [] for arm in ARMS}
        for draw in range(chosen.draws):
            picked = draw_labels(labels, count, draw)
            if len(picked) < count:
                continue
            judged = split(labels, chosen.split, picked)
            for arm, local in ARMS.items():
                found[arm].append(measure(run, chosen.pictures, labels, picked, judged, local=local, draw=draw))
        for arm, draws in found.items():
            if draws:
                rows.append(row(arm, count, draws))
                print(table(COLUMNS, rows[-1:]).splitlines()[-1], flush=True)
    name = chosen.name or chosen.landmarks.stem
    result = {
        "split": chosen.split,
        "draws": chosen.draws,
        "run": {"settings": run.settings.model_dump(mode="json"), "run": run.provenance},
        "rows": rows,
    }
    keep(f"large-{name}-{chosen.split}", result, table(COLUMNS, rows), chosen.results)


if __name__ == "__main__":
    main()
