"""Landmarks of things that lie any way: what turning the views, searching the headings, and both are worth.

    python -m benchmarks.studies.turned bees UPRIGHT TURNED FOLDER [--split validation] [--labels 1 5 20 100]
    python -m benchmarks.studies.turned dataset UPRIGHT TURNED FOLDER [--points all]

UPRIGHT and TURNED are runs on the same pictures, with the same steps, whose views turn by 20° and all round
(``distill.views.rotation``). Four arms fit the same labels: without a search for headings and with one, on each run's
features. ``bees`` are COCO key points; every third folder by name is left for testing, and of the others every draw
leaves three for ``validation``. Their unit is the diagonal of the box around a picture's points. ``dataset`` is any
data set that ``lead evaluate`` reads, in its own unit.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from unittest import mock

from lead.tuning import wait_passively

wait_passively()  # before torch is imported

import numpy as np  # noqa: E402
import torch  # noqa: E402

from benchmarks.measuring import keep, over_draws, table  # noqa: E402
from benchmarks.studies.labelling_share import bees_for_testing, extents  # noqa: E402
from lead.datasets import open_dataset  # noqa: E402
from lead.evaluation.metrics import unit_lengths  # noqa: E402
from lead.features import Extractor, FeatureSource  # noqa: E402
from lead.files import default_cache  # noqa: E402
from lead.geometry import FloatArray  # noqa: E402
from lead.images.build import open_store  # noqa: E402
from lead.images.labels import load_labels  # noqa: E402
from lead.landmarks import Labels  # noqa: E402
from lead.seeds import mixed_seed  # noqa: E402
from lead.training.cascade import fit_cascade  # noqa: E402
from lead.training.run import Run  # noqa: E402

SHARES = (0.5, 0.8, 0.9)
HELD_OUT = 3
"""Folders of bees that each draw leaves for validation."""
ARMS = {
    "before": ("upright", False),
    "search": ("upright", True),
    "views": ("turned", False),
    "both": ("turned", True),
}
"""Whose features, and whether headings are searched."""


@dataclass(frozen=True)
class Set:
    """Labelled pictures.

    Attributes:
        root: of the pictures.
        labels: of all of them.
        unit: (N,) lengths in pixels that errors are given in.
        test: (N,) whether a picture is left for testing.
    """

    root: Path
    labels: Labels
    unit: FloatArray
    test: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]

    @property
    def folders(self) -> list[str]:
        """The folder of each picture."""
        return [PurePosixPath(image).parent.as_posix() for image in self.labels.images]

    def split(self, name: str, draw: int) -> tuple[list[int], list[int]]:
        """Pictures to draw labels from, and to judge on."""
        rows = range(len(self.labels))
        if name == "test":
            return [i for i in rows if not self.test[i]], [i for i in rows if self.test[i]]
        folders = self.folders
        names = sorted({folders[i] for i in rows if not self.test[i]})
        held_out = set(np.random.default_rng(mixed_seed(draw, "held out")).permutation(names)[:HELD_OUT].tolist())
        pool = [i for i in rows if not self.test[i]]
        return [i for i in pool if folders[i] not in held_out], [i for i in pool if folders[i] in held_out]


def bees(root: Path) -> Set:
    labels = load_labels(root / "bees.json")
    return Set(root / "pictures", labels, extents(labels), bees_for_testing(labels))


def dataset(root: Path, points: str | None) -> Set:
    data = open_dataset(root)
    name = points or next(iter(data.point_sets))
    labels, parts = data.points(name), dict(zip(data.files, data.split, strict=True))
    test = np.array([parts[image] == "test" for image in labels.images])
    return Set(data.root, labels, unit_lengths(labels, data.normaliser[name]), test)


@dataclass(frozen=True)
class Found:
    """Of one draw: (n, K) errors in units, NaN where unlabelled, and whether each is within the radius of a share."""

    errors: FloatArray
    within: dict[float, FloatArray]


def measure(run: Run, some: Set, search: bool, count: int, draw: int, split: str) -> Found | None:
    """One draw of labels of pictures that show every landmark, fitted and judged; None where there are too few."""
    pool, judged = some.split(split, draw)
    whole = [i for i in pool if (some.labels.visible[i] > 0).all()]
    if count > len(whole):
        return None
    picked = sorted(np.random.default_rng(mixed_seed(draw, "labels", count)).permutation(whole)[:count].tolist())
    settings, labels = run.settings, some.labels
    store = open_store(some.root, list(labels.images), settings.picture.store, default_cache())
    source = FeatureSource(Extractor(run.student(), settings.picture), store)
    rows = np.array([store.index(image) for image in labels.images])
    xy = np.where(labels.visible[..., None] > 0, labels.xy, np.nan)
    points = torch.from_numpy(source.points(rows, xy)).float()
    with mock.patch("lead.training.inputs.lie_any_way", return_value=search):
        fit = fit_cascade(
            source,
            rows[picked],
            points[picked],
            unlabelled=rows[pool],
            groups=[some.folders[i] for i in picked],
            seed=draw,
            local=False,  # which all arms would have alike
        )
    found = list(source.find(fit.head, rows[judged]))
    places = source.places(rows[judged], torch.cat([f.points for f in found]).double().numpy())
    away = np.linalg.norm(places - xy[judged], axis=-1)  # (n, K) pixels
    expected = torch.cat([f.expected(fit.confidence) for f in found]).double().numpy()
    px = source.extractor.frame.shown / store.scale[rows[judged]].mean(-1)
    radius = expected * px[:, None]
    known = np.isfinite(away)
    within = {s: np.where(known, away <= radius * fit.confidence.factor(s), np.nan) for s in SHARES}
    return Found(away / some.unit[judged][:, None], within)


def row(arm: str, count: int, draws: Sequence[Found]) -> dict[str, object]:
    """What all draws come to, in percent."""
    return {"arm": arm, "labels": count} | over_draws([d.errors for d in draws], [d.within for d in draws], SHARES)


COLUMNS = {
    "labels": ("Labels", "{}"),
    "arm": ("arm", "{}"),
    "mean": ("mean error, %", "{:.1f}"),
    "sd": ("± over draws", "{:.1f}"),
    "median": ("median, %", "{:.1f}"),
    "coverage": ("coverage of the 50/80/90 % radius, %", "{}"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=("bees", "dataset"))
    parser.add_argument("upright", type=Path)
    parser.add_argument("turned", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--name", help="of the result; by default the folder's")
    parser.add_argument("--points", help="of a data set that has several sets of them")
    parser.add_argument("--split", choices=("test", "validation"), default="test")
    parser.add_argument("--labels", type=int, nargs="+", default=[1, 5, 20])
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS))
    parser.add_argument("--results", type=Path, default=Path("results"))
    chosen = parser.parse_args()
    some = bees(chosen.folder) if chosen.kind == "bees" else dataset(chosen.folder, chosen.points)
    runs = {"upright": Run.open(chosen.upright), "turned": Run.open(chosen.turned)}
    rows = []
    for count in chosen.labels:
        for arm in chosen.arms:
            which, search = ARMS[arm]
            found = [measure(runs[which], some, search, count, d, chosen.split) for d in range(chosen.draws)]
            if draws := [one for one in found if one is not None]:
                rows.append(row(arm, count, draws))
                print(table(COLUMNS, rows[-1:]).splitlines()[-1], flush=True)
    result = {
        "set": chosen.kind,
        "split": chosen.split,
        "draws": chosen.draws,
        "runs": {
            name: {"settings": r.settings.model_dump(mode="json"), "run": r.provenance} for name, r in runs.items()
        },
        "rows": rows,
    }
    name = chosen.name or chosen.folder.resolve().name
    keep(f"turned-{name}-{chosen.split}", result, table(COLUMNS, rows), chosen.results)


if __name__ == "__main__":
    main()
