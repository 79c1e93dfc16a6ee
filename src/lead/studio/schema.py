"""What is labelled: names, colours, skeleton and pairs, and how new landmarks follow from old ones."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from lead.errors import LeadError, unknown
from lead.evaluation.colours import landmark_colours
from lead.landmarks import Schema
from lead.landmarks.curves import curves_of, renamed_curves
from lead.studio.label_messages import Curve, Landmark, Landmarks, LandmarksChange

NAME_LENGTH = 100
"""Characters that a landmark's name may have."""


def check_landmarks(landmarks: Landmarks) -> None:
    """Raises :class:`LeadError` for names, lines, flip pairs or curves that cannot be kept apart or make no sense."""
    seen: dict[str, str] = {}
    for landmark in landmarks.landmarks:
        name = landmark.name
        if not name.strip():
            raise LeadError("A landmark has no name. Give each one a name.")
        if any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in name):
            raise LeadError(f"The landmark name {name!r} holds a control character. Type the name anew.")
        if name != name.strip():
            raise LeadError(f"The landmark name {name!r} begins or ends with a space. Take it away.")
        key = unicodedata.normalize("NFC", name).casefold()
        if key in seen:
            other = "stands twice" if seen[key] == name else f"differs from {seen[key]!r} only by upper and lower case"
            raise LeadError(f"The landmark name {name!r} {other}. Give each landmark a name of its own.")
        seen[key] = name
    names = [landmark.name for landmark in landmarks.landmarks]
    paired: dict[str, tuple[str, str]] = {}
    for what, pairs in (("skeleton line", landmarks.skeleton), ("left/right pair", landmarks.flip_pairs)):
        for a, b in pairs:
            for name in (a, b):
                if name not in names:
                    raise LeadError(f"The {what} {a} – {b}: {unknown('landmark', name, names)}")
            if a == b:
                raise LeadError(f"A {what} joins {a!r} with itself. It needs two landmarks.")
    for pair in landmarks.flip_pairs:
        for name in pair:
            if name in paired:
                other = " – ".join(paired[name])
                raise LeadError(f"{name!r} is in two left/right pairs: {other} and {' – '.join(pair)}. Keep one.")
            paired[name] = pair
    schema_of(landmarks)


def schema_of(landmarks: Landmarks) -> Schema:
    """Landmarks without their colours. Raises :class:`LeadError` for curves that are none."""
    names = tuple(landmark.name for landmark in landmarks.landmarks)
    curves = curves_of([curve.model_dump() for curve in landmarks.curves])
    return Schema(names, tuple(landmarks.flip_pairs), tuple(landmarks.skeleton), curves)


def default_colours(count: int) -> list[str]:
    """A colour for each of ``count`` landmarks, as ``#rrggbb``."""
    return ["#{:02x}{:02x}{:02x}".format(*colour) for colour in landmark_colours(count)]


def as_landmarks(schema: Schema, colours: Any = None) -> Landmarks:
    """A file's landmarks; what stands there for colours is used where it is one.

    Raises:
        LeadError: a name is empty or too long.
    """
    names = schema.names
    for name in (*names, *(curve.name for curve in schema.curves)):
        if not is_text(name):
            raise LeadError(f"the name {name[:30]!r} holds half a character. Give it another name.")
        if not 0 < len(name) <= NAME_LENGTH:
            raise LeadError(f"the name {name[:30]!r} has {len(name)} characters; 1 to {NAME_LENGTH} are allowed.")
    chosen = colours if isinstance(colours, list) and len(colours) == len(names) else [None] * len(names)
    usable = [
        str(colour).lower() if _is_colour(colour) else default
        for colour, default in zip(chosen, default_colours(len(names)), strict=True)
    ]
    landmarks = [Landmark(name=name, colour=colour) for name, colour in zip(names, usable, strict=True)]
    curves = [Curve.model_validate(curve.described()) for curve in schema.curves]
    return Landmarks(
        landmarks=landmarks, skeleton=list(schema.skeleton), flip_pairs=list(schema.flip_pairs), curves=curves
    )


def is_text(value: str) -> bool:
    """Whether a string is Unicode text: JSON and file systems can hold halves of characters, which nobody can show."""
    return not any("\ud800" <= character <= "\udfff" for character in value)


def _is_colour(value: object) -> bool:
    return (
        isinstance(value, str)
        and len(value) == 7
        and value[0] == "#"
        and set(value[1:].lower()) <= set("0123456789abcdef")
    )


def sources(change: LandmarksChange, names: list[str]) -> list[str | None]:
    """For each new landmark the old one whose labels it takes over."""
    targets = [landmark.name for landmark in change.landmarks]
    came_from: dict[str, str] = {}
    for old, new in change.renamed.items():
        if old not in names:
            raise unknown("landmark", old, names)
        if new not in targets:
            raise LeadError(f"{old!r} is renamed to {new!r}, which is not among the new landmarks. Add it there.")
        if new in came_from:
            raise LeadError(f"{came_from[new]!r} and {old!r} are both renamed to {new!r}. Keep one of them.")
        came_from[new] = old
    stay = {name for name in names if name not in change.renamed}
    return [came_from.get(name, name if name in stay else None) for name in targets]


def new_landmarks(change: LandmarksChange, now: Landmarks) -> Landmarks:
    """The landmarks that a change asks for; several specimens and curves stay where it says nothing of them."""
    names = [landmark.name for landmark in now.landmarks]
    targets = [landmark.name for landmark in change.landmarks]
    kept = {source: name for name, source in zip(targets, sources(change, names), strict=True) if source is not None}
    given = change.model_fields_set
    return Landmarks(
        landmarks=change.landmarks,
        skeleton=change.skeleton,
        flip_pairs=change.flip_pairs,
        curves=change.curves if "curves" in given else renamed(now.curves, kept),
        several=change.several if "several" in given else now.several,
    )


def renamed(curves: Sequence[Curve], new: Mapping[str, str]) -> list[Curve]:
    """Those through the landmarks that have a new name, under it; without those that are no curve any more."""
    known = curves_of([curve.model_dump() for curve in curves])
    return [Curve.model_validate(curve.described()) for curve in renamed_curves(known, new)]
