"""Files written whole or not at all."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout
from platformdirs import user_cache_path

from lead.errors import LeadError

CACHE_GB = 20.0
"""What the features in the cache may take by default, in gigabytes."""

IN_USE_S = 3600.0
"""A file in the cache that was used so short a time ago is taken to be in use."""


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
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        yield partial
        with suppress(FileNotFoundError):
            shutil.copymode(path, partial)
        settle(partial, path)
    finally:
        with suppress(OSError):
            partial.unlink()


def settle(partial: Path, path: Path) -> None:
    """Gives a file that is written its name, once its content is on the disk."""
    _to_disk(partial, os.O_RDWR)
    partial.replace(path)
    if sys.platform != "win32":  # where a folder cannot be opened
        _to_disk(path.parent, os.O_RDONLY)


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


@contextmanager
def alone(lock: Path, *, wait_s: float = -1, busy: str = "") -> Iterator[None]:
    """Lets one process at a time do something.

    The system lets go of the lock when the process ends, in whatever way. Where the file system has no locks,
    everybody has it.

    Args:
        lock: its file, which is there only meanwhile; its folder is made if missing. What a killed process leaves of it
            hinders nobody.
        wait_s: for whoever has it, in seconds; by default as long as it takes.
        busy: what to tell the user if another process keeps it.

    Raises:
        LeadError: another process keeps it.
        OSError: the lock's file cannot be made.
    """
    held = FileLock(lock, timeout=wait_s, thread_local=False, fallback_to_soft=False)
    try:
        held.acquire()
    except Timeout:
        raise LeadError(busy or f"Another process holds {lock}. Wait for it, or stop it first.") from None
    except OSError as error:
        if error.errno not in (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS):
            raise
    try:
        yield
    finally:
        if held.is_locked:
            with suppress(OSError):
                lock.unlink()
        held.release()


def lock_of(path: Path) -> Path:
    """The file of the lock of a file or folder: its hidden neighbour."""
    return path.with_name(f".{path.name}.lock")


def default_cache() -> Path:
    """Where stores and features live: the environment's ``LEAD_CACHE``, else ``lead`` in the user's cache folder."""
    if chosen := os.environ.get("LEAD_CACHE"):
        return Path(chosen).expanduser()
    return user_cache_path("lead", appauthor=False)


def used_now(path: Path) -> None:
    """Tells :func:`remove_unused` so."""
    with suppress(OSError):  # of a cache that others may only read
        os.utime(path)


def remove_unused(folder: Path, needed: int) -> None:
    """Makes room in a folder of the cache: the files go that were not used for longest.

    They go until those left and ``needed`` bytes together are within the environment's ``LEAD_CACHE_GB``, by default
    :data:`CACHE_GB`. One that was used within :data:`IN_USE_S` stays, as some process may be at work with it.

    Raises:
        LeadError: ``LEAD_CACHE_GB`` is not a number.
    """
    asked = os.environ.get("LEAD_CACHE_GB", "")
    try:
        most = float(asked or CACHE_GB) * 1e9
    except ValueError:
        raise LeadError(f"LEAD_CACHE_GB is {asked!r}; give a number of gigabytes, as in LEAD_CACHE_GB=20.") from None
    found: list[tuple[float, int, Path]] = []
    for path in folder.iterdir():
        with suppress(FileNotFoundError):  # another process has just removed it
            found.append((path.stat().st_mtime, path.stat().st_size, path))
    over = sum(size for _, size, _ in found) + needed - most
    for used, size, path in sorted(found):
        if over <= 0 or used > time.time() - IN_USE_S:
            return
        with suppress(OSError):  # as on Windows, where what is mapped into memory stays
            path.unlink()
            over -= size
