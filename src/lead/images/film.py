"""Films, a frame at a time, in order and upright; the memory it takes does not grow with a film's length."""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from lead.errors import LeadError, needs_extra
from lead.files import replacing
from lead.images.store import ImageStore, store_of
from lead.landmarks.frames import frame_name
from lead.reporting import counted

if TYPE_CHECKING:
    from types import ModuleType

    from av import FFmpegError, VideoFrame  # an extra
    from av.container import InputContainer
    from av.video.stream import VideoStream

    from lead.geometry import Size

_RATE = Fraction(25)
"""Frames a second, of a film that does not say."""
CHUNK_BYTES = 128 * 2**20
"""Memory for the frames that are looked at together, and again for those that are decoded meanwhile."""
_EARLY = 0.05
"""A film that lacks more than such a share of its length was cut off."""
# How to turn and mirror stored pixels, by the matrix that the film asks for: (a, b, c, d) takes a pixel (x, y) to
# (a x + c y, b x + d y), y growing down. Pillow's angles are counterclockwise.
_UPRIGHT = {
    (1, 0, 0, 1): None,
    (-1, 0, 0, 1): Image.Transpose.FLIP_LEFT_RIGHT,
    (1, 0, 0, -1): Image.Transpose.FLIP_TOP_BOTTOM,
    (-1, 0, 0, -1): Image.Transpose.ROTATE_180,
    (0, 1, -1, 0): Image.Transpose.ROTATE_270,
    (0, -1, 1, 0): Image.Transpose.ROTATE_90,
    (0, 1, 1, 0): Image.Transpose.TRANSPOSE,
    (0, -1, -1, 0): Image.Transpose.TRANSVERSE,
}


class UnreadableFilm(LeadError):
    """A film that cannot be decoded, or not to its end.

    Attributes:
        reason: why, without the file's name.
    """

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"Cannot read the film {path}: {reason}. Copy or convert it anew, or leave it out.")
        self.reason = reason


@dataclass(frozen=True)
class Film:
    """What is known of a film before it is read through.

    Attributes:
        path: of the file.
        size: (width, height) in pixels, upright.
        rate: frames a second.
        count: frames, as its header says or its length and rate suggest; 0 where neither is known.
    """

    path: Path
    size: Size
    rate: Fraction
    count: int


def open_film(path: Path) -> Film:
    """Reads a film's header and its first frame.

    Raises:
        UnreadableFilm: it is missing, damaged, no film, or holds no frame.
        LeadError: PyAV is not installed.
    """
    av = _av()
    try:
        with av.open(str(path)) as container:
            stream = _pictures_of(path, container)
            rate = stream.average_rate or stream.guessed_rate or _RATE
            seconds = float((stream.duration or 0) * (stream.time_base or 0)) or (container.duration or 0) / 1e6
            count = stream.frames or round(seconds * rate)
    except av.FFmpegError as error:
        raise UnreadableFilm(path, _reason(error, 0)) from error
    with closing(frames(path, [0])) as first:
        for _, picture in first:
            return Film(path, picture.size, rate, count)
    raise UnreadableFilm(path, "it holds no frame")


def frames(path: Path, numbers: Collection[int] | None = None) -> Generator[tuple[int, Image.Image]]:
    """The frames of a film with their numbers from 0, in RGB, turned and mirrored as the film asks for.

    Args:
        path: of the file.
        numbers: only these; nothing after the last of them is read.

    Raises:
        UnreadableFilm: it is missing or damaged, be it after some of its frames. See :func:`open_film`.
    """
    wanted = None if numbers is None else set(numbers)
    last = max(wanted, default=-1) if wanted is not None else None
    if last == -1:
        return
    with closing(decoded(path)) as stored:
        for number, frame in enumerate(stored):
            if wanted is None or number in wanted:
                yield number, upright_frame(frame)
            if number == last:
                return


def decoded(path: Path) -> Generator[VideoFrame]:
    """The frames as they are stored, for :func:`thumbnail`; else as :func:`frames`."""
    av = _av()
    done, frame = 0, None
    try:
        with av.open(str(path)) as container:
            stream = _pictures_of(path, container)
            stream.thread_type = "AUTO"
            for frame in container.decode(stream):
                yield frame
                done += 1
            # A file that was cut short may end without an error.
            if frame is not None and _ends_early(stream, frame):
                raise UnreadableFilm(path, _broken(done))
    except av.FFmpegError as error:
        raise UnreadableFilm(path, _reason(error, done)) from error


@contextmanager
def reading_film(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """A film opened, and its pictures in it; what goes wrong before anything is decoded is an UnreadableFilm."""
    av = _av()
    try:
        with av.open(str(path)) as container:
            yield container, _pictures_of(path, container)
    except av.FFmpegError as error:
        raise UnreadableFilm(path, _reason(error, 0)) from error


def stored_frames(film: Film, name: str, side: int, most: int, *, memory: int = CHUNK_BYTES) -> Generator[ImageStore]:
    """A film as stores in memory, one after the other; the next is made while one is looked at.

    Args:
        film: to read through.
        name: of it, by which the frames are called (see :mod:`lead.landmarks.frames`).
        side: of the stored pictures, in pixels.
        most: frames in a store; fewer where they are large.
        memory: for the frames of a store, in bytes.

    Raises:
        UnreadableFilm: it is damaged, be it after some of its frames, which come first.
    """
    count = min(most, max(memory // (4 * film.size[0] * film.size[1]), 1))  # Pillow takes 4 bytes a pixel
    return _ahead(_stores(film.path, name, side, count))


def _stores(path: Path, name: str, side: int, count: int) -> Generator[ImageStore]:
    with closing(frames(path)) as read:
        while True:
            some: list[tuple[int, Image.Image]] = []
            broken: UnreadableFilm | None = None
            try:
                for numbered in islice(read, count):
                    some.append(numbered)  # one by one: those before a break are kept
            except UnreadableFilm as error:
                broken = error
            if some:
                names = [frame_name(name, number) for number, _ in some]
                yield store_of([picture for _, picture in some], names, side)
            if broken:
                raise broken
            if len(some) < count:
                return


def _ahead(items: Generator[ImageStore]) -> Generator[ImageStore]:
    """The same, each made in another thread while the one before it is in use."""
    with closing(items), ThreadPoolExecutor(1) as thread:
        coming = thread.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = thread.submit(next, items, None)
            yield item


def thumbnail(frame: VideoFrame, side: int) -> npt.NDArray[np.uint8]:
    """(side, side, 3) pixels: a frame stretched to a small square, averaged over what a pixel covers, not turned."""
    small = frame.reformat(width=side, height=side, format="rgb24", interpolation="AREA")
    return np.asarray(small.to_ndarray(), dtype=np.uint8)


def write_film(path: Path, pictures: Iterable[Image.Image], size: Size, rate: Fraction) -> None:
    """Writes a film (MP4), whole or not at all: H.264 where PyAV has it, else MPEG-4.

    Args:
        path: of the file; one that is there is replaced.
        pictures: its frames, in RGB, all of ``size``.
        size: (width, height) in pixels.
        rate: frames a second.
    """
    av = _av()
    codec = "libx264" if "libx264" in av.codecs_available else "mpeg4"
    with replacing(path) as partial, av.open(str(partial), "w", format="mp4") as container:
        stream = container.add_stream(codec, rate=rate.limit_denominator(1001))
        stream.width, stream.height = size
        # Colours at half the resolution, as every player has it, need even sides, which H.264 insists on.
        whole = codec == "libx264" and any(side % 2 for side in size)
        stream.pix_fmt = "yuv444p" if whole else "yuv420p"
        if codec != "libx264":  # which goes by quality; this by bits, of which it takes too few unless told
            stream.bit_rate = round(size[0] * size[1] * rate / 4)
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_image(picture)))
        container.mux(stream.encode())


def films_need() -> LeadError | None:
    """What must be installed before films can be read; None where all is."""
    try:
        import av  # noqa: F401
    except ModuleNotFoundError:
        return needs_extra("Films", "film")
    return None


def _av() -> ModuleType:
    if need := films_need():
        raise need
    import av

    return av


def _pictures_of(path: Path, container: InputContainer) -> VideoStream:
    if not container.streams.video:
        raise UnreadableFilm(path, "it holds no pictures")
    return container.streams.video[0]


def upright_frame(frame: VideoFrame) -> Image.Image:
    """A decoded frame in RGB, turned and mirrored as the film asks for."""
    turn = _turn(frame)
    picture = Image.fromarray(np.asarray(frame.to_ndarray(format="rgb24"), dtype=np.uint8))
    return picture if turn is None else picture.transpose(turn)


def _turn(frame: VideoFrame) -> Image.Transpose | None:
    """How to show a frame: that of the eight ways that comes nearest to the film's matrix."""
    extras: Any = frame.side_data  # a mapping, which PyAV declares to be one entry of it
    if "DISPLAYMATRIX" not in extras:
        return None
    matrix = np.frombuffer(bytes(extras["DISPLAYMATRIX"]), dtype=np.int32)  # 3 × 3, a row after the other
    asked = matrix[[0, 1, 3, 4]].astype(np.float64)
    return _UPRIGHT[max(_UPRIGHT, key=lambda way: float(asked @ way))]


def _ends_early(stream: VideoStream, last: VideoFrame) -> bool:
    """Whether a film's last frame is well before the end of which its header tells."""
    if not stream.frames or stream.duration is None or last.pts is None:  # it tells of none, or guesses
        return False
    missing = (stream.start_time or 0) + stream.duration - (last.pts + last.duration)
    return missing > _EARLY * stream.duration


def _broken(done: int) -> str:
    return f"it breaks off after {counted(done, 'frame')}"


def _reason(error: FFmpegError, done: int) -> str:
    if done:
        return _broken(done)
    known = isinstance(error, OSError)  # a file that is not there, say
    return error.strerror if known and error.strerror else "its content is not that of a film, or not all of it"
