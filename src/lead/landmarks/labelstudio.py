"""Label Studio's JSON: a list of tasks, each with its annotations and predictions.

A point is a result of type ``keypointlabels``; or of type ``keypoint``, named by a result of type ``labels`` with the
same id. Its x and y are percent of ``original_width`` and ``original_height``; as in Label Studio's own export to COCO,
a place in pixels is that share of the size, and nothing else is shifted.

What a person submitted is the annotation that is not cancelled; of several the one marked as ground truth. Only where
there is none the first prediction is read, and its points are predictions. A point of an annotation whose ``origin`` is
``prediction`` is an accepted suggestion: Label Studio makes it ``prediction-changed`` as soon as somebody moves it.

A task may have several pictures: a result's ``to_name`` or ``source`` says which it is on, and ``item_index`` which of
a list; :mod:`lead.landmarks.labelstudio_pictures` finds them. Ours are written as local files.

There is no place for the order of the landmarks (that of their first appearance is taken), for hidden points, expected
errors, flip pairs and skeleton.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import numpy as np

from lead.errors import LeadError
from lead.landmarks.fields import finite, read_json
from lead.landmarks.labelstudio_pictures import FIELD, LOCAL, Address, field_of, fields_of, names_of
from lead.landmarks.left_out import LeftOut
from lead.landmarks.model import UNLABELLED, VISIBLE, Labels, Places, Schema
from lead.landmarks.pictures import PictureInfo

Entry = dict[str, Any]
KIND = "keypointlabels"
BARE, NAMES = "keypoint", "labels"
"""A point without its name, and the result that names it."""
MODEL = "lead"
REST = "beside_annotation"
"""Key of a prediction that we write: it holds the landmarks that the task's annotation does not have."""
FROM, TO = "keypoints", "image"
"""Names of the control, and of the picture in the labelling setup."""


@dataclass(frozen=True)
class _Point:
    x: float
    y: float
    size: tuple[float, float]
    score: float
    accepted: bool
    predicted: bool


@dataclass
class _Picture:
    """One picture of a task, and its landmarks."""

    where: str
    address: Address
    points: dict[str, _Point] = field(default_factory=dict)
    twice: dict[str, None] = field(default_factory=dict)

    def add(self, name: str, point: _Point) -> None:
        before = self.points.get(name)
        if before is not None and point.predicted and not before.predicted:
            return  # the person's own has come since
        if before is not None:
            self.twice[name] = None
        self.points[name] = point


def why_not(text: str) -> str | None:
    """Why a text is not Label Studio's; None if it is like it."""
    if text.lstrip()[:1] != "[":
        return "does not begin with a list"
    head = re.search(r'"(data|annotations|predictions|completions)"\s*:', text)
    return None if head else "holds no tasks with 'data' and 'annotations' (export as JSON, not as JSON-MIN)"


def parse(text: str) -> Labels:
    """Labels from a list of tasks: a row for each picture, in the tasks' order, annotated or not.

    What cannot be read of a task costs that task or point, which is named in the labels' places.

    Raises:
        LeadError: the text is not such a list, or nothing in it can be read; the message says what was found.
    """
    tasks = read_json(text, "Label Studio's JSON")
    if not isinstance(tasks, list) or not all(isinstance(task, dict) for task in tasks):
        raise LeadError("not Label Studio's JSON: expected a list of tasks. Export as JSON.")
    left_out = LeftOut()
    pictures = _single(_pictures(tasks, left_out), left_out)
    names = tuple(dict.fromkeys(name for picture in pictures for name in picture.points))
    if not names:
        found = f" Left out: {left_out}." if left_out.beyond() else ""
        raise LeadError(
            f"no task has a result of type {KIND!r} that can be read. Annotate with KeyPointLabels, and export as JSON."
            f"{found}"
        )
    shape = (len(pictures), len(names))
    table, accepted, predicted = np.full((*shape, 3), np.nan), np.zeros(shape, dtype=bool), np.zeros(shape, dtype=bool)
    sizes = np.zeros((len(pictures), 2), dtype=np.int64)
    for row, picture in enumerate(pictures):
        for name, point in picture.points.items():
            k = names.index(name)
            table[row, k] = point.x, point.y, point.score
            accepted[row, k], predicted[row, k] = point.accepted, point.predicted
            sizes[row] = point.size
    called = names_of(picture.address for picture in pictures)
    places = Places(entries=tuple(picture.where for picture in pictures), left_out=str(left_out))
    return Labels(
        Schema(names),
        tuple(called[picture.address] for picture in pictures),
        table[..., :2],
        np.full(shape, VISIBLE, dtype=np.int8),
        None if np.isnan(table[..., 2]).all() else table[..., 2],
        places=places,
        accepted=accepted,
        predicted=predicted,
        sizes=sizes,
    )


def _pictures(tasks: Sequence[Entry], left_out: LeftOut) -> list[_Picture]:
    """The pictures of the tasks, in their order."""
    read = [(f"task {task.get('id', i)}", fields_of(task.get("data"))) for i, task in enumerate(tasks)]
    results = [list(_points(task, where, left_out)) for task, (where, _) in zip(tasks, read, strict=True)]
    unknown = {
        str(result.get("to_name"))
        for (_, fields), of_task in zip(read, results, strict=True)
        for result, *_ in of_task
        if str(result.get("to_name")) not in fields and not result.get("source")
    }
    several = len(unknown) > 1
    found: list[dict[tuple[str, int], _Picture]] = []
    for (where, fields), of_task in zip(read, results, strict=True):
        of_pictures: dict[tuple[str, int], _Picture] = {}
        for result, name, point in of_task:
            chosen = field_of(fields, result.get("to_name"), result.get("source"), several=several)
            number = result.get("item_index") or 0
            if chosen is None or type(number) is not int or not 0 <= number < len(fields[chosen]):
                what = f"{where}: {name!r} on {repr(result.get('to_name'))[:30]}, data {', '.join(fields) or 'empty'}"
                left_out.add("point whose picture cannot be told", what)
                continue
            place = (chosen, number)
            of_pictures.setdefault(place, _Picture(where, fields[chosen][number])).add(name, point)
        found.append(of_pictures)
    used = dict.fromkeys(chosen for of_pictures in found for chosen, _ in of_pictures)
    return [
        picture
        for (where, fields), of_pictures in zip(read, found, strict=True)
        for picture in _all_of_task(where, fields, of_pictures, list(used), left_out)
    ]


def _all_of_task(
    where: str,
    fields: dict[str, list[Address]],
    found: dict[tuple[str, int], _Picture],
    used: Sequence[str],
    left_out: LeftOut,
) -> Iterator[_Picture]:
    """The pictures of a task, in the order of its data: those with landmarks, and others of the same fields."""
    wanted = [name for name in fields if name in used]
    if not wanted and (only := field_of(fields, None, None, several=True)) is not None:
        wanted = [only]
    if not wanted:
        left_out.add("task whose data names no picture", f"{where}: {', '.join(fields) or 'no address'}")
    for name in wanted:
        for number, address in enumerate(fields[name]):
            yield found.get((name, number)) or _Picture(where, address)


def _single(pictures: Sequence[_Picture], left_out: LeftOut) -> list[_Picture]:
    """One entry for each picture; without landmarks that are marked twice, or in several tasks."""
    of_address: dict[Address, list[_Picture]] = {}
    for picture in pictures:
        if picture.twice:
            where = f"{picture.where}: {', '.join(map(repr, picture.twice))}"
            left_out.add("picture in which a landmark is marked twice, of which nothing is read", where)
            picture.points = {}
        elif len(sizes := {point.size for point in picture.points.values()}) > 1:
            where = f"{picture.where}: {' and '.join(f'{width:g} x {height:g}' for width, height in sorted(sizes)[:2])}"
            left_out.add("picture of several sizes in the file, of which nothing is read", where)
            picture.points = {}
        of_address.setdefault(picture.address, []).append(picture)
    single = []
    for same in of_address.values():
        labelled = [picture for picture in same if picture.points]
        person = [picture for picture in labelled if not all(point.predicted for point in picture.points.values())]
        best = person or labelled
        if len(best) > 1:
            where = f"{', '.join(picture.where for picture in best)}: {best[0].address.path!r}"
            left_out.add("picture labelled in several tasks, of which nothing is read", where)
        single.append(best[0] if len(best) == 1 else _Picture(same[0].where, same[0].address))
    return single


def _points(task: Entry, where: str, left_out: LeftOut) -> Iterator[tuple[Entry, str, _Point]]:
    """The results of a task that are landmarks, with their names and places in pixels."""
    submitted = [a for a in _entries(task, ("annotations", "completions")) if not a.get("was_cancelled")]
    marked = [a for a in submitted if _holds_points(a)]
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
            yield from _points_of(annotation, where, left_out, predicted=False)
        predictions = [p for p in predictions if p.get(REST) is True]
    for prediction in predictions[:1]:
        yield from _points_of(prediction, where, left_out, predicted=True)
    if len(predictions) > 1:
        left_out.add(
            "prediction of tasks that have several, of which the first is read", where, count=len(predictions) - 1
        )


def _entries(entry: Entry, keys: Sequence[str]) -> list[Entry]:
    """The objects of a list; what is none, such as the bare number of a prediction, holds no results."""
    lists = [entry[key] for key in keys if isinstance(entry.get(key), list)]
    return [value for of_key in lists for value in of_key if isinstance(value, dict)]


def _holds_points(annotation: Entry) -> bool:
    return any(result.get("type") in (KIND, BARE) for result in _entries(annotation, ("result",)))


def _points_of(entry: Entry, where: str, left_out: LeftOut, *, predicted: bool) -> Iterator[tuple[Entry, str, _Point]]:
    """Those of an annotation or prediction."""
    results = _entries(entry, ("result",))
    points = {repr(result.get("id")) for result in results if result.get("type") == BARE}
    named: dict[str, list[str]] = {}
    for result in results:
        if result.get("type") == NAMES and repr(result.get("id")) in points:
            named.setdefault(repr(result.get("id")), []).extend(_names(result, NAMES))
    for kind, count in Counter(_kind(result, named) for result in results).items():
        if kind is not None:
            left_out.add(f"result of type {kind}", count=count)
    scored = any(finite(result.get("score")) is not None for result in results)
    for result in results:
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
            yield result, name, _Point(*point, math.nan if score is None else score, accepted, predicted)


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
    width, height = (finite(result.get(key)) for key in ("original_width", "original_height"))
    if x is None or y is None:
        left_out.add("point without a place", where)
    elif width is None or height is None or not (1 <= width < 2**31 and 1 <= height < 2**31):
        left_out.add("point without the size of their picture (original_width, original_height)", where)
    elif result.get("image_rotation"):
        left_out.add("point on a picture that was turned in Label Studio; turn the file itself, and label that", where)
    elif math.isfinite(x * width) and math.isfinite(y * height):
        return x * width / 100, y * height / 100, (width, height)
    else:
        left_out.add("point without a place", where)
    return None


def dump(labels: Labels, pictures: PictureInfo) -> str:
    """The text of a list of tasks to import: what a person placed or took over as annotations, the rest as predictions.

    Raises:
        LeadError: a picture's size is not to be had.
    """
    tasks: list[Entry] = []
    for row, image in enumerate(labels.images):
        size = _size(labels, row, pictures)
        placed, predicted = (
            [_result(labels, row, k, size) for k in np.flatnonzero(which[row]).tolist()]
            for which in ((labels.visible > UNLABELLED) & ~labels.is_predicted, labels.is_predicted)
        )
        task: Entry = {
            "id": row + 1,
            "data": {FIELD: f"{LOCAL}?d={quote(image)}"},
            "annotations": [],
            "predictions": [],
        }
        if placed:
            task["annotations"] = [{"id": row + 1, "was_cancelled": False, "result": placed}]
        if predicted:
            prediction: Entry = {"model_version": MODEL, "result": predicted}
            if scores := [result["score"] for result in predicted if "score" in result]:
                prediction["score"] = float(np.mean(scores))
            task["predictions"] = [prediction | {REST: True} if placed else prediction]
        tasks.append(task)
    return json.dumps(tasks, ensure_ascii=False, allow_nan=False) + "\n"


def _size(labels: Labels, row: int, pictures: PictureInfo) -> tuple[int, int]:
    """Width and height of a picture, of which places are a share; those of the labels first."""
    if not (labels.visible[row] > UNLABELLED).any():
        return 0, 0
    if labels.sizes is not None and labels.sizes[row].all():
        width, height = labels.sizes[row].tolist()
        return width, height
    return pictures.size(labels.images[row])


def _result(labels: Labels, row: int, k: int, size: tuple[int, int]) -> Entry:
    x, y = (labels.xy[row, k] / size * 100).tolist()
    result: Entry = {
        "id": f"{row + 1}-{k + 1}",
        "type": KIND,
        "from_name": FROM,
        "to_name": TO,
        "original_width": size[0],
        "original_height": size[1],
        "image_rotation": 0,
        "value": {"x": x, "y": y, "width": 0.5, KIND: [labels.schema.names[k]]},
    }
    if labels.is_predicted[row, k]:
        if labels.score is not None and np.isfinite(labels.score[row, k]):
            result["score"] = float(labels.score[row, k])
    else:
        result["origin"] = "prediction" if labels.is_accepted[row, k] else "manual"
    return result
