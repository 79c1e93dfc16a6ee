"""Formats of other tools that are read, and not written."""

from __future__ import annotations

from pathlib import Path

from lead.landmarks import imagej, imagejroi, napari, sleaptable, slicer, via
from lead.landmarks.apart import read_apart
from lead.landmarks.format import Format, of_text, text_of

FOREIGN: tuple[Format, ...] = (
    Format(
        name="imagej",
        title="ImageJ's and Fiji's results",
        extensions=(".csv", ".tsv", ".txt", ".xls"),
        lacks=(),
        why_not=of_text(imagej.why_not),
        parse=lambda file: imagej.parse(text_of(file), Path(file.name).name, file.pictures),
    ),
    Format(
        name="imagej-roi",
        title="ImageJ's and Fiji's selections",
        extensions=(imagejroi.ENDING, ".zip"),
        lacks=(),
        why_not=lambda file: imagejroi.why_not(file.data),
        parse=lambda file: imagejroi.parse(file.data, Path(file.name).name, file.pictures),
    ),
    Format(
        name="napari",
        title="napari's points",
        extensions=(".csv",),
        lacks=(),
        why_not=of_text(napari.why_not),
        parse=lambda file: napari.parse(text_of(file), Path(file.name).name, file.pictures),
    ),
    Format(
        name="slicer",
        title="3D Slicer's point lists",
        extensions=(".json", ".fcsv"),
        lacks=(),
        why_not=of_text(slicer.why_not),
        parse=lambda file: slicer.parse(text_of(file), Path(file.name).name, file.pictures),
    ),
    Format(
        name="sleap-csv",
        title="SLEAP's CSV for analysis",
        extensions=(".csv",),
        lacks=(),
        why_not=of_text(sleaptable.why_not),
        parse=lambda file: sleaptable.parse(text_of(file), Path(file.name).name, file.pictures, several=file.several),
    ),
    Format(
        name="sleap-h5",
        title="SLEAP's HDF5 for analysis",
        extensions=(".h5",),
        lacks=(),
        why_not=lambda file: sleaptable.analysis_why_not(file.data),
        parse=lambda file: sleaptable.of_film(
            read_apart("sleap-h5", file.data, several=file.several), Path(file.name).name, file.pictures
        ),
    ),
    Format(
        name="via",
        title="VIA's CSV and JSON",
        extensions=(".json", ".csv"),
        lacks=(),
        why_not=of_text(via.why_not),
        parse=lambda file: via.parse(text_of(file)),
    ),
)
"""They are recognised by what no other format has, and so are tried before those that many files resemble."""
