"""What a reader leaves out of a file: counted by its kind, and the first of each named."""

from __future__ import annotations

from lead.reporting import counted

NAMED, LONGEST = 3, 80
"""How many of a kind are named, and how many characters each may take."""


class LeftOut:
    """Gathers what is left out; its text is what :class:`lead.landmarks.model.Places` tells of it."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._examples: dict[str, dict[str, None]] = {}

    def add(self, what: str, where: str = "", *, count: int = 1) -> None:
        """Counts something.

        Args:
            what: its kind, as :func:`lead.reporting.counted` takes it: ``"point without a place"``.
            where: which it is: ``"task 3: 'nose'"``.
            count: how many.
        """
        self._counts[what] = self._counts.get(what, 0) + count
        examples = self._examples.setdefault(what, {})
        if where and len(examples) <= NAMED:
            examples[where if len(where) <= LONGEST else where[: LONGEST - 1] + "…"] = None

    def beyond(self, *kinds: str) -> bool:
        """Whether there is anything of other kinds than these."""
        return not self._counts.keys() <= set(kinds)

    def __str__(self) -> str:
        return "; ".join(f"{counted(count, what)}{self._named(what)}" for what, count in self._counts.items())

    def _named(self, what: str) -> str:
        examples = list(self._examples[what])
        more = ", …" if len(examples) > NAMED else ""
        return f" ({', '.join(examples[:NAMED])}{more})" if examples else ""
