"""The one error type a user's mistake raises."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager


class LeadError(Exception):
    """Something the user can mend. The message names the file or value, the valid choices and the next step.

    The command line prints it without a traceback and exits with status 2.
    """


class NotThere(LeadError):
    """What is asked for by its id or name does not exist, or no longer does."""


def unknown(kind: str, value: str, choices: Iterable[str]) -> LeadError:
    """A :class:`LeadError` for a value that is not one of ``choices``, naming the nearest."""
    valid = sorted(choices)
    near = difflib.get_close_matches(value, valid, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return LeadError(f"Unknown {kind} {value!r}.{hint} Valid: {', '.join(valid) or '(none)'}.")


def needs_extra(what: str, extra: str) -> LeadError:
    """A :class:`LeadError` for something that an extra of the package would read or write, with the way to get it."""
    return LeadError(f"{what} need a further package. Run: pip install 'lead-landmarks[{extra}]'")


@contextmanager
def needing(what: str, extra: str) -> Iterator[None]:
    """Raises :func:`needs_extra` where a library that is imported inside is not installed."""
    try:
        yield
    except ImportError as error:
        raise needs_extra(what, extra) from error
