"""What a label file may have to know of the pictures that it labels: some say places in a picture's own units."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from lead.errors import LeadError
from lead.landmarks.naming import by_stem

Size = tuple[int, int]
"""(width, height) in pixels."""


class PictureInfo:
    """What label files may ask about pictures; here, of pictures about which nothing is known.

    Attributes:
        placeless: whether only counts how landmarks lie to one another, so that y may begin anywhere in a picture
            whose height is needed and not known.
    """

    placeless = False

    def size(self, image: str) -> Size:
        """(width, height) of a picture. Raises :class:`LeadError` where it is not known."""
        raise LeadError(f"the size of picture {image!r} is needed, which is not at hand. Name its folder: --pictures.")

    def of_stem(self, path: str) -> str:
        """The picture whose path without ending is ``path``; ``path`` itself where there is not just one."""
        return path

    def film_of_stem(self, _path: str) -> str | None:
        """The film whose path without ending is this; None where there is not just one."""
        return None


class Sized(PictureInfo):
    """Pictures whose sizes are known; the others are looked up elsewhere.

    Args:
        sizes: of some pictures, by name.
        others: what knows the rest.
    """

    def __init__(self, sizes: Mapping[str, Size], others: PictureInfo | None = None) -> None:
        self._sizes, self._others = sizes, others or PictureInfo()
        self.placeless = self._others.placeless

    def size(self, image: str) -> Size:
        size = self._sizes.get(image)
        return size if size is not None else self._others.size(image)

    def of_stem(self, path: str) -> str:
        return self._by_stem.get(path) or self._others.of_stem(path)

    @cached_property
    def _by_stem(self) -> Mapping[str, str]:
        return by_stem(self._sizes)


def height_of(pictures: PictureInfo, image: str) -> int:
    """The height of a picture; 0 where it is not known and makes no difference. Raises as :meth:`PictureInfo.size`."""
    try:
        return pictures.size(image)[1]
    except LeadError:
        if pictures.placeless:
            return 0
        raise


def known_size(pictures: PictureInfo, image: str) -> Size | None:
    """The size of a picture, or None where it is not known."""
    try:
        return pictures.size(image)
    except LeadError:
        return None
