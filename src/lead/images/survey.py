"""A look at a folder's pictures before they are decoded: how their values lie, and what of them is not looked at."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from lead.images.decode import UnreadablePicture, glance, values_of
from lead.images.showing import Range, Showing, quantiles
from lead.reporting import Say, counted, unsaid
from lead.tuning import cores

PLAIN = (
    *(".apng", ".avif", ".bmp", ".dib", ".gif", ".heic", ".heif", ".hif"),
    *(".jfif", ".jpe", ".jpeg", ".jpg", ".mpo", ".tga"),
)
"""Endings of pictures that need no contrast and whose further pages, if any, are told of as they are listed."""
LOOKED_AT = 2000
"""Pictures of a folder whose headers are read at most, and of these"""
MEASURED = 48
"""those whose values are."""
VALUES = 2**16
"""Values of each that count."""
_FAINT = 16
"""A picture whose values span less than such a share of the contrast is told of."""
_OTHER_SCALE = 4
"""As is a folder whose values reach so many times further than the contrast, or so many times less far."""


class _Seen(NamedTuple):
    file: str
    is_deep: bool
    is_stack: bool


def survey(root: Path, files: Sequence[str], showing: Showing, say: Say = unsaid) -> Showing:
    """How a folder's pictures are to be shown: as asked for, with a contrast where that is needed and left open.

    Looks at headers, and at the values of some pictures of more than 8 bits.

    The same files give the same contrast, in whatever order they are listed. Of more than :data:`LOOKED_AT` files that
    may be deep or stacks, as many are drawn.

    Args:
        root: folder that the names are relative to.
        files: POSIX paths of pictures. Those that cannot be read are passed over.
        showing: what is asked for.
        say: told which contrast is used, what does not fit it, and how many pictures have further pages.
    """
    maybe = sorted({file for file in files if os.path.splitext(file)[1].lower() not in PLAIN})  # noqa: PTH122 - quicker
    if not maybe:
        return showing
    drawn = _some(maybe, LOOKED_AT)
    with ThreadPoolExecutor(cores()) as pool:
        seen = [found for found in pool.map(lambda file: _seen(root, file), drawn) if found]
        deep = [found.file for found in seen if found.is_deep]
        some = _some(deep, MEASURED)
        parts = list(pool.map(lambda file: _values(root / file, showing), some))
    known = {file: part for file, part in zip(some, parts, strict=True) if part is not None and part.size}
    of = counted(len(files), "picture") if len(drawn) == len(maybe) else counted(len(drawn), "picture") + " looked at"
    if known:
        own = quantiles(list(known.values()))
        for told in _of_contrast(f"{len(deep):,} of {of}", showing.contrast, own, known):
            say(told)
        showing = replace(showing, contrast=showing.contrast or own)
    if stacks := sum(found.is_stack for found in seen) if showing.page == 1 else 0:
        say(
            f"{stacks:,} of {of} {'has' if stacks == 1 else 'have'} several pages: the first is looked at, and no "
            "other. To choose as you train: --set picture.page= and a number, max or mean."
        )
    return showing


def _some(files: Sequence[str], most: int) -> Sequence[str]:
    """All, or as many as are wanted, drawn in the same way each time."""
    if len(files) <= most:
        return files
    return [files[i] for i in np.sort(np.random.default_rng(0).permutation(len(files))[:most])]


def _seen(root: Path, file: str) -> _Seen | None:
    try:
        return _Seen(file, *glance(root / file))
    except UnreadablePicture:
        return None


def _values(path: Path, showing: Showing) -> npt.NDArray[Any] | None:
    """Some of a picture's values, evenly spread; None if it states a range after all, or cannot be read."""
    try:
        stored = values_of(path, showing, VALUES)
    except UnreadablePicture:
        return None
    if stored is None or stored.stated is not None:
        return None
    return stored.values.astype(np.float64)


def _of_contrast(count: str, chosen: Range | None, own: Range, known: Mapping[str, npt.NDArray[Any]]) -> list[str]:
    low, high = chosen or own
    how = "as the settings say" if chosen else "which all but 0.1 % of their values at each end span"
    told = [
        f"{count} hold more than 8 bits and state no range: shown from {low:g} (black) to {high:g} (white), {how}. "
        "To choose as you train: --set picture.contrast=[LOW,HIGH]."
    ]
    if chosen and not 1 / _OTHER_SCALE <= (own[1] - own[0]) / (high - low) <= _OTHER_SCALE:
        told.append(
            f"Their own values lie from {own[0]:g} to {own[1]:g}, which is another scale: little of them can be seen. "
            "Bring them to the scale of the pictures that were learnt from, or learn from pictures like these."
        )
    spans = {file: np.subtract(*quantiles([part])[::-1]) for file, part in known.items()}
    faint = [file for file, span in spans.items() if span * _FAINT < high - low]
    if 0 < len(faint) < len(known):
        told.append(
            f"{len(faint):,} of {counted(len(known), 'picture')} that were measured, {faint[0]} among them, use less "
            "than a sixteenth of that range and look nearly even: are they of another camera?"
        )
    return told
