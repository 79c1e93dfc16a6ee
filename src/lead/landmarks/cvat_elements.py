"""The elements of CVAT's XML: pictures and tracks of films, and the points marked on them."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from xml.etree import ElementTree

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from lead.errors import LeadError
from lead.landmarks.coco_entries import number_of
from lead.landmarks.frames import FILMS, frame_name
from lead.landmarks.left_out import LeftOut
from lead.landmarks.model import HIDDEN, UNLABELLED, VISIBLE
from lead.landmarks.pictures import PictureInfo

Element = ElementTree.Element
Key = tuple[str, str]
"""The label of the skeleton that a landmark is of, empty for none, and its own name."""
SKELETON, POINTS = "skeleton", "points"
AUTOMATIC = "auto"
"""The source of what a model said; CVAT makes it semi-auto as soon as somebody moves it."""
_FRAME = re.compile(r"frame_(\d+)")


@dataclass(frozen=True)
class Mark:
    """One landmark of a picture: pixels, visibility, whether a model said it, and the line that it stands in."""

    x: float
    y: float
    visible: int
    predicted: bool
    line: int


@dataclass
class Specimen:
    """What is marked on a specimen, and the name of its track."""

    marks: dict[Key, Mark] = field(default_factory=dict)
    twice: dict[Key, None] = field(default_factory=dict)
    track: str = ""

    def add(self, key: Key, mark: Mark) -> None:
        if key in self.marks:
            self.twice[key] = None
        self.marks[key] = mark


@dataclass
class Picture:
    """A picture and its specimens, by what tells them apart: one, but for a picture that shows several."""

    name: str
    size: tuple[int, int]
    specimens: dict[str, Specimen] = field(default_factory=dict)

    @property
    def marked(self) -> list[Specimen]:
        """The specimens that have a mark."""
        return [specimen for specimen in self.specimens.values() if specimen.marks]


@dataclass(frozen=True)
class Declared:
    """What ``<meta>`` says.

    Attributes:
        keys: the landmarks, in their order.
        bones: the lines of the skeletons: the skeleton's label, and the names of its landmarks.
        film: the film that the task is of; empty if there is none.
        size: its frames' width and height; zeros if it says none.
    """

    keys: tuple[Key, ...]
    bones: tuple[tuple[str, str, str], ...]
    film: str
    size: tuple[int, int]


def declared_in(root: Element) -> Declared:
    """What ``<meta>`` says of the labels and the film."""
    meta = root.find("meta")
    labels = list(meta.iter("label")) if meta is not None else []
    keys: dict[Key, None] = {}
    bones: list[tuple[str, str, str]] = []
    for label in labels:
        name = label.findtext("name") or ""
        if label.findtext("type") == SKELETON:
            bones += ((name, a, b) for a, b in _drawn(label.findtext("svg") or ""))
        else:
            keys[label.findtext("parent") or "", name] = None
    film = "" if meta is None else next((s.text or "" for s in meta.iter("source") if _is_film(s.text or "")), "")
    size = None if meta is None else next(meta.iter("original_size"), None)
    sizes = (0, 0) if size is None else _size(size.findtext("width"), size.findtext("height"))
    return Declared(tuple(keys), tuple(bones), film.replace("\\", "/"), sizes)


def _is_film(name: str) -> bool:
    return name.lower().endswith(FILMS)


def _size(width: str | None, height: str | None) -> tuple[int, int]:
    numbers = [number_of(text) for text in (width, height)]
    if not all(number is not None and 1 <= number < 2**31 for number in numbers):
        return 0, 0
    return int(numbers[0] or 0), int(numbers[1] or 0)


def _drawn(drawing: str) -> Iterator[tuple[str, str]]:
    """The lines in the drawing of a skeleton."""
    at = {}
    for circle in re.findall(r"<circle\b[^>]*>", drawing):
        keys = _attributes(circle)
        at[keys.get("data-node-id", "")] = keys.get("data-label-name", "")
    for line in re.findall(r"<line\b[^>]*>", drawing):
        keys = _attributes(line)
        ends = at.get(keys.get("data-node-from", "")), at.get(keys.get("data-node-to", ""))
        if ends[0] and ends[1]:
            yield ends[0], ends[1]


def _attributes(tag: str) -> dict[str, str]:
    """Those of a tag of the drawing, which is a fragment without a root."""
    try:
        element = fromstring(tag if tag.endswith("/>") else f"{tag[:-1]}/>", forbid_dtd=True)
    except (ElementTree.ParseError, DefusedXmlException):
        return {}
    return dict(element.attrib)


@dataclass(frozen=True)
class _Loose:
    """Points that are of no skeleton: the picture, the specimen in it, the element, and its label."""

    picture: Picture
    specimen: Specimen
    element: Element
    label: str


class Marks:
    """The pictures of a file, with what is marked on them.

    Args:
        root: of the file.
        lines: of the elements.
        declared: what ``<meta>`` says.
        pictures: the pictures at hand: the frames of a film have no ending in the file.
        kind: the one skeleton's label to read; None for all, and all other points.
        left_out: where to count what is not read.
        several: whether pictures may show several specimens.
    """

    def __init__(
        self,
        root: Element,
        lines: dict[Element, int],
        declared: Declared,
        pictures: PictureInfo,
        kind: str | None,
        left_out: LeftOut,
        *,
        several: bool,
    ) -> None:
        self._several, self._apart = several, several and _shows_several(root, kind)
        self._lines, self._declared, self._at_hand = lines, declared, pictures
        self._kind, self._left_out = kind, left_out
        self._loose: list[_Loose] = []
        self.pictures: list[Picture] = []
        for image in root.iter("image"):
            self._add_image(image)
        frames: dict[str, Picture] = {}
        for number, track in enumerate(root.iter("track")):
            self._add_track(track, number, frames)
        self.pictures += sorted(frames.values(), key=lambda picture: int(picture.name.rpartition("#")[2]))
        self._add_loose()

    def _add_image(self, image: Element) -> None:
        name = image.get("name", "").replace("\\", "/")
        if not name:
            self._left_out.add("image without a name", f"id {image.get('id', '?')}")
            return
        picture = Picture(self._found(name), _size(image.get("width"), image.get("height")))
        self.pictures.append(picture)
        kinds = [shape.get("label", "") for shape in image.iter(SKELETON)]
        twice = [kind for kind in dict.fromkeys(kinds) if kinds.count(kind) > 1 and self._kind in (None, kind)]
        if twice and not self._several:
            count = kinds.count(twice[0])
            raise LeadError(f"{name}: {count} skeletons {twice[0]!r}. One instance a picture is supported.")
        for number, shape in enumerate(image):
            specimen = self._specimen(picture, _owner(shape, _group(shape), f"shape {number}"))
            self._add_shape(picture, specimen, shape, shape.get("label", ""))

    def _specimen(self, picture: Picture, owner: str) -> Specimen:
        """The specimen of a picture that an owner of shapes is; all are one, unless pictures show several."""
        return picture.specimens.setdefault(owner if self._apart else "", Specimen())

    def _found(self, name: str) -> str:
        """The picture at hand; CVAT gives a film's frames no ending, and numbers them as the film does."""
        if posixpath.splitext(name)[1]:
            return name
        found = self._at_hand.of_stem(name)
        number = _FRAME.fullmatch(name) if found == name and self._declared.film else None
        return frame_name(self._declared.film, int(number[1])) if number else found

    def _add_track(self, track: Element, number_of_track: int, frames: dict[str, Picture]) -> None:
        label, group = track.get("label", ""), _group(track)
        name_of_track = f"{label} {track.get('id', number_of_track)}"
        if not self._declared.film:
            raise LeadError("it holds tracks, but does not name their film. Export as 'CVAT for images 1.1'.")
        for shape in track:
            number = shape.get("frame", "")
            if not re.fullmatch(r"[0-9]{1,9}", number):
                self._left_out.add("shape of a track without a frame", label)
                continue
            if between := _take_between(shape):
                self._left_out.add("place that CVAT has put between a person's", label, count=between)
            if _in_picture(shape):
                shape.set("source", shape.get("source", track.get("source", "")))
                name = frame_name(self._declared.film, int(number))
                picture = frames.setdefault(name, Picture(name, self._declared.size))
                owner = _owner(shape, group, name_of_track)
                specimen = self._specimen(picture, owner)
                if self._kind in (None, label):
                    specimen.track = specimen.track or owner
                self._add_shape(picture, specimen, shape, label)

    def _add_shape(self, picture: Picture, specimen: Specimen, shape: Element, label: str) -> None:
        if shape.tag == SKELETON and self._kind in (None, label):
            self._tell(_values(shape), "skeletons")
            for element in shape.findall(POINTS):
                self._tell(_values(element), "points")
                name, source = element.get("label", ""), shape.get("source", "")
                self._add_points(picture, specimen, element, (label, name), source)
        elif shape.tag == POINTS and self._kind is None:
            self._loose.append(_Loose(picture, specimen, shape, label))
        else:
            what = shape.get("label", label) if shape.tag in (SKELETON, POINTS) else ""
            self._left_out.add(f"shape of type {shape.tag!r}"[:50], what)

    def _tell(self, attributes: Iterable[str], of: str) -> None:
        for name in attributes:
            self._left_out.add(f"attribute of {of}", name)

    def _add_loose(self) -> None:
        """Points with a label each; of several with one label an attribute may say which is which."""
        of_labels: dict[str, list[_Loose]] = {}
        for loose in self._loose:
            of_labels.setdefault(loose.label, []).append(loose)
        telling = {label: _telling(same) for label, same in of_labels.items()}
        for loose in self._loose:
            attributes = _values(loose.element)
            told = telling[loose.label]
            name = f"{loose.label} {attributes.pop(told)}" if told is not None else loose.label
            self._tell(attributes, "points")
            self._add_points(loose.picture, loose.specimen, loose.element, ("", name), "")

    def _add_points(self, picture: Picture, specimen: Specimen, element: Element, key: Key, source: str) -> None:
        kind, name = key
        where = f"{picture.name}: {name!r}"
        flags = [element.get(key, "0") for key in ("outside", "occluded")]
        places = _places(element)
        if not name:
            self._left_out.add("point without a label", picture.name)
        elif not set(flags) <= {"0", "1"}:
            self._left_out.add("point whose outside or occluded is not 0 or 1", where)
        elif not places:
            self._left_out.add("point without a place", where)
        else:
            visible = UNLABELLED if flags[0] == "1" else HIDDEN if flags[1] == "1" else VISIBLE
            predicted = element.get("source", source) == AUTOMATIC
            for number, place in enumerate(places, start=1):
                numbers = [number_of(text) for text in place.split(",")]
                called = name if len(places) == 1 else f"{name} {number}"
                if len(numbers) != 2 or numbers[0] is None or numbers[1] is None:
                    self._left_out.add("point without a place", f"{picture.name}: {called!r} at {place[:30]!r}")
                    continue
                mark = Mark(numbers[0], numbers[1], visible, predicted, self._lines[element])
                specimen.add((kind, called), mark)


def _places(element: Element) -> list[str]:
    return [place for place in element.get("points", "").split(";") if place.strip()]


def _group(element: Element) -> str:
    """What the shapes or tracks of one group share; empty where it is in none."""
    group = element.get("group_id", "0")
    return "" if group in ("", "0") else f"group {group}"


def _owner(shape: Element, group: str, own: str) -> str:
    """What the shapes of one specimen share: their group, or else the one that is a specimen itself; empty for others.

    Args:
        shape: a shape.
        group: what those of its group share; empty where it is in none.
        own: what only this shape, or its track, has.
    """
    return group or (own if shape.tag == SKELETON or len(_places(shape)) > 1 else "")


def _shows_several(root: Element, kind: str | None) -> bool:
    """Whether shapes are in groups, or a picture shows two skeletons, or points with several places, of one label."""
    pictures = [[(shape.get("label", ""), shape) for shape in image] for image in root.iter("image")]
    frames: dict[str, list[tuple[str, Element]]] = {}
    for track in root.iter("track"):
        for shape in track:
            if shape.get("outside") != "1":
                frames.setdefault(shape.get("frame", ""), []).append((track.get("label", ""), shape))
    if any(_group(element) for tag in ("track", SKELETON, POINTS) for element in root.iter(tag)):
        return True
    for shapes in (*pictures, *frames.values()):
        skeletons = [label for label, shape in shapes if shape.tag == SKELETON and kind in (None, label)]
        if len(set(skeletons)) < len(skeletons):
            return True
        whole = [(label, shape) for label, shape in shapes if shape.tag == POINTS and len(_places(shape)) > 1]
        picture, specimen = Picture("", (0, 0)), Specimen()
        for label in {label for label, _ in whole} if kind is None else ():
            same = [_Loose(picture, specimen, shape, label) for of, shape in whole if of == label]
            if len(same) > 1 and _telling(same) is None:
                return True
    return False


def _take_between(shape: Element) -> int:
    """Takes the points out of a shape of a track that nobody set on this frame. Returns how many."""
    if shape.tag == SKELETON:
        between = [element for element in shape.findall(POINTS) if _is_between(element, shape)]
        for element in between:
            shape.remove(element)
        return len(between)
    if _is_between(shape, shape):
        shape.set("outside", "1")
        return 1
    return 0


def _is_between(element: Element, shape: Element) -> bool:
    return element.get("keyframe", shape.get("keyframe", "1")) == "0"


def _in_picture(shape: Element) -> bool:
    """Whether a shape of a track is in the frame; takes the points out of a skeleton that are not.

    A track ends with a shape that is outside, also on a frame that another track of the same label labels.
    """
    for element in shape.findall(POINTS):
        if element.get("outside") == "1":
            shape.remove(element)
    return shape.get("outside") != "1" and (shape.tag != SKELETON or shape.find(POINTS) is not None)


def _values(element: Element) -> dict[str, str]:
    """The attributes of a shape that have a value."""
    found = {attribute.get("name", ""): (attribute.text or "").strip() for attribute in element.findall("attribute")}
    return {name: value for name, value in found.items() if name and value}


def _telling(same: Sequence[_Loose]) -> str | None:
    """The attribute that tells points of one label apart, where a specimen has several; numbers before others."""
    of_specimens: dict[int, list[dict[str, str]]] = {}
    for loose in same:
        of_specimens.setdefault(id(loose.specimen), []).append(_values(loose.element))
    if all(len(on_one) == 1 for on_one in of_specimens.values()):
        return None
    everywhere = [name for name in _values(same[0].element) if all(name in _values(loose.element) for loose in same)]
    telling = [
        name
        for name in everywhere
        if all(len({values[name] for values in on_one}) == len(on_one) for on_one in of_specimens.values())
    ]
    numbers = [name for name in telling if all(_values(loose.element)[name].isdecimal() for loose in same)]
    return next(iter(numbers or telling), None)
