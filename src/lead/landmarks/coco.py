"""COCO key points: one JSON object of ``images``, ``annotations`` and ``categories``.

Coordinates are pixels whose whole numbers are pixel centres, as in :mod:`lead.geometry`; nothing is shifted. A ``bbox``
is a box as :class:`lead.landmarks.model.Labels` has it; where there is none, that of the landmarks is written, which is
not read as one. ``track_id`` is the track, a number or text.

Beside the published keys we write, and understand, ten more: ``complete`` in an image in which every specimen is
labelled; in the category ``flip_pairs`` (pairs of names) and ``curves`` (objects of a ``name``, ``points``, which are
names in their order along the curve, and ``closed``), whose segments are lines of the ``skeleton``; in the annotation
of a prediction the lists ``keypoint_scores``, ``px_error``, ``px_90`` and ``px_across`` (null where unknown), the mean
of the first being COCO's own ``score``; ``likely``, how likely an annotation is a specimen, which ``score`` is then
instead; and in an annotation ``accepted``, the names of landmarks whose label is a model's suggestion that was taken
over and not touched since, and ``predicted``, the names of those that a model said without a score. Whatever has a
score is a prediction: of an annotation with COCO's ``score``, and none of these keys beside it, all its landmarks.

What other tools make of the layout is put in one form by :mod:`lead.landmarks.coco_entries`. Of several categories with
landmarks all are read: the names are those of the category with most, of the others the category's name stands before.
"""

from __future__ import annotations

import json
import re
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from lead.errors import LeadError
from lead.landmarks.coco_entries import (
    EMPTY,
    OTHER,
    PREDICTED_KEYS,
    Entry,
    Tidied,
    box_of,
    extent_of,
    likely_of,
    listed_names,
    number_of,
    numbers_of,
    required,
    tidied,
)
from lead.landmarks.fields import read_json
from lead.landmarks.kinds import joined_kinds
from lead.landmarks.model import UNLABELLED, Labels, Places, Schema
from lead.landmarks.pictures import PictureInfo, Size, known_size

FloatArray = npt.NDArray[np.float64]
Row = tuple[int, dict[int, int]]
COMPLETE, TRACK = "complete", "track_id"
"""Keys of an image, and of an annotation."""
_NUMBER = re.compile(r"0|[1-9][0-9]{0,17}")
"""A track's name that is written as a number, as other tools do."""


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


def parse(text: str, kind: str | None = None, *, several: bool = False) -> Labels:
    """Labels from the text of a COCO file: :func:`read`, then :func:`interpret`."""
    return interpret(tidied(read(text), kind, several=several), several=several)


def read(text: str) -> Entry:
    """The JSON object of a COCO file. Raises :class:`LeadError` if the text is something else."""
    data = read_json(text, "COCO key points")
    if not isinstance(data, dict):
        raise LeadError("not COCO key points: expected an object with images, annotations and categories.")
    return data


def interpret(tidy: Tidied, *, several: bool = False) -> Labels:
    """Labels of a COCO object: a row for each image, in its order, annotated or not; or one for each specimen of it.

    Raises:
        LeadError: an image has no name; or everything that it labels had to be left out. The message names the entry.
    """
    images, annotations = tidy.top["images"], tidy.top["annotations"]
    names = image_names(tidy.top)
    rows = _rows(tidy)
    files = tuple(names[i] for i, _ in rows)
    parts = [
        _labels(files, kind.schema, {row: of[k] for row, (_, of) in enumerate(rows) if k in of}, annotations, several)
        for k, kind in enumerate(tidy.kinds)
    ]
    labels = joined_kinds(parts, [kind.name for kind in tidy.kinds])
    if several:
        labels = _with_specimens(labels, tidy, rows)
    if annotations and not labels.is_specimen.any() and tidy.left_out.beyond(OTHER, EMPTY):
        raise LeadError(f"no annotation in it can be read. Left out: {tidy.left_out}.")
    one_kind = len(tidy.kinds) == 1
    entries = tuple(f"annotations[{of[0]}]" if of and one_kind else f"images[{i}]" for i, of in rows)
    sizes = np.array([_size(images[i]) for i, _ in rows], dtype=np.int64).reshape(-1, 2)
    return replace(labels, sizes=sizes, places=Places(entries=entries, left_out=str(tidy.left_out)))


def _rows(tidy: Tidied) -> list[Row]:
    """Of each row of labels the image, and the annotation of each kind that has one.

    Things of several kinds are in one row, side by side, unless a picture shows several of one kind: then each is a
    specimen of its own.
    """
    count = len(tidy.top["images"])
    if all(len(kept) == 1 for of_rows in tidy.annotated_by for kept in of_rows.values()):
        alone = tidy.labelled_by  # which is made anew whenever it is asked for
        return [(i, {k: of_rows[i] for k, of_rows in enumerate(alone) if i in of_rows}) for i in range(count)]
    rows: list[Row] = []
    for i in range(count):
        found = sorted((a, k) for k, of_rows in enumerate(tidy.annotated_by) for a in of_rows.get(i, ()))
        rows += [(i, {k: a}) for a, k in found] or [(i, {})]
    return rows


def _with_specimens(labels: Labels, tidy: Tidied, rows: Sequence[Row]) -> Labels:
    """The same labels with what is said of specimens: of several kinds in a row, by the one with most landmarks."""
    most_first = sorted(range(len(tidy.kinds)), key=lambda k: -len(tidy.kinds[k].schema.names))
    boxes, likely = np.full((len(rows), 4), np.nan), np.full(len(rows), np.nan)
    chosen = [next((of[k] for k in most_first if k in of), None) for _, of in rows]
    annotations = [{} if at is None else tidy.top["annotations"][at] for at in chosen]
    tracks = each_once([(i, track_of(entry)) for (i, _), entry in zip(rows, annotations, strict=True)])
    for row, (entry, track) in enumerate(zip(annotations, tracks, strict=True)):
        if track_of(entry) != track:
            tidy.left_out.add("track_id standing twice in a picture", f"annotations[{chosen[row]}]")
        if entry and (box := box_of(entry)):
            boxes[row] = box
        if (known := likely_of(entry)) is not None:
            likely[row] = known
    complete = frozenset(
        labels.images[row] for row, (i, _) in enumerate(rows) if tidy.top["images"][i].get(COMPLETE) is True
    )
    return replace(labels, tracks=tracks, boxes=boxes, likely=likely, complete=complete)


def track_of(annotation: Entry) -> str:
    """The name of the individual that an annotation is of; empty where it says none."""
    track = annotation.get(TRACK)
    return "" if track is None else str(track)


def written_track(track: str) -> int | str:
    """The same as the file has it."""
    return int(track) if _NUMBER.fullmatch(track) else track


def each_once(tracks: Sequence[tuple[Hashable, str]]) -> tuple[str, ...]:
    """The names of individuals, each with its picture: one that stands in the picture a second time becomes empty."""
    seen: set[tuple[Hashable, str]] = set()
    kept = []
    for of_picture in tracks:
        kept.append("" if of_picture in seen else of_picture[1])
        seen.add(of_picture)
    return tuple(kept)


def image_names(top: Entry) -> tuple[str, ...]:
    """The pictures of a COCO object. Raises :class:`LeadError` naming an image that has no name."""
    named = (str(required(image, "file_name", f"images[{i}]")) for i, image in enumerate(top["images"]))
    return tuple(name.replace("\\", "/") for name in named)


def _labels(
    files: tuple[str, ...], schema: Schema, of_rows: dict[int, int], annotations: list[Entry], several: bool
) -> Labels:
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
    tracks = ("",) * len(files) if several else None
    return Labels(
        schema, files, keypoints[..., :2], visible, *known, accepted=accepted, predicted=predicted, tracks=tracks
    )


def _size(image: Entry) -> tuple[int, int]:
    """Width and height of an image, (0, 0) where the file does not say both."""
    width, height = (number_of(image.get(key)) for key in ("width", "height"))
    if width is None or height is None or not (1 <= width < 2**31 and 1 <= height < 2**31):
        return 0, 0
    return int(width), int(height)


def dump(labels: Labels, pictures: PictureInfo | None = None) -> str:
    """The text of a COCO file.

    A picture with nothing labelled and nothing predicted stands among the images only, as in COCO. Pictures and
    specimens are numbered from 1, in their order.

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
        "skeleton": [[schema.index(a) + 1, schema.index(b) + 1] for a, b in schema.lines],
        "flip_pairs": [list(pair) for pair in schema.flip_pairs],
    } | ({"curves": [curve.described() for curve in schema.curves]} if schema.curves else {})
    numbers, sizes, there = image_ids(labels), labels.known_sizes(), labels.is_specimen
    annotations = (
        entry
        for row, entry in enumerate(_annotation(labels, row, numbers) for row in range(len(labels)))
        if there[row] or any(key in entry for key in PREDICTED_KEYS)
    )
    yield '{"images": '
    yield from _listed(
        _image(
            image,
            number,
            sizes.get(image) or (known_size(pictures, image) if pictures else None),
            image in labels.complete,
        )
        for image, number in numbers.items()
    )
    yield ', "annotations": '
    yield from _listed(annotations)
    yield f', "categories": {_text([category])}}}\n'


def image_ids(labels: Labels) -> dict[str, int]:
    """The number that each picture has in a COCO file of these labels."""
    return {image: number for number, image in enumerate(labels.rows_of(), start=1)}


def dump_results(labels: Labels) -> str:
    """The text of COCO's results: a list of the specimens, of pictures as they are numbered in the COCO file.

    A specimen's score is how likely it is one, else the mean of its landmarks' scores, else 1.
    """
    numbers = image_ids(labels)
    entries = (
        _annotation(labels, row, numbers) for row in np.flatnonzero((labels.visible > UNLABELLED).any(1)).tolist()
    )
    kept = ("image_id", "category_id", "keypoints")
    return "".join(_listed({key: entry[key] for key in kept} | {"score": entry.get("score", 1.0)} for entry in entries))


def _listed(entries: Iterable[Entry]) -> Iterator[str]:
    between = "["
    for entry in entries:
        yield between + _text(entry)
        between = ", "
    yield "]" if between == ", " else "[]"


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _image(name: str, number: int, size: Size | None, complete: bool) -> Entry:
    image: Entry = {"id": number, "file_name": name}
    if size:
        image["width"], image["height"] = map(int, size)
    return image | ({COMPLETE: True} if complete else {})


def _annotation(labels: Labels, row: int, numbers: Mapping[str, int]) -> Entry:
    labelled = labels.visible[row] > UNLABELLED
    points = np.where(labelled[:, None], labels.xy[row], 0.0)
    own = labels.boxes is not None and np.isfinite(labels.boxes[row]).all()
    box = labels.boxes[row].tolist() if labels.boxes is not None and own else extent_of(points[labelled])
    entry: Entry = {
        "id": row + 1,
        "image_id": numbers[labels.images[row]],
        "category_id": 1,
        "keypoints": [
            value
            for (x, y), v in zip(points.tolist(), labels.visible[row].tolist(), strict=True)
            for value in (x, y, v)
        ],
        "num_keypoints": int(labelled.sum()),
        "bbox": box,
        "area": box[2] * box[3],
        "iscrowd": 0,
    }
    scored = np.zeros(len(labelled), dtype=bool)
    for key, values in zip(PREDICTED_KEYS, labels.of_predictions(), strict=True):
        if values is not None and np.isfinite(values[row]).any():
            entry[key] = _nullable(values[row])
            scored |= np.isfinite(values[row])
    if "keypoint_scores" in entry and labels.score is not None:
        entry["score"] = float(np.nanmean(labels.score[row]))
    if labels.likely is not None and np.isfinite(labels.likely[row]):
        entry["score"] = entry["likely"] = float(labels.likely[row])
    if track := labels.tracks and labels.tracks[row]:
        entry[TRACK] = written_track(track)
    for key, named in (("accepted", labels.is_accepted[row]), ("predicted", labels.is_predicted[row] & ~scored)):
        if named.any():
            entry[key] = [labels.schema.names[k] for k in np.flatnonzero(named)]
    return entry


def _nullable(values: FloatArray) -> list[float | None]:
    return [value if np.isfinite(value) else None for value in values.tolist()]
