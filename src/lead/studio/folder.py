"""The folder of pictures that is being labelled."""

from __future__ import annotations

import hashlib
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from lead.errors import LeadError, NotThere, unknown
from lead.images.decode import UnreadablePicture, upright_size
from lead.images.find import find_images

if TYPE_CHECKING:  # torch, which it needs, takes seconds to import
    from lead.geometry import Size

ID_LENGTH = 12
"""Hexadecimal digits of a picture's id."""


class UnknownPicture(NotThere):
    """An id or a file name that is not of this folder."""


class PictureFolder:
    """The pictures of a folder and its subfolders, each with an id that depends on its path alone.

    A link that leads out of the folder is not a picture of it: neither its content nor what lies beyond is ever read.

    Attributes:
        root: the folder, absolute.
        files: POSIX paths relative to ``root``, sorted.
        ids: theirs, in the same order: the first 12 hexadecimal digits of the path's SHA-256.

    Raises:
        LeadError: there is no such folder, or no picture in it.
    """

    def __init__(self, root: Path) -> None:
        self.root = Path(os.path.abspath(root))  # noqa: PTH100 - resolve() would hide from the user which link was named
        self._lock = threading.Lock()
        self._unreadable: dict[str, str] = {}
        self._sizes: dict[str, tuple[tuple[int, int], Size]] = {}
        self._real_root = self.root.resolve()
        files = find_images(self.root)
        self.files = tuple(self._usable(files))
        if not self.files:
            file, reason = self.unreadable[0]
            raise LeadError(f"None of the {len(files)} pictures in {root} can be used; of {file}: {reason}.")
        self.ids = tuple(picture_id(file) for file in self.files)
        self._id_of = dict(zip(self.files, self.ids, strict=True))
        self._file_of = dict(zip(self.ids, self.files, strict=True))
        if len(self._file_of) < len(self.files):
            twice = next(file for file, id in self._id_of.items() if self._file_of[id] != file)
            raise LeadError(f"{twice} and {self._file_of[self._id_of[twice]]} have the same id. Rename one of them.")

    def __len__(self) -> int:
        return len(self.files)

    def __contains__(self, file: object) -> bool:
        return file in self._id_of

    @property
    def unreadable(self) -> list[tuple[str, str]]:
        """(file, reason) of every picture that cannot be used, in the order in which that turned out."""
        with self._lock:
            return list(self._unreadable.items())

    def note_unreadable(self, id: str, reason: str) -> None:
        """Remembers that a picture cannot be read. The first reason stands."""
        with self._lock:
            self._unreadable.setdefault(self.file_of(id), reason)

    def id_of(self, file: str) -> str:
        """The id of a file. Raises :class:`UnknownPicture`, naming the nearest that there is."""
        try:
            return self._id_of[file]
        except KeyError:
            raise UnknownPicture(str(unknown("picture", file, self.files[:20]))) from None

    def file_of(self, id: str) -> str:
        """The file of an id. Raises :class:`UnknownPicture`."""
        try:
            return self._file_of[id]
        except KeyError:
            raise UnknownPicture(
                f"No picture has the id {id!r} in {self.root}. Reload the page: the folder may have changed."
            ) from None

    def path(self, id: str) -> Path:
        """Where a picture lies. Raises :class:`UnknownPicture`, also if it has become a link out of the folder."""
        path = self.root / self.file_of(id)
        if not path.resolve().is_relative_to(self._real_root):
            raise UnknownPicture(f"{path} has become a link out of the folder. Copy the picture into the folder.")
        return path

    def size(self, id: str) -> Size:
        """(width, height) of the upright picture in pixels; the file is read again only if it changes.

        Raises:
            UnknownPicture: no picture has this id.
            UnreadablePicture: the file cannot be read; this is noted in :attr:`unreadable`.
        """
        path = self.path(id)
        try:
            status = path.stat()
            stamp = (status.st_mtime_ns, status.st_size)
            stamped = self._sizes.get(id)
            if stamped is None or stamped[0] != stamp:
                stamped = self._sizes[id] = (stamp, upright_size(path))
        except OSError as error:
            self.note_unreadable(id, str(error.strerror))
            raise UnreadablePicture(path, str(error.strerror)) from error
        except UnreadablePicture as error:
            self.note_unreadable(id, error.reason)
            raise
        return stamped[1]

    def _usable(self, files: list[str]) -> list[str]:
        """Those that lie within the root and whose names can be shown; the others are noted."""
        inside: dict[Path, bool] = {}
        usable = []
        for file in files:
            path = self.root / file
            parent = path.parent
            if parent not in inside:
                inside[parent] = parent.resolve().is_relative_to(self._real_root)
            if not inside[parent] or (path.is_symlink() and not path.resolve().is_relative_to(self._real_root)):
                self._unreadable[_shown(file)] = "a link that leads out of the folder; copy the picture into the folder"
            elif _shown(file) != file:
                self._unreadable[_shown(file)] = "its name is not valid Unicode; rename the file"
            else:
                usable.append(file)
        return usable


def picture_id(file: str) -> str:
    """The id of a picture whose path relative to the folder is ``file``."""
    return hashlib.sha256(file.encode()).hexdigest()[:ID_LENGTH]


def _shown(file: str) -> str:
    """A file's name as text that can be sent: bytes that are not UTF-8 show as question marks."""
    return file.encode(errors="replace").decode()
