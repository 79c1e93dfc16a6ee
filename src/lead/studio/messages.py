"""What the page and the server say to each other, as JSON.

Coordinates are pixels of the upright picture in the convention of :mod:`lead.geometry`: ``(0, 0)`` is the centre of
the top-left pixel. A picture is named by its ``id``, which depends on its path alone and so outlives the server.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from lead.studio.label_messages import Direction, Landmarks, Message, PictureLabels
from lead.studio.training_messages import Training

# --- pictures --------------------------------------------------------------------------------------------------------


class Picture(Message):
    """A picture as the list shows it.

    Attributes:
        file: path relative to the folder.
        labelled: landmarks that have a state; where there may be several specimens, those of all.
        complete: whether all of them have; with several specimens, whether the person says that all are labelled.
        unlabelled: places in the landmarks' order of those that have none, where some have one; empty with several.
        specimens: how many are labelled, where there may be several.
        accepted: landmarks whose label is a suggestion that was accepted and not touched since.
        tags, noted: its tags, and whether it has a note.
        unreadable: why it cannot be decoded, if it is known that it cannot.
        coarse: why it could not be read again to be looked at closely, if that was tried and failed: what is said of it
            is of a coarser look.
        stamp: another whenever the file is another; for the addresses of its images and tiles.
        expected: mean expected error of the model on it, as a share of its longer side; null where there is none.
            ``expected_px``: the same in pixels of the picture.
    """

    id: str
    file: str
    labelled: int = 0
    complete: bool = False
    unlabelled: list[int] = Field([])
    specimens: int = 0
    accepted: int = 0
    tags: list[str] = Field([])
    noted: bool = False
    unreadable: str | None = None
    coarse: str | None = None
    stamp: str = ""
    expected: float | None = None
    expected_px: float | None = None


class PictureDetail(Message):
    """A picture to label.

    Attributes:
        width, height: of the upright picture, in pixels.
        labels: where there may be several specimens, what is said of the picture as a whole.
        specimens: what is labelled on each specimen, in the file's order, where there may be several.
    """

    id: str
    file: str
    width: int
    height: int
    labels: PictureLabels
    specimens: list[PictureLabels] = Field([])


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


class SuggestedSpecimen(Message):
    """The model's landmarks of one specimen, where a picture may show several.

    Attributes:
        key: of the labelled specimen that it is; null if it is none of these.
        likely: how likely it is a specimen at all, in [0, 1]; null for one that is labelled.
        points: by landmark.
    """

    key: str | None = None
    likely: float | None = None
    points: dict[str, Suggestion] = Field({})


class Suggestions(Message):
    """The model's proposal for a picture.

    Attributes:
        method: nearest features of labelled pictures, or a head fitted to them; ``carried``: some of the landmarks from
            an earlier frame of the film; null where there is none yet.
        model: number of the fit; goes up as labels come in.
        points: by landmark; empty where there may be several specimens.
        specimens: those that it finds, and the labelled ones, where there may be several.
        waiting_for: what has to happen before there are suggestions, for the person to read; null if there are.
        guides: labelled pictures, by id, that are most similar to this one, the most similar first; empty as long as
            that cannot be told.
        turned: whether things lie turned any way in these pictures, as far as labels or the run's settings tell.
        up: which way the thing's up points in this picture, of length 1: as the person said, else by its labels or by
            ``points``. Up is what is up in the labelled things' common shape. Null where that is not known, or where
            all things are upright.
    """

    id: str
    method: Literal["matching", "head", "carried"] | None = None
    model: int = 0
    points: dict[str, Suggestion] = Field({})
    specimens: list[SuggestedSpecimen] = Field([])
    waiting_for: str | None = None
    guides: list[str] = Field([])
    turned: bool = False
    up: Direction | None = None


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
        points: by landmark; empty where there may be several specimens.
        specimens: those that it finds, where there may be several.
        missed: labelled specimens that it did not find.
        doubtful: specimens of which it is not sure that they are any.
    """

    id: str
    file: str
    width: int
    height: int
    expected_px: float
    expected: float
    complete: bool
    points: dict[str, Suggestion]
    specimens: list[SuggestedSpecimen] = Field([])
    missed: int = 0
    doubtful: int = 0


class Predictions(Message):
    """A part of all predictions, worst expected error first unless asked otherwise.

    Attributes:
        total: how many there are in all.
        model: number of the fit they come from.
        waiting_for: as in :class:`Suggestions`.
    """

    total: int = 0
    model: int = 0
    pictures: list[Prediction] = Field([])
    waiting_for: str | None = None


Unit = Literal["px", "percent"]
"""What differences are said in: pixels of the picture, or percent of its longer side."""
DisputeKind = Literal["outlier", "swap", "duplicate", "outside"]


class Dispute(Message):
    """A label for a second look.

    Attributes:
        kind: ``outlier``: far from where the model, fitted without this picture, expects it; ``swap``: the two labels
            of a flip pair (or any two) fit better the other way about; ``duplicate``: two landmarks, or two specimens,
            on one spot; ``outside``: beyond the picture's edge.
        landmarks: the names concerned.
        distance_px: how far label and expectation differ, in pixels.
        severity: what the list is sorted by; 1 is just worth a look.
        message: a sentence for the person.
        key: of the specimen whose labels they are, where a picture may show several; null elsewhere.
    """

    id: str
    file: str
    kind: DisputeKind
    landmarks: list[str]
    distance_px: float
    severity: float
    message: str
    key: str | None = None
    expected: dict[str, Suggestion] = Field({})


class Disputes(Message):
    disputes: list[Dispute] = Field([])
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
    maps: list[HeatMap] = Field([])
    waiting_for: str | None = None


class LandmarkProgress(Message):
    """How far one landmark is, over all pictures that are not tagged ``skip``; over all labelled specimens, where a
    picture may show several.

    Where there may be several specimens, these are counted in place of pictures.

    Attributes:
        placed: pictures on which it has a place, hidden or not; ``accepted``: of these, suggestions that nobody touched
            since; ``hidden``: of these, covered.
        absent: pictures that it is not on.
        pictures: that can be read, be it labelled on them or not.
        expected, expected_px: mean expected error of the model's predictions, as a share of the longer side and in
            pixels of the pictures; null where there are none.
    """

    name: str
    placed: int
    accepted: int
    hidden: int
    absent: int
    pictures: int
    expected: float | None = None
    expected_px: float | None = None


class ModelStatus(Message):
    """How far the model side is.

    Attributes:
        stage: ``none``: no features to work with; ``decoding``, ``features``: being made, ``done`` of ``total``
            pictures; ``ready``; ``failed``: see ``message``.
        model: number of the latest fit, 0 before there is one.
        fitting: whether a fit is under way.
        fitted_to: labelled pictures that it was fitted to.
        held_out: its mean error on labels that it had not seen, as a share of the longer side; null where unknown.
            Labels that are accepted suggestions are not counted, nor below.
        held_out_px: the same in pixels of the pictures.
        held_out_points: labels that both rest on.
        closely: names of the landmarks that were looked at closely when all pictures were last looked at twice; empty
            if none was.
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
    held_out_px: float | None = None
    held_out_points: int = 0
    closely: list[str] = Field([])


# --- the whole -------------------------------------------------------------------------------------------------------


class State(Message):
    """What the page shows around everything else.

    Attributes:
        folder: the pictures' folder.
        label_file: where labels are kept.
        pictures: to label: readable as far as known, and not tagged ``skip``. ``complete``: fully labelled; ``begun``:
            some landmarks labelled. ``skipped``: readable, and tagged ``skip``.
        accepted: points that are accepted suggestions, not touched since, in all.
        problem: something that the person must mend before anything can be saved; null if all is well.
        foreign: whether the problem is that another program wrote the label file: ``POST /api/reload`` takes its
            labels, ``POST /api/keep`` writes ours over them. The event ``problem`` says so too.
        missing: pictures that the label file has labels for and the folder does not hold; their labels are kept.
        films: what the folder holds beside its pictures, and is not shown.
        unread: what else it holds that is not read, counted, in words; empty where there is nothing to tell.
        notes: what to say of how its pictures are shown: their contrast, pages that are not looked at.
    """

    version: str
    folder: str
    label_file: str
    pictures: int
    complete: int
    begun: int
    skipped: int = 0
    accepted: int = 0
    unreadable: list[tuple[str, str]] = Field([])
    landmarks: Landmarks
    model: ModelStatus
    training: Training
    problem: str | None = None
    foreign: bool = False
    missing: list[str] = Field([])
    films: list[str] = Field([])
    unread: str = ""
    notes: list[str] = Field([])


class FolderChange(Message):
    """How the folder differs from what it was when it was last looked at: numbers of pictures."""

    added: int = 0
    removed: int = 0
    replaced: int = 0


class Imported(Message):
    """What came of reading a label file.

    Attributes:
        format: in which it was recognised.
        landmarks: taken from it.
        added: points that were new; ``same``: points that stood here already with the same value;
        kept: points where the file says otherwise and what stood here was kept; ``replaced``: … was replaced.
        missing: labelled pictures of the file that the folder does not hold, or that could be several of its.
        predicted: points that a model said and no person has touched, which were left out.
        unclear: labelled pictures that their EXIF tag turns, where the file does not tell whether they were labelled
            upright, as they were taken here, or as they are stored.
        notes: what else the person should know, a sentence each.
    """

    format: str
    landmarks: int = 0
    added: int = 0
    same: int = 0
    kept: int = 0
    replaced: int = 0
    missing: list[str] = Field([])
    predicted: int = 0
    unclear: int = 0
    notes: list[str] = Field([])


class Problem(Message):
    """Every error's body: what is wrong, what to do, and for a conflict what stands here now.

    Attributes:
        theirs: of a label file whose landmarks are not those that are here: their names, in its order.
    """

    error: str
    labels: PictureLabels | None = None
    landmarks: Landmarks | None = None
    dropped: dict[str, int] | None = None
    theirs: list[str] | None = None
