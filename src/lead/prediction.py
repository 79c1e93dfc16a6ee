"""Landmarks of a large folder, some pictures after others: what is done outlives a kill, and processes can share it.

The pictures make units of :data:`lead.features.BATCH`, in the order in which they are listed; each film is one more.
What a unit holds does not depend on who looks at it, nor when. A process appends each unit that it has done to a part
file beside the output, and skips those that stand in any part. Once all units stand in parts, the process that sees it
writes the output and removes the parts. So the output is the same whether the work was interrupted or not, and however
many processes shared it.
"""

from __future__ import annotations

import base64
import hashlib
import io
import os
import re
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from lead.errors import LeadError
from lead.features import BATCH
from lead.files import cannot_write, lock
from lead.geometry import Size
from lead.images.film import UnreadableFilm, films_need, open_film
from lead.images.find import Listed
from lead.images.store import none_readable
from lead.inference import Landmarker
from lead.journal import Journal, Record, read_header, read_records
from lead.landmarks.model import Labels
from lead.reporting import Counting, Progress, Say, unsaid

VERSION = 1
"""Of the parts. Those of any other are begun anew."""
ENDING = ".part"
ARRAYS = ("xy", "visible", "score", "px_error", "px_90")
"""What a unit's line holds of :class:`~lead.landmarks.Labels` besides the pictures' names."""


@dataclass(frozen=True)
class Shard:
    """One of several processes that share the work.

    Attributes:
        number: from 1.
        of: how many there are.
    """

    number: int = 1
    of: int = 1

    @classmethod
    def parse(cls, text: str) -> Shard:
        """``"2/4"``. Raises :class:`LeadError` for anything else."""
        found = re.fullmatch(r"(\d+)/(\d+)", text)
        if not found or not 1 <= int(found[1]) <= int(found[2]):
            raise LeadError(f"{text!r} is no shard. Give its number and how many there are: 1/4, 2/4, 3/4 or 4/4, say.")
        return cls(int(found[1]), int(found[2]))

    @classmethod
    def of_environment(cls, environment: Mapping[str, str] = os.environ) -> Shard:
        """The one that torchrun, or SLURM's srun, makes of this process; the only one without them."""
        for number, of in (("RANK", "WORLD_SIZE"), ("SLURM_PROCID", "SLURM_STEP_NUM_TASKS")):
            if number in environment and of in environment:
                return cls(int(environment[number]) + 1, int(environment[of]))
        return cls()

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"


class Piece(NamedTuple):
    """What became of a unit.

    Attributes:
        labels: its landmarks; None where none of it can be read.
        sizes: (N, 2) width and height of their pictures, in pixels.
        skipped: (picture, reason) of those that cannot be read.
        broken: why a film cannot be read, or not to its end.
    """

    labels: Labels | None
    sizes: npt.NDArray[np.int64]
    skipped: Sequence[tuple[str, str]] = ()
    broken: str | None = None


class Found(NamedTuple):
    """Landmarks of all that was asked for.

    Attributes:
        labels: by film; those of all pictures under the name ``""``.
        sizes: (width, height) of pictures and frames, in pixels.
        skipped: (picture, reason) of those that cannot be read.
        broken: what to say of films that cannot be read, or not to their end.
    """

    labels: dict[str, Labels]
    sizes: dict[str, Size]
    skipped: list[tuple[str, str]]
    broken: list[str]


class Bulk:
    """A folder's landmarks on their way to a file: :meth:`run`, then :meth:`found`.

    Args:
        model: that finds them.
        asked: pictures and films.
        out: the file that they will be written to, beside which the parts stand.
        shard: which share of the work is this process's.
        say: told what was there already, and what is left out.

    Raises:
        LeadError: a film is all that was asked for and PyAV is not installed; another process is at work on the same
            share; or the part cannot be written.
    """

    def __init__(
        self,
        model: Landmarker,
        asked: Listed,
        out: Path,
        *,
        shard: Shard | None = None,
        say: Say = unsaid,
    ) -> None:
        self.model, self.shard, self.out, self.say = model, shard or Shard(), out, say
        self.asked = _without_films(asked, say)
        pictures = self.asked.pictures
        self.chunks = [pictures[start : start + BATCH] for start in range(0, len(pictures), BATCH)]
        self.units = len(self.chunks) + len(self.asked.films)
        work = {"model": model.digest(), "pictures": _listing(self.asked), "unit": BATCH}
        self.header = {"lead part": VERSION, **work}
        own = "" if self.shard.of == 1 else f".{self.shard.number}of{self.shard.of}"
        self.path = out.with_name(f"{out.name}{own}{ENDING}")

    def run(self, *, progress: Progress | None = None, film: Counting | None = None) -> None:
        """Does what is left of this process's share.

        Pictures are decoded ahead of the network, and what it finds is written behind it, in other threads.

        Args:
            progress: called with (pictures done, in all) of this share.
            film: makes what is called with (frames done, in all) of a film.
        """
        mine = range(self.shard.number - 1, self.units, self.shard.of)
        with self._part() as part, ThreadPoolExecutor(1) as writer:
            known = self._known()
            left = [unit for unit in mine if unit not in known]
            count = self._counter(mine, left, progress)
            if kept := sum(map(self._length, known)):
                self.say(f"{kept} of {len(self.asked.pictures)} pictures were done before.")
            written: Future[None] | None = None
            with closing(self._looked_at(left, film)) as pieces:
                for unit, piece in pieces:
                    if written:
                        written.result()
                    written = writer.submit(self._keep, part, unit, piece)
                    count(unit)
            if written:
                written.result()

    @contextmanager
    def found(self) -> Iterator[Found | None]:
        """Landmarks of everything, to be written; None where another process still has some to do, or has written them.

        The parts go once that is done.

        Raises:
            LeadError: nothing that was asked for can be read.
        """
        with self._last() as whole:
            if not whole:
                yield None
                return
            parts = self._parts()
            found = self._joined(self._pieces(parts))
            if found.labels:
                yield found
            for path in parts:
                path.unlink(missing_ok=True)
            if not found.labels:
                raise self._nothing(found)

    def _part(self) -> Journal:
        """This process's part, to append to."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            part = Journal(self.path, self.header)
        except BlockingIOError:
            raise LeadError(f"Another process is at work on {self.path}. Wait for it, or stop it first.") from None
        except OSError as error:
            raise cannot_write(self.path, error) from error
        if part.replaced:
            self.say(f"{self.path} is of another model, or of other pictures: begun anew.")
        return part

    def _parts(self) -> list[Path]:
        """Those of the same work, of this process and of others."""
        name = re.compile(re.escape(self.out.name) + r"(\.\d+of\d+)?" + re.escape(ENDING))
        beside = sorted(path for path in self.out.parent.glob(f"*{ENDING}") if name.fullmatch(path.name))
        return [path for path in beside if read_header(path) == self.header]

    def _pieces(self, parts: Sequence[Path]) -> list[Piece]:
        """What parts hold of each unit."""
        pieces: dict[int, Piece] = {}
        for path in parts:
            for record in read_records(path):
                pieces[record["unit"]] = _piece(record, self.model)
        return [pieces[unit] for unit in range(self.units)]

    def _known(self) -> set[int]:
        return {record["unit"] for path in self._parts() for record in read_records(path)}

    @contextmanager
    def _last(self) -> Iterator[bool]:
        """Whether all is done, and it is up to this process to write it: no other one does so meanwhile."""
        parts = self._parts()
        if len(self._known()) < self.units or not parts:
            yield False
            return
        try:
            first = parts[0].open("r+b")
        except FileNotFoundError:  # another process has just written it all
            yield False
            return
        with first:
            lock(first.fileno(), wait=True)
            yield len(self._known()) == self.units

    def _looked_at(self, units: Sequence[int], film: Counting | None) -> Generator[tuple[int, Piece]]:
        chunks = [unit for unit in units if unit < len(self.chunks)]
        with closing(self.model.predict_pictures(self.asked.root, [self.chunks[unit] for unit in chunks])) as looked:
            for unit, (store, labels) in zip(chunks, looked, strict=True):
                yield unit, Piece(labels, store.sizes, store.skipped)
        for unit in units[len(chunks) :]:
            name = self.asked.films[unit - len(self.chunks)]
            yield unit, self._film(name, film(name) if film else None)

    def _film(self, name: str, progress: Progress | None) -> Piece:
        parts: list[Labels] = []
        path, broken = self.asked.root / name, None
        try:
            for labels in self.model.predict_film(path, name, progress=progress):
                parts.append(labels)  # one by one: those before a break are kept
        except UnreadableFilm as error:
            broken = str(error)
        if not parts:
            return Piece(None, np.zeros((0, 2), np.int64), broken=broken)
        joined = Labels.joined(parts)
        return Piece(joined, np.tile(np.array(open_film(path).size, np.int64), (len(joined), 1)), broken=broken)

    def _keep(self, part: Journal, unit: int, piece: Piece) -> None:
        try:
            part.append(_record(unit, piece))
        except OSError as error:
            raise cannot_write(self.path, error) from error

    def _length(self, unit: int) -> int:
        """Pictures in a unit."""
        return len(self.chunks[unit]) if unit < len(self.chunks) else 0

    def _counter(self, mine: Sequence[int], left: Sequence[int], progress: Progress | None) -> Callable[[int], None]:
        total = sum(map(self._length, mine))
        done = total - sum(map(self._length, left))

        def count(unit: int) -> None:
            nonlocal done
            done += self._length(unit)
            if progress and self._length(unit):
                progress(done, total)

        if progress and 0 < done < total:  # so that speed is told from here on
            progress(done, total)
        return count

    def _joined(self, pieces: Sequence[Piece]) -> Found:
        stills, films = pieces[: len(self.chunks)], pieces[len(self.chunks) :]
        labels: dict[str, Labels] = {}
        if some := [piece.labels for piece in stills if piece.labels]:
            labels[""] = Labels.joined(some)
        labels |= {name: film.labels for name, film in zip(self.asked.films, films, strict=True) if film.labels}
        sizes = {
            image: (width, height)
            for piece in pieces
            if piece.labels
            for image, (width, height) in zip(piece.labels.images, piece.sizes.tolist(), strict=True)
        }
        skipped = [item for piece in stills for item in piece.skipped]
        return Found(labels, sizes, skipped, [film.broken for film in films if film.broken])

    def _nothing(self, found: Found) -> LeadError:
        if found.skipped:
            return none_readable(self.asked.root, found.skipped)
        if len(found.broken) == 1:
            return LeadError(found.broken[0])
        return LeadError("\n".join([f"None of the {len(self.asked.films)} films can be read.", *found.broken]))


def _without_films(asked: Listed, say: Say) -> Listed:
    """What was asked for, as far as what is installed can read it."""
    need = films_need() if asked.films else None
    if need is None:
        return asked
    if not asked.pictures:
        raise need
    say(f"{len(asked.films)} film{'' if len(asked.films) == 1 else 's'} left out. {need}")
    return asked._replace(films=[])


def _listing(asked: Listed) -> str:
    """Digest of names, lengths and times of last change; not of the folder's own path: machines may differ in it."""
    content = hashlib.sha256()
    for file in (*asked.pictures, *asked.films):
        told: tuple[int, int] | None = None
        with suppress(OSError):
            status = (asked.root / file).stat()
            told = (status.st_size, status.st_mtime_ns)
        content.update(repr((file, told)).encode())
    return content.hexdigest()[:32]


def _record(unit: int, piece: Piece) -> Record:
    record: Record = {"unit": unit, "sizes": piece.sizes.tolist(), "skipped": piece.skipped, "broken": piece.broken}
    if labels := piece.labels:
        record["images"] = labels.images
        arrays = {name: getattr(labels, name) for name in ARRAYS}
        record |= {name: None if array is None else _packed(array) for name, array in arrays.items()}
    return record


def _piece(record: Record, model: Landmarker) -> Piece:
    labels = None
    if "images" in record:
        arrays = {name: None if record[name] is None else _unpacked(record[name]) for name in ARRAYS}
        labels = Labels(model.schema, tuple(record["images"]), **arrays)  # type: ignore[arg-type]
    sizes = np.array(record["sizes"], dtype=np.int64).reshape(-1, 2)
    return Piece(labels, sizes, [(file, reason) for file, reason in record["skipped"]], record["broken"])


def _packed(array: npt.NDArray[Any]) -> str:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return base64.b64encode(buffer.getvalue()).decode()


def _unpacked(text: str) -> npt.NDArray[Any]:
    array: npt.NDArray[Any] = np.load(io.BytesIO(base64.b64decode(text)), allow_pickle=False)
    return array
