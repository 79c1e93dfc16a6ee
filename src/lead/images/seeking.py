"""Any frame of a film at once, without decoding all that comes before it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from lead.errors import LeadError
from lead.images.film import UnreadableFilm, frames, reading_film, upright_frame


@dataclass(frozen=True)
class Index:
    """When each frame of a film is shown, read off its packets; nothing is decoded for it.

    Frames have the numbers that :func:`lead.images.film.frames` gives them.

    Attributes:
        path: of the film.
        times: of each frame, ascending, in the film's own unit; None where the film does not tell, and frames can be
            found only from its beginning on.
        starts: times of the frames that can be decoded by themselves, ascending.
        count: of frames.
    """

    path: Path
    times: tuple[int, ...] | None
    starts: tuple[int, ...]
    count: int

    @classmethod
    def of(cls, path: Path) -> Index:
        """Reads a film's packets.

        Raises:
            UnreadableFilm: it is missing or damaged, or no film.
            LeadError: PyAV is not installed.
        """
        times: list[int | None] = []
        starts: list[int] = []
        with reading_film(path) as (container, stream):
            for packet in container.demux(stream):
                if not packet.size or packet.is_discard:
                    continue
                times.append(packet.pts)
                if packet.is_keyframe and packet.pts is not None:
                    starts.append(packet.pts)
        if not times:
            raise UnreadableFilm(path, "it holds no frame")
        known = sorted(time for time in times if time is not None)
        timed = len(known) == len(times) == len(set(known)) and starts
        return cls(path, tuple(known) if timed else None, tuple(sorted(starts)), len(times))

    def frame(self, number: int) -> Image.Image:
        """A frame in RGB, turned and mirrored as the film asks for.

        Raises:
            LeadError: the film has no such frame.
            UnreadableFilm: it cannot be decoded.
        """
        if not 0 <= number < self.count:
            raise LeadError(f"{self.path.name} has no frame {number}: its frames are 0 to {self.count - 1}.")
        return self._sought(number) or self._counted(number)

    def frames(self, numbers: Iterable[int]) -> Generator[tuple[int, Image.Image]]:
        """Some frames with their numbers, ascending; what lies between two of them is skipped where it can be.

        Raises:
            UnreadableFilm: one cannot be decoded; those before it come first.
        """
        left = sorted({number for number in numbers if 0 <= number < self.count})
        if self.times is not None:
            for number, picture in self._in_passing(left):
                yield number, picture
                left = left[1:]
        if left:
            yield from frames(self.path, left)

    def _in_passing(self, numbers: Sequence[int]) -> Generator[tuple[int, Image.Image]]:
        """The first of some ascending frames, as far as each is found where it should be."""
        assert self.times is not None
        if not numbers:
            return
        with reading_film(self.path) as (container, stream):
            decoded = None
            at = 0
            for number in numbers:
                wanted = self.times[number]
                before = self.starts[max(bisect_right(self.starts, wanted) - 1, 0)]
                if decoded is None or before > at:
                    container.seek(before, stream=stream)
                    decoded = container.decode(stream)
                for frame in decoded:
                    if frame.pts is None or frame.pts > wanted:
                        return
                    at = frame.pts
                    if at == wanted:
                        yield number, upright_frame(frame)
                        break
                else:
                    return

    def _sought(self, number: int) -> Image.Image | None:
        if self.times is None:
            return None
        wanted = self.times[number]
        before = self.starts[max(bisect_right(self.starts, wanted) - 1, 0)]
        with reading_film(self.path) as (container, stream):
            container.seek(before, stream=stream)
            for frame in container.decode(stream):
                if frame.pts == wanted:
                    return upright_frame(frame)
                if frame.pts is None or frame.pts > wanted:
                    return None
        return None

    def _counted(self, number: int) -> Image.Image:
        with closing(frames(self.path, [number])) as found:
            for _, picture in found:
                return picture
        raise UnreadableFilm(self.path, f"its frame {number} cannot be decoded")
