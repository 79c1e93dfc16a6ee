"""Formats with a file for each picture: their texts in a folder, and in a zip archive."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from lead.errors import LeadError
from lead.files import read_text, write_atomic
from lead.landmarks.left_out import LeftOut
from lead.landmarks.model import Labels
from lead.landmarks.pictures import PictureInfo
from lead.reporting import counted

ZIP = b"PK"
"""What an archive begins with."""
WHOLE = 2**28
"""Bytes of all files in an archive, at most: thousands of pictures' points are a hundredth of it, and it may lie."""


@dataclass(frozen=True)
class PerPicture:
    """What such a format does with the texts of several files.

    Attributes:
        ending: of each file, with the dot.
        parse: labels of the texts, by their paths; and whether pictures may show several specimens.
        dump: the texts of labels, by their paths.
        why_not: why a text of this ending is something else that lies in the folder; where it is None, none is.
        head: names of the file that says what holds for all, one of which must be there; empty where there is none.
    """

    ending: str
    parse: Callable[[Mapping[str, str], PictureInfo, bool], Labels]
    dump: Callable[[Labels, PictureInfo], dict[str, str]]
    why_not: Callable[[str], str | None] | None = None
    head: tuple[str, ...] = ()

    def found(self, folder: Path) -> dict[str, str]:
        """The texts in a folder and its subfolders, by their paths in it. Raises :class:`LeadError` for no text."""
        heads = sorted(path for name in self.head for path in folder.rglob(name))
        if self.head and not heads:
            return {}
        texts = {path.relative_to(folder).as_posix(): read_text(path) for path in heads}
        for path in sorted(folder.rglob(f"*{self.ending}")):
            try:
                text = read_text(path)
            except LeadError:
                if not (self.why_not or self.head):
                    raise
                continue  # something else that lies in the folder
            if not self.why_not or self.why_not(text) is None:
                texts[path.relative_to(folder).as_posix()] = text
        return texts

    def passed_over(self, folder: Path, texts: Mapping[str, str]) -> str:
        """The files of the ending in a folder that are not among the texts found in it, counted, in words."""
        told = LeftOut()
        for path in sorted(folder.rglob(f"*{self.ending}")):
            if (name := path.relative_to(folder).as_posix()) not in texts:
                told.add(f"file {self.ending} of something else, or damaged", name)
        return str(told)

    def write(self, labels: Labels, path: Path, pictures: PictureInfo, *, overwrite: bool) -> None:
        """Writes a folder; or the file of one picture, where the path ends as one.

        Raises:
            LeadError: a file is to hold several pictures, is there already, cannot be written, or leads elsewhere.
        """
        texts = self.dump(labels, pictures)
        if path.suffix.lower() == self.ending:
            if len(texts) != 1:
                raise LeadError(
                    f"{path} can hold one picture's points, not those of {len(texts)}. Give a folder, or .zip."
                )
            write_atomic(path, next(iter(texts.values())), overwrite=overwrite)
            return
        for name, text in texts.items():
            if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
                raise LeadError(f"{name!r} leads out of {path}. Convert labels whose picture paths are relative.")
            write_atomic(path / name, text, overwrite=overwrite)


def archive_why_not(data: bytes, ending: str | tuple[str, ...]) -> str | None:
    """Why an archive has no files of an ending; None if it seems to. Names stand in it as they are, damaged or not."""
    endings = (ending,) if isinstance(ending, str) else ending
    if not data.startswith(ZIP):
        return "is not a zip archive"
    return None if any(each.encode() in data for each in endings) else f"is a zip archive without {endings[0]} files"


def unpacked(data: bytes, ending: str | tuple[str, ...], *, longest: int = WHOLE, most: int = WHOLE) -> dict[str, str]:
    """The texts of the files of an ending in an archive, by their paths; see :func:`members`."""
    files = members(data, ending, longest=longest, most=most)
    try:
        return {path: content.decode("utf-8-sig") for path, content in files.items()}
    except UnicodeDecodeError as error:
        raise LeadError(f"not a zip archive of texts that can be read ({error}).") from error


def members(data: bytes, ending: str | tuple[str, ...], *, longest: int = WHOLE, most: int = WHOLE) -> dict[str, bytes]:
    """The files of an ending in an archive, by their paths.

    Args:
        data: the archive.
        ending: with the dot, or several.
        longest: bytes of a file, at most: one that says more holds something else, and is left out.
        most: bytes of all of them, at most.

    Raises:
        LeadError: it is damaged or holds more than ``most``.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            found = [m for m in archive.infolist() if m.filename.endswith(ending) and m.file_size <= longest]
            whole = sum(member.file_size for member in found)
            if whole > most:
                raise LeadError(
                    f"the {counted(len(found), 'file')} in it would take {whole:,} bytes: at most {most:,}."
                )
            return {member.filename: archive.read(member) for member in found}
    except LeadError:
        raise
    except Exception as error:  # zipfile lets nearly any type through for a damaged archive, zlib's and lzma's included
        raise LeadError(f"not a zip archive that can be read ({str(error) or type(error).__name__}).") from error


def packed(texts: Mapping[str, str]) -> bytes:
    """A zip archive of files, without dates: the same texts give the same bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, text in texts.items():
            archive.writestr(zipfile.ZipInfo(name), text)
    return out.getvalue()
