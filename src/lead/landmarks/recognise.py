"""Files that are not read: which tool's they look like, and how to get from there to a format that is."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

BEGIN = 20_000
"""Bytes at a file's begin that are looked at."""


@dataclass(frozen=True)
class Kind:
    """A kind of file.

    Attributes:
        what: what it is, in words that follow "It looks like".
        then: what to do, a sentence or more.
        like: whether a file is of the kind; takes its begin as text, byte for byte a character, and its ending.
    """

    what: str
    then: str
    like: Callable[[str, str], bool]


def _begins(*signatures: str) -> Callable[[str, str], bool]:
    return lambda begin, _: begin.startswith(signatures)


def _holds(pattern: str, *, ending: str = "") -> Callable[[str, str], bool]:
    of = re.compile(pattern, re.MULTILINE)
    return lambda begin, its: its.endswith(ending) and of.search(begin) is not None


CSV = "a CSV with the columns image, name, x, y"
SOLID = "These have three dimensions: place the points on a picture."
KINDS = (
    Kind(
        "a picture",
        "Give a file of labels, and the pictures' folder with --pictures.",
        _begins("\xff\xd8\xff", "\x89PNG", "GIF8", "II*\x00", "MM\x00*"),
    ),
    Kind(
        "a spreadsheet of Excel or LibreOffice",
        "Save it as CSV UTF-8, with the columns image, name, x, y.",
        lambda begin, ending: (
            (begin.startswith("PK") and any(part in begin for part in ("xl/", "opendocument")))
            or (ending == ".xls" and begin.startswith("\xd0\xcf\x11\xe0"))
        ),
    ),
    Kind(
        "a text document",
        f"Give labels: {CSV}, is the simplest.",
        lambda _, ending: ending in (".docx", ".odt", ".pdf", ".rtf", ".doc"),
    ),
    Kind(
        "an archive of other files",
        "Unpack it and give the folder, or the file of labels in it.",
        lambda begin, ending: begin.startswith("PK") or ending in (".gz", ".7z", ".rar", ".tar"),
    ),
    Kind(
        "a pickle of Python's, such as DeepLabCut's full data",
        "It could run a program and is not loaded. Give DeepLabCut's .h5 or .csv of the same name.",
        lambda begin, ending: ending in (".pickle", ".pkl") or begin[:2] in ("\x80\x03", "\x80\x04", "\x80\x05"),
    ),
    Kind(
        "a file of MATLAB's",
        f"Write the points from MATLAB (writetable) as {CSV}; take 1 off, for MATLAB counts from 1.",
        lambda begin, ending: begin.startswith("MATLAB ") or ending == ".mat",
    ),
    Kind(
        "a file of R's",
        f"Write the points from R (write.csv) as {CSV}, y from the picture's top.",
        lambda begin, ending: ending in (".rds", ".rda", ".rdata") or begin.startswith(("RDX", "RDA")),
    ),
    Kind("an array of NumPy's", f"Write the points from Python as {CSV}.", _begins("\x93NUMPY")),
    Kind(
        "HDF5 without landmarks that are known",
        "Give DeepLabCut's table, SLEAP's .slp, or SLEAP's export for analysis.",
        _begins("\x89HDF"),
    ),
    Kind(
        "a TextGrid of Praat",
        "It holds times in sound, and no places in pictures.",
        _holds(r'^(File type = "ooTextFile"|Object class = "TextGrid")'),
    ),
    Kind("a surface's points (PLY)", SOLID, _begins("ply\n", "ply\r")),
    Kind("landmarks of Avizo or Amira", SOLID, _begins("# AmiraMesh", "# Avizo", "# HyperSurface")),
    Kind("landmarks of IDAV Landmark Editor", SOLID, _holds(r"\A\s*Version 1\.0\s*$[\s\S]{0,20}^S\d")),
    Kind(
        "landmarks of NTSYS or Morphologika",
        f"Write them as TPS (tpsUtil, or geomorph's writeland.tps), or as {CSV}.",
        _holds(r"\A\s*\d+\s+\d+L?\s+\d+L?\s+\d+.*DIM\s*=|^\[individuals\]"),
    ),
    Kind(
        "boxes of Pascal VOC",
        "Boxes are no landmarks. Mark points, and export as COCO key points, CVAT or LabelMe.",
        _holds(r"<annotation[\s>][\s\S]*<(bndbox|object)>"),
    ),
    Kind(
        "a part of a YOLO data set",
        "Give the folder that data.yaml is in; it needs kpt_shape, without which the labels are boxes.",
        lambda begin, ending: bool(
            re.search(r"^(kpt_shape|nc|names)\s*:", begin, re.MULTILINE)
            if ending in (".yaml", ".yml")
            else ending == ".txt" and re.match(r"\s*\d+([ \t]+[\d.eE+-]+){4,}\s*$", begin, re.MULTILINE)
        ),
    ),
    Kind(
        "the config.yaml of a DeepLabCut project",
        "Give the project's folder.",
        lambda begin, ending: ending in (".yaml", ".yml") and "bodyparts:" in begin,
    ),
    Kind("a pose of OpenPose", f"Write the points as {CSV}.", _holds(r'"pose_keypoints_2d"')),
    Kind(
        "an export of VIA 3",
        "Mark the points in VIA 2 (via.html), whose CSV and JSON are read.",
        _holds(r"^# CSV_HEADER|\"vid_list\"|VGG Image Annotator \(http"),
    ),
    Kind(
        "labels of Labelbox, Supervisely or V7",
        "Export them as COCO key points.",
        _holds(r'"(data_row|classTitle|tagsOnImage|darwin)"|"objects"\s*:\s*\['),
    ),
    Kind("GeoJSON, of QuPath or a map", f"Write the points as {CSV}.", _holds(r'"(FeatureCollection|Feature)"')),
    Kind(
        "ImageJ's table of results without X and Y",
        "Measure the points themselves (Analyze > Measure), with Display label ticked in Set Measurements.",
        _holds(r'\A ?"?,?(Label|Area|Mean)\b'),
    ),
)
"""In the order in which they are tried."""


def recognised(data: bytes, ending: str) -> str | None:
    """What a file that no reader knows looks like, and what to do, in sentences; None if it is not known.

    Args:
        data: the file.
        ending: of its name, with the dot, in lower case.
    """
    begin = data[:BEGIN].removeprefix(b"\xef\xbb\xbf").decode("latin-1")
    if begin.startswith("PK"):
        begin += data[-BEGIN:].decode("latin-1")  # where an archive lists what is in it
    for kind in KINDS:
        if kind.like(begin, ending):
            return f"It looks like {kind.what}, which is not read. {kind.then}"
    return None
