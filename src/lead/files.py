"""Files written whole or not at all."""

from __future__ import annotations

import errno
import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from lead.errors import LeadError

if TYPE_CHECKING:  # torch, which it needs, takes seconds to import
    pass


from contextlib import contextmanager, suppress

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

_FAR = 2**40
"""The byte that is locked on Windows, where nobody else can read what is locked: beyond any file's end."""


def read_text(path: Path) -> str:
    """A UTF-8 text file. Raises :class:`LeadError` if it cannot be read as one."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise LeadError(f"Cannot read {path}: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise LeadError(f"{path} is not UTF-8 text.") from None


def printable(name: str) -> str:
    """A file's name as text that any file can hold: bytes in it that are not UTF-8 become escapes."""
    return name.encode("utf-8", "backslashreplace").decode("utf-8")


def refuse_existing(path: Path) -> None:
    """Raises :class:`LeadError` if something of the user's stands at ``path``."""
    if path.exists():
        raise LeadError(f"{path} is already there. Give another name, or ask for it to be overwritten (--overwrite).")


def check_folder(folder: Path, *, overwrite: bool = False) -> None:
    """Raises :class:`LeadError` unless a folder is new or empty, or at least is none of files to be kept."""
    if folder.is_file():
        raise LeadError(f"{folder} is a file. Give a folder that is new or empty.")
    if not overwrite and folder.exists() and any(folder.iterdir()):
        raise LeadError(
            f"{folder} is not empty. Give another folder, or ask for files to be overwritten (--overwrite)."
        )


def check_writable(path: Path) -> None:
    """Raises :class:`LeadError` if no file can be made at ``path``: asked before the work, not after it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not os.access(path.parent, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise cannot_write(path, error) from error


def write_atomic(path: Path, content: str | bytes | Iterable[str], *, overwrite: bool = False) -> None:
    """Writes a file, text in UTF-8, by way of a temporary neighbour, so that a kill leaves the old file or the new one.

    Text may come in pieces.

    Raises:
        LeadError: a file stands there and ``overwrite`` is not given, or it cannot be written.
    """
    if not overwrite:
        refuse_existing(path)
    try:
        with replacing(path) as partial, partial.open("wb") as file:
            if isinstance(content, bytes):
                file.write(content)
            else:
                file.writelines(piece.encode() for piece in ((content,) if isinstance(content, str) else content))
    except OSError as error:
        raise cannot_write(path, error) from error


def cannot_write(path: Path, error: OSError) -> LeadError:
    """What to tell the user whose file could not be written."""
    return LeadError(f"Cannot write {path}: {error.strerror}. Give a folder that is writable and has room.")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary neighbour of ``path`` to write to, which takes its place only if nothing goes wrong.

    On return it is on the disk, not only in the system's memory: a power cut leaves the old file or the new one,
    whole. A file that is replaced hands its permissions on.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield partial
        _to_disk(partial, os.O_RDWR)
        with suppress(FileNotFoundError):
            shutil.copymode(path, partial)
        partial.replace(path)
        if sys.platform != "win32":  # where a folder cannot be opened
            _to_disk(path.parent, os.O_RDONLY)
    finally:
        with suppress(OSError):
            partial.unlink()


def _to_disk(path: Path, mode: int) -> None:
    """Waits until a file or folder is on the disk, where the file system knows how to wait."""
    handle = os.open(path, mode)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(handle)


def lock(handle: int, *, wait: bool = False) -> bool:
    """Takes the lock of an open file, which goes with its handle, or with the process in whatever way that ends.

    Where the file system has no locks, everybody has it.

    Args:
        handle: of the file.
        wait: for whoever has it.

    Returns:
        Whether it is ours.
    """
    try:
        if sys.platform == "win32":
            os.lseek(handle, _FAR, os.SEEK_SET)
            msvcrt.locking(handle, msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError as error:
        return error.errno in (errno.ENOLCK, errno.ENOTSUP)
    return True


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Lets one process at a time do something; the others wait. The lock's file is there only meanwhile."""
    while True:
        with path.open("ab") as file:
            lock(file.fileno(), wait=True)
            try:
                ours = os.path.samestat(path.stat(), os.fstat(file.fileno()))
            except FileNotFoundError:
                ours = False
            if not ours:  # whoever had it has removed it
                continue
            try:
                yield
            finally:
                with suppress(OSError):
                    path.unlink()
            return


def default_cache() -> Path:
    """Where stores live: the environment's ``LEAD_CACHE``, else ``lead`` in the user's cache folder."""
    if chosen := os.environ.get("LEAD_CACHE"):
        return Path(chosen).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "lead"
