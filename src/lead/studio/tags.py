"""Tags: short words that people put on pictures."""

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


def checked_tags(tags: Iterable[str]) -> list[str]:
    """The same of tags that a person has typed. Raises :class:`LeadError` for one that cannot be shown."""
    tidy = tidy_tags(tags)
    for tag in tidy:
        if any(unicodedata.category(character) == "Cc" for character in tag):
            raise LeadError(f"The tag {tag!r} holds a control character. Type the tag anew.")
    return tidy
