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
import io
import json
import os
import shutil
import sys
import time
import zlib
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import numpy.typing as npt

from lead.errors import LeadError
from lead.files import alone, lock
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
from lead.journal import Journal, Record, read_records

if TYPE_CHECKING:  # torch, which it needs, takes seconds to import
    from PIL import Image

    from lead.geometry import FloatArray, Size

FORMAT = 1
"""Raised whenever a store's pixels or index change meaning, so that older ones are built anew."""
CHUNK = 256
"""Pictures that a killed build loses at most."""
ABANDONED_AFTER_S = 7 * 24 * 3600.0
"""A build that nobody went on with for so long is removed."""
CHECK = "LEAD_CHECK_STORES"
"""Set in the environment, every picture of a store is checked as it is opened; else the last ones are."""

AHEAD = 2
"""Stores in memory that :func:`stored_pictures` makes ahead."""

_PARTIAL, _ROWS = ".partial", "rows.jsonl"
_TAIL = 16
"""Pictures at a store's end that are checked as it is opened: what is lost is lost there, mostly."""
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
        checksums: (N,) CRC-32 of each picture's pixels; None where they were not kept.
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

    A store appears under its final name only once complete. Whatever a killed build leaves behind is never opened; the
    next build of the same store goes on from it, to the same bytes. Of several processes one builds, and the others
    wait.

    As it is opened, a store's shape and its last pictures are checked; all its pictures, where :data:`CHECK` is set.

    Args:
        root: folder that ``files`` are relative to.
        files: POSIX paths; the rows follow their order.
        size: side S of the stored pictures, in pixels.
        cache: folder of all stores (see :func:`default_cache`); made if missing.
        boxes: (n, 4) x, y, width, height of the part of each picture to store (see above); None for whole pictures.
        workers: decoding threads, by default one for each core.
        progress: called after every picture while building.

    Raises:
        LeadError: no file is given, a box is empty, no picture can be decoded, the cache cannot be written or has no
            room, or the store in it is damaged.
    """
    if not files:
        raise LeadError(f"No pictures of {root} were asked for.")
    if size < 1:
        raise LeadError(f"Pictures cannot be stored at {size} pixels; give 1 or more.")
    parts = _boxes(files, boxes)
    folder = cache / _key(root, files, size, parts)
    if not folder.exists():
        try:
            _build(root, files, parts, size, folder, workers or cores(shared=False), progress)  # the others wait
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


def cores(*, shared: bool = True) -> int:
    """Processor cores that this process may use.

    Args:
        shared: whether others that torchrun started on this machine are as busy; each then has an equal part.
    """
    usable = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return max(usable // int(os.environ.get("LOCAL_WORLD_SIZE", "1")), 1) if shared else usable


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
    with alone(folder.with_name(f"{folder.name}.lock")):
        if folder.exists():  # another process has built it meanwhile
            return
        partial = folder.with_name(f"{folder.name}{_PARTIAL}")
        partial.mkdir(exist_ok=True)
        try:
            index = _write_pixels(partial, root, files, boxes, side, workers, progress)
            (partial / "index.json").write_text(json.dumps(index), encoding="utf-8")
            (partial / _ROWS).unlink()
            partial.rename(folder)
        except (LeadError, OSError):  # there is nothing to go on with, or no room
            shutil.rmtree(partial, ignore_errors=True)
            raise


_Entry = str | tuple[tuple[int, int], str, int, Box | None]
"""Of a picture that was skipped, the reason; of another its size, its SHA-256, its pixels' CRC-32, and its box."""


class _Index:
    """What is known of the pictures written so far."""

    def __init__(self) -> None:
        self.kept: list[str] = []
        self.sizes: list[Size] = []
        self.boxes: list[Box] = []
        self.skipped: list[tuple[str, str]] = []
        self.checksums: list[int] = []
        self._content = hashlib.sha256()

    def __len__(self) -> int:
        return len(self.kept) + len(self.skipped)

    def add(self, file: str, entry: _Entry) -> None:
        if isinstance(entry, str):
            self.skipped.append((file, entry))
            return
        (width, height), sha256, checksum, box = entry
        self.kept.append(file)
        self.sizes.append((width, height))
        self.checksums.append(checksum)
        self._content.update(bytes.fromhex(sha256))
        if box:
            x, y, w, h = box
            self.boxes.append((x, y, w, h))
            self._content.update(repr((x, y, w, h)).encode())

    def record(self) -> Record:
        """What the store keeps beside its pixels."""
        found: Record = {"files": self.kept, "sizes": self.sizes, "skipped": self.skipped}
        found |= {"digest": self._content.hexdigest(), "checksums": self.checksums}
        return found | {"boxes": self.boxes} if self.boxes else found


def _write_pixels(
    partial: Path,
    root: Path,
    files: Sequence[str],
    boxes: Sequence[Box | None],
    side: int,
    workers: int,
    progress: Progress | None,
) -> Record:
    """Decodes into ``partial`` and returns the index. Rows are written, not mapped: a full disk then is an error.

    The journal in it tells of :data:`CHUNK` pictures at a time, once their rows are written.
    """
    row, header = side * side * 3, io.BytesIO()
    shape = {"descr": "|u1", "fortran_order": False, "shape": (len(files), side, side, 3)}
    np.lib.format.write_array_header_1_0(header, shape)
    start = header.tell()
    path = partial / "pixels.npy"
    path.touch()
    with Journal(partial / _ROWS, {"store": FORMAT}) as journal, path.open("r+b") as out:
        index = _written_before(journal, partial / _ROWS, out, files, start, row)
        _check_room(partial, (len(files) - len(index)) * row)
        out.write(header.getvalue())
        out.seek(start + len(index.kept) * row)
        if progress and len(index):
            progress(len(index), len(files))
        entries: list[_Entry] = []
        for file, result in zip(
            files[len(index) :], _decoded(root, files, boxes, side, workers, len(index)), strict=True
        ):
            if isinstance(result, UnreadablePicture):
                entries.append(result.reason)
            else:
                out.write(result.pixels.data)
                entries.append((result.size, result.sha256.hex(), result.checksum, result.box))
            index.add(file, entries[-1])
            if len(entries) == CHUNK:
                out.flush()
                journal.append({"pictures": entries})
                entries = []
            if progress:
                progress(len(index), len(files))
        if not index.kept:
            raise none_readable(root, index.skipped)
        out.truncate(start + len(files) * row)  # rows of skipped pictures are a hole at the end, which takes no space
    return index.record()


def _written_before(journal: Journal, path: Path, out: BinaryIO, files: Sequence[str], start: int, row: int) -> _Index:
    """What an earlier build wrote, as far as its pixels are what they should be: a power cut may have lost some."""
    index = _Index()
    out.seek(start)
    for number, record in enumerate(read_records(path)):
        entries: list[_Entry] = record["pictures"]
        if any(zlib.crc32(out.read(row)) != entry[2] for entry in entries if not isinstance(entry, str)):
            journal.keep(number)
            break
        for entry in entries:
            index.add(files[len(index)], entry)
    out.seek(0)
    return index


def _check_room(folder: Path, needed: int) -> None:
    disk = shutil.disk_usage(folder)
    if disk.total > 0 and disk.free < needed:  # some file systems do not tell
        raise LeadError(
            f"Cannot store the pictures in {folder.parent}: {needed / 1e9:.1f} GB are needed and "
            f"{disk.free / 1e9:.1f} GB are free. Free space there, or set LEAD_CACHE to another folder."
        )


def _decoded(
    root: Path, files: Sequence[str], boxes: Sequence[Box | None], side: int, workers: int, first: int
) -> Iterator[_Row | UnreadablePicture]:
    """The pictures from one on, in order, decoded by threads; a few for each wait in memory."""
    waiting: deque[Future[_Row | UnreadablePicture]] = deque()
    pool = ThreadPoolExecutor(workers)
    try:
        for file, box in zip(files[first:], boxes[first:], strict=True):
            waiting.append(pool.submit(_decode_row, root / file, side, box))
            if len(waiting) >= 4 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


@dataclass(frozen=True)
class _Row:
    pixels: npt.NDArray[np.uint8]
    size: Size
    sha256: bytes
    checksum: int
    box: Box | None = None


def _decode_row(path: Path, side: int, box: Box | None) -> _Row | UnreadablePicture:
    try:
        with reading(path):
            data = path.read_bytes()
            if box:
                picture, size, box = decode_box(data, side, box)
            else:
                picture, size = decode_fitted(data, side)
    except UnreadablePicture as error:
        return error
    pixels = _in_square(picture, side)
    return _Row(pixels, size, hashlib.sha256(data).digest(), zlib.crc32(pixels.data), box)


def _in_square(picture: Image.Image, side: int) -> npt.NDArray[np.uint8]:
    """(side, side, 3) pixels: a fitted picture in the middle, its edges repeated."""
    pixels, (width, height) = np.asarray(picture), picture.size
    left, top = _margin(np.array(picture.size), side).tolist()
    right, bottom = left + width, top + height
    square = np.empty((side, side, 3), dtype=np.uint8)
    square[top:bottom, left:right] = pixels
    square[top:bottom, :left], square[top:bottom, right:] = pixels[:, :1], pixels[:, -1:]
    square[:top], square[bottom:] = square[top], square[bottom - 1]
    return square


def _margin(fitted: npt.NDArray[np.int64], side: int) -> npt.NDArray[np.int64]:
    """Pixels before (left of, above) a picture of ``fitted`` (..., 2) width and height in the middle of the square."""
    return (side - fitted) // 2


def _open(folder: Path) -> ImageStore:
    try:
        index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
        pixels = np.load(folder / "pixels.npy", mmap_mode="r")
        store = ImageStore(
            files=tuple(index["files"]),
            pixels=pixels[: len(index["files"])],
            sizes=np.array(index["sizes"], dtype=np.int64),
            skipped=tuple((file, reason) for file, reason in index["skipped"]),
            digest=index["digest"],
            boxes=np.array(index["boxes"], dtype=np.float64) if "boxes" in index else None,
            checksums=np.array(index["checksums"], dtype=np.uint32) if "checksums" in index else None,
        )
        _check(store, slice(None) if os.environ.get(CHECK) else slice(-_TAIL, None))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LeadError(
            f"The picture store {folder} is damaged ({error}). Delete that folder and run again."
        ) from error
    return store


def _check(store: ImageStore, part: slice) -> None:
    """Raises :class:`ValueError` where an opened store is not as it was built, as far as some of its rows tell."""
    count = len(store.files)
    if store.pixels.dtype != np.uint8 or store.pixels.ndim != 4:
        raise ValueError(f"its pixels are {store.pixels.dtype}, {store.pixels.shape}")
    parts = (store.pixels, store.sizes, store.boxes, store.checksums)
    if {len(part) for part in parts if part is not None} != {count}:
        raise ValueError("its files differ in how many pictures they hold")
    if store.checksums is None:
        return
    rows = range(count)[part]
    with ThreadPoolExecutor(cores()) as pool:
        found = pool.map(lambda row: zlib.crc32(store.pixels[row].data), rows)
        wrong = [row for row, checksum in zip(rows, found, strict=True) if checksum != store.checksums[row]]
    if wrong:
        raise ValueError(f"{len(wrong)} pictures are not as they were stored, the first is {store.files[wrong[0]]}")


def _remove_abandoned(cache: Path) -> None:
    for partial in cache.glob(f"*{_PARTIAL}"):
        try:
            silent = time.time() - max(path.stat().st_mtime for path in (partial, *partial.iterdir()))
            with (partial / _ROWS).open("ab") as rows:
                at_work = not lock(rows.fileno())  # a clock that has jumped makes any build look old
        except OSError:  # its own build finished or removed it meanwhile
            continue
        if silent > ABANDONED_AFTER_S and not at_work:
            shutil.rmtree(partial, ignore_errors=True)


def _cannot_write(error: OSError, cache: Path, needed: int) -> LeadError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        why = f"the disk is full, and {needed / 1e9:.1f} GB are needed"
    else:
        why = error.strerror or str(error)
    return LeadError(
        f"Cannot store the pictures in {cache}: {why}. Free space there, or set LEAD_CACHE to another folder."
    )
