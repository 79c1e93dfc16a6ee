"""Which way up a thing lies in a picture, as a person said it, and what that means when more is labelled.

Up is what is up in the labelled things on average, so it turns a little with every label, and much with the first few
of things that lie any way. So it is kept with a line of the thing itself, from one landmark to another: how that lies
in the picture stays, whatever up is called later.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:  # torch, which it needs, takes seconds to import
    from lead.geometry import FloatArray

UNIT = 1e-9
"""By how much a length may differ from 1 and be left as it is, so that a direction that is read is the one written."""
SHORT = 1e-3
"""A line that is no longer, in radii of the shape, has no direction."""

Direction = tuple[float, float]


@dataclass(frozen=True)
class Line:
    """How the line from one landmark to another lies in a picture: along (x, y), a unit vector in its pixels."""

    start: str
    end: str
    x: float
    y: float


@dataclass(frozen=True)
class Up:
    """What a person said of one picture.

    Attributes:
        x, y: along which the thing's up points, a unit vector in the picture's pixels; 0, 0 if that is taken back.
        line: how a line of the thing lies then; None where the labels showed no shape.
    """

    x: float
    y: float
    line: Line | None = None

    @classmethod
    def said(cls, x: float, y: float, names: Sequence[str], shape: FloatArray | None) -> Up:
        """A direction of any length, of which 0, 0 is none, where landmarks lie as ``shape`` (K, 2) if up is (0, -1).

        The shape may have NaN; None where there is none.
        """
        direction = unit(x, y)
        if direction is None:
            return NOWHERE
        ends = None if shape is None else _farthest_apart(shape)
        if shape is None or ends is None:
            return cls(*direction)
        start, end = ends
        line = _product(_turn(direction), _along(shape, start, end))
        return cls(*direction, Line(names[start], names[end], line.real, line.imag))

    @classmethod
    def read(cls, value: object) -> Up | None:
        """As :meth:`written`; None for anything else that stands there."""
        if not isinstance(value, dict) or (direction := _direction(value)) is None:
            return None
        line = value.get("line")
        if isinstance(line, dict) and (along := _direction(line)) is not None:
            start, end = line.get("from"), line.get("to")
            if isinstance(start, str) and isinstance(end, str):
                return cls(*direction, Line(start, end, *along))
        return cls(*direction)

    def written(self) -> dict[str, Any]:
        """As JSON has it; empty where it is taken back."""
        if not self:
            return {}
        line = self.line
        told = {} if line is None else {"line": {"from": line.start, "to": line.end, "x": line.x, "y": line.y}}
        return {"x": self.x, "y": self.y} | told

    def __bool__(self) -> bool:
        return (self.x, self.y) != (0, 0)

    def where(self, names: Sequence[str], shape: FloatArray | None) -> Direction:
        """Along which unit vector up points, where landmarks lie as another ``shape`` (K, 2) if up is (0, -1).

        As it was said, where the two landmarks are not in that shape.
        """
        line = self.line
        if line is None or shape is None or line.start not in names or line.end not in names:
            return self.x, self.y
        start, end = names.index(line.start), names.index(line.end)
        there = shape[end] - shape[start]
        if not math.hypot(*there) > SHORT:  # NaN is not
            return self.x, self.y
        up = _product(complex(line.x, line.y), _along(shape, start, end).conjugate()) * complex(0, -1)
        return up.real, up.imag

    def renamed(self, new: Mapping[str, str]) -> Up:
        """With the new names of landmarks; one that has none takes the line along."""
        if self.line is None:
            return self
        if self.line.start not in new or self.line.end not in new:
            return replace(self, line=None)
        return replace(self, line=replace(self.line, start=new[self.line.start], end=new[self.line.end]))


NOWHERE = Up(0.0, 0.0)
"""Nothing is said, or what was said is taken back."""


def unit(x: float, y: float) -> Direction | None:
    """The direction (x, y) with a length of 1; None where it has none."""
    if not (largest := max(abs(x), abs(y))):
        return None
    if abs(math.hypot(x, y) - 1) < UNIT:
        return x, y
    x, y = x / largest, y / largest  # the length itself may be beyond all numbers
    return x / math.hypot(x, y), y / math.hypot(x, y)


def _direction(entry: Mapping[str, object]) -> Direction | None:
    values = [entry.get(key) for key in ("x", "y")]
    if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        return None
    try:
        x, y = (float(str(value)) for value in values)
    except ValueError:
        return None
    return unit(x, y) if math.isfinite(x) and math.isfinite(y) else None


def _turn(up: Direction) -> complex:
    """The rotation that brings (0, -1) to a direction."""
    return complex(*up) * complex(0, 1)


def _product(a: complex, b: complex) -> complex:
    """Of length 1, as both are but for rounding."""
    product = a * b
    return product / abs(product)


def _along(shape: FloatArray, start: int, end: int) -> complex:
    line = complex(*(shape[end] - shape[start]))
    return line / abs(line)


def _farthest_apart(shape: FloatArray) -> tuple[int, int] | None:
    """The two landmarks whose line tells the heading best; None where no two are apart."""
    apart = np.linalg.norm(shape[:, None] - shape[None], axis=-1)
    apart = np.where(np.isfinite(apart), apart, 0.0)
    if not apart.size or apart.max() <= SHORT:
        return None
    start, end = np.unravel_index(apart.argmax(), apart.shape)
    return int(start), int(end)
