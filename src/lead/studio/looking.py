"""Further looks: labelled pictures shown again without their labels, kept in files of their own beside the label file.

The files are those of :mod:`lead.landmarks.looks`. They are read anew for every answer, so that what another program
did to them counts, and written whole or not at all; the label file is never touched.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np

from lead.errors import LeadError, NotThere
from lead.files import read_text, write_atomic
from lead.landmarks import coco
from lead.landmarks import looks as look_files
from lead.landmarks.looks import LookHeader
from lead.landmarks.model import HIDDEN, UNLABELLED, VISIBLE, Labels, Schema
from lead.studio.book import LabelBook
from lead.studio.changing import size_for
from lead.studio.contents import Contents
from lead.studio.label_messages import Point
from lead.studio.look_messages import LookDifference, LookResult, LookSeries, LookStart, LookState

SEVERAL = "Looks are compared picture by picture, and pictures show several specimens here."
NOTHING = "No picture has a label that you placed yourself. Label some first."


class LookShelf:
    """The further looks of a label book. Any thread may call; changes are made one after the other."""

    def __init__(self, book: LabelBook) -> None:
        self._book = book
        self._changing = threading.Lock()

    def state(self) -> LookState:
        """All looks, and whether another can be begun."""
        contents = self._book.contents
        problems: list[str] = []
        series = [self._series(path, said) for path, said in self._headers(problems)]
        count = len(_labelled(contents))
        refused = SEVERAL if contents.landmarks.several else None if count else NOTHING
        return LookState(series=series, labelled=count, refused=refused, problems=problems)

    def begin(self, wanted: LookStart) -> LookSeries:
        """Draws pictures, and begins a file.

        Raises:
            LeadError: there is nothing to look at, a name is blank, or the file cannot be written.
        """
        contents = self._book.contents
        if refused := self.state().refused:
            raise LeadError(refused)
        if wanted.pictures < 1:
            raise LeadError(f"{wanted.pictures} pictures cannot be looked at. Give 1 or more.")
        with self._changing:
            known = [said for _, said in self._headers([])]
            person, first_by = (_spelt(name, known) for name in (wanted.person, wanted.first_by))
            if not person:
                raise LeadError("Say who looks: a name, so that people are kept apart.")
            numbers = [said.number for said in known if said.person == person]
            number = max(numbers, default=int(first_by == person)) + 1
            files = drawn(_labelled(contents), wanted.seed)[: wanted.pictures]
            said = LookHeader(person, number, wanted.seed, self._book.file.name, first_by, tuple(files), {})
            path = look_files.new_path(self._book.file, person, number)
            landmarks = contents.landmarks
            names = tuple(landmark.name for landmark in landmarks.landmarks)
            schema = Schema(names, tuple(landmarks.flip_pairs), tuple(landmarks.skeleton))
            empty = Labels.from_xy(schema, files, np.full((len(files), len(names), 2), np.nan))
            write_atomic(path, look_files.dump(empty, said))
            return self._series(path, said)

    def put(self, id: str, picture: str, points: Mapping[str, Point]) -> LookSeries:
        """Keeps what was placed on one picture. Said again, it stands in place of what was said before.

        Raises:
            NotThere: there is no such look or picture.
            LeadError: the picture was not drawn, the landmarks have changed, a point lies far outside the picture, or
                the file cannot be read or written.
        """
        file = self._book.folder.file_of(picture)
        with self._changing:
            path, said = self._one(id)
            labels = coco.parse(read_text(path))
            names = labels.schema.names
            if names != tuple(self._book.contents.document.names) or not set(points) <= set(names):
                raise LeadError(
                    f"The landmarks have changed since this look began ({path.name} has {', '.join(names)}). What was "
                    "looked at is kept; begin another look for the rest."
                )
            if file not in said.pictures or file not in labels.images:
                raise LeadError(f"{file} was not drawn for this look. It stays as it is.")
            row = labels.images.index(file)
            xy, visible = labels.xy.copy(), labels.visible.copy()
            xy[row], visible[row] = np.nan, UNLABELLED
            for name, point in points.items():
                if point.x is not None and point.y is not None:
                    xy[row, names.index(name)] = point.x, point.y
                    visible[row, names.index(name)] = VISIBLE if point.state == "visible" else HIDDEN
            labels = replace(labels, xy=xy, visible=visible)
            size = size_for(self._book.folder, file, labels.take([row]))
            sizes = np.zeros((len(labels), 2), dtype=np.int64) if labels.sizes is None else labels.sizes.copy()
            sizes[row] = size or (0, 0)
            now = datetime.now().astimezone().isoformat(timespec="seconds")
            said = replace(said, looked={**said.looked, file: now})
            write_atomic(path, look_files.dump(replace(labels, sizes=sizes), said), overwrite=True)
            return self._series(path, said)

    def result(self, id: str) -> LookResult:
        """A look compared with the first labels. Raises as :meth:`put` does."""
        path, said = self._one(id)
        look = coco.parse(read_text(path))
        first = self._book.contents.labels.only_by_hand()
        row_of = {image: row for row, image in enumerate(first.images)}
        rows = [(row, row_of[image]) for row, image in enumerate(look.images) if image in row_of]
        listed = self._book.folder
        found = []
        for name in look.schema.names:
            apart: list[tuple[float, str]] = []
            if name in first.schema.names:
                at, before = look.schema.index(name), first.schema.index(name)
                away = [np.linalg.norm(look.xy[row, at] - first.xy[other, before]) for row, other in rows]
                apart = [(float(d), look.images[row]) for d, (row, _) in zip(away, rows, strict=True) if np.isfinite(d)]
            most, where = max(apart, default=(None, ""))
            found.append(
                LookDifference(
                    name=name,
                    mean_px=float(np.mean([distance for distance, _ in apart])) if apart else None,
                    most_px=most,
                    most_in=listed.id_of(where) if where in listed else None,
                    pictures=len(apart),
                )
            )
        found.sort(key=lambda one: -(one.mean_px or 0.0))
        return LookResult(series=self._series(path, said), differences=found)

    def _headers(self, problems: list[str]) -> Iterator[tuple[Path, LookHeader]]:
        """The files of looks that can be read; of others it is noted why not."""
        for path in look_files.beside(self._book.file):
            try:
                said = look_files.header_of(path)
            except LeadError as error:
                problems.append(str(error))
                continue
            if said is not None:
                yield path, said

    def _one(self, id: str) -> tuple[Path, LookHeader]:
        for path, said in self._headers([]):
            if _id(path) == id:
                return path, said
        raise NotThere("This look is not there any more: its file was moved, renamed or taken away.")

    def _series(self, path: Path, said: LookHeader) -> LookSeries:
        folder = self._book.folder
        there = [file for file in said.pictures if file in folder]
        return LookSeries(
            id=_id(path),
            person=said.person,
            number=said.number,
            first_by=said.first_by,
            file=str(path),
            done=len(said.looked),
            total=len(said.pictures),
            left=[folder.id_of(file) for file in there if file not in said.looked],
            gone=sum(file not in said.looked for file in said.pictures if file not in folder),
        )


def drawn(files: list[str], seed: int) -> list[str]:
    """Pictures in an order by chance. More labels change nothing in how those before them stand to one another."""
    return sorted(files, key=lambda file: hashlib.sha256(f"{seed}:{file}".encode()).digest())


def _labelled(contents: Contents) -> list[str]:
    """The pictures of the folder with a label that a person placed, but for those that are skipped."""
    labels = contents.labels
    own = np.any(labels.by_hand, axis=1).tolist()
    files = (image for image, by_hand in zip(labels.images, own, strict=True) if by_hand)
    id_of = contents.listing.id_of
    return [file for file in dict.fromkeys(files) if file in id_of and id_of[file] not in contents.skipped]


def _spelt(name: str, known: list[LookHeader]) -> str:
    """A person's name as it stands in a file already, where it differs by case or blanks alone."""
    plain = " ".join(name.split())
    names = [each for said in known for each in (said.person, said.first_by)]
    return next((each for each in names if each.casefold() == plain.casefold()), plain)


def _id(path: Path) -> str:
    return hashlib.sha256(path.name.encode()).hexdigest()[:12]
