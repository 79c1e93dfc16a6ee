"""A folder of files that a stranger might point the program at, and what each is good for."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

GOOD: dict[str, Callable[[Path], object]] = {}
"""What makes each file that can be read, by its path in the folder."""
BAD: dict[str, tuple[Callable[[Path], object], str]] = {}
"""What makes each file that looks like a picture and is none, and what its reason says."""


def picture(width: int = 24, height: int = 18, mode: str = "RGB") -> Image.Image:
    """Noise of any mode."""
    pixels = np.random.default_rng(width * height).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels).convert(mode)


def encoded(kind: str, image: Image.Image | None = None, **options: Any) -> bytes:
    """A picture as the bytes of a file."""
    buffer = BytesIO()
    (image or picture()).save(buffer, kind, **options)
    return buffer.getvalue()


def _saved(image: Image.Image, **options: Any) -> Callable[[Path], object]:
    return lambda path: image.save(path, **options)


def _bytes(content: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(content)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _png(width: int, height: int, *chunks: bytes, depth: int = 8, colour: int = 2) -> bytes:
    """A PNG of given size and chunks, which need not fit it."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + b"".join(chunks) + _chunk(b"IEND", b"")


def _grey16(suffix: str) -> Callable[[Path], object]:
    grey = np.linspace(0, 65535, 24 * 18).reshape(18, 24).astype(np.uint16)
    return lambda path: Image.fromarray(grey).save(path, suffix)


def _floats(path: Path) -> None:
    values = np.linspace(-3, 7, 24 * 18, dtype=np.float32).reshape(18, 24)
    values[0, 0] = np.nan
    Image.fromarray(values).save(path)


def _turned(orientation: int) -> Callable[[Path], object]:
    exif = Image.Exif()
    exif[274] = orientation
    return lambda path: picture().save(path, exif=exif)


def _link(target: str) -> Callable[[Path], object]:
    return lambda path: path.symlink_to(target)


def _cut(content: bytes, share: float) -> Callable[[Path], object]:
    return _bytes(content[: int(len(content) * share)])


def _damaged(content: bytes) -> bytes:
    """With its middle overwritten."""
    middle = len(content) // 2
    return content[:middle] + bytes(64) + content[middle + 64 :]


_NOISE = np.random.default_rng(0).bytes(4000)
_TOO_LARGE = 14_000, 14_000
"""More pixels than Pillow opens, yet of one bit each: 25 MB, which a program that is less careful can hold."""
_BITMAP = encoded("BMP", picture(mode="1"))
_PIXELS = _chunk(b"IDAT", zlib.compress(bytes(18 * (24 * 3 + 1))))

GOOD |= {
    "plain.jpg": _saved(picture()),
    "UPPER.JPG": _saved(picture(), format="JPEG"),
    "grey.jpg": _saved(picture(mode="L")),
    "cmyk.jpg": _saved(picture(mode="CMYK")),
    "progressive.jpg": _saved(picture(), progressive=True),
    "palette.png": _saved(picture(mode="P")),
    "one-bit.png": _saved(picture(mode="1")),
    "alpha.png": _saved(picture(mode="RGBA")),
    "grey-alpha.png": _saved(picture(mode="LA")),
    "palette-alpha.png": _saved(picture(mode="P"), transparency=0),
    "grey16.png": _grey16("PNG"),
    "grey16.tif": _grey16("TIFF"),
    "float.tiff": _floats,
    "integers.tif": _saved(Image.fromarray(np.arange(432, dtype=np.int32).reshape(18, 24))),
    "cmyk.tif": _saved(picture(mode="CMYK")),
    "lab.tif": _saved(picture().convert("LAB")),
    "one-bit.tif": _saved(picture(mode="1"), compression="group4"),
    "pages.tif": _saved(picture(), save_all=True, append_images=[picture(30, 10)]),
    "animated.webp": _saved(picture(), save_all=True, append_images=[picture()]),
    "animated.png": _saved(picture(), save_all=True, append_images=[picture()]),
    "lossless.webp": _saved(picture(), lossless=True),
    "sixteen.bmp": _saved(picture()),
    "really-a-png.jpg": _bytes(encoded("PNG")),
    "really-a-gif.png": _bytes(encoded("GIF")),
    "one.png": _saved(picture(1, 1)),
    "thin.png": _saved(picture(1, 10_000)),
    "flat.jpg": _saved(picture(10_000, 1)),
    "twice.png": _saved(picture(20, 20)),
    "twice-again.png": _saved(picture(20, 20)),
    "trailing.jpg": _bytes(encoded("JPEG") + _NOISE),
    "/".join(["deep"] * 40) + "/bottom.png": _saved(picture()),
    "folder.jpg/inside.jpg": _saved(picture()),
    "with space.jpg": _saved(picture()),
    "-dash.jpg": _saved(picture()),
    "new\nline.jpg": _saved(picture()),
    "tab\tand 'quotes\".jpg": _saved(picture()),
    "é-composed.jpg": _saved(picture()),
    "e\u0301-decomposed.jpg": _saved(picture()),
    "日本語-🪲.jpg": _saved(picture()),
    "\u202egpj.right-to-left.jpg": _saved(picture()),
    "n" * 200 + ".jpg": _saved(picture()),
    "link.jpg": _link("plain.jpg"),
    **{f"turned-{n}.jpg": _turned(n) for n in (2, 3, 4, 5, 6, 7, 8)},
    "turned-nonsense.jpg": _turned(77),
}

BAD |= {
    "empty.jpg": (_bytes(b""), "not a picture of a known format"),
    "text.jpg": (_bytes(b"This is no picture.\n"), "not a picture of a known format"),
    "page.png": (_bytes(b"<!DOCTYPE html><html></html>"), "not a picture of a known format"),
    "drawing.png": (_bytes(b"<svg xmlns='http://www.w3.org/2000/svg'/>"), "not a picture of a known format"),
    "noise.png": (_bytes(_NOISE), "not a picture of a known format"),
    "noise.dcm": (_bytes(_NOISE), "not a picture of a known format"),
    "cut.jpg": (_cut(encoded("JPEG", picture(90, 90)), 0.5), "cut short"),
    "cut.png": (_cut(encoded("PNG"), 0.5), "cut short|broken"),
    "cut.webp": (_cut(encoded("WEBP"), 0.5), ""),
    "cut.tif": (_cut(encoded("TIFF"), 0.5), ""),
    "cut.bmp": (_cut(encoded("BMP"), 0.5), "cut short"),
    "cut-header.png": (_cut(encoded("PNG"), 0.02), ""),
    "damaged.png": (_bytes(_damaged(encoded("PNG"))), ""),
    "large.png": (_bytes(_png(*_TOO_LARGE, _PIXELS, depth=1, colour=0)), "decompression bomb"),
    "large.bmp": (_bytes(_BITMAP[:18] + struct.pack("<ii", *_TOO_LARGE) + _BITMAP[26:]), "bomb"),
    "no-width.png": (_bytes(_png(0, 18, _PIXELS)), ""),
    "no-pixels.png": (_bytes(_png(24, 18)), ""),
    "long-text.png": (
        _bytes(_png(24, 18, _chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(2_000_000))), _PIXELS)),
        "[Tt]oo large|too much|memory",
    ),
    "gone.jpg": (_link("not-here.jpg"), "No such file"),
    "itself.jpg": (_link("itself.jpg"), ""),
    os.fsdecode(b"not-utf-8-\xe9.jpg"): (_saved(picture()), "not UTF-8"),
    "device.png": (_link(os.devnull), "not a file"),
}


def make(folder: Path) -> None:
    """Writes all of them."""
    for name, maker in [*GOOD.items(), *((name, maker) for name, (maker, _) in BAD.items())]:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        maker(path)
    (folder / "loop").symlink_to(folder)
