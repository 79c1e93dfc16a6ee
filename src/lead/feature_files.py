"""Features of pictures, kept in the cache: computed once, over many runs if need be."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch

from lead.errors import LeadError
from lead.files import default_cache, remove_unused, settle, used_now
from lead.images.store import ImageStore, read_rows
from lead.reporting import Progress

if TYPE_CHECKING:
    from lead.features import Extractor

Features = npt.NDArray[np.float16]


def features_file(extractor: Extractor, store: ImageStore, rows: npt.NDArray[np.int64]) -> Path:
    """Where :class:`FeatureFile` keeps the features of some rows of a store, once it has all."""
    key = hashlib.sha256(repr((extractor.digest(), store.digest, rows.tolist())).encode()).hexdigest()[:32]
    return default_cache() / "features" / f"{key}.npy"


@dataclass(frozen=True)
class Known:
    """Features of pictures that are to be found in a new file too.

    Attributes:
        features: (n, C, h, w) of the same extractor.
        row_of: the row there of a picture, by its file as the new file's store names it.
    """

    features: Features
    row_of: Mapping[str, int]


class FeatureFile:
    """Features of some rows of a store, (n, C, h, w) float16, in the cache: filled from the first on, over many runs.

    It lies beside the final file under another name until it is whole. What is in it depends on nothing but its name,
    so two processes may fill the same one.

    Args:
        extractor, store, rows: of the features.

    Attributes:
        done: rows that have theirs.
    """

    def __init__(self, extractor: Extractor, store: ImageStore, rows: npt.NDArray[np.int64]) -> None:
        self._extractor, self._store, self._rows = extractor, store, rows
        self._file = features_file(extractor, store, rows)
        self._partial = self._file.with_suffix(".begun")
        self._shape: tuple[int, ...] = ()
        self._offset = self.done = 0
        self._seen: Features | None = None
        with suppress(FileNotFoundError, ValueError), self._here.open("rb") as begun:  # or torn within its header
            np.lib.format.read_magic(begun)
            (count, *shape), _, _ = np.lib.format.read_array_header_1_0(begun)
            self._shape, self._offset = tuple(shape), begun.tell()
            self.done = (os.fstat(begun.fileno()).st_size - self._offset) // self._row_bytes
            if self.done < count:  # the network is to see the same pictures together as if nothing had been there
                self.done -= self.done % extractor.batch
            used_now(self._here)

    @property
    def _row_bytes(self) -> int:
        return 2 * math.prod(self._shape)

    @property
    def _here(self) -> Path:
        return self._file if self._file.exists() else self._partial

    def fill(self, progress: Progress | None = None, known: Known | None = None) -> None:
        """Computes what is missing.

        Args:
            progress: called after every batch.
            known: features of some of the pictures, which are taken over.

        Raises:
            LeadError: the cache cannot be written.
        """
        try:
            for features in self._missing(known):
                self._append(features)
                if progress:
                    progress(self.done, len(self._rows))
            if not self._file.exists():
                with suppress(FileNotFoundError):  # another process has just done so
                    settle(self._partial, self._file)
            self._partial.unlink(missing_ok=True)
        except OSError as error:
            folder = self._file.parent
            raise LeadError(
                f"Cannot keep features in {folder}: {error.strerror}. Free space, or set LEAD_CACHE."
            ) from error

    def _missing(self, known: Known | None) -> Iterator[Features]:
        """Those of the rows from the first one on that has none, a batch at a time."""
        if known is None:
            for features in self._extractor.batches(self._store, self._rows[self.done :]):
                yield features.half().cpu().numpy()
            return
        for start in range(self.done, len(self._rows), self._extractor.batch):
            rows = self._rows[start : start + self._extractor.batch]
            places = np.array([known.row_of.get(self._store.files[row], -1) for row in rows.tolist()])
            out = np.empty((len(rows), *known.features.shape[1:]), np.float16)
            out[places >= 0] = known.features[places[places >= 0]]
            if len(new := rows[places < 0]):
                pixels = torch.from_numpy(read_rows(self._store.pixels, new))
                out[places < 0] = self._extractor.features(pixels).half().cpu().numpy()
            yield out

    def _append(self, features: Features) -> None:
        if not self._shape:
            self._begin(features.shape[1:])
        # Written, not mapped: a full disk then is an error, not a signal.
        with self._here.open("r+b") as out:
            out.seek(self._offset + self.done * self._row_bytes)
            out.write(features.tobytes())
        self.done += len(features)

    def _begin(self, shape: tuple[int, ...]) -> None:
        self._shape = shape
        self._file.parent.mkdir(parents=True, exist_ok=True)
        remove_unused(self._file.parent, len(self._rows) * self._row_bytes)
        self._partial.touch()
        with self._partial.open("r+b") as begun:
            header = {"descr": "<f2", "fortran_order": False, "shape": (len(self._rows), *shape)}
            np.lib.format.write_array_header_1_0(begun, header)
            self._offset = begun.tell()

    def mapped(self) -> Features:
        """(done, C, h, w), memory-mapped; whoever has it keeps it, also if its file is removed."""
        if self._seen is None or len(self._seen) < self.done:
            self._seen = self._mapped((self.done, *self._shape))
        return self._seen

    def _mapped(self, shape: tuple[int, ...]) -> Features:
        for file in (self._file, self._partial):  # which may take the other's place meanwhile
            with suppress(FileNotFoundError):
                return np.memmap(file, np.float16, "r", self._offset, shape)
        return np.memmap(self._file, np.float16, "r", self._offset, shape)


def cached_features(
    extractor: Extractor, store: ImageStore, rows: npt.NDArray[np.int64], *, progress: Progress | None = None
) -> Features:
    """Features of stored pictures, computed once: (n, C, h, w) float16, memory-mapped from the cache.

    The cache is keyed by the network's weights and the pictures' content. What a killed process had computed is gone
    on with.
    """
    if len(rows) == 0:
        raise LeadError("Features of no pictures were asked for.")
    kept = FeatureFile(extractor, store, rows)
    if progress and 0 < kept.done < len(rows):  # so that speed is told from here on
        progress(kept.done, len(rows))
    kept.fill(progress)
    return kept.mapped()
