"""Entries of the label file as immutable values: an annotation, which holds a specimen's labels, and an image."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from lead.landmarks.coco import COMPLETE, TRACK, track_of, written_track
from lead.landmarks.coco_entries import PREDICTED_KEYS, box_of, extent_of, likely_of, listed_names
from lead.landmarks.model import HIDDEN, UNLABELLED, VISIBLE
from lead.studio.label_messages import LONGEST_NOTE, LONGEST_TAG, LONGEST_TRACK, MOST_TAGS, Point, PointState
from lead.studio.schema import is_text
from lead.studio.tags import holds_control, tidy_tags
from lead.studio.ups import Up

Entry = dict[str, Any]


class Annotation:
    """The labels of one specimen. Immutable; what is derived from it is derived once."""

    def __init__(self, entry: Entry, names: Sequence[str]) -> None:
        self.entry = entry
        self.names = names

    @cached_property
    def text(self) -> bytes:
        """As the file has it."""
        return dumps(self.entry)

    @cached_property
    def table(self) -> npt.NDArray[np.float64]:
        """(K, 3) of x, y, visibility."""
        return np.array(self.entry["keypoints"], dtype=np.float64).reshape(-1, 3)

    @cached_property
    def absent(self) -> list[str]:
        """Landmarks that were looked for and are not in the picture."""
        visible = self.entry["keypoints"][2::3]
        named = set(self.entry.get("absent") or ())
        return [name for name, v in zip(self.names, visible, strict=True) if name in named and v == UNLABELLED]

    @cached_property
    def placed(self) -> int:
        """How many landmarks have a place, visible or hidden."""
        return sum(v > UNLABELLED for v in self.entry["keypoints"][2::3])

    @property
    def labelled(self) -> int:
        """How many landmarks have a state."""
        return self.placed + len(self.absent)

    @cached_property
    def accepted(self) -> list[str]:
        """Landmarks whose label is a suggestion that was accepted and not touched since."""
        return self.listed("accepted")

    @cached_property
    def predicted(self) -> list[str]:
        """Landmarks whose label another program's model said, and that no person has touched: shown as suggestions."""
        scored = [
            name
            for key in PREDICTED_KEYS
            for name, value in zip(self.names, self.entry.get(key) or (), strict=False)
            if value is not None
        ]
        return [*self.listed("predicted"), *scored]

    def listed(self, key: str) -> list[str]:
        """Landmarks with a place that the entry lists under ``accepted`` or ``predicted``."""
        if not (named := listed_names(self.entry, key)):
            return []
        visible = self.entry["keypoints"][2::3]
        return [name for name, v in zip(self.names, visible, strict=True) if name in named and v > UNLABELLED]

    @property
    def checked(self) -> bool:
        return self.entry.get("checked") is True

    @cached_property
    def track(self) -> str:
        """The name of the individual; empty where there is none that could be typed."""
        track = track_of(self.entry)
        return track if is_text(track) and len(track) <= LONGEST_TRACK and not holds_control(track) else ""

    @cached_property
    def box(self) -> list[float] | None:
        """x, y, width and height in pixels of a box that is not just that of the points."""
        return box_of(self.entry)

    @cached_property
    def shown(self) -> bool:
        """Whether anything is said that makes it a specimen."""
        return bool(self.labelled or self.box)

    def points(self) -> dict[str, Point]:
        """Every landmark that has a state."""
        points = {name: Point(state="absent") for name in self.absent}
        values, accepted = iter(self.entry["keypoints"]), {*self.accepted, *self.predicted}
        for name, x, y, v in zip(self.names, values, values, values, strict=True):
            if v > UNLABELLED:
                state: PointState = "visible" if v == VISIBLE else "hidden"
                points[name] = Point(state=state, x=x, y=y, accepted=name in accepted)
        return {name: points[name] for name in self.names if name in points}

    def cleared(self) -> Annotation:
        """With no landmark labelled; the box of another tool and what else stands there stay."""
        return self.changed(dict.fromkeys(self.names), checked=False)

    def called(self, track: str) -> Annotation:
        """Of the individual of this name; empty takes the name away."""
        kept = {key: value for key, value in self.entry.items() if key != TRACK}
        return Annotation(kept | ({TRACK: written_track(track)} if track else {}), self.names)

    def certain(self) -> Annotation:
        """Without how likely it is a specimen: a person has looked at it."""
        if likely_of(self.entry) is None:
            return self
        return Annotation({key: value for key, value in self.entry.items() if key != "likely"}, self.names)

    def boxed(self, box: Sequence[float]) -> Annotation:
        """With a box that is not that of the points."""
        return Annotation(self.entry | {"bbox": list(box), "area": box[2] * box[3]}, self.names)

    def changed(self, points: Mapping[str, Point | None], checked: bool) -> Annotation:
        """With some landmarks set, or taken away (None)."""
        entry = dict(self.entry)
        keypoints = list(entry["keypoints"])
        absent, accepted, predicted = set(self.absent), set(self.accepted), set(self.listed("predicted"))
        for name, point in points.items():
            k = self.names.index(name)
            keypoints[3 * k : 3 * k + 3] = _triple(point)
            for names, belongs in (
                (absent, point is not None and point.state == "absent"),
                (accepted, point is not None and point.accepted),
                (predicted, False),
            ):
                (names.add if belongs else names.discard)(name)
            _forget_prediction(entry, k)
        entry["keypoints"] = keypoints
        self._list_names(entry, "absent", [name for name in self.names if name in absent])
        self._list_names(entry, "accepted", [name for name in self.names if name in accepted])
        self._list_names(entry, "predicted", [name for name in self.names if name in predicted])
        if checked or self.checked:  # anything but true is another program's
            _set_or_drop(entry, "checked", checked)
        return self._with_totals(entry, self.names)

    def rearranged(self, names: Sequence[str], sources: Sequence[str | None]) -> Annotation:
        """For other landmarks: each takes over the labels of its source, None begins with none."""
        entry = dict(self.entry)
        columns = [None if source is None else self.names.index(source) for source in sources]
        old = entry["keypoints"]
        entry["keypoints"] = [v for k in columns for v in ([0, 0, 0] if k is None else old[3 * k : 3 * k + 3])]
        for key in PREDICTED_KEYS:
            if key in entry:
                entry[key] = [None if k is None else entry[key][k] for k in columns]
        for key, listed in (("absent", self.absent), *((key, self.listed(key)) for key in ("accepted", "predicted"))):
            self._list_names(
                entry, key, [name for name, source in zip(names, sources, strict=True) if source in listed]
            )
        return self._with_totals(entry, names)

    def _list_names(self, entry: Entry, key: str, names: list[str]) -> None:
        """Lists landmarks under a key; what stands there and is no landmark of ours stays."""
        listed = entry.get(key) or []
        if isinstance(listed, list):
            _set_or_drop(entry, key, names + [name for name in listed if name not in self.names])
        elif names:
            entry[key] = names

    def _with_totals(self, entry: Entry, names: Sequence[str]) -> Annotation:
        """``num_keypoints``, and box and area where they were those of the points, follow the points."""
        after = Annotation(entry, names)
        x, y, width, height = _box(after.table)
        before = _box(self.table)
        entry["num_keypoints"] = sum(v > UNLABELLED for v in entry["keypoints"][2::3])
        if entry.get("bbox") == before:
            if entry.get("area") == before[2] * before[3]:
                entry["area"] = width * height
            entry["bbox"] = [x, y, width, height]
        return after


class Image:
    """An entry of ``images``. Immutable; what is derived from it is derived once."""

    def __init__(self, entry: Entry) -> None:
        self.entry = entry

    @cached_property
    def text(self) -> bytes:
        """As the file has it."""
        return dumps(self.entry)

    @cached_property
    def note(self) -> str:
        """What a person wrote of the picture; empty where another program keeps something else under this key."""
        note = self.entry.get("note")
        return note if isinstance(note, str) and is_text(note) and len(note) <= LONGEST_NOTE else ""

    @cached_property
    def tags(self) -> list[str]:
        """Likewise; of a list, those that could be typed."""
        listed = self.entry.get("tags")
        words = [tag for tag in listed if isinstance(tag, str) and is_text(tag)] if isinstance(listed, list) else []
        return [tag for tag in tidy_tags(words) if len(tag) <= LONGEST_TAG and not holds_control(tag)][:MOST_TAGS]

    @cached_property
    def up(self) -> Up | None:
        """Which way up the person said that the thing lies; None where another program keeps something else there."""
        return Up.read(self.entry.get("up"))

    @property
    def complete(self) -> bool:
        """Whether every specimen is labelled; anything but true is another program's."""
        return self.entry.get(COMPLETE) is True

    def marked(
        self, note: str | None, tags: Sequence[str] | None, up: Up | None = None, complete: bool | None = None
    ) -> Image:
        """With another note, other tags, or another word on which way is up or on ``complete``; None leaves each."""
        entry = dict(self.entry)
        said = {"note": note, "tags": tags, "up": None if up is None else up.written(), COMPLETE: complete}
        for key, value in said.items():
            if value is not None:
                _set_or_drop(entry, key, value)
        return Image(entry)


def new_image(id: int, file: str, others: Sequence[Image]) -> Image:
    """One of a picture that is not among the others."""
    entry: Entry = {"id": id, "file_name": file}
    if others and all("split" in image.entry for image in others):
        entry["split"] = "train"  # as for every picture that the file does not list; see lead.datasets.coco
    return Image(entry)


def new_annotation(id: int, image: object, category: object, names: Sequence[str]) -> Annotation:
    """One that labels nothing yet, of the picture and the category of these ids."""
    entry = {
        "id": id,
        "image_id": image,
        "category_id": category,
        "keypoints": [0, 0, 0] * len(names),
        "num_keypoints": 0,
        "bbox": [0.0, 0.0, 0.0, 0.0],
        "area": 0.0,
        "iscrowd": 0,
    }
    return Annotation(entry, names)


def _triple(point: Point | None) -> list[float]:
    if point is None or point.x is None or point.y is None:
        return [0, 0, UNLABELLED]
    return [point.x, point.y, VISIBLE if point.state == "visible" else HIDDEN]


def _forget_prediction(entry: Entry, k: int) -> None:
    """A landmark set by hand has no score any more."""
    for key in PREDICTED_KEYS:
        if key in entry:
            values = [None if i == k else value for i, value in enumerate(entry[key])]
            _set_or_drop(entry, key, values if any(value is not None for value in values) else None)
    if "keypoint_scores" not in entry:
        entry.pop("score", None)


def _set_or_drop(entry: Entry, key: str, value: object) -> None:
    if value:
        entry[key] = value
    else:
        entry.pop(key, None)


def _box(table: npt.NDArray[np.float64]) -> list[float]:
    """x, y, width, height around the points that have a place; zeros if none has."""
    return extent_of(table[table[:, 2] > UNLABELLED, :2])


def dumps(value: object) -> bytes:
    """Its text in the file."""
    try:
        return json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:  # half a character, which JSON can hold only as \uXXXX
        return json.dumps(value).encode()
