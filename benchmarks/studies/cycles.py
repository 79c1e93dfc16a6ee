"""What pictures without labels add to local looks, as further pictures to learn from, labelled by the model itself.

    python -m benchmarks.studies.cycles RUN LABELS PICTURES [--labels 5 20] [--draws 3]

RUN, LABELS, PICTURES, unit and draws are those of :mod:`benchmarks.studies.large`. A model is fitted to the labels and
says where the landmarks of the pictures left for testing are, whose labels it never sees; a second is fitted to the
labels and to some of these answers, from which no error is estimated. Both are judged on the pictures that are neither.
Which answers count is chosen in several ways:

``all``
    every one;
``expected``
    the half with the smaller expected error, of each landmark;
``cycle``
    those from which a match leads back: what the features have around the answer, at the scale of the last local look,
    is looked for around the label in each labelled picture, and is found within ``BACK`` cells of it in most of them.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from lead.tuning import wait_passively

wait_passively()  # before torch is imported

import numpy as np  # noqa: E402
import numpy.typing as npt  # noqa: E402
import torch  # noqa: E402
from torch import Tensor  # noqa: E402

from benchmarks.measuring import keep, table  # noqa: E402
from benchmarks.studies.labelling_share import extents  # noqa: E402
from benchmarks.studies.large import ERRORS, draw_labels, of_errors, split  # noqa: E402
from lead.features import Extractor, FeatureSource  # noqa: E402
from lead.files import default_cache  # noqa: E402
from lead.geometry import FloatArray, cell_grid  # noqa: E402
from lead.images.build import open_store  # noqa: E402
from lead.images.labels import load_labels  # noqa: E402
from lead.inference import Landmarker  # noqa: E402
from lead.landmarks import Labels  # noqa: E402
from lead.nn.cascade import Cascade  # noqa: E402
from lead.nn.local import LocalLook, around  # noqa: E402
from lead.nn.matching import describe_points  # noqa: E402
from lead.training.cascade import fit_cascade  # noqa: E402
from lead.training.run import Run  # noqa: E402

ARMS = ("none", "all", "expected", "cycle")
BACK = 1.5
COLUMNS = {
    "arm": ("Answers learnt from", "{}"),
    "labels": ("labels", "{}"),
    "taken": ("share of them", "{:.2f}"),
    **ERRORS,
}


class Judge:
    """One data set: fits, and errors of what was fitted."""

    def __init__(self, run: Run, root: Path, labels: Labels) -> None:
        self.run, self.root, self.labels = run, root, labels
        self.student = run.student()
        self.store = open_store(root, list(labels.images), run.settings.picture.store, default_cache())
        self.source = FeatureSource(Extractor(self.student, run.settings.picture), self.store)
        self.rows: npt.NDArray[np.int64] = np.array([self.store.index(image) for image in labels.images])
        self.xy = np.where(labels.visible[..., None] > 0, labels.xy, np.nan)

    def fit(self, picked: list[int], more: list[int], xy: FloatArray, seed: int) -> Landmarker:
        """To labels, and to answers (n, K, 2), NaN where they do not count, in further pictures."""
        chosen = picked + [i for i, points in zip(more, xy, strict=True) if np.isfinite(points).any()]
        places = np.concatenate([self.xy[picked], xy[np.isfinite(xy).any((1, 2))]])
        accepted = np.isfinite(places).all(-1)
        accepted[: len(picked)] = False
        points = torch.from_numpy(self.source.points(self.rows[chosen], places)).float()
        fit = fit_cascade(
            self.source,
            self.rows[chosen],
            points,
            accepted=accepted if len(chosen) > len(picked) else None,
            turned=self.run.settings.turned,
            seed=seed,
        )
        return Landmarker(self.labels.schema, self.run.settings, self.student, fit.head, fit.confidence, {})

    def predict(self, model: Landmarker, judged: list[int]) -> Labels:
        """In the order of ``judged``."""
        found = model.predict([self.root / self.labels.images[i] for i in judged])
        place = {Path(image).name: i for i, image in enumerate(found.images)}
        return found.take([place[Path(self.labels.images[i]).name] for i in judged])

    def leads_back(
        self, model: Landmarker, picked: list[int], more: list[int], xy: FloatArray
    ) -> npt.NDArray[np.bool_]:
        """(n, K) whether a match from an answer in a further picture leads back to the label in most labelled ones."""
        head = model.head
        assert isinstance(head, Cascade)
        looks = {int(k): look for look in head.looks for k in look.which.tolist()}  # the last one stays
        out = np.zeros(xy.shape[:2], dtype=bool)
        for k, look in looks.items():
            known = np.flatnonzero(np.isfinite(xy[:, k]).all(-1))
            shown = np.flatnonzero(np.isfinite(self.xy[picked, k]).all(-1))
            there = self._squares(head, look, [more[i] for i in known], xy[known], k)
            here = self._squares(head, look, [picked[i] for i in shown], self.xy[[picked[i] for i in shown]], k)
            asked = describe_points(there, torch.zeros(len(there), 1, 2))[:, 0]  # (n, C) at the answers
            unit = torch.nn.functional.normalize(here, dim=1).flatten(2)  # (m, C, h·w)
            best = torch.einsum("nc,mcp->nmp", asked, unit).argmax(-1)
            cells = cell_grid(*here.shape[-2:]).view(-1, 2)[best] * here.shape[-1] / 2
            out[known, k] = ((cells.norm(dim=-1) <= BACK).float().mean(1) > 0.5).numpy()
        return out

    def _squares(self, head: Cascade, look: LocalLook, which: list[int], xy: FloatArray, k: int) -> Tensor:
        """(n, C, h, w) features around landmark ``k`` as the look would see it."""
        rows = self.rows[which]
        points = torch.from_numpy(self.source.points(rows, xy)).float()
        view = around(points[:, k : k + 1], head.pose(points, torch.ones(points.shape[:2])))
        first = bool(self.source.extractor.first_channels)
        return torch.cat(list(self.source.close(rows, view.affine(look.reach), first=first))).float().cpu()


def measure(
    judge: Judge, picked: list[int], more: list[int], judged: list[int], seed: int
) -> dict[str, tuple[FloatArray, float]]:
    """By arm: errors in pixels (n, K), and the share of the answers that counted."""
    nowhere = np.full((len(more), *judge.xy.shape[1:]), np.nan)
    first = judge.fit(picked, more, nowhere, seed)
    answers = judge.predict(first, more)
    assert answers.px_error is not None
    surer = answers.px_error <= np.nanmedian(answers.px_error, axis=0)
    counted = {
        "none": np.zeros(surer.shape, bool),
        "all": np.ones(surer.shape, bool),
        "expected": surer,
        "cycle": judge.leads_back(first, picked, more, answers.xy),
    }
    out = {}
    for arm in ARMS:
        xy = np.where(counted[arm][..., None], answers.xy, np.nan)
        model = judge.fit(picked, more, xy, seed) if arm != "none" else first
        found = judge.predict(model, judged)
        out[arm] = np.linalg.norm(found.xy - judge.xy[judged], axis=-1), float(counted[arm].mean())
    return out


def row(arm: str, count: int, draws: Sequence[tuple[FloatArray, FloatArray, float]]) -> dict[str, object]:
    """All draws: errors in pixels, in units, and the share that counted."""
    errors = of_errors([away for away, _, _ in draws], [errors for _, errors, _ in draws])
    return {"arm": arm, "labels": count, "taken": float(np.mean([taken for _, _, taken in draws])), **errors}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("landmarks", type=Path)
    parser.add_argument("pictures", type=Path)
    parser.add_argument("--name", help="of the result; by default the landmarks' file's")
    parser.add_argument("--labels", type=int, nargs="+", default=[5, 20])
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--results", type=Path, default=Path("results"))
    chosen = parser.parse_args()
    labels = load_labels(chosen.landmarks, pictures=chosen.pictures)
    judge = Judge(Run.open(chosen.run), chosen.pictures, labels)
    more = split(labels, "test", [])
    found: dict[tuple[int, str], list[tuple[FloatArray, FloatArray, float]]] = {}
    for draw in range(chosen.draws):
        for count in chosen.labels:
            picked = draw_labels(labels, count, draw)
            judged = split(labels, "validation", picked)
            unit = extents(labels)[judged][:, None]
            for arm, (away, taken) in measure(judge, picked, more, judged, draw).items():
                found.setdefault((count, arm), []).append((away, away / unit, taken))
                print(table(COLUMNS, [row(arm, count, found[count, arm][-1:])]).splitlines()[-1], flush=True)
    rows = [row(arm, count, draws) for (count, arm), draws in sorted(found.items(), key=lambda one: one[0][0])]
    result = {"draws": chosen.draws, "pictures": len(more), "run": judge.run.provenance, "rows": rows}
    keep(f"cycles-{chosen.name or chosen.landmarks.stem}", result, table(COLUMNS, rows), chosen.results)


if __name__ == "__main__":
    main()
