"""From pictures to dense features, computed once and kept."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from lead import checkpoint
from lead.config import DistillSettings, HypercolumnSettings, PictureSettings
from lead.errors import LeadError
from lead.files import default_cache
from lead.geometry import FloatArray, denormalise_points, normalise_points
from lead.images.crops import cut
from lead.images.store import ImageStore, read_rows
from lead.nn.backbone import Backbone
from lead.nn.cascade import Cascade, CascadeOutput
from lead.nn.folding import folded
from lead.nn.hypercolumn import hypercolumn
from lead.nn.reduction import Reduction
from lead.nn.student import AnyStudent, LinearStudent, Student
from lead.reporting import Progress

BATCH = 64
AT_ONCE = 16
"""Pictures that a processor's network is given at a time; with more, its maps leave the caches."""
Features = npt.NDArray[np.float16]


def default_device() -> torch.device:
    """The GPU where there is one; of several, that of this process where torchrun or SLURM's srun started it."""
    if not torch.cuda.is_available():
        return torch.device("cpu")
    here = os.environ.get("LOCAL_RANK") or os.environ.get("SLURM_LOCALID") or 0
    return torch.device("cuda", int(here) % torch.cuda.device_count())


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
        batch: pictures that it is given together.
    """

    def __init__(
        self,
        network: AnyStudent | Backbone,
        picture: PictureSettings,
        levels: HypercolumnSettings | None = None,
        device: torch.device | None = None,
        reduction: Reduction | None = None,
        batch: int = BATCH,
    ) -> None:
        self.device = device or default_device()
        self.network = network.eval().requires_grad_(False).to(self.device).to(memory_format=torch.channels_last)
        self.reduction = reduction and reduction.to(self.device)
        self.picture, self.batch = picture, batch
        self.frame = Frame.of(picture)
        self.levels = levels or HypercolumnSettings()
        self.cells = picture.input // 4

    def reduced(self, reduction: Reduction) -> Extractor:
        """The same extractor with a reduction of its features."""
        return Extractor(self.network, self.picture, self.levels, self.device, reduction, self.batch)

    @torch.inference_mode()
    def features(self, pixels: Tensor) -> Tensor:
        """Stored pictures (B, S, S, 3) uint8 to features (B, C, cells, cells) on the extractor's device."""
        return self.features_of(self.frame.show(pixels.to(self.device)))

    @torch.inference_mode()
    def features_of(self, inputs: Tensor) -> Tensor:
        """Features (B, C, cells, cells) of the network's inputs (B, 3, input, input) in [0, 1]."""
        features = self._whole_features(inputs)
        return features if self.reduction is None else self.reduction(features)

    @cached_property
    def _folded(self) -> nn.Module:
        """The network as it is run."""
        return folded(self.network, self.picture.input)

    def _whole_features(self, inputs: Tensor) -> Tensor:
        if self.device.type == "cpu" and len(inputs) > AT_ONCE:
            return torch.cat([self._whole_features(some) for some in torch.split(inputs, AT_ONCE)])
        maps = self._folded(inputs)
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
        content.update(_content(state))
        return content.hexdigest()[:24]

    def batches(self, store: ImageStore, rows: npt.NDArray[np.int64]) -> Iterator[Tensor]:
        """Features of some stored pictures, :attr:`batch` at a time."""
        for start in range(0, len(rows), self.batch):
            yield self.features(torch.from_numpy(read_rows(store.pixels, rows[start : start + self.batch])))


def _content(state: Mapping[str, Tensor]) -> bytes:
    """Names and values of tensors, to make a digest of."""
    return b"".join(name.encode() + value.cpu().numpy().tobytes() for name, value in state.items())


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
class Sight:
    """Pictures, and the network that sees them.

    Attributes:
        extractor: of features.
        store: of the pictures.
    """

    extractor: Extractor
    store: ImageStore

    def whole(self, rows: npt.NDArray[np.int64], *, progress: Progress | None = None) -> Features:
        """(n, C, h, w) features of whole pictures, from the cache if they are there."""
        return cached_features(self.extractor, self.store, rows, progress=progress)

    def crops(self, rows: npt.NDArray[np.int64], affine: Tensor) -> Iterator[Tensor]:
        """Features (b, C, h, w) of squares cut from pictures, a batch at a time.

        Args:
            rows: (n,) of the store; a row may be asked for repeatedly.
            affine: (n, 2, 3) from a square's normalised coordinates to those of the shown square.
        """
        frame, device = self.extractor.frame, self.extractor.device
        stored = affine.cpu() * (frame.shown / frame.side)
        batch = self.extractor.batch
        for start in range(0, len(rows), batch):
            part = slice(start, start + batch)
            inputs = cut(self.store, rows[part], stored[part], frame.input).to(device)
            yield self.extractor.features_of(inputs.contiguous(memory_format=torch.channels_last))

    def find(self, head: Cascade, rows: npt.NDArray[np.int64]) -> Iterator[CascadeOutput]:
        """Landmarks of pictures, a batch at a time. Features of whole pictures are kept, those of crops are not."""
        known = self.whole(rows)
        batch = self.extractor.batch
        for start in range(0, len(rows), batch):
            part = slice(start, start + batch)
            features = torch.from_numpy(np.asarray(known[part], dtype=np.float32)).to(self.extractor.device)
            yield self.find_in(head, rows[part], features)

    @torch.inference_mode()
    def find_in(self, head: Cascade, rows: npt.NDArray[np.int64], features: Tensor) -> CascadeOutput:
        """Landmarks of at most a batch of pictures whose features (B, C, h, w) are known."""
        first = head.coarse_output(features)
        if head.fine is not None:
            features = next(self.crops(rows, head.crop(first.pose)))
        return head.refine(first, features)
