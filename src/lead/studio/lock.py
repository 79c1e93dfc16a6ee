"""A lock that one process holds on a folder, and that dies with it."""

from __future__ import annotations

import os
from pathlib import Path

from lead.errors import LeadError
from lead.files import lock


class FolderLock:
    """Held from its making until :meth:`release`, or until the process ends in whatever way.

    Args:
        path: the lock's own file; it stays.
        what: the file that is protected, for the message.

    Raises:
        LeadError: another process holds it, or the lock's file cannot be written.
    """

    def __init__(self, path: Path, what: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._handle: int | None = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise LeadError(
                f"Cannot keep labels in {path.parent.parent}: {error.strerror}. Make the folder writable, or keep them "
                "elsewhere with --labels FILE."
            ) from error
        if not lock(self._handle):  # without locks, a file changed by others is noticed at the next save
            self.release()
            raise LeadError(
                f"Another lead studio has {what} open. Use the page that it serves, or stop it first (Ctrl+C)."
            )

    def release(self) -> None:
        """Lets others have it. Does no harm twice."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None
