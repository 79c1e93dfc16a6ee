"""The label file: its format, and the book that keeps it.

The file is COCO key points: one JSON object, UTF-8, with ``images``, ``annotations`` and ``categories``, a line for
each picture and each annotation. :mod:`lead.landmarks.coco` reads it, and so does every tool that reads COCO.

``images``
    ``id``; ``file_name``, the path relative to the folder of pictures, with ``/``; ``width`` and ``height`` of the
    upright picture in pixels. Only pictures that have an annotation, a note, tags, an ``up`` or ``complete``, and those
    that the file listed before.
``annotations``, one for each picture that anything was said about; in a file of several, one for each specimen
    ``id``, ``image_id``, ``category_id``; ``keypoints``: x, y, v for each landmark, in the category's order, where v is
    0 unlabelled, 1 labelled but hidden, 2 labelled and visible; ``num_keypoints``: those with v > 0; ``bbox`` and
    ``area`` of the box around them; ``iscrowd`` 0. Coordinates are those of the upright picture as
    :mod:`lead.geometry` has them: (0, 0) is the centre of the top-left pixel. They are written so that they read back
    exactly.
``categories``, the one that has ``keypoints``
    ``id``, ``name``; ``keypoints``: the landmarks' names; ``skeleton``: pairs of their numbers, the first being 1.

**A file of several** is one in which a picture may show several specimens: its category says ``several``, or an image
``complete``, or a picture has several annotations of the category. (A prediction beside what a person labelled, and an
annotation with ``iscrowd``, do not count.) There, an annotation with a ``bbox`` alone is a specimen too, and gets
``keypoints`` that are unlabelled. A ``bbox`` that is not just that of the points stays as it is. A specimen goes by
its annotation's ``id``, which is given anew where it is no whole number or stands twice. One that is new has the ``id``
that a page chose for it; one that is taken out has no entry any more. An annotation without landmarks, absent ones and
a box is no specimen, but stays.

Beyond COCO we write twelve keys, which other readers pass over:

``flip_pairs`` (category)
    pairs of names that change places in a mirrored picture.
``curves`` (category)
    lines of the thing: ``name``; ``points``, names of landmarks in their order along it; ``closed``. Their segments are
    lines of the ``skeleton``.
``several`` (category)
    true in a file of several.
``colours`` (category)
    a colour ``#rrggbb`` for each landmark, in their order.
``absent`` (annotation)
    names of landmarks that were looked for and are not in the picture; their key point is 0, 0, 0.
``accepted`` (annotation)
    names of landmarks whose label is a suggestion of the model that a person took over and has not touched since. A
    name goes as soon as its point changes. Models learn from these labels, but no error is estimated from them.
``checked`` (annotation)
    true where a person looked again at labels that a model disputed, and confirmed them. Gone as soon as a point of
    the picture changes.
``track_id`` (annotation, in a file of several)
    the name of the individual that the specimen is: text, or a number if it is written as one. Each stands once in a
    picture.
``note`` (image)
    what a person wrote of the picture.
``tags`` (image)
    short words that a person put on it, each once. ``skip`` says that it is a bad picture: it is not chosen to be
    labelled, and the studio's models do not learn from it.
``up`` (image)
    which way up a person said that the thing lies: ``x`` and ``y``, a unit vector in the picture's pixels; and
    ``line``, the landmarks ``from`` and ``to`` of a line of the thing, with the unit vector along which it lies then.
    Up is what is up in the labelled things on average; the line stays where it is when further labels turn that.
``complete`` (image, in a file of several)
    true where a person said that every specimen is labelled, so that what is not labelled is background.

Whatever else a file holds, made by us or not, is kept as it is: further keys, other categories and their annotations,
ids, the order. ``bbox`` and ``area`` follow the points only where they were those of the points; the scores of a
prediction (``keypoint_scores``, ``px_error``, ``px_90``) go for a landmark that is set by hand, and ``likely`` for its
specimen. In a file that gives every image a ``split``, new images are of ``train``.

Beside the file lies the hidden folder ``.lead``: ``history/<name of the file>/`` with earlier states, and
``lock`` while it is open.
"""

from __future__ import annotations

import glob
import os
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path

from lead.errors import LeadError
from lead.files import alone
from lead.reporting import counted
from lead.studio.changing import changed, refuse_one_each, up_of, with_labels_of
from lead.studio.contents import Contents
from lead.studio.document import Document
from lead.studio.events import Events
from lead.studio.folder import PictureFolder
from lead.studio.label_messages import (
    Direction,
    LabelsChange,
    Landmarks,
    LandmarksChange,
    LandmarksChanged,
    PictureLabels,
)
from lead.studio.labelfile import LANDMARKS_CHANGED, Conflict, LabelFile
from lead.studio.schema import check_landmarks, new_landmarks, sources

HOME = ".lead"
"""The hidden folder beside the label file."""


class LabelBook:
    """The labels of a folder of pictures, kept in one file.

    Every change is on the disk when the call returns, or raises and leaves all as it was. Any thread may call; changes
    are made one after the other, reading waits for nothing. A change raises :class:`SaveFailed` where the file cannot
    be written, and :class:`ChangedElsewhere` where another program wrote it since: :meth:`reload` or :meth:`keep`.

    Attributes:
        folder: the pictures.
        events: where changes are published: ``labels``, ``landmarks``, ``restored`` (all may be new), ``problem``.
        file: the label file.
        home: the hidden folder beside it.
        contents: what stands here now. A change puts another in its place.
        disk: the file with its history, and why it cannot be saved; only the book writes it.
    """

    def __init__(self, folder: PictureFolder, file: Path, events: Events, snapshot_every_s: float) -> None:
        """Use :meth:`open`."""
        self.folder, self.file, self.events = folder, file, events
        self.home = file.parent / HOME
        self._lock = ExitStack()
        self._changing = threading.RLock()
        self._last_version = 0
        self._closed = False
        self.disk = LabelFile(file, self.home / "history" / file.name, snapshot_every_s, self._tell_problem)
        self.contents = self._afresh(self.disk.document)

    @classmethod
    def open(cls, folder: PictureFolder, file: Path, events: Events, *, snapshot_every_s: float = 600.0) -> LabelBook:
        """Opens a label file, which need not be there yet and is not written before the first change.

        Args:
            folder: the pictures.
            file: the label file.
            events: where changes are published.
            snapshot_every_s: while labels change, the file is put into the history this often.

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
            book = cls(folder, file, events, snapshot_every_s)
            book._lock = held.pop_all()
        target = book.disk.target
        for left in target.parent.glob(f".{glob.escape(target.name)}.*.part"):  # of a studio that was killed
            with suppress(OSError):
                left.unlink()
        return book

    def close(self) -> None:
        """Releases the lock; nothing can be changed any more."""
        with self._changing:
            self._closed = True
            self._lock.close()

    @property
    def landmarks(self) -> Landmarks:
        """What is labelled."""
        return self.contents.landmarks

    def labels(self, id: str) -> PictureLabels:
        """What is labelled on a picture or specimen. As of :meth:`Contents.of`."""
        return self.contents.of(id)

    def change_labels(self, id: str, change: LabelsChange) -> PictureLabels:
        """Changes labels of one picture; where there may be several specimens, of one of these.

        Args:
            id: of the picture, or the key of the specimen; see :class:`PictureLabels`.
            change: see :class:`LabelsChange`. One that says what stands here already succeeds, whatever its base.

        Returns:
            What stands here then.

        Raises:
            Conflict: it was changed since ``change.base``, or the specimen was taken out; carries what stands here.
            SaveFailed: it cannot be written.
            LeadError: there is no such picture or landmark, a point lies far outside the picture, a specimen's name is
                another's in the picture, or something is said of a picture that is said of specimens.
        """
        # It may import torch, which is not waited for under the lock.
        said = None if change.up is None else up_of(self.contents, change.up)
        with self._changing:
            present = self.contents
            document = changed(present, id, change, said)
            if document is None:
                return present.of(id)
            versions = present.versions | {id: self._next_version()}
            self._save(replace(present, document=document, versions=versions))
            after = self.labels(id)
            self.events.publish("labels", after.model_dump(mode="json"))
            return after

    def say_up(self, id: str, up: Direction) -> PictureLabels:
        """Says which way up the thing of a picture lies, whatever stands here. Errors as of :meth:`change_labels`."""
        up_of(self.contents, up)  # torch, which it may import, is not waited for under the lock
        with self._changing:
            return self.change_labels(id, LabelsChange(base=self.labels(id).version, up=up))

    def change_landmarks(self, change: LandmarksChange) -> LandmarksChanged:
        """Sets names, order, colours, skeleton, flip pairs, and whether there may be several specimens.

        Labels go with the names, or with ``change.renamed``.

        Raises:
            Conflict: the landmarks were changed since ``change.version``; or landmarks that have labels would go and
                ``change.drop_labels`` is not set, then it carries how many.
            SaveFailed: it cannot be written.
            LeadError: a name, line or pair is wrong; or each picture is to show one specimen, and one shows several or
                is marked complete.
        """
        with self._changing:
            present, now = self.contents, self.landmarks
            target = new_landmarks(change, now)
            if change.version != now.version:
                if target == present.document.landmarks:
                    return LandmarksChanged(**dict(now))
                raise Conflict("The landmarks were changed elsewhere meanwhile, perhaps in another tab.", landmarks=now)
            if not target.landmarks:
                raise LeadError("Name at least one landmark.")
            check_landmarks(target)
            if now.several and not target.several:
                refuse_one_each(present.document)
            came_from = sources(change, present.document.names)
            dropping = _refuse_dropping(change, present.document, came_from)
            document = present.document.with_landmarks(target, came_from)
            if change.labels_from is not None:
                earlier = self._earlier(change.labels_from)[1]
                new = [mark.name for mark, source in zip(target.landmarks, came_from, strict=True) if source is None]
                document = with_labels_of(document, earlier, new)
            pairs = zip(came_from, target.landmarks, strict=True)
            moved = {source: landmark.name for source, landmark in pairs if source}
            labels_changed = moved != {name: name for name in present.document.names} or target.several != now.several
            after = replace(present, document=document, landmarks_version=self._next_version())
            if labels_changed:
                after = replace(after, base=after.landmarks_version, versions={})
            put_by = self._save(after, "before landmarks were removed" if dropping else LANDMARKS_CHANGED)
            self.events.publish("landmarks", self.landmarks.model_dump(mode="json"))
            if labels_changed:
                self.events.publish("restored", {})
            return LandmarksChanged(**dict(self.landmarks), labels_in=put_by if dropping else None)

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
            document = make(self.contents.document)
            if document is not self.contents.document:
                self._save(self._afresh(document), why)
                self._tell_all()

    def restore(self, id: str) -> None:
        """Goes back to a snapshot; the present state goes into the history first.

        Raises:
            SaveFailed: it cannot be written.
            LeadError: there is no such snapshot, or it is not a label file.
        """
        with self._changing:
            content, document = self._earlier(id)
            self._save(self._afresh(document), "before going back", content)
            self._tell_all()

    def reload(self) -> None:
        """Takes what another program wrote; see :meth:`LabelFile.reload`."""
        with self._changing:
            self.disk.reload()
            self.contents = self._afresh(self.disk.document)
            self._tell_all()

    def keep(self) -> None:
        """Writes our state over what another program wrote; see :meth:`LabelFile.keep`."""
        with self._changing:
            self._refuse_closed()
            self.disk.keep()

    def follow_folder(self) -> None:
        """What stands here is of the folder as it was last looked at; labels of pictures that are gone stay kept."""
        with self._changing:
            self.contents = replace(self.contents)

    def _earlier(self, id: str) -> tuple[bytes, Document]:
        content = self.disk.history.read(id)
        return content, self.disk.parse(content, "this earlier state of ")

    def _save(self, contents: Contents, why: str | None = None, raw: bytes | None = None) -> str | None:
        """Writes the file; only then ``contents`` is what stands here. As :meth:`LabelFile.save`."""
        self._refuse_closed()
        put_by = self.disk.save(contents.document, why, raw)
        self.contents = contents
        return put_by

    def _refuse_closed(self) -> None:
        if self._closed:
            raise LeadError(f"{self.file} is closed. Start lead studio again.")

    def _afresh(self, document: Document) -> Contents:
        version = self._next_version()
        return Contents(self.folder, document, version, version)

    def _next_version(self) -> int:
        """Milliseconds since 1970, so that no page holds a version from before a restart that comes up again."""
        self._last_version = max(self._last_version + 1, time.time_ns() // 1_000_000)
        return self._last_version

    def _tell_problem(self) -> None:
        self.events.publish("problem", {"problem": self.disk.problem, "foreign": self.disk.foreign})

    def _tell_all(self) -> None:
        self.events.publish("landmarks", self.landmarks.model_dump(mode="json"))
        self.events.publish("restored", {})


def _refuse_dropping(change: LandmarksChange, document: Document, came_from: list[str | None]) -> bool:
    """Whether labels go, which has to be asked for."""
    counts = document.counts()
    dropped = {name: counts[name] for name in document.names if counts[name] and name not in came_from}
    if dropped and not change.drop_labels:
        what = "specimen" if document.several else "picture"
        listed = ", ".join(f"{name} ({counted(count, what)})" for name, count in dropped.items())
        raise Conflict(f"This would take away the labels of {listed}. Confirm it, or keep them.", dropped=dropped)
    return bool(dropped)
