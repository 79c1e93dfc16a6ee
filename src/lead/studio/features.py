"""Dense features of all the pictures of a folder: made in the background, and of any one picture at any time."""

from __future__ import annotations

import math
import os
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lead.feature_files import FeatureFile, Known
from lead.features import Extractor
from lead.files import default_cache
from lead.frame import Frame
from lead.geometry import FloatArray
from lead.images.build import open_store
from lead.images.decode import UnreadablePicture
from lead.images.rows import DecodedRow
from lead.images.store import ImageStore, open_one
from lead.landmarks.model import Labels
from lead.nn.matching import describe_points
from lead.studio.folder import PictureFolder, Stamp, UnknownPicture, picture_id
from lead.training.run import Run

BATCH = 4
"""Pictures computed at a time in the background: a tenth of a second, after which it may be told to stop."""
RECENT_BYTES = 64 * 2**20
"""Features of pictures computed on demand that are kept in memory."""
NICENESS = 10
"""Of the background thread, where threads have one: a request then gets nearly all of the processor."""

BankStage = Literal["decoding", "features", "ready"]


@dataclass(frozen=True)
class Seen:
    """A picture as the network sees it.

    Attributes:
        features: (C, h, w) float16, on the CPU.
        store, row: where its pixels are.
        frame: what the network is shown of them.
    """

    features: Tensor
    store: ImageStore
    row: int
    frame: Frame

    def to_frame(self, xy: FloatArray) -> FloatArray:
        """The picture's own pixels (K, 2) to the frame's normalised coordinates; NaN stays NaN."""
        points: FloatArray = self.frame.points(self.store, [self.row], xy[None])[0]
        return points

    def to_picture(self, points: FloatArray) -> FloatArray:
        """The inverse of :meth:`to_frame`."""
        xy: FloatArray = self.frame.places(self.store, [self.row], points[None])[0]
        return xy

    @property
    def frame_px(self) -> float:
        """Side of the frame, in the picture's own pixels."""
        return float(self.frame.shown / self.store.scale[self.row].mean())

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the picture, in its own pixels."""
        width, height = self.store.sizes[self.row].tolist()
        return width, height


@dataclass(frozen=True)
class Exemplar:
    """A labelled picture.

    Attributes:
        seen: its features, and where they lie in the picture.
        points: (K, 2) float32 normalised, NaN where unlabelled.
        described: (K, C) float32 unit features there; 0 where unlabelled.
        accepted: (K,) bool, points that are accepted suggestions.
    """

    seen: Seen
    points: Tensor
    described: Tensor
    accepted: Tensor

    @classmethod
    def of(cls, seen: Seen, xy: FloatArray, accepted: npt.NDArray[np.bool_] | None = None) -> Exemplar:
        """From labels (K, 2) in the picture's own pixels, NaN where there are none."""
        points = torch.from_numpy(seen.to_frame(xy)).float()
        described = describe_points(seen.features[None], points[None].nan_to_num())[0]
        flags = torch.zeros(len(points), dtype=torch.bool) if accepted is None else torch.from_numpy(accepted)
        return cls(seen, points, torch.where(points.isnan().any(-1)[:, None], 0.0, described), flags)


class _Stopped(Exception):
    """Raised in the background to leave it."""


class FeatureBank:
    """The pictures of a folder through one run's network.

    :meth:`work` belongs in a thread of its own; everything else may be called from any thread, at any time.

    Args:
        run: with a trained student.
        folder: pictures that cannot be decoded are noted in it.
        changed: called, in the background thread, whenever ``stage`` or ``done`` has changed.
        before: of the same run, when the folder held something else: what it has of pictures that are the same since is
            taken over.

    Attributes:
        listing: what the folder held when the bank began, which :meth:`work` is about. Of a picture that came or was
            replaced since, :meth:`get` computes the features.
        stage: what :meth:`work` is doing.
        done: pictures decoded, or with features, of ``total``.
        store: of all pictures, once they are decoded.
    """

    def __init__(
        self,
        run: Run,
        folder: PictureFolder,
        changed: Callable[[], None] = lambda: None,
        *,
        before: FeatureBank | None = None,
    ) -> None:
        made = before.extractor if before else Extractor(run.student(), run.settings.picture, batch=BATCH)
        self.extractor: Extractor = made
        self.run, self.folder, self.listing = run, folder, folder.listing
        folder.show(run.settings.picture.showing)
        self.stage: BankStage = "decoding"
        self.done, self.total = 0, len(self.listing.files)
        self.store: ImageStore | None = None
        self._changed, self._before = changed, before
        self._stop = threading.Event()
        self._lock = threading.Lock()  # of what follows
        self._recent: OrderedDict[tuple[str, Stamp], Seen] = OrderedDict()
        self._rows: FeatureFile | None = None
        self._exemplars: dict[tuple[str, Stamp, bytes], Exemplar] = {}  # by id, state of the file, and labels
        if before:
            self._exemplars = dict(before._exemplars)

    def close(self) -> None:
        """Makes :meth:`work` return soon."""
        self._stop.set()

    @property
    def ready(self) -> bool:
        return self.stage == "ready"

    # --- in the background -------------------------------------------------------------------------------------------

    def work(self) -> None:
        """Decodes all pictures, then computes the features that are not in the cache yet. Returns early once closed.

        Features already computed by a session that was interrupted are kept. Rows are in the order in which the command
        line lists pictures, so that what it has decoded and computed is found.

        Raises:
            LeadError: no picture can be read, or the cache cannot be written.
        """
        give_way()
        with suppress(_Stopped):
            store = open_store(
                self.folder.root,
                sorted(self.listing.files),
                self.extractor.picture.store,
                default_cache(),
                showing=self.folder.showing,
                progress=self._progress,
                known=self._decoded_before,
            )
            for file, reason in store.skipped:
                self.folder.note_unreadable(picture_id(file), reason, self.listing)
            self._compute(store)
        self._before = None

    def _decoded_before(self, file: str) -> DecodedRow | None:
        before = self._before
        if before is None or before.store is None or not before.listing.same(self.listing, file):
            return None
        if before.store.showing != self.folder.showing:
            return None
        return before.store.decoded_row(file)

    def _known_before(self) -> Known | None:
        before = self._before
        if before is None or (finished := before.finished()) is None:
            return None
        store, features = finished
        rows = enumerate(store.files[: len(features)])
        return Known(features, {file: row for row, file in rows if before.listing.same(self.listing, file)})

    def _progress(self, done: int, total: int) -> None:
        self.done, self.total = done, total
        self._changed()
        if self._stop.is_set():
            raise _Stopped

    def _compute(self, store: ImageStore) -> None:
        cached = FeatureFile(self.extractor, store, np.arange(len(store)))
        with self._lock:
            self.store, self._rows = store, cached
            self.stage, self.done = "features", cached.done
        self._progress(cached.done, len(store))
        cached.fill(self._progress, self._known_before())
        self.stage = "ready"
        self._changed()

    # --- at any time -------------------------------------------------------------------------------------------------

    def get(self, id: str) -> Seen:
        """A picture's features, computed now if they are not there yet.

        Raises:
            UnknownPicture: the folder has no such picture.
            UnreadablePicture: it cannot be decoded.
        """
        file, now = self.folder.file_of(id), self.folder.listing
        key = (id, now.stamps.get(file))
        with self._lock:
            rows = self._rows
            if key in self._recent:
                self._recent.move_to_end(key)
                return self._recent[key]
        store, row, whole = self.stored(id)
        if whole and rows is not None and row < rows.done:
            features = torch.from_numpy(np.array(rows.mapped()[row]))
        else:
            features = self.extractor.features(torch.from_numpy(np.array(store.pixels[row : row + 1])))[0].half().cpu()
        seen = Seen(features, store, row, self.extractor.frame)
        self._remember(key, seen)
        return seen

    def stored(self, id: str) -> tuple[ImageStore, int, bool]:
        """A store that holds a picture as it is now, its row there, and whether the store is that of all pictures.

        Errors as of :meth:`get`.
        """
        file, now = self.folder.file_of(id), self.folder.listing
        with self._lock:
            store = self.store
        if store is None or not now.same(self.listing, file):
            alone = open_one(self.folder.root, file, self.extractor.picture.store, self.folder.showing)
            return alone, alone.index(file), False
        if reason := dict(store.skipped).get(file):
            raise UnreadablePicture(self.folder.path(id), reason)
        return store, store.index(file), True

    def exemplars(self, labels: Labels, budget_s: float = math.inf) -> dict[str, Exemplar]:
        """The labelled pictures by id, each made once for as long as it is labelled so.

        Those that cannot be read are left out, and noted in the folder. So are, where the time given does not suffice,
        those whose features are not there yet, all but the first.
        """
        made, out, now = self._exemplars, dict[str, Exemplar](), self.folder.listing
        flags = np.zeros(labels.visible.shape, dtype=bool) if labels.accepted is None else labels.accepted
        rows = list(zip(labels.images, labels.xy, flags, strict=True))
        keys = [
            (picture_id(file), now.stamps.get(file), xy.tobytes() + accepted.tobytes()) for file, xy, accepted in rows
        ]
        until = time.monotonic() + budget_s
        for key, (_, xy, accepted) in zip(keys, rows, strict=True):
            if key not in made:
                if out and time.monotonic() > until:
                    continue
                try:
                    made[key] = Exemplar.of(self.get(key[0]), xy, accepted)
                except UnreadablePicture as error:
                    self.folder.note_unreadable(key[0], error.reason, now)
                    continue
                except UnknownPicture:  # it has just been taken out of the folder
                    continue
            out[key[0]] = made[key]
        if len(made) > 2 * len(keys):  # most are of labels that have changed since
            self._exemplars = {key: made[key] for key in keys if key in made}
        return out

    def _remember(self, key: tuple[str, Stamp], seen: Seen) -> None:
        most = max(RECENT_BYTES // (2 * seen.features.numel()), 1)
        with self._lock:
            self._recent[key] = seen
            while len(self._recent) > most:
                self._recent.popitem(last=False)

    def finished(self) -> tuple[ImageStore, npt.NDArray[np.float16]] | None:
        """The store, and the features of its first rows (n, C, h, w) as far as they are computed; None before."""
        with self._lock:
            store, rows = self.store, self._rows
        if store is None or rows is None or rows.done == 0:
            return None
        return store, rows.mapped()


def give_way() -> None:
    """Lowers the priority of the calling thread and of those that it starts, where the system has such a thing."""
    if sys.platform == "linux":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
