"""What the page and the server say to each other of further looks at labelled pictures."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from lead.studio.label_messages import Message, Name, Point, Whole


class LookStart(Message):
    """A further look to begin.

    Attributes:
        person: who looks.
        first_by: who placed the first labels; empty if that is not known.
        pictures: how many are looked at, one at least; of fewer labelled ones, all.
        seed: that they are drawn by.
    """

    person: Name
    first_by: Annotated[str, Field(max_length=100)] = ""
    pictures: Whole
    seed: Whole = 0


class LookPoints(Message):
    """What a look at one picture says: by landmark; one that is not in it stays unlabelled."""

    points: dict[Name, Point]


class LookSeries(Message):
    """One person's look at some pictures.

    Attributes:
        id: of the series.
        person, number, first_by: who looks, for which time, the first labels included where they are theirs; and who
            placed these.
        file: where it is kept.
        done, total: pictures looked at, and drawn.
        left: ids of those still to be looked at, in their order.
        gone: drawn pictures that the folder does not hold any more.
    """

    id: str
    person: str
    number: int
    first_by: str
    file: str
    done: int
    total: int
    left: list[str]
    gone: int


class LookState(Message):
    """All further looks, and what there is to look at.

    Attributes:
        series: the looks, by file.
        labelled: pictures with a label that a person placed, from which is drawn.
        refused: why no look can be begun; null if one can.
        problems: files of looks that cannot be read, and why.
    """

    series: list[LookSeries]
    labelled: int
    refused: str | None
    problems: list[str]


class LookDifference(Message):
    """How far a look lies from the first labels, of one landmark.

    Attributes:
        name: of the landmark.
        mean_px, most_px: distances on average and at most; null where it was not placed both times.
        most_in: id of the picture where it is most.
        pictures: where both are.
    """

    name: str
    mean_px: float | None
    most_px: float | None
    most_in: str | None
    pictures: int


class LookResult(Message):
    """A look compared with the first labels, landmarks with the largest mean difference first."""

    series: LookSeries
    differences: list[LookDifference]
