"""Earlier states of the label file, whole, in a folder of their own."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from lead.errors import LeadError, NotThere
from lead.files import replacing
from lead.studio.messages import Snapshot

RECENT = 50
"""Snapshots that are all kept; of the older ones, the last of each day."""
_STAMP = "%Y%m%dT%H%M%S.%fZ"
_FILE = re.compile(r"(\d{8}T\d{6}\.\d{6}Z)_(\d+)_(\d+)_([a-z0-9-]+)\.json")


@dataclass(frozen=True)
class _Kept:
    path: Path
    id: str
    pictures: int
    points: int
    why: str


class History:
    """Snapshots of one file. Each is a file of its own, named by time, pictures, points and reason, and readable as
    it is: ``20261123T101500.000000Z_12_340_before-an-import.json``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def snapshots(self) -> list[Snapshot]:
        """All there are, the latest first."""
        return [
            Snapshot(
                id=kept.id,
                at=_time(kept.id).isoformat(timespec="seconds"),
                why=kept.why,
                pictures=kept.pictures,
                points=kept.points,
            )
            for kept in reversed(self._kept())
        ]

    def add(self, content: bytes, why: str, *, pictures: int, points: int) -> None:
        """Puts a state by, unless the latest is the same.

        Args:
            content: the whole file.
            why: a few words of letters and digits.
            pictures, points: labelled in it.

        Raises:
            OSError: it cannot be written.
        """
        kept = self._kept()
        if kept and kept[-1].path.read_bytes() == content:
            return
        now = datetime.now(UTC)
        if kept and _time(kept[-1].id) >= now:  # the clock was put back: order counts more
            now = _time(kept[-1].id) + timedelta(microseconds=1)
        slug = re.sub(r"[^a-z0-9]+", "-", why.lower()).strip("-")
        with replacing(self._folder / f"{now.strftime(_STAMP)}_{pictures}_{points}_{slug}.json") as partial:
            partial.write_bytes(content)
        self._thin()

    def read(self, id: str) -> bytes:
        """The whole file as it was. Raises :class:`LeadError` if there is no such snapshot, or it cannot be read."""
        for kept in self._kept():
            if kept.id == id:
                try:
                    return kept.path.read_bytes()
                except OSError as error:
                    raise LeadError(f"Cannot read {kept.path}: {error.strerror}. Choose another one.") from error
        raise NotThere(f"The history holds no state {id!r} any more. Load the list again and choose another.")

    def _kept(self) -> list[_Kept]:
        """In order of time."""
        if not self._folder.is_dir():
            return []
        found = []
        for path in self._folder.iterdir():
            if match := _FILE.fullmatch(path.name):
                id, pictures, points, slug = match.groups()
                found.append(_Kept(path, id, int(pictures), int(points), slug.replace("-", " ")))
        return sorted(found, key=lambda kept: kept.id)

    def _thin(self) -> None:
        older = self._kept()[:-RECENT]
        last_of_day = {kept.id[:8]: kept.id for kept in older}
        for kept in older:
            if kept.id != last_of_day[kept.id[:8]]:
                kept.path.unlink(missing_ok=True)


def _time(id: str) -> datetime:
    return datetime.strptime(id, _STAMP).replace(tzinfo=UTC)
