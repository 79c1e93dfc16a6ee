"""Landmarks of a picture from an exported model, with ONNX Runtime, NumPy and Pillow alone.

    pip install onnxruntime numpy pillow
    python onnx_predict.py model.onnx picture.jpg

Prints JSON: each landmark's place in the picture's own pixels, (0, 0) being the centre of the top-left one, with its
score, the error to expect, and whether it is visible (2), more likely hidden (1) or out of view (0).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
from PIL import Image, ImageOps


def letterboxed(picture: Image.Image, side: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[Any], npt.NDArray[Any]]:
    """The square of pixels that the model takes, (side, side, 3).

    The picture's longer side fills it, the picture stands in the middle, and its outermost pixels fill the rest.

    Returns:
        The square; the (width, height) of the picture within it; and the pixels before the picture, (left, above).
    """
    size = np.array(picture.size)
    fitted = np.maximum(np.rint(size * side / size.max()), 1).astype(int)
    before = (side - fitted) // 2
    after = side - fitted - before
    small = np.asarray(picture.resize((int(fitted[0]), int(fitted[1])), Image.Resampling.BILINEAR))
    rows_and_columns = ((before[1], after[1]), (before[0], after[0]), (0, 0))
    return np.pad(small, rows_and_columns, mode="edge"), fitted, before


def upright(path: Path) -> Image.Image:
    """A picture in RGB, turned as its camera says, with white behind transparent parts."""
    with Image.open(path) as image:
        if image.mode.startswith(("I", "F")):  # Pillow would cut such values off, not scale them
            raise SystemExit(f"{path} has more than 8 bits a value. Save it with 8 bits, its contrast stretched.")
        picture = ImageOps.exif_transpose(image)
        if picture.has_transparency_data:
            rgba = picture.convert("RGBA")
            picture = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
        return picture.convert("RGB")


def predict(session: onnxruntime.InferenceSession, path: Path) -> dict[str, dict[str, float | None]]:
    """Landmarks by name."""
    told = json.loads(session.get_modelmeta().custom_metadata_map["lead"])
    picture = upright(path)
    square, fitted, before = letterboxed(picture, told["input"]["side"])
    names = [output.name for output in session.get_outputs()]
    answers = session.run(names, {told["input"]["name"]: square[None]})
    found = {name: answer[0] for name, answer in zip(names, answers, strict=True)}
    size = np.array(picture.size)
    scale = fitted / size
    xy = (found["xy"] + 0.5 - before) / scale - 0.5
    out_of_view = ((xy < -0.5) | (xy > size - 0.5)).any(-1)
    landmarks: dict[str, dict[str, float | None]] = {}
    for k, name in enumerate(told["landmarks"]):
        seen = not out_of_view[k]
        point: dict[str, float | None] = {
            "x": float(xy[k, 0]) if seen else None,
            "y": float(xy[k, 1]) if seen else None,
        }
        point |= {"score": float(found["score"][k]), "visible": int(found["visible"][k]) if seen else 0}
        for error in ("px_error", "px_90"):
            if error in found:
                point[error] = float(found[error][k] / scale.mean()) if seen else None
        landmarks[name] = point
    return landmarks


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("picture", type=Path)
    chosen = parser.parse_args()
    session = onnxruntime.InferenceSession(str(chosen.model), providers=["CPUExecutionProvider"])
    print(json.dumps(predict(session, chosen.picture), indent=1))


if __name__ == "__main__":
    main()
