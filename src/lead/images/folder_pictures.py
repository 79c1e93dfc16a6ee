"""The pictures of a folder, as label files ask for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Literal, NamedTuple

from lead.errors import LeadError
from lead.images.decode import orientation_of, upright_size
from lead.images.find import Media, find_media
from lead.images.parts import SIDEWAYS
from lead.landmarks.frames import frame_name, frame_of
from lead.landmarks.naming import Matches, by_stem, matches
from lead.landmarks.pictures import PictureInfo, Size

LabelledAs = Literal["upright", "stored"]
"""How a picture that its EXIF tag turns was looked at as it was labelled."""


class Seen(NamedTuple):
    """A picture's (width, height) in pixels as it is shown, and the EXIF orientation that turns the stored one so."""

    upright: Size
    orientation: int

    @property
    def stored(self) -> Size:
        """(width, height) of the pixels as they are stored."""
        return self.upright[::-1] if self.orientation in SIDEWAYS else self.upright

    @property
    def upright_already(self) -> bool:
        return self.orientation == 1


class FolderPictures(PictureInfo):
    """The pictures of a folder.

    Args:
        root: that the names start from.
        labelled_as: how those that their EXIF tag turns were looked at as they were labelled; None if that is not
            known.
        moved: whether pictures that are not where a name says are looked for in all of the folder.
        placeless: see :class:`PictureInfo`.
    """

    def __init__(
        self, root: Path, labelled_as: LabelledAs | None = None, *, moved: bool = True, placeless: bool = False
    ) -> None:
        self.root, self.labelled_as, self._moved, self.placeless = root, labelled_as, moved, placeless
        self._seen: dict[str, Seen] = {}

    def upright(self) -> FolderPictures:
        """The same pictures as they are shown: their :meth:`size` is the upright one."""
        same = FolderPictures(self.root, placeless=self.placeless)
        same._seen = self._seen
        return same

    def matches(self, images: Sequence[str]) -> Matches:
        """Which of the folder's pictures, and of the frames of its films, the names of a label file mean."""
        there = {image: self.has(image) for image in images}
        here, absent = ([image for image, is_there in there.items() if is_there == wanted] for wanted in (True, False))
        if not absent or not self._moved:
            return Matches(dict(zip(here, here, strict=True)), (), {})
        found = matches([*here, *absent], [*here, *self._files])
        frames, unclear = self._frames_of([image for image in absent if image not in found.files])
        files = dict(zip(here, here, strict=True)) | found.files | frames
        return Matches(files, found.by_name_alone, found.unclear | unclear)

    def _frames_of(self, images: Sequence[str]) -> tuple[dict[str, str], dict[str, tuple[str, ...]]]:
        """The same frames, of the films that they mean; and those whose film could be several."""
        frames = {image: frame for image in images if (frame := frame_of(image))}
        films = matches((film for film, _ in frames.values()), self._films)
        found = {image: frame_name(films.files[f], n) for image, (f, n) in frames.items() if f in films.files}
        return found, {image: films.unclear[film] for image, (film, _) in frames.items() if film in films.unclear}

    def find(self, image: str) -> str | None:
        """The picture, or the frame of a film, that a name in a label file means; None where there is not just one."""
        return image if self.has(image) else self.matches([image]).files.get(image)

    def seen(self, image: str) -> Seen | None:
        """What is to know of a picture of the folder; None where it is not there or cannot be read."""
        try:
            return self._look(image)
        except LeadError:
            return None

    def size(self, image: str) -> Size:
        """(width, height) of a picture, as it was labelled as far as that is known.

        Raises:
            LeadError: it is not there or cannot be read.
        """
        seen = self._look(image)
        return seen.stored if self.labelled_as == "stored" else seen.upright

    def _look(self, image: str) -> Seen:
        if image not in self._seen:
            found = self.find(image)
            if found is None or frame_of(found):
                raise LeadError(
                    f"{self.root / image} is not there, whose size is needed. Name the pictures' folder: --pictures."
                )
            self._seen[image] = Seen(upright_size(self.root / found), orientation_of(self.root / found))
        return self._seen[image]

    def has(self, image: str) -> bool:
        """Whether a picture, or the film of a frame, is there."""
        film = frame_of(image)
        return (self.root / (film[0] if film else image)).is_file()

    def film_of_stem(self, path: str) -> str | None:
        return by_stem(self._films).get(path)

    def of_stem(self, path: str) -> str:
        return self._by_stem.get(path, path)

    @cached_property
    def _by_stem(self) -> Mapping[str, str]:
        return by_stem(self._files)

    @property
    def _files(self) -> list[str]:
        return self._media.pictures

    @property
    def _films(self) -> list[str]:
        return self._media.films

    @cached_property
    def _media(self) -> Media:
        try:
            return find_media(self.root)
        except LeadError:  # neither pictures nor films
            return Media([], [], "")
