"""Label files beside their pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from lead.images.labels import FolderPictures, doubts, load_labels, save_labels
from lead.landmarks import Labels, Schema


def test_names_that_differ_by_case_are_told_with_their_line(tmp_path: Path) -> None:
    file = tmp_path / "labels.csv"
    file.write_text("image,name,x,y\na.png,nose,1,2\nA.PNG,nose,1,2\nb.png,Nose,1,2\n")
    told = doubts(load_labels(file), file, FolderPictures(tmp_path))
    assert told == [
        f"{file}, line 4: the landmarks 'nose', 'Nose' differ by case or blanks alone.",
        f"{file}, line 3: the pictures 'a.png', 'A.PNG' differ by case or blanks alone.",
    ]


def test_labels_beyond_their_picture_are_counted(tmp_path: Path) -> None:
    Image.new("RGB", (30, 20)).save(tmp_path / "a.png")
    xy = np.array([[[29.4, 19.4], [-0.6, 3]], [[30, 1], [99, 99]]])
    labels = Labels.from_xy(Schema(("p", "q")), ["a.png", "gone.png"], xy)
    save_labels(labels, tmp_path / "labels.csv")
    told, missing = doubts(labels, tmp_path / "labels.csv", FolderPictures(tmp_path))
    assert missing.endswith(f"line 4: 1 labelled picture is not in {tmp_path}, the first is 'gone.png'.")
    assert told.endswith("line 3: 1 label lies outside, the first is 'q' of 'a.png' at (-0.6, 3) of 30 × 20 pixels.")


def test_sizes_are_those_of_the_upright_pictures(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # lies on its side
    Image.new("RGB", (30, 20)).save(tmp_path / "a.jpg", exif=exif)
    save_labels(Labels.from_xy(Schema(("1",)), ["a.jpg"], [[[5, 25]]]), tmp_path / "a.tps")
    assert (tmp_path / "a.tps").read_text().startswith("LM=1\n5.0 5.0\n")
    assert load_labels(tmp_path / "a.tps").xy.tolist() == [[[5, 25]]]
