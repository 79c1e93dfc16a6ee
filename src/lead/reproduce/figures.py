"""Figures 3 to 10: features and predictions of the arms on chosen pictures, drawn."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from lead.errors import LeadError
from lead.evaluation import figures
from lead.evaluation.results import ZOOMS, Result
from lead.experiments import interpret
from lead.experiments.bench import Bench
from lead.experiments.regression import fitted
from lead.experiments.zoom import fit_zoomed, shown_at
from lead.geometry import FloatArray, denormalise_points
from lead.landmarks.model import Labels
from lead.nn.matching import match_points, similarity_maps
from lead.reproduce.arms import Arm, contrast_landmarks, default, dve, pyramid, stage_one
from lead.reproduce.study import Entry, Study
from lead.seeds import mixed_seed
from lead.training.fit import apply

EXAMPLES = 6
"""Pictures side by side."""
PARTS_FROM = 200
"""Pictures whose cells the parts are found among."""
CELLS_EACH = 20
HEAT_TEMPERATURE = 0.05
"""Of the softmax that makes a heat map of similarities, the paper's τ."""

Drawn = tuple[Result, Image.Image]
Pictures = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Shown:
    """Labelled pictures of the split that is judged, as the store has them.

    Attributes:
        bench: that they are of.
        points: their landmarks, in the pictures' own pixels.
        rows: of ``points``.
    """

    bench: Bench
    points: Labels
    rows: Sequence[int]

    @property
    def where(self) -> npt.NDArray[np.int64]:
        return self.bench.store_rows(self.points, self.rows)

    @property
    def pictures(self) -> Pictures:
        """(n, S, S, 3)."""
        return np.asarray(self.bench.store.pixels[self.where])

    @property
    def xy(self) -> FloatArray:
        """(n, K, 2) store pixels."""
        return self.bench.store.to_store(self.where, self.points.xy[list(self.rows)])

    @property
    def normalised(self) -> Tensor:
        """(n, K, 2) in the frame."""
        return torch.from_numpy(
            self.bench.frame.points(self.bench.store, self.where, self.points.xy[list(self.rows)])
        ).float()

    def features(self) -> Tensor:
        """(n, C, h, w) float32, of the bench's one system."""
        extractor = self.bench.systems[0].extractor
        return torch.cat([part.float().cpu() for part in extractor.batches(self.bench.store, self.where)])

    def placed(self, predicted: Tensor) -> FloatArray:
        """Points (..., K, 2) of the frame in store pixels."""
        return self.bench.frame.denormalise(predicted.double().numpy())


def _complete(bench: Bench, points: Labels) -> list[int]:
    """Fully labelled rows of the split, one of each individual where that is known."""
    _, judge = bench.rows(points)
    whole = [i for i in judge if np.isfinite(points.xy[i]).all()]
    seen: dict[str, int] = {}
    for row, who in zip(whole, bench.dataset.identity_of(points.images[i] for i in whole), strict=True):
        seen.setdefault(who or points.images[row], row)
    return list(seen.values())


def _kept(study: Study, arms: Mapping[str, Arm]) -> dict[str, Arm]:
    """The arms to draw: those that collapsed are left out. Raises :class:`LeadError` if all did."""
    kept = [arm for arm, _ in study.systems(list(arms.values()))]
    if not kept:
        raise LeadError(f"There is nothing to draw: {' '.join(study.notes)}")
    return {name: arm for name, arm in arms.items() if arm in kept}


def _shown(study: Study, arm: Arm, chosen: Sequence[int] | None = None, count: int = EXAMPLES) -> Shown:
    """Seeded pictures of different individuals, or chosen ones, before one arm's system."""
    bench = study.bench(study.system(arm, study.seeds[0]))
    points = bench.dataset.points(_first(bench))
    if chosen is None:
        random = np.random.default_rng(mixed_seed(study.preset.seed, "figures"))
        chosen = random.permutation(_complete(bench, points))[:count].tolist()
    return Shown(bench, points, chosen)


def _turned(study: Study, arm: Arm) -> list[int]:
    """The most frontal picture, then pictures from left- to right-facing, by where the nose stands between the eyes."""
    shown = _shown(study, arm)
    points, rows = shown.points, _complete(shown.bench, shown.points)
    pair = [points.schema.index(name) for name in shown.bench.dataset.normaliser[_first(shown.bench)]]
    nose = next((k for k in range(len(points.schema.names)) if k not in pair), pair[0])
    xy = points.xy[rows]
    left, right = xy[:, pair[0]], xy[:, pair[1]]
    axis = right - left
    along = ((xy[:, nose] - left) * axis).sum(-1) / (axis**2).sum(-1)  # 0 at one eye, 1 at the other
    order = np.argsort(along)
    frontal = int(np.abs(along - np.median(along)).argmin())
    spread = order[np.linspace(0.03 * len(order), 0.97 * (len(order) - 1), EXAMPLES).round().astype(int)]
    return [rows[frontal], *dict.fromkeys(rows[i] for i in spread if i != frontal)]


def _first(bench: Bench) -> str:
    return next(iter(bench.dataset.point_sets))


def fig3(study: Study) -> Drawn:
    """Where a point of one picture is found in another, by the hypercolumns of both stages 1."""
    started = time.monotonic()
    heats: dict[str, npt.NDArray[np.float32]] = {}
    for name, arm in _kept(study, {"BYOL": stage_one("byol"), "MoCo": stage_one("moco")}).items():
        shown = _shown(study, arm)
        tracked = torch.arange(len(shown.rows)) % shown.normalised.shape[1]
        asked = shown.normalised[torch.arange(len(tracked)), tracked][:, None]  # (n, 1, 2)
        features = shown.features()
        similarity = similarity_maps(features, asked, features.roll(1, 0))[:, 0]  # (n, h, w)
        heat = (similarity / HEAT_TEMPERATURE).flatten(1).softmax(-1).view(similarity.shape)
        heats[name] = heat.numpy()
    at = shown.xy[np.arange(len(tracked)), tracked.numpy()]
    pictures = _framed(shown)
    image = figures.correspondence_sheet(pictures, _in_frame(shown, at), np.roll(pictures, 1, 0), heats)
    return study.result("fig3", "Figure 3: correspondence by stage 1's hypercolumns", [], started), image


def _framed(shown: Shown) -> Pictures:
    """The central squares that the networks see, at the store's resolution."""
    return _cut(shown.bench, shown.pictures)


def _cut(bench: Bench, pictures: Pictures) -> Pictures:
    edge = (bench.frame.side - bench.frame.shown) // 2
    return pictures[:, edge : edge + bench.frame.shown, edge : edge + bench.frame.shown]


def _in_frame(shown: Shown, xy: FloatArray) -> FloatArray:
    """Store pixels as pixels of :func:`_framed`."""
    frame = shown.bench.frame
    return denormalise_points(frame.normalise(xy), (frame.shown, frame.shown))


def fig4(study: Study) -> Drawn:
    """One picture's landmarks carried to others, from left- to right-facing."""
    started = time.monotonic()
    arms = {
        "DVE": dve(),
        "CL": contrast_landmarks(64),
        "LEAD": pyramid("byol", "alignment"),
        "ours": default(study.preset),
    }
    predicted: dict[str, FloatArray] = {}
    for name, arm in _kept(study, arms).items():
        shown = _shown(study, arm, _turned(study, arm))
        features = shown.features()
        count = len(shown.rows) - 1
        reference, asked = features[:1].expand(count, -1, -1, -1), shown.normalised[:1].expand(count, -1, -1)
        found, _ = match_points(reference, asked, features[1:])
        predicted[name] = _in_frame(shown, shown.placed(found))
    pictures, xy = _framed(shown), _in_frame(shown, shown.xy)
    image = figures.matching_sheet(pictures[0], xy[0], pictures[1:], predicted, xy[1:], shown.points.schema)
    return study.result("fig4", "Figure 4: landmarks matched from one reference", [], started), image


def _parts(study: Study, arm: Arm) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64], interpret.Parts, Shown]:
    """Cells of many pictures, where they lie, the nine parts among them, and the pictures."""
    shown = _shown(study, arm, count=PARTS_FROM)
    seed = mixed_seed(study.preset.seed, "parts")
    cells, where = interpret.sample_cells(shown.features().numpy(), CELLS_EACH, seed)
    return cells, where, interpret.part_clusters(cells, seed), shown


def fig5(study: Study) -> Drawn:
    """t-SNE of both stages' dense features, coloured by the nine parts found in each."""
    started = time.monotonic()
    panels: dict[str, tuple[npt.NDArray[np.floating], npt.NDArray[np.int64]]] = {}
    arms = {
        "LEAD stage 1 (BYOL)": stage_one("byol"),
        "CL stage 1 (MoCo)": stage_one("moco"),
        "ours": default(study.preset),
    }
    seed = mixed_seed(study.preset.seed, "parts")
    for name, arm in _kept(study, arms).items():
        cells, _, parts, shown = _parts(study, arm)
        assigned = parts.assign(cells[:, :, None, None])[:, 0, 0]
        plane = interpret.embed(cells, seed)
        apart = interpret.separation(plane, assigned, seed)
        panels[name] = (plane, assigned)
        frame = shown.bench.frame
        kept = interpret.consistency(
            parts.assign(shown.features().numpy()), _in_frame(shown, shown.xy), (frame.shown, frame.shown)
        )
        study.notes.append(
            f"{name}: silhouette of the nine parts in the t-SNE plane {apart:.3f}; normalised mutual information of a "
            f"cell's part and its nearest landmark {kept:.3f}."
        )
    image = figures.embedding_plot(panels, interpret.PARTS)
    return study.result("fig5", "Figure 5: dense features in the plane", [], started), image


def fig6(study: Study) -> Drawn:
    """The nine parts of stage 1's features drawn back onto faces."""
    started = time.monotonic()
    _, _, parts, shown = _parts(study, stage_one("byol"))
    few = Shown(shown.bench, shown.points, shown.rows[:EXAMPLES])
    image = figures.cluster_sheet(_framed(few), parts.assign(few.features().numpy()), interpret.PARTS)
    return study.result("fig6", "Figure 6: the nine parts, drawn back", [], started), image


def _regressed(study: Study, arm: Arm, number: int | None, chosen: Sequence[int]) -> tuple[Shown, FloatArray]:
    """Predictions, in pixels of the frame, of a head fitted on so many labelled pictures."""
    shown = _shown(study, arm, chosen)
    bench, points = shown.bench, shown.points
    fit, _ = bench.rows(points)
    if number is not None:
        random = np.random.default_rng(mixed_seed(study.preset.seed, "labels", number, 0))
        fit = sorted(random.choice(fit, number, replace=False).tolist())
    head = fitted(study.heads[0], bench.labelled(bench.systems[0], points, fit), study.preset.seed)
    predicted = apply(head, bench.labelled(bench.systems[0], points, list(chosen)))
    return shown, _in_frame(shown, shown.placed(predicted))


def fig7(study: Study) -> Drawn:
    """Landmark regression from all labels."""
    started = time.monotonic()
    arm = pyramid("byol", "alignment")
    chosen = [*_shown(study, arm).rows, *_turned(study, arm)[1:]][: 2 * EXAMPLES]
    half = len(chosen) // 2
    shown, predicted = _regressed(study, arm, None, chosen[: 2 * half])
    pictures, xy = _framed(shown), _in_frame(shown, shown.xy)
    shape = (2, half)
    image = figures.landmark_sheet(
        pictures.reshape(*shape, *pictures.shape[1:]),
        predicted.reshape(*shape, -1, 2),
        xy.reshape(*shape, -1, 2),
        shown.points.schema,
    )
    return study.result("fig7", "Figure 7: landmark regression from all labels", [], started), image


def _three(study: Study) -> dict[str, Arm]:
    """The peer, the paper's method, and our default."""
    return {"CL": contrast_landmarks(64), "LEAD": pyramid("byol", "alignment"), "ours": default(study.preset)}


def fig8(study: Study) -> Drawn:
    """Regression by the number of labelled pictures."""
    started = time.monotonic()
    arms = _kept(study, _three(study))
    chosen = _shown(study, next(iter(arms.values()))).rows[:2]
    cells: list[FloatArray] = []
    names = []
    for index in range(len(chosen)):
        for name, arm in arms.items():
            by_count = [_regressed(study, arm, number, chosen) for number in study.labels]
            cells.append(np.stack([predicted[index] for _, predicted in by_count]))
            names.append(name)
    shown = by_count[0][0]
    repeated = np.repeat(np.arange(len(chosen)), len(arms))
    image = figures.landmark_sheet(
        _framed(shown)[repeated][:, None],
        np.stack(cells),
        _in_frame(shown, shown.xy)[repeated][:, None],
        shown.points.schema,
        names,
        [str(n) for n in study.labels],
    )
    return study.result("fig8", "Figure 8: the number of annotations", [], started), image


def fig9(study: Study) -> Drawn:
    """Sensitivity to scale: fitted on zoom-out factors 1 to 1.5, judged on 1 to 2."""
    started = time.monotonic()
    arms = _three(study)
    rows = study.table("fig9", [Entry(arm) for arm in arms.values()], "zoom")
    series: dict[str, figures.Series] = {}
    for name, arm in arms.items():
        own = [row for row in rows if row.method.partition("/")[0] == arm.method]
        if not own:  # it collapsed
            continue
        factors = np.array([float(row.metric.removeprefix("zoom-")) for row in own])
        sd = np.array([row.sd for row in own]) if all(row.sd is not None for row in own) else None
        series[name] = (factors, np.array([row.mean for row in own]), sd)
    label = "error (% of inter-ocular distance)"
    image = figures.curve_plot(series, "zoom-out factor", label, (1.5, "seen", "unseen"))
    return study.result("fig9", "Figure 9: sensitivity to scale", rows, started), image


def fig10(study: Study) -> Drawn:
    """Regression at seen and unseen scales."""
    started = time.monotonic()
    shown = _shown(study, pyramid("byol", "alignment"), count=3)
    bench, points = shown.bench, shown.points
    system = bench.systems[0]
    head = fit_zoomed(bench, system, points, bench.rows(points)[0], seed=study.preset.seed)
    pictures: list[Pictures] = []
    found: list[FloatArray] = []
    true: list[FloatArray] = []
    for factor in ZOOMS:
        pixels, places = shown_at(bench, points, shown.rows, torch.full((len(shown.rows),), factor))
        with torch.inference_mode():
            predicted = head(system.extractor.features(pixels).float().cpu())
        pictures.append(_cut(bench, pixels.numpy()))
        for out, normalised in ((found, predicted), (true, places)):
            out.append(_in_frame(shown, shown.placed(normalised)))
    image = figures.landmark_sheet(
        np.stack(pictures, 1),
        np.stack(found, 1),
        np.stack(true, 1),
        points.schema,
        columns=[f"{factor:g}× ({'seen' if factor <= 1.5 else 'unseen'})" for factor in ZOOMS],
    )
    return study.result("fig10", "Figure 10: regression across scales", [], started), image
