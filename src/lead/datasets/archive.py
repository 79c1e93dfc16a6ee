"""What a published archive must hold: named when it is missing, counted when it is there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from lead.datasets.table import check_pictures
from lead.errors import LeadError
from lead.files import read_text
from lead.images.decode import reading
from lead.reporting import counted

Counts = Mapping[str, int]
"""How many pictures a benchmark publishes, by split; ``"pictures"`` are those of a table that holds more."""
FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Archive:
    """A dataset as its authors hand it out.

    Attributes:
        title: what it is called.
        page: where its authors offer it.
    """

    title: str
    page: str

    def path(self, root: Path, *choices: str) -> Path:
        """The first of ``choices``, paths relative to ``root``, that is there. :class:`LeadError` if none is."""
        for choice in choices:
            if (root / choice).exists():
                return root / choice
        wanted = root / choices[0]
        there = next(folder for folder in (wanted.parent, *wanted.parents) if folder.is_dir())
        held = sorted(entry.name for entry in there.iterdir())
        found = ", ".join(held[:8]) + (", …" if len(held) > 8 else "")
        others = f" (nor is {' or '.join(choices[1:])})" if choices[1:] else ""
        raise LeadError(
            f"{self.title}: {wanted} is not there{others}; {there} holds {found or 'nothing'}. "
            f"Get the archive from {self.page} and unpack it there."
        )

    def lines(self, root: Path, *choices: str) -> list[str]:
        """The lines of a text file, without blank ones; see :meth:`path`."""
        return [line for line in read_text(self.path(root, *choices)).splitlines() if line.strip()]

    def table(self, root: Path, name: str, columns: int) -> list[list[str]]:
        """The fields of a table without a header whose columns blanks divide; :class:`LeadError` names a wrong line."""
        rows = [line.split() for line in self.lines(root, name)]
        for number, row in enumerate(rows, start=1):
            if len(row) != columns:
                raise self.other(root / name, f"line {number} has {counted(len(row), 'column')}, not {columns}")
        return rows

    def mat(self, root: Path, name: str, *keys: str) -> list[npt.NDArray[np.generic]]:
        """Variables of a MATLAB file, dimensions of length 1 dropped, structures as objects with attributes."""
        from scipy.io import loadmat  # takes a while, and is seldom needed

        path = self.path(root, name)
        try:
            held = loadmat(path, squeeze_me=True, struct_as_record=False)
        except Exception as error:  # scipy lets nearly any type through for a damaged file
            raise self.other(path, f"no MATLAB file that can be read ({error})") from error
        for key in keys:
            if key not in held:
                names = ", ".join(name for name in held if not name.startswith("__")) or "nothing"
                raise self.other(path, f"it has no variable {key!r}, only {names}")
        return [held[key] for key in keys]

    def numbers(self, path: Path, rows: Iterable[Iterable[str]], names: Iterable[str]) -> FloatArray:
        """A table of text to float64; ``names`` say which picture each row is of. A wrong one is named."""
        rows = list(rows)
        try:
            return np.array(rows, dtype=np.float64)
        except ValueError:
            for name, row in zip(names, rows, strict=True):
                for value in row:
                    try:
                        float(value)
                    except ValueError:
                        raise self.other(path, f"{value!r} of {name} is not a number") from None
            raise

    def check_count(self, path: Path, what: str, found: int, expected: int) -> None:
        """Raises :class:`LeadError` unless a split is as large as published."""
        if found != expected:
            raise self.other(path, f"it has {counted(found, what)}, not the published {expected:,}")

    def check_pictures(self, root: Path, files: Iterable[str], size: tuple[int, int] | None = None) -> None:
        """Raises :class:`LeadError` naming a picture that is missing, or that is not of ``size`` (width, height)."""
        check_pictures(root, files)
        if size is None:
            return
        for file in files:
            with reading(root / file), Image.open(root / file) as picture:
                found = picture.size
            if found != size:
                raise self.other(root / file, f"it has {found[0]} × {found[1]} pixels, not {size[0]} × {size[1]}")

    def other(self, path: Path, what: str) -> LeadError:
        """The error of a file that is not the published one."""
        return LeadError(
            f"{self.title}: {path}: {what}. It is of another version or not complete; get it again from {self.page}."
        )
