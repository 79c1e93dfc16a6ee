"""What is fitted on what and judged on what, on a few drawn beetles and on dots that need no network to be found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor

from lead import api
from lead.beetles.writing import write_beetles
from lead.config import Settings, check
from lead.datasets import open_dataset
from lead.datasets.base import Dataset
from lead.errors import LeadError
from lead.evaluation import results
from lead.evaluation.results import Row
from lead.experiments import protocols
from lead.experiments import zoom as zooming
from lead.experiments.protocols import Bench, System, matching, peers_matching, regression
from lead.experiments.zoom import zoom
from lead.features import Extractor
from lead.landmarks.model import HIDDEN, Labels, Schema
from lead.nn.backbone import Backbone
from lead.nn.heads import RidgeHead
from lead.nn.student import Student
from lead.training.fit import Fitted, Labelled, SoftArgmaxRecipe, train_softargmax
from lead.training.run import Run, held_out

pytestmark = pytest.mark.xdist_group("protocols")  # one run for all of them
Array = npt.NDArray[np.float64]
SYSTEMS = ("untrained", "byol", "lead")


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """36 beetles of 8 species, two of them for the test."""
    root = tmp_path_factory.mktemp("drawn") / "beetles"
    write_beetles(root, 36, size=64, species=8, workers=1)
    return open_dataset(root)


@pytest.fixture(scope="module")
def run(drawn: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run that held two of the six training species out."""
    settings = check(
        {
            "validation": 0.33,
            "picture": {"store": 64, "input": 32},
            "backbone": {"name": "test_resnet"},
            "hypercolumn": {"weights": [1, 0, 0, 0]},
            "pretrain": {"steps": 2, "batch": 4, "hidden": 16, "projection": 8},
            "distill": {"steps": 2, "batch": 4, "width": 16, "dimension": 8, "projection": 8},
        },
        "test",
    )
    return api.train(drawn, tmp_path_factory.mktemp("protocols") / "run", settings=settings)


def identities(bench: Bench, rows: list[int]) -> set[str]:
    points = bench.dataset.points("all")
    return set(bench.dataset.identity_of(points.images[i] for i in rows))


# --- rows ------------------------------------------------------------------------------------------------------------


def test_few_labels_are_the_same_for_every_system(run: Run, drawn: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Tensor] = []

    def watched(labelled: Labelled, *, seed: int) -> Fitted:
        seen.append(labelled.points)
        head = RidgeHead(labelled.features.shape[1], labelled.points.shape[1])
        return Fitted(head, "ridge", float(seed), None)

    monkeypatch.setattr(protocols, "fit_ridge", watched)
    said: list[str] = []
    rows = regression(Bench.of_run(run, drawn), labels=(1, 3, 1000), draws=2, say=said.append)
    assert [(r.method, r.features, r.labels) for r in rows] == [
        ("mean-shape", "", 1),
        ("mean-shape", "", 3),
        *((f"{m}/ridge", f, n) for m, f in zip(SYSTEMS, ("32-d", "32-d", "8-d"), strict=True) for n in (1, 3)),
    ]
    assert all((r.metric, r.unit, r.draws) == ("regression-all", "%", 2) for r in rows)
    assert [len(points) for points in seen] == 3 * [1, 1, 3, 3]
    for other in (4, 8):
        for first, again in zip(seen[:4], seen[other : other + 4], strict=True):
            torch.testing.assert_close(first, again, equal_nan=True)
    assert not torch.allclose(seen[2].nan_to_num(), seen[3].nan_to_num())
    # A head without weights answers with the middle of the picture, whatever the features.
    assert len({r.mean for r in rows if r.method.endswith("/ridge")}) == 1
    assert len(said) == 7
    assert "left out 1000 labels" in said[0]


def test_all_labels_measure_every_head_and_round_trip_through_a_file(
    run: Run, drawn: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = SoftArgmaxRecipe(epochs=1, pictures=32, batch=8)
    monkeypatch.setattr(protocols, "train_softargmax", lambda labelled, seed: train_softargmax(labelled, seed, recipe))
    result = api.evaluate(run, drawn, "regression", preset="least", heads=("ridge", "softargmax"))
    assert [r.method for r in result.rows] == [
        "mean-shape",
        *(f"{system}/{head}" for system in SYSTEMS for head in ("ridge", "softargmax")),
    ]
    assert {(r.labels, r.draws, r.sd) for r in result.rows} == {("all", 1, None)}
    assert (result.name, result.benchmark, result.preset) == ("regression", "beetles", "least")
    assert result.settings["distill"] == run.settings.model_dump(mode="json")["distill"]
    result.write(result.path(tmp_path))
    assert results.read(tmp_path / "beetles" / "least" / "regression.json") == result


def test_the_mean_shape_is_that_of_the_labelled_pictures(run: Run, drawn: Dataset) -> None:
    row = regression(Bench.of_run(run, drawn))[0]
    points = drawn.points("all")
    split = dict(zip(drawn.files, drawn.split, strict=True))
    out = held_out(drawn, run.settings.validation, run.settings.validation_seed)
    who = drawn.identity_of(points.images)
    train = [i for i, image in enumerate(points.images) if split[image] == "train" and who[i] not in out]
    mean = np.nanmean(points.xy[train], axis=0)  # all pictures are of one size
    errors = []
    for i, image in enumerate(points.images):
        if split[image] == "test":
            a, b = (points.xy[i, points.schema.index(n)] for n in drawn.normaliser["all"])
            unit = np.linalg.norm(a - b)
            errors += (100 * np.linalg.norm(points.xy[i] - mean, axis=-1) / unit).tolist()
    assert row.method == "mean-shape"
    assert row.mean == pytest.approx(np.nanmean(errors))
    assert row.median == pytest.approx(np.nanmedian(errors))


def test_validation_judges_the_identities_held_out_and_nothing_else(run: Run, drawn: Dataset) -> None:
    out = held_out(drawn, run.settings.validation, run.settings.validation_seed)
    train = {who for who, split in zip(drawn.identity, drawn.split, strict=True) if split == "train"}
    test = set(drawn.identity) - train
    assert len(out) == len(test) == 2
    bench = Bench.of_run(run, drawn, "validation")
    fit, judge = bench.rows(drawn.points("all"))
    assert (identities(bench, fit), identities(bench, judge)) == (train - out, out)
    fit, judge = Bench.of_run(run, drawn).rows(drawn.points("all"))
    assert (identities(bench, fit), identities(bench, judge)) == (train - out, test)
    assert protocols.result_name("few-shot", "validation", ["5"]) == "few-shot-5-validation"
    none = Run(run.folder, run.settings.model_copy(update={"validation": 0.0}))
    with pytest.raises(LeadError, match=r"held no identities out.*--set validation=0\.2"):
        Bench.of_run(none, drawn, "validation").rows(drawn.points("all"))
    with pytest.raises(LeadError, match=r"beetles: \d+ pictures to fit on, 0 of 'tset'"):
        Bench.of_run(run, drawn, "tset").rows(drawn.points("all"))


def test_matching_measures_every_kind_for_every_system(run: Run, drawn: Dataset, tmp_path: Path) -> None:
    result = api.evaluate(run, drawn, "matching", preset="least")
    kinds = ("same", "different")
    assert [(r.method, r.metric) for r in result.rows] == [
        *(("copy-location", f"matching-{kind}") for kind in ("warp", *kinds)),
        *((system, f"matching-{kind}") for system in SYSTEMS for kind in ("warp", *kinds)),
    ]
    assert {r.labels for r in result.rows} == {None}
    result.write(result.path(tmp_path))
    assert results.read(result.path(tmp_path)) == result
    again = matching(Bench.of_run(run, drawn))
    assert tuple(again) == result.rows


@given(
    identity=st.lists(st.sampled_from("abcd"), min_size=1, max_size=9),
    count=st.integers(1, 80),
    same=st.booleans(),
    seed=st.integers(0, 3),
)
def test_pairs_are_different_pictures_of_one_individual_or_of_two(
    identity: list[str], count: int, same: bool, seed: int
) -> None:
    places = range(len(identity))
    possible = {(i, j) for i in places for j in places if i != j and (identity[i] == identity[j]) == same}
    chosen = [(int(i), int(j)) for i, j in protocols._pairs(identity, count, same, seed)]
    assert set(chosen) <= possible
    assert len(set(chosen)) == len(chosen) == min(count, len(possible))


# --- cascades --------------------------------------------------------------------------------------------------------


def test_a_cascade_is_measured_with_the_errors_that_it_tells(run: Run, drawn: Dataset) -> None:
    bench = Bench.of_run(run, drawn, methods=("lead",))
    rows = regression(bench, labels=(1, 3), draws=2, heads=("cascade",))
    keys = ["within-50-all", "within-80-all", "within-90-all", "rank-all", "worst-all", "hidden-all", "shown-all"]
    assert [(r.method, r.labels, r.metric) for r in rows] == [
        *(("mean-shape", n, "regression-all") for n in (1, 3)),
        *(("lead/cascade", n, metric) for n in (1, 3) for metric in ("regression-all", *keys)),
    ]
    assert {(r.features, r.draws, r.unit) for r in rows[2:]} == {("8-d", 2, "%")}
    for few in (rows[2:10], rows[10:]):
        within = [row.mean for row in few[1:4]]
        assert within == sorted(within)
        assert 0 <= within[0] <= within[2] <= 100
    again = regression(bench, labels=(3,), draws=2, heads=("cascade",))
    assert again[1:] == rows[10:]


def test_told_errors_are_judged_in_the_unit_that_they_are_told_in(
    run: Run, drawn: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench.of_run(run, drawn, methods=("lead",))
    points = drawn.points("all")
    _, judge = bench.rows(points)
    truth = bench.frame.normalise(bench.store.to_store(bench.store_rows(points, judge), points.xy[judge]))
    off = np.random.default_rng(0).uniform(0, 0.4, truth.shape[:2])  # in normalised units, which span 2

    hidden = points.visible[judge] == HIDDEN

    def told(*_: object) -> tuple[Array, Array, dict[int, Array], npt.NDArray[np.bool_]]:
        predicted = truth + np.stack([0.6 * off, 0.8 * off], axis=-1)
        return predicted, off / 2, {50: 0.49 * off, 80: 0.51 * off, 90: np.full_like(off, 0.1)}, hidden

    monkeypatch.setattr(protocols, "_cascade", told)
    rows = {row.metric: row for row in regression(bench, labels=(3,), draws=1, heads=("cascade",))[1:]}
    assert rows["within-50-all"].mean == 0
    assert rows["within-80-all"].mean == 100
    known = np.isfinite(truth).all(-1)
    assert rows["within-90-all"].mean == pytest.approx(100 * (off[known] <= 0.2).mean())
    assert (rows["rank-all"].mean, rows["worst-all"].mean) == pytest.approx((100, 100))
    assert (rows["hidden-all"].mean, rows["shown-all"].mean) == pytest.approx((100, 0))


def test_wide_features_get_no_cascade(run: Run, drawn: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocols, "REDUCED", 8)
    monkeypatch.setattr(protocols, "_cascade_rows", lambda _, system, *__: [shape(f"{system.method}/cascade")])
    rows = regression(Bench.of_run(run, drawn), labels=(1,), draws=1, heads=("cascade", "ridge"))
    methods = ["mean-shape", "untrained/ridge", "byol/ridge", "lead/cascade", "lead/ridge"]  # 32, 32 and 8 wide
    assert [row.method for row in rows] == methods


def shape(method: str) -> Row:
    return Row(method, "", 1, "regression-all", "%", 1.0, 1.0)


# --- labels with gaps ------------------------------------------------------------------------------------------------


def test_a_landmark_missing_from_the_few_labelled_pictures_is_measured_all_the_same(run: Run, drawn: Dataset) -> None:
    whole = drawn.points("all")
    xy = whole.xy.copy()
    split = dict(zip(drawn.files, drawn.split, strict=True))
    xy[[i for i, image in enumerate(whole.images) if split[image] == "train"], 2] = np.nan
    gaps = replace(drawn, point_sets={"all": Labels.from_xy(whole.schema, whole.images, xy)})
    rows = regression(Bench.of_run(run, gaps), labels=(1,), draws=2)
    assert {r.method for r in rows} == {"mean-shape", "untrained/ridge", "byol/ridge", "lead/ridge"}


# --- the warp --------------------------------------------------------------------------------------------------------

DOTS = Schema(("red", "green"))


@pytest.fixture
def dots(tmp_path: Path) -> Dataset:
    """Pictures of two sizes with a red and a green dot each."""
    draws = np.random.default_rng(0)
    (tmp_path / "dots").mkdir()
    names, xy = tuple(f"{i}.png" for i in range(12)), []
    for i, name in enumerate(names):
        width, height = (96, 72) if i % 2 else (48, 48)
        row, column = np.mgrid[:height, :width]
        points = draws.uniform(0.35, 0.65, (2, 2)) * (width, height)
        points[:, 0] += np.array([-0.08, 0.08]) * width  # apart
        picture = np.zeros((height, width, 3))
        for channel, (x, y) in enumerate(points):
            picture[..., channel] = np.exp(-((column - x) ** 2 + (row - y) ** 2) / (2 * (0.04 * width) ** 2))
        Image.fromarray((255 * picture).round().astype(np.uint8)).save(tmp_path / "dots" / name)
        xy.append(points)
    labels = Labels.from_xy(DOTS, names, xy)
    split = ("train",) * 6 + ("test",) * 6
    who = tuple(str(i // 2) for i in range(12))
    return Dataset("dots", tmp_path / "dots", names, who, split, labels, {"all": labels}, {"all": ("red", "green")})


class Showing(Extractor):
    """Its features are what the network would be shown."""

    def features(self, pixels: Tensor) -> Tensor:
        return self.frame.show(pixels)


def centres(pictures: Tensor) -> Tensor:
    """(B, 2, 2) normalised places of the red and the green dot."""
    light = pictures[:, :2].double()
    size = light.shape[-1]
    cells = (torch.arange(size, dtype=torch.float64) + 0.5) * 2 / size - 1
    total = light.sum((2, 3))
    return torch.stack([(light.sum(2) * cells).sum(-1) / total, (light.sum(3) * cells).sum(-1) / total], dim=-1)


@pytest.mark.parametrize("share", [1.0, 0.75])
def test_the_warps_truth_is_where_the_dots_go(
    dots: Dataset,
    tiny: Callable[..., Settings],
    monkeypatch: pytest.MonkeyPatch,
    share: float,
) -> None:
    settings = tiny(picture={"store": 96, "input": 96, "frame": share})
    system = System("lead", Showing(Student(Backbone("test_resnet"), 16, 16), settings.picture))
    bench = Bench(dots, [system], settings)
    points, rows = dots.points("all"), list(range(12))
    off = torch.zeros(2)

    def found_by_eye(reference: Tensor, asked: Tensor, query: Tensor) -> tuple[Tensor, Tensor]:
        torch.testing.assert_close(centres(reference), asked.double(), atol=0.01, rtol=0)
        return centres(query) + off, torch.ones(len(asked), 2)

    monkeypatch.setattr(protocols, "match_points", found_by_eye)
    stayed, exact = protocols._match_warped(bench, points, rows, ("red", "green"))
    assert exact.points == 24
    assert exact.mean < 1.5
    off = torch.tensor([0.3, 0.4])  # half a normalised unit: a quarter of what is shown
    shown = share * np.array([96.0 if i % 2 else 48.0 for i in rows])  # original pixels
    unit = np.linalg.norm(points.xy[:, 0] - points.xy[:, 1], axis=-1)
    _, moved = protocols._match_warped(bench, points, rows, ("red", "green"))
    assert moved.mean == pytest.approx((100 * shown / 4 / unit).mean(), abs=2 * exact.mean)
    monkeypatch.setattr(protocols, "match_points", lambda _, asked, query: (asked, torch.ones(len(query), 2)))
    same_place, unmoved = protocols._match_warped(bench, points, rows, ("red", "green"))
    assert unmoved.mean > 4 * exact.mean
    assert unmoved == same_place == stayed


def test_pairs_are_judged_in_the_query_pictures_own_pixels(
    dots: Dataset, tiny: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = tiny(picture={"store": 96, "input": 96})
    showing = Showing(Student(Backbone("test_resnet"), 16, 16), settings.picture)
    bench = Bench(dots, [System("lead", showing)], settings)
    monkeypatch.setattr(protocols, "match_points", lambda _r, asked, q: (centres(q), torch.ones(len(asked), 2)))
    rows = {(r.method, r.metric): r.mean for r in matching(bench)}
    assert rows["lead", "matching-same"] < 1.5
    assert rows["lead", "matching-different"] < 1.5
    # Each test individual has one picture of 48 × 48 and one of 96 × 72, which fill the store as they are.
    points = dots.points("all")
    expected = []
    for reference, query in [(i, j) for i in range(6, 12) for j in range(6, 12) if i != j and i // 2 == j // 2]:
        a, b = ((points.xy[i] + 0.5) * (1 if i % 2 else 2) + [0, 12 * (i % 2)] for i in (reference, query))
        distance = np.linalg.norm(a - b, axis=-1) / (1 if query % 2 else 2)
        expected += (100 * distance / np.linalg.norm(points.xy[query, 0] - points.xy[query, 1])).tolist()
    assert rows["copy-location", "matching-same"] == pytest.approx(np.mean(expected))


@pytest.fixture
def eyed(dots: Dataset, tiny: Callable[..., Settings]) -> Callable[..., Bench]:
    """A bench of systems that are shown the pictures of dots as they are."""

    def make(*methods: str, share: float = 1.0, data: Dataset = dots) -> Bench:
        settings = tiny(picture={"store": 96, "input": 96, "frame": share})
        showing = Showing(Student(Backbone("test_resnet"), 16, 16), settings.picture)
        return Bench(data, [System(method, showing) for method in methods], settings)

    return make


@pytest.mark.parametrize("share", [1.0, 0.9])
def test_the_peers_truth_is_where_the_dots_go(
    eyed: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch, share: float
) -> None:
    bench = eyed("lead", "moco+alignment", share=share)
    off = torch.zeros(2)

    def found_by_eye(reference: Tensor, asked: Tensor, query: Tensor) -> tuple[Tensor, Tensor]:
        torch.testing.assert_close(centres(reference), asked.double(), atol=0.02, rtol=0)
        return centres(query) + off, torch.ones(len(asked), 2)

    monkeypatch.setattr(protocols, "match_points", found_by_eye)
    rows = peers_matching(bench)
    units = ("px of 70", "%")
    assert [(r.method, r.features, r.metric, r.unit) for r in rows] == [
        (method, features, f"peers-{kind}", unit)
        for method, features in (("copy-location", ""), ("lead", "3-d"), ("moco+alignment", "3-d"))
        for kind in ("same", "different")
        for unit in units
    ]
    exact = {(r.method, r.metric, r.unit): r for r in rows}
    for kind in ("peers-same", "peers-different"):
        assert exact["lead", kind, "px of 70"].mean < 0.2
        assert exact["lead", kind, "%"].mean < 1.5
        for unit in units:
            assert replace(exact["moco+alignment", kind, unit], method="lead") == exact["lead", kind, unit]
            assert exact["copy-location", kind, unit].mean > 10 * exact["lead", kind, unit].mean
    # The same photo is but one warp away.
    still = {kind: exact["copy-location", f"peers-{kind}", "px of 70"].mean for kind in ("same", "different")}
    assert still["same"] < 0.8 * still["different"]
    off = torch.tensor([0.3, 0.4])  # half a normalised unit: a quarter of the frame's side
    moved = {(r.method, r.metric, r.unit): r for r in peers_matching(bench)}
    assert moved["lead", "peers-different", "px of 70"].mean == pytest.approx(17.5, abs=0.2)
    points, who = bench.dataset.points("all"), bench.dataset.identity
    # Test pictures 6 to 11 are each the query as often as the other: all 24 ordered pairs of two identities are used.
    wide = {q: share * (96.0 if q % 2 else 48.0) for q in range(6, 12)}  # original pixels
    percent = [100 * wide[q] / 4 / np.linalg.norm(np.subtract(*points.xy[q])) for q in wide]
    assert len(set(who[6:12])) == 3
    assert moved["lead", "peers-different", "%"].mean == pytest.approx(np.mean(percent), rel=0.02)


def test_the_peers_pairs_are_seeded_and_of_two_identities(
    eyed: Callable[..., Bench], dots: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[list[str], int]] = []
    drawn = protocols._pairs

    def watched(identity: list[str], count: int, same: bool, seed: int) -> np.ndarray:
        chosen = drawn(identity, count, same, seed)
        asked.append((identity, len(chosen)))
        assert not same
        return chosen

    monkeypatch.setattr(protocols, "_pairs", watched)
    first, again = peers_matching(eyed(), pairs=5), peers_matching(eyed(), pairs=5)
    assert first == again
    assert {r.method for r in first} == {"copy-location"}
    assert asked[0] == (["3", "3", "4", "4", "5", "5"], 5)
    # Where nobody is known, every picture is taken for another individual.
    peers_matching(eyed(data=replace(dots, identity=("",) * 12)))
    assert asked[2] == ([f"{i}.png" for i in range(6, 12)], 30)
    with pytest.raises(LeadError, match="no two fully labelled pictures of 'test'"):
        peers_matching(eyed(data=replace(dots, identity=("one",) * 12)))


def test_systems_of_other_picture_sizes_are_refused(dots: Dataset, tiny: Callable[..., Settings]) -> None:
    settings, other = tiny(picture={"input": 32}), tiny(picture={"input": 64})
    system = System("dve", Extractor(Student(Backbone("test_resnet"), 16, 16), other.picture))
    with pytest.raises(LeadError, match=r"dve is shown Frame\(.*input=64\)"):
        Bench(dots, [system], settings)


def test_any_systems_are_measured_and_filed(dots: Dataset, tiny: Callable[..., Settings]) -> None:
    settings = tiny(picture={"store": 48, "input": 32})
    torch.manual_seed(0)
    systems = [
        System("moco", Extractor(Backbone("test_resnet"), settings.picture)),
        System("moco+projector", Extractor(Student(Backbone("test_resnet"), 8, 8), settings.picture)),
    ]
    bench = Bench(dots, systems, settings, provenance={"seeds": [0]})
    rows = [*regression(bench), *matching(bench), *peers_matching(bench)]
    assert {r.method for r in rows} == {
        *("mean-shape", "copy-location", "moco", "moco+projector"),
        *("moco/ridge", "moco+projector/ridge"),
    }
    result = bench.result("all", rows, 0.0, "tiny")
    assert result.settings == settings.model_dump(mode="json") | {"seeds": [0]}


# --- scale -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [1.0, 0.9])
def test_heads_are_fitted_and_judged_at_their_fields_of_view(
    eyed: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch, share: float
) -> None:
    bench = eyed("lead", "dve", share=share)
    points = bench.dataset.points("all")
    given: list[Labelled] = []

    def by_eye(kind: str, labelled: Labelled, seed: int) -> Callable[[Tensor], Tensor]:
        assert (kind, seed) == ("ridge", 3)
        given.append(labelled)
        return centres

    monkeypatch.setattr(zooming, "fitted", by_eye)
    rows = zoom(bench, train=(1.2, 1.5), base=0.6, test=(1.25, 1.5), seed=3)
    assert [(r.method, r.features, r.labels, r.metric, r.unit) for r in rows] == [
        (f"{method}/ridge", "3-d", "all", f"zoom-{factor}", "%")
        for method in ("lead", "dve")
        for factor in ("1.25", "1.50")
    ]
    assert all(r.mean < 1.5 for r in rows)
    assert rows[0].mean == rows[2].mean
    # What is fitted: the dots where they are seen, each picture at a field of view of its own in the range.
    whole = bench.frame.normalise(bench.store.to_store(range(6), points.xy[:6]))
    fields = np.nanmedian(whole / given[0].points.numpy(), axis=(1, 2)) / 0.6
    assert ((fields > 1.2) & (fields < 1.5)).all()
    assert fields.max() - fields.min() > 0.1
    torch.testing.assert_close(
        centres(given[0].feature_chunk(slice(None))), given[0].points.double(), atol=0.02, rtol=0
    )
    torch.testing.assert_close(given[0].points, given[1].points)
    assert given[0].features.dtype == np.float16


@pytest.mark.parametrize("share", [1.0, 0.75])
def test_what_is_out_of_view_is_not_judged(
    eyed: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch, share: float
) -> None:
    bench = eyed("lead", share=share)
    points = bench.dataset.points("all")
    middle = torch.zeros(6, 2, 2)
    monkeypatch.setattr(zooming, "fitted", lambda *_: lambda features: middle[: len(features)])
    said: list[str] = []
    rows = zoom(bench, base=0.35, test=(1.0, 2.0), say=said.append)
    for row, factor in zip(rows, (1.0, 2.0), strict=True):
        errors, out = [], 0
        for i in range(6, 12):
            width, height = (96, 72) if i % 2 else (48, 48)  # the longer side is the stored square's
            unit = np.linalg.norm(np.subtract(*points.xy[i]))
            for x, y in points.xy[i] + 0.5 - (width / 2, height / 2):
                if max(abs(x), abs(y)) > 0.35 * factor * bench.frame.shown / 96 * width / 2:
                    out += 1
                else:
                    errors.append(100 * np.hypot(x, y) / unit)
        assert row.mean == pytest.approx(np.mean(errors), rel=1e-5)
        assert f"{row.metric}: {100 * out / 12:.1f}% of the labelled landmarks lie outside and are left out" in said
        assert (out > 0) == (factor == 1.0)


def test_a_head_fitted_on_zoomed_pictures_knows_more_than_the_middle(
    eyed: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = zoom(eyed("lead"))
    assert [r.metric for r in rows] == ["zoom-1.00", "zoom-1.25", "zoom-1.50", "zoom-1.75", "zoom-2.00"]
    monkeypatch.setattr(zooming, "fitted", lambda *_: lambda features: torch.zeros(len(features), 2, 2))
    assert all(row.mean < middle.mean for row, middle in zip(rows, zoom(eyed("lead")), strict=True))


def test_landmarks_and_errors_go_through_a_datasets_boxes(dots: Dataset, tiny: Callable[..., Settings]) -> None:
    """Features see the box stretched to the square; errors are in the pictures' own pixels all the same."""
    settings = tiny(picture={"store": 96, "input": 96})
    system = System("any", Extractor(Student(Backbone("test_resnet"), 16, 16), settings.picture))
    boxes = np.tile([-8.0, 4.0, 80.0, 40.0], (len(dots.files), 1))
    bench = Bench(replace(dots, boxes=boxes), [system], settings)
    points, rows = dots.points("all"), [0, 3]
    known = bench.labelled(system, points, rows)
    expected = (points.xy[rows] + 0.5 - [-8, 4]) / [40, 20] - 1  # edges of the box at -1 and 1
    np.testing.assert_allclose(known.points.numpy(), expected, atol=1e-5)
    units = np.linalg.norm(points.xy[rows, 0] - points.xy[rows, 1], axis=-1)
    beside = bench.errors(
        points, rows, expected + np.array([0.1, 0.0]), ("red", "green")
    )  # 0.1 · 40 = 4 original pixels
    assert beside.mean == pytest.approx((100 * 4 / units).mean())
