"""The films that lie beside the pictures: their frames, and frames taken as pictures."""

from __future__ import annotations

import io
import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from PIL import Image

from lead.errors import LeadError
from lead.files import write_atomic
from lead.images.decode import decode, fitted
from lead.images.embedded import embedded_frames
from lead.images.film import UnreadableFilm
from lead.images.seeking import Index
from lead.landmarks.frames import PACKAGE, frame_of
from lead.landmarks.naming import matches
from lead.studio.film_messages import Film, FilmEntry
from lead.studio.folder import PictureFolder, UnknownPicture, picture_id
from lead.studio.pictures import Encoded, Kept, as_jpeg

SIDE = 1024
"""Longer side of a frame as it is shown to choose from, at most, in pixels; what is taken has all of its pixels."""
FRAMES_BYTES = 64 * 2**20
"""Memory for frames that were shown."""
INDICES = 8
"""Films whose packets are remembered."""
MOST_AT_ONCE = 500
"""Frames taken at a time."""
_TAKEN = re.compile(r"(?P<film>.+)/frame-(?P<number>\d+)\.png")


def frame_file(film: str, number: int, films: Sequence[str]) -> str:
    """The path of a taken frame: in a folder named like its film, without the ending if no other film is called so."""
    stem = str(PurePosixPath(film).with_suffix(""))
    alike = [other for other in films if str(PurePosixPath(other).with_suffix("")) == stem]
    return f"{stem if len(alike) < 2 else film.replace('.', '_')}/frame-{number:06}.png"


def taken_frame(file: str) -> tuple[str, int] | None:
    """The folder of a taken frame, which stands for its film, and its number; None for any other picture."""
    match = _TAKEN.fullmatch(file)
    return (match["film"], int(match["number"])) if match else None


class Films:
    """The films of a folder. Every method may be called from any thread.

    Each of them raises :class:`UnknownPicture` if there is no film of an id, and :class:`lead.errors.LeadError` if it
    cannot be read, or films cannot be read here.
    """

    def __init__(self, folder: PictureFolder) -> None:
        self._folder = folder
        self._indices = Kept[Index](INDICES, lambda _: 1)
        self._frames = Kept[Encoded](FRAMES_BYTES, lambda encoded: len(encoded.content))

    def entries(self) -> list[FilmEntry]:
        """All films, in natural order."""
        return [FilmEntry(id=picture_id(file), file=file) for file in self._folder.listing.films]

    def film(self, id: str) -> Film:
        """What there is to know of a film."""
        file, index = self._file(id), self._index(id)
        width, height = index.frame(0).size
        listing = self._folder.listing
        place = frame_file(file, 0, listing.films).rpartition("/")[0]
        found = ((taken_frame(name), picture) for name, picture in listing.id_of.items())
        taken = {frame[1]: picture for frame, picture in found if frame and frame[0] == place}
        return Film(id=id, file=file, width=width, height=height, frames=index.count, taken=taken)

    def frame(self, id: str, number: int) -> Encoded:
        """A frame as a JPEG of at most ``SIDE`` pixels."""
        return self._frames.get((id, self._stamp(id), number), lambda: self._encoded(id, number))

    def take(self, id: str, numbers: Sequence[int]) -> list[str]:
        """Writes frames as pictures of the folder, where they are not yet; what is there is never overwritten.

        Returns:
            The files of all of them.

        Raises:
            LeadError: too many, or the folder cannot be written to.
        """
        if len(numbers) > MOST_AT_ONCE:
            raise LeadError(f"{len(numbers)} frames are too many at once: take {MOST_AT_ONCE} at most.")
        film, index = self._file(id), self._index(id)
        files = []
        for number in numbers:
            file = frame_file(film, number, self._folder.listing.films)
            path = self._folder.root / file
            if not path.resolve().is_relative_to(self._folder.root.resolve()):
                raise LeadError(f"{path.parent} is a link out of the folder of pictures. Rename it or the film.")
            if not path.exists():
                _write(index.frame(number), path)
            files.append(file)
        return files

    def take_labelled(self, images: Sequence[str], package: bytes, name: str) -> dict[str, str]:
        """Makes the frames that a label file labels pictures of the folder: of the films here, else out of the file.

        Args:
            images: as the label file names them; those that are no frames, or cannot be had, are passed over.
            package: the label file, of SLEAP's say, which may hold the frames itself.
            name: the file's own.

        Returns:
            The pictures' files, by the names in the label file.
        """
        wanted = {image: frame for image in images if (frame := frame_of(image))}
        found = matches((film for film, _ in wanted.values()), self._folder.listing.films).files
        taken: dict[str, str] = {}
        for film, here in found.items():
            id = picture_id(here)
            try:
                count = self._index(id).count
            except UnreadableFilm:
                continue
            of_film = [(image, n) for image, (known, n) in wanted.items() if known == film and n < count]
            for start in range(0, len(of_film), MOST_AT_ONCE):
                some = of_film[start : start + MOST_AT_ONCE]
                files = self.take(id, [number for _, number in some])
                taken |= {image: file for (image, _), file in zip(some, files, strict=True)}
        rest = {image: frame for image, frame in wanted.items() if image not in taken}
        if rest and PurePosixPath(name).suffix.lower() == PACKAGE:
            taken |= self._inside(rest, package, PurePosixPath(name).name)
        return taken

    def _inside(self, wanted: Mapping[str, tuple[str, int]], package: bytes, name: str) -> dict[str, str]:
        taken: dict[str, str] = {}
        with tempfile.TemporaryDirectory() as place:
            copy = Path(place) / name
            copy.write_bytes(package)
            inside = embedded_frames(copy, Path(place) / "out")
            for image in wanted.keys() & inside.keys():
                film, number = wanted[image]
                file = frame_file(PurePosixPath(film).name, number, ())
                path, picture = self._folder.root / file, decode(inside[image])
                if not path.parent.resolve().is_relative_to(self._folder.root.resolve()):
                    continue
                if not path.exists():
                    _write(picture, path)
                elif decode(path).tobytes() != picture.tobytes():  # a frame of another film of the same name
                    continue
                taken[image] = file
        return taken

    def _encoded(self, id: str, number: int) -> Encoded:
        picture = self._index(id).frame(number)
        return as_jpeg(picture if max(picture.size) <= SIDE else fitted(picture, SIDE))

    def _index(self, id: str) -> Index:
        return self._indices.get((id, self._stamp(id)), lambda: Index.of(self._path(id)))

    def _stamp(self, id: str) -> tuple[int, int]:
        path = self._path(id)
        try:
            status = path.stat()
        except OSError as error:
            raise UnknownPicture(f"{path} cannot be read: {error.strerror}. Look at the folder again.") from error
        return status.st_mtime_ns, status.st_size

    def _file(self, id: str) -> str:
        for file in self._folder.listing.films:
            if picture_id(file) == id:
                return file
        raise UnknownPicture(f"No film has the id {id!r} in {self._folder.root}. Reload the page.")

    def _path(self, id: str) -> Path:
        path = self._folder.root / self._file(id)
        if not path.resolve().is_relative_to(self._folder.root.resolve()):
            raise UnknownPicture(f"{path} is a link out of the folder. Copy the film into the folder.")
        return path


def _write(picture: Image.Image, path: Path) -> None:
    content = io.BytesIO()
    picture.save(content, "PNG", compress_level=3)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LeadError(f"Cannot make the folder {path.parent}: {error.strerror}.") from error
    write_atomic(path, content.getvalue())
