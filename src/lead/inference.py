"""From pictures to features, and from features to named landmarks in each picture's own pixels."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from lead import checkpoint
from lead.config import DistillSettings, HypercolumnSettings, PictureSettings, Settings, check
from lead.errors import LeadError
from lead.geometry import FloatArray, denormalise_points, normalise_points
from lead.images.find import find_images
from lead.images.store import ImageStore, default_cache, open_store
from lead.landmarks.model import VISIBLE, Labels, Schema
from lead.nn.backbone import Backbone
from lead.nn.heads import RidgeHead, SoftArgmaxHead
from lead.nn.hypercolumn import hypercolumn
from lead.nn.reduction import Reduction
from lead.nn.student import AnyStudent, LinearStudent, Student

BATCH = 64
Progress = Callable[[int, int], None]
Head = RidgeHead | SoftArgmaxHead


def default_device() -> torch.device:
    """The GPU where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def make_student(backbone: Backbone, distill: DistillSettings, levels: HypercolumnSettings) -> AnyStudent:
    """An untrained student of the settings' kind, around an encoder."""
    if distill.decoder == "pyramid":
        return Student(backbone, distill.dimension, distill.width)
    return LinearStudent(
        backbone,
        distill.dimension,
        weights=levels.weights,
        normalisation=levels.normalisation,
        sharpness=distill.spatial_softmax,
    )


@dataclass(frozen=True)
class Frame:
    """The central square of a stored picture that the network is shown.

    Attributes:
        side: of the stored square, in pixels.
        shown: of the central square within it, in pixels; of the same parity, so that it is whole pixels.
        input: side of the network's input, in pixels.
    """

    side: int
    shown: int
    input: int

    @classmethod
    def of(cls, picture: PictureSettings) -> Frame:
        """The frame that the settings describe."""
        shown = round(picture.store * picture.frame)
        return cls(picture.store, shown - (picture.store - shown) % 2, picture.input)

    def show(self, pixels: Tensor) -> Tensor:
        """Stored pictures (B, S, S, 3) uint8 to the network's input (B, 3, input, input) in [0, 1]."""
        edge = (self.side - self.shown) // 2
        cut = pixels[:, edge : edge + self.shown, edge : edge + self.shown]
        out = cut.permute(0, 3, 1, 2).float() / 255
        if self.shown != self.input:
            out = functional.interpolate(out, size=(self.input, self.input), mode="bilinear", antialias=True)
        return out.contiguous(memory_format=torch.channels_last)

    def normalise(self, xy: FloatArray) -> FloatArray:
        """Store pixels (..., 2) to the shown square's normalised coordinates."""
        return normalise_points(xy, (self.side, self.side)) * (self.side / self.shown)

    def denormalise(self, points: FloatArray) -> FloatArray:
        """The inverse of :meth:`normalise`."""
        return denormalise_points(points * (self.shown / self.side), (self.side, self.side))


class Extractor:
    """A frozen network that makes one feature for each cell of a picture.

    Args:
        network: a student, whose output is the feature; or a backbone, whose hypercolumn is.
        picture: sizes.
        levels: how a backbone's hypercolumn is put together.
        device: to compute on.
        reduction: of the feature, applied last.
    """

    def __init__(
        self,
        network: AnyStudent | Backbone,
        picture: PictureSettings,
        levels: HypercolumnSettings | None = None,
        device: torch.device | None = None,
        reduction: Reduction | None = None,
    ) -> None:
        self.device = device or default_device()
        self.network = network.eval().requires_grad_(False).to(self.device).to(memory_format=torch.channels_last)
        self.reduction = reduction and reduction.to(self.device)
        self.picture = picture
        self.frame = Frame.of(picture)
        self.levels = levels or HypercolumnSettings()
        self.cells = picture.input // 4

    def reduced(self, reduction: Reduction) -> Extractor:
        """The same extractor with a reduction of its features."""
        return Extractor(self.network, self.picture, self.levels, self.device, reduction)

    @torch.inference_mode()
    def features(self, pixels: Tensor) -> Tensor:
        """Stored pictures (B, S, S, 3) uint8 to features (B, C, cells, cells) on the extractor's device."""
        features = self._whole_features(pixels)
        return features if self.reduction is None else self.reduction(features)

    def _whole_features(self, pixels: Tensor) -> Tensor:
        maps = self.network(self.frame.show(pixels.to(self.device)))
        if not isinstance(self.network, Backbone):
            return maps  # type: ignore[no-any-return]
        size = (self.cells, self.cells)
        return hypercolumn(maps, size, weights=self.levels.weights, normalisation=self.levels.normalisation)

    def digest(self) -> str:
        """Short digest of everything that a feature depends on besides its picture."""
        content = hashlib.sha256(repr((self.frame, self.levels)).encode())
        if isinstance(self.network, LinearStudent):  # whose weights do not tell its levels and its softmax
            how = (self.network.weights, self.network.normalisation, self.network.sharpness)
            content.update(repr(how).encode())
        state = dict(self.network.state_dict())
        if self.reduction is not None:
            state |= checkpoint.prefixed(self.reduction, type(self.reduction).__name__)
        for name, value in state.items():
            content.update(name.encode() + value.cpu().numpy().tobytes())
        return content.hexdigest()[:24]

    def batches(self, store: ImageStore, rows: npt.NDArray[np.int64]) -> Iterator[Tensor]:
        """Features of some stored pictures, ``BATCH`` at a time."""
        for start in range(0, len(rows), BATCH):
            yield self.features(torch.from_numpy(store.pixels[rows[start : start + BATCH]]))


def features_file(extractor: Extractor, store: ImageStore, rows: npt.NDArray[np.int64]) -> Path:
    """Where :func:`cached_features` keeps the features of some rows of a store."""
    key = hashlib.sha256(repr((extractor.digest(), store.digest, rows.tolist())).encode()).hexdigest()[:32]
    return default_cache() / "features" / f"{key}.npy"


def cached_features(
    extractor: Extractor, store: ImageStore, rows: npt.NDArray[np.int64], *, progress: Progress | None = None
) -> npt.NDArray[np.float16]:
    """Features of stored pictures, computed once: (n, C, h, w) float16, memory-mapped from the cache.

    The cache is keyed by the network's weights and the pictures' content, and a file appears in it only once whole.
    """
    path = features_file(extractor, store, rows)
    if path.exists():
        return np.load(path, mmap_mode="r")  # type: ignore[no-any-return]
    if len(rows) == 0:
        raise LeadError("Features of no pictures were asked for.")
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as handle:
        partial = Path(handle.name)
    try:
        # Written, not mapped: a full disk then is an error, not a signal.
        with partial.open("wb") as out:
            done = 0
            for features in extractor.batches(store, rows):
                if done == 0:
                    header = {"descr": "<f2", "fortran_order": False, "shape": (len(rows), *features.shape[1:])}
                    np.lib.format.write_array_header_1_0(out, header)
                out.write(features.contiguous().half().cpu().numpy().tobytes())
                done += len(features)
                if progress:
                    progress(done, len(rows))
        partial.replace(path)
    except OSError as error:
        raise LeadError(
            f"Cannot keep features in {path.parent}: {error.strerror}. Free space, or set LEAD_CACHE."
        ) from error
    finally:
        partial.unlink(missing_ok=True)
    return np.load(path, mmap_mode="r")  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Calibration:
    """From a head's score to the error to expect, learnt from labels that the head had not seen.

    Attributes:
        scores: ascending knots.
        errors: expected distance at each, as a share of the shown square's side; never ascending.
    """

    scores: FloatArray
    errors: FloatArray

    def expected(self, scores: FloatArray) -> FloatArray:
        """Expected distance for scores of any shape, as a share of the shown square's side."""
        return np.interp(scores, self.scores, self.errors)


class Landmarker:
    """Named landmarks for pictures: a frozen feature, a head, and what it takes to say where and how surely.

    Args:
        schema: the landmarks.
        settings: of the run whose features are used.
        student: the feature network.
        head: fitted on labelled pictures.
        calibration: of the head's score; None where there were too few labels to learn one.
        origin: provenance, kept with the model.
    """

    KIND = "landmarker"

    def __init__(
        self,
        schema: Schema,
        settings: Settings,
        student: AnyStudent,
        head: Head,
        calibration: Calibration | None,
        origin: dict[str, Any],
    ) -> None:
        self.schema, self.settings = schema, settings
        self.extractor = Extractor(student, settings.picture)
        self.head = head.eval().to(self.extractor.device)
        self.calibration, self.origin = calibration, origin

    def predict(self, pictures: Path | str | Sequence[Path | str], *, progress: Progress | None = None) -> Labels:
        """Landmarks of pictures.

        Args:
            pictures: a folder (searched to any depth), a picture, or several pictures.
            progress: called with (pictures done, in all), once they are decoded.

        Returns:
            One row for each picture that can be read, its name relative to the folder (as given, for pictures):
            ``xy`` in that picture's own pixels, ``score`` in [0, 1], ``px_error`` in pixels if it is calibrated.

        Raises:
            LeadError: there is no readable picture.
        """
        return self.predict_store(self.open_pictures(pictures), progress)

    def open_pictures(
        self, pictures: Path | str | Sequence[Path | str], *, progress: Progress | None = None
    ) -> ImageStore:
        """Pictures as :meth:`predict` takes them, decoded; the store's ``skipped`` says which were not."""
        root, files = _listed(pictures)
        return open_store(root, files, self.settings.picture.store, default_cache(), progress=progress)

    @torch.inference_mode()
    def predict_store(self, store: ImageStore, progress: Progress | None = None) -> Labels:
        """Landmarks of every picture of a store; see :meth:`predict`."""
        rows = np.arange(len(store))
        points, scores = [], []
        done = 0
        for features in self.extractor.batches(store, rows):
            points.append(self.head(features).double().cpu().numpy())
            scores.append(self.head.score(features).double().cpu().numpy())
            done += len(features)
            if progress:
                progress(done, len(rows))
        frame = self.extractor.frame
        xy = store.to_original(rows, frame.denormalise(np.concatenate(points)))
        score = np.concatenate(scores)
        error = None
        if self.calibration:
            error = self.calibration.expected(score) * frame.shown / store.scale.mean(-1)[:, None]
        visible = np.full(score.shape, VISIBLE, dtype=np.int8)
        return Labels(self.schema, store.files, xy, visible, score, error)

    def save(self, path: Path | str) -> None:
        """Writes the model to one ``.safetensors`` file, whole or not at all."""
        tensors = checkpoint.prefixed(self.extractor.network, "student") | checkpoint.prefixed(self.head, "head")
        meta = {
            "settings": self.settings.model_dump(mode="json"),
            "names": self.schema.names,
            "flip_pairs": self.schema.flip_pairs,
            "skeleton": self.schema.skeleton,
            "head": "ridge" if isinstance(self.head, RidgeHead) else "softargmax",
            "radius": self.head.radius if isinstance(self.head, RidgeHead) else 0,
            "calibration": None
            if self.calibration is None
            else [self.calibration.scores.tolist(), self.calibration.errors.tolist()],
            "origin": self.origin,
        }
        checkpoint.save(Path(path), self.KIND, tensors, meta)

    @classmethod
    def load(cls, path: Path | str) -> Landmarker:
        """A model that :meth:`save` wrote. Raises :class:`LeadError` for any other file."""
        tensors, meta = checkpoint.load(Path(path), cls.KIND)
        settings = check(meta["settings"], str(path))
        schema = Schema(
            tuple(meta["names"]),
            tuple((a, b) for a, b in meta["flip_pairs"]),
            tuple((a, b) for a, b in meta["skeleton"]),
        )
        distill = settings.distill
        student = make_student(Backbone(settings.backbone.name), distill, settings.hypercolumn)
        checkpoint.restore(student, tensors, "student")
        head = make_head(meta["head"], distill.dimension, len(schema.names), meta["radius"])
        checkpoint.restore(head, tensors, "head")
        knots = meta["calibration"]
        calibration = None if knots is None else Calibration(np.array(knots[0]), np.array(knots[1]))
        return cls(schema, settings, student, head, calibration, meta["origin"])


def make_head(kind: Literal["ridge", "softargmax"], dimension: int, landmarks: int, radius: int = 1) -> Head:
    """An unfitted head."""
    return RidgeHead(dimension, landmarks, radius) if kind == "ridge" else SoftArgmaxHead(dimension, landmarks)


def _listed(pictures: Path | str | Sequence[Path | str]) -> tuple[Path, list[str]]:
    if isinstance(pictures, Path | str):
        path = Path(pictures)
        if path.is_file():
            return path.parent, [path.name]
        return path, find_images(path)
    paths = [Path(p) for p in pictures]
    for path in paths:
        if not path.is_file():
            raise LeadError(f"There is no picture {path}. Give pictures, or one folder of them.")
    return Path(), list(dict.fromkeys(p.as_posix() for p in paths))
