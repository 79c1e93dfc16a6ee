"""Exported files: the same answers in ONNX Runtime, described, portable; and the example that runs without the rest."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import numpy.typing as npt
import onnx
import pytest
import torch
from PIL import Image
from torch import Tensor

from lead.config import check
from lead.errors import LeadError
from lead.export import onnxfile, squares
from lead.export.graph import Interpolation, Squares, framing
from lead.export.int8 import Quantised, to_int8
from lead.export.onnxfile import Exported, to_onnx
from lead.export.runtime import answers
from lead.features import Extractor, FeatureSource
from lead.frame import Frame
from lead.images.build import open_store
from lead.images.labels import save_labels
from lead.images.store import ImageStore
from lead.inference import Calibration, Landmarker
from lead.landmarks import Curve, Labels, Schema
from lead.nn import shape, steered
from lead.nn.backbone import Backbone
from lead.nn.confidence import Confidence
from lead.nn.heads import ALL_ROUND, BOTH_SIDES, PLAIN, SoftArgmaxHead
from lead.nn.student import Student
from lead.training.cascade import fit_cascade
from lead.training.fit import fit_ridge
from lead.training.labelled import Labelled

SIDE = 72
SETTINGS = check(
    {
        "picture": {"store": SIDE, "frame": 0.9, "input": 64},  # so that something is cut off and something shrinks
        "backbone": {"name": "test_resnet"},
        "distill": {"width": 16, "dimension": 16},
    },
    "test",
)
BEND = Curve("bend", ("dot", "right", "below"))
SCHEMA = Schema(("dot", "below", "right"), (("below", "right"),), (("dot", "below"),), (BEND,))
AROUND = np.array([[0, 0], [0, 9], [9, 0]])
# fmt: off
PORTABLE = {
    "Abs", "Add", "And", "AveragePool", "BatchNormalization", "Cast", "Clip", "Concat", "Conv", "Div", "Equal", "Exp",
    "Expand", "Flatten", "Gather", "Gemm", "GlobalAveragePool", "Greater", "GreaterOrEqual", "GridSample", "Identity",
    "InstanceNormalization", "Less", "Log", "MatMul", "Max", "MaxPool", "Min", "Mul", "Neg", "Not", "Or", "Pad",
    "Pow", "Reciprocal", "ReduceL2", "ReduceMax", "ReduceMean", "ReduceSum", "Relu", "Reshape", "Resize", "Shape",
    "Sigmoid", "Slice", "Softmax", "Split", "Sqrt", "Squeeze", "Sub", "Transpose", "Unsqueeze", "Where"
}
# fmt: on
"""Operators that ONNX Runtime, OpenVINO and TensorRT all list as supported."""


def dotted(x: float, y: float, width: int = SIDE, height: int = SIDE, radius: float = 2.5) -> Image.Image:
    """A bright dot on ground that grows lighter to the right."""
    row, column = np.mgrid[:height, :width]
    light = 30 + 40 * column / width + 180 * np.exp(-((column - x) ** 2 + (row - y) ** 2) / (2 * radius**2))
    return Image.fromarray(np.repeat(light.round()[..., None], 3, axis=-1).astype(np.uint8))


@pytest.fixture(autouse=True, scope="module")
def _few_rounds() -> Iterator[None]:
    """Two rounds of robust fitting in place of six, here and in the file: exporting each takes seconds."""
    with mock.patch.object(shape, "ROUNDS", 2):
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty pictures of dots."""
    root = tmp_path_factory.mktemp("dots")
    for name, (x, y) in places().items():
        dotted(x, y).save(root / name)
    return root


def places() -> dict[str, tuple[float, float]]:
    drawn = np.random.default_rng(0).uniform(14, SIDE - 24, (20, 2)).tolist()
    return {f"{i:02}.png": (x, y) for i, (x, y) in enumerate(drawn)}


def labels() -> Labels:
    return Labels.from_xy(SCHEMA, places(), np.array(list(places().values()))[:, None] + AROUND)


def student() -> Student:
    torch.manual_seed(0)
    return Student(Backbone("test_resnet"), 16, 16)


@pytest.fixture(scope="module")
def models(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Landmarker]:
    """One for each head, fitted to the dots with features that have learnt nothing."""
    store = open_store(folder, list(places()), SIDE, tmp_path_factory.mktemp("store"))
    extractor = Extractor(student(), SETTINGS.picture)
    points = torch.from_numpy(extractor.frame.normalise(labels().xy)).float()
    rows, found = np.arange(len(store)), dict[str, Landmarker]()
    for name, halves, lies in (
        ("two looks", [2.5], (PLAIN,)),
        ("one look", [], (PLAIN,)),
        ("looks all round", [2.5], ALL_ROUND),
        ("looks from both sides", [], BOTH_SIDES),
    ):
        with mock.patch("lead.training.cascade.ways_to_lie", return_value=[lies]):
            fitted = fit_cascade(FeatureSource(extractor, store), rows, points, halves=halves)
        fitted.confidence.hidden.copy_(torch.randn(9, 3, generator=torch.Generator().manual_seed(1)))
        found[name] = Landmarker(SCHEMA, SETTINGS, student(), fitted.head, fitted.confidence, {"labels": 20})
    features = extractor.features(torch.from_numpy(np.array(store.pixels))).half().cpu().numpy()
    ridge = fit_ridge(Labelled(features, points))
    found["ridge"] = Landmarker(SCHEMA, SETTINGS, student(), ridge.head, ridge.calibration, {})
    torch.manual_seed(1)
    found["softargmax"] = Landmarker(SCHEMA, SETTINGS, student(), SoftArgmaxHead(16, 3), None, {})
    return found


@pytest.fixture(scope="module")
def exported(models: dict[str, Landmarker], folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    return to_onnx(models["two looks"], tmp_path_factory.mktemp("onnx") / "dots.onnx", pictures=folder)


def unseen() -> npt.NDArray[np.uint8]:
    """Dots elsewhere, some at the edge and some beyond what the network is shown."""
    spots = [(20.3, 40.1), (35.0, 22.2), (50.5, 50.5), (1.0, 30.0), (70.0, 70.0)]
    return np.stack([np.asarray(dotted(x, y)) for x, y in spots])


def same(theirs: dict[str, Any], ours: Labels, atol: float) -> None:
    """Fails unless answers are those of the original: places where it tells one, scores, errors and visibility."""
    np.testing.assert_array_equal(theirs["visible"], ours.visible)
    known = ours.visible > 0
    np.testing.assert_allclose(theirs["xy"][known], ours.xy[known], atol=atol)
    for name in ("score", "px_error", "px_90"):
        told = getattr(ours, name)
        assert (told is None) == (name not in theirs)
        if told is not None:
            np.testing.assert_allclose(theirs[name][known], told[known], rtol=1e-4, atol=atol)


# --- the graph -------------------------------------------------------------------------------------------------------


HEADS = ["two looks", "one look", "looks all round", "looks from both sides", "ridge", "softargmax"]


@pytest.mark.parametrize("head", HEADS)
def test_the_graph_says_what_the_model_says(models: dict[str, Landmarker], head: str) -> None:
    model = models[head]
    module = Squares(model, SIDE).eval()
    with torch.no_grad():
        found = [out.double().numpy() for out in module(torch.from_numpy(unseen()))]
    ours = model.predict_store(squares.as_squares(unseen()))
    same(dict(zip(module.outputs, found, strict=True)), ours, atol=1e-3)
    if "look" in head:
        assert {0, 1, 2} >= set(ours.visible.flat) >= {1, 2}, "visibility is not put to the test"


@pytest.mark.parametrize("frame", [Frame(72, 64, 64), Frame(72, 72, 64), Frame(80, 60, 32), Frame(64, 40, 96)])
def test_framing_is_a_product_with_a_matrix(frame: Frame) -> None:
    random = np.random.default_rng(0)
    pixels = torch.from_numpy(random.integers(0, 256, (2, frame.side, frame.side, 3), dtype=np.uint8))
    matrix = framing(frame)
    ours: Tensor = matrix @ (pixels.permute(0, 3, 1, 2).float() / 255) @ matrix.T
    torch.testing.assert_close(ours, frame.show(pixels).contiguous(), atol=1e-5, rtol=0)


def test_ramps_are_the_interpolation_that_they_stand_for() -> None:
    for scores, errors in (
        ([0.1, 0.4, 0.45, 0.9], [0.5, 0.3, 0.2, 0.1]),
        ([0.3], [0.2]),
        ([0.0, 1.0], [0.4, 0.0]),
    ):
        calibration = Calibration(np.array(scores), np.array(errors))
        asked = np.linspace(-0.2, 1.2, 57)
        told = Interpolation(calibration)(torch.from_numpy(asked).float()).numpy()
        np.testing.assert_allclose(told, calibration.expected(asked), atol=1e-5)


# --- the file --------------------------------------------------------------------------------------------------------


def test_a_file_says_what_the_model_says(models: dict[str, Landmarker], exported: Exported) -> None:
    ours = models["two looks"].predict_store(squares.as_squares(unseen()))
    same(answers(exported.path, unseen()), ours, atol=0.02)
    same(answers(exported.path, unseen()[:1]), ours.take([0]), atol=0.02)  # any number of pictures
    parity = exported.parity
    assert (parity.pictures, parity.source) == (20, "own")
    assert 0 < parity.mean <= parity.max < onnxfile.TOLERANCE
    assert parity.predict_max == pytest.approx(parity.max)  # these pictures are no sharper than their squares


def test_a_file_runs_anywhere(exported: Exported) -> None:
    proto = onnx.load(exported.path)
    onnx.checker.check_model(proto, full_check=True)
    assert [(one.domain, one.version) for one in proto.opset_import] == [("", 18)]
    assert not proto.functions
    assert {node.op_type for node in proto.graph.node} <= PORTABLE
    assert {node.domain for node in proto.graph.node} == {""}
    assert [i.name for i in proto.graph.input] == ["pixels"]
    sizes = proto.graph.input[0].type.tensor_type.shape.dim
    assert [size.dim_param or size.dim_value for size in sizes] == ["batch", SIDE, SIDE, 3]
    for output in proto.graph.output:
        assert output.type.tensor_type.shape.dim[0].dim_param == "batch"
    assert str(Path(__file__).parents[2]).encode() not in exported.path.read_bytes()  # nothing of this machine


@pytest.mark.parametrize(("head", "telling"), [("looks all round", 1), ("looks from both sides", 8)])
def test_a_file_says_how_a_thing_lies_as_the_model_does(
    models: dict[str, Landmarker],
    head: str,
    telling: int,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The dots turned and mirrored: of several headings, the file takes the model's, by however many landmarks."""
    monkeypatch.setattr(steered, "TELLING", telling)
    file = to_onnx(models[head], tmp_path / "dots.onnx", pictures=folder)
    assert 0 < file.parity.mean <= file.parity.max <= onnxfile.TOLERANCE
    pixels = unseen()
    pixels = np.ascontiguousarray(np.concatenate([pixels, np.rot90(pixels, 1, (1, 2)), pixels[:, ::-1]]))
    same(answers(file.path, pixels), models[head].predict_store(squares.as_squares(pixels)), atol=0.02)
    others = {"ArgMax", "GatherElements", "TopK"}  # of which the same holds
    assert {node.op_type for node in onnx.load(file.path).graph.node} <= PORTABLE | others


def test_a_file_describes_itself(exported: Exported) -> None:
    proto = onnx.load(exported.path)
    told = json.loads({prop.key: prop.value for prop in proto.metadata_props}["lead"])
    assert told["landmarks"] == list(SCHEMA.names)
    assert told["flip_pairs"] == [["below", "right"]]
    assert told["skeleton"] == [["dot", "below"], ["dot", "right"], ["right", "below"]]
    assert told["curves"] == [{"name": "bend", "points": ["dot", "right", "below"], "closed": False}]
    assert list(told["outputs"]) == [output.name for output in proto.graph.output]
    assert told["input"]["side"] == told["letterbox"]["side"] == SIDE
    assert told["made_by"]["labels"] == 20
    assert told["parity"]["max"] == exported.parity.max


def test_a_file_that_answers_otherwise_is_not_written(
    models: dict[str, Landmarker], folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def elsewhere(_: Path, pixels: npt.NDArray[np.uint8], __: object) -> dict[str, Any]:
        found = {"visible": np.full((len(pixels), 3), 2), "px_error": np.zeros((len(pixels), 3))}
        return found | {"xy": models["softargmax"].predict_store(squares.as_squares(pixels)).xy + 1}

    monkeypatch.setattr(onnxfile, "answers", elsewhere)
    monkeypatch.setattr(onnxfile, "_converted", lambda _: onnx.ModelProto())
    monkeypatch.setattr(onnxfile, "_write", lambda *args: args[3].write_bytes(b""))
    with pytest.raises(LeadError, match=r"dots\.onnx was not written: on 20 pictures .* 0\.05 px are allowed"):
        to_onnx(models["two looks"], tmp_path / "dots.onnx", pictures=folder)
    assert not list(tmp_path.iterdir())


def test_what_is_there_stays(models: dict[str, Landmarker], folder: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.onnx").write_text("mine")
    with pytest.raises(LeadError, match=r"mine\.onnx is already there"):
        to_onnx(models["ridge"], tmp_path / "mine.onnx", pictures=folder)
    with pytest.raises(LeadError, match=r"mine\.onnx is already there"):
        to_int8(tmp_path / "x.onnx", tmp_path / "mine.onnx", folder)
    assert (tmp_path / "mine.onnx").read_text() == "mine"


def test_without_the_extra_it_says_which(models: dict[str, Landmarker], tmp_path: Path) -> None:
    with (
        mock.patch.dict(sys.modules, {"onnxruntime": None}),
        pytest.raises(LeadError, match=r"needs onnxruntime\. Run: pip install 'lead-landmarks\[onnx\]'"),
    ):
        to_onnx(models["ridge"], tmp_path / "x.onnx")


def test_drawn_pictures_are_always_the_same() -> None:
    first, again = squares.drawn(32, 10), squares.drawn(32, 10)
    assert first.pixels.shape == (10, 32, 32, 3)
    np.testing.assert_array_equal(first.pixels, again.pixels)
    assert isinstance(first, ImageStore)
    assert first.root is None


# --- eight bits ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def quantised(exported: Exported, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Quantised:
    out = tmp_path_factory.mktemp("int8")
    save_labels(labels(), out / "labels.csv")
    return to_int8(exported.path, out / "dots.int8.onnx", folder, labels=out / "labels.csv")


def test_only_the_network_is_in_eight_bits(quantised: Quantised, exported: Exported) -> None:
    proto = onnx.load(quantised.path)
    onnx.checker.check_model(proto, full_check=True)
    made_by = {out: node for node in proto.graph.node for out in node.output}
    convolutions = [node for node in proto.graph.node if node.op_type == "Conv"]
    eight = [n for n in convolutions if n.input[1] in made_by and made_by[n.input[1]].op_type == "DequantizeLinear"]
    before = [node for node in onnx.load(exported.path).graph.node if node.op_type == "Conv"]
    assert len(eight) == sum(node.input[1].startswith("network.") for node in before) > 20
    assert len(convolutions) - len(eight) == 4  # each look's neighbourhood and ring
    activations = [node for node in proto.graph.node if node.op_type == "Relu"]
    rounded = [node for node in activations if made_by[node.input[0]].op_type == "DequantizeLinear"]
    assert not rounded  # eight bits are not spent on what an activation cuts off
    assert {node.domain for node in proto.graph.node} == {""}
    assert quantised.size == quantised.path.stat().st_size < quantised.float_size


def test_what_eight_bits_cost_is_told(quantised: Quantised, exported: Exported, folder: Path) -> None:
    told = json.loads(quantised.path.with_suffix(".json").read_text())
    assert told["mean"] == quantised.mean
    assert (told["calibrated"], told["pictures"]) == (10, 10)
    pixels = np.stack([np.asarray(Image.open(folder / name)) for name in places()])
    for file, error in ((quantised.path, quantised.error), (exported.path, quantised.float_error)):
        off = np.linalg.norm(answers(file, pixels)["xy"] - labels().xy, axis=-1)
        assert error == pytest.approx(off.mean())
    assert 0 < quantised.mean <= quantised.max < SIDE
    assert json.loads(metadata(quantised.path)) == json.loads(metadata(exported.path))


def metadata(file: Path) -> str:
    found: dict[str, str] = {prop.key: prop.value for prop in onnx.load(file).metadata_props}
    return found["lead"]


# --- the example -----------------------------------------------------------------------------------------------------

EXAMPLE = Path(__file__).parents[2] / "examples" / "onnx_predict.py"
ALONE = """
import runpy, sys
sys.modules["torch"] = sys.modules["lead"] = None  # importing them fails
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.mark.parametrize(("width", "height"), [(72, 72), (72, 50), (41, 60)])
def test_the_example_needs_no_more_than_it_says(
    models: dict[str, Landmarker], exported: Exported, tmp_path: Path, width: int, height: int
) -> None:
    dotted(22, 27, width, height).save(tmp_path / "a.png")
    command = [sys.executable, "-c", ALONE, str(EXAMPLE), str(exported.path), str(tmp_path / "a.png")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    expected = models["two looks"].predict(tmp_path / "a.png")
    assert list(found) == list(SCHEMA.names)
    assert expected.px_error is not None
    assert expected.px_90 is not None
    for k, point in enumerate(found.values()):
        assert point["visible"] == expected.visible[0, k]
        if point["visible"]:
            np.testing.assert_allclose([point["x"], point["y"]], expected.xy[0, k], atol=0.05)
            assert point["px_error"] == pytest.approx(expected.px_error[0, k], abs=0.05)
            assert point["px_90"] == pytest.approx(expected.px_90[0, k], abs=0.05)


def test_confidence_is_told_by_cascades_only(models: dict[str, Landmarker]) -> None:
    told = {name: Squares(model, SIDE).outputs[3:] for name, model in models.items()}
    assert isinstance(models["two looks"].calibration, Confidence)
    assert told["two looks"] == told["one look"] == ("px_error", "px_90")
    assert told["ridge"] == ("px_error",)
    assert told["softargmax"] == ()
