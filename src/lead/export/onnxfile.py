"""A landmarker as an ONNX file that says how it is to be used, written only if it answers as the original does."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from lead.config import settings_hash
from lead.errors import LeadError
from lead.export import squares
from lead.export.graph import Squares
from lead.export.large import side_for
from lead.export.runtime import answers, need_extra
from lead.files import cannot_write, refuse_existing, replacing
from lead.images.store import ImageStore
from lead.inference import Landmarker
from lead.provenance import versions
from lead.reporting import Counting, counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from onnx import ModelProto

OPSET = 18
"""ONNX Runtime, OpenVINO and TensorRT all take it."""
PICTURES = 200
TOLERANCE = 0.05
"""Pixels of a stored square that a landmark may be off the original's; as many more of a larger one as it has more."""
FORMAT = 1
"""Of the description in the file."""

MEANINGS = {
    "xy": "(batch, landmarks, 2) float32: x, y in pixels of the square",
    "score": "(batch, landmarks) float32 in [0, 1]: about 1 at a place just like the labelled ones",
    "visible": "(batch, landmarks) int32: 0 beyond the square's edge, 1 more likely hidden, 2 visible",
    "px_error": "(batch, landmarks) float32: mean error to expect, in pixels of the square",
    "px_90": "(batch, landmarks) float32: what holds the true place in nine of ten cases, in pixels of the square",
}


@dataclass(frozen=True)
class Parity:
    """How far a file's answers are from the original's, in pixels of the square.

    Attributes:
        pictures: how many were compared.
        source: which.
        mean, max: distances of landmarks.
        px_error: greatest difference of the expected errors; None where there are none.
        visible: how many landmarks were reported with another visibility.
        predict_mean, predict_max: distances from what ``lead predict`` says of the pictures, all but the first of whose
            looks are cut from the original file where that is sharper; None for drawn pictures.
    """

    pictures: int
    source: str
    mean: float
    max: float
    px_error: float | None
    visible: int
    predict_mean: float | None = None
    predict_max: float | None = None


@dataclass(frozen=True)
class Exported:
    """A file that was written.

    Attributes:
        path: of it.
        parity: with the original.
        side: of the squares that it takes, in pixels.
        local: whether local looks are in it; None for a model without any.
    """

    path: Path
    parity: Parity
    side: int
    local: bool | None


def to_onnx(
    model: Landmarker,
    out: Path | str,
    *,
    pictures: Path | str | None = None,
    side: int | None = None,
    overwrite: bool = False,
    counting: Counting = lambda _: lambda *_: None,
) -> Exported:
    """Writes a model as one ONNX file, if it answers as the original does.

    Args:
        model: the original.
        out: the file.
        pictures: a folder, of which 200 pictures are compared, fewer where squares are large; drawn ones by default.
        side: of the squares that the file takes; see :func:`lead.export.large.side_for`.
        overwrite: whether a file that is there may be replaced.
        counting: makes a callback of (done, total) for each task.

    Raises:
        LeadError: the model finds several specimens, or landmarks apart from others; the file is there, the side does
            not fit, the extra ``onnx`` is not installed, or a landmark is more than ``TOLERANCE`` off; then nothing is
            written.
    """
    need_extra()
    if model.loose:
        names = ", ".join(name for part in model.loose for name in part.schema.names)
        raise LeadError(
            f"The model finds {names} apart from the other landmarks, which ONNX files cannot hold yet. Fit all as one "
            "shape (lead fit --together), or predict with the model as it is."
        )
    if model.finder is not None:
        raise LeadError(
            "A model that finds several specimens in a picture cannot be written as ONNX, which holds what is done to "
            "one. Use it with lead predict; or fit one to pictures of one specimen each: lead fit … --one."
        )
    out = Path(out)
    if not overwrite:
        refuse_existing(out)
    side = side_for(model, side)
    most = squares.affordable(side, PICTURES)
    if pictures is None:
        store, source = squares.drawn(side, most), "drawn beetles"
    else:
        decoding = counting("decoding")
        store, source = squares.of_folder(Path(pictures), side, most, model.showing, progress=decoding), "own"
    module = Squares(model, side).eval()
    exporting = counting("exporting")
    exporting(0, 1)  # takes a minute on a slow machine
    proto = _converted(module)
    exporting(1, 1)
    try:
        with replacing(out) as partial:
            _write(proto, model, module, partial)
            parity = _compared(model, store, source, partial, counting)
            allowed = TOLERANCE * side / model.side
            if not parity.max <= allowed:
                raise LeadError(
                    f"{out} was not written: on {counted(parity.pictures, 'picture')} its landmarks are "
                    f"{parity.mean:.4f} px off the original's on average and {parity.max:.4f} px at most; "
                    f"{allowed:.2f} px are allowed. Export with other versions of torch and onnxscript."
                )
            _write(proto, model, module, partial, asdict(parity))
    except OSError as error:
        raise cannot_write(out, error) from error
    return Exported(out, parity, side, module.local)


def _converted(module: Squares) -> ModelProto:
    """The graph, without what the exporter notes of this machine's files."""
    sample = torch.zeros(2, module.side, module.side, 3, dtype=torch.uint8)
    with _silence():
        program = torch.onnx.export(
            module,
            (sample,),
            dynamo=True,
            opset_version=OPSET,
            input_names=["pixels"],
            output_names=list(module.outputs),
            dynamic_shapes={"pixels": {0: torch.export.Dim("batch")}},
            verbose=False,
        )
    assert program is not None
    proto: ModelProto = program.model_proto
    graph = proto.graph
    for noted in (*graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer, graph, proto):
        del noted.metadata_props[:]
        noted.doc_string = ""
    return proto


@contextmanager
def _silence() -> Iterator[None]:
    """Keeps the exporter's notes to itself: they concern its own workings."""
    loud = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loud]
    try:
        for logger in loud:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loud, levels, strict=True):
            logger.setLevel(level)


def _write(
    proto: ModelProto, model: Landmarker, module: Squares, path: Path, parity: Mapping[str, Any] | None = None
) -> None:
    import onnx

    proto.producer_name, proto.producer_version = "lead", versions()["lead"]
    proto.graph.name = "landmarks"
    onnx.helper.set_model_props(proto, {"lead": json.dumps(describe(model, module) | {"parity": parity})})
    onnx.checker.check_model(proto, full_check=True)
    path.write_bytes(proto.SerializeToString())


def describe(model: Landmarker, module: Squares) -> dict[str, Any]:
    """All that it takes to use a file: what goes in, what comes out, and how the two belong to a picture."""
    side = module.side
    origin = model.origin
    return {
        "format": FORMAT,
        "landmarks": model.schema.names,
        "skeleton": model.schema.lines,
        "curves": [curve.described() for curve in model.schema.curves],
        "flip_pairs": model.schema.flip_pairs,
        "input": {
            "name": "pixels",
            "type": "uint8",
            "layout": "batch, row, column, channel",
            "channels": "RGB",
            "side": side,
            "whole": model.side,
            "local_looks": bool(module.local),
            "showing": asdict(model.showing),
        },
        "outputs": {name: MEANINGS[name] for name in module.outputs},
        "coordinates": (
            "x grows to the right, y down; (0, 0) is the centre of the top-left pixel, so that a picture of w pixels "
            "spans -0.5 to w - 0.5"
        ),
        "letterbox": {
            "side": side,
            "upright": "turn the picture as its EXIF orientation says; lay transparent parts over white",
            "fitted": "max(1, round(size * side / max(width, height))), halves to even, for width and height",
            "resize": "bilinear, averaged over the pixels that a new one covers (Pillow's BILINEAR)",
            "before": "(side - fitted) // 2 pixels to the left and above",
            "fill": "the picture's outermost pixels, repeated",
            "back": "original = (square + 0.5 - before) * size / fitted - 0.5, for x and y",
            "errors_back": "px_error and px_90 divided by the mean of fitted / size over x and y",
            "out_of_view": "a landmark beyond the picture's own edges, too",
        },
        "made_by": {
            "lead": versions()["lead"],
            "settings": settings_hash(model.settings),
            "backbone": model.settings.backbone.name,
            "labels": origin.get("labels"),
            "pictures": origin.get("pictures"),
            "held_out_error": origin.get("held_out_error"),
            "commit": origin.get("commit"),
        },
        "licence": origin.get("start", {}).get("licence"),
    }


def _compared(model: Landmarker, store: ImageStore, source: str, file: Path, counting: Counting) -> Parity:
    squared = squares.alone(store, model.side)
    theirs = answers(file, store.pixels, counting("file"))
    ours = model.predict_store(squared, counting("original"))
    off = np.linalg.norm(theirs["xy"] - ours.xy, axis=-1)
    differs = None
    if ours.px_error is not None:
        differs = float(np.nanmax(np.abs(theirs["px_error"] - ours.px_error), initial=0))
    predicted: list[float] = []
    if store.root is not None:
        full = model.predict_store(squares.shrunk(store, model.side), counting("predict"))
        rows = np.array([store.index(file) for file in full.images])
        away = np.linalg.norm(store.to_store(rows, full.xy) - theirs["xy"][rows], axis=-1)
        if np.isfinite(away).any():
            predicted = [float(np.nanmean(away)), float(np.nanmax(away))]
    if np.isnan(off).all():
        raise LeadError(
            f"All landmarks lie beyond the {counted(len(store), 'picture')}. Give pictures like the labelled ones."
        )
    differ = int((theirs["visible"] != ours.visible).sum())
    return Parity(len(store), source, float(np.nanmean(off)), float(np.nanmax(off)), differs, differ, *predicted)
