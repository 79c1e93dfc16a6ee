"""CVAT's XML 1.1 of pictures: ``<image>`` elements that hold a ``<skeleton>`` of points, or ``<points>`` one by one.

Three ways to mark landmarks are read: a skeleton, whose nested points each have a label of their own; points with one
place each, the label being the landmark; and points of one label with several places, called "label 1", "label 2", …
here. Places are taken as they stand. ``outside="1"`` is unlabelled, ``occluded="1"`` hidden. The order of the
landmarks is that of the labels in ``<meta>``, of which the nested points' own order is independent; without it, that of
their first appearance. The lines of the skeleton are in the drawing (``<svg>``) of its label.

There is no place for scores, expected errors and flip pairs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.etree import ElementTree
from xml.sax.saxutils import escape, quoteattr

import numpy as np
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser, fromstring

from lead.errors import LeadError
from lead.landmarks.fields import to_number
from lead.landmarks.model import HIDDEN, UNLABELLED, VISIBLE, Labels, Places, Schema
from lead.landmarks.pictures import PictureInfo

LABEL = "object"
"""The skeleton's label in what we write."""
Point = tuple[float, float, int, int]
"""x, y, visibility, and the line that it stands in."""
Lines = dict[ElementTree.Element, int]
Pair = tuple[str, str]


def why_not(text: str) -> str | None:
    """Why a text is not CVAT's; None if it is like it."""
    return None if re.search(r"<annotations[\s>]", text[:10_000]) else "holds no <annotations>"


def parse(text: str) -> Labels:
    """Labels from the text of an XML file: a row for each ``<image>``, annotated or not.

    Raises:
        LeadError: it is not well-formed, is of a film's tracks, or declares entities; a picture stands twice or holds
            several instances, a landmark twice, or a value is wrong. The message names the picture.
    """
    root, lines = _root(text)
    if root.find("track") is not None:
        raise LeadError("it holds the tracks of a film. Export as 'CVAT for images 1.1'.")
    order, skeleton = _declared(root)
    points: dict[str, dict[str, Point]] = {}
    for image in root.iter("image"):
        name = image.get("name", "").replace("\\", "/")
        if not name:
            raise LeadError(f"image {image.get('id', '?')} has no name.")
        if name in points:
            raise LeadError(f"picture {name!r} stands more than once. Keep one.")
        points[name] = _points_of(image, name, lines)
    if not points:
        raise LeadError("no <image> in it. Export as 'CVAT for images 1.1', all pictures.")
    used = dict.fromkeys(name for of_image in points.values() for name in of_image)
    drawn = {name for bone in skeleton for name in bone}
    names = tuple(name for name in order if name in used or name in drawn)
    names += tuple(name for name in used if name not in set(names))
    if not names:
        raise LeadError("no points or skeletons in it.")
    table = np.full((len(points), len(names), 4), np.nan)
    table[..., 2:] = UNLABELLED, 0
    for row, of_image in enumerate(points.values()):
        for name, point in of_image.items():
            table[row, names.index(name)] = point
    bones = tuple(bone for bone in skeleton if set(bone) <= set(names))
    schema, places = Schema(names, skeleton=bones), Places(lines=table[..., 3].astype(np.int64))
    return Labels(schema, tuple(points), table[..., :2], table[..., 2].astype(np.int8), places=places)


class _Numbered(ElementTree.TreeBuilder):
    """Builds the tree, and notes the line that each element begins in."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: Lines = {}
        self.parser = DefusedXMLParser(target=self, forbid_dtd=True)

    def start(self, tag: str, attrs: dict[str, str], /) -> ElementTree.Element:
        element = super().start(tag, attrs)
        self.lines[element] = self.parser.parser.CurrentLineNumber
        return element


def _root(text: str) -> tuple[ElementTree.Element, Lines]:
    tree = _Numbered()
    try:
        tree.parser.feed(text)
        root: ElementTree.Element = tree.parser.close()
    except ElementTree.ParseError as error:
        raise LeadError(f"line {error.position[0]}: not well-formed XML ({error}).") from None
    except DefusedXmlException as error:
        raise LeadError(f"it declares a document type or entities, which CVAT never does ({error}).") from None
    except ValueError as error:  # an encoding declaration that the text contradicts
        raise LeadError(f"not XML ({error}).") from None
    if root.tag != "annotations":
        raise LeadError(f"its root is <{root.tag}>, not <annotations>.")
    return root, tree.lines


def _declared(root: ElementTree.Element) -> tuple[list[str], tuple[Pair, ...]]:
    """The labels of points in ``<meta>`` in their order, and the lines between them."""
    meta = root.find("meta")
    labels = list(meta.iter("label")) if meta is not None else []
    whole = [label for label in labels if label.findtext("type") == "skeleton"]
    names = [label.findtext("name") or "" for label in labels if label.findtext("type") != "skeleton"]
    bones: list[Pair] = []
    for label in whole:
        drawing = label.findtext("svg") or ""
        at = {}
        for circle in re.findall(r"<circle\b[^>]*>", drawing):
            keys = _attributes(circle)
            at[keys.get("data-node-id", "")] = keys.get("data-label-name", "")
        for line in re.findall(r"<line\b[^>]*>", drawing):
            keys = _attributes(line)
            ends = at.get(keys.get("data-node-from", "")), at.get(keys.get("data-node-to", ""))
            if ends[0] and ends[1]:
                bones.append((ends[0], ends[1]))
    return list(dict.fromkeys(names)), tuple(bones)


def _attributes(tag: str) -> dict[str, str]:
    """Those of a tag of the drawing, which is a fragment without a root."""
    try:
        element = fromstring(tag if tag.endswith("/>") else f"{tag[:-1]}/>", forbid_dtd=True)
    except (ElementTree.ParseError, DefusedXmlException):
        return {}
    return dict(element.attrib)


def _points_of(image: ElementTree.Element, name: str, lines: Lines) -> dict[str, Point]:
    skeletons = image.findall("skeleton")
    if len(skeletons) > 1:
        raise LeadError(f"{name}: {len(skeletons)} skeletons. One instance a picture is supported.")
    points: dict[str, Point] = {}
    for element in [*(skeletons[0].findall("points") if skeletons else []), *image.findall("points")]:
        for label, (x, y, visible) in _places(element, name):
            if label in points:
                raise LeadError(f"{name}: {label!r} is marked twice. Keep one; one instance a picture is supported.")
            points[label] = (x, y, visible, lines[element])
    return points


def _places(element: ElementTree.Element, name: str) -> Iterator[tuple[str, tuple[float, float, int]]]:
    label = element.get("label", "")
    if not label:
        raise LeadError(f"{name}: points without a label.")
    outside, occluded = (_flag(element, key, name) for key in ("outside", "occluded"))
    visible = UNLABELLED if outside else HIDDEN if occluded else VISIBLE
    places = [place for place in element.get("points", "").split(";") if place.strip()]
    if not places:
        raise LeadError(f'{name}: {label!r} has no place; expected points="x,y".')
    for number, place in enumerate(places, start=1):
        try:
            x, y = (to_number(text, "a coordinate", 0) for text in place.split(","))
        except (LeadError, ValueError):
            x = y = float("nan")
        if not (x == x and y == y):
            raise LeadError(f"{name}: {label!r} is at {place[:50]!r}, which is not x,y.")
        yield (label if len(places) == 1 else f"{label} {number}"), (x, y, visible)


def _flag(element: ElementTree.Element, key: str, name: str) -> bool:
    value = element.get(key, "0")
    if value not in ("0", "1"):
        raise LeadError(f"{name}: {key} is {value[:50]!r}; it must be 0 or 1.")
    return value == "1"


def dump(labels: Labels, pictures: PictureInfo) -> str:
    """The text of an XML file with a skeleton on each labelled picture.

    Raises:
        LeadError: a picture's size is not to be had; or a name holds what XML cannot, such as a control character.
    """
    for name in (*labels.schema.names, *labels.images):
        if bad := re.search(r"[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", name):
            raise LeadError(f"{name!r} cannot stand in XML: it holds the character {bad[0]!r}.")
    lines = ['<?xml version="1.0" encoding="utf-8"?>', "<annotations>", "  <version>1.1</version>"]
    lines += _schema_lines(labels.schema)
    for row, image in enumerate(labels.images):
        width, height = pictures.size(image)
        lines.append(f'  <image id="{row}" name={quoteattr(image)} width="{width}" height="{height}">')
        if (labels.visible[row] > UNLABELLED).any():
            lines.append(f'    <skeleton label="{LABEL}" source="manual" z_order="0">')
            for k, name in enumerate(labels.schema.names):
                visible = labels.visible[row, k]
                x, y = labels.xy[row, k].tolist() if visible > UNLABELLED else (0.0, 0.0)
                flags = f'outside="{int(visible == UNLABELLED)}" occluded="{int(visible == HIDDEN)}"'
                lines.append(
                    f'      <points label={quoteattr(name)} source="manual" {flags} points="{x!r},{y!r}"></points>'
                )
            lines.append("    </skeleton>")
        lines.append("  </image>")
    lines.append("</annotations>\n")
    return "\n".join(lines)


def _schema_lines(schema: Schema) -> list[str]:
    """``<meta>``: the labels as a task lists them, with a drawing that puts the landmarks in a row."""
    edges = "".join(
        f'<line data-type="edge" data-node-from="{a + 1}" data-node-to="{b + 1}"></line>'
        for a, b in ((schema.index(one), schema.index(other)) for one, other in schema.skeleton)
    )
    nodes = "".join(
        f'<circle r="1.5" cx="{100 * (k + 0.5) / len(schema.names):g}" cy="50" data-type="element node" '
        f'data-element-id="{k + 1}" data-node-id="{k + 1}" data-label-name={quoteattr(name)}></circle>'
        for k, name in enumerate(schema.names)
    )
    whole = f"    <label><name>{LABEL}</name><type>skeleton</type><svg>{escape(edges + nodes)}</svg></label>"
    parts = [
        f"    <label><name>{_text(name)}</name><type>points</type><parent>{LABEL}</parent></label>"
        for name in schema.names
    ]
    return ["  <meta><task><labels>", whole, *parts, "  </labels></task></meta>"]


def _text(text: str) -> str:
    return escape(text, {"\r": "&#13;"})
