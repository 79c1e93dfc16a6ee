"""An exported file with its network in 8-bit integers, and what that costs and gains."""

from __future__ import annotations

import json
import logging
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from lead.errors import LeadError
from lead.export import squares
from lead.export.runtime import Pixels, answers, batch_of, need_extra, session
from lead.files import cannot_write, default_cache, refuse_existing, replacing, write_atomic
from lead.images.build import open_store
from lead.images.labels import load_labels
from lead.images.showing import Showing
from lead.images.store import ImageStore
from lead.landmarks import Labels
from lead.reporting import Counting, counted

if TYPE_CHECKING:
    from onnx import ModelProto, TensorProto

CALIBRATION, MEASURED = 100, 200
"""Pictures that ranges are taken from, and others that the loss is measured on."""
ACTIVATIONS = ("Clip", "Relu")
"""Those that a convolution of 8-bit integers has at no cost, since its results are cut off at a range anyway."""
ROUNDS = 21
"""Of timing, in turns; the median counts."""


@dataclass(frozen=True)
class Quantised:
    """What 8-bit integers cost and gain. Distances are in pixels of the square.

    Attributes:
        path: of the file.
        calibrated: pictures that ranges were taken from.
        pictures: pictures that were measured; not those, where the folder holds enough.
        mean, max: distances of landmarks from the float file's.
        error, float_error: mean distances of this file's and the float file's landmarks from labels; None without any.
        size, float_size: of the files, in bytes.
        speed: how many times as fast it is here, one picture at a time; and ``speed_batch`` for as many as
            :func:`lead.export.runtime.batch_of` says.
    """

    path: Path
    calibrated: int
    pictures: int
    mean: float
    max: float
    error: float | None
    float_error: float | None
    size: int
    float_size: int
    speed: float
    speed_batch: float


def to_int8(
    file: Path | str,
    out: Path | str,
    pictures: Path | str,
    *,
    labels: Path | str | None = None,
    overwrite: bool = False,
    counting: Counting = lambda _: lambda *_: None,
) -> Quantised:
    """Writes a float file's network in 8-bit integers (QDQ, per channel); heads and geometry stay in float.

    Beside it, with the ending .json, stands what it costs and gains.

    Args:
        file: what :func:`lead.export.onnxfile.to_onnx` wrote.
        out: the file to write.
        pictures: folder of pictures that ranges are taken from, others of which measure the loss.
        labels: landmarks of pictures in that folder, by which both files are judged.
        overwrite: whether files that are there may be replaced.
        counting: makes a callback of (done, total) for each task.

    Raises:
        LeadError: a file is there, or the extra ``onnx`` is not installed.
    """
    need_extra()
    file, out, pictures = Path(file), Path(out), Path(pictures)
    if not overwrite:
        refuse_existing(out)
        refuse_existing(out.with_suffix(".json"))
    side = side_of(file)
    showing = showing_of(file)
    most = squares.affordable(side, CALIBRATION + MEASURED)
    store = squares.of_folder(pictures, side, most, showing, progress=counting("decoding"))
    order = np.random.default_rng(0).permutation(len(store))
    kept = min(CALIBRATION, max(len(store) // 2, 1))
    calibrated, measured = store.pixels[order[:kept]], store.pixels[order[kept:] if len(order) > kept else order]
    labelled = None if labels is None else _labelled(Path(labels), pictures, side, store.showing)
    try:
        with replacing(out) as partial:
            quantising = counting("quantising")
            quantising(0, 1)
            _quantise(file, partial, calibrated)
            quantising(1, 1)
            found = _measured(file, partial, measured, labelled, counting)
    except OSError as error:
        raise cannot_write(out, error) from error
    done = Quantised(out, calibrated=kept, pictures=len(measured), **found)
    write_atomic(out.with_suffix(".json"), json.dumps(asdict(done) | {"path": out.name}, indent=1), overwrite=True)
    return done


def side_of(file: Path) -> int:
    """T of the squares that a file takes."""
    side: int = session(file).get_inputs()[0].shape[1]
    return side


def showing_of(file: Path) -> Showing:
    """How values of the pictures that the model learnt from were shown."""
    known = json.loads(session(file).get_modelmeta().custom_metadata_map["lead"])["input"].get("showing", {})
    contrast = known.get("contrast")
    return Showing(contrast and (contrast[0], contrast[1]), known.get("page", 1), known.get("channel"))


class _Reader:
    """Hands squares to the calibration, one at a time."""

    def __init__(self, pixels: Pixels) -> None:
        self._batches: Iterator[Pixels] = (pixels[i : i + 1] for i in range(len(pixels)))

    def get_next(self) -> dict[str, Pixels] | None:
        batch = next(self._batches, None)
        return None if batch is None else {"pixels": np.ascontiguousarray(batch)}


def _quantise(file: Path, out: Path, pixels: Pixels) -> None:
    import onnx
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    proto = onnx.load(file)
    convolutions = [node for node in proto.graph.node if node.op_type == "Conv"]
    network = [node.name for node in convolutions if node.input[1].startswith(("network.", "first."))]
    with tempfile.TemporaryDirectory() as folder:
        folded = Path(folder) / "folded.onnx"
        quant_pre_process(str(file), str(folded), skip_symbolic_shape=True)
        graph = _shared(onnx.load(folded))
        onnx.save(graph, folded)
        logging.disable(logging.WARNING)  # advice on how to prepare the file, which is prepared
        try:
            quantize_static(
                str(folded),
                str(out),
                _Reader(pixels),
                quant_format=QuantFormat.QDQ,
                per_channel=True,
                reduce_range=True,  # else sums of products overflow on processors without VNNI
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                op_types_to_quantize=["Conv", *ACTIVATIONS],
                nodes_to_quantize=[*network, *_activations(graph, network)],
            )
        finally:
            logging.disable(logging.NOTSET)
    quantised = onnx.load(out)
    del quantised.metadata_props[:]
    quantised.metadata_props.extend(proto.metadata_props)
    quantised.producer_name, quantised.producer_version = proto.producer_name, proto.producer_version
    onnx.checker.check_model(quantised, full_check=True)
    out.write_bytes(quantised.SerializeToString())


def _activations(proto: ModelProto, network: list[str]) -> list[str]:
    """Activations that follow on convolutions: eight bits hold what they let through, not what they cut off."""
    made = {output: node.name for node in proto.graph.node for output in node.output}
    known = set(network)
    return [n.name for n in proto.graph.node if n.op_type in ACTIVATIONS and made.get(n.input[0]) in known]


def _shared(proto: ModelProto) -> ModelProto:
    """The same graph with one tensor for all that are equal: folding leaves each look weights of its own."""
    first: dict[bytes, str] = {}
    kept, names = [], {}
    for tensor in proto.graph.initializer:
        content = _content(tensor)
        if content not in first:
            first[content] = tensor.name
            kept.append(tensor)
        names[tensor.name] = first[content]
    for node in proto.graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
    del proto.graph.initializer[:]
    proto.graph.initializer.extend(kept)
    return proto


def _content(tensor: TensorProto) -> bytes:
    """What a tensor holds, with its type and shape."""
    from onnx import numpy_helper

    array = numpy_helper.to_array(tensor)
    return repr((array.dtype, array.shape)).encode() + array.tobytes()


@dataclass(frozen=True)
class _Truth:
    """Labelled squares: pixels (N, S, S, 3), and landmarks (N, K, 2) in their pixels, NaN where unlabelled."""

    pixels: Pixels
    xy: npt.NDArray[np.float64]
    names: tuple[str, ...]


def _labelled(labels: Path, pictures: Path, side: int, showing: Showing) -> _Truth:
    known: Labels = load_labels(labels, pictures=pictures).only_by_hand()
    here = [i for i, image in enumerate(known.images) if (pictures / image).is_file()]
    if not here:
        raise LeadError(
            f"None of the {counted(len(known), 'labelled picture', 'labelled pictures')} of {labels} is in {pictures}."
        )
    known = known.take(here)
    store: ImageStore = open_store(pictures, known.images, side, default_cache(), showing=showing)
    rows = {image: row for row, image in enumerate(known.images)}
    known = known.take(rows[file] for file in store.files)
    return _Truth(store.pixels, store.to_store(np.arange(len(store)), known.xy), known.schema.names)


def _measured(file: Path, out: Path, pixels: Pixels, truth: _Truth | None, counting: Counting) -> dict[str, Any]:
    before, after = answers(file, pixels, counting("float")), answers(out, pixels, counting("int8"))
    moved = np.linalg.norm(after["xy"] - before["xy"], axis=-1)
    alone, many = (_times_as_fast(file, out, pixels[:count]) for count in (1, batch_of(pixels.shape[1])))
    return {
        "mean": float(moved.mean()),
        "max": float(moved.max()),
        "error": None if truth is None else _error(out, truth),
        "float_error": None if truth is None else _error(file, truth),
        "size": out.stat().st_size,
        "float_size": file.stat().st_size,
        "speed": alone,
        "speed_batch": many,
    }


def _error(file: Path, truth: _Truth) -> float:
    """Mean distance of the landmarks that have labels."""
    names = json.loads(session(file).get_modelmeta().custom_metadata_map["lead"])["landmarks"]
    if missing := set(truth.names) - set(names):
        raise LeadError(f"The labels hold landmarks that the model does not know: {', '.join(sorted(missing))}.")
    found = answers(file, truth.pixels)["xy"][:, [names.index(name) for name in truth.names]]
    return float(np.nanmean(np.linalg.norm(found - truth.xy, axis=-1)))


def _times_as_fast(one: Path, other: Path, pixels: Pixels) -> float:
    """Time of the one over that of the other, side by side: what the machine does meanwhile slows both."""
    running = [session(one), session(other)]
    spent: list[list[float]] = [[], []]
    for turn in range(ROUNDS + 1):
        for which, model in enumerate(running):
            start = time.perf_counter()
            model.run(None, {"pixels": np.ascontiguousarray(pixels)})
            if turn:  # the first warms up
                spent[which].append(time.perf_counter() - start)
    return float(np.median(np.array(spent[0]) / np.array(spent[1])))
