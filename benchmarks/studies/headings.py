"""How the things in some folders lie, as far as pairs of their pictures tell before training.

    python -m benchmarks.studies.headings FOLDER [FOLDER …] [--preset small] [--draws 3]

What decides how far the views of stage 2 turn and scale; see :mod:`lead.training.headings`. Of each folder there is a
second one, of whose pictures each is shrunk by up to three times onto the colour of its own edge.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

from lead.tuning import wait_passively

wait_passively()  # before torch is imported

import numpy as np  # noqa: E402
import torch  # noqa: E402
from PIL import Image  # noqa: E402

from benchmarks.measuring import keep, table  # noqa: E402
from lead.config import ALIKE, ALL_ROUND, DIFFERENT, UPRIGHT, load_preset  # noqa: E402
from lead.features import Extractor  # noqa: E402
from lead.files import default_cache  # noqa: E402
from lead.images.build import open_store  # noqa: E402
from lead.images.find import find_images  # noqa: E402
from lead.images.store import ImageStore  # noqa: E402
from lead.nn.backbone import Backbone  # noqa: E402
from lead.seeds import mixed_seed  # noqa: E402
from lead.training.headings import PICTURES, headings_of  # noqa: E402

MOST = 400
"""Pictures of a folder that are decoded."""
COLUMNS = {
    "folder": ("Pictures", "{}"),
    "upright": ("share", "{}"),
    "resting": ("what stays put", "{}"),
    "mirrored": ("mirrored", "{}"),
    "views": ("views turn by", "{}"),
    "sizes": ("sizes differ by", "{}"),
    "shrunk": ("once shrunk, by", "{}"),
    "sides": ("views show", "{}"),
    "seconds": ("seconds", "{:.0f}"),
}


SHRUNK = 3.0
"""Times by which the smallest are smaller."""


def shrunk(store: ImageStore, folder: Path) -> ImageStore:
    """Some of the pictures, each made smaller by a factor of its own, on the colour of its edge."""
    random = np.random.default_rng(1)
    names = []
    for row in np.sort(random.permutation(len(store))[: 3 * PICTURES]).tolist():
        pixels = np.array(store.pixels[row])
        edge = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]]).mean(0).round().astype(int)
        side = round(store.side * SHRUNK ** -random.uniform())
        picture = Image.new("RGB", (store.side, store.side), tuple(edge.tolist()))
        picture.paste(
            Image.fromarray(pixels).resize((side, side), Image.Resampling.LANCZOS), ((store.side - side) // 2,) * 2
        )
        names.append(f"{row:04}.png")
        picture.save(folder / names[-1])
    return open_store(folder, names, store.side, default_cache())


def span(values: list[float]) -> str:
    """From the least to the greatest."""
    low, high = f"{min(values):.2f}", f"{max(values):.2f}"
    return low if low == high else f"{low} to {high}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--preset", default="small")
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--results", type=Path, default=Path("results"))
    chosen = parser.parse_args()
    settings = load_preset(chosen.preset)
    picture, backbone = settings.picture, settings.backbone
    torch.manual_seed(mixed_seed(settings.seed, "init"))
    network = Backbone(backbone.name, backbone.init, picture.input)
    extractor = Extractor(network, picture, settings.hypercolumn)
    rows, found = [], {}
    for folder in chosen.folders:
        files = find_images(folder)
        some = np.sort(np.random.default_rng(0).permutation(len(files))[:MOST])
        store = open_store(folder, [files[i] for i in some], picture.store, default_cache())
        name = next(part for part in reversed(folder.absolute().parts) if part not in ("images", "pictures"))
        started = time.perf_counter()
        draws = [headings_of(extractor, store, np.arange(len(store)), seed=d) for d in range(chosen.draws)]
        found[name] = [asdict(draw) for draw in draws]
        taken = time.perf_counter() - started
        with tempfile.TemporaryDirectory() as place:
            smaller = shrunk(store, Path(place))
            again = [headings_of(extractor, smaller, np.arange(len(smaller)), seed=d) for d in range(chosen.draws)]
        found[f"{name}, shrunk"] = [asdict(draw) for draw in again]
        turned = {ALL_ROUND if draw.any_way else UPRIGHT for draw in draws}
        sides = {DIFFERENT if draw.sizes_differ else ALIKE for draw in draws}
        rows.append(
            {
                "folder": name,
                "upright": span([draw.upright for draw in draws]),
                "resting": span([draw.resting for draw in draws]),
                "mirrored": span([draw.mirrored for draw in draws]),
                "views": " or ".join(f"{degrees:g}°" for degrees in sorted(turned)),
                "sizes": span([draw.sizes for draw in draws]),
                "shrunk": span([draw.sizes for draw in again]),
                "sides": " or ".join(f"{low:g} to {high:g}" for low, high in sorted(sides)),
                "seconds": taken / chosen.draws,
            }
        )
        print(table(COLUMNS, rows[-1:]).splitlines()[-1], flush=True)
    result = {"settings": settings.model_dump(mode="json"), "draws": chosen.draws, "folders": found}
    keep("headings", result, table(COLUMNS, rows), chosen.results)


if __name__ == "__main__":
    main()
