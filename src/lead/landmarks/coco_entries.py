"""What the entries of a COCO file mean, of whatever tool wrote it: ids, key points and categories put in one form.

Tools differ where the published layout says nothing: an id is a number here and its text there; an annotation may be a
box alone; a landmark without a place has v 0, v -1 or null; lines of the skeleton count from 1, or from 0; several
categories may have key points. :func:`tidied` makes the published layout of all that is clear, and counts what is not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lead.errors import LeadError, unknown
from lead.landmarks.curves import curves_of
from lead.landmarks.fields import finite
from lead.landmarks.left_out import LeftOut
from lead.landmarks.model import ERRORS, HIDDEN, UNLABELLED, VISIBLE, Schema
from lead.reporting import counted

Entry = dict[str, Any]
FloatArray = npt.NDArray[np.float64]
PREDICTED_KEYS = ("keypoint_scores", *ERRORS)
"""Keys of a prediction's annotation: in :class:`lead.landmarks.Labels` the attributes ``PREDICTED``."""
OTHER = "annotation of other categories"
"""Of boxes and outlines beside the key points."""
EMPTY, CROWD = "annotation without a landmark", "annotation of a crowd"
_NUMBER = re.compile(r"\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*", re.ASCII)


@dataclass(frozen=True)
class Kind:
    """The categories of one list of landmarks.

    Attributes:
        categories: their entries.
        schema: the landmarks, as the first of them has them.
    """

    categories: tuple[Entry, ...]
    schema: Schema

    @property
    def name(self) -> str:
        """That of its first category."""
        return str(self.categories[0].get("name", self.categories[0]["id"]))


@dataclass(frozen=True)
class Tidied:
    """A COCO object whose key points are all in the published form.

    Attributes:
        top: the object; what is odd and clear has been put right, what is left out stands there as it was.
        kinds: those that have labels; where nothing is labelled, all.
        annotated_by: for each kind, the places among the annotations of those that label a picture, by the place of
            the picture among the images; several only where they were asked for.
        found_by: the same, with those that label nothing, and where there are several.
        left_out: what is not read.
    """

    top: Entry
    kinds: tuple[Kind, ...]
    annotated_by: tuple[dict[int, list[int]], ...]
    found_by: tuple[dict[int, list[int]], ...]
    left_out: LeftOut

    @property
    def labelled_by(self) -> tuple[dict[int, int], ...]:
        """For each kind the place of the first annotation of each picture."""
        return tuple({row: first for row, (first, *_) in of_rows.items()} for of_rows in self.annotated_by)

    def only(self) -> tuple[Entry, Kind, dict[int, int]]:
        """The category, the kind and the annotations of the pictures of a file that has just one category.

        Raises:
            LeadError: several have landmarks.
        """
        if len(self.kinds) > 1 or len(self.kinds[0].categories) > 1:
            names = ", ".join(repr(str(c.get("name", c["id"]))) for kind in self.kinds for c in kind.categories)
            raise LeadError(
                f"several categories have landmarks: {names}. Make one of them, as with: lead convert FILE other.json"
            )
        return self.kinds[0].categories[0], self.kinds[0], self.labelled_by[0]


def tidied(data: Entry, kind: str | None = None, *, several: bool = False) -> Tidied:
    """A COCO object in the published form.

    Args:
        data: the object. It is not changed.
        kind: the name of the one category to read; by default all that have key points are.
        several: whether each annotation of a picture is a specimen, also one that is a box alone.

    Raises:
        LeadError: a list is missing; no category has key points, or none has this name; two pictures have one id; two
            annotations of a picture label the same landmarks, unless there may be several. The message names the entry.
    """
    left_out = LeftOut()
    rows = _rows_by_id(entries_of(data, "images"))
    kinds, kind_of = _kinds(entries_of(data, "categories"), kind, left_out)
    annotations = list(entries_of(data, "annotations"))
    found: dict[tuple[int, int], list[int]] = {}
    for i, annotation in enumerate(annotations):
        place = _place_of(annotation, f"annotations[{i}]", rows, kind_of, left_out)
        if place is None:
            continue
        row, index, category = place
        tidy = _tidy(annotation, kinds[index].schema.names, f"annotations[{i}]", left_out, several)
        if tidy is None:
            continue
        image = data["images"][row]
        ids = {"image_id": image["id"], "category_id": category["id"]}
        if any(type(tidy[key]) is not type(value) or tidy[key] != value for key, value in ids.items()):
            tidy = tidy | ids
        annotations[i] = tidy
        found.setdefault((index, row), []).append(i)
    chosen = (_all if several else _one_each)(found, annotations, data["images"], left_out)
    used = [index for index in sorted(chosen) if _has_points(chosen[index], annotations)]
    used = used or sorted(chosen) or _not_above_others(kinds)
    read = tuple(_of_used(kinds[index], chosen.get(index, {}), annotations, left_out) for index in used)
    kept = tuple(chosen.get(index, {}) for index in used)
    every = tuple({row: of_row for (k, row), of_row in found.items() if k == index} for index in used)
    return Tidied(data | {"annotations": annotations}, read, kept, every, left_out)


def entries_of(data: Entry, key: str) -> list[Entry]:
    """One of the three lists of a COCO object. Raises :class:`LeadError` if it is not there, or not of objects."""
    entries = data.get(key)
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise LeadError(f"not COCO key points: {key!r} is not a list of objects. Keys found: {_some(data)}.")
    return entries


def required(entry: Entry, key: str, where: str) -> Any:
    """A value of an entry. Raises :class:`LeadError` that names the entry if it has none."""
    if key not in entry:
        raise LeadError(f"{where}: {key!r} is missing. Keys found: {_some(entry)}.")
    return entry[key]


def listed_names(entry: Entry, key: str) -> set[str] | None:
    """The names that an annotation lists under a key of ours; None where it has none, or another program's value."""
    names = entry.get(key)
    return {name for name in names if isinstance(name, str)} if isinstance(names, list) else None


def numbers_of(values: Sequence[object]) -> FloatArray:
    """Numbers, NaN for null."""
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def _some(entry: Entry) -> str:
    return ", ".join(list(entry)[:10]) or "none"


def _key(value: object) -> str:
    """What ids are compared by: a number and its text are the same."""
    number = finite(value)
    if number is not None and number.is_integer():
        return str(value if isinstance(value, int) else int(number))
    return value.strip() if isinstance(value, str) else repr(value)


def _rows_by_id(images: list[Entry]) -> dict[str, int]:
    rows: dict[str, int] = {}
    for i, image in enumerate(images):
        identifier = _key(required(image, "id", f"images[{i}]"))
        if identifier in rows:
            raise LeadError(f"images[{i}]: id {identifier} is also that of images[{rows[identifier]}].")
        rows[identifier] = i
    return rows


def _kinds(
    categories: list[Entry], wanted: str | None, left_out: LeftOut
) -> tuple[list[Kind], dict[str, tuple[int | None, Entry]]]:
    """The kinds of things that have landmarks; and of each category's id, which of them it is of."""
    groups: dict[tuple[str, ...], list[Entry]] = {}
    schemas: list[Schema] = []
    kind_of: dict[str, tuple[int | None, Entry]] = {}
    for i, category in enumerate(categories):
        where = f"categories[{i}]"
        names = category.get("keypoints")
        if not names or wanted not in (None, category.get("name")):
            kind_of.setdefault(_key(category.get("id")), (None, category))
            continue
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise LeadError(f"{where}: 'keypoints' must be a list of names.")
        required(category, "id", where)
        if tuple(names) not in groups:
            schemas.append(_schema(category, tuple(names), where, left_out))
        groups.setdefault(tuple(names), []).append(category)
        kind_of.setdefault(_key(category["id"]), (list(groups).index(tuple(names)), category))
    if not groups and wanted is not None:
        raise unknown("category", wanted, [str(entry.get("name")) for entry in categories if entry.get("keypoints")])
    if not groups:
        raise LeadError(
            f"0 of {counted(len(categories), 'category has', 'categories have')} 'keypoints' (the landmarks' names). "
            "Export key points: boxes and outlines are not landmarks; or list the names there."
        )
    return [Kind(tuple(group), schema) for group, schema in zip(groups.values(), schemas, strict=True)], kind_of


def _schema(category: Entry, names: tuple[str, ...], where: str, left_out: LeftOut) -> Schema:
    flips = category.get("flip_pairs") or []
    if not isinstance(flips, list) or not all(isinstance(pair, list) and len(pair) == 2 for pair in flips):
        raise LeadError(f"{where}: 'flip_pairs' must be a list of pairs.")
    if not all(isinstance(name, str) for pair in flips for name in pair):
        raise LeadError(f"{where}: 'flip_pairs' must be a list of pairs of names.")
    bones = _bones(category.get("skeleton"), names, where, left_out)
    try:
        return Schema(names, tuple((a, b) for a, b in flips), bones, curves_of(category.get("curves") or []))
    except LeadError as error:
        raise LeadError(f"{where}: {error}") from None


def _bones(skeleton: object, names: tuple[str, ...], where: str, left_out: LeftOut) -> tuple[tuple[str, str], ...]:
    """The lines between landmarks: their names, or numbers from 1; or from 0, which one that has a 0 counts from."""
    lines = skeleton if isinstance(skeleton, list) else [] if skeleton is None else [skeleton]
    pairs = [line if isinstance(line, list) and len(line) == 2 else [None, None] for line in lines]
    ends = [[finite(number_of(end)) for end in pair] for pair in pairs]
    first = 0 if any(end == 0 for pair in ends for end in pair) else 1
    bones = []
    for line, pair, (a, b) in zip(lines, pairs, ends, strict=True):
        if pair[0] in names and pair[1] in names:
            bones.append((pair[0], pair[1]))
        elif all(end is not None and end.is_integer() and first <= end < first + len(names) for end in (a, b)):
            bones.append((names[int(a or 0) - first], names[int(b or 0) - first]))
        else:
            left_out.add("line of a skeleton not between two of its landmarks", f"{where}: {line}")
    return tuple(bones)


def number_of(value: object) -> float | None:
    """A finite number, also one that stands as text; None for anything else."""
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return finite(float(value))
    return finite(value)


def _place_of(
    annotation: Entry,
    where: str,
    rows: dict[str, int],
    kind_of: dict[str, tuple[int | None, Entry]],
    left_out: LeftOut,
) -> tuple[int, int, Entry] | None:
    """The row of an annotation's picture, its kind and category; None where it has no landmarks of a picture."""
    index, category = kind_of.get(_key(annotation.get("category_id")), (None, None))
    if category is None:
        left_out.add("annotation whose category_id is not listed", f"{where}: {_id(annotation, 'category')}")
        return None
    if index is None:
        left_out.add(OTHER, str(category.get("name", category.get("id"))))
        return None
    row = rows.get(_key(annotation.get("image_id")))
    if row is None:
        left_out.add("annotation whose image_id is not listed", f"{where}: {_id(annotation, 'image')}")
        return None
    return row, index, category


def _id(annotation: Entry, of: str) -> str:
    return repr(annotation[f"{of}_id"])[:30] if f"{of}_id" in annotation else "none"


def _tidy(annotation: Entry, names: tuple[str, ...], where: str, left_out: LeftOut, several: bool) -> Entry | None:
    """An annotation in the published form; None if it has no key points, or where there are several is no specimen."""
    values = annotation.get("keypoints")
    if several and annotation.get("iscrowd"):
        left_out.add(CROWD, where)
        return None
    if not values and several and box_of(annotation):
        return annotation | {"keypoints": [0, 0, UNLABELLED] * len(names)}
    if not values:
        left_out.add("annotation without key points", where)
        return None
    if isinstance(values, list) and len(values) == len(names) and all(isinstance(v, list) for v in values):
        values = [value for triple in values for value in triple]
    if not isinstance(values, list) or len(values) != 3 * len(names):
        what = counted(len(values), "value") if isinstance(values, list) else repr(values)[:30]
        left_out.add(f"annotation whose key points are not {3 * len(names)} numbers", f"{where}: {what}")
        return None
    if not _is_published(values):
        values = _put_right(values, names, where, left_out)
    tidy = annotation if values is annotation["keypoints"] else annotation | {"keypoints": values}
    return _with_scores(tidy, names, where, left_out)


def _is_published(values: list[object]) -> bool:
    """Whether these are finite numbers, every third of them 0, 1 or 2: nearly always, and seen at once."""
    if not set(map(type, values)) <= {int, float}:
        return False
    with suppress(OverflowError):
        table = np.array(values, dtype=np.float64)
        return bool(np.isfinite(table).all() and np.isin(table[2::3], (UNLABELLED, HIDDEN, VISIBLE)).all())
    return False


def _put_right(values: list[Any], names: Sequence[str], where: str, left_out: LeftOut) -> list[float]:
    numbers: list[float] = []
    for k, name in enumerate(names):
        given = values[3 * k : 3 * k + 3]
        x, y, v = map(number_of, given)
        if (v is not None and v <= UNLABELLED) or given == [None] * 3:
            numbers += [0, 0, UNLABELLED]
        elif x is None or y is None:
            left_out.add("point without a place", f"{where}: {name!r} at {repr(given[:2])[:40]}")
            numbers += [0, 0, UNLABELLED]
        elif v not in (HIDDEN, VISIBLE):
            left_out.add("point whose visibility is not 0, 1 or 2", f"{where}: {name!r} has {repr(given[2])[:20]}")
            numbers += [0, 0, UNLABELLED]
        else:
            numbers += [x, y, int(v)]
    return numbers


def _with_scores(annotation: Entry, names: Sequence[str], where: str, left_out: LeftOut) -> Entry:
    """The same, with a score for each landmark where there is but one; without lists that are not of numbers."""
    count = len(names)
    for key in PREDICTED_KEYS:
        if key not in annotation:
            continue
        values = annotation[key]
        whole = isinstance(values, list) and len(values) == count
        if not whole or any(value is not None and finite(value) is None for value in values):
            left_out.add(f"list {key} not of {count} numbers", where)
            annotation = {other: value for other, value in annotation.items() if other != key}
            annotation["predicted"] = list(names)  # a model said them all the same
    score = finite(annotation.get("score")) if likely_of(annotation) is None else None
    if score is not None and "keypoint_scores" not in annotation:
        visible = annotation["keypoints"][2::3]
        annotation = annotation | {"keypoint_scores": [score if v > UNLABELLED else None for v in visible]}
    return annotation


def _labelled(annotation: Entry) -> bool:
    return any(v > UNLABELLED for v in annotation["keypoints"][2::3])


def likely_of(annotation: Entry) -> float | None:
    """How likely an annotation is a specimen, which is a key of ours; None where it does not say."""
    likely = finite(annotation.get("likely"))
    return likely if likely is not None and 0 <= likely <= 1 else None


def box_of(annotation: Entry) -> list[float] | None:
    """The x, y, width and height of an annotation in pixels; None without a box, or with that of its landmarks."""
    given = annotation.get("bbox")
    box = [number for value in given if (number := number_of(value)) is not None] if isinstance(given, list) else []
    if len(box) != 4 or min(box[2:]) <= 0:
        return None
    points = np.array(annotation.get("keypoints") or [], dtype=np.float64).reshape(-1, 3)
    return None if box == extent_of(points[points[:, 2] > UNLABELLED, :2]) else box


def extent_of(points: FloatArray) -> list[float]:
    """The x, y, width and height of (K, 2) points, all 0 of none: what stands for a box where there is no other."""
    if not len(points):
        return [0.0] * 4
    low, high = points.min(0), points.max(0)
    return [*low.tolist(), *(high - low).tolist()]


def _has_points(of_rows: dict[int, list[int]], annotations: list[Entry]) -> bool:
    return any(_labelled(annotations[i]) for kept in of_rows.values() for i in kept)


def _all(
    found: dict[tuple[int, int], list[int]], annotations: list[Entry], _: list[Entry], left_out: LeftOut
) -> dict[int, dict[int, list[int]]]:
    """For each kind all annotations of each picture that are specimens; of one without, an empty one."""
    chosen: dict[int, dict[int, list[int]]] = {}
    for (index, row), all_of_row in found.items():
        kept = [i for i in all_of_row if _labelled(annotations[i]) or box_of(annotations[i])] or all_of_row[:1]
        for i in all_of_row:
            if i not in kept:
                left_out.add(EMPTY, f"annotations[{i}]")
        chosen.setdefault(index, {})[row] = kept
    return chosen


def _one_each(
    found: dict[tuple[int, int], list[int]], annotations: list[Entry], images: list[Entry], left_out: LeftOut
) -> dict[int, dict[int, list[int]]]:
    """For each kind the one annotation of each picture that labels it. Raises :class:`LeadError` where two do."""
    chosen: dict[int, dict[int, list[int]]] = {}
    for (index, row), kept in found.items():
        for what, better in _BETTER if len(kept) > 1 else ():
            best = [i for i in kept if better(annotations[i])] or kept
            for i in kept:
                if i not in best:
                    left_out.add(what, f"annotations[{i}]")
            kept = best
        if len(kept) > 1 and _labelled(annotations[kept[0]]):
            raise LeadError(
                f"annotations[{kept[1]}]: picture {images[row].get('file_name')!r} is already annotated by "
                f"annotations[{kept[0]}]; one instance a picture is supported. Keep one, or crop the picture into "
                "several."
            )
        chosen.setdefault(index, {})[row] = kept[:1]
    return chosen


def is_prediction(annotation: Entry) -> bool:
    """Whether a model said every place of an annotation in the published form, and nobody has taken one over."""
    scores = annotation.get("keypoint_scores") or []
    accepted, predicted = (listed_names(annotation, key) for key in ("accepted", "predicted"))
    visible = annotation["keypoints"][2::3]
    scored = bool(scores) and all(s is not None for s, v in zip(scores, visible, strict=True) if v > UNLABELLED)
    said = len(predicted or ()) >= sum(v > UNLABELLED for v in visible)
    return not accepted and (scored or said)


_BETTER: tuple[tuple[str, Callable[[Entry], bool]], ...] = (
    (EMPTY, _labelled),
    (CROWD, lambda entry: not entry.get("iscrowd")),
    ("prediction of a picture that a person has labelled", lambda entry: not is_prediction(entry)),
)
"""What is left out of several annotations of a picture, and what those have that stay."""


def _not_above_others(kinds: list[Kind]) -> list[int]:
    """Where nothing is labelled: all kinds but those that are the supercategory of another."""
    above = {category.get("supercategory") for kind in kinds for category in kind.categories}
    below = [i for i, kind in enumerate(kinds) if not all(c.get("name") in above for c in kind.categories)]
    return below or list(range(len(kinds)))


def _of_used(kind: Kind, of_rows: dict[int, list[int]], annotations: list[Entry], left_out: LeftOut) -> Kind:
    """A kind with those of its categories only that have annotations."""
    used = {_key(annotations[i]["category_id"]) for kept in of_rows.values() for i in kept}
    categories = tuple(category for category in kind.categories if _key(category["id"]) in used)
    if len(categories) > 1:
        for category in categories:
            left_out.add("category with the same landmarks as another, read as one", str(category.get("name")))
    if categories:
        return Kind(categories, kind.schema)
    above = {category.get("supercategory") for category in kind.categories}
    below = [category for category in kind.categories if category.get("name") not in above]
    return Kind(tuple(below or kind.categories)[:1], kind.schema)
