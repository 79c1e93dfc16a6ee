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


def counted(count: int, one: str, many: str = "") -> str:
    """A count and what it is of, in words: ``"1 picture"``, ``"1,200 pictures of a crowd"``.

    Args:
        count: how many.
        one: the singular, whatever follows it included.
        many: the plural, where more than the first word changes.
    """
    return f"{count:,} {one if count == 1 else many or _plural(one)}"


def _plural(one: str) -> str:
    """The plural of the first word of some words."""
    noun, space, rest = one.partition(" ")
    if noun.endswith("y") and noun[-2:-1] not in "aeiou":
        return f"{noun[:-1]}ies{space}{rest}"
    return f"{noun}{'es' if noun.endswith(('s', 'x', 'ch')) else 's'}{space}{rest}"


def unsaid(_line: str) -> None:
    """A :data:`Say` that says nothing."""


def silent(_stage: str, _step: int, _total: int, _values: Mapping[str, float]) -> None:
    """A :data:`Report` that reports nothing."""
