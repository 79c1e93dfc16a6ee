"""What the page and the server say to each other of landmarks and labels; the rest is in :mod:`lead.studio.messages`.

Coordinates are as there.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, Strict, model_validator
from pydantic.config import JsonDict

Colour = Annotated[str, Field(pattern=r"^#[0-9a-f]{6}$")]
Name = Annotated[str, Field(min_length=1, max_length=100)]
Pair = Annotated[tuple[Name, Name], Strict(False)]  # JSON has lists alone


def _whole(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


Whole = Annotated[int, BeforeValidator(_whole)]
"""A whole number, which JSON may write as 3.0 too."""
PointState = Literal["visible", "hidden", "absent"]
"""Labelled and seen; labelled but covered; looked for, and not in this picture."""
# More than a person types: what another program wrote must come back with a change to it.
MOST_TAGS, LONGEST_TAG, LONGEST_NOTE = 200, 500, 20_000
Tag = Annotated[str, Field(max_length=LONGEST_TAG)]
Tags = Annotated[list[Tag], Field(max_length=MOST_TAGS)]
Note = Annotated[str, Field(max_length=LONGEST_NOTE)]
LONGEST_TRACK = 500
Track = Annotated[str, Field(max_length=LONGEST_TRACK)]


class Message(BaseModel):
    """Unknown keys and other types are refused, so that a mistake is an error; NaN is not a number here."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class Landmark(Message):
    """One landmark's name and the colour it is drawn in."""

    name: Name
    colour: Colour


class Curve(Message):
    """A line of the thing through some of its landmarks, as :class:`lead.landmarks.curves.Curve` has it.

    Attributes:
        name: what it is called; no other curve is.
        points: names of landmarks in their order along it, three or more, each once.
        closed: whether it goes on from the last point to the first.
    """

    name: Name
    points: list[Name]
    closed: bool = False


class Landmarks(Message):
    """What is labelled, in the order of labelling.

    Attributes:
        version: goes up with every change; what a change is based on.
        landmarks: names and colours.
        skeleton: pairs of names joined by a line, without the segments of the curves.
        flip_pairs: pairs of names that change places in a mirrored picture.
        curves: lines of the thing through landmarks. All points of an open one but its two ends, and of a closed one
            but its first, are semilandmarks; each lies within one curve at most.
        several: whether a picture may show several specimens, each of which has labels of its own.
    """

    version: Whole = 0
    landmarks: list[Landmark] = []
    skeleton: list[Pair] = []
    flip_pairs: list[Pair] = []
    curves: list[Curve] = []
    several: bool = False


class LandmarksChange(Landmarks):
    """New landmarks in place of those of ``version``. Where ``several`` is left out, it stays as it is.

    Where ``curves`` are left out, they stay too, through those of their landmarks that are still there.

    Attributes:
        renamed: old name to new name, for each landmark that keeps its labels under another name.
        drop_labels: whether labels of landmarks that are no longer there may go (a copy stays in the history).
        labels_from: id of an earlier state, whose labels landmarks that are new here get back; ``labels_in`` of the
            answer to their removal.
    """

    renamed: dict[Name, Name] = {}
    drop_labels: bool = False
    labels_from: str | None = None


class LandmarksChanged(Landmarks):
    """What stands after a change.

    Attributes:
        labels_in: id of the earlier state that holds the labels that went with their landmarks; null if none went.
    """

    labels_in: str | None = None


_PLACED: JsonDict = {
    "required": ["x", "y"],
    "properties": {
        "state": {"enum": ["visible", "hidden"]},
        "x": {"type": "number"},
        "y": {"type": "number"},
        "accepted": {"type": "boolean"},
    },
}
_ABSENT: JsonDict = {
    "required": ["state"],
    "properties": {
        "state": {"const": "absent"},
        "x": {"type": "null"},
        "y": {"type": "null"},
        "accepted": {"const": False},
    },
}


class Point(Message):
    """A landmark of one picture. ``x`` and ``y`` stand unless the landmark is absent.

    Attributes:
        accepted: taken over from a suggestion, and not touched since.
    """

    model_config = ConfigDict(json_schema_extra={"anyOf": [_PLACED, _ABSENT]})

    state: PointState = "visible"
    x: float | None = None
    y: float | None = None
    accepted: bool = False

    @model_validator(mode="after")
    def _complete(self) -> Point:
        if (self.x is None) != (self.y is None) or (self.x is None) != (self.state == "absent"):
            raise ValueError("x and y must both be given for a visible or hidden point, and neither for an absent one")
        if self.accepted and self.state == "absent":
            raise ValueError("an absent point cannot be an accepted suggestion, which has a place")
        return self


class Direction(Message):
    """A direction in a picture, in its pixels: x to the right, y down. Of any length; 0, 0 is none."""

    x: float
    y: float


class PictureLabels(Message):
    """What is labelled on one picture; where pictures may show several specimens, on one of these.

    Attributes:
        id: of the picture. Of a specimen, where there may be several: the picture's id, a point, and the number of the
            specimen's annotation, such as ``3f0a.17``; the picture's own id then goes with what is said of the picture
            as a whole, and has no points.
        version: goes up with every change of it; what a change is based on.
        points: by landmark; a landmark that is not in it is unlabelled.
        checked: whether the person said of these labels, disputed by the model, that they are right.
        note: what the person wrote of the picture.
        tags: short words for it; ``skip`` says that it is not to be labelled.
        up: along which the person said that the thing's up points, of length 1; null if nothing is said.
        track: the name of the individual that the specimen is; empty if it has none.
        box: x, y, width, height around the specimen, in pixels of the picture as *edges* (the whole picture is 0, 0,
            w, h); null where the file has none but that of the points.
        complete: whether every specimen of the picture is labelled, as the person says.
        gone: whether there is no such specimen (any more).
    """

    id: str
    version: Whole = 0
    points: dict[str, Point] = {}
    checked: bool = False
    note: str = ""
    tags: list[str] = []
    up: Direction | None = None
    track: str = ""
    box: tuple[float, float, float, float] | None = None
    complete: bool = False
    gone: bool = False


class LabelsChange(Message):
    """Some landmarks of one picture, changed; where there may be several specimens, of one of these.

    Attributes:
        base: the version that the person saw; 0 for a specimen that is new.
        points: by landmark; ``null`` takes a label away.
        checked, note, tags, up: if given, set the picture's. Tags are trimmed, and each stays once; an ``up`` of 0, 0
            takes back what was said.
        track: if given, sets the name of the individual; empty takes it away.
        remove: takes the specimen out.
        complete: if given, says whether every specimen of the picture is labelled.
    """

    base: Whole
    points: dict[Name, Point | None] = {}
    checked: bool | None = None
    note: Note | None = None
    tags: Tags | None = None
    up: Direction | None = None
    track: Track | None = None
    remove: bool = False
    complete: bool | None = None
