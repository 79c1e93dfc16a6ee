"""Label files beside their pictures."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from lead.images.labels import load_labels, save_labels
from lead.landmarks import Labels, Schema


def test_sizes_are_those_of_the_upright_pictures(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # lies on its side
    Image.new("RGB", (30, 20)).save(tmp_path / "a.jpg", exif=exif)
    save_labels(Labels.from_xy(Schema(("1",)), ["a.jpg"], [[[5, 25]]]), tmp_path / "a.tps")
    assert (tmp_path / "a.tps").read_text().startswith("LM=1\n5.0 5.0\n")
    assert load_labels(tmp_path / "a.tps").xy.tolist() == [[[5, 25]]]
