"""Shapes as files: for geomorph (TPS and a script of R), MorphoJ, spreadsheets, and to look at."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lead.files import check_folder, write_atomic
from lead.landmarks.fields import decimal, written
from lead.morphometrics.measuring import specimen_names
from lead.morphometrics.shape import Shapes
from lead.morphometrics.shape_page import page

FloatArray = npt.NDArray[np.float64]

ALIGNED, LANDMARKS, SPECIMENS, MORPHOJ, SCRIPT, PAGE, SLIDERS = (
    "aligned.tps",
    "landmarks.csv",
    "specimens.csv",
    "morphoj.txt",
    "shapes.R",
    "shapes.html",
    "sliders.csv",
)
SCRIPT_TEXT = """\
# The shapes in geomorph: aligned coordinates, centroid sizes, and their principal components.
# In this folder: Rscript shapes.R, or source("shapes.R") within R. Once: install.packages("geomorph")
library(geomorph)

specimens <- read.csv("specimens.csv", check.names = FALSE, na.strings = "")
landmarks <- as.character(unique(read.csv("landmarks.csv", na.strings = "")$landmark))
# Negative coordinates are places here, not missing ones: the middle of each shape is at (0, 0).
coords <- readland.tps("aligned.tps", specID = "ID", negNA = FALSE)
dimnames(coords) <- list(landmarks, c("x", "y"), specimens$id)
{slide}
shape <- geomorph.data.frame(coords = coords, Csize = specimens$centroid_size)
pca <- gm.prcomp(shape$coords)
print(summary(pca))
plot(pca)
# To go on, for example: summary(procD.lm(coords ~ log(Csize), data = shape))
"""
SLIDE_TEXT = """
# Points of curves: before, slide and after are landmarks by their number.
sliders <- as.matrix(read.csv("sliders.csv"))
{done}coords <- gpagen(coords, curves = sliders, print.progress = FALSE)$coords
"""
"""``gpagen`` minimises bending energy where nothing else is asked of it (``ProcD = TRUE``: Procrustes distance)."""
SLID_ALREADY = "# These shapes have slid. Of those written with --slide no, geomorph does it:\n# "


def write_shapes(found: Shapes, folder: Path, *, overwrite: bool = False) -> None:
    """Writes all files of shapes into a folder.

    Raises:
        LeadError: the folder is not empty, or cannot be written to.
    """
    check_folder(folder, overwrite=overwrite)
    for name, text in (
        (ALIGNED, aligned_tps(found)),
        (LANDMARKS, landmark_table(found)),
        (SPECIMENS, specimen_table(found)),
        (MORPHOJ, morphoj(found)),
        (SCRIPT, script(found)),
        (PAGE, page(found, specimen_names(found.labels))),
        *([(SLIDERS, slider_table(found))] if found.labels.schema.curves else []),
    ):
        write_atomic(folder / name, text, overwrite=overwrite)


def script(found: Shapes) -> str:
    """The script of R; where there are curves, it has geomorph's matrix of them."""
    if not found.labels.schema.curves:
        return SCRIPT_TEXT.format(slide="")
    return SCRIPT_TEXT.format(slide=SLIDE_TEXT.format(done="" if found.slid is None else SLID_ALREADY))


def slider_table(found: Shapes) -> str:
    """A CSV as ``curves`` of geomorph's ``gpagen``: the point before each semilandmark, itself, and the one after it.

    They are the landmarks' numbers in the other files, from 1.
    """
    return _table(["before", "slide", "after"], (found.labels.schema.sliders + 1).tolist())


def aligned_tps(found: Shapes) -> str:
    """The superimposed shapes as TPS, without a unit. y counts up, and negative numbers are places."""
    return "".join(
        f"LM={len(shape)}\n{_lines(shape)}IMAGE={image}\nID={name}\n"
        for shape, image, name in zip(found.shapes, found.labels.images, specimen_names(found.labels), strict=True)
    )


def _lines(shape: FloatArray) -> str:
    return "".join(f"{decimal(x)} {decimal(y)}\n" for x, y in shape.tolist())


def morphoj(found: Shapes) -> str:
    """Landmarks as MorphoJ's text, in millimetres if there is a scale, y counting up: it superimposes them itself.

    Semilandmarks have slid, for MorphoJ does not let them.
    """
    placed = found.points if found.slid is None else found.slid
    names = [f"{axis}{k}" for k in range(1, len(found.mean) + 1) for axis in "xy"]
    rows = (
        [" ".join(name.split()), *map(decimal, points.ravel().tolist())]
        for name, points in zip(specimen_names(found.labels), placed, strict=True)
    )
    return "".join("\t".join(row) + "\n" for row in (["id", *names], *rows))


def landmark_table(found: Shapes) -> str:
    """A CSV with a line for each landmark of each specimen: its superimposed place, and the symmetric part of it."""
    symmetry = found.symmetry
    rows = []
    for row, name in enumerate(specimen_names(found.labels)):
        for k, landmark in enumerate(found.labels.schema.names):
            parts = [] if symmetry is None else [*symmetry.symmetric[row, k], *symmetry.asymmetric[row, k]]
            numbers = [written(value) for value in (*found.shapes[row, k].tolist(), *parts)]
            rows.append([name, landmark, *numbers, int(found.estimated[row, k])])
    parts = [f"{part}_{axis}" for part in ("symmetric", "asymmetric") for axis in "xy"] if symmetry else []
    return _table(["id", "landmark", "x", "y", *parts, "estimated"], rows)


def specimen_table(found: Shapes) -> str:
    """A CSV with a line for each specimen: its size, how far it is from the mean, and its principal components."""
    far = set(found.far())
    asymmetry = None if found.symmetry is None else found.symmetry.fluctuating
    columns = ["id", "image", *(["group"] if found.groups else []), "centroid_size", "unit", "distance_to_mean"]
    columns += ["far", "oddest_landmark", "estimated"]
    more = [
        *(["fluctuating_asymmetry"] if found.symmetry else []),
        *(f"PC{c + 1}" for c in range(len(found.variances))),
    ]
    rows = []
    for row, name in enumerate(specimen_names(found.labels)):
        numbers = [*([] if asymmetry is None else [asymmetry[row]]), *found.scores[row]]
        rows.append(
            [
                name,
                found.labels.images[row],
                *([found.groups[row]] if found.groups else []),
                written(found.sizes[row]),
                found.unit,
                written(found.distances[row]),
                int(row in far),
                found.oddest(row) if row in far else "",
                int(found.estimated[row].sum()),
                *map(written, numbers),
            ]
        )
    return _table([*columns, *more], rows)


def _table(header: list[str], rows: Iterable[list[object]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return out.getvalue()
