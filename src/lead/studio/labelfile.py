"""The label file on the disk: written whole or not at all, never over another program's work, with a history."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable
from pathlib import Path

from lead.errors import LeadError
from lead.files import replacing
from lead.studio.document import Document
from lead.studio.history import History
from lead.studio.label_messages import Landmarks, PictureLabels

Stamp = tuple[int, int, int]

LANDMARKS_CHANGED = "before the landmarks changed"
BURST_S = 300.0
"""Changes of the landmarks within that time, with no label changed between, put one state by."""


class SaveFailed(LeadError):
    """The label file or its history cannot be written; nothing was changed."""


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
    """Another program wrote the label file since we did: :meth:`LabelFile.reload` or :meth:`LabelFile.keep` decides."""


class LabelFile:
    """One thread at a time may call.

    Args:
        path: of the file, which need not be there yet.
        history: folder of its earlier states.
        every_s: while labels change, the file is put into the history this often.
        problem_changed: called when ``problem`` has changed.

    Attributes:
        document: as we last read or wrote it.
        problem: why nothing can be saved, for the person to read; None if all is well.
        history: earlier states.

    Raises:
        LeadError: the file cannot be read, or is broken.
    """

    def __init__(self, path: Path, history: Path, every_s: float, problem_changed: Callable[[], None]) -> None:
        self.path, self.history = path, History(history)
        self.target = path.resolve()  # a link is followed, not replaced
        self.problem: str | None = None
        self._every_s, self._problem_changed = every_s, problem_changed
        self._foreign: bytes | None = None
        self._attempt: Document | None = None
        self._put_by: float | None = None
        self._landmarks_put_by: float | None = None  # when a change of the landmarks did so last; None since any other
        # Bytes that stand for the document, if they are not its own text.
        self._raw, self._stamp = _read_or_refuse(self.target)
        self.document = Document.empty() if self._raw is None else self.parse(self._raw)

    @property
    def foreign(self) -> bool:
        """Whether the problem is that another program wrote the file: :meth:`reload` or :meth:`keep`."""
        return self._foreign is not None

    def parse(self, content: bytes, what: str = "") -> Document:
        """What bytes say. Raises :class:`LeadError`, naming the file after ``what``."""
        try:
            return Document.parse(content)
        except LeadError as error:
            raise LeadError(f"{what}{self.path}: {error}") from error

    def save(self, document: Document, why: str | None = None, raw: bytes | None = None) -> str | None:
        """Writes the file; only then ``document`` is what we last wrote.

        Args:
            document: what shall stand there.
            why: for the history, if what stands there now has to go there first.
            raw: the file's bytes, if they are not to be made anew.

        Returns:
            The id of the state in the history that stood there before, if it was put there now.

        Raises:
            SaveFailed: it cannot be written.
            ChangedElsewhere: another program wrote it since we read or wrote it.
        """
        self._refuse_foreign()
        if why is None and self._put_by is None:
            why = "before the first change"
        elif why is None and time.monotonic() - (self._put_by or 0.0) > self._every_s:
            why = "while labelling"
        put_by = self._put_by_unless_in_a_burst(why)
        self._attempt = document
        try:
            with replacing(self.target) as partial:
                with partial.open("wb", buffering=1 << 20) as file:
                    file.writelines(document.parts() if raw is None else [raw])
                stamp = _stamp(partial)
        except OSError as error:
            raise self._failed(error) from error
        self._raw, self._stamp, self._attempt = raw, stamp, None
        self.document = document
        self._set_problem(None)
        return put_by

    def reload(self) -> None:
        """Takes what another program wrote; our state goes into the history first.

        Raises:
            SaveFailed: the history cannot be written.
            LeadError: the file is gone, or broken.
        """
        content, stamp = _read_or_refuse(self.target)
        if content is None:
            raise LeadError(f"{self.path} is not there any more. Keep the labels that are open here instead.")
        document = self.parse(content)
        self._snapshot("before reloading")
        self._raw, self._stamp = content, stamp
        self._foreign = self._attempt = None
        self.document = document
        self._set_problem(None)

    def keep(self) -> None:
        """Writes our state over what another program wrote, which goes into the history first.

        Raises:
            SaveFailed: it cannot be written.
        """
        content, stamp = _read_or_refuse(self.target)
        if content is not None and content != self._ours():
            self._put_in_history(content, "written by another program")
        self._stamp, self._foreign = stamp, None
        self.save(self.document)

    def _put_by_unless_in_a_burst(self, why: str | None) -> str | None:
        now, last = time.monotonic(), self._landmarks_put_by
        if why != LANDMARKS_CHANGED:
            self._landmarks_put_by = None
        elif last is not None and now - last < BURST_S:
            return None
        else:
            self._landmarks_put_by = now
        return None if why is None else self._snapshot(why)

    def _snapshot(self, why: str) -> str | None:
        """Puts our state of the file into the history, if it holds anything."""
        ours = self._ours()
        if ours is None:
            return None
        self._put_by = time.monotonic()
        return self._put_in_history(ours, why, self.document)

    def _ours(self) -> bytes | None:
        """The file as we last read or wrote it; None if there was none."""
        if self._raw is not None:
            return self._raw
        return self.document.text() if self.document.names else None

    def _put_in_history(self, content: bytes, why: str, document: Document | None = None) -> str | None:
        try:
            document = document or Document.parse(content)
            pictures, points = document.totals()
            if not pictures:
                return None
        except LeadError:  # it is kept, though it cannot be gone back to
            pictures = points = 0
        try:
            return self.history.add(content, why, pictures=pictures, points=points)
        except OSError as error:
            raise self._failed(error) from error

    def _failed(self, error: OSError) -> SaveFailed:
        message = (
            f"Cannot save {self.path}: {error.strerror or error}. Nothing that was saved is lost. Make room, or "
            "make the folder writable, and try again."
        )
        self._set_problem(message)
        return SaveFailed(message)

    def _refuse_foreign(self) -> None:
        try:
            _check_writable(self.target)
            if self.target.exists() and _stamp(self.target) == self._stamp:
                return
            content, stamp = _read(self.target)
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
            f"Another program has changed {self.path}. Nothing was overwritten, and both versions are in the history: "
            "take that file's labels (reload), or keep those that are open here."
        )
        self._set_problem(message)
        raise ChangedElsewhere(message)

    def _set_problem(self, problem: str | None) -> None:
        if problem != self.problem:
            self.problem = problem
            self._problem_changed()


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
