"""What a measurement predicted, beside the truth: saved once, and read by every metric ever after.

``docs/predictions.md`` describes the file.
"""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lead.errors import LeadError
from lead.evaluation.metrics import FloatArray, normalised_errors
from lead.evaluation.results import LabelCount
from lead.files import replacing

VERSION = 1
"""Of the file's layout. A reader refuses any other."""
SHARES = (50, 80, 90)
"""In percent, how many of the true places the three :attr:`Predictions.radii` should hold."""

Names = npt.NDArray[np.str_]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Predictions:
    """Where a method placed K landmarks on N pictures, in each of D draws of the labelled pictures.

    Points are ``(x, y)`` in the convention of :mod:`lead.geometry`, in the picture's own pixels; those of ``warped``
    copies are pixels of the square of such a copy that the network is shown.

    Attributes:
        metric, method, features, labels: as in :class:`lead.evaluation.results.Row`.
        images: (N,) the pictures judged; one may be there repeatedly.
        landmarks: (K,) their names.
        xy: (D, N, K, 2) predicted.
        truth: (N, K, 2); NaN where unlabelled, or out of view and not judged.
        unit: (N,) in own pixels, what errors are told in percent of; NaN where it is unknown.
        scale: (N, 2) pixels of the stored picture in one of its own, along x and y.
        shown: side, in pixels of the stored picture, of the square that the network is shown: the frame.
        labelled: (D, n) the pictures whose labels were given.
        references: (N,) of matching: the pictures whose landmarks are carried over.
        warped: whether copies of the pictures were warped before they were judged.
        expected: (D, N, K) the expected errors, as shares of the frame's side; NaN where there is none.
        radii: (3, D, N, K) in the same unit: within them, SHARES of the true places are expected.
        predicted_hidden: (D, N, K) which landmarks are predicted to be hidden.
        hidden: (N, K) which are labelled so.
        origin: dataset, split, seed, commit, day, versions, machine, and the seconds that it took.
    """

    metric: str
    method: str
    features: str
    labels: LabelCount
    images: Names
    landmarks: Names
    xy: FloatArray
    truth: FloatArray
    unit: FloatArray
    scale: FloatArray
    shown: int
    labelled: Names
    references: Names | None = None
    warped: bool = False
    expected: FloatArray | None = None
    radii: FloatArray | None = None
    predicted_hidden: Flags | None = None
    hidden: Flags | None = None
    origin: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        draws, pictures, landmarks = self.xy.shape[:3]
        each = (draws, pictures, landmarks)
        wanted: dict[str, tuple[int, ...]] = {
            "images": (pictures,),
            "landmarks": (landmarks,),
            "xy": (*each, 2),
            "truth": (pictures, landmarks, 2),
            "unit": (pictures,),
            "scale": (pictures, 2),
            "labelled": (draws, *self.labelled.shape[1:]),
            "references": (pictures,),
            "expected": each,
            "radii": (len(SHARES), *each),
            "predicted_hidden": each,
            "hidden": (pictures, landmarks),
        }
        for name, shape in wanted.items():
            values = getattr(self, name)
            if values is not None and values.shape != shape:
                raise LeadError(f"Predictions of {self.metric}: {name} has shape {values.shape}, not {shape}.")

    @property
    def errors(self) -> FloatArray:
        """(D, N, K) distances from the truth in percent of the unit; NaN where there is nothing to measure."""
        if not self.warped:
            return np.stack([normalised_errors(xy, self.truth, self.unit) for xy in self.xy])
        distance: FloatArray = np.linalg.norm((self.xy - self.truth) / self.scale[:, None], axis=-1)  # own pixels
        return 100 * distance / self.unit[:, None]

    @property
    def errors_in_frame(self) -> FloatArray:
        """(D, N, K) distances from the truth as shares of the side of what the network is shown."""
        to_frame = 1 if self.warped else self.scale[:, None]
        distance: FloatArray = np.linalg.norm((self.xy - self.truth) * to_frame / self.shown, axis=-1)
        return distance

    def save(self, path: Path) -> None:
        """Writes the file whole or not at all. Raises :class:`LeadError` where that cannot be."""
        values = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        arrays = {name: value for name, value in values.items() if isinstance(value, np.ndarray)}
        rest = {name: value for name, value in values.items() if name not in arrays and value is not None}
        meta = np.array(json.dumps({"version": VERSION, "shares": SHARES, **rest}))
        try:
            with replacing(path) as partial, partial.open("wb") as file:
                np.savez_compressed(file, allow_pickle=False, meta=meta, **arrays)
        except OSError as error:
            raise LeadError(f"Cannot keep predictions in {path.parent}: {error.strerror}. Free space.") from error

    @classmethod
    def load(cls, path: Path) -> Predictions:
        """Predictions that :meth:`save` wrote. Raises :class:`LeadError` for any other file."""
        try:
            with np.load(path, allow_pickle=False) as file:
                meta: dict[str, Any] = json.loads(str(file["meta"]))
                layout = meta.pop("version"), tuple(meta.pop("shares"))
                if layout != (VERSION, SHARES):
                    raise ValueError(f"layout {layout}, this lead reads {(VERSION, SHARES)}")
                return cls(**meta | {"labels": meta.get("labels")}, **{n: file[n] for n in file.files if n != "meta"})
        except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zlib.error, LeadError) as error:
            raise LeadError(
                f"{path} is not a file of predictions, or is damaged: {error}. Delete it, and it is made again."
            ) from error
