"""The results of Label Studio's tasks: landmarks, the rectangles around specimens, and which are of one specimen."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from lead.landmarks.fields import finite
from lead.landmarks.left_out import LeftOut
from lead.landmarks.marks import Box

Entry = dict[str, Any]
KIND = "keypointlabels"
BARE, NAMES = "keypoint", "labels"
"""A point without its name, and the result that names it."""
RECTANGLE = "rectanglelabels"
RECTANGLES = (RECTANGLE, "rectangle")
PARENT = "parentID"
"""Key of the region in which a result is nested."""
REST = "beside_annotation"
"""Key of a prediction that we write: it holds the landmarks that the task's annotation does not have."""


@dataclass(frozen=True)
class Point:
    """A landmark's place in pixels, its picture's size, its score, and who said it."""

    x: float
    y: float
    size: tuple[float, float]
    score: float
    accepted: bool
    predicted: bool


@dataclass(frozen=True)
class Frame:
    """A rectangle around a specimen in pixels; its picture's size; how likely it is one; whether a model said so."""

    box: Box
    size: tuple[float, float]
    likely: float
    predicted: bool


@dataclass(frozen=True)
class Region:
    """A result that is read: a landmark's point by its name, or a rectangle without a name.

    Attributes:
        result: it.
        owner: what the regions of one specimen share; empty for those that are in no other, nor hold one.
        name: the landmark's.
        mark: where it is.
    """

    result: Entry
    owner: str
    name: str
    mark: Point | Frame


def regions_of(task: Entry, where: str, left_out: LeftOut, *, several: bool) -> Iterator[Region]:
    """The results of a task that are read.

    Args:
        task: it.
        where: what messages call it.
        left_out: where to count what is not read.
        several: whether its pictures may show several specimens: only then rectangles are read, and what is in them.
    """
    submitted = [a for a in _entries(task, ("annotations", "completions")) if not a.get("was_cancelled")]
    marked = [a for a in submitted if _holds_regions(a, several=several)]
    truth = [a for a in marked if a.get("ground_truth") is True]
    if len(marked) > 1 and len(truth) != 1:
        ids = ", ".join(str(a.get("id", "?")) for a in marked)
        left_out.add("task with several annotations, of which none is read", f"{where}: {ids}")
        return
    predictions = _entries(task, ("predictions",))
    listed = task.get("annotations")
    if numbers := [a for a in listed if type(a) is int] if isinstance(listed, list) else []:
        left_out.add("annotation of which the file has only the number", where, count=len(numbers))
    drafts = task.get("drafts")
    if not submitted and isinstance(drafts, list) and drafts:
        left_out.add("draft that nobody submitted", where, count=len(drafts))
    if submitted:
        for annotation in truth[:1] or marked or submitted[:1]:
            yield from _regions_of(annotation, where, left_out, predicted=False, several=several)
        predictions = [p for p in predictions if p.get(REST) is True]
    for prediction in predictions[:1]:
        yield from _regions_of(prediction, where, left_out, predicted=True, several=several)
    if len(predictions) > 1:
        left_out.add(
            "prediction of tasks that have several, of which the first is read", where, count=len(predictions) - 1
        )


def _entries(entry: Entry, keys: Sequence[str]) -> list[Entry]:
    """The objects of a list; what is none, such as the bare number of a prediction, holds no results."""
    lists = [entry[key] for key in keys if isinstance(entry.get(key), list)]
    return [value for of_key in lists for value in of_key if isinstance(value, dict)]


def _holds_regions(annotation: Entry, *, several: bool) -> bool:
    kinds = (KIND, BARE, *(RECTANGLES if several else ()))
    return any(result.get("type") in kinds for result in _entries(annotation, ("result",)))


def _regions_of(entry: Entry, where: str, left_out: LeftOut, *, predicted: bool, several: bool) -> Iterator[Region]:
    """Those of an annotation or prediction."""
    results = _entries(entry, ("result",))
    owners = _owners(results) if several else [""] * len(results)
    outer = [
        result.get("type") in RECTANGLES and owner == _own(result, number)
        for number, (result, owner) in enumerate(zip(results, owners, strict=True))
    ]
    points = {
        repr(result.get("id"))
        for result, is_outer in zip(results, outer, strict=True)
        if is_outer or result.get("type") == BARE
    }
    named: dict[str, list[str]] = {}
    for result in results:
        if result.get("type") == NAMES and repr(result.get("id")) in points:
            named.setdefault(repr(result.get("id")), []).extend(_names(result, NAMES))
    others = (result for result, is_outer in zip(results, outer, strict=True) if not is_outer)
    for kind, count in Counter(_kind(result, named) for result in others).items():
        if kind is not None:
            left_out.add(f"result of type {kind}", count=count)
    scored = any(finite(result.get("score")) is not None for result in results)
    for result, owner, is_outer in zip(results, owners, outer, strict=True):
        frame = _frame(result, where, left_out, predicted=predicted) if is_outer else None
        if frame is not None:
            yield Region(result, owner, "", frame)
        if result.get("type") not in (KIND, BARE):
            continue
        if "is_positive" in result:
            left_out.add("point put for a model to draw around", where)
            continue
        names = _names(result, KIND) or _names(result, NAMES) or named.get(repr(result.get("id")), [])
        if not names:
            left_out.add("point without a name", where)
        point = _point(result, f"{where}: {', '.join(map(repr, names))}", left_out) if names else None
        if point is None:
            continue
        score = finite(result.get("score") if scored else entry.get("score")) if predicted else None
        accepted = not predicted and result.get("origin") == "prediction"
        for name in names:
            mark = Point(*point, math.nan if score is None else score, accepted, predicted)
            yield Region(result, owner, name, mark)


def _owners(results: Sequence[Entry]) -> list[str]:
    """Of each result the outermost region that it is in: itself, if a rectangle or what others are in; else empty."""
    parents = {_own(result, i): repr(result[PARENT]) for i, result in enumerate(results) if result.get(PARENT)}
    holders, owners = {*parents.values()}, []
    for number, result in enumerate(results):
        own = _own(result, number)
        outermost, passed = own, set[str]()
        while outermost in parents and outermost not in passed:
            passed.add(outermost)
            outermost = parents[outermost]
        holds = result.get("type") in RECTANGLES or own in holders
        owners.append(outermost if holds or own in parents else "")
    return owners


def _own(result: Entry, number: int) -> str:
    """What a result is called: by its id, or, where it has none, by its place in the list."""
    return f"#{number}" if result.get("id") is None else repr(result["id"])


def _kind(result: Entry, named: dict[str, list[str]]) -> str | None:
    """The type of a result that is left out, None of one that is read."""
    kind = result.get("type")
    if kind in (KIND, BARE) or (kind == NAMES and repr(result.get("id")) in named):
        return None
    return repr(kind)[:30]


def _names(result: Entry, key: str) -> list[str]:
    value = result.get("value")
    names = value.get(key) if isinstance(value, dict) else None
    return [name for name in names if isinstance(name, str) and name] if isinstance(names, list) else []


def _point(result: Entry, where: str, left_out: LeftOut) -> tuple[float, float, tuple[float, float]] | None:
    """x, y and the picture's size, all in pixels; None if that cannot be told, which is counted."""
    value = result.get("value")
    x, y = (finite(value.get(axis)) if isinstance(value, dict) else None for axis in "xy")
    if x is None or y is None:
        left_out.add("point without a place", where)
    elif (size := _picture_size(result, "point", where, left_out)) is None:
        return None
    elif math.isfinite(x * size[0]) and math.isfinite(y * size[1]):
        return x * size[0] / 100, y * size[1] / 100, size
    else:
        left_out.add("point without a place", where)
    return None


def _picture_size(result: Entry, what: str, where: str, left_out: LeftOut) -> tuple[float, float] | None:
    """Width and height of a result's picture in pixels; None if the result cannot be placed on it, which is counted."""
    width, height = (finite(result.get(key)) for key in ("original_width", "original_height"))
    if width is None or height is None or not (1 <= width < 2**31 and 1 <= height < 2**31):
        left_out.add(f"{what} without the picture's size (original_width, original_height)", where)
    elif result.get("image_rotation"):
        told = f"{what} on a picture that was turned in Label Studio; turn the file itself, and label that"
        left_out.add(told, where)
    else:
        return width, height
    return None


def _frame(result: Entry, where: str, left_out: LeftOut, *, predicted: bool) -> Frame | None:
    """The rectangle that a result is; None if it has no place or is turned, which is counted."""
    size = _picture_size(result, "box", where, left_out)
    if size is None:
        return None
    value = result.get("value")
    shares = [finite(value.get(key)) if isinstance(value, dict) else None for key in ("x", "y", "width", "height")]
    x, y, width, height = (
        math.nan if share is None else share * length / 100 for share, length in zip(shares, size * 2, strict=True)
    )
    if isinstance(value, dict) and value.get("rotation"):
        left_out.add("box that is turned", where)
    elif not (math.isfinite(x + y) and 0 < width < math.inf and 0 < height < math.inf):
        left_out.add("box without a place", where)
    else:
        score = finite(result.get("score"))
        likely = math.nan if score is None or not 0 <= score <= 1 else score
        return Frame((x, y, width, height), size, likely, predicted)
    return None
