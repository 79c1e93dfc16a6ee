"""Small films, made with PyAV."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
from PIL import Image

Pixels = npt.NDArray[np.uint8]
RATE = Fraction(30000, 1001)


def film(path: Path, pictures: Sequence[Pixels], codec: str = "mpeg4", **options: str) -> Path:
    """A film of (H, W, 3) pictures, nearly without loss; even sides."""
    height, width = pictures[0].shape[:2]
    with av.open(str(path), "w", options=options) as container:
        stream = container.add_stream(codec, rate=RATE)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.bit_rate = 100 * width * height
        stream.options = {"crf": "4"} if codec == "libx264" else {}
        for pixels in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")))
        container.mux(stream.encode())
    return path


def numbered(count: int, width: int = 64, height: int = 48) -> list[Pixels]:
    """Pictures that show their own number in binary: a grey ground with eight blocks, black or white."""
    pictures = []
    for number in range(count):
        pixels = np.full((height, width, 3), 90, dtype=np.uint8)
        for bit in range(8):
            pixels[:16, 8 * bit : 8 * bit + 8] = 255 * (number >> bit & 1)
        pictures.append(pixels)
    return pictures


def number_of(picture: Image.Image) -> int:
    """What :func:`numbered` shows."""
    blocks = np.asarray(picture.convert("L"))[4:12, :64].reshape(8, 8, 8).mean((0, 2))
    return sum(1 << bit for bit, light in enumerate(blocks.tolist()) if light > 128)


def turned(path: Path, matrix: Sequence[int]) -> Path:
    """Makes an MP4 ask to be shown turned: (a, b, c, d) of the track header's matrix, as cameras write it.

    It takes a pixel (x, y) to (a x + c y, b x + d y); x grows to the right, y grows down.
    """
    data = bytearray(path.read_bytes())
    start = data.index(b"tkhd") + 4 + 40  # version 0: times, track, duration, layer, volume
    a, b, c, d = (value << 16 for value in matrix)
    data[start : start + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    return path
