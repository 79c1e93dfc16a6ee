"""The label file: its format, and the book that keeps it.

The file is COCO key points: one JSON object, UTF-8, with ``images``, ``annotations`` and ``categories``, a line for
each picture and each annotation. :mod:`lead.landmarks.coco` reads it, and so does every tool that reads COCO.

``images``
    ``id``; ``file_name``, the path relative to the folder of pictures, with ``/``; ``width`` and ``height`` of the
    upright picture in pixels. Only pictures that have an annotation, and those that the file listed before.
``annotations``, one for each picture that anything was said about
    ``id``, ``image_id``, ``category_id``; ``keypoints``: x, y, v for each landmark, in the category's order, where v is
    0 unlabelled, 1 labelled but hidden, 2 labelled and visible; ``num_keypoints``: those with v > 0; ``bbox`` and
    ``area`` of the box around them; ``iscrowd`` 0. Coordinates are those of the upright picture as
    :mod:`lead.geometry` has them: (0, 0) is the centre of the top-left pixel. They are written so that they read back
    exactly.
``categories``, the one that has ``keypoints``
    ``id``, ``name``; ``keypoints``: the landmarks' names; ``skeleton``: pairs of their numbers, the first being 1.

Beyond COCO we write four keys, which other readers pass over:

``flip_pairs`` (category)
    pairs of names that change places in a mirrored picture.
``colours`` (category)
    a colour ``#rrggbb`` for each landmark, in their order.
``absent`` (annotation)
    names of landmarks that were looked for and are not in the picture; their key point is 0, 0, 0.
``checked`` (annotation)
    true where a person looked again at labels that a model disputed, and found them right. Gone as soon as a point of
    the picture changes.

Whatever else a file holds, made by us or not, is kept as it is: further keys, other categories and their annotations,
ids, the order. ``bbox`` and ``area`` follow the points only where they were those of the points; the scores of a
prediction (``keypoint_scores``, ``px_error``, ``px_90``) go for a landmark that is set by hand. In a file that gives
every image a ``split``, new images are of ``train``.

Beside the file lies the hidden folder ``.lead``: ``history/<name of the file>/`` with earlier states, and
``lock`` while it is open.
"""

from __future__ import annotations

import errno
import glob
import os
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lead.errors import LeadError, unknown
from lead.files import alone, replacing
from lead.images.decode import UnreadablePicture
from lead.images.doubts import refuse_far
from lead.landmarks.model import Labels, Schema
from lead.studio.document import Document, PointsChange, check_landmarks
from lead.studio.events import Events
from lead.studio.folder import PictureFolder
from lead.studio.history import History
from lead.studio.messages import LabelsChange, Landmarks, LandmarksChange, PictureLabels, Point, Snapshot

if TYPE_CHECKING:  # torch, which it needs, takes seconds to import
    from lead.geometry import Size

HOME = ".lead"
"""The hidden folder beside the label file."""
EVERY_SECONDS = 600
"""While labels change, the file is put into the history this often."""


class Conflict(LeadError):
    """A change that was based on what does not stand here any more, or that would take labels away unasked.

    Attributes:
        labels: what stands here, if a picture's labels were to change.
        landmarks: what stands here, if the landmarks were to change.
        dropped: labels that would go, by landmark.
    """

    def __init__(
        self,
        message: str,
        *,
        labels: PictureLabels | None = None,
        landmarks: Landmarks | None = None,
        dropped: dict[str, int] | None = None,
    ) -> None:
        super().__init__(message)
        self.labels, self.landmarks, self.dropped = labels, landmarks, dropped


class ChangedElsewhere(Conflict):
    """Another program wrote the label file since we did: :meth:`LabelBook.reload` or :meth:`LabelBook.keep` decides."""


class SaveFailed(LeadError):
    """The label file or its history cannot be written; nothing was changed."""


@dataclass(frozen=True)
class _Present:
    """What stands in the book: readers take all of it or nothing, so they need no lock.

    Attributes:
        document: as the file on the disk has it.
        landmarks_version: of the landmarks.
        base: version of every picture that is not in ``versions``.
        versions: of pictures, by id.
    """

    document: Document
    landmarks_version: int
    base: int
    versions: dict[str, int]


class LabelBook:
    """The labels of a folder of pictures, kept in one file.

    Every change is on the disk when the call returns, or raises and leaves all as it was. Any thread may call; changes
    are made one after the other, reading waits for nothing.

    Attributes:
        folder: the pictures.
        events: told of every change.
        file: the label file.
        home: the hidden folder beside it.
    """

    def __init__(self, folder: PictureFolder, file: Path, events: Events) -> None:
        """Use :meth:`open`."""
        self.file = file
        self.home = file.parent / HOME
        self._target = file.resolve()  # a link is followed, not replaced
        self.folder = folder
        self.events = events
        self._lock = ExitStack()
        self._history = History(self.home / "history" / file.name)
        self._changing = threading.RLock()
        self._last_version = 0
        self._problem: str | None = None
        self._foreign: bytes | None = None
        self._attempt: Document | None = None
        self._put_by: float | None = None
        self._closed = False
        self._raw, self._stamp = _read_or_refuse(
            self._target
        )  # bytes that stand for the present document, if not its own text
        document = Document.empty() if self._raw is None else _parse(self.file, self._raw)
        self._present = self._afresh(document)
        self._labels: tuple[Document, Labels] | None = None

    @classmethod
    def open(cls, folder: PictureFolder, file: Path, events: Events) -> LabelBook:
        """Opens a label file, which need not be there yet and is not written before the first change.

        Args:
            folder: the pictures.
            file: the label file.
            events: told of every change.

        Raises:
            LeadError: the file is broken, another studio has it open, or its folder cannot be written to.
        """
        file = Path(os.path.abspath(file))  # noqa: PTH100 - a link keeps its name
        if file.suffix.lower() != ".json":
            raise LeadError(
                f"Labels are kept as COCO key points, in a .json file, not in {file.name}. Name one, which need not be "
                "there yet; labels in another format can be imported on the page."
            )
        if not file.parent.is_dir():
            raise LeadError(f"No folder {file.parent} for the label file {file.name}. Make the folder first.")
        with ExitStack() as held:
            busy = f"Another lead studio has {file} open. Use the page that it serves, or stop it first (Ctrl+C)."
            try:
                held.enter_context(alone(file.parent / HOME / "lock", wait_s=0, busy=busy))
            except OSError as error:
                raise LeadError(
                    f"Cannot keep labels in {file.parent}: {error.strerror}. Make the folder writable, or keep them "
                    "elsewhere with --labels FILE."
                ) from error
            book = cls(folder, file, events)
            book._lock = held.pop_all()
        for left in book._target.parent.glob(
            f".{glob.escape(book._target.name)}.*.part"
        ):  # of a studio that was killed
            with suppress(OSError):
                left.unlink()
        return book

    def close(self) -> None:
        """Releases the lock; nothing can be changed any more."""
        with self._changing:
            self._closed = True
            self._lock.close()

    # --- reading ---

    @property
    def problem(self) -> str | None:
        """Why nothing can be saved, for the person to read; None if all is well."""
        return self._problem

    @property
    def foreign(self) -> bool:
        """Whether the problem is that another program wrote the file: :meth:`reload` or :meth:`keep`."""
        return self._foreign is not None

    @property
    def landmarks(self) -> Landmarks:
        """What is labelled."""
        present = self._present
        return present.document.landmarks.model_copy(update={"version": present.landmarks_version})

    @property
    def missing(self) -> list[str]:
        """Pictures that the file has labels for and that the folder does not hold; they are kept as they are."""
        annotated = self._present.document.annotated()
        return [file for file, labels in annotated if labels.labelled and file not in self.folder]

    def labels(self, id: str) -> PictureLabels:
        """What is labelled on a picture. Raises :class:`LeadError` if there is no such picture."""
        return self._labels_of(self._present, id)

    def labelled_ids(self) -> list[str]:
        """Pictures with at least one visible or hidden point, in the order of first labelling."""
        annotated = self._present.document.annotated()
        return [self.folder.id_of(file) for file, labels in annotated if labels.placed and file in self.folder]

    def summary(self) -> dict[str, tuple[int, bool]]:
        """By id, how many landmarks have a state (absent is one) and whether all have; only where any has."""
        document = self._present.document
        return {
            self.folder.id_of(file): (labels.labelled, labels.labelled == len(document.names))
            for file, labels in document.annotated()
            if labels.labelled and file in self.folder
        }

    def as_labels(self) -> Labels:
        """The labels of the labelled pictures of the folder, just as :func:`lead.landmarks.load_labels` reads them."""
        document, known = self._present.document, self._labels
        if known is None or known[0] is not document:
            known = self._labels = (document, document.labels(self.folder))
        return known[1]

    def snapshots(self) -> list[Snapshot]:
        """Earlier states of the file, the latest first."""
        return self._history.snapshots()

    # --- changing ---

    def change(self, id: str, change: LabelsChange) -> PictureLabels:
        """Changes labels of one picture.

        Args:
            id: of the picture.
            change: see :class:`LabelsChange`. One that says what stands here already succeeds, whatever its base.

        Returns:
            What stands here then.

        Raises:
            Conflict: the picture was changed since ``change.base``; carries what stands here.
            SaveFailed: it cannot be written.
            LeadError: there is no such picture or landmark, or a point lies far outside the picture.
        """
        file = self.folder.file_of(id)
        with self._changing:
            present = self._present
            now = self._labels_of(present, id)
            for name in change.points:
                if name not in present.document.names:
                    raise unknown("landmark", name, present.document.names)
            new = {name: point for name, point in change.points.items() if now.points.get(name) != point}
            if not new and change.checked in (None, now.checked):
                return now
            if change.base != now.version:
                raise Conflict("This picture was changed elsewhere meanwhile, perhaps in another tab.", labels=now)
            checked = (now.checked and not new) if change.checked is None else change.checked
            size = size_for(self.folder, file, _placed(file, new))
            document = present.document.with_points({file: PointsChange(new, checked, size)})
            versions = present.versions | {id: self._next_version()}
            self._save(replace(present, document=document, versions=versions))
            after = self._labels_of(self._present, id)
            self.events.publish("labels", after.model_dump(mode="json"))
            return after

    def change_landmarks(self, change: LandmarksChange) -> Landmarks:
        """Sets names, order, colours, skeleton and flip pairs. Labels go with the names, or with ``change.renamed``.

        Raises:
            Conflict: the landmarks were changed since ``change.version``; or landmarks that have labels would go and
                ``change.drop_labels`` is not set, then it carries how many.
            SaveFailed: it cannot be written.
            LeadError: a name, line or pair is wrong.
        """
        target = Landmarks(**{key: getattr(change, key) for key in ("landmarks", "skeleton", "flip_pairs")})
        with self._changing:
            present, now = self._present, self.landmarks
            if change.version != now.version:
                if target == present.document.landmarks:
                    return now
                raise Conflict("The landmarks were changed elsewhere meanwhile, perhaps in another tab.", landmarks=now)
            if not target.landmarks:
                raise LeadError("Name at least one landmark.")
            check_landmarks(target)
            sources = _sources(change, present.document.names)
            self._refuse_dropping(change, present.document, sources)
            document = present.document.with_landmarks(target, sources)
            kept = {name: name for name in present.document.names}
            moved = {
                source: landmark.name for source, landmark in zip(sources, target.landmarks, strict=True) if source
            }
            labels_changed = kept != moved
            version = self._next_version()
            after = replace(present, document=document, landmarks_version=version)
            if labels_changed:
                after = replace(after, base=version, versions={})
            self._save(after, "before the landmarks changed")
            self.events.publish("landmarks", self.landmarks.model_dump(mode="json"))
            if labels_changed:
                self.events.publish("restored", {})
            return self.landmarks

    def edit(self, why: str, make: Callable[[Document], Document]) -> None:
        """Changes many things at once; the present state goes into the history first.

        Args:
            why: for the history, such as ``"before an import"``.
            make: the new document of the present one; the same one if nothing changes.

        Raises:
            SaveFailed: it cannot be written.
            LeadError: whatever ``make`` raises.
        """
        with self._changing:
            document = make(self._present.document)
            if document is not self._present.document:
                self._save(self._afresh(document), why)
                self._tell_all()

    def restore(self, id: str) -> None:
        """Goes back to a snapshot; the present state goes into the history first.

        Raises:
            SaveFailed: it cannot be written.
            LeadError: there is no such snapshot, or it is no label file.
        """
        with self._changing:
            content = self._history.read(id)
            document = _parse(self.file, content, "this earlier state of ")
            self._save(self._afresh(document), "before going back", content)
            self._tell_all()

    # --- when another program wrote the file ---

    def reload(self) -> None:
        """Takes what another program wrote; our state goes into the history first.

        Raises:
            SaveFailed: the history cannot be written.
            LeadError: the file is gone, or broken.
        """
        with self._changing:
            content, stamp = _read_or_refuse(self._target)
            if content is None:
                raise LeadError(f"{self.file} is not there any more. Keep the labels that are open here instead.")
            document = _parse(self.file, content)
            self._snapshot("before reloading")
            self._raw, self._stamp = content, stamp
            self._foreign = self._attempt = None
            self._present = self._afresh(document)
            self._set_problem(None)
            self._tell_all()

    def keep(self) -> None:
        """Writes our state over what another program wrote, which goes into the history first.

        Raises:
            SaveFailed: it cannot be written.
        """
        with self._changing:
            content, stamp = _read_or_refuse(self._target)
            if content is not None and content != self._ours():
                self._put_in_history(content, "written by another program")
            self._stamp, self._foreign = stamp, None
            self._save(self._present)

    # --- inside ---

    def _labels_of(self, present: _Present, id: str) -> PictureLabels:
        found = present.document.annotation(self.folder.file_of(id))
        version = present.versions.get(id, present.base)
        if found is None:
            return PictureLabels(id=id, version=version)
        return PictureLabels(id=id, version=version, points=found.points(), checked=found.checked)

    def _afresh(self, document: Document) -> _Present:
        version = self._next_version()
        return _Present(document, version, version, {})

    def _next_version(self) -> int:
        """Milliseconds since 1970, so that no page holds a version from before a restart that comes up again."""
        self._last_version = max(self._last_version + 1, time.time_ns() // 1_000_000)
        return self._last_version

    def _refuse_dropping(self, change: LandmarksChange, document: Document, sources: list[str | None]) -> None:
        counts = document.counts()
        dropped = {name: counts[name] for name in document.names if counts[name] and name not in sources}
        if dropped and not change.drop_labels:
            listed = ", ".join(f"{name} ({count} pictures)" for name, count in dropped.items())
            raise Conflict(f"This would take away the labels of {listed}. Confirm it, or keep them.", dropped=dropped)

    def _snapshot(self, why: str) -> None:
        """Puts the present state of the file into the history."""
        ours = self._ours()
        if ours is not None:
            self._put_in_history(ours, why, self._present.document)
            self._put_by = time.monotonic()

    def _ours(self) -> bytes | None:
        """The file as we last read or wrote it; None if there was none."""
        if self._raw is not None:
            return self._raw
        return self._present.document.text() if self._present.document.names else None

    def _put_in_history(self, content: bytes, why: str, document: Document | None = None) -> None:
        try:
            document = document or Document.parse(content)
            pictures, points = document.totals()
        except LeadError:
            pictures = points = 0
        try:
            self._history.add(content, why, pictures=pictures, points=points)
        except OSError as error:
            raise self._failed(error) from error

    def _save(self, present: _Present, why: str | None = None, raw: bytes | None = None) -> None:
        """Writes the file; only then ``present`` is what stands here.

        Args:
            present: what shall stand here.
            why: for the history, if what stands here now has to go there first.
            raw: the file's bytes, if they are not to be made anew.
        """
        if self._closed:
            raise LeadError(f"{self.file} is closed. Start lead studio again.")
        self._refuse_foreign()
        if why is None and self._put_by is None:
            why = "before the first change"
        elif why is None and time.monotonic() - (self._put_by or 0.0) > EVERY_SECONDS:
            why = "while labelling"
        if why is not None:
            self._snapshot(why)
        self._attempt = present.document
        try:
            with replacing(self._target) as partial:
                with partial.open("wb", buffering=1 << 20) as file:
                    file.writelines(present.document.parts() if raw is None else [raw])
                stamp = _stamp(partial)
        except OSError as error:
            raise self._failed(error) from error
        self._raw, self._stamp, self._attempt = raw, stamp, None
        self._present = present
        self._set_problem(None)

    def _failed(self, error: OSError) -> SaveFailed:
        message = (
            f"Cannot save {self.file}: {error.strerror or error}. Nothing that was saved is lost. Make room, or "
            "make the folder writable, and try again."
        )
        self._set_problem(message)
        return SaveFailed(message)

    def _refuse_foreign(self) -> None:
        """Raises :class:`ChangedElsewhere` if another program wrote the file since we read or wrote it."""
        try:
            _check_writable(self._target)
            if self._target.exists() and _stamp(self._target) == self._stamp:
                return
            content, stamp = _read(self._target)
        except OSError as error:
            raise self._failed(error) from error
        attempt = self._attempt.text() if self._attempt else None
        if content is None or content in (self._ours(), attempt):
            self._stamp, self._foreign = stamp, None
            return
        if content != self._foreign:
            self._snapshot("before another program wrote")
            self._put_in_history(content, "written by another program")
            self._foreign = content
        message = (
            f"Another program has changed {self.file}. Nothing was overwritten, and both versions are in the history: "
            "take that file's labels (reload), or keep those that are open here."
        )
        self._set_problem(message)
        raise ChangedElsewhere(message)

    def _set_problem(self, problem: str | None) -> None:
        if problem != self._problem:
            self._problem = problem
            self.events.publish("problem", {"problem": problem, "foreign": self.foreign})

    def _tell_all(self) -> None:
        self.events.publish("landmarks", self.landmarks.model_dump(mode="json"))
        self.events.publish("restored", {})


def size_for(folder: PictureFolder, file: str, labels: Labels) -> Size | None:
    """A picture's (width, height), once it is sure that none of its labels lies far outside it.

    Args:
        folder, file: the picture.
        labels: of it alone, in places all of them.

    Raises:
        LeadError: a label lies more than half a side outside, or there are some but the picture cannot be read.
    """
    try:
        size = folder.size(folder.id_of(file))
    except UnreadablePicture:
        if labels.schema.names:
            raise
        return None
    refuse_far(labels, [size])
    return size


def _placed(file: str, points: Mapping[str, Point | None]) -> Labels:
    """Those of a picture's points that are in places."""
    placed = {name: (point.x, point.y) for name, point in points.items() if point and point.x is not None}
    return Labels.from_xy(Schema(tuple(placed)), [file], np.array([list(placed.values())], dtype=np.float64))


def _sources(change: LandmarksChange, names: list[str]) -> list[str | None]:
    """For each new landmark the old one whose labels it takes over."""
    targets = [landmark.name for landmark in change.landmarks]
    came_from: dict[str, str] = {}
    for old, new in change.renamed.items():
        if old not in names:
            raise unknown("landmark", old, names)
        if new not in targets:
            raise LeadError(f"{old!r} is renamed to {new!r}, which is not among the new landmarks. Add it there.")
        if new in came_from:
            raise LeadError(f"{came_from[new]!r} and {old!r} are both renamed to {new!r}. Keep one of them.")
        came_from[new] = old
    stay = {name for name in names if name not in change.renamed}
    return [came_from.get(name, name if name in stay else None) for name in targets]


Stamp = tuple[int, int, int]


def _stamp(path: Path) -> Stamp:
    status = path.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns


def _read(path: Path) -> tuple[bytes | None, Stamp | None]:
    """A file's content and its stamp from before it was read; None if there is no file. May raise :class:`OSError`."""
    try:
        stamp = _stamp(path)
        return path.read_bytes(), stamp
    except FileNotFoundError:
        return None, None


def _read_or_refuse(path: Path) -> tuple[bytes | None, Stamp | None]:
    """As :func:`_read`, but what cannot be read is a :class:`LeadError`."""
    try:
        return _read(path)
    except OSError as error:
        raise LeadError(f"Cannot read {path}: {error.strerror}. Name another label file with --labels.") from error


def _check_writable(path: Path) -> None:
    """Raises :class:`OSError` where replacing a file would make a folder that has gone, or pass by its protection."""
    if not path.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, f"the folder {path.parent} is not there any more")
    if path.exists() and not os.access(path, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def _parse(file: Path, content: bytes, what: str = "") -> Document:
    try:
        return Document.parse(content)
    except LeadError as error:
        raise LeadError(f"{what}{file}: {error}") from error
