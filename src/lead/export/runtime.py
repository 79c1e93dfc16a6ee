"""Exported files at work in ONNX Runtime, which the extra ``onnx`` brings."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from lead.errors import LeadError
from lead.reporting import Progress

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

BATCH = 16
LOT = 4 * 2**20
"""Pixels of the squares that a file is given together; one may have more."""
Pixels = npt.NDArray[np.uint8]
Answers = dict[str, npt.NDArray[np.float64]]
"""What an exported file says of N squares, by output: (N, K, …)."""


def need_extra() -> None:
    """Raises :class:`LeadError` where a package of the extra ``onnx`` is missing."""
    missing = [name for name in ("onnx", "onnxruntime", "onnxscript") if find_spec(name) is None]
    if missing:
        raise LeadError(f"Exporting needs {' and '.join(missing)}. Run: pip install 'lead-landmarks[onnx]'")


def session(file: Path, *, threads: int = 0) -> InferenceSession:
    """A session on the CPU, of so many threads; 0 for all cores."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])


def batch_of(side: int) -> int:
    """Squares of a side that a file is given together."""
    return max(min(BATCH, LOT // side**2), 1)


def answers(file: Path, pixels: Pixels, progress: Progress | None = None) -> Answers:
    """What a file says of squares (N, T, T, 3)."""
    running, batch = session(file), batch_of(pixels.shape[1])
    names = [output.name for output in running.get_outputs()]
    parts: list[list[npt.NDArray[np.float32]]] = []
    for start in range(0, len(pixels), batch):
        parts.append(running.run(None, {"pixels": np.ascontiguousarray(pixels[start : start + batch])}))
        if progress:
            progress(min(start + batch, len(pixels)), len(pixels))
    return {name: np.concatenate(column).astype(np.float64) for name, *column in zip(names, *parts, strict=True)}
