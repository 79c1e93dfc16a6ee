"""What a model that finds specimens says of pictures: of any one at any time, of all in the background."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from lead.finding import THRESHOLD, Specimens
from lead.geometry import FloatArray
from lead.images.decode import UnreadablePicture
from lead.inference import Landmarker
from lead.landmarks.model import UNLABELLED, Labels, Schema
from lead.studio.features import FeatureBank
from lead.studio.folder import Listing, Stamp, UnknownPicture, picture_id
from lead.studio.review import under

LEAST = 0.2
"""What is less likely a specimen is not spoken of."""


@dataclass(frozen=True)
class Found:
    """What may be a specimen in one picture.

    Attributes:
        model: number of the fit.
        file: the picture's.
        size: its width and height in pixels.
        stamp: of the file as it was.
        labels: (n rows) landmarks under the schema of the label book, and how ``likely`` each is, the likeliest first.
        extent: (n,) how large each is, in pixels.
    """

    model: int
    file: str
    size: tuple[int, int]
    stamp: Stamp
    labels: Labels
    extent: FloatArray

    @classmethod
    def of(cls, model: int, size: tuple[int, int], stamp: Stamp, specimens: Specimens, schema: Schema) -> Found:
        """Those of a model's specimens that are likely enough."""
        rows, labels = specimens.rows(LEAST), under(schema, specimens.labels)
        return cls(model, labels.images[0], size, stamp, labels.take(rows), specimens.extent[rows])

    @property
    def count(self) -> int:
        """n."""
        return len(self.extent)

    @property
    def likely(self) -> FloatArray:
        """(n,) how likely each is a specimen."""
        return np.zeros(0) if self.labels.likely is None else self.labels.likely

    @cached_property
    def expected_px(self) -> FloatArray:
        """(n,) mean over each one's landmarks of the error to expect, in pixels."""
        assert self.labels.px_error is not None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            mean: FloatArray = np.nanmean(self.labels.px_error, axis=1)
        return mean

    @property
    def mean_px(self) -> float:
        """Mean error to expect over those more likely specimens than not, in pixels; NaN where there are none."""
        errors = self.expected_px[self.sure]
        known = errors[np.isfinite(errors)]
        return float(known.mean()) if len(known) else float("nan")

    @property
    def sure(self) -> npt.NDArray[np.bool_]:
        """(n,) which are more likely specimens than not."""
        return self.likely >= THRESHOLD

    def likely_ones(self) -> tuple[Labels, FloatArray]:
        """Those that are more likely specimens than not, and their extents; a row without landmarks where none is."""
        rows = np.flatnonzero(self.sure)
        if len(rows):
            return self.labels.take(rows), self.extent[rows]
        k = len(self.labels.schema.names)
        nowhere, nothing = np.full((1, k, 2), np.nan), np.full((1, k), np.nan)
        visible = np.full((1, k), UNLABELLED, dtype=np.int8)
        blank = Labels(self.labels.schema, (self.file,), nowhere, visible, nothing, nothing, nothing, tracks=("",))
        return blank, np.zeros(1)


class Finds:
    """What one model says of pictures. Every method may be called from any thread.

    Args:
        number: of the fit.
        landmarker: finds specimens.
        bank: of the same run, which knows where pictures are stored.
        schema: of the label book; the landmarker may know fewer landmarks.
        before: of an earlier model, whose word on a picture stands until this one has looked at it.
    """

    def __init__(
        self, number: int, landmarker: Landmarker, bank: FeatureBank, schema: Schema, before: Finds | None = None
    ) -> None:
        self.number, self.landmarker, self.schema = number, landmarker, schema
        self._bank = bank
        self._lock = threading.Lock()  # of what follows
        same = before is not None and before.schema.names == schema.names
        self._found: dict[str, Found] = dict(before._found) if before and same else {}  # by file
        self._unreadable: set[str] = set()

    def known(self, listing: Listing) -> list[Found]:
        """What is known of the pictures of a folder that are as they were, in the folder's order."""
        found, stamps = self._found, listing.stamps
        return [one for file in listing.files if (one := found.get(file)) and one.stamp == stamps.get(file)]

    def get(self, id: str) -> Found:
        """What this model says of a picture, found now if it has not been yet.

        Raises:
            UnknownPicture: the folder has no such picture.
            UnreadablePicture: it cannot be decoded.
        """
        file = self._bank.folder.file_of(id)
        stamp = self._bank.folder.listing.stamps.get(file)
        known = self._found.get(file)
        if known and known.stamp == stamp and known.model == self.number:
            return known
        store, row, _ = self._bank.stored(id)
        store.unread.pop(file, None)  # it may be readable again
        width, height = store.sizes[row].tolist()
        every = self.landmarker.specimens(store, row)
        found = Found.of(self.number, (width, height), stamp, every, self.schema)
        with self._lock:
            self._found[file] = found
        return found

    def left(self, listing: Listing) -> list[str]:
        """Files that this model has yet to look at: first those of which nothing is known, then by the age of that."""
        with self._lock:
            found, bad = dict(self._found), set(self._unreadable)
        current = {one.file: one.model for one in found.values() if one.stamp == listing.stamps.get(one.file)}
        left = [file for file in listing.files if current.get(file) != self.number and file not in bad]
        return sorted(left, key=lambda file: current.get(file, 0))

    def work(self, stop: Callable[[], bool], progress: Callable[[int, int], None]) -> bool:
        """Looks at all pictures that are left.

        Args:
            stop: asked before each.
            progress: told how many of the folder's pictures are done, of how many.

        Returns:
            Whether all are done; not if it was told to stop.
        """
        listing = self._bank.folder.listing
        left, total = self.left(listing), len(listing.files)
        for number, file in enumerate(left):
            if stop():
                return False
            progress(total - len(left) + number, total)
            try:
                self.get(picture_id(file))
            except UnreadablePicture as error:
                self._bank.folder.note_unreadable(picture_id(file), error.reason, listing)
                self._leave_out(file)
            except UnknownPicture:  # it has just been taken out of the folder
                self._leave_out(file)
        return True

    def _leave_out(self, file: str) -> None:
        with self._lock:
            self._unreadable.add(file)
