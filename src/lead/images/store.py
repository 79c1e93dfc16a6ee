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

import errno
import hashlib
import json
import os
import shutil
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from lead.errors import LeadError
from lead.images.decode import (
    Box,
    UnreadablePicture,
    decode,
    decode_box,
    decode_fitted,
    fitted,
    fitted_size,
    reading,
)

if TYPE_CHECKING:  # torch, which it needs, takes seconds to import
    from PIL import Image

    from lead.geometry import FloatArray, Size

FORMAT = 1
"""Raised whenever a store's pixels or index change meaning, so that older ones are built anew."""
ABANDONED_AFTER_S = 600.0
"""A live build writes its pixels without pause; one silent for so long was killed, and is removed."""

AHEAD = 2
"""Stores in memory that :func:`stored_pictures` makes ahead."""

_PARTIAL = ".partial"
Progress = Callable[[int, int], None]
"""Called with (pictures done, pictures in all)."""


@dataclass(frozen=True)
class ImageStore:
    """N decoded pictures, S × S pixels each.

    Attributes:
        files: N paths as given to :func:`open_store`, in the same order, without the skipped ones.
        pixels: (N, S, S, 3) uint8 RGB, memory-mapped and read-only.
        sizes: (N, 2) width and height of the original (upright) pictures.
        skipped: (file, reason) of each picture that could not be decoded.
        digest: SHA-256 over the content of all the pictures and the boxes, to say in results what they were made from.
        boxes: (N, 4) x, y, width, height of the stored part of each, in original pixels, or None for whole pictures.
        root: folder that ``files`` are relative to; None where they are no files.
        originals: the upright pictures themselves, of a store of decoded ones.
    """

    files: tuple[str, ...]
    pixels: npt.NDArray[np.uint8]
    sizes: npt.NDArray[np.int64]
    skipped: tuple[tuple[str, str], ...]
    digest: str
    boxes: FloatArray | None = None
    root: Path | None = None
    originals: tuple[Image.Image, ...] | None = None

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

    def original(self, row: int) -> Image.Image:
        """A picture as large as it is, upright; decoded anew where it is a file.

        Raises:
            UnreadablePicture: the file could be read when the store was made, and no longer can.
        """
        if self.originals is not None:
            return self.originals[row]
        assert self.root is not None
        return decode(self.root / self.files[row])

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
        return _margin(fitted_size(self.sizes, self.side), self.side).astype(np.float64)

    def index(self, file: str) -> int:
        """The row of a picture. Raises :class:`LeadError` if the store lacks it."""
        if file not in self._rows:
            reason = dict(self.skipped).get(file, "it is not among the files of this store")
            raise LeadError(f"No picture {file!r} in the store: {reason}.")
        return self._rows[file]

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


def skipped_text(skipped: Sequence[tuple[str, str]], rest: str = "") -> str:
    """How many pictures were skipped and why: all of them, or five where ``rest`` says where the others are listed."""
    count = f"{len(skipped)} picture{'' if len(skipped) == 1 else 's'} skipped"
    lines = [f"  {file}: {reason}" for file, reason in (skipped[:5] if rest else skipped)]
    if more := len(skipped) - len(lines):
        lines.append(f"  and {more} more; see {rest}")
    return "\n".join([f"{count}:", *lines])


def default_cache() -> Path:
    """Where stores live: the environment's ``LEAD_CACHE``, else ``lead`` in the user's cache folder."""
    if chosen := os.environ.get("LEAD_CACHE"):
        return Path(chosen).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "lead"


def open_store(
    root: Path,
    files: Sequence[str],
    size: int,
    cache: Path,
    *,
    boxes: npt.ArrayLike | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
) -> ImageStore:
    """The store of some pictures: built on the first call, mapped into memory at once on the next.

    A store is found again by its folder, the picture size, the boxes, and each file's name, length, time of last
    change and permissions. Reading every byte to compare would take as long as decoding; a file changed in place with
    both its length and its nanosecond time kept would go unnoticed, which no ordinary tool does. The content itself
    is summed up in :attr:`ImageStore.digest`.

    A store appears under its final name only once complete; whatever a killed build leaves behind is never opened,
    and is removed by a later build.

    Args:
        root: folder that ``files`` are relative to.
        files: POSIX paths; the rows follow their order.
        size: side S of the stored pictures, in pixels.
        cache: folder of all stores (see :func:`default_cache`); made if missing.
        boxes: (n, 4) x, y, width, height of the part of each picture to store (see above); None for whole pictures.
        workers: decoding threads, by default :func:`cores`.
        progress: called after every picture while building.

    Raises:
        LeadError: no file is given, a box is empty, no picture can be decoded, or the cache cannot be written (a full
            disk, say).
    """
    if not files:
        raise LeadError(f"No pictures of {root} were asked for.")
    if size < 1:
        raise LeadError(f"Pictures cannot be stored at {size} pixels; give 1 or more.")
    parts = _boxes(files, boxes)
    folder = cache / _key(root, files, size, parts)
    if not folder.exists():
        try:
            _build(root, files, parts, size, folder, workers or cores(), progress)
        except OSError as error:
            raise _cannot_write(error, cache, len(files) * size * size * 3) from error
    return replace(_open(folder), root=root)


def open_one(root: Path, file: str, size: int) -> ImageStore:
    """A store of one whole picture, in memory: the row that :func:`open_store` would make of it.

    Raises:
        UnreadablePicture: it cannot be decoded.
    """
    row = _decode_row(root / file, size, None)
    if isinstance(row, UnreadablePicture):
        raise row
    return ImageStore((file,), row.pixels[None], np.array([row.size], dtype=np.int64), (), row.sha256.hex(), root=root)


def stored_pictures(
    root: Path, chunks: Iterable[Sequence[str]], side: int, *, workers: int | None = None
) -> Generator[ImageStore]:
    """Stores in memory of some whole pictures after others, decoded by threads while those before are looked at.

    No more than :data:`AHEAD` of them are made ahead.

    Args:
        root: folder that the pictures' names are relative to.
        chunks: POSIX paths of the pictures of each store.
        side: of the stored pictures, in pixels.
        workers: decoding threads, by default :func:`cores`.

    Yields:
        For each chunk the rows that :func:`open_store` would make of those that can be read, perhaps none.
    """
    waiting: deque[tuple[Sequence[str], list[Future[_Row | UnreadablePicture]]]] = deque()
    pool = ThreadPoolExecutor(workers or cores())
    try:
        for files in chunks:
            waiting.append((files, [pool.submit(_decode_row, root / file, side, None) for file in files]))
            if len(waiting) > AHEAD:
                yield _in_memory(root, side, *waiting.popleft())
        while waiting:
            yield _in_memory(root, side, *waiting.popleft())
    finally:
        pool.shutdown(cancel_futures=True)


def _in_memory(
    root: Path, side: int, files: Sequence[str], decoded: Sequence[Future[_Row | UnreadablePicture]]
) -> ImageStore:
    kept: list[tuple[str, _Row]] = []
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
    return ImageStore(tuple(file for file, _ in kept), pixels, sizes, tuple(skipped), digest, root=root)


def none_readable(root: Path, skipped: Sequence[tuple[str, str]]) -> LeadError:
    """What to say where none of some pictures can be read."""
    file, reason = skipped[0]
    return LeadError(f"None of the {len(skipped)} pictures of {root} can be read; the first, {file}: {reason}.")


def cores() -> int:
    """Processor cores for this process: those that it may use, shared with others that torchrun started beside it."""
    usable = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return max(usable // int(os.environ.get("LOCAL_WORLD_SIZE", "1")), 1)


def store_of(pictures: Sequence[Image.Image], names: Sequence[str], size: int) -> ImageStore:
    """A store in memory of pictures that are decoded already: the rows that :func:`open_store` would make of them.

    Args:
        pictures: in RGB, upright, kept as the originals.
        names: of each, in place of a path.
        size: side S of the stored pictures, in pixels.
    """
    pixels = np.stack([_in_square(fitted(picture, size), size) for picture in pictures])
    sizes = np.array([picture.size for picture in pictures], dtype=np.int64)
    digest = hashlib.sha256(pixels.data).hexdigest()
    return ImageStore(tuple(names), pixels, sizes, (), digest, originals=tuple(pictures))


def _boxes(files: Sequence[str], boxes: npt.ArrayLike | None) -> list[Box | None]:
    if boxes is None:
        return [None] * len(files)
    table = np.asarray(boxes, dtype=np.float64)
    if table.shape != (len(files), 4):
        raise LeadError(f"{len(files)} pictures need as many boxes of x, y, width, height; got an array {table.shape}.")
    usable = np.isfinite(table[:, :2]).all(1) & (table[:, 2:] > 0).all(1)
    for row in np.flatnonzero(~usable)[:1]:
        raise LeadError(
            f"{files[row]}: the box {', '.join(f'{value:g}' for value in table[row])} (x, y, width, height) is empty "
            f"({(~usable).sum()} such boxes in all). Correct the boxes, or leave those pictures out."
        )
    return [(x, y, width, height) for x, y, width, height in table.tolist()]


def _key(root: Path, files: Sequence[str], side: int, boxes: Sequence[Box | None]) -> str:
    listing: list[tuple[str, ...]] = [(str(FORMAT), str(side), str(root.resolve()))]
    for file, box in zip(files, boxes, strict=True):
        part = tuple(map(repr, box or ()))
        try:
            status = (root / file).stat()
        except OSError:
            listing.append((file, "missing", *part))
        else:
            listing.append((file, str(status.st_size), str(status.st_mtime_ns), str(status.st_mode), *part))
    return hashlib.sha256(json.dumps(listing).encode()).hexdigest()[:32]


def _build(
    root: Path,
    files: Sequence[str],
    boxes: Sequence[Box | None],
    side: int,
    folder: Path,
    workers: int,
    progress: Progress | None,
) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(folder.parent)
    partial = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", suffix=_PARTIAL, dir=folder.parent))
    try:
        index = _write_pixels(partial / "pixels.npy", root, files, boxes, side, workers, progress)
        (partial / "index.json").write_text(json.dumps(index), encoding="utf-8")
        try:
            partial.rename(folder)
        except OSError:
            if not folder.exists():  # else another process finished the same store first
                raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _write_pixels(
    path: Path,
    root: Path,
    files: Sequence[str],
    boxes: Sequence[Box | None],
    side: int,
    workers: int,
    progress: Progress | None,
) -> dict[str, object]:
    """Decodes into ``path`` and returns the index. Rows are written, not mapped: a full disk then is an error."""
    kept: list[str] = []
    sizes: list[Size] = []
    stored: list[Box] = []
    skipped: list[tuple[str, str]] = []
    content = hashlib.sha256()
    with path.open("wb") as out, ThreadPoolExecutor(workers) as pool:
        header = {"descr": "|u1", "fortran_order": False, "shape": (len(files), side, side, 3)}
        np.lib.format.write_array_header_1_0(out, header)
        end = out.tell() + len(files) * side * side * 3
        decoded = _in_order(pool, lambda i: _decode_row(root / files[i], side, boxes[i]), len(files), ahead=4 * workers)
        for done, (file, result) in enumerate(zip(files, decoded, strict=True), start=1):
            if isinstance(result, UnreadablePicture):
                skipped.append((file, result.reason))
            else:
                out.write(result.pixels.data)
                kept.append(file)
                sizes.append(result.size)
                content.update(result.sha256)
                if result.box:
                    stored.append(result.box)
                    content.update(repr(result.box).encode())
            if progress:
                progress(done, len(files))
        if not kept:
            raise none_readable(root, skipped)
        out.truncate(end)  # rows of skipped pictures stay as a hole at the end, which takes no space
    index = {"files": kept, "sizes": sizes, "skipped": skipped, "digest": content.hexdigest()}
    return index | {"boxes": stored} if stored else index


@dataclass(frozen=True)
class _Row:
    pixels: npt.NDArray[np.uint8]
    size: Size
    sha256: bytes
    box: Box | None = None


def _decode_row(path: Path, side: int, box: Box | None) -> _Row | UnreadablePicture:
    try:
        with reading(path):
            data = path.read_bytes()
            sha256 = hashlib.sha256(data).digest()
            if box:
                picture, size, box = decode_box(data, side, box)
                return _Row(np.array(picture), size, sha256, box)
            picture, size = decode_fitted(data, side)
    except UnreadablePicture as error:
        return error
    return _Row(_in_square(picture, side), size, sha256)


def _in_square(picture: Image.Image, side: int) -> npt.NDArray[np.uint8]:
    """(side, side, 3) pixels: a fitted picture in the middle, its edges repeated."""
    left, top = _margin(np.array(picture.size), side).tolist()
    right, bottom = side - left - picture.width, side - top - picture.height
    return np.ascontiguousarray(np.pad(np.asarray(picture), ((top, bottom), (left, right), (0, 0)), mode="edge"))


def _in_order(
    pool: ThreadPoolExecutor,
    decode: Callable[[int], _Row | UnreadablePicture],
    count: int,
    ahead: int,
) -> Iterator[_Row | UnreadablePicture]:
    """Like ``pool.map`` over ``range(count)``, but at most ``ahead`` results wait in memory."""
    waiting: deque[Future[_Row | UnreadablePicture]] = deque()
    for row in range(count):
        waiting.append(pool.submit(decode, row))
        if len(waiting) >= ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _margin(fitted: npt.NDArray[np.int64], side: int) -> npt.NDArray[np.int64]:
    """Pixels before (left of, above) a picture of ``fitted`` (..., 2) width and height in the middle of the square."""
    return (side - fitted) // 2


def _open(folder: Path) -> ImageStore:
    try:
        index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
        pixels = np.load(folder / "pixels.npy", mmap_mode="r")
        return ImageStore(
            files=tuple(index["files"]),
            pixels=pixels[: len(index["files"])],
            sizes=np.array(index["sizes"], dtype=np.int64),
            skipped=tuple((file, reason) for file, reason in index["skipped"]),
            digest=index["digest"],
            boxes=np.array(index["boxes"], dtype=np.float64) if "boxes" in index else None,
        )
    except (OSError, ValueError, KeyError) as error:
        raise LeadError(
            f"The picture store {folder} is damaged ({error}). Delete that folder and run again."
        ) from error


def _remove_abandoned(cache: Path) -> None:
    for partial in cache.glob(f"*{_PARTIAL}"):
        try:
            silent = time.time() - max(path.stat().st_mtime for path in (partial, *partial.iterdir()))
        except OSError:  # its own build finished or removed it meanwhile
            continue
        if silent > ABANDONED_AFTER_S:
            shutil.rmtree(partial, ignore_errors=True)


def _cannot_write(error: OSError, cache: Path, needed: int) -> LeadError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        why = f"the disk is full, and {needed / 1e9:.1f} GB are needed"
    else:
        why = error.strerror or str(error)
    return LeadError(
        f"Cannot store the pictures in {cache}: {why}. Free space there, or set LEAD_CACHE to another folder."
    )
