"""The picture that the README leads with: predictions of a finished demo on species that it never saw.

    python docs/readme_picture.py DEMO [--out docs/result.webp]

The pictures are the first of the test split that show every landmark within the frame, one of each species; none is
picked by its error.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from lead import load_labels, open_dataset
from lead.evaluation.draw import contact_sheet, draw_landmarks

COLUMNS, ROWS, SIDE = 5, 2, 300


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("demo", type=Path)
    parser.add_argument("--out", type=Path, default=Path("docs/result.webp"))
    chosen = parser.parse_args()
    dataset = open_dataset(chosen.demo / "pictures")
    truth = dataset.labels
    assert truth is not None
    whole = {image for image, xy in zip(truth.images, truth.xy, strict=True) if np.isfinite(xy).all()}
    species = dict(zip(dataset.files, dataset.identity, strict=True))
    predictions = load_labels(chosen.demo / "predictions.json")
    shown: dict[str, Image.Image] = {}
    for image, xy in zip(predictions.images, predictions.xy, strict=True):
        if image not in whole or species[image] in shown:
            continue
        with Image.open(dataset.root / image) as file:
            drawn = draw_landmarks(file.convert("RGB"), xy, predictions.schema)
        shown[species[image]] = drawn.resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    sheet = contact_sheet(list(shown.values())[: COLUMNS * ROWS], COLUMNS, pad=6)
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(chosen.out, quality=88)
    sys.stdout.write(f"{chosen.out}: {sheet.width} × {sheet.height}\n")


if __name__ == "__main__":
    main()
