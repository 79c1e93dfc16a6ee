"""Points of the VGG Image Annotator (VIA 1 and 2): its CSV, its JSON, and the JSON of its projects.

A region of shape ``point`` has its place in ``cx`` and ``cy``, in pixels, which are taken as they stand. The attribute
that names it is ``name``, ``label``, ``landmark``, ``part`` or ``keypoint``, or the only one that regions have; without
any, points are called 1, 2, … in their order. Regions of other shapes, and attributes of the pictures, are told.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from lead.errors import LeadError
from lead.landmarks.fields import finite, read_json
from lead.landmarks.marks import Found, Mark, Marked, in_order
from lead.landmarks.model import Labels
from lead.landmarks.tables import columns_of, read_table

POINT = "point"
NAMES = ("name", "label", "landmark", "part", "keypoint")
SHAPE, ATTRIBUTES = "region_shape_attributes", "region_attributes"
COMMENTED = "#"
"""What the first line of VIA 1's CSV begins with."""
Region = tuple[str, Any, Any, int]
"""The picture, the shape and the attributes of a region, and the line that it stands in, 0 for none."""


def why_not(text: str) -> str | None:
    """Why a text is not VIA's; None if it is like it."""
    if text.lstrip()[:1] == "{":
        begin = text[:200_000]
        like = all(re.search(rf'"{key}"\s*:', begin) for key in ("filename", "regions"))
        return None if like or '"_via_img_metadata"' in text else "holds no 'filename' and 'regions'"
    columns = set(columns_of(text.removeprefix(COMMENTED)))
    return None if {"filename", SHAPE, ATTRIBUTES} <= columns else f"has no columns filename, {SHAPE}, {ATTRIBUTES}"


def parse(text: str) -> Labels:
    """Labels of the pictures; one whose points are not clear is left out, and told.

    Raises:
        LeadError: it is not VIA's, it is open which attribute names the points, or no region is a point.
    """
    found = Found()
    regions = list(_of_json(text) if text.lstrip()[:1] == "{" else _of_table(text))
    points: dict[str, list[tuple[Any, Mark]]] = {}
    for picture, shape, attributes, line in regions:
        points.setdefault(picture, [])
        kind = shape.get("name") if isinstance(shape, dict) else None
        if kind is None:
            continue  # a picture without a region
        if kind != POINT:
            found.leave_out(f"region of shape {str(kind)[:50]!r}")
            continue
        x, y = finite(shape.get("cx")), finite(shape.get("cy"))
        if x is None or y is None:
            found.leave_out("point without a place")
            continue
        points[picture].append((attributes, Mark(x, y, line=line)))
    key = _key([attributes for of_picture in points.values() for attributes, _ in of_picture])
    for picture, of_picture in points.items():
        names = [_name(attributes, key) for attributes, _ in of_picture] if key else []
        if key and (not all(names) or len(set(names)) != len(names)):
            found.drop(picture, f"its points' {key!r} stands twice or is missing")
            continue
        marks = [mark for _, mark in of_picture]
        found.pictures[picture] = Marked(dict(zip(names, marks, strict=True)) if key else in_order(marks))
    if not key:
        found.drop_other_counts()
    return found.labels("no region of shape 'point' in it.")


def _key(attributes: list[Any]) -> str | None:
    """The attribute that names the points; None where they have none."""
    used = dict.fromkeys(
        key
        for values in attributes
        if isinstance(values, dict)
        for key, value in values.items()
        if value not in ("", {})
    )
    if not used:
        return None
    named = [key for key in used if str(key).lower() in NAMES] or list(used)
    if len(named) != 1:
        raise LeadError(
            f"several attributes of its points could name them: {', '.join(map(str, named))[:200]}. Keep one."
        )
    return str(named[0])


def _name(attributes: Any, key: str) -> str:
    """What an attribute says; of several boxes that can be ticked, the one that is."""
    value = attributes.get(key) if isinstance(attributes, dict) else None
    if isinstance(value, dict):
        ticked = [name for name, is_ticked in value.items() if is_ticked]
        return ticked[0] if len(ticked) == 1 else ""
    return str(value) if isinstance(value, str | int) else ""


def _of_json(text: str) -> Iterator[Region]:
    content = read_json(text, "VIA's JSON")
    entries = content.get("_via_img_metadata", content) if isinstance(content, dict) else None
    if not isinstance(entries, dict):
        raise LeadError("not VIA's JSON: expected an object with an entry for each picture.")
    for entry in entries.values():
        picture = entry.get("filename") if isinstance(entry, dict) else None
        if not isinstance(picture, str) or not picture:
            raise LeadError("an entry without a filename.")
        regions = entry.get("regions") or []
        listed = list(regions.values()) if isinstance(regions, dict) else regions  # VIA 1 numbers them by keys
        if not isinstance(listed, list) or not all(isinstance(region, dict) for region in listed):
            raise LeadError(f"{picture[:100]!r}: 'regions' must be a list of objects.")
        yield picture.replace("\\", "/"), {}, {}, 0
        for region in listed:
            yield picture.replace("\\", "/"), region.get("shape_attributes"), region.get(ATTRIBUTES), 0


def _of_table(text: str) -> Iterator[Region]:
    table = read_table(text.removeprefix(COMMENTED))
    for line in table.lines:
        picture = table.text(line, "filename").replace("\\", "/")
        if not picture:
            raise LeadError(f"line {line[0]}: no filename.")
        values = []
        for column in (SHAPE, ATTRIBUTES):
            try:
                values.append(json.loads(table.text(line, column) or "{}"))
            except (ValueError, RecursionError):
                raise LeadError(f"line {line[0]}: {column} is not an object of JSON.") from None
        yield picture, values[0], values[1], line[0]
