"""Earlier states of the label file, whole, in a folder of their own."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

from lead.errors import LeadError, NotThere
from lead.files import replacing
from lead.studio.label_messages import Message

RECENT = 50
"""Snapshots that are all kept. Of the older ones that with most points, the last of each hour for ``HOURLY`` before the
latest, and the last of each day."""
HOURLY = timedelta(days=7)
_STAMP = "%Y%m%dT%H%M%S.%fZ"
_FILE = re.compile(r"\d{8}T\d{6}\.\d{6}Z_\d+_\d+_[a-z0-9-]+\.json")


class Snapshot(Message):
    """An earlier state of the label file.

    Attributes:
        at: when it was put by, ISO 8601 with the zone.
        why: a few words.
        pictures, points: labelled in it, or with something said of them as a whole.
    """

    id: str
    at: str
    why: str
    pictures: int
    points: int


class History:
    """Snapshots of one file. Each is a file of its own, named by time, pictures, points and reason, and readable as
    it is: ``20261123T101500.000000Z_12_340_before-an-import.json``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def snapshots(self) -> list[Snapshot]:
        """All that hold something, the latest first."""
        snapshots = [_snapshot(path) for path in reversed(self._files())]
        return [snapshot for snapshot in snapshots if snapshot.pictures or snapshot.points]

    def add(self, content: bytes, why: str, *, pictures: int, points: int) -> str:
        """Puts a state by, unless the latest is the same.

        Args:
            content: the whole file.
            why: a few words of letters and digits.
            pictures, points: labelled in it.

        Returns:
            The id of the snapshot that holds it.

        Raises:
            OSError: it cannot be written.
        """
        files = self._files()
        if files and files[-1].read_bytes() == content:
            return _id(files[-1])
        now = datetime.now(UTC)
        if files and _time(files[-1]) >= now:  # the clock was put back: order counts more
            now = _time(files[-1]) + timedelta(microseconds=1)
        slug = re.sub(r"[^a-z0-9]+", "-", why.lower()).strip("-")
        with replacing(self._folder / f"{now.strftime(_STAMP)}_{pictures}_{points}_{slug}.json") as partial:
            partial.write_bytes(content)
        self._thin()
        return now.strftime(_STAMP)

    def read(self, id: str) -> bytes:
        """The whole file as it was. Raises :class:`LeadError` if there is no such snapshot, or it cannot be read."""
        for path in self._files():
            if _id(path) == id:
                try:
                    return path.read_bytes()
                except OSError as error:
                    raise LeadError(f"Cannot read {path}: {error.strerror}. Choose another one.") from error
        raise NotThere(f"The history holds no state {id!r} any more. Load the list again and choose another.")

    def _files(self) -> list[Path]:
        """In order of time."""
        if not self._folder.is_dir():
            return []
        return sorted((path for path in self._folder.iterdir() if _FILE.fullmatch(path.name)), key=_id)

    def _thin(self) -> None:
        files = self._files()
        last_of_day = {_id(path)[:8]: path for path in files}
        last_of_hour = {_id(path)[:11]: path for path in files if _time(files[-1]) - _time(path) <= HOURLY}
        fullest = max(reversed(files), key=lambda path: _snapshot(path).points)  # the latest of equally full ones
        for path in set(files) - {*files[-RECENT:], *last_of_day.values(), *last_of_hour.values(), fullest}:
            path.unlink(missing_ok=True)


def _snapshot(path: Path) -> Snapshot:
    id, pictures, points, reason = path.stem.split("_")
    at = _time(path).isoformat(timespec="seconds")
    return Snapshot(id=id, at=at, why=reason.replace("-", " "), pictures=int(pictures), points=int(points))


def _id(path: Path) -> str:
    return path.name.partition("_")[0]


def _time(path: Path) -> datetime:
    return datetime.strptime(_id(path), _STAMP).replace(tzinfo=UTC)
