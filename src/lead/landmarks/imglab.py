"""The XML of dlib and its tool imglab: ``<image>`` elements with ``<box>`` elements, whose ``<part>`` are landmarks.

Places are whole pixels, and (0, 0) is the pixel at the top left, as dlib indexes its pictures: they are taken as they
stand, and written rounded. A ``file`` starts from the folder of the XML. Parts that are called by numbers come in the
order of these, others in that of their first appearance. A box says where the thing is and is not read; one without
parts, or marked ``ignore``, is left out. Of several boxes with parts, which are several things, the picture is left
out. Where pictures may show several specimens, each box is one, with parts or not, and is read; dlib counts the first
pixel and the last into it, so that it covers its width from half a pixel before the first. A box that only just holds
its parts is none: we write that around the points of a specimen without one.

There is no place for hidden points, scores, expected errors, flip pairs, skeleton and fractions of a pixel.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.etree import ElementTree
from xml.sax.saxutils import quoteattr

import numpy as np
import numpy.typing as npt

from lead.errors import LeadError
from lead.landmarks.fields import to_number
from lead.landmarks.marks import Box, Found, Mark, Marked, sized
from lead.landmarks.model import UNLABELLED, Labels
from lead.landmarks.pictures import PictureInfo, known_size
from lead.landmarks.xmltree import Lines, check_writable, read_xml


def why_not(text: str) -> str | None:
    """Why a text is not imglab's; None if it is like it."""
    missing = [tag for tag in ("<dataset>", "<images>") if tag not in text[:10_000]]
    return f"holds no {' and '.join(missing)}" if missing else None


def parse(text: str, *, several: bool = False) -> Labels:
    """Labels from the text of an XML file: a row for each ``<image>``, with parts or not, or for each of its boxes.

    Args:
        text: the whole file.
        several: whether a picture may show several specimens.

    Raises:
        LeadError: it is not well-formed or declares entities; a picture has no name or stands twice; a place is wrong;
            no picture has parts. The message names the line.
    """
    root, lines = read_xml(text, "dataset", "imglab")
    found = Found(several=several)
    for image in root.iter("image"):
        name = image.get("file", "").replace("\\", "/")
        if not name:
            raise LeadError(f"line {lines[image]}: this image has no file.")
        if name in found.pictures:
            raise LeadError(f"line {lines[image]}: picture {name!r} stands more than once. Keep one.")
        found.pictures[name] = Marked(size=sized(*(_whole(image.get(key)) for key in ("width", "height"))))
        boxes = []
        for box in image.iter("box"):
            if box.get("ignore") not in (None, "0"):
                found.leave_out("box to be ignored")
            elif box.find("part") is None and not several:
                found.leave_out("box without parts")
            else:
                boxes.append(box)
        if several:
            first, *others = [_specimen(box, lines) for box in boxes] or [Marked()]
            for each in (first, *others):
                each.size = found.pictures[name].size
            first.others = others
            found.pictures[name] = first
        elif len(boxes) > 1:
            found.drop(name, f"several things in the picture, where one is supported (line {lines[boxes[1]]})")
        elif boxes:
            found.pictures[name].points = _points(boxes[0], lines)
    specimens = (each for marked in found.pictures.values() for each in (marked, *marked.others))
    names = dict.fromkeys(part for marked in specimens for part in marked.points)
    in_order = sorted(names, key=int) if all(re.fullmatch(r"\d{1,9}", part) for part in names) else list(names)
    return found.labels("no <part> in it. Mark landmarks in imglab: start it with --parts.", names=in_order)


def _points(box: ElementTree.Element, lines: Lines) -> dict[str, Mark]:
    points: dict[str, Mark] = {}
    for part in box.iter("part"):
        name, line = part.get("name", ""), lines[part]
        if not name:
            raise LeadError(f"line {line}: this part has no name.")
        if name in points:
            raise LeadError(f"line {line}: part {name!r} stands already in line {points[name].line}.")
        x, y = (to_number(part.get(axis, ""), f"{axis} of {name!r}", line) for axis in "xy")
        if x != x or y != y:
            raise LeadError(f"line {line}: part {name!r} lacks its x or y. Leave it out if unlabelled.")
        points[name] = Mark(x, y, line=line)
    return points


def _specimen(box: ElementTree.Element, lines: Lines) -> Marked:
    """The parts of a box, and the box, unless it says nothing that they do not."""
    points, place = _points(box, lines), _box(box, lines)
    if points and place == _around(np.array([(point.x, point.y) for point in points.values()])):
        place = None
    return Marked(points, box=place)


def _around(xy: npt.NDArray[np.float64]) -> Box:
    """x, y, width and height of the smallest box that holds the pixels of (K, 2) points."""
    (left, top), (right, bottom) = np.rint(xy.min(0)).tolist(), np.rint(xy.max(0)).tolist()
    return left, top, right - left + 1, bottom - top + 1


def _box(box: ElementTree.Element, lines: Lines) -> Box | None:
    """x, y, width and height; None where the file does not say all."""
    left, top, width, height = (
        to_number(box.get(key, ""), f"{key} of the box", lines[box]) for key in ("left", "top", "width", "height")
    )
    return (left, top, width, height) if width > 0 and height > 0 and left == left and top == top else None


def _whole(text: str | None) -> int | None:
    return int(text) if text and re.fullmatch(r"\d{1,9}", text) else None


def dump(labels: Labels, pictures: PictureInfo) -> str:
    """The text of an XML file: a box for each specimen, its own or one around its points. Sizes are there where known.

    Raises:
        LeadError: a name holds what XML cannot, such as a control character.
    """
    check_writable((*labels.schema.names, *labels.images))
    lines = ["<?xml version='1.0' encoding='UTF-8'?>", "<dataset>", "<name>lead</name>", "<images>"]
    for image, rows in labels.rows_of().items():
        size = known_size(pictures, image)
        lines.append(f"<image file={quoteattr(image)}" + (f" width='{size[0]}' height='{size[1]}'>" if size else ">"))
        lines += (line for row in rows for line in _lines(labels, row))
        lines.append("</image>")
    return "\n".join([*lines, "</images>", "</dataset>", ""])


def _lines(labels: Labels, row: int) -> Iterator[str]:
    """Those of a specimen's box and its parts."""
    labelled = np.flatnonzero(labels.visible[row] > UNLABELLED).tolist()
    points = np.rint(np.nan_to_num(labels.xy[row])).astype(np.int64)
    if labels.boxes is not None and np.isfinite(labels.boxes[row]).all():
        x, y, width, height = labels.boxes[row]
        left, top, right, bottom = np.rint([x, y, x + width, y + height]).astype(np.int64).tolist()
        width, height = max(right - left, 1), max(bottom - top, 1)
    elif labelled:
        left, top, width, height = map(int, _around(labels.xy[row, labelled]))
    else:
        return
    yield f"<box top='{top}' left='{left}' width='{width}' height='{height}'>"
    for k in labelled:
        x, y = points[k].tolist()
        yield f"<part name={quoteattr(labels.schema.names[k])} x='{x}' y='{y}'/>"
    yield "</box>"
