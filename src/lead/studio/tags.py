"""Tags: short words that people put on pictures; and what they call an individual."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from lead.errors import LeadError

SKIP = "skip"
"""The tag of a picture that is not to be labelled: a bad one."""


def tidy_tags(tags: Iterable[str]) -> list[str]:
    """Tags without blanks around them, each once whatever its case, none empty; ``SKIP`` is in lower case."""
    kept: dict[str, str] = {}
    for tag in tags:
        plain = " ".join(tag.split())
        if plain:
            kept.setdefault(plain.casefold(), SKIP if plain.casefold() == SKIP else plain)
    return list(kept.values())


def holds_control(tag: str) -> bool:
    """Whether a tag holds a control character, which nobody can see."""
    return any(unicodedata.category(character) == "Cc" for character in tag)


def checked_tags(tags: Iterable[str]) -> list[str]:
    """The same of tags that a person has typed. Raises :class:`LeadError` for one that cannot be shown."""
    tidy = tidy_tags(tags)
    for tag in tidy:
        if holds_control(tag):
            raise LeadError(f"The tag {tag!r} holds a control character. Type the tag anew.")
    return tidy


def checked_track(track: str) -> str:
    """A name that a person has typed, without blanks around it. Raises :class:`LeadError` if it cannot be shown."""
    if holds_control(track.strip()):
        raise LeadError(f"The name {track.strip()!r} holds a control character. Type it anew.")
    return track.strip()
