"""What the page and the server say to each other, as JSON.

Coordinates are pixels of the upright picture in the convention of :mod:`lead.geometry`: ``(0, 0)`` is the centre of
the top-left pixel. A picture is named by its ``id``, which depends on its path alone and so outlives the server.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, Strict, model_validator
from pydantic.config import JsonDict

Colour = Annotated[str, Field(pattern=r"^#[0-9a-f]{6}$")]
Name = Annotated[str, Field(min_length=1, max_length=100)]
Pair = Annotated[tuple[Name, Name], Strict(False)]  # JSON has lists alone
PointState = Literal["visible", "hidden", "absent"]
"""Labelled and seen; labelled but covered; looked for, and not in this picture."""


class Message(BaseModel):
    """Unknown keys and other types are refused, so that a mistake is an error; NaN is not a number here."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


# --- landmarks and labels --------------------------------------------------------------------------------------------


class Landmark(Message):
    """One landmark's name and the colour it is drawn in."""

    name: Name
    colour: Colour


class Landmarks(Message):
    """What is labelled, in the order of labelling.

    Attributes:
        version: goes up with every change; what a change is based on.
        landmarks: names and colours.
        skeleton: pairs of names joined by a line.
        flip_pairs: pairs of names that change places in a mirrored picture.
    """

    version: int = 0
    landmarks: list[Landmark] = []
    skeleton: list[Pair] = []
    flip_pairs: list[Pair] = []


class LandmarksChange(Landmarks):
    """New landmarks in place of those of ``version``.

    Attributes:
        renamed: old name to new name, for each landmark that keeps its labels under another name.
        drop_labels: whether labels of landmarks that are no longer there may go (a copy stays in the history).
    """

    renamed: dict[Name, Name] = {}
    drop_labels: bool = False


_PLACED: JsonDict = {
    "required": ["x", "y"],
    "properties": {"state": {"enum": ["visible", "hidden"]}, "x": {"type": "number"}, "y": {"type": "number"}},
}
_ABSENT: JsonDict = {
    "required": ["state"],
    "properties": {"state": {"const": "absent"}, "x": {"type": "null"}, "y": {"type": "null"}},
}


class Point(Message):
    """A landmark of one picture. ``x`` and ``y`` stand unless the landmark is absent."""

    model_config = ConfigDict(json_schema_extra={"anyOf": [_PLACED, _ABSENT]})

    state: PointState = "visible"
    x: float | None = None
    y: float | None = None

    @model_validator(mode="after")
    def _complete(self) -> Point:
        if (self.x is None) != (self.y is None) or (self.x is None) != (self.state == "absent"):
            raise ValueError("x and y must both be given for a visible or hidden point, and neither for an absent one")
        return self


class PictureLabels(Message):
    """What is labelled on one picture.

    Attributes:
        id: of the picture.
        version: goes up with every change of this picture; what a change is based on.
        points: by landmark; a landmark that is not in it is unlabelled.
        checked: whether the person said of these labels, disputed by the model, that they are right.
    """

    id: str
    version: int = 0
    points: dict[str, Point] = {}
    checked: bool = False


class LabelsChange(Message):
    """Some landmarks of one picture, changed.

    Attributes:
        base: the version that the person saw.
        points: by landmark; ``null`` takes a label away.
        checked: if given, sets the picture's.
    """

    base: int
    points: dict[Name, Point | None] = {}
    checked: bool | None = None


class Picture(Message):
    """A picture as the list shows it.

    Attributes:
        file: path relative to the folder.
        labelled: landmarks that have a state.
        complete: whether all of them have.
        unreadable: why it cannot be decoded, if it is known that it cannot.
        expected: mean expected error of the model on it, as a share of its longer side; null where there is none.
    """

    id: str
    file: str
    labelled: int = 0
    complete: bool = False
    unreadable: str | None = None
    expected: float | None = None


class PictureDetail(Message):
    """A picture to label.

    Attributes:
        width, height: of the upright picture, in pixels.
    """

    id: str
    file: str
    width: int
    height: int
    labels: PictureLabels


# --- the model -------------------------------------------------------------------------------------------------------


class Suggestion(Message):
    """Where the model thinks that a landmark is.

    Attributes:
        expected_px: distance to expect to the truth, in pixels of the picture.
        score: confidence in [0, 1].
    """

    x: float
    y: float
    expected_px: float
    score: float


class Suggestions(Message):
    """The model's proposal for a picture.

    Attributes:
        method: nearest features of labelled pictures, or a head fitted to them; null where there is none yet.
        model: number of the fit; goes up as labels come in.
        points: by landmark.
        waiting_for: what has to happen before there are suggestions, for the person to read; null if there are.
    """

    id: str
    method: Literal["matching", "head"] | None = None
    model: int = 0
    points: dict[str, Suggestion] = {}
    waiting_for: str | None = None


class Choice(Message):
    """The picture to label next, and why.

    Attributes:
        kind: ``coverage``: stands for many pictures unlike those labelled; ``uncertain``: the model expects to be
            wrong on it, and it differs from what is labelled; ``order``: simply the next; ``none``: all are labelled.
        reason: a sentence for the person.
        runner_up: the picture that would be chosen after this one, as things stand; null if none is left.
    """

    id: str | None
    kind: Literal["coverage", "uncertain", "order", "none"]
    reason: str
    runner_up: str | None = None


class Prediction(Message):
    """The model's landmarks of one picture, as the review shows them.

    Attributes:
        expected_px: mean over the landmarks; ``expected``: the same as a share of the picture's longer side.
        complete: whether the person has labelled it.
    """

    id: str
    file: str
    width: int
    height: int
    expected_px: float
    expected: float
    complete: bool
    points: dict[str, Suggestion]


class Predictions(Message):
    """A part of all predictions, worst expected error first unless asked otherwise.

    Attributes:
        total: how many there are in all.
        model: number of the fit they come from.
        waiting_for: as in :class:`Suggestions`.
    """

    total: int = 0
    model: int = 0
    pictures: list[Prediction] = []
    waiting_for: str | None = None


DisputeKind = Literal["outlier", "swap", "duplicate", "outside"]


class Dispute(Message):
    """A label for a second look.

    Attributes:
        kind: ``outlier``: far from where the model, fitted without this picture, expects it; ``swap``: the two labels
            of a flip pair (or any two) fit better the other way about; ``duplicate``: two landmarks on one spot;
            ``outside``: beyond the picture's edge.
        landmarks: the names concerned.
        distance_px: how far label and expectation differ, in pixels.
        severity: what the list is sorted by; 1 is just worth a look.
        message: a sentence for the person.
    """

    id: str
    file: str
    kind: DisputeKind
    landmarks: list[str]
    distance_px: float
    severity: float
    message: str
    expected: dict[str, Suggestion] = {}


class Disputes(Message):
    disputes: list[Dispute] = []
    waiting_for: str | None = None


class HeatMap(Message):
    """How alike each place of a picture is to the place that was pointed at.

    Attributes:
        columns, rows: of the map.
        values: base64 of rows × columns bytes, row by row, 255 the most alike.
        box: x, y, width, height of the map in the picture's own pixels as *edges* (the whole picture is 0, 0, w, h);
            may reach beyond the picture.
        x, y: the most similar place, in pixels.
        similarity: there, in [-1, 1].
    """

    id: str
    columns: int
    rows: int
    values: str
    box: tuple[float, float, float, float]
    x: float
    y: float
    similarity: float


class Explored(Message):
    maps: list[HeatMap] = []
    waiting_for: str | None = None


class ModelStatus(Message):
    """How far the model side is.

    Attributes:
        stage: ``none``: no features to work with; ``decoding``, ``features``: being made, ``done`` of ``total``
            pictures; ``ready``; ``failed``: see ``message``.
        model: number of the latest fit, 0 before there is one.
        fitting: whether a fit is under way.
        fitted_to: labelled pictures that it was fitted to.
        held_out: its mean error on labels that it had not seen, as a share of the longer side; null where unknown.
    """

    stage: Literal["none", "decoding", "features", "ready", "failed"] = "none"
    done: int = 0
    total: int = 0
    message: str | None = None
    model: int = 0
    method: Literal["matching", "head"] | None = None
    fitting: bool = False
    fitted_to: int = 0
    held_out: float | None = None


# --- training --------------------------------------------------------------------------------------------------------


class Preset(Message):
    name: str
    description: str


class LossPoint(Message):
    stage: Literal["pretrain", "distill"]
    step: int
    loss: float


class Training(Message):
    """The training of features in this folder.

    Attributes:
        state: ``none``: nothing trained or opened; ``running``; ``stopping``: a stop was asked for and the state is
            being saved; ``stopped``: interrupted, can go on; ``failed``: see ``message``; ``done``.
        run: the run's folder as text, if there is one.
        preset: with which it was begun.
        task: what it is doing: decoding, pretrain or distill.
        seconds_left: of the whole training, as far as it can be told.
        curve: loss, thinned to at most a few hundred points.
        pictures, seconds: of a finished training: how many it learnt from, and how long it took.
    """

    state: Literal["none", "running", "stopping", "stopped", "failed", "done"] = "none"
    run: str | None = None
    preset: str | None = None
    task: str | None = None
    step: int = 0
    total: int = 0
    seconds_left: float | None = None
    curve: list[LossPoint] = []
    message: str | None = None
    presets: list[Preset] = []
    pictures: int | None = None
    seconds: float | None = None


class TrainingStart(Message):
    """Begins a training, or goes on with the one that was stopped (then ``preset`` is left out)."""

    preset: str | None = None


class RunChoice(Message):
    """A run that could be opened; ``id`` is what to ask for."""

    id: str
    path: str
    preset: str | None = None
    finished: bool = False
    current: bool = False


# --- the whole -------------------------------------------------------------------------------------------------------


class State(Message):
    """What the page shows around everything else.

    Attributes:
        folder: the pictures' folder.
        label_file: where labels are kept.
        pictures: readable pictures as far as known; ``complete``: fully labelled; ``begun``: some landmarks labelled.
        problem: something that the person must mend before anything can be saved; null if all is well.
        foreign: whether the problem is that another program wrote the label file: ``POST /api/reload`` takes its
            labels, ``POST /api/keep`` writes ours over them. The event ``problem`` says so too.
        missing: pictures that the label file has labels for and the folder does not hold; their labels are kept.
    """

    version: str
    folder: str
    label_file: str
    pictures: int
    complete: int
    begun: int
    unreadable: list[tuple[str, str]] = []
    landmarks: Landmarks
    model: ModelStatus
    training: Training
    problem: str | None = None
    foreign: bool = False
    missing: list[str] = []


class Imported(Message):
    """What came of reading a label file.

    Attributes:
        format: in which it was recognised.
        landmarks: taken from it.
        added: points that were new; ``same``: points that stood here already with the same value;
        kept: points where the file says otherwise and what stood here was kept; ``replaced``: … was replaced.
        missing: labelled pictures of the file that the folder does not hold, or that could be several of its.
        notes: what else the person should know, a sentence each.
    """

    format: str
    landmarks: int = 0
    added: int = 0
    same: int = 0
    kept: int = 0
    replaced: int = 0
    missing: list[str] = []
    notes: list[str] = []


class Problem(Message):
    """Every error's body: what is wrong, what to do, and for a conflict what stands here now."""

    error: str
    labels: PictureLabels | None = None
    landmarks: Landmarks | None = None
    dropped: dict[str, int] | None = None
