"""StereoMorph's shapes: a text for each picture, of the R package's own kind of tags.

``landmarks.pixel`` is a matrix with a line for each landmark: its name, x and y in pixels, with tabs between; ``NA`` is
missing. ``image.name`` is the picture, without its folder. Places count from the top left, as in the pictures, and are
taken as they stand. Where rows have no names, they are called 1, 2, …. Curves, the scale, the ruler and the board have
no place here: they are told.

There is no place for hidden points, scores, expected errors, flip pairs, skeleton and picture sizes.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from xml.sax.saxutils import escape, unescape

from lead.errors import LeadError
from lead.landmarks.fields import check_pair, to_number, written
from lead.landmarks.frames import frame_of
from lead.landmarks.marks import Found, Mark, Marked
from lead.landmarks.model import UNLABELLED, Labels, numbered
from lead.landmarks.pictures import PictureInfo
from lead.reporting import counted

ENDING = ".txt"
MATRIX = "landmarks.pixel"
TOLD = {
    "curves.control": "picture with curves",
    "curves.pixel": "picture with curves' points",
    "scaling": "picture with a scale",
    "landmarks.scaled": "picture with landmarks at scale",
}
"""What else a file may hold, and how it is counted."""


def why_not(text: str) -> str | None:
    """Why a text is not StereoMorph's; None if it is like it."""
    return None if re.search(rf"<{MATRIX} ", text) else f"holds no <{MATRIX}>"


def parse(texts: Mapping[str, str], pictures: PictureInfo) -> Labels:
    """Labels of one or more files, a row for each.

    Args:
        texts: of the files, by their paths, beside which the pictures are; a single one by its own name.
        pictures: what knows the pictures' endings.

    Raises:
        LeadError: a file has no such matrix, or a line of it is not a name and two numbers; a picture stands in two.
            The message names the file and the line.
    """
    found = Found()
    for file, text in texts.items():
        try:
            points = _points(text)
        except LeadError as error:
            raise LeadError(f"{file}: {error}" if len(texts) > 1 else str(error)) from error
        image = _image(text, file, pictures)
        if image in found.pictures:
            raise LeadError(
                f"{file}: its picture {image!r} is also that of {found.pictures[image].entry}. Keep one of them."
            )
        found.pictures[image] = Marked(points, file if len(texts) > 1 else "")
        for tag, what in TOLD.items():
            if re.search(rf"<{re.escape(tag)} ", text):
                found.leave_out(what)
    return found.labels(f"no landmark in its <{MATRIX}>.")


def _image(text: str, file: str, pictures: PictureInfo) -> str:
    """The picture beside a file that it names; where it names none, the one that shares the file's name."""
    named = re.search(r"<image\.name [^>]*>([^<]*)</", text)
    name = posixpath.basename(unescape(named[1]).strip().replace("\\", "/")) if named else ""
    if name:
        return posixpath.join(posixpath.dirname(file), name)
    return pictures.of_stem(file.removesuffix(ENDING))


def _points(text: str) -> dict[str, Mark]:
    lines = text.splitlines()
    begin = next(i for i, line in enumerate(lines) if f"<{MATRIX} " in line)
    end = next((i for i, line in enumerate(lines) if f"</{MATRIX}>" in line), None)
    if end is None:
        raise LeadError(f"line {begin + 1}: <{MATRIX}> does not end.")
    tag = lines[begin].lower()
    named, headed = ("rownames=true" in tag), ("colnames=true" in tag)
    rows = [(number, line.strip("\t").split("\t")) for number, line in enumerate(lines[begin + 1 : end], begin + 2)]
    rows = [(number, fields) for number, fields in rows if any(field.strip() for field in fields)][headed:]
    names = [unescape(fields[0]) for _, fields in rows] if named else numbered(len(rows))
    points: dict[str, Mark] = {}
    for name, (number, fields) in zip(names, rows, strict=True):
        if len(fields) != 2 + named:
            expected = "a name, x and y" if named else "x and y"
            raise LeadError(f"line {number}: {counted(len(fields), 'field')}, not {expected} with tabs between.")
        if name in points:
            raise LeadError(f"line {number}: {name!r} stands already in line {points[name].line}.")
        x, y = (
            to_number("" if field.strip() == "NA" else field, f"{axis} of {name!r}", number)
            for field, axis in zip(fields[-2:], "xy", strict=True)
        )
        check_pair(x, y, repr(name), number)
        points[name] = Mark(x, y, line=number)
    return points


def dump(labels: Labels) -> dict[str, str]:
    """A text for each picture, by the file's path: the picture's with another ending, a frame's with one more.

    Raises:
        LeadError: two pictures differ only in their endings; a name holds a tab or a line's end.
    """
    texts: dict[str, str] = {}
    for name in (*labels.schema.names, *labels.images):
        if re.search(r"[\t\n\r\v\f\x1c-\x1e\x85\u2028\u2029]", name):
            raise LeadError(f"{name!r} cannot be named in StereoMorph's file: it holds a tab or a line's end.")
    for row, image in enumerate(labels.images):
        file = (image if frame_of(image) else posixpath.splitext(image)[0]) + ENDING
        if file in texts:
            raise LeadError(f"Picture {image!r} and another would both be {file!r}. Give them different names.")
        there = (labels.visible[row] > UNLABELLED).tolist()
        places = (
            f"\t\t{escape(name)}\t" + (f"{written(x)}\t{written(y)}" if is_there else "NA\tNA")
            for name, (x, y), is_there in zip(labels.schema.names, labels.xy[row].tolist(), there, strict=True)
        )
        matrix = f"{MATRIX} type=matrix rownames=TRUE colnames=FALSE nrow={len(there)} ncol=2 as.numeric=TRUE"
        name = escape(posixpath.basename(image))
        texts[file] = "\n".join(
            [
                "<shapes type=list>",
                f"\t<image.name type=vector names=FALSE length=1 as.numeric=FALSE >{name}</image.name>",
                f"\t<{matrix} >",
                *places,
                f"\t</{MATRIX}>",
                "</shapes>",
                "",
            ]
        )
    return texts
