"""From pictures to dense features, computed once and kept."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from lead import checkpoint
from lead.config import DistillSettings, HypercolumnSettings, PictureSettings
from lead.feature_files import Features, cached_features
from lead.frame import Frame
from lead.geometry import FloatArray
from lead.images.crops import Originals, cut, detail, few
from lead.images.parts import ROOM
from lead.images.store import ImageStore, read_rows
from lead.nn.backbone import Backbone
from lead.nn.cascade import Cascade, CascadeOutput
from lead.nn.first import First, first_channels
from lead.nn.folding import folded
from lead.nn.hypercolumn import hypercolumn
from lead.nn.local import SHARE
from lead.nn.reduction import Reduction
from lead.nn.student import AnyStudent, LinearStudent, Student
from lead.reporting import Progress

BATCH = 64
AT_ONCE = 16
"""Pictures that a processor's network is given at a time; with more, its maps leave the caches."""
HELD = 48 * 2**20
"""Pixels of originals that are in memory at once, of several pictures; one may have more."""


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
        features = self._in_batches(self._whole_features, inputs)
        return features if self.reduction is None else self.reduction(features)

    @torch.inference_mode()
    def first_of(self, inputs: Tensor) -> Tensor:
        """What the network's first stages alone make of inputs (B, 3, side, side): see :class:`lead.nn.first.First`."""
        return self._in_batches(self._first, inputs)

    @cached_property
    def dimension(self) -> int:
        """C of the features."""
        return int(self.features_of(torch.zeros(1, 3, self.frame.input, self.frame.input, device=self.device)).shape[1])

    @property
    def first_channels(self) -> int:
        """Of :meth:`first_of`; 0 where the network has nothing to offer there."""
        return first_channels(encoder(self.network))

    @cached_property
    def _folded(self) -> nn.Module:
        """The network as it is run."""
        return folded(self.network, self.picture.input)

    @cached_property
    def _first(self) -> First:
        return First(encoder(self._folded))

    def _in_batches(self, network: Callable[[Tensor], Tensor], inputs: Tensor) -> Tensor:
        if self.device.type != "cpu":
            return network(inputs)
        return torch.cat([network(some) for some in torch.split(inputs, AT_ONCE)])

    def _whole_features(self, inputs: Tensor) -> Tensor:
        maps = self._folded(inputs)
        if not isinstance(self.network, Backbone):
            return maps  # type: ignore[no-any-return]
        size = (inputs.shape[-2] // 4, inputs.shape[-1] // 4)
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


def encoder(network: nn.Module) -> Backbone:
    """Of a student; a backbone itself."""
    found = network if isinstance(network, Backbone) else network.backbone
    assert isinstance(found, Backbone)
    return found


def _content(state: Mapping[str, Tensor]) -> bytes:
    """Names and values of tensors, to make a digest of."""
    return b"".join(name.encode() + value.cpu().numpy().tobytes() for name, value in state.items())


@dataclass(frozen=True)
class FeatureSource:
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

    def pictures(self, rows: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """(n,) rows of the store that are looked at for some rows: the same."""
        return np.asarray(rows, dtype=np.int64)

    def points(self, rows: npt.ArrayLike, xy: FloatArray) -> FloatArray:
        """Places in pictures' own pixels as normalised points: see :meth:`Frame.points`."""
        return self.extractor.frame.points(self.store, rows, xy)

    def places(self, rows: npt.ArrayLike, points: FloatArray) -> FloatArray:
        """Normalised points as places in pictures' own pixels: see :meth:`Frame.places`."""
        return self.extractor.frame.places(self.store, rows, points)

    def crops(self, rows: npt.NDArray[np.int64], affine: Tensor, held: Originals | None = None) -> Iterator[Tensor]:
        """Features (b, C, h, w) of squares cut from pictures, a batch at a time.

        Args:
            rows: (n,) of the store; a row may be asked for repeatedly.
            affine: (n, 2, 3) from a square's normalised coordinates to those of the shown square.
            held: see :func:`lead.images.crops.cut`.
        """
        return self._cut(self.extractor.features_of, rows, affine, self.extractor.frame.input, held)

    def close(
        self, rows: npt.NDArray[np.int64], affine: Tensor, held: Originals | None = None, *, first: bool
    ) -> Iterator[Tensor]:
        """As :meth:`crops`, of squares that the network is shown smaller, as local looks do.

        Args:
            rows, affine, held: as of :meth:`crops`.
            first: whether the network's first stages alone see them.
        """
        seen = self.extractor.first_of if first else self.extractor.features_of
        return self._cut(seen, rows, affine, self.close_side, held)

    @property
    def close_side(self) -> int:
        """Of the network's input in a local look, in pixels."""
        return self.extractor.frame.input // SHARE

    def pixels(self, rows: npt.ArrayLike) -> FloatArray:
        """(n,) of pictures' own pixels along the side of the shown square."""
        across: FloatArray = self.extractor.frame.shown / self.store.scale[np.asarray(rows)].mean(-1)
        return across

    def detail(self, rows: npt.NDArray[np.int64]) -> FloatArray:
        """(n,) pixels at hand to a normalised unit of pictures."""
        return detail(self.store, rows) * (self.extractor.frame.shown / 2)

    def _cut(
        self,
        seen: Callable[[Tensor], Tensor],
        rows: npt.NDArray[np.int64],
        affine: Tensor,
        side: int,
        held: Originals | None,
    ) -> Iterator[Tensor]:
        frame, device = self.extractor.frame, self.extractor.device
        stored = affine.cpu() * (frame.shown / frame.side)
        batch = self.extractor.batch
        for start in range(0, len(rows), batch):
            part = slice(start, start + batch)
            inputs = cut(self.store, rows[part], stored[part], side, held).to(device)
            yield seen(inputs.contiguous(memory_format=torch.channels_last))

    def find(self, head: Cascade, rows: npt.NDArray[np.int64]) -> Iterator[CascadeOutput]:
        """Landmarks of pictures, a batch at a time. Features of whole pictures are kept, those of crops are not."""
        known = self.whole(rows)
        batch = self.extractor.batch
        for start in range(0, len(rows), batch):
            part = slice(start, start + batch)
            features = torch.from_numpy(np.asarray(known[part], dtype=np.float32)).to(self.extractor.device)
            yield self.find_in(head, rows[part], features)

    @torch.inference_mode()
    def find_in(
        self,
        head: Cascade,
        rows: npt.NDArray[np.int64],
        features: Tensor,
        up: Tensor | None = None,
        held: Originals | None = None,
    ) -> CascadeOutput:
        """Landmarks of at most a batch of pictures whose features (B, C, h, w) are known; ``up`` as for the head.

        ``held`` are originals that other looks share; by default they are held for as long as these need. Where an
        original cannot be read any more, the looks that do without it answer: see :attr:`ImageStore.unread`.
        """
        if not head.local or not self.store.has_originals:
            kept = held or Originals(keep=False)
            return head.find(features, lambda affine: next(self.crops(rows, affine, kept)), up)
        some = few(self.store, self.pictures(rows), HELD)
        parts = [self._find_closely(head, rows[p], features[p], None if up is None else up[p], held) for p in some]
        return CascadeOutput.joined(parts)

    def _find_closely(
        self,
        head: Cascade,
        rows: npt.NDArray[np.int64],
        features: Tensor,
        up: Tensor | None,
        shared: Originals | None,
    ) -> CascadeOutput:
        """As :meth:`find_in`, of so few pictures that their originals can be held."""
        half = float(min(look.reach for look in head.looks) * head.sizes[0])  # of the least square, mostly
        finest: dict[int, float] = {}
        pictures = self.pictures(rows)
        for picture, step in zip(pictures.tolist(), self.detail(rows) * half / (self.close_side / 2), strict=True):
            finest[picture] = min(float(step), finest.get(picture, math.inf))
        held = shared or Originals(keep=True, finest=finest)

        def crops(affine: Tensor) -> Tensor:
            return next(self.crops(rows, affine, held))

        def close(affine: Tensor) -> Tensor:
            each = len(affine) // len(rows)
            return torch.cat(list(self.close(np.repeat(rows, each), affine, held, first=bool(head.first))))

        with ROOM.taken(self.store.sizes[pictures].max(0).tolist()):
            found = head.find(features, crops, up, close)
            if not held.lost:
                return found
            lost = torch.tensor([row in held.lost for row in pictures.tolist()], device=features.device)
            return found.without_local(head.find(features, crops, up), lost)
