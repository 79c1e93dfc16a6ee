"""How long work tells what it is doing: functions that are called with it, and do nothing by default."""

from __future__ import annotations

from collections.abc import Callable, Mapping

Progress = Callable[[int, int], None]
"""Called with (items done, items in all)."""
Say = Callable[[str], None]
"""Called with a line for the user."""
Counting = Callable[[str], Progress]
"""Called with what is about to be counted; what it returns is called as that goes on."""
Report = Callable[[str, int, int, Mapping[str, float]], None]
"""Called with (stage, step, steps in all, the step's values) as a training goes on."""


def unsaid(_line: str) -> None:
    """A :data:`Say` that says nothing."""


def silent(_stage: str, _step: int, _total: int, _values: Mapping[str, float]) -> None:
    """A :data:`Report` that reports nothing."""
