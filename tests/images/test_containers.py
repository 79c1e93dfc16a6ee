from __future__ import annotations

import pytest

from lead.images.containers import why_unreadable


@pytest.mark.parametrize(
    ("file", "maker", "program"),
    [
        ("plate 1/wing.CZI", "Zeiss", "ZEN"),
        ("wing.nd2", "Nikon", "NIS-Elements"),
        ("wing.lif", "Leica", "LAS X"),
        ("brain.nii.gz", "volume", "3D Slicer"),
        ("IMG_0001.CR3", "raw", "darktable"),
    ],
)
def test_a_file_that_is_not_read_is_named_with_what_exports_it(file: str, maker: str, program: str) -> None:
    told = why_unreadable(file)
    assert told is not None
    assert maker in told
    assert program in told


@pytest.mark.parametrize("file", ["wing.tif", "wing.csv", "czi", "notes.gz"])
def test_of_other_files_nothing_is_said(file: str) -> None:
    assert why_unreadable(file) is None
