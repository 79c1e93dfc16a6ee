"""Files that take large squares: parts of these, cut as the originals' are, and local looks as the model has them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import numpy as np
import numpy.typing as npt
import onnx
import pytest
import torch
from PIL import Image
from spots import draw_spots
from torch import nn

from lead.config import check
from lead.errors import LeadError
from lead.export import onnxfile, squares
from lead.export.graph import Squares
from lead.export.int8 import Quantised, to_int8
from lead.export.large import LARGEST, Large, rounding, side_for
from lead.export.onnxfile import Exported, to_onnx
from lead.export.runtime import answers
from lead.features import Extractor, FeatureSource
from lead.images.build import open_store
from lead.images.crops import cut
from lead.images.labels import save_labels
from lead.images.store import store_of
from lead.inference import Landmarker
from lead.landmarks import Labels, Schema
from lead.nn import shape
from lead.nn.backbone import Backbone
from lead.nn.cascade import Cascade
from lead.nn.first import First
from lead.nn.heads import PLAIN
from lead.nn.student import Student
from lead.training.cascade import fit_cascade

Array = npt.NDArray[np.float64]
Pixels = npt.NDArray[np.uint8]
STORED, TIMES, SIDE = 64, 4, 384
"""The store's side; the pictures' 192 pixels, so many times; and that of the squares that the file takes."""
COUNT = 28
NAMES = [f"{i:02}.bmp" for i in range(COUNT)]
LABELLED, TEST = np.arange(20), np.arange(20, COUNT)
SETTINGS = check(
    {
        "picture": {"store": STORED, "frame": 0.9, "input": 64},
        "backbone": {"name": "test_resnet"},
        "distill": {"width": 16, "dimension": 16},
    },
    "test",
)
SCHEMA = Schema(("red", "green", "blue", "yellow"))
RARE = 3
"""A landmark with too few labels to be looked at closely."""
EXAMPLE = Path(__file__).parents[2] / "examples" / "onnx_predict.py"


def student() -> Student:
    """With features that have learnt nothing."""
    torch.manual_seed(0)
    return Student(Backbone("test_resnet"), 16, 16)


@pytest.fixture(autouse=True, scope="module")
def _few_rounds() -> Iterator[None]:
    """Two rounds of robust fitting in place of six, here and in the file: exporting takes long enough."""
    with mock.patch.object(shape, "ROUNDS", 2):
        yield


@pytest.fixture(scope="module")
def spots(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Array]:
    """Pictures of 768 × 768 pixels, and where the spots in them are."""
    root = tmp_path_factory.mktemp("spots")
    return root, draw_spots(root, COUNT, times=TIMES, width=0.05)


@pytest.fixture(scope="module")
def model(spots: tuple[Path, Array], tmp_path_factory: pytest.TempPathFactory) -> Landmarker:
    """One with local looks of all landmarks but one."""
    root, xy = spots
    store = open_store(root, NAMES, STORED, tmp_path_factory.mktemp("store"))
    source = FeatureSource(Extractor(student(), SETTINGS.picture), store)
    labelled = xy[LABELLED].copy()
    labelled[3:, RARE] = np.nan
    points = torch.from_numpy(source.points(LABELLED, labelled)).float()
    with mock.patch("lead.training.cascade.ways_to_lie", return_value=[(PLAIN,)]):
        fitted = fit_cascade(source, LABELLED, points)
    assert len(fitted.head.looks) > 1
    assert all(RARE not in look.which for look in fitted.head.looks)
    return Landmarker(SCHEMA, SETTINGS, student(), fitted.head, fitted.confidence, {"labels": 20})


def copied(model: Landmarker, looks: int) -> Landmarker:
    """The same model with so many local looks."""
    assert isinstance(model.head, Cascade)
    counts = [len(look.which) for look in model.head.looks[:looks]]
    head = Cascade(16, 4, fine=True, local=counts, first=model.head.first)
    known = head.load_state_dict(model.head.state_dict(), strict=False)
    assert not known.missing_keys
    return Landmarker(SCHEMA, SETTINGS, student(), head, model.calibration, model.origin)


@pytest.fixture(scope="module")
def one_look(model: Landmarker) -> Landmarker:
    return copied(model, 1)


@pytest.fixture(scope="module")
def exported(one_look: Landmarker, spots: tuple[Path, Array], tmp_path_factory: pytest.TempPathFactory) -> Exported:
    return to_onnx(one_look, tmp_path_factory.mktemp("onnx") / "spots.onnx", pictures=spots[0], side=SIDE)


def shown(root: Path, side: int, rows: npt.NDArray[np.int64] = TEST) -> Pixels:
    """Pictures as squares of a side."""
    pictures = [Image.open(root / NAMES[row]).resize((side, side), Image.Resampling.BILINEAR) for row in rows]
    return np.stack([np.asarray(picture) for picture in pictures])


def told(model: Landmarker, pixels: Pixels) -> dict[str, Array]:
    """What the graph says of squares."""
    module = Squares(model, pixels.shape[1]).eval()
    with torch.no_grad():
        found = [out.double().numpy() for out in module(torch.from_numpy(pixels))]
    return dict(zip(module.outputs, found, strict=True))


def away(xy: Array, truth: Array) -> Array:
    """(n, 3) distances of the landmarks that are looked at closely."""
    distance: Array = np.linalg.norm(xy - truth, axis=-1)
    return distance[:, [k for k in range(4) if k != RARE]]


# --- parts of large squares -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("stored", "times"), [(64, 2), (64, 3), (40, 5), (64, 7), (50, 9), (64, 12)])
def test_parts_are_those_of_the_originals(stored: int, times: int) -> None:
    """Turned, mirrored, over the edge, sharper than the picture or so coarse that the store is looked at."""
    side, count, each = stored * times, 2, 24
    draws = np.random.default_rng(times)
    pixels = draws.integers(0, 256, (count, side, side, 3), dtype=np.uint8)
    store = store_of([Image.fromarray(square) for square in pixels], ["a", "b"], stored)
    half = np.exp(draws.uniform(np.log(0.02), np.log(1.2), count * each))
    angle, mirrored = draws.uniform(0, 2 * np.pi, count * each), draws.choice([-1, 1], count * each)
    c, s, (x, y) = half * np.cos(angle), half * np.sin(angle), draws.uniform(-1.2, 1.2, (2, count * each))
    affine = torch.from_numpy(np.stack([c, -s * mirrored, x, s, c * mirrored, y], -1)).view(-1, 2, 3).float()
    large = Large(side, stored)
    opened = large.open(torch.from_numpy(pixels))
    for size in (32, 64):
        ours = large.cut(opened, affine, size)
        theirs = cut(store, np.repeat(np.arange(count), each), affine, size)
        off = 255 * (ours - theirs).abs()
        assert float(off.max()) < 1.05  # where rounding falls the other way
        assert float((off < 0.05).float().mean()) > 0.98
    shrunk = np.abs((255 * opened.stored).permute(0, 2, 3, 1).numpy() - store.pixels)
    assert shrunk.max() < 1.05
    assert (shrunk < 0.05).mean() > 0.99


@pytest.mark.parametrize("factor", range(2, 14))
def test_means_are_rounded_as_pillow_rounds_them(factor: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (factor * 80, factor * 80), dtype=np.uint8)
    means = pixels.reshape(80, factor, 80, factor).mean((1, 3))
    theirs = np.asarray(Image.fromarray(pixels).reduce(factor))
    np.testing.assert_array_equal(np.floor(means + rounding(factor)), theirs)


# --- the graph --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", [128, 320, 768])
def test_the_graph_looks_closely_as_the_model_does(
    model: Landmarker, spots: tuple[Path, Array], side: int, tmp_path: Path
) -> None:
    """On squares that the model reads from files of their own."""
    pixels = shown(spots[0], side)
    for number, square in enumerate(pixels):
        Image.fromarray(square).save(tmp_path / f"{number}.png")
    ours, theirs = model.predict(tmp_path), told(model, pixels)
    assert ours.px_error is not None
    assert ours.px_90 is not None
    assert ours.score is not None
    np.testing.assert_array_equal(theirs["visible"], ours.visible)
    allowed = 0.05 * max(side / 256, 1)
    np.testing.assert_allclose(theirs["xy"], ours.xy, atol=allowed)
    np.testing.assert_allclose(theirs["px_error"], ours.px_error, atol=allowed)
    np.testing.assert_allclose(theirs["px_90"], ours.px_90, atol=allowed)
    np.testing.assert_allclose(theirs["score"], ours.score, atol=1e-3)


def test_local_looks_are_worth_their_pixels(model: Landmarker, spots: tuple[Path, Array]) -> None:
    root, xy = spots
    errors = {}
    for side in (STORED, SIDE, 768):
        found = told(model, shown(root, side))["xy"]
        errors[side] = float(np.median(away((found + 0.5) * 768 / side - 0.5, xy[TEST])))
    assert errors[768] < errors[SIDE] < 0.5 * errors[STORED]


def test_a_fine_look_alone_is_cut_from_a_large_square_too(model: Landmarker, spots: tuple[Path, Array]) -> None:
    plain = copied(model, 0)
    pixels = shown(spots[0], 256)
    ours = plain.predict_store(squares.as_squares(pixels, STORED))
    np.testing.assert_allclose(told(plain, pixels)["xy"], ours.xy, atol=0.01)
    assert Squares(plain, 256).local is None


# --- sides ------------------------------------------------------------------------------------------------------------


def test_squares_show_what_the_finest_look_needs(model: Landmarker) -> None:
    """The labelled pictures are 768 wide, and the finest look goes down to their pixels; a wider one needs fewer."""
    assert side_for(model) == pytest.approx(768, abs=STORED)
    assert side_for(model) % STORED == 0
    assert STORED < side_for(copied(model, 1)) < 500
    assert side_for(copied(model, 0)) == STORED
    finer = copied(model, 2)
    assert isinstance(finer.head, Cascade)
    finer.head.looks[1].reach.div_(100)
    assert side_for(finer) == LARGEST
    for asked in (STORED, 3 * STORED, 4096):
        assert side_for(model, asked) == asked


@pytest.mark.parametrize("asked", [0, -64, 65, 1000, 4160])
def test_a_side_that_does_not_fit_is_refused(model: Landmarker, asked: int) -> None:
    said = rf"--side {asked} .* multiple of 64 pixels: 64, 128, 192, …, 4096\. .* takes {side_for(model)}\."
    with pytest.raises(LeadError, match=said):
        side_for(model, asked)


def test_where_nothing_is_looked_at_twice_there_is_one_side(model: Landmarker, tmp_path: Path) -> None:
    whole = copied(model, 0)
    assert isinstance(whole.head, Cascade)
    whole.head.fine = None
    assert side_for(whole, STORED) == STORED
    with pytest.raises(LeadError, match=r"--side 128 does not fit: .* squares of 64 × 64 pixels\. Leave --side out"):
        to_onnx(whole, tmp_path / "a.onnx", side=128)
    assert not list(tmp_path.iterdir())


# --- the file ---------------------------------------------------------------------------------------------------------


def test_a_file_looks_closely(one_look: Landmarker, exported: Exported, spots: tuple[Path, Array]) -> None:
    pixels = shown(spots[0], SIDE)
    ours = one_look.predict_store(squares.as_squares(pixels, STORED))
    for rows in (slice(None), slice(2, 3)):  # any number of pictures
        np.testing.assert_allclose(answers(exported.path, pixels[rows])["xy"], ours.xy[rows], atol=0.05)
    assert (exported.side, exported.local) == (SIDE, True)
    parity = exported.parity
    assert parity.pictures == COUNT
    assert 0 < parity.mean <= parity.max < onnxfile.TOLERANCE
    assert parity.predict_mean is not None  # of files that show twice as much as the squares
    assert 0.01 < parity.predict_mean < 5


def test_a_file_with_local_looks_runs_anywhere_and_says_what_it_takes(exported: Exported) -> None:
    proto = onnx.load(exported.path)
    sizes = proto.graph.input[0].type.tensor_type.shape.dim
    assert [size.dim_param or size.dim_value for size in sizes] == ["batch", SIDE, SIDE, 3]
    assert {node.domain for node in proto.graph.node} == {""}
    random_access = {"NonZero", "Loop", "If", "Scan", "Unique", "Compress"}
    assert not random_access & {node.op_type for node in proto.graph.node}, "sizes that hang on what is shown"
    described = json.loads({prop.key: prop.value for prop in proto.metadata_props}["lead"])
    assert described["input"]["side"] == described["letterbox"]["side"] == SIDE
    assert described["input"]["whole"] == STORED
    assert described["input"]["local_looks"] is True


@pytest.mark.parametrize("box", [(0, 96, 768, 672), (110, 0, 660, 768)], ids=["wide", "tall"])
def test_the_example_looks_closely_at_pictures_of_any_shape(
    model: Landmarker, exported: Exported, spots: tuple[Path, Array], tmp_path: Path, box: tuple[int, int, int, int]
) -> None:
    """Larger than the squares, and put on these as the page says; judged by where things were drawn."""
    root, xy = spots
    off: dict[str, list[Array]] = {"closely": [], "before": []}
    for row in TEST[:4].tolist():
        with Image.open(root / NAMES[row]) as picture:
            picture.crop(box).save(tmp_path / "a.png")
        command = [sys.executable, str(EXAMPLE), str(exported.path), str(tmp_path / "a.png")]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        found = [[point["x"], point["y"]] for point in json.loads(done.stdout).values()]
        before = copied(model, 0).predict(tmp_path / "a.png").xy
        for arm, said in (("closely", np.array([found])), ("before", before)):
            off[arm].append(away(said, xy[[row]] - box[:2]))
    assert np.median(off["closely"]) < 0.6 * np.median(off["before"])


# --- eight bits -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def quantised(exported: Exported, spots: tuple[Path, Array], tmp_path_factory: pytest.TempPathFactory) -> Quantised:
    root, xy = spots
    out = tmp_path_factory.mktemp("int8")
    save_labels(Labels.from_xy(SCHEMA, NAMES, xy), out / "labels.csv")
    return to_int8(exported.path, out / "spots.int8.onnx", root, labels=out / "labels.csv")


def test_local_looks_hold_in_eight_bits(model: Landmarker, quantised: Quantised, spots: tuple[Path, Array]) -> None:
    root, xy = spots
    assert quantised.error is not None
    assert quantised.float_error is not None
    assert quantised.size < quantised.float_size
    truth = (xy[TEST] + 0.5) * SIDE / 768 - 0.5
    closely = away(answers(quantised.path, shown(root, SIDE))["xy"], truth)
    before = away(told(copied(model, 0), shown(root, SIDE))["xy"], truth)
    assert np.median(closely) < 0.7 * np.median(before)


def test_convolutions_of_local_looks_are_in_eight_bits(quantised: Quantised) -> None:
    proto = onnx.load(quantised.path)
    made_by = {out: node for node in proto.graph.node for out in node.output}
    convolutions = [node for node in proto.graph.node if node.op_type == "Conv"]
    eight = [n for n in convolutions if n.input[1] in made_by and made_by[n.input[1]].op_type == "DequantizeLinear"]
    per_look = sum(isinstance(part, nn.Conv2d) for part in student().modules())
    first = sum(isinstance(part, nn.Conv2d) for part in First(student().backbone).modules())
    assert len(eight) == 2 * per_look + first
