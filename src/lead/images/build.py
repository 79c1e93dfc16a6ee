"""Stores of pictures in the cache: opened, built, gone on with after a kill, checked, removed."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import shutil
import time
import zlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
import numpy.typing as npt

from lead.errors import LeadError
from lead.files import alone
from lead.images.decode import (
    Box,
    UnreadablePicture,
)
from lead.journal import Journal, Record, read_records

if TYPE_CHECKING:  # torch, which it needs, takes seconds to import
    from lead.geometry import Size

from lead.images.rows import DecodedRow, decode_row
from lead.images.showing import DEFAULT, Showing
from lead.images.store import ImageStore, none_readable
from lead.reporting import Progress, counted
from lead.tuning import cores

FORMAT = 2
"""Raised whenever a store's pixels or index change meaning, so that older ones are built anew."""
CHUNK = 256
"""Pictures that a killed build loses at most."""
ABANDONED_AFTER_S = 7 * 24 * 3600.0
"""A build that nobody went on with for so long is removed."""
CHECK = "LEAD_CHECK_STORES"
"""Set in the environment, every picture of a store is checked as it is opened; else the last ones are."""


Known = Callable[[str], DecodedRow | None]
_Decoder = Callable[[int], Iterator[DecodedRow | UnreadablePicture]]
"""Of the pictures to store, those from a given one on."""

_PARTIAL, _ROWS = ".partial", "rows.jsonl"


_TAIL = 16
"""Pictures at a store's end that are checked as it is opened: what is lost is lost there, mostly."""


def open_store(
    root: Path,
    files: Sequence[str],
    size: int,
    cache: Path,
    *,
    boxes: npt.ArrayLike | None = None,
    showing: Showing = DEFAULT,
    workers: int | None = None,
    progress: Progress | None = None,
    chunk: int = CHUNK,
    known: Known | None = None,
) -> ImageStore:
    """The store of some pictures: built on the first call, mapped into memory at once on the next.

    A store is found again by its folder, the picture size, the boxes, how values are shown, and each file's name,
    length, time of last change and permissions. Reading every byte to compare would take as long as decoding; a file
    changed in place with both its length and its nanosecond time kept would go unnoticed, which no ordinary tool does.
    The content itself is summed up in :attr:`ImageStore.digest`.

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
        showing: how the pictures' values are shown; of a folder, what :func:`lead.images.survey.survey` finds.
        workers: decoding threads, by default one for each core.
        progress: called after every picture while building.
        chunk: pictures that a killed build loses at most.
        known: the row of a whole picture where it is known already, from a store of some of the same files, say (see
            :meth:`ImageStore.decoded_row`); such a picture is not decoded again.

    Raises:
        LeadError: no file is given, a box is empty, no picture can be decoded, the cache cannot be written or has no
            room, or the store in it is damaged.
    """
    if not files:
        raise LeadError(f"No pictures of {root} were asked for.")
    if size < 1:
        raise LeadError(f"Pictures cannot be stored at {size} pixels; give 1 or more.")
    parts = _boxes(files, boxes)
    folder = cache / _key(root, files, size, parts, showing)
    if not folder.exists():
        try:
            decoded = partial(_decoded, root, files, parts, size, showing, workers or cores(shared=False), known)
            _build(root, files, decoded, size, showing, folder, progress, chunk)  # the others wait
        except OSError as error:
            raise _cannot_write(error, cache, len(files) * size * size * 3) from error
    return replace(_open(folder), root=root, showing=showing)


def _boxes(files: Sequence[str], boxes: npt.ArrayLike | None) -> list[Box | None]:
    if boxes is None:
        return [None] * len(files)
    table = np.asarray(boxes, dtype=np.float64)
    if table.shape != (len(files), 4):
        raise LeadError(
            f"{counted(len(files), 'picture needs', 'pictures need')} as many boxes of x, y, width, height; got an "
            f"array {table.shape}."
        )
    usable = np.isfinite(table[:, :2]).all(1) & (table[:, 2:] > 0).all(1)
    for row in np.flatnonzero(~usable)[:1]:
        raise LeadError(
            f"{files[row]}: the box {', '.join(f'{value:g}' for value in table[row])} (x, y, width, height) is empty "
            f"({(~usable).sum()} such boxes in all). Correct the boxes, or leave those pictures out."
        )
    return [(x, y, width, height) for x, y, width, height in table.tolist()]


def _key(root: Path, files: Sequence[str], side: int, boxes: Sequence[Box | None], showing: Showing) -> str:
    listing: list[tuple[str, ...]] = [(str(FORMAT), str(side), str(root.resolve()), repr(showing))]
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
    decoded: _Decoder,
    side: int,
    showing: Showing,
    folder: Path,
    progress: Progress | None,
    chunk: int,
) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(folder.parent)
    with alone(_lock(folder)):
        if folder.exists():  # another process has built it meanwhile
            return
        begun = folder.with_name(f"{folder.name}{_PARTIAL}")
        begun.mkdir(exist_ok=True)
        try:
            index = _write_pixels(begun, root, files, decoded, side, showing, progress, chunk)
            (begun / "index.json").write_text(json.dumps(index), encoding="utf-8")
            (begun / _ROWS).unlink()
            begun.rename(folder)
        except (LeadError, OSError):  # there is nothing to go on with, or no room
            shutil.rmtree(begun, ignore_errors=True)
            raise


_Entry = str | tuple[tuple[int, int], str, int, Box | None]
"""Of a picture that was skipped, the reason; of another its size, its SHA-256, its pixels' CRC-32, and its box."""


class _Index:
    """What is known of the pictures written so far."""

    def __init__(self, showing: Showing) -> None:
        self.kept: list[str] = []
        self.sizes: list[Size] = []
        self.boxes: list[Box] = []
        self.skipped: list[tuple[str, str]] = []
        self.checksums: list[int] = []
        self.contents: list[str] = []
        self._content = hashlib.sha256(b"" if showing == DEFAULT else repr(showing).encode())

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
        self.contents.append(sha256)
        self._content.update(bytes.fromhex(sha256))
        if box:
            x, y, w, h = box
            self.boxes.append((x, y, w, h))
            self._content.update(repr((x, y, w, h)).encode())

    def record(self) -> Record:
        """What the store keeps beside its pixels."""
        found: Record = {"files": self.kept, "sizes": self.sizes, "skipped": self.skipped}
        found |= {"digest": self._content.hexdigest(), "checksums": self.checksums, "contents": self.contents}
        return found | {"boxes": self.boxes} if self.boxes else found


def _write_pixels(
    begun: Path,
    root: Path,
    files: Sequence[str],
    decoded: _Decoder,
    side: int,
    showing: Showing,
    progress: Progress | None,
    chunk: int,
) -> Record:
    """Decodes into ``begun`` and returns the index. Rows are written, not mapped: a full disk then is an error.

    The journal in it tells of ``chunk`` pictures at a time, once their rows are written.
    """
    row, header = side * side * 3, io.BytesIO()
    shape = {"descr": "|u1", "fortran_order": False, "shape": (len(files), side, side, 3)}
    np.lib.format.write_array_header_1_0(header, shape)
    start = header.tell()
    path = begun / "pixels.npy"
    path.touch()
    with Journal(begun / _ROWS, {"store": FORMAT}) as journal, path.open("r+b") as out:
        index = _written_before(journal, begun / _ROWS, out, _Index(showing), files, start, row)
        _check_room(begun, (len(files) - len(index)) * row)
        out.write(header.getvalue())
        out.seek(start + len(index.kept) * row)
        if progress and len(index):
            progress(len(index), len(files))
        entries: list[_Entry] = []
        for file, result in zip(files[len(index) :], decoded(len(index)), strict=True):
            if isinstance(result, UnreadablePicture):
                entries.append(result.reason)
            else:
                out.write(result.pixels.data)
                entries.append((result.size, result.sha256.hex(), result.checksum, result.box))
            index.add(file, entries[-1])
            if len(entries) == chunk:
                out.flush()
                journal.append({"pictures": entries})
                entries = []
            if progress:
                progress(len(index), len(files))
        if not index.kept:
            raise none_readable(root, index.skipped)
        out.truncate(start + len(files) * row)  # rows of skipped pictures are a hole at the end, which takes no space
    return index.record()


def _written_before(
    journal: Journal, path: Path, out: BinaryIO, index: _Index, files: Sequence[str], start: int, row: int
) -> _Index:
    """What an earlier build wrote, as far as its pixels are what they should be: a power cut may have lost some."""
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
    root: Path,
    files: Sequence[str],
    boxes: Sequence[Box | None],
    side: int,
    showing: Showing,
    workers: int,
    known: Known | None,
    first: int,
) -> Iterator[DecodedRow | UnreadablePicture]:
    """The pictures from one on, in order, decoded by threads; a few for each wait in memory."""

    def row(file: str, box: Box | None) -> DecodedRow | UnreadablePicture:
        return (known and box is None and known(file)) or decode_row(root / file, side, box, showing)

    waiting: deque[Future[DecodedRow | UnreadablePicture]] = deque()
    pool = ThreadPoolExecutor(workers)
    try:
        for file, box in zip(files[first:], boxes[first:], strict=True):
            waiting.append(pool.submit(row, file, box))
            if len(waiting) >= 4 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


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
            contents=tuple(index["contents"]) if "contents" in index else None,
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
        raise ValueError(
            f"{counted(len(wrong), 'picture is not as it was', 'pictures are not as they were')} stored, the first is "
            f"{store.files[wrong[0]]}"
        )


def _lock(folder: Path) -> Path:
    """Of a store, or of the build that will be it."""
    return folder.with_suffix(".lock")


def _remove_abandoned(cache: Path) -> None:
    for begun in cache.glob(f"*{_PARTIAL}"):
        try:
            silent = time.time() - max(path.stat().st_mtime for path in (begun, *begun.iterdir()))
            if silent > ABANDONED_AFTER_S:
                with alone(_lock(begun), wait_s=0):  # a clock that has jumped makes any build look old
                    shutil.rmtree(begun, ignore_errors=True)
        except (OSError, LeadError):  # its own build finished or removed it meanwhile, or is at work
            continue


def _cannot_write(error: OSError, cache: Path, needed: int) -> LeadError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        why = f"the disk is full, and {needed / 1e9:.1f} GB are needed"
    else:
        why = error.strerror or str(error)
    return LeadError(
        f"Cannot store the pictures in {cache}: {why}. Free space there, or set LEAD_CACHE to another folder."
    )
