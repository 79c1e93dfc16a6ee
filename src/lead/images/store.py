"""Pictures decoded once into one memory-mapped array, from which training and matching read at random.

A whole picture is resized so that its longer side fills a square of ``side`` pixels, keeps its shape, stands in the
middle, and has its outermost pixels repeated to fill the rest. A picture of which only a box is asked for has that
box stretched to fill the square, whatever its shape; what the box holds beyond the picture is black. The map between
a picture's own pixels and the store's is kept exactly (convention of :mod:`lead.geometry`), for each axis::

    store = (original + 0.5) * scale + offset - 0.5

A box is ``x, y, width, height`` in original (upright) pixels. ``x`` and ``y`` count the whole pixels before it, so that
``0, 0, w, h`` is all of a picture of w × h pixels, and a box covers the points from ``x - 0.5`` to ``x + width - 0.5``.
It may be fractional and reach beyond the picture; an infinite width or height ends at the picture's far edge.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections import deque
from collections.abc import Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from lead.errors import LeadError
from lead.images.decode import (
    UnreadablePicture,
    fitted,
    fitted_size,
    reading,
)
from lead.images.originals import check_size, of_memory, opened
from lead.images.showing import DEFAULT, Showing

if TYPE_CHECKING:  # torch, which it needs, takes seconds to import
    from PIL import Image

    from lead.geometry import FloatArray
    from lead.images.parts import Original

from lead.images.rows import DecodedRow, decode_row, in_square, margin
from lead.reporting import counted
from lead.tuning import cores

SUMMED = 2**28
"""Bytes of a file up to which it is summed again before parts of it are shown."""
AHEAD = 2
"""Stores in memory that :func:`stored_pictures` makes ahead."""


@dataclass(frozen=True)
class ImageStore:
    """N decoded pictures, S × S pixels each.

    Attributes:
        files: N paths as given to :func:`open_store`, in the same order, without the skipped ones.
        pixels: (N, S, S, 3) uint8 RGB, memory-mapped and read-only.
        sizes: (N, 2) width and height of the original (upright) pictures.
        skipped: (file, reason) of each picture that could not be decoded.
        digest: SHA-256 over the content of all the pictures, the boxes, and how values are shown where that was
            chosen or measured, to say in results what they were made from.
        boxes: (N, 4) x, y, width, height of the stored part of each, in original pixels, or None for whole pictures.
        root: folder that ``files`` are relative to; None where they are no files.
        originals: the upright pictures themselves, of a store of decoded ones.
        checksums: (N,) CRC-32 of each picture's pixels; None where they were not kept.
        contents: N SHA-256 sums of the pictures' files, in hexadecimal; None where they were not kept.
        showing: how the pictures' values are shown.
        unread: pictures that were decoded once, but not again as large as they are when a look wanted that: the reason
            by file.
    """

    files: tuple[str, ...]
    pixels: npt.NDArray[np.uint8]
    sizes: npt.NDArray[np.int64]
    skipped: tuple[tuple[str, str], ...]
    digest: str
    boxes: FloatArray | None = None
    root: Path | None = None
    originals: tuple[Image.Image, ...] | None = None
    checksums: npt.NDArray[np.uint32] | None = None
    contents: tuple[str, ...] | None = None
    showing: Showing = DEFAULT
    unread: dict[str, str] = field(default_factory=dict, compare=False)

    def __len__(self) -> int:
        return len(self.files)

    @property
    def side(self) -> int:
        """S, in pixels."""
        return int(self.pixels.shape[1])

    @property
    def has_originals(self) -> bool:
        """Whether the pictures can be had as large as they are."""
        return self.root is not None or self.originals is not None

    def original(self, row: int) -> Original:
        """A picture as large as it is, upright, of which parts are cut; read anew where it is a file.

        Raises:
            UnreadablePicture: the file could be read when the store was made, and no longer can, or is another now.
        """
        if self.originals is not None:
            return of_memory(self.originals[row])
        assert self.root is not None
        path, (width, height) = self.root / self.files[row], self.sizes[row].tolist()
        picture = opened(path, self.showing)
        check_size(path, picture.size, (width, height))
        if self.contents is not None:
            _check_content(path, self.contents[row])
        return picture

    @cached_property
    def scale(self) -> FloatArray:
        """(N, 2) store pixels per original pixel, along x and y."""
        if self.boxes is not None:
            return self.side / self.boxes[:, 2:]
        return fitted_size(self.sizes, self.side) / self.sizes

    @cached_property
    def offset(self) -> FloatArray:
        """(N, 2) store pixels before the picture's own edge, along x and y; negative where a box cuts some off."""
        if self.boxes is not None:
            return -self.boxes[:, :2] * self.scale
        return margin(fitted_size(self.sizes, self.side), self.side).astype(np.float64)

    def index(self, file: str) -> int:
        """The row of a picture. Raises :class:`LeadError` if the store lacks it."""
        if file not in self._rows:
            reason = dict(self.skipped).get(file, "it is not among the files of this store")
            raise LeadError(f"No picture {file!r} in the store: {reason}.")
        return self._rows[file]

    def decoded_row(self, file: str) -> DecodedRow | None:
        """What :func:`open_store` would make of a whole picture that is here, as long as its file does not change; None
        if it is not here, or this store does not tell."""
        row = self._rows.get(file)
        if row is None or self.boxes is not None or self.contents is None or self.checksums is None:
            return None
        (pixels,) = read_rows(self.pixels, np.array([row]))
        width, height = self.sizes[row].tolist()
        return DecodedRow(pixels, (width, height), bytes.fromhex(self.contents[row]), int(self.checksums[row]))

    def to_store(self, rows: npt.ArrayLike, xy: FloatArray) -> FloatArray:
        """Points of the original pictures, in store pixels.

        Args:
            rows: (n,) rows of the pictures.
            xy: (n, K, 2) original pixels; NaN stays NaN.

        Returns:
            (n, K, 2) store pixels.
        """
        rows = np.asarray(rows, dtype=np.int64)
        return (xy + 0.5) * self.scale[rows, None] + self.offset[rows, None] - 0.5

    def to_original(self, rows: npt.ArrayLike, xy: FloatArray) -> FloatArray:
        """Points in store pixels, in the original pictures: the inverse of :meth:`to_store`."""
        rows = np.asarray(rows, dtype=np.int64)
        return (xy + 0.5 - self.offset[rows, None]) / self.scale[rows, None] - 0.5

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {file: row for row, file in enumerate(self.files)}


def read_rows(pixels: npt.NDArray[np.uint8], rows: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
    """A copy of some rows of :attr:`ImageStore.pixels`.

    Of a store that is not in memory, the disk is asked for all the rows before the first is waited for. They are read
    as any file is, not through the mapping: there a disk that fails, or a file that was cut short, ends the process on
    the spot, and a disk that is slow holds up its other threads.

    Raises:
        LeadError: the store's file is gone, was cut short, or cannot be read.
    """
    if not (isinstance(pixels, np.memmap) and pixels.filename):
        return pixels[rows]
    out = np.empty((len(rows), *pixels.shape[1:]), dtype=np.uint8)
    starts = (_place_in_file(pixels) + rows * pixels.strides[0]).tolist()
    try:
        with Path(pixels.filename).open("rb") as file:
            if sys.platform == "linux":
                for start in starts:
                    os.posix_fadvise(file.fileno(), start, out[0].nbytes, os.POSIX_FADV_WILLNEED)
            for start, row in zip(starts, out, strict=True):
                file.seek(start)
                if file.readinto(row) < row.nbytes:
                    raise EOFError(f"it ends at byte {os.fstat(file.fileno()).st_size}, before pixels that are needed")
    except (OSError, EOFError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise LeadError(
            f"The picture store {pixels.filename} can no longer be read: {why}. See that its disk is there and sound; "
            f"if the file is gone or damaged, delete {Path(pixels.filename).parent}, and the next run makes it anew."
        ) from error
    return out


def _place_in_file(pixels: np.memmap[Any, np.dtype[np.uint8]]) -> int:
    """Bytes before a mapped array in its file. Of a part, NumPy's own ``offset`` is that of the whole."""
    whole = pixels
    while isinstance(whole.base, np.memmap):
        whole = whole.base
    return int(whole.offset + pixels.ctypes.data - whole.ctypes.data)


def skipped_text(skipped: Sequence[tuple[str, str]], rest: str = "") -> str:
    """How many pictures were skipped and why: all of them, or five where ``rest`` says where the others are listed."""
    count = counted(len(skipped), "picture") + " skipped"
    lines = [f"  {file}: {reason}" for file, reason in (skipped[:5] if rest else skipped)]
    if more := len(skipped) - len(lines):
        lines.append(f"  and {more} more; see {rest}")
    return "\n".join([f"{count}:", *lines])


def _check_content(path: Path, before: str) -> None:
    """Raises :class:`UnreadablePicture` for a file that had another SHA-256 sum; very large ones are not summed."""
    with reading(path):
        if path.stat().st_size > SUMMED:
            return
        with path.open("rb") as file:
            now = hashlib.file_digest(file, "sha256").hexdigest()
    if now != before:
        raise UnreadablePicture(path, "its file was changed since it was first read")


def unread_text(unread: Sequence[tuple[str, str]]) -> str:
    """How many pictures could not be looked at closely, and why."""
    count = counted(len(unread), "picture") + " could not be read again to be looked at closely"
    lines = [f"  {file}: {reason}" for file, reason in unread]
    return "\n".join([f"{count}, so landmarks and expected errors are those of a coarser look:", *lines])


def open_one(root: Path, file: str, size: int, showing: Showing = DEFAULT) -> ImageStore:
    """A store of one whole picture, in memory: the row that :func:`open_store` would make of it.

    Raises:
        UnreadablePicture: it cannot be decoded.
    """
    row = decode_row(root / file, size, None, showing)
    if isinstance(row, UnreadablePicture):
        raise row
    sizes = np.array([row.size], dtype=np.int64)
    return ImageStore((file,), row.pixels[None], sizes, (), row.sha256.hex(), root=root, showing=showing)


def stored_pictures(
    root: Path,
    chunks: Iterable[Sequence[str]],
    side: int,
    *,
    showing: Showing = DEFAULT,
    workers: int | None = None,
) -> Generator[ImageStore]:
    """Stores in memory of some whole pictures after others, decoded by threads while those before are looked at.

    No more than :data:`AHEAD` of them are made ahead.

    Args:
        root: folder that the pictures' names are relative to.
        chunks: POSIX paths of the pictures of each store.
        side: of the stored pictures, in pixels.
        showing: how their values are shown.
        workers: decoding threads, by default :func:`cores`.

    Yields:
        For each chunk the rows that :func:`open_store` would make of those that can be read, perhaps none.
    """
    waiting: deque[tuple[Sequence[str], list[Future[DecodedRow | UnreadablePicture]]]] = deque()
    pool = ThreadPoolExecutor(workers or cores())
    try:
        for files in chunks:
            waiting.append((files, [pool.submit(decode_row, root / file, side, None, showing) for file in files]))
            if len(waiting) > AHEAD:
                yield _in_memory(root, side, showing, *waiting.popleft())
        while waiting:
            yield _in_memory(root, side, showing, *waiting.popleft())
    finally:
        pool.shutdown(cancel_futures=True)


def _in_memory(
    root: Path,
    side: int,
    showing: Showing,
    files: Sequence[str],
    decoded: Sequence[Future[DecodedRow | UnreadablePicture]],
) -> ImageStore:
    kept: list[tuple[str, DecodedRow]] = []
    skipped: list[tuple[str, str]] = []
    for file, future in zip(files, decoded, strict=True):
        row = future.result()
        if isinstance(row, UnreadablePicture):
            skipped.append((file, row.reason))
        else:
            kept.append((file, row))
    pixels = np.stack([row.pixels for _, row in kept]) if kept else np.zeros((0, side, side, 3), dtype=np.uint8)
    sizes = np.array([row.size for _, row in kept], dtype=np.int64).reshape(-1, 2)
    digest = hashlib.sha256(b"".join(row.sha256 for _, row in kept)).hexdigest()
    names = tuple(file for file, _ in kept)
    return ImageStore(names, pixels, sizes, tuple(skipped), digest, root=root, showing=showing)


def none_readable(root: Path, skipped: Sequence[tuple[str, str]]) -> LeadError:
    """What to say where none of some pictures can be read."""
    file, reason = skipped[0]
    return LeadError(
        f"None of the {counted(len(skipped), 'picture')} of {root} can be read; the first, {file}: {reason}."
    )


def store_of(pictures: Sequence[Image.Image], names: Sequence[str], size: int) -> ImageStore:
    """A store in memory of pictures that are decoded already: the rows that :func:`open_store` would make of them.

    Args:
        pictures: in RGB, upright, kept as the originals.
        names: of each, in place of a path.
        size: side S of the stored pictures, in pixels.
    """
    pixels = np.stack([in_square(fitted(picture, size), size) for picture in pictures])
    sizes = np.array([picture.size for picture in pictures], dtype=np.int64)
    digest = hashlib.sha256(pixels.data).hexdigest()
    return ImageStore(tuple(names), pixels, sizes, (), digest, originals=tuple(pictures))
