"""Label Studio's JSON: a list of tasks, each with its annotations and predictions.

A point is a result of type ``keypointlabels``. Its x and y are percent of ``original_width`` and ``original_height``;
as in Label Studio's own export to COCO, a place in pixels is that share of the size, and nothing else is shifted. The
annotation of a task that is not cancelled is read; where there is none, the prediction. Predictions are recognised by
their score, and carry ``model_version``.

A picture goes by the ``d=`` of a ``/data/local-files/?d=…`` address, which is relative to the storage's root; else by
the address's last part, of an uploaded file without the eight digits that Label Studio puts before it. Ours are
written as local files.

There is no place for the order of the landmarks (that of their first appearance is taken), for hidden points, expected
errors, flip pairs and skeleton.
"""

from __future__ import annotations

import json
import math
import posixpath
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

import numpy as np

from lead.errors import LeadError
from lead.landmarks.fields import finite, read_json
from lead.landmarks.model import UNLABELLED, VISIBLE, Labels, Places, Schema
from lead.landmarks.pictures import PictureInfo

Entry = dict[str, Any]
KIND = "keypointlabels"
LOCAL = "/data/local-files/"
MODEL = "lead"
FROM, TO, FIELD = "keypoints", "image", "image"
"""Names of the control, of the picture in the labelling setup, and of the task's field that holds its address."""
UPLOADED = re.compile(r"[0-9a-f]{8}-(.+)", re.DOTALL)


def why_not(text: str) -> str | None:
    """Why a text is not Label Studio's; None if it is like it."""
    if text.lstrip()[:1] != "[":
        return "does not begin with a list"
    head = re.search(r'"(data|annotations|predictions|completions)"\s*:', text)
    return None if head else "holds no tasks with 'data' and 'annotations' (export as JSON, not as JSON-MIN)"


def parse(text: str) -> Labels:
    """Labels from a list of tasks: a row for each, in their order, annotated or not.

    Raises:
        LeadError: the text is not such a list; a task names no picture, or that of another; it has several annotations,
            or a landmark twice; a value is wrong. The message names the task.
    """
    tasks = read_json(text, "Label Studio's JSON")
    if not isinstance(tasks, list) or not all(isinstance(task, dict) for task in tasks):
        raise LeadError("not Label Studio's JSON: expected a list of tasks. Export as JSON.")
    points: dict[str, dict[str, tuple[float, float, float]]] = {}
    where: dict[str, str] = {}
    for i, task in enumerate(tasks):
        here = f"task {task.get('id', i)}"
        image = _image(task, here)
        if image in where:
            raise LeadError(f"{here}: its picture {image!r} is also that of {where[image]}. Keep one of them.")
        where[image], points[image] = here, _points(task, here)
    names = tuple(dict.fromkeys(name for of_task in points.values() for name in of_task))
    if not names:
        raise LeadError(f"no task has a result of type {KIND!r}. Annotate with KeyPointLabels, and export as JSON.")
    table = np.full((len(points), len(names), 3), np.nan)
    for row, of_task in enumerate(points.values()):
        for name, point in of_task.items():
            table[row, names.index(name)] = point
    score = None if np.isnan(table[..., 2]).all() else table[..., 2]
    visible, places = np.full(table.shape[:2], VISIBLE, dtype=np.int8), Places(entries=tuple(where.values()))
    return Labels(Schema(names), tuple(points), table[..., :2], visible, score, places=places)


def _image(task: Entry, where: str) -> str:
    """The picture of a task."""
    data = task.get("data")
    fields = [value for value in data.values() if isinstance(value, str)] if isinstance(data, dict) else []
    named = [data[FIELD]] if isinstance(data, dict) and isinstance(data.get(FIELD), str) else fields[:1]
    if not named or not named[0]:
        raise LeadError(f"{where}: its data names no picture; expected an address under {FIELD!r}.")
    address = named[0]
    parts = urlsplit(address)
    if parts.path.endswith(LOCAL) and (local := parse_qs(parts.query).get("d")):
        return local[0].replace("\\", "/")
    if not parts.scheme and not address.startswith("/"):
        return address.replace("\\", "/")  # a plain path
    name = posixpath.basename(unquote(parts.path))
    uploaded = UPLOADED.fullmatch(name) if "/upload/" in parts.path else None
    return uploaded[1] if uploaded else name


def _points(task: Entry, where: str) -> dict[str, tuple[float, float, float]]:
    """x, y in pixels, and the score, of a task's landmarks."""
    annotated = [a for a in _list(task, "annotations", where) if not a.get("was_cancelled")]
    if len(annotated) > 1:
        ids = ", ".join(str(a.get("id", "?")) for a in annotated)
        raise LeadError(f"{where} has {len(annotated)} annotations ({ids}). Keep one, or cancel the others.")
    chosen = annotated or _list(task, "predictions", where)[:1]
    points: dict[str, tuple[float, float, float]] = {}
    for result in _list(chosen[0], "result", where) if chosen else []:
        if result.get("type") != KIND:
            continue
        for name, point in _named_points(result, where, predicted=not annotated):
            if name in points:
                raise LeadError(f"{where}: {name!r} is marked twice. Keep one of them; one instance a picture.")
            points[name] = point
    return points


def _named_points(result: Entry, where: str, *, predicted: bool) -> Iterator[tuple[str, tuple[float, float, float]]]:
    value = result.get("value")
    names = value.get(KIND) if isinstance(value, dict) else None
    if not isinstance(value, dict) or not isinstance(names, list) or not all(isinstance(n, str) for n in names):
        raise LeadError(f"{where}: a result's value must hold x, y and {KIND}, a list of names.")
    if result.get("image_rotation"):
        raise LeadError(f"{where}: its picture was turned in Label Studio. Turn the file itself, and label that.")
    width, height = (_number(result.get(key), key, where) for key in ("original_width", "original_height"))
    x, y = (_number(value.get(axis), f"{axis} of {names}", where) for axis in "xy")
    score = _number(result["score"], "score", where) if predicted and result.get("score") is not None else math.nan
    for name in names:
        yield name, (x * width / 100, y * height / 100, score)


def _list(entry: Entry, key: str, where: str) -> list[Entry]:
    entries = entry.get(key) or []
    if not isinstance(entries, list) or not all(isinstance(value, dict) for value in entries):
        raise LeadError(f"{where}: {key!r} must be a list of objects.")
    return entries


def _number(value: object, what: str, where: str) -> float:
    number = finite(value)
    if number is None:
        raise LeadError(f"{where}: {what} is {repr(value)[:50]}, which is not a number.")
    return number


def dump(labels: Labels, pictures: PictureInfo) -> str:
    """The text of a list of tasks to import: annotations, or where there are scores predictions.

    Raises:
        LeadError: a picture's size is not to be had.
    """
    tasks: list[Entry] = []
    for row, image in enumerate(labels.images):
        results = _results(labels, row, pictures)
        task: Entry = {
            "id": row + 1,
            "data": {FIELD: f"{LOCAL}?d={quote(image)}"},
            "annotations": [],
            "predictions": [],
        }
        if labels.score is not None and results:
            scores = labels.score[row][labels.visible[row] > UNLABELLED]
            mean = float(np.nanmean(scores)) if np.isfinite(scores).any() else 0.0
            task["predictions"] = [{"model_version": MODEL, "score": mean, "result": results}]
        elif results:
            task["annotations"] = [{"id": row + 1, "was_cancelled": False, "result": results}]
        tasks.append(task)
    return json.dumps(tasks, ensure_ascii=False, allow_nan=False) + "\n"


def _results(labels: Labels, row: int, pictures: PictureInfo) -> list[Entry]:
    results = []
    labelled = np.flatnonzero(labels.visible[row] > UNLABELLED).tolist()
    width, height = pictures.size(labels.images[row]) if labelled else (0, 0)
    for k in labelled:
        x, y = (labels.xy[row, k] / (width, height) * 100).tolist()
        result: Entry = {
            "id": f"{row + 1}-{k + 1}",
            "type": KIND,
            "from_name": FROM,
            "to_name": TO,
            "original_width": width,
            "original_height": height,
            "image_rotation": 0,
            "value": {"x": x, "y": y, "width": 0.5, KIND: [labels.schema.names[k]]},
        }
        if labels.score is not None and np.isfinite(labels.score[row, k]):
            result["score"] = float(labels.score[row, k])
        results.append(result)
    return results
