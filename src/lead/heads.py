"""Landmark heads as models keep them: what is said of one, and how one is made again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import BaseModel, Field, field_validator, model_validator
from torch import Tensor, nn

from lead import checkpoint
from lead.geometry import FloatArray
from lead.nn.cascade import Cascade
from lead.nn.confidence import Confidence
from lead.nn.heads import PLAIN, Lie, RidgeHead, SoftArgmaxHead

Head = RidgeHead | SoftArgmaxHead
"""Answers from the features of a whole picture."""


@dataclass(frozen=True)
class Calibration:
    """From a head's score to the error to expect, learnt from labels that the head had not seen.

    Attributes:
        scores: ascending knots.
        errors: expected distance at each, as a share of the shown square's side; never ascending.
    """

    scores: FloatArray
    errors: FloatArray

    def expected(self, scores: FloatArray) -> FloatArray:
        """Expected distance for scores of any shape, as a share of the shown square's side."""
        return np.interp(scores, self.scores, self.errors)


HeadName = Literal["cascade", "cascade-coarse", "ridge", "softargmax"]


class HeadDescription(BaseModel):
    """What :func:`described` says of a head, as a file has it: perhaps not written by us."""

    names: tuple[str, ...]
    head: HeadName
    lies: tuple[tuple[Annotated[int, Field(ge=0, lt=8)], bool], ...] = (PLAIN,)
    local: tuple[Annotated[int, Field(ge=1)], ...] = ()
    first: Annotated[int, Field(ge=0)] = 0
    bounded: bool = False
    calibration: tuple[list[float], list[float]] | None

    @field_validator("lies")
    @classmethod
    def _each_once(cls, lies: tuple[tuple[int, bool], ...]) -> tuple[tuple[int, bool], ...]:
        if PLAIN not in lies or len(set(lies)) < len(lies):
            raise ValueError(f"must hold {list(PLAIN)}, and nothing twice")
        return lies

    @model_validator(mode="after")
    def _knots_in_pairs(self) -> Self:
        if self.calibration is not None and not 0 < len(self.calibration[0]) == len(self.calibration[1]):
            raise ValueError("calibration must hold as many scores as errors, and some")
        return self

    def made(
        self, tensors: Mapping[str, Tensor], landmarks: int, dimension: int, prefix: str = ""
    ) -> tuple[Head | Cascade, Calibration | Confidence | None]:
        """The head and its calibration, with what is kept of them under a prefix."""
        lies = tuple(Lie(*lie) for lie in self.lies)
        head = make_head(self.head, dimension, landmarks, lies, self.local, self.first, self.bounded)
        checkpoint.restore(head, tensors, f"{prefix}head")
        if self.calibration is not None:
            return head, Calibration(*map(np.array, self.calibration))
        if not any(name.startswith(f"{prefix}confidence.") for name in tensors):
            return head, None
        confidence = Confidence(Cascade.SIGNALS, landmarks)
        checkpoint.restore(confidence, tensors, f"{prefix}confidence")
        return head, confidence


def described(head: Head | Cascade, calibration: Calibration | Confidence | None) -> dict[str, Any]:
    """What a file says of a head besides its tensors, but for the landmarks' names: anything that JSON holds."""
    cascade = head if isinstance(head, Cascade) else None
    knots = calibration if isinstance(calibration, Calibration) else None
    return {
        "head": kind_of(head),
        "lies": cascade.lies if cascade else (PLAIN,),
        "local": [len(look.which) for look in cascade.looks] if cascade else [],
        "first": cascade.first if cascade else 0,
        "bounded": cascade is not None and cascade.bounded,
        "calibration": None if knots is None else [knots.scores.tolist(), knots.errors.tolist()],
    }


def fitted(parts: Mapping[str, object]) -> dict[str, Tensor]:
    """The tensors of those parts, by name, that have some."""
    saved = (checkpoint.prefixed(part, name) for name, part in parts.items() if isinstance(part, nn.Module))
    return {name: tensor for part in saved for name, tensor in part.items()}


def kind_of(head: Head | Cascade) -> HeadName:
    """A head's name, by which :func:`make_head` makes another like it."""
    if isinstance(head, Cascade):
        return "cascade-coarse" if head.fine is None else "cascade"
    return "ridge" if isinstance(head, RidgeHead) else "softargmax"


def make_head(
    kind: HeadName,
    dimension: int,
    landmarks: int,
    lies: Sequence[Lie] = (PLAIN,),
    local: Sequence[int] = (),
    first: int = 0,
    bounded: bool = False,
) -> Head | Cascade:
    """An unfitted head; ``lies`` are what a cascade tries, and the others as of :class:`Cascade`."""
    if kind == "ridge":
        return RidgeHead(dimension, landmarks)
    if kind == "softargmax":
        return SoftArgmaxHead(dimension, landmarks)
    fine = kind == "cascade"
    return Cascade(dimension, landmarks, fine=fine, lies=lies, local=local, first=first, bounded=bounded)
