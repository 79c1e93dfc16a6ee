"""Label Studio's JSON: a list of tasks, each with its annotations and predictions.

A point is a result of type ``keypointlabels``; or of type ``keypoint``, named by a result of type ``labels`` with the
same id. Its x and y are percent of ``original_width`` and ``original_height``; as in Label Studio's own export to COCO,
a place in pixels is that share of the size, and nothing else is shifted.

What a person submitted is the annotation that is not cancelled; of several the one marked as ground truth. Only where
there is none the first prediction is read, and its points are predictions. A point of an annotation whose ``origin`` is
``prediction`` is an accepted suggestion: Label Studio makes it ``prediction-changed`` as soon as somebody moves it.

Where pictures may show several specimens, each rectangle is one, with the points that are nested in it (``parentID``);
so are points that are nested in another region, and together those that are nested in none. These are in the rectangle
if it is the only one and holds none. Rectangles are the specimens' boxes; the score of one says how likely
it is a specimen. We write so what has a box, and what is not alone in its picture: a specimen without a box gets one
around its points, as Label Studio's own export to YOLO wants it, and that is not read as a box.

A task may have several pictures: a result's ``to_name`` or ``source`` says which it is on, and ``item_index`` which of
a list; :mod:`lead.landmarks.labelstudio_pictures` finds them. Ours are written as local files.

There is no place for the order of the landmarks (that of their first appearance is taken), for hidden points, expected
errors, flip pairs, skeleton and which individual is which.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote

import numpy as np
import numpy.typing as npt

from lead.errors import LeadError
from lead.landmarks.fields import read_json
from lead.landmarks.labelstudio_pictures import FIELD, LOCAL, Address, field_of, fields_of, names_of
from lead.landmarks.labelstudio_results import KIND, PARENT, RECTANGLE, REST, Entry, Frame, Point, Region, regions_of
from lead.landmarks.left_out import LeftOut
from lead.landmarks.model import UNLABELLED, VISIBLE, Labels, Places, Schema
from lead.landmarks.pictures import PictureInfo

MODEL = "lead"
FROM, TO = "keypoints", "image"
"""Names of the control, and of the picture in the labelling setup."""
FROM_BOX, BOXED = "specimens", "specimen"
"""Names of the rectangles' control, and of their one label."""


@dataclass
class _Specimen:
    """The landmarks of a specimen, and its rectangle."""

    points: dict[str, Point] = field(default_factory=dict)
    twice: dict[str, None] = field(default_factory=dict)
    frame: Frame | None = None

    def add(self, name: str, mark: Point | Frame) -> None:
        if isinstance(mark, Frame):
            self.frame = self.frame or mark
            return
        before = self.points.get(name)
        if before is not None and mark.predicted and not before.predicted:
            return  # the person's own has come since
        if before is not None:
            self.twice[name] = None
        self.points[name] = mark

    @property
    def marks(self) -> list[Point | Frame]:
        """All that is marked."""
        return [*self.points.values(), *([self.frame] if self.frame else [])]


@dataclass
class _Picture:
    """One picture of a task, and its specimens by what their regions share."""

    where: str
    address: Address
    specimens: dict[str, _Specimen] = field(default_factory=dict)

    def add(self, region: Region) -> None:
        self.specimens.setdefault(region.owner, _Specimen()).add(region.name, region.mark)

    @property
    def marks(self) -> list[Point | Frame]:
        """All that is marked in it."""
        return [mark for specimen in self.specimens.values() for mark in specimen.marks]

    def marked(self) -> list[_Specimen]:
        """The specimens; points that are in no region are in the only rectangle, if that is empty."""
        loose, others = self.specimens.get(""), [specimen for owner, specimen in self.specimens.items() if owner]
        if loose and len(others) == 1 and others[0].frame and not others[0].points:
            return [_Specimen(loose.points, loose.twice, others[0].frame)]
        return [specimen for specimen in self.specimens.values() if specimen.marks]


def why_not(text: str) -> str | None:
    """Why a text is not Label Studio's; None if it is like it."""
    if text.lstrip()[:1] != "[":
        return "does not begin with a list"
    head = re.search(r'"(data|annotations|predictions|completions)"\s*:', text)
    return None if head else "holds no tasks with 'data' and 'annotations' (export as JSON, not as JSON-MIN)"


def parse(text: str, *, several: bool = False) -> Labels:
    """Labels from a list of tasks: a row for each picture, in the tasks' order, annotated or not, or each specimen.

    What cannot be read of a task costs that task or point, which is named in the labels' places.

    Args:
        text: the whole file.
        several: whether a picture may show several specimens.

    Raises:
        LeadError: the text is not such a list, or nothing in it can be read; the message says what was found.
    """
    tasks = read_json(text, "Label Studio's JSON")
    if not isinstance(tasks, list) or not all(isinstance(task, dict) for task in tasks):
        raise LeadError("not Label Studio's JSON: expected a list of tasks. Export as JSON.")
    left_out = LeftOut()
    pictures = _single(_pictures(tasks, left_out, several=several), left_out, "specimen" if several else "picture")
    rows = [(picture, specimen) for picture in pictures for specimen in picture.marked() or [_Specimen()]]
    names = tuple(dict.fromkeys(name for _, specimen in rows for name in specimen.points))
    if not names:
        found = f" Left out: {left_out}." if left_out.beyond() else ""
        raise LeadError(
            f"no task has a result of type {KIND!r} that can be read. Annotate with KeyPointLabels, and export as JSON."
            f"{found}"
        )
    shape = (len(rows), len(names))
    table, accepted, predicted = np.full((*shape, 3), np.nan), np.zeros(shape, dtype=bool), np.zeros(shape, dtype=bool)
    sizes, boxes = np.zeros((len(rows), 2), dtype=np.int64), np.full((len(rows), 5), np.nan)
    for row, (picture, specimen) in enumerate(rows):
        for name, point in specimen.points.items():
            k = names.index(name)
            table[row, k] = point.x, point.y, point.score
            accepted[row, k], predicted[row, k] = point.accepted, point.predicted
        if specimen.frame:
            boxes[row] = *specimen.frame.box, specimen.frame.likely
            if specimen.points and np.allclose(boxes[row, :4], _around(table[row, :, :2]), rtol=0, atol=1e-6):
                boxes[row, :4] = np.nan
        for mark in picture.marks[:1]:
            sizes[row] = mark.size
    called = names_of(picture.address for picture in pictures)
    places = Places(entries=tuple(picture.where for picture, _ in rows), left_out=str(left_out))
    return Labels(
        Schema(names),
        tuple(called[picture.address] for picture, _ in rows),
        table[..., :2],
        np.full(shape, VISIBLE, dtype=np.int8),
        None if np.isnan(table[..., 2]).all() else table[..., 2],
        places=places,
        accepted=accepted,
        predicted=predicted,
        sizes=sizes,
        tracks=("",) * len(rows) if several else None,
        boxes=boxes[:, :4],
        likely=boxes[:, 4],
    )


def _pictures(tasks: Sequence[Entry], left_out: LeftOut, *, several: bool) -> list[_Picture]:
    """The pictures of the tasks, in their order."""
    read = [(f"task {task.get('id', i)}", fields_of(task.get("data"))) for i, task in enumerate(tasks)]
    results = [
        list(regions_of(task, where, left_out, several=several)) for task, (where, _) in zip(tasks, read, strict=True)
    ]
    unknown = {
        str(region.result.get("to_name"))
        for (_, fields), of_task in zip(read, results, strict=True)
        for region in of_task
        if str(region.result.get("to_name")) not in fields and not region.result.get("source")
    }
    found: list[dict[tuple[str, int], _Picture]] = []
    for (where, fields), of_task in zip(read, results, strict=True):
        of_pictures: dict[tuple[str, int], _Picture] = {}
        for region in of_task:
            result = region.result
            chosen = field_of(fields, result.get("to_name"), result.get("source"), several=len(unknown) > 1)
            number = result.get("item_index") or 0
            if chosen is None or type(number) is not int or not 0 <= number < len(fields[chosen]):
                what, name = ("point", f"{region.name!r} ") if region.name else ("box", "")
                on = f"{name}on {repr(result.get('to_name'))[:30]}"
                told = f"{where}: {on}, data {', '.join(fields) or 'empty'}"
                left_out.add(f"{what} whose picture cannot be told", told)
                continue
            place = (chosen, number)
            of_pictures.setdefault(place, _Picture(where, fields[chosen][number])).add(region)
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


def _single(pictures: Sequence[_Picture], left_out: LeftOut, called: str) -> list[_Picture]:
    """One entry for each picture; without landmarks that are marked twice, or in several tasks.

    Args:
        pictures: all, in their order.
        left_out: where to count what is not read.
        called: what each specimen is called there.
    """
    of_address: dict[Address, list[_Picture]] = {}
    for picture in pictures:
        for specimen in picture.specimens.values():
            if specimen.twice:
                where = f"{picture.where}: {', '.join(map(repr, specimen.twice))}"
                left_out.add(f"{called} in which a landmark is marked twice, of which nothing is read", where)
                specimen.points = {}
        if len(sizes := {mark.size for mark in picture.marks}) > 1:
            where = f"{picture.where}: {' and '.join(f'{width:g} x {height:g}' for width, height in sorted(sizes)[:2])}"
            left_out.add("picture of several sizes in the file, of which nothing is read", where)
            picture.specimens = {}
        of_address.setdefault(picture.address, []).append(picture)
    single = []
    for same in of_address.values():
        labelled = [picture for picture in same if picture.marks]
        person = [picture for picture in labelled if not all(mark.predicted for mark in picture.marks)]
        best = person or labelled
        if len(best) > 1:
            where = f"{', '.join(picture.where for picture in best)}: {best[0].address.path!r}"
            left_out.add("picture labelled in several tasks, of which nothing is read", where)
        single.append(best[0] if len(best) == 1 else _Picture(same[0].where, same[0].address))
    return single


def dump(labels: Labels, pictures: PictureInfo) -> str:
    """The text of a list of tasks to import: what a person placed or took over as annotations, the rest as predictions.

    Raises:
        LeadError: a picture's size is not to be had.
    """
    tasks: list[Entry] = []
    sizes, crowded = labels.known_sizes(), labels.of_several()
    for number, (image, rows) in enumerate(labels.rows_of().items(), start=1):
        shown = any(labels.is_specimen[row] for row in rows)
        size = (sizes.get(image) or pictures.size(image)) if shown else (0, 0)
        placed, predicted = list[Entry](), list[Entry]()
        for row in rows:
            own, guessed = _results(labels, row, size, boxed=image in crowded)
            placed += own
            predicted += guessed
        task: Entry = {
            "id": number,
            "data": {FIELD: f"{LOCAL}?d={quote(image)}"},
            "annotations": [],
            "predictions": [],
        }
        if placed:
            task["annotations"] = [{"id": number, "was_cancelled": False, "result": placed}]
        if predicted:
            prediction: Entry = {"model_version": MODEL, "result": predicted}
            if scores := [result["score"] for result in predicted if result["type"] == KIND and "score" in result]:
                prediction["score"] = float(np.mean(scores))
            task["predictions"] = [prediction | {REST: True} if placed else prediction]
        tasks.append(task)
    return json.dumps(tasks, ensure_ascii=False, allow_nan=False) + "\n"


def _results(labels: Labels, row: int, size: tuple[int, int], *, boxed: bool) -> tuple[list[Entry], list[Entry]]:
    """A specimen's results that a person made, and those that a model did.

    Args:
        labels: all.
        row: the specimen's.
        size: of its picture.
        boxed: whether it needs a rectangle to be told from others.
    """
    placed, predicted = (
        [_result(labels, row, k, size) for k in np.flatnonzero(which[row]).tolist()]
        for which in ((labels.visible > UNLABELLED) & ~labels.is_predicted, labels.is_predicted)
    )
    likely = math.nan if labels.likely is None else float(labels.likely[row])
    own = labels.boxes is not None and bool(np.isfinite(labels.boxes[row]).all())
    if not (own or ((boxed or math.isfinite(likely)) and (placed or predicted))):
        return placed, predicted
    by_model = not placed and bool(predicted or math.isfinite(likely))
    x, y, width, height = (labels.boxes[row] if own and labels.boxes is not None else _around(labels.xy[row])).tolist()
    shares = zip(("x", "y", "width", "height"), (x, y, width, height), size * 2, strict=True)
    rectangle = _region(f"{row + 1}-box", RECTANGLE, FROM_BOX, size)
    rectangle["value"] = {name: 100 * length / whole for name, length, whole in shares}
    rectangle["value"] |= {"rotation": 0, RECTANGLE: [BOXED]}
    if not by_model:
        rectangle["origin"] = "manual"
    if math.isfinite(likely):
        rectangle["score"] = likely
    for result in (*placed, *predicted):
        result[PARENT] = rectangle["id"]
    return ([], [rectangle, *predicted]) if by_model else ([rectangle, *placed], predicted)


def _around(xy: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The smallest box that holds the pixels of (K, 2) points, of which some may be NaN."""
    least, most = np.nanmin(xy, axis=0), np.nanmax(xy, axis=0)
    return np.concatenate([least, most - least + 1])


def _region(name: str, kind: str, control: str, size: tuple[int, int]) -> Entry:
    return {
        "id": name,
        "type": kind,
        "from_name": control,
        "to_name": TO,
        "original_width": size[0],
        "original_height": size[1],
        "image_rotation": 0,
    }


def _result(labels: Labels, row: int, k: int, size: tuple[int, int]) -> Entry:
    x, y = (labels.xy[row, k] / size * 100).tolist()
    result = _region(f"{row + 1}-{k + 1}", KIND, FROM, size)
    result["value"] = {"x": x, "y": y, "width": 0.5, KIND: [labels.schema.names[k]]}
    if labels.is_predicted[row, k]:
        if labels.score is not None and np.isfinite(labels.score[row, k]):
            result["score"] = float(labels.score[row, k])
    else:
        result["origin"] = "prediction" if labels.is_accepted[row, k] else "manual"
    return result
