"""Files of further looks: what one person labelled again, without seeing the first labels.

Each is a COCO file beside the label file, ``annotations-look-anna-2.json`` beside ``annotations.json``: one person's
looks in one go, with the key ``look`` beside the published ones::

    "look": {"person": "Anna", "number": 2, "seed": 0, "labels": "annotations.json", "first_by": "Anna",
             "pictures": ["a.jpg", "b.jpg"], "looked": {"a.jpg": "2026-12-01T10:00:00+01:00"}}

``number`` counts this person's looks, the first labels included where they are theirs; ``labels`` is the label file and
``first_by`` who placed its labels, empty where that was not said; ``pictures`` are those that were drawn, in the order
in which they are shown, and ``looked`` says when each was looked at, as far as that is done. A landmark that was looked
for and is not in the picture is unlabelled.
"""

from __future__ import annotations

import glob
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lead.errors import LeadError
from lead.landmarks import coco
from lead.landmarks.fields import read_json
from lead.landmarks.model import Labels

KEY = "look"
INFIX = "-look-"


@dataclass(frozen=True)
class LookHeader:
    """What a file of looks says of itself; see the module."""

    person: str
    number: int
    seed: int
    labels: str
    first_by: str
    pictures: tuple[str, ...]
    looked: Mapping[str, str]


def beside(labels: Path) -> list[Path]:
    """The files of looks beside a label file, by name."""
    return sorted(labels.parent.glob(f"{glob.escape(labels.stem)}{INFIX}*.json"), key=lambda path: path.stem)


def new_path(labels: Path, person: str, number: int) -> Path:
    """A name for a file of looks that is not there yet."""
    plain = re.sub(r"[\W_]+", "-", person.casefold()).strip("-")[:40] or "someone"
    path = labels.with_name(f"{labels.stem}{INFIX}{plain}-{number}.json")
    again = 1
    while path.exists():
        again += 1
        path = labels.with_name(f"{labels.stem}{INFIX}{plain}-{number}-{again}.json")
    return path


def header_of(path: Path) -> LookHeader | None:
    """What a file of looks says of itself; None of any other file.

    Raises:
        LeadError: it is a file of looks, and what it says of itself is wrong.
    """
    if path.suffix.lower() != ".json" or not path.is_file():
        return None
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):  # whoever reads its labels says why
        return None
    if f'"{KEY}"' not in text:
        return None
    try:
        top = read_json(text, "COCO key points")
    except LeadError as error:
        raise LeadError(f"{path}, {error}") from None
    return header(top, str(path)) if isinstance(top, dict) and isinstance(top.get(KEY), dict) else None


def header(top: Mapping[str, Any], file: str) -> LookHeader:
    """The same of a file's object. Raises :class:`LeadError` naming what is wrong."""
    said = top[KEY]
    kinds = {
        "person": str,
        "number": int,
        "seed": int,
        "labels": str,
        "first_by": str,
        "pictures": list,
        "looked": dict,
    }
    for key, kind in kinds.items():
        if not isinstance(said.get(key), kind) or isinstance(said[key], bool):
            raise LeadError(f"{file}: {KEY!r} has no {key!r}, or one that is no {kind.__name__}. Correct it there.")
    named = all(isinstance(one, str) for one in (*said["pictures"], *said["looked"].values()))
    if not said["person"].strip() or said["number"] < 1 or not named:
        raise LeadError(f"{file}: {KEY!r} needs a 'person' with a name, a 'number' from 1 and names of 'pictures'.")
    return LookHeader(**{key: said[key] for key in kinds} | {"pictures": tuple(said["pictures"])})


def dump(labels: Labels, said: LookHeader) -> str:
    """The text of a file of looks, an entry a line.

    Args:
        labels: of the pictures that were drawn, those without a label, too.
        said: of the file.
    """
    top = json.loads(coco.dump(labels))
    lists = (f'"{key}": [\n' + ",\n".join(map(_text, top[key])) + "\n]" for key in ("images", "annotations"))
    rest = f'"categories": {_text(top["categories"])}'
    return "{\n" + ",\n".join([f'"{KEY}": {_text(asdict(said))}', *lists, rest]) + "\n}\n"


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
