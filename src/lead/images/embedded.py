"""Pictures inside a SLEAP package, taken out as PNG files.

SLEAP's files are HDF5, whose library a damaged file can crash: so a process of its own reads them, as
:mod:`lead.landmarks.apart` says.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from lead.errors import LeadError
from lead.files import replacing
from lead.landmarks.apart import SECONDS, SECONDS_A_MEGABYTE, limit_memory
from lead.landmarks.sleap import frame_names, is_inside, load

INDEX = "inside.json"
"""Beside the pictures: which file is which frame."""


def embedded_frames(package: Path, folder: Path) -> dict[str, Path]:
    """The labelled pictures inside a package, as files, by the names that its labels give them.

    Args:
        package: a SLEAP file, which may hold none.
        folder: to write into, of this package alone; what an earlier call wrote is taken as it is.

    Raises:
        LeadError: the package cannot be read, or the folder not be written to.
    """
    index = folder / INDEX
    if not index.is_file():
        limit = SECONDS + SECONDS_A_MEGABYTE * package.stat().st_size / 1e6
        command = [sys.executable, "-m", __name__, str(package), str(folder)]
        try:
            done = subprocess.run(command, capture_output=True, timeout=limit, check=False)
        except subprocess.TimeoutExpired:
            raise LeadError(f"The pictures inside {package} could not be read in {limit:.0f} seconds.") from None
        if done.returncode or not index.is_file():
            why = done.stderr.decode(errors="replace").strip().splitlines()[-1:] or ["the library broke down"]
            raise LeadError(f"The pictures inside {package} cannot be read: {why[0][:300]}")
    files: dict[str, str] = json.loads(index.read_text(encoding="utf-8"))
    return {name: folder / file for name, file in files.items()}


def main(package: Path, folder: Path) -> None:
    """Writes the pictures, and last the index."""
    import numpy as np
    from PIL import Image

    limit_memory(package.stat().st_size)
    loaded = load(package, open_videos=True)
    image_of = frame_names(loaded, package, package.name)
    place = {id(video): f"{at:03}" for at, video in enumerate(loaded.videos)}  # a folder each: they are one group
    files: dict[str, str] = {}
    folder.mkdir(parents=True, exist_ok=True)
    for frame in loaded:
        number = int(frame.frame_idx)
        name = image_of(frame.video, number)
        if not is_inside(frame.video, package) or name in files:
            continue
        pixels = np.asarray(frame.video[number])
        grey = pixels.ndim == 3 and pixels.shape[-1] == 1
        files[name] = f"{place[id(frame.video)]}/{number:06}.png"
        with replacing(folder / files[name]) as partial:
            Image.fromarray(pixels[..., 0] if grey else pixels).save(partial, "PNG", compress_level=1)
    with replacing(folder / INDEX) as partial:
        partial.write_text(json.dumps(files), encoding="utf-8")


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]), Path(sys.argv[2]))
    except LeadError as error:
        sys.exit(str(error))
