"""Several specimens in a picture: how many are found, and how exact their landmarks are.

    python -m benchmarks.studies.specimens RUN POOL TEST PICTURES --name flies [--labels 5 10 20]

RUN is a run on windows of pictures (``lead train … --labels``), POOL a file of labels of which every draw takes so many
pictures, TEST one of others that are judged; in all of them every specimen is labelled. Those with fewer than
``FEWEST`` labelled landmarks neither have to be found nor count against it. A specimen is found by the likeliest answer
whose landmarks are within ``HIT`` of its extent, on average; extents are the diagonals of the boxes around labelled
landmarks. OKS-mAP is pycocotools' own, with the same constant for every landmark and the box's area. Beside the errors
stand those of the same specimens, if each had been cropped by a person.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lead.tuning import wait_passively

wait_passively()  # before torch is imported

import numpy as np  # noqa: E402
import numpy.typing as npt  # noqa: E402
import torch  # noqa: E402

from benchmarks.measuring import keep, since, table  # noqa: E402
from benchmarks.studies.labelling_share import extents  # noqa: E402
from lead.api import fit  # noqa: E402
from lead.features import FeatureSource  # noqa: E402
from lead.files import default_cache  # noqa: E402
from lead.geometry import FloatArray  # noqa: E402
from lead.images.build import open_store  # noqa: E402
from lead.images.labels import load_labels, save_labels  # noqa: E402
from lead.images.store import ImageStore  # noqa: E402
from lead.inference import Landmarker  # noqa: E402
from lead.landmarks import Labels  # noqa: E402
from lead.nn.finder import WINDOW  # noqa: E402
from lead.seeds import mixed_seed  # noqa: E402
from lead.training.run import Run  # noqa: E402
from lead.training.several import middles  # noqa: E402
from lead.windows import Windows  # noqa: E402

HIT = 0.2
FEWEST = 4
SIGMA = 0.05
"""COCO's constant: an answer so many times the root of the area away counts e to the power of -1/8."""
COLUMNS = {
    "labels": ("Labelled pictures", "{}"),
    "precision": ("precision", "{:.3f}"),
    "recall": ("recall", "{:.3f}"),
    "ap": ("OKS-mAP", "{:.3f}"),
    "mean": ("mean error, %", "{:.2f}"),
    "median": ("median, %", "{:.2f}"),
    "px": ("median, px", "{:.1f}"),
    "hand": ("mean, windows placed by hand, %", "{:.2f}"),
    "within": ("within the 90 % radius, %", "{:.0f}"),
    "ms": ("ms a picture", "{:.0f}"),
}


@dataclass(frozen=True)
class Judged:
    """Of one draw.

    Attributes:
        said, right, real: specimens that were found, those of them that are there, and those that are there.
        away: (right, K) pixels; NaN where unlabelled.
        errors: the same in shares of the extent.
        within: (right, K) whether within the 90 % radius; NaN where unlabelled.
        ap: of pycocotools.
        ms: a picture.
        rows: (right,) of the truth.
    """

    said: int
    right: int
    real: int
    away: FloatArray
    errors: FloatArray
    within: FloatArray
    ap: float
    ms: float
    rows: list[int]


def judge(found: Labels, truth: Labels, ms: float) -> Judged:
    """What was found, held against what is there; perhaps nothing was."""
    likely = np.full(len(found), np.nan) if found.likely is None else found.likely
    said = right = 0
    known = np.isfinite(truth.xy).all(-1).sum(1)
    answers = found.rows_of()
    away, errors, within, hits = [], [], [], []
    for image, rows in truth.rows_of().items():
        free = [row for row in rows if known[row]]
        mine = [row for row in answers.get(image, []) if np.isfinite(likely[row])]
        for row in sorted(mine, key=lambda row: -likely[row]):
            apart = np.linalg.norm(truth.xy[free] - found.xy[row], axis=-1)  # (n, K)
            share = (
                np.nanmean(np.where(np.isfinite(apart), apart, np.nan), axis=1) / extents(truth.take(free))
                if free
                else apart
            )
            best = int(np.nanargmin(share)) if len(share) and np.isfinite(share).any() else -1
            hit = best >= 0 and share[best] < HIT
            if hit and known[free[best]] < FEWEST:
                free.pop(best)
                continue
            said += 1
            if hit:
                right += 1
                hits.append(free[best])
                away.append(apart[best])
                errors.append(apart[best] / extents(truth.take([free[best]])))
                radius = np.full(len(apart[best]), np.nan) if found.px_90 is None else found.px_90[row]
                within.append(np.where(np.isfinite(apart[best] + radius), apart[best] <= radius, np.nan))
                free.pop(best)
    real = int((known >= FEWEST).sum())
    ap = average_precision(found, truth) if np.isfinite(likely).any() else 0.0
    return Judged(said, right, real, np.array(away), np.array(errors), np.array(within), ap, ms, hits)


def by_hand(model: Landmarker, store: ImageStore, truth: Labels) -> FloatArray:
    """(n, K) errors in shares of the extent, of the same landmarks looked for in windows that a person placed."""
    source = FeatureSource(model.extractor, store)
    rows: npt.NDArray[np.int64] = np.array([store.index(image) for image in truth.images])
    centre, extent = middles(torch.from_numpy(source.points(rows, truth.xy)).float(), truth, source, rows)
    windows = Windows(model.extractor, store, rows, centre.double().numpy(), WINDOW * extent.double().numpy())
    parts = []
    for some in np.split(np.arange(len(rows)), range(model.batch, len(rows), model.batch)):
        whole = torch.from_numpy(windows.whole(some).astype(np.float32)).to(model.extractor.device)
        parts.append(model.look(windows, some, whole))
    away: FloatArray = np.linalg.norm(Labels.joined(parts).xy - truth.xy, axis=-1) / extents(truth)[:, None]
    return away


def average_precision(found: Labels, truth: Labels) -> float:
    """OKS-mAP from 0.5 to 0.95, by pycocotools."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    order = {image: i for i, image in enumerate(truth.rows_of())}
    found = found.take(
        sorted((i for i, image in enumerate(found.images) if image in order), key=lambda i: order[found.images[i]])
    )
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        save_labels(replace(truth, boxes=None), Path(folder) / "truth.json")
        save_labels(found, Path(folder) / "found.json", format="coco-results")
        real = COCO(str(Path(folder) / "truth.json"))
        evaluation = COCOeval(real, real.loadRes(str(Path(folder) / "found.json")), "keypoints")
        evaluation.params.kpt_oks_sigmas = np.full(len(truth.schema.names), SIGMA)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return float(evaluation.stats[0])


def row(count: int, draws: Sequence[Judged], hand: Sequence[FloatArray] = ()) -> dict[str, object]:
    """All draws of so many labelled pictures; and errors of the same specimens through windows placed by hand."""
    errors = [100 * one.errors for one in draws]
    return {
        "labels": count,
        "precision": float(np.mean([one.right / max(one.said, 1) for one in draws])),
        "recall": float(np.mean([one.right / one.real for one in draws])),
        "ap": float(np.mean([one.ap for one in draws])),
        "mean": float(np.mean([np.nanmean(one) for one in errors])),
        "median": float(np.mean([np.nanmedian(one) for one in errors])),
        "px": float(np.mean([np.nanmedian(one.away) for one in draws])),
        **({"hand": 100 * float(np.mean([np.nanmean(one) for one in hand]))} if hand else {}),
        "within": 100 * float(np.mean([np.nanmean(one.within) for one in draws])),
        "ms": float(np.mean([one.ms for one in draws])),
        "of_draws": [[one.said, one.right, one.real, one.ap] for one in draws],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("pool", type=Path)
    parser.add_argument("test", type=Path)
    parser.add_argument("pictures", type=Path)
    parser.add_argument("--name", required=True, help="of the result")
    parser.add_argument("--labels", type=int, nargs="+", default=[5, 10, 20])
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--results", type=Path, default=Path("results"))
    chosen = parser.parse_args()
    run = Run.open(chosen.run)
    pool, test = (load_labels(path, pictures=chosen.pictures, several=True) for path in (chosen.pool, chosen.test))
    store = open_store(chosen.pictures, list(test.rows_of()), run.settings.picture.store, default_cache())
    rows = []
    for count in chosen.labels:
        draws, hand = [], []
        for draw in range(chosen.draws):
            random = np.random.default_rng(mixed_seed(draw, "specimens", count))
            picked = set(random.permutation(sorted(set(pool.images)))[:count].tolist())
            labels = pool.take(i for i, image in enumerate(pool.images) if image in picked)
            model = fit(run, labels, pictures=chosen.pictures, seed=draw, several=True, complete=True).landmarker
            start = time.perf_counter()
            found = model.predict_store(store)
            draws.append(judge(found, test, since(start) / len(store)))
            hand.append(by_hand(model, store, test.take(draws[-1].rows)))
        rows.append(row(count, draws, hand))
        print(table(COLUMNS, rows[-1:]).splitlines()[-1], flush=True)
    result = {
        "draws": chosen.draws,
        "pictures": len(store),
        "run": {"settings": run.settings.model_dump(mode="json"), "run": run.provenance},
        "rows": rows,
    }
    keep(f"specimens-{chosen.name}", result, table(COLUMNS, rows), chosen.results)


if __name__ == "__main__":
    main()
