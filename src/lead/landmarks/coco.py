"""COCO key points: one JSON object of ``images``, ``annotations`` and ``categories``.

Coordinates are pixels whose whole numbers are pixel centres, as in :mod:`lead.geometry`; nothing is shifted. Beside
the published keys we write, and understand, five more: ``flip_pairs`` (pairs of names) in the category; in the
annotation of a prediction the lists ``keypoint_scores``, ``px_error`` and ``px_90`` (null where unknown), the mean of
the first being COCO's own ``score``; and in an annotation ``accepted``, the names of landmarks whose label is a model's
suggestion that was taken over and not touched since.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any

import numpy as np
import numpy.typing as npt

from lead.errors import LeadError
from lead.landmarks.fields import finite, read_json
from lead.landmarks.model import HIDDEN, UNLABELLED, VISIBLE, Labels, Places, Schema
from lead.landmarks.pictures import PictureInfo, known_size

Entry = dict[str, Any]
PREDICTED_KEYS = ("keypoint_scores", "px_error", "px_90")
"""Keys of a prediction's annotation: in :class:`Labels` the attributes score, px_error and px_90."""
FloatArray = npt.NDArray[np.float64]


def why_not(text: str) -> str | None:
    """Why a text is not COCO's; None if it is like it."""
    return None if text.lstrip()[:1] == "{" else "does not begin with an object"


def parse(text: str) -> Labels:
    """Labels from the text of a COCO file: :func:`read`, then :func:`interpret`."""
    return interpret(read(text))


def read(text: str) -> Entry:
    """The JSON object of a COCO file. Raises :class:`LeadError` if the text is something else."""
    data = read_json(text, "COCO key points")
    if not isinstance(data, dict):
        raise LeadError("not COCO key points: expected an object with images, annotations and categories.")
    return data


def interpret(data: Entry) -> Labels:
    """Labels of a COCO object: a row for each image, in its order, annotated or not.

    Raises:
        LeadError: a key is missing, or an entry contradicts another; the message names it.
    """
    kind, schema = category_of(data)
    category = kind["id"]
    images = _entries(data, "images")
    files = tuple(str(_get(image, "file_name", f"images[{i}]")) for i, image in enumerate(images))
    rows = _rows_by_id(images)
    keypoints = np.zeros((len(files), len(schema.names), 3))
    extra = {key: np.full(keypoints.shape[:2], np.nan) for key in PREDICTED_KEYS}
    accepted = np.zeros(keypoints.shape[:2], dtype=bool)
    annotated: dict[int, str] = {}  # by row
    for i, annotation in enumerate(_entries(data, "annotations")):
        where = f"annotations[{i}]"
        if _get(annotation, "category_id", where) != category:
            continue  # a category without key points: boxes and outlines are not landmarks
        row = _row(annotation, rows, where)
        if row in annotated:
            raise LeadError(
                f"{where}: picture {files[row]!r} is already annotated by {annotated[row]}; "
                "one instance a picture is supported. Keep one, or crop the picture into several."
            )
        annotated[row] = where
        keypoints[row] = _keypoints(_get(annotation, "keypoints", where), len(schema.names), where)
        if names := accepted_names(annotation):
            accepted[row] = [name in names for name in schema.names]
        for key, values in extra.items():
            if key in annotation:
                values[row] = _numbers(annotation[key], len(schema.names), f"{where}: {key}", nullable=True)
    predicted = (None if np.isnan(values).all() else values for values in extra.values())
    places = Places(entries=tuple(annotated.get(i, f"images[{i}]") for i in range(len(files))))
    visible = keypoints[..., 2].astype(np.int8)
    return Labels(schema, files, keypoints[..., :2], visible, *predicted, places=places, accepted=accepted)


def accepted_names(annotation: Entry) -> set[str]:
    """What an annotation lists as accepted; nothing where another program keeps something else under this key."""
    names = annotation.get("accepted")
    return {name for name in names if isinstance(name, str)} if isinstance(names, list) else set()


def dump(labels: Labels, pictures: PictureInfo | None = None) -> str:
    """The text of a COCO file.

    A picture with nothing labelled and nothing predicted stands among the images only, as in COCO.

    Args:
        labels: what to write.
        pictures: what knows their sizes, which are written where they are known.
    """
    return "".join(pieces(labels, pictures))


def pieces(labels: Labels, pictures: PictureInfo | None = None) -> Iterator[str]:
    """The same, an entry at a time: as objects, those of many pictures take ten times the memory of their text."""
    schema = labels.schema
    category = {
        "id": 1,
        "name": "object",
        "keypoints": list(schema.names),
        "skeleton": [[schema.index(a) + 1, schema.index(b) + 1] for a, b in schema.skeleton],
        "flip_pairs": [list(pair) for pair in schema.flip_pairs],
    }
    rows = range(len(labels))
    annotations = (
        entry
        for entry in (_annotation(labels, row) for row in rows)
        if entry["num_keypoints"] or any(key in entry for key in PREDICTED_KEYS)
    )
    yield '{"images": '
    yield from _listed(_image(labels, row, pictures) for row in rows)
    yield ', "annotations": '
    yield from _listed(annotations)
    yield f', "categories": {_text([category])}}}\n'


def _listed(entries: Iterable[Entry]) -> Iterator[str]:
    between = "["
    for entry in entries:
        yield between + _text(entry)
        between = ", "
    yield "]" if between == ", " else "[]"


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _image(labels: Labels, row: int, pictures: PictureInfo | None) -> Entry:
    image: Entry = {"id": row + 1, "file_name": labels.images[row]}
    if pictures and (size := known_size(pictures, labels.images[row])):
        image["width"], image["height"] = map(int, size)
    return image


def _annotation(labels: Labels, row: int) -> Entry:
    labelled = labels.visible[row] > UNLABELLED
    points = np.where(labelled[:, None], labels.xy[row], 0.0)
    low, high = (points[labelled].min(0), points[labelled].max(0)) if labelled.any() else (np.zeros(2), np.zeros(2))
    width, height = (high - low).tolist()
    entry: Entry = {
        "id": row + 1,
        "image_id": row + 1,
        "category_id": 1,
        "keypoints": [
            value
            for (x, y), v in zip(points.tolist(), labels.visible[row].tolist(), strict=True)
            for value in (x, y, v)
        ],
        "num_keypoints": int(labelled.sum()),
        "bbox": [*low.tolist(), width, height],
        "area": width * height,
        "iscrowd": 0,
    }
    for key, values in zip(PREDICTED_KEYS, (labels.score, labels.px_error, labels.px_90), strict=True):
        if values is not None and np.isfinite(values[row]).any():
            entry[key] = _nullable(values[row])
    if "keypoint_scores" in entry and labels.score is not None:
        entry["score"] = float(np.nanmean(labels.score[row]))
    if labels.accepted is not None and labels.accepted[row].any():
        entry["accepted"] = [labels.schema.names[k] for k in np.flatnonzero(labels.accepted[row])]
    return entry


def _nullable(values: FloatArray) -> list[float | None]:
    return [value if np.isfinite(value) else None for value in values.tolist()]


def category_of(data: Entry) -> tuple[Entry, Schema]:
    """The one category that has key points, and its schema. Raises :class:`LeadError` if there is not just one."""
    categories = _entries(data, "categories")
    with_points = [(i, category) for i, category in enumerate(categories) if category.get("keypoints")]
    if len(with_points) != 1:
        raise LeadError(
            f"{len(with_points)} of {len(categories)} categories have 'keypoints' (the landmarks' names); "
            "exactly one must. Export key points, of one kind of thing."
        )
    i, category = with_points[0]
    where = f"categories[{i}]"
    names = category["keypoints"]
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise LeadError(f"{where}: 'keypoints' must be a list of names.")
    bones = _pairs(category, "skeleton", where)
    for bone in bones:
        if not all(isinstance(end, int) and 1 <= end <= len(names) for end in bone):
            raise LeadError(f"{where}: skeleton {list(bone)} must hold numbers from 1 to {len(names)}.")
    skeleton = tuple((names[a - 1], names[b - 1]) for a, b in bones)
    flips = _pairs(category, "flip_pairs", where)
    if not all(isinstance(name, str) for pair in flips for name in pair):
        raise LeadError(f"{where}: 'flip_pairs' must be a list of pairs of names.")
    _get(category, "id", where)
    return category, Schema(tuple(names), flips, skeleton)


def _pairs(category: Entry, key: str, where: str) -> tuple[tuple[Any, Any], ...]:
    pairs = category.get(key) or []
    if not isinstance(pairs, list) or not all(isinstance(pair, list) and len(pair) == 2 for pair in pairs):
        raise LeadError(f"{where}: {key!r} must be a list of pairs.")
    return tuple((a, b) for a, b in pairs)


def _entries(data: Entry, key: str) -> list[Entry]:
    entries = data.get(key)
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise LeadError(f"not COCO key points: {key!r} is not a list of objects. Keys found: {_some(data)}.")
    return entries


def _get(entry: Entry, key: str, where: str) -> Any:
    if key not in entry:
        raise LeadError(f"{where}: {key!r} is missing. Keys found: {_some(entry)}.")
    return entry[key]


def _some(entry: Entry) -> str:
    return ", ".join(list(entry)[:10]) or "none"


def _rows_by_id(images: list[Entry]) -> dict[str, int]:
    rows: dict[str, int] = {}
    for i, image in enumerate(images):
        identifier = repr(_get(image, "id", f"images[{i}]"))
        if identifier in rows:
            raise LeadError(f"images[{i}]: id {identifier} is also that of images[{rows[identifier]}].")
        rows[identifier] = i
    return rows


def _row(annotation: Entry, rows: dict[str, int], where: str) -> int:
    identifier = repr(_get(annotation, "image_id", where))
    if identifier not in rows:
        raise LeadError(f"{where}: no image has id {identifier}.")
    return rows[identifier]


def _keypoints(values: object, count: int, where: str) -> FloatArray:
    """(K, 3) of x, y, visibility."""
    table = _numbers(values, 3 * count, f"{where}: keypoints").reshape(count, 3)
    visible = table[:, 2]
    wrong = ~np.isin(visible, (UNLABELLED, HIDDEN, VISIBLE))
    if wrong.any():
        raise LeadError(f"{where}: visibility {visible[wrong][0]:g} must be 0 (unlabelled), 1 (hidden) or 2 (visible).")
    return table


def _numbers(values: object, count: int, where: str, *, nullable: bool = False) -> FloatArray:
    if not isinstance(values, list) or len(values) != count:
        what = f"{len(values)} values" if isinstance(values, list) else repr(values)
        raise LeadError(f"{where} must be a list of {count} numbers, not {what}.")
    if set(map(type, values)) <= {int, float}:  # the usual case, at once
        with suppress(OverflowError):
            numbers = np.array(values, dtype=np.float64)
            if np.isfinite(numbers).all():
                return numbers
    for value in values:
        if finite(value) is None and not (nullable and value is None):
            raise LeadError(f"{where} holds {repr(value)[:50]}, which is not a number.")
    return np.array(values, dtype=np.float64)
