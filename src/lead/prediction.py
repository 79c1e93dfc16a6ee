"""The one way from pictures to landmarks: overlapped, gone on with after a kill, shared by processes; films too.

The pictures make units of the model's batch, in the order in which they are listed; each film is one more. What a
unit holds does not depend on who looks at it, nor when. Where landmarks go to a file, a process appends each unit that
it has done to a part file beside it, and skips those that stand in any part with the same files, unchanged. Once all
units stand in parts, the process that sees it writes the file and removes the parts. So the file is the same whether
the work was interrupted or not, and however many processes shared it. A model is whatever finds landmarks in a store.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from lead.errors import LeadError
from lead.files import alone, cannot_write, lock_of
from lead.geometry import Size
from lead.images.changed import Unit, done_again, stamped
from lead.images.film import UnreadableFilm, films_need, open_film, stored_frames
from lead.images.find import Listed, listed
from lead.images.labels import save_labels
from lead.images.showing import DEFAULT, Showing
from lead.images.store import ImageStore, none_readable, stored_pictures
from lead.images.survey import survey
from lead.journal import Journal, Record, packed, read_header, read_records, unpacked
from lead.landmarks.io import check_target
from lead.landmarks.model import PREDICTED, Labels, Schema
from lead.linking import linked
from lead.reporting import Counting, Say, counted, unsaid
from lead.shards import Shard
from lead.smoothing import smoothed

VERSION = 4
"""Of the parts. Those of any other are begun anew."""
ENDING = ".part"
ARRAYS = ("xy", "visible", *PREDICTED, "likely")
"""What a unit's line holds of :class:`~lead.landmarks.Labels` besides names."""


class Model(Protocol):
    """What finds landmarks: :class:`lead.inference.Landmarker`."""

    @property
    def schema(self) -> Schema:
        """The landmarks."""

    @property
    def side(self) -> int:
        """Of the stored pictures that it looks at, in pixels."""

    @property
    def showing(self) -> Showing:
        """How the pictures that it learnt from were shown."""

    @property
    def batch(self) -> int:
        """Pictures that it looks at together."""

    def predict_store(self, store: ImageStore) -> Labels:
        """Landmarks of every picture of a store."""

    def digest(self) -> str:
        """Of everything that a landmark depends on besides its picture."""


@dataclass(frozen=True)
class Predicted:
    """Landmarks of all that was asked for.

    Attributes:
        root: folder that the pictures' names are relative to.
        pictures: landmarks of those pictures that can be read; None where there is none.
        films: landmarks of films by name, a row for each frame, called ``film.mp4#0`` and so on.
        sizes: (width, height) of pictures and frames, in pixels.
        skipped: (picture, reason) of those that cannot be read.
        unread: (picture, reason) of those that could be read once, but not again to be looked at closely: their
            landmarks and expected errors are those of a coarser look.
        broken: what to say of films that cannot be read, or not to their end.
        left_out: what else the folder holds that is not read, counted, in words; empty where there is nothing to tell.
        lost: what the format that they were written in cannot hold, in words.
        showing: how the pictures' values were shown.
        waiting: whether other processes still have some to do, or are writing it all; then this holds nothing.
    """

    root: Path
    pictures: Labels | None
    films: Mapping[str, Labels]
    sizes: Mapping[str, Size]
    skipped: tuple[tuple[str, str], ...]
    broken: tuple[str, ...]
    left_out: str = ""
    lost: tuple[str, ...] = ()
    unread: tuple[tuple[str, str], ...] = ()
    showing: Showing = DEFAULT
    waiting: bool = False

    @property
    def labels(self) -> Labels:
        """The landmarks of all: the pictures', then those of each film's frames.

        Raises:
            LeadError: other processes still have some to do.
        """
        if self.waiting:
            raise LeadError("Other processes still have some of the pictures to do: whichever is last writes them all.")
        return Labels.joined([*([self.pictures] if self.pictures else ()), *self.films.values()])


def predict(
    model: Model,
    pictures: Path | str | Sequence[Path | str],
    out: Path | None = None,
    *,
    format: str | None = None,
    overwrite: bool = False,
    shard: Shard | None = None,
    smooth: bool = False,
    counting: Counting | None = None,
    say: Say = unsaid,
) -> Predicted:
    """Landmarks of pictures and of films' frames; see :func:`lead.predict`."""
    if out:
        check_target(out, format=format, overwrite=overwrite)
    work = Work(model, listed(pictures), say, smooth=smooth)
    if out is None:
        return work.found([piece for _, piece in work.pieces(range(work.units), counting)])
    parts = Parts(work, out, shard or Shard(), say)
    parts.run(counting)
    with parts.all() as pieces:
        if pieces is None:
            return Predicted(work.asked.root, None, {}, {}, (), (), waiting=True)
        found = work.found(pieces)
        lost = save_labels(found.labels, out, sizes=found.sizes, format=format, overwrite=overwrite)
    return replace(found, lost=tuple(lost))


class Piece(NamedTuple):
    """What became of a unit.

    Attributes:
        labels: its landmarks; None where none of it can be read.
        sizes: (N, 2) width and height of each row's picture, in pixels.
        skipped: (picture, reason) of those that cannot be read.
        broken: why a film cannot be read, or not to its end.
        unread: (picture, reason) of those that could not be read again, to be looked at closely.
    """

    labels: Labels | None
    sizes: npt.NDArray[np.int64]
    skipped: Sequence[tuple[str, str]] = ()
    broken: str | None = None
    unread: Sequence[tuple[str, str]] = ()


class Work:
    """What a model is asked for, in units.

    Args:
        model: that finds landmarks.
        asked: pictures and films; films are left out where PyAV, which reads them, is not installed.
        say: told how values of more than 8 bits are shown, and what of the pictures is not looked at.

    Raises:
        LeadError: films are all that was asked for and PyAV is not installed.
    """

    def __init__(self, model: Model, asked: Listed, say: Say = unsaid, *, smooth: bool = False) -> None:
        self.model, self.smooth = model, smooth
        need = films_need() if asked.films else None
        if need and not asked.pictures:
            raise need
        self.left_out = [f"{counted(len(asked.films), 'film')} left out. {need}"] if need else []
        self.asked = asked._replace(films=[]) if need else asked
        files, batch = asked.pictures, model.batch
        self.chunks = [files[start : start + batch] for start in range(0, len(files), batch)]
        self.units = len(self.chunks) + len(self.asked.films)
        self.showing = survey(asked.root, files, model.showing, say)

    def identity(self) -> Record:
        """By which parts know what work they are of; which files it is of, each of their units says."""
        shown = {} if self.showing == DEFAULT else {"showing": repr(self.showing)}
        return {"model": self.model.digest(), "unit": self.model.batch, **shown}

    def files(self) -> list[Unit]:
        """Of each unit, as they are now."""
        return [stamped(self.asked.root, files) for files in (*self.chunks, *([film] for film in self.asked.films))]

    def length(self, unit: int) -> int:
        """Pictures in a unit; a film's frames do not count."""
        return len(self.chunks[unit]) if unit < len(self.chunks) else 0

    def pieces(self, units: Sequence[int], counting: Counting | None, before: int = 0) -> Generator[tuple[int, Piece]]:
        """What becomes of some units; the next pictures are decoded while the model looks at those before.

        Args:
            units: in ascending order.
            counting: asked once for ``"pictures"``, and once for each film by its name.
            before: pictures that were done already, to count from.
        """
        stills = [unit for unit in units if unit < len(self.chunks)]
        done, total = before, before + sum(map(self.length, stills))
        progress = counting("pictures") if counting and stills else None
        if progress and done:  # so that speed counts from here on
            progress(done, total)
        chunks = [self.chunks[unit] for unit in stills]
        with closing(stored_pictures(self.asked.root, chunks, self.model.side, showing=self.showing)) as stores:
            for unit, store in zip(stills, stores, strict=True):
                labels = self.model.predict_store(store) if len(store) else None
                unread = [(file, store.unread[file]) for file in store.files if file in store.unread]
                rows = [store.index(image) for image in labels.images] if labels else []
                yield unit, Piece(labels, store.sizes[rows], store.skipped, unread=unread)
                done += self.length(unit)
                if progress:
                    progress(done, total)
        for unit in units[len(stills) :]:
            yield unit, self._film(self.asked.films[unit - len(self.chunks)], counting)

    def _film(self, name: str, counting: Counting | None) -> Piece:
        progress = counting(name) if counting else None
        parts: list[Labels] = []
        size, done, broken = (0, 0), 0, None
        try:
            film = open_film(self.asked.root / name)
            size = film.size
            with closing(stored_frames(film, name, self.model.side, self.model.batch)) as stores:
                for store in stores:
                    parts.append(self.model.predict_store(store))
                    done += len(store)
                    if progress:
                        progress(done, max(done, film.count))
            if progress:
                progress(done, done)
        except UnreadableFilm as error:  # what came before the break is kept
            broken = str(error)
        labels = linked(Labels.joined(parts)) if parts else None
        sizes = np.tile(np.array(size, np.int64), (len(labels) if labels else 0, 1))
        return Piece(labels, sizes, broken=broken)

    def found(self, pieces: Sequence[Piece]) -> Predicted:
        """What became of all units, together.

        Raises:
            LeadError: nothing that was asked for can be read.
        """
        stills, films = pieces[: len(self.chunks)], pieces[len(self.chunks) :]
        found = [piece.labels for piece in stills if piece.labels]
        sizes = {
            image: (width, height)
            for piece in pieces
            if piece.labels
            for image, (width, height) in zip(piece.labels.images, piece.sizes.tolist(), strict=True)
        }
        predicted = Predicted(
            root=self.asked.root,
            pictures=Labels.joined(found) if found else None,
            films={
                name: smoothed(film.labels) if self.smooth else film.labels  # here, so that parts serve either way
                for name, film in zip(self.asked.films, films, strict=True)
                if film.labels
            },
            sizes=sizes,
            skipped=tuple(item for piece in stills for item in piece.skipped),
            unread=tuple(item for piece in stills for item in piece.unread),
            left_out=self.asked.left_out,
            broken=(*self.left_out, *(film.broken for film in films if film.broken)),
            showing=self.showing,
        )
        if not found and not predicted.films:
            raise self._nothing(predicted)
        return predicted

    def _nothing(self, predicted: Predicted) -> LeadError:
        if predicted.skipped:
            return none_readable(self.asked.root, predicted.skipped)
        if len(predicted.broken) == 1:
            return LeadError(predicted.broken[0])
        return LeadError(
            "\n".join([f"None of the {counted(len(self.asked.films), 'film')} can be read.", *predicted.broken])
        )


class Parts:
    """Work on its way to a file: :meth:`run`, then :meth:`all`.

    Args:
        work: to do.
        out: the file that it will be written to, beside which the parts stand.
        shard: which share of the work is this process's.
        say: told what was there already.
    """

    def __init__(self, work: Work, out: Path, shard: Shard, say: Say = unsaid) -> None:
        self.work, self.out, self.shard, self.say = work, out, shard, say
        self.header = {"lead part": VERSION, **work.identity()}
        self.files = work.files()
        self.unit_of = {files: unit for unit, files in enumerate(self.files)}
        own = "" if shard.of == 1 else f".{shard.number}of{shard.of}"
        self.path = out.with_name(f"{out.name}{own}{ENDING}")

    def run(self, counting: Counting | None = None) -> None:
        """Does what is left of this process's share. What is found is written by another thread meanwhile.

        Raises:
            LeadError: another process is at work on the same share, or the part cannot be written.
        """
        mine = range(self.shard.number - 1, self.work.units, self.shard.of)
        with self._part() as part, ThreadPoolExecutor(1) as writer:
            known = self._known()
            left = [unit for unit in mine if unit not in known]
            if kept := sum(map(self.work.length, known)):
                self.say(f"Done before: {kept:,} of {counted(len(self.work.asked.pictures), 'picture')}.")
            outdated = [files for files, _ in self._kept() if files not in self.unit_of]
            if outdated and (changes := done_again(outdated, self.files, known)):
                self.say(changes)
            before = sum(self.work.length(unit) for unit in mine if unit in known)
            written: Future[None] | None = None
            with closing(self.work.pieces(left, counting, before)) as pieces:
                for unit, piece in pieces:
                    if written:
                        written.result()
                    written = writer.submit(self._keep, part, unit, piece)
            if written:
                written.result()

    @contextmanager
    def all(self) -> Iterator[list[Piece] | None]:
        """The pieces of all units, to be written; None where another process has some to do, or has written them.

        The parts go once that is done. If it fails they stay, unless they hold nothing.
        """
        with self._last() as whole:
            if not whole:
                yield None
                return
            parts = self._parts()
            pieces = self._pieces()
            written = False
            try:
                yield pieces
                written = True
            finally:
                if written or not any(piece.labels for piece in pieces):
                    for path in parts:
                        path.unlink(missing_ok=True)
                        lock_of(path).unlink(missing_ok=True)  # which a killed process left

    def _part(self) -> Journal:
        """This process's part, to append to."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            part = Journal(self.path, self.header)
        except OSError as error:
            raise cannot_write(self.path, error) from error
        if part.replaced:
            self.say(f"{self.path} is of another model, or its pictures were shown otherwise: begun anew.")
        return part

    def _parts(self) -> list[Path]:
        """Those of the same work, of this process and of others."""
        name = re.compile(re.escape(self.out.name) + r"(\.\d+of\d+)?" + re.escape(ENDING))
        beside = sorted(path for path in self.out.parent.glob(f"*{ENDING}") if name.fullmatch(path.name))
        return [path for path in beside if read_header(path) == self.header]

    def _kept(self) -> Iterator[tuple[Unit, Record]]:
        """What stands in parts, after the files that it is of as they were then."""
        for path in self._parts():
            for record in read_records(path):
                yield tuple((name, length, time) for name, length, time in record["files"]), record

    def _pieces(self) -> list[Piece]:
        """What parts hold of each unit."""
        schema = self.work.model.schema
        pieces = {self.unit_of[of]: _piece(record, schema) for of, record in self._kept() if of in self.unit_of}
        return [pieces[unit] for unit in range(self.work.units)]

    def _known(self) -> set[int]:
        return {self.unit_of[files] for files, _ in self._kept() if files in self.unit_of}

    @contextmanager
    def _last(self) -> Iterator[bool]:
        """Whether all is done, and it is up to this process to write it: no other one does so meanwhile."""
        parts = self._parts()
        if len(self._known()) < self.work.units or not parts:
            yield False
            return
        with alone(lock_of(self.out)):
            yield len(self._known()) == self.work.units  # else another process has just written it all

    def _keep(self, part: Journal, unit: int, piece: Piece) -> None:
        try:
            part.append(_record(self.files[unit], piece))
        except OSError as error:
            raise cannot_write(self.path, error) from error


def _record(files: Unit, piece: Piece) -> Record:
    record: Record = {"files": files, "sizes": piece.sizes.tolist(), "skipped": piece.skipped, "broken": piece.broken}
    if piece.unread:
        record["unread"] = piece.unread
    if labels := piece.labels:
        record |= {"images": labels.images, "tracks": labels.tracks}
        arrays = {name: getattr(labels, name) for name in ARRAYS}
        record |= {name: None if array is None else packed(array) for name, array in arrays.items()}
    return record


def _piece(record: Record, schema: Schema) -> Piece:
    labels = None
    if "images" in record:
        arrays: dict[str, Any] = {name: None if record[name] is None else unpacked(record[name]) for name in ARRAYS}
        tracks = None if record["tracks"] is None else tuple(record["tracks"])
        labels = Labels(schema, tuple(record["images"]), **arrays, tracks=tracks)
    sizes = np.array(record["sizes"], dtype=np.int64).reshape(-1, 2)
    skipped, unread = ([(file, reason) for file, reason in record.get(name, ())] for name in ("skipped", "unread"))
    return Piece(labels, sizes, skipped, record["broken"], unread)
