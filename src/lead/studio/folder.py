"""The folder of pictures that is being labelled."""

from __future__ import annotations

import hashlib
import os
import re
import threading
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from lead.errors import LeadError, NotThere, unknown
from lead.images.decode import UnreadablePicture, upright_size
from lead.images.find import find_entries, find_images, left_out_text
from lead.images.showing import DEFAULT, Showing
from lead.images.survey import survey
from lead.reporting import counted

if TYPE_CHECKING:  # torch, which it needs, takes seconds to import
    from lead.geometry import Size

LOOK_EVERY_S, LOOKING_SHARE = 2.0, 0.01
"""Unasked, the folder is looked at again after so many seconds at the earliest, and for such a share of the time at
most."""
ID_LENGTH = 12
"""Hexadecimal digits of a picture's id."""


class UnknownPicture(NotThere):
    """An id or a file name that is not of this folder."""


Stamp = tuple[int, int] | None
"""Of a file: time of its last change in ns and its length in bytes. None if it is not there."""


@dataclass(frozen=True)
class Listing:
    """Which pictures a folder and its subfolders held at one moment.

    Attributes:
        files: POSIX paths relative to the folder, in natural order (:func:`natural_key`).
        stamps: of each.
        left_out: why further pictures cannot be used, by path.
        films: what the folder holds beside its pictures, likewise in natural order.
        unread: what else it holds that is not read, counted, in words; empty where there is nothing to tell.
    """

    files: tuple[str, ...]
    stamps: dict[str, Stamp]
    left_out: dict[str, str]
    films: tuple[str, ...]
    unread: str = ""

    @classmethod
    def of(cls, root: Path, before: Listing | None = None) -> Listing:
        """What a folder holds now: ``before`` itself, where that is the same.

        Raises:
            LeadError: there is no such folder, no picture in it, or none that can be used.
        """
        found, films, others = find_entries(root)
        if not found:
            find_images(root)  # says why
        unread = _shown(left_out_text((each.file for each in found), others))
        inside: dict[str, bool] = {}
        usable: dict[str, Stamp] = {}
        left_out: dict[str, str] = {}
        real_root = root.resolve()
        for file, is_link, stamp in found:
            parent = file.rpartition("/")[0]
            if parent not in inside:
                inside[parent] = (root / parent).resolve().is_relative_to(real_root)
            if not inside[parent] or (is_link and not (root / file).resolve().is_relative_to(real_root)):
                left_out[_shown(file)] = "a link that leads out of the folder; copy the picture into the folder"
            elif _shown(file) != file:
                left_out[_shown(file)] = "its name is not valid Unicode; rename the file"
            else:
                usable[file] = stamp
        if not usable:
            file, reason = next(iter(left_out.items()))
            raise LeadError(f"None of the {counted(len(found), 'picture')} in {root} can be used; of {file}: {reason}.")
        shown = set(map(_shown, films))
        of_before = before and (before.stamps, before.left_out, set(before.films), before.unread)
        if before and of_before == (usable, left_out, shown, unread):
            return before  # which spares the sorting
        files, films = sorted(usable, key=natural_key), sorted(shown, key=natural_key)
        listing = cls(tuple(files), usable, left_out, tuple(films), unread)
        if len(listing.file_of) < len(usable):
            twice = next(file for file, id in listing.id_of.items() if listing.file_of[id] != file)
            raise LeadError(f"{twice} and {listing.file_of[picture_id(twice)]} have the same id. Rename one of them.")
        return listing

    @cached_property
    def id_of(self) -> dict[str, str]:
        """The id of each file, in their order."""
        return {file: picture_id(file) for file in self.files}

    @cached_property
    def file_of(self) -> dict[str, str]:
        """The file of each id."""
        return {id: file for file, id in self.id_of.items()}

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """The ids, in the files' order."""
        return tuple(self.id_of.values())

    def __contains__(self, file: object) -> bool:
        return file in self.stamps

    def same(self, other: Listing, file: str) -> bool:
        """Whether a picture is in both, and its file did not change between them."""
        return file in self.stamps and file in other.stamps and self.stamps[file] == other.stamps[file]


@dataclass(frozen=True)
class Change:
    """How a folder differs from what it was.

    Attributes:
        added, removed, replaced: pictures that came, went, and are other files under the same name.
        otherwise: whether something else is different, its films say.
    """

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    replaced: tuple[str, ...] = ()
    otherwise: bool = False


class PictureFolder:
    """The pictures of a folder and its subfolders, each with an id that depends on its path alone.

    A link that leads out of the folder is not a picture of it: neither its content nor what lies beyond is ever read.

    Attributes:
        root: the folder, absolute.
        listing: what it held when it was last looked at; a frozen value, which :meth:`look_again` replaces.

    Raises:
        LeadError: there is no such folder, or no picture in it.
    """

    def __init__(self, root: Path) -> None:
        self.root = Path(os.path.abspath(root))  # noqa: PTH100 - resolve() would hide from the user which link was named
        self._looking = threading.Lock()
        self._next_look = 0.0  # on the clock of time.monotonic
        self._lock = threading.Lock()  # of what follows
        self._unreadable: dict[str, str] = {}
        self._sizes: dict[str, tuple[tuple[int, int], Size]] = {}
        self._real_root = self.root.resolve()
        self.listing = Listing.of(self.root)
        self._surveying = threading.Lock()
        self._asked = DEFAULT
        self._shown: tuple[Showing, list[str]] | None = None

    def __len__(self) -> int:
        return len(self.files)

    def __contains__(self, file: object) -> bool:
        return file in self.listing

    def show(self, asked: Showing) -> None:
        """Has the pictures shown as those that a model learnt from."""
        with self._surveying:
            if asked != self._asked:
                self._asked, self._shown = asked, None

    @property
    def showing(self) -> Showing:
        """How values of more than 8 bits are shown."""
        return self._surveyed()[0]

    @property
    def notes(self) -> list[str]:
        """What to say of that, and of pages that are not looked at."""
        return self._surveyed()[1]

    def _surveyed(self) -> tuple[Showing, list[str]]:
        """Found once."""
        with self._surveying:
            if self._shown is None:
                notes: list[str] = []
                self._shown = survey(self.root, self.listing.files, self._asked, notes.append), notes
            return self._shown

    @property
    def files(self) -> tuple[str, ...]:
        """POSIX paths relative to ``root``, in natural order."""
        return self.listing.files

    @property
    def ids(self) -> tuple[str, ...]:
        """Theirs, in the same order: the first 12 hexadecimal digits of the path's SHA-256."""
        return self.listing.ids

    def look_again(self, *, at_once: bool = True) -> Change:
        """Lists the folder anew. What was unreadable and is another file by now is no longer so.

        Where nothing is different, ``listing`` stays the same object.

        Args:
            at_once: look whatever it takes. Else not again soon: where looking takes long (on another machine's disk,
                say), it must not go on all the time.

        Raises:
            LeadError: as when it was opened, if the folder is gone, say; then all stays as it was.
        """
        with self._looking:
            begun = time.monotonic()
            if not at_once and begun < self._next_look:
                return Change()
            before = self.listing
            after = Listing.of(self.root, before)
            self._next_look = begun + max(LOOK_EVERY_S, (time.monotonic() - begun) / LOOKING_SHARE)
            if after is before:
                return Change()
            change = Change(
                added=tuple(file for file in after.files if file not in before),
                removed=tuple(file for file in before.files if file not in after),
                replaced=tuple(file for file in after.files if file in before and not after.same(before, file)),
                otherwise=(before.films, before.left_out, before.unread) != (after.films, after.left_out, after.unread),
            )
            with self._lock:
                for file in (*change.removed, *change.replaced):
                    self._unreadable.pop(file, None)
                self.listing = after
            with self._surveying:
                if self._shown is not None and self._shown[0].contrast is None:  # which the new ones may need
                    self._shown = None
        return change

    @property
    def unreadable(self) -> list[tuple[str, str]]:
        """(file, reason) of every picture that cannot be used, in the order in which that turned out."""
        with self._lock:
            return [*self.listing.left_out.items(), *self._unreadable.items()]

    def note_unreadable(self, id: str, reason: str, seen: Listing | None = None) -> None:
        """Remembers that a picture cannot be read, until its file is another. The first reason stands.

        Args:
            id: of the picture; one that is no longer there is passed over.
            reason: why.
            seen: what the folder held when it was read; where the file is another by now, nothing is said of it.
        """
        with self._lock:
            file = self.listing.file_of.get(id)
            if file is not None and (seen is None or seen.same(self.listing, file)):
                self._unreadable.setdefault(file, reason)

    def id_of(self, file: str) -> str:
        """The id of a file. Raises :class:`UnknownPicture`, naming the nearest that there is."""
        try:
            return self.listing.id_of[file]
        except KeyError:
            raise UnknownPicture(str(unknown("picture", file, self.files[:20]))) from None

    def file_of(self, id: str) -> str:
        """The file of an id. Raises :class:`UnknownPicture`."""
        try:
            return self.listing.file_of[id]
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


def picture_id(file: str) -> str:
    """The id of a picture whose path relative to the folder is ``file``."""
    return hashlib.sha256(file.encode()).hexdigest()[:ID_LENGTH]


_NUMBER = re.compile("([0-9]+)")


def natural_key(file: str) -> tuple[list[list[int | str]], str]:
    """What to sort paths by so that people find them: numbers in names by their value (2 before 10), letters whatever
    their case, a folder's pictures together; names that are equal in this way in a fixed order."""
    parts = [_NUMBER.split(name.casefold()) for name in file.split("/")]
    return [[int(text) if i % 2 else text for i, text in enumerate(part)] for part in parts], file


def stamp_text(stamp: Stamp, showing: Showing) -> str:
    """A stamp as it stands in addresses; it changes with how the picture is shown. Empty where the file is missing."""
    if not stamp:
        return ""
    shown = "" if showing == DEFAULT else f"-{hashlib.sha256(repr(showing).encode()).hexdigest()[:8]}"
    return f"{stamp[0]:x}-{stamp[1]:x}{shown}"


def _shown(file: str) -> str:
    """A file's name as text that can be sent: bytes that are not UTF-8 show as question marks."""
    return file.encode(errors="replace").decode()
