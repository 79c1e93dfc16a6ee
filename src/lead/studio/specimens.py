"""The specimens of the pictures: how each is addressed, and which entries of a label file they are."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from lead.landmarks.coco import COMPLETE
from lead.landmarks.coco_entries import Entry, Tidied, entries_of, is_prediction, tidied

SEVERAL = "several"
"""Key of a category of which a picture may show several."""
ALONE = 0
"""The number of a picture's labels where each picture shows one specimen: then no key names it."""
_KEY = re.compile(r"([^.]+)\.(0|-?[1-9][0-9]{0,18})")


class Specimen(NamedTuple):
    """One of several specimens of a picture: the picture's path and the number of the annotation."""

    file: str
    number: int


def key_of(id: str, number: int) -> str:
    """What a specimen is addressed by, of the id of its picture and its number."""
    return f"{id}.{number}"


def split_key(key: str) -> tuple[str, int | None]:
    """The id of the picture and the number of the specimen; None where the key is a picture's."""
    found = _KEY.fullmatch(key)
    return (found[1], int(found[2])) if found else (key, None)


def tidied_as_needed(data: Entry, several: bool | None = None) -> tuple[Tidied, bool]:
    """A COCO object in the published form, and whether its pictures may show several specimens.

    They may where a category says so, where an image says that all are labelled, or where a picture has several
    annotations; a prediction beside what a person has labelled, and a crowd, are none. Unless ``several`` says it.

    Raises:
        LeadError: as of :func:`lead.landmarks.coco_entries.tidied`.
    """
    if several is not None:
        return tidied(data, several=several), several
    said = any(image.get(COMPLETE) is True for image in entries_of(data, "images"))
    said = said or any(kind.get(SEVERAL) is True and kind.get("keypoints") for kind in entries_of(data, "categories"))
    pictures = [repr(entry.get("image_id")).strip("'\" ") for entry in entries_of(data, "annotations")]
    if not said and len(set(pictures)) == len(pictures):
        return tidied(data), False
    tidy = tidied(data, several=True)
    kept = (of_row for of_rows in tidy.annotated_by for of_row in of_rows.values())
    if said or any(_are_several([tidy.top["annotations"][i] for i in of_row]) for of_row in kept):
        return tidy, True
    return tidied(data), False


def _are_several(entries: Sequence[Entry]) -> bool:
    labelled = [entry for entry in entries if any(entry["keypoints"][2::3])]
    by_hand = [entry for entry in labelled if not is_prediction(entry)]
    return len(entries) - len(labelled) + len(by_hand or labelled) > 1


def with_numbers(entries: list[Entry], ours: Sequence[int]) -> list[Entry]:
    """The same annotations, of which ours have whole numbers for ids that no other before them has."""
    out, free = list(entries), free_id(entries)
    mine, seen = set(ours), set[int]()
    for i, entry in enumerate(entries):
        number = entry.get("id")
        if i in mine and (type(number) is not int or number in seen):
            number, free = free, free + 1
            out[i] = entry | {"id": number}
        if type(number) is int:
            seen.add(number)
    return out


def free_id(entries: Sequence[Entry]) -> int:
    """A number that no entry has for its id."""
    return max((entry["id"] for entry in entries if type(entry.get("id")) is int), default=0) + 1
