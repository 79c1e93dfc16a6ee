"""COCO key points: one JSON object of ``images``, ``annotations`` and ``categories``.

Coordinates are pixels whose whole numbers are pixel centres, as in :mod:`lead.geometry`; nothing is shifted. Beside
the published keys we write, and understand, six more: ``flip_pairs`` (pairs of names) in the category; in the
annotation of a prediction the lists ``keypoint_scores``, ``px_error`` and ``px_90`` (null where unknown), the mean of
the first being COCO's own ``score``; and in an annotation ``accepted``, the names of landmarks whose label is a model's
suggestion that was taken over and not touched since, and ``predicted``, the names of those that a model said without a
score. Whatever has a score is a prediction: of an annotation with COCO's ``score`` alone all its landmarks.

What other tools make of the layout is put in one form by :mod:`lead.landmarks.coco_entries`. Of several categories with
landmarks all are read: the names are those of the category with most, of the others the category's name stands before.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from lead.errors import LeadError
from lead.landmarks.coco_entries import (
    OTHER,
    PREDICTED_KEYS,
    Entry,
    Tidied,
    listed_names,
    number_of,
    numbers_of,
    required,
    tidied,
)
from lead.landmarks.fields import read_json
from lead.landmarks.kinds import joined_kinds
from lead.landmarks.model import UNLABELLED, Labels, Places, Schema
from lead.landmarks.pictures import PictureInfo, known_size

FloatArray = npt.NDArray[np.float64]


def why_not(text: str) -> str | None:
    """Why a text is not COCO's; None if it is like it."""
    if text.lstrip()[:1] == "{":
        keys = ("images", "annotations", "categories")
        return None if any(f'"{key}"' in text for key in keys) else f"holds none of {', '.join(map(repr, keys))}"
    if re.match(r'\s*\[\s*\{[^{}]*"image_id"\s*:', text[:100_000]):
        return (
            "is a list of COCO's results, which say neither the pictures nor the landmarks: convert the file with both"
        )
    return "does not begin with an object"


def parse(text: str, kind: str | None = None) -> Labels:
    """Labels from the text of a COCO file: :func:`read`, then :func:`interpret`."""
    return interpret(tidied(read(text), kind))


def read(text: str) -> Entry:
    """The JSON object of a COCO file. Raises :class:`LeadError` if the text is something else."""
    data = read_json(text, "COCO key points")
    if not isinstance(data, dict):
        raise LeadError("not COCO key points: expected an object with images, annotations and categories.")
    return data


def interpret(tidy: Tidied) -> Labels:
    """Labels of a COCO object: a row for each image, in its order, annotated or not.

    Raises:
        LeadError: an image has no name; or everything that it labels had to be left out. The message names the entry.
    """
    images = tidy.top["images"]
    files = image_names(tidy.top)
    parts = [
        _labels(files, kind.schema, of_rows, tidy.top["annotations"])
        for kind, of_rows in zip(tidy.kinds, tidy.labelled_by, strict=True)
    ]
    labels = joined_kinds(parts, [kind.name for kind in tidy.kinds])
    if tidy.top["annotations"] and not (labels.visible > UNLABELLED).any() and tidy.left_out.beyond(OTHER):
        raise LeadError(f"no annotation in it can be read. Left out: {tidy.left_out}.")
    annotated = tidy.labelled_by[0] if len(tidy.kinds) == 1 else {}
    entries = tuple(f"annotations[{annotated[i]}]" if i in annotated else f"images[{i}]" for i in range(len(files)))
    sizes = np.array([_size(image) for image in images], dtype=np.int64).reshape(-1, 2)
    return replace(labels, sizes=sizes, places=Places(entries=entries, left_out=str(tidy.left_out)))


def image_names(top: Entry) -> tuple[str, ...]:
    """The pictures of a COCO object. Raises :class:`LeadError` naming an image that has no name."""
    named = (str(required(image, "file_name", f"images[{i}]")) for i, image in enumerate(top["images"]))
    return tuple(name.replace("\\", "/") for name in named)


def _labels(files: tuple[str, ...], schema: Schema, of_rows: dict[int, int], annotations: list[Entry]) -> Labels:
    """Those of one kind of thing, whose annotations are known by the row."""
    keypoints = np.zeros((len(files), len(schema.names), 3))
    extra = {key: np.full(keypoints.shape[:2], np.nan) for key in PREDICTED_KEYS}
    accepted, predicted = (np.zeros(keypoints.shape[:2], dtype=bool) for _ in range(2))
    for row, i in of_rows.items():
        annotation = annotations[i]
        keypoints[row] = np.array(annotation["keypoints"], dtype=np.float64).reshape(-1, 3)
        for key, flags in (("accepted", accepted), ("predicted", predicted)):
            if names := listed_names(annotation, key):
                flags[row] = [name in names for name in schema.names]
        for key, values in extra.items():
            if key in annotation:
                values[row] = numbers_of(annotation[key])
    known = (None if np.isnan(values).all() else values for values in extra.values())
    visible = keypoints[..., 2].astype(np.int8)
    return Labels(schema, files, keypoints[..., :2], visible, *known, accepted=accepted, predicted=predicted)


def _size(image: Entry) -> tuple[int, int]:
    """Width and height of an image, (0, 0) where the file does not say both."""
    width, height = (number_of(image.get(key)) for key in ("width", "height"))
    if width is None or height is None or not (1 <= width < 2**31 and 1 <= height < 2**31):
        return 0, 0
    return int(width), int(height)


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
    size = labels.sizes[row].tolist() if labels.sizes is not None and labels.sizes[row].all() else None
    if size is None and pictures:
        size = known_size(pictures, labels.images[row])
    if size:
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
    scored = np.zeros(len(labelled), dtype=bool)
    for key, values in zip(PREDICTED_KEYS, (labels.score, labels.px_error, labels.px_90), strict=True):
        if values is not None and np.isfinite(values[row]).any():
            entry[key] = _nullable(values[row])
            scored |= np.isfinite(values[row])
    if "keypoint_scores" in entry and labels.score is not None:
        entry["score"] = float(np.nanmean(labels.score[row]))
    for key, named in (("accepted", labels.is_accepted[row]), ("predicted", labels.is_predicted[row] & ~scored)):
        if named.any():
            entry[key] = [labels.schema.names[k] for k in np.flatnonzero(named)]
    return entry


def _nullable(values: FloatArray) -> list[float | None]:
    return [value if np.isfinite(value) else None for value in values.tolist()]
