"""Messages about films; see :mod:`lead.studio.messages`."""

from __future__ import annotations

from pydantic import Field

from lead.studio.label_messages import Message, Whole


class FilmEntry(Message):
    """A film of the folder.

    Attributes:
        file: path relative to the folder.
    """

    id: str
    file: str


class Film(FilmEntry):
    """A film to take frames from.

    Attributes:
        width, height: of a frame, upright, in pixels.
        frames: how many there are; their numbers begin at 0.
        taken: by number, the ids of the frames that are pictures of the folder already.
    """

    width: int
    height: int
    frames: int
    taken: dict[int, str] = Field({})


class FramesToTake(Message):
    """Frames that are to become pictures of the folder."""

    numbers: list[Whole]


class FramesTaken(Message):
    """The ids of frames that are pictures of the folder now, in the order asked for."""

    ids: list[str]
