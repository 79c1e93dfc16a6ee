"""Pictures of 100 megapixels: the memory that each kind of file takes; and what reading a JPEG smaller saves.

    python -m benchmarks.speed.large_files [--side 10000] [--only KIND ...] [--rounds 5] [--results results]

Beetles are drawn and laid side by side. A model of random weights, with a look at the whole, one at a crop and three
local ones, predicts a folder of two such files in a process of its own, which says the largest memory it had; so it
does with two of one megapixel, to tell what the program itself takes. Squares are also cut from a JPEG of 2000 × 2700
pixels at several scales, decoded whole and as small as they need it, in turns; the median counts. Writes
``results/benchmarks/large-files.json``, and a table beside it.
"""

from __future__ import annotations

import argparse
import io
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from statistics import median
from typing import Any
from unittest import mock

from lead.tuning import wait_passively

wait_passively()  # before torch is imported

import numpy as np  # noqa: E402
import numpy.typing as npt  # noqa: E402
import tifffile  # noqa: E402
import torch  # noqa: E402
from PIL import Image  # noqa: E402

from benchmarks.measuring import keep, peak_memory, since, table, untrained  # noqa: E402
from lead import api  # noqa: E402
from lead.beetles import rendering  # noqa: E402
from lead.images.crops import cut  # noqa: E402
from lead.images.originals import JpegPicture  # noqa: E402
from lead.images.store import open_one  # noqa: E402
from lead.inference import Landmarker  # noqa: E402
from lead.nn.cascade import Cascade  # noqa: E402

AGAIN = [sys.executable, "-m", "benchmarks.speed.large_files"]
"""This program in a process of its own."""
REACHES = (0.4, 0.13, 0.05)
"""Half the sides of the local looks' squares, in radii."""
RADIUS = 0.6
"""Of the things, in half sides of the picture."""
TILE, CLOSE = 512, 64
"""Sides in pixels: of tiles in files, and of the squares that the network is shown."""
BARE = "1 megapixel as JPEG"
Pixels = npt.NDArray[np.uint8]
Write = Callable[[Pixels, Path], object]


def model(folder: Path) -> Landmarker:
    """Of random weights, with all looks."""
    run = untrained(folder)
    dimension, count = run.settings.distill.dimension, len(rendering.SCHEMA.names)
    head = Cascade(dimension, count, fine=True, local=[count] * len(REACHES))
    angle = torch.arange(count) * (2 * torch.pi / count)
    head.shape.copy_(torch.stack([angle.cos(), angle.sin()], dim=-1))
    head.sizes.fill_(RADIUS)
    for look, reach in zip(head.looks, REACHES, strict=True):
        look.which.copy_(torch.arange(count))
        look.reach.fill_(reach)
    assert head.fine is not None
    for ridge in (head.coarse, head.fine, *(look.head for look in head.looks)):
        ridge.weight.normal_(generator=torch.Generator().manual_seed(0))
        ridge.sharpness.fill_(30)
    picture = run.settings.picture.model_copy(update={"channel": 1})  # of those that have several
    settings = run.settings.model_copy(update={"picture": picture})
    return Landmarker(rendering.SCHEMA, settings, run.student(), head, None, {})


def drawn(width: int, height: int, seed: int = 0) -> Pixels:
    """Beetles of 1000 pixels side by side, (height, width, 3)."""
    one = rendering.render(seed, size=1000).pixels
    return np.tile(one, (-(-height // 1000), -(-width // 1000), 1))[:height, :width]


def _pillow(**options: Any) -> Write:
    return lambda pixels, path: Image.fromarray(pixels).save(path, **options)


def _turned(pixels: Pixels, path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(pixels).save(path, quality=90, exif=exif)


def _transparent(pixels: Pixels, path: Path) -> None:
    opacity = np.full((*pixels.shape[:2], 1), 200, np.uint8)
    Image.fromarray(np.concatenate([pixels, opacity], axis=-1)).save(path, compress_level=1)


def _deep_png(pixels: Pixels, path: Path) -> None:
    Image.fromarray(pixels[..., 1].astype(np.uint16) * 16).save(path, compress_level=1)


def _tifffile(**options: Any) -> Write:
    return lambda pixels, path: tifffile.imwrite(path, pixels, photometric="rgb", **options)


def _jpeg_tiles(pixels: Pixels) -> Iterator[bytes]:
    for top in range(0, len(pixels), TILE):
        for left in range(0, pixels.shape[1], TILE):
            tile, part = np.zeros((TILE, TILE, 3), np.uint8), pixels[top : top + TILE, left : left + TILE]
            tile[: len(part), : part.shape[1]] = part
            file = io.BytesIO()
            Image.fromarray(tile).save(file, "JPEG", quality=90, subsampling=0)
            yield file.getvalue()


def _jpeg_levels(pixels: Pixels, path: Path, description: str | None = None) -> None:
    """A pyramid whose tiles are JPEG, as slide scanners write it."""
    with tifffile.TiffWriter(path, bigtiff=True) as out:
        for number, step in enumerate((1, 4, 16)):
            level = np.asarray(Image.fromarray(pixels).reduce(step)) if step > 1 else pixels
            options: dict[str, Any] = {"tile": (TILE, TILE), "compression": "zlib", "photometric": "rgb"}
            options |= {"subfiletype": 1 if number else 0, "description": description, "metadata": None}
            out.write(_jpeg_tiles(level), shape=level.shape, dtype=np.uint8, **options)
    with tifffile.TiffFile(path, mode="r+") as written:  # without a further package, it encodes no JPEG by itself
        for page in written.pages:
            assert isinstance(page, tifffile.TiffPage)
            page.tags["Compression"].overwrite(7)
            page.tags["PhotometricInterpretation"].overwrite(6)


def _slide(pixels: Pixels, path: Path) -> None:
    height, width = pixels.shape[:2]
    _jpeg_levels(pixels, path, description=f"Aperio Image Library v11\n{width}x{height} JPEG/RGB|AppMag = 20|MPP = 0.5")


def _ome(pixels: Pixels, path: Path) -> None:
    """Two channels of 12 bits, with levels of half and a quarter of the size."""
    deep = np.stack([pixels[..., 0], pixels[..., 1]]).astype(np.uint16) * 16
    with tifffile.TiffWriter(path, bigtiff=True, ome=True) as out:
        options: dict[str, Any] = {"tile": (TILE, TILE), "compression": "zlib", "compressionargs": {"level": 1}}
        out.write(deep, subifds=2, metadata={"axes": "CYX"}, photometric="minisblack", **options)
        for step in (2, 4):
            means = deep.reshape(2, deep.shape[1] // step, step, deep.shape[2] // step, step).mean((2, 4))
            out.write(means.astype(np.uint16), subfiletype=1, photometric="minisblack", **options)


KINDS: dict[str, tuple[str, Write]] = {
    "JPEG": ("jpg", _pillow(quality=90)),
    "JPEG, turned by EXIF": ("jpg", _turned),
    "JPEG, progressive": ("jpg", _pillow(quality=90, progressive=True)),
    "PNG": ("png", _pillow(compress_level=1)),
    "PNG, transparent": ("png", _transparent),
    "PNG, 16 bits": ("png", _deep_png),
    "TIFF, strips": ("tif", _tifffile(rowsperstrip=64)),
    "TIFF, one strip": ("tif", _tifffile()),
    "TIFF, tiles, deflate": ("tif", _tifffile(tile=(TILE, TILE), compression="zlib", compressionargs={"level": 1})),
    "TIFF, tiles, deflate, 16 bits": (
        "tif",
        lambda pixels, path: tifffile.imwrite(
            path, pixels[..., 1].astype(np.uint16) * 16, tile=(TILE, TILE), compression="zlib", bigtiff=True
        ),
    ),
    "TIFF, one strip, deflate": (
        "tif",
        _tifffile(rowsperstrip=2**31, compression="zlib", compressionargs={"level": 1}),
    ),
    "TIFF, pyramid, JPEG": ("tif", _jpeg_levels),
    "SVS": ("svs", _slide),
    "OME-TIFF, pyramid, 16 bits": ("ome.tif", _ome),
}


def predict(which: Path, folder: Path) -> dict[str, float]:
    """What the command does."""
    landmarker = Landmarker.load(which)
    start = time.perf_counter()
    found = api.predict(landmarker, folder, folder.parent / "out.json", overwrite=True)
    seconds = (time.perf_counter() - start) / 2
    assert not found.skipped, found.skipped
    assert not found.unread, found.unread
    return {"seconds": seconds, "memory_mb": peak_memory()}


def in_a_process(which: Path, folder: Path) -> dict[str, float]:
    done = subprocess.run([*AGAIN, "--model", str(which), "--folder", str(folder)], check=True, stdout=subprocess.PIPE)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def memory(which: Path, folder: Path, pixels: Pixels, kind: str) -> dict[str, object]:
    ending, write = KINDS[kind]
    pictures = folder / "pictures"
    pictures.mkdir()
    write(pixels, pictures / f"a.{ending}")
    (pictures / f"b.{ending}").hardlink_to(pictures / f"a.{ending}")
    size = (pictures / f"a.{ending}").stat().st_size / 1e6
    found = in_a_process(which, pictures)
    for file in pictures.iterdir():
        file.unlink()
    pictures.rmdir()
    return {"kind": kind, "file_mb": size, **found}


def read(path: Path, side: int, step: int, rounds: int) -> dict[str, object]:
    """Milliseconds to cut fifteen squares from a JPEG, at so many of its pixels to one, decoded whole and as needed."""
    store = open_one(path.parent, path.name, side)
    half = step * CLOSE / 2 * store.scale[0].max() / (side / 2)
    views = torch.tensor([[[half, 0, x], [0, half, y]] for x in np.linspace(-0.4, 0.4, 5) for y in (-0.3, 0, 0.3)])
    rows = np.zeros(len(views), np.int64)
    taken: dict[str, list[float]] = {"whole": [], "needed": []}
    for _ in range(rounds):
        for name, times in taken.items():
            whole = mock.patch.object(JpegPicture, "_scale", return_value=1) if name == "whole" else nullcontext()
            with whole:
                start = time.perf_counter()
                cut(store, rows, views.float(), CLOSE)
                times.append(since(start))
    found: dict[str, object] = {name: median(times) for name, times in taken.items()}
    return {"step": step, **found, "ratio": median(taken["whole"]) / median(taken["needed"])}


READ = {
    "step": ("Pixels of a JPEG of 2000 × 2700 to one of a square", "{}"),
    "whole": ("decoded whole (ms)", "{:.0f}"),
    "needed": ("as needed (ms)", "{:.0f}"),
    "ratio": ("ratio", "{:.1f}"),
}
COLUMNS = {
    "kind": ("100 megapixels as", "{}"),
    "file_mb": ("file (MB)", "{:.0f}"),
    "memory_mb": ("memory (MB)", "{:.0f}"),
    "seconds": ("s a picture", "{:.1f}"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=10000)
    parser.add_argument("--only", nargs="+", choices=KINDS, default=[*KINDS])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument("--model", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.folder:  # a process of its own
        sys.stdout.write(json.dumps(predict(chosen.model, chosen.folder)))
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        path = folder / "a.jpg"
        Image.fromarray(drawn(2000, 2700)).save(path, quality=92)
        landmarker, which = model(folder / "run"), folder / "model.safetensors"
        landmarker.save(which)
        speeds = [read(path, landmarker.side, step, chosen.rounds) for step in (1, 2, 4, 8)]
        rows = [{**memory(which, folder, drawn(1000, 1000), "JPEG"), "kind": BARE}]
        pixels = drawn(chosen.side, chosen.side)
        for kind in chosen.only:
            rows.append(memory(which, folder, pixels, kind))
            sys.stdout.write(f"{rows[-1]}\n")
            sys.stdout.flush()
    text = f"{table(COLUMNS, rows)}\n{table(READ, speeds)}"
    keep("large-files", {"side": chosen.side, "memory": rows, "jpeg": speeds}, text, chosen.results)


if __name__ == "__main__":
    main()
