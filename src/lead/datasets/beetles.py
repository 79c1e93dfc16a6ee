"""Drawn beetles with exact landmarks: a data set of any size, from nothing but a seed.

A beetle is seen from above. *Left* is the animal's own left, which is the picture's left while its head points up.
Pictures differ in species, individual, pose, place, light, ground, litter and camera. Some landmarks are covered,
some lie beyond the picture. Picture ``i`` of a seed is always the same, however many are drawn and by how many
processes.
"""

from __future__ import annotations

import csv
import io
import json
import multiprocessing
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from math import cos, radians, sin, sqrt
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from lead.datasets.beetle_drawing import ON_LIMBS, Pose, paint_beetle, vary
from lead.datasets.beetle_ground import cover_up, drop_shadow, ground, litter
from lead.datasets.beetle_relief import SUPERSAMPLE, Array, Frame, Light, Relief
from lead.datasets.beetle_species import make_species
from lead.errors import LeadError
from lead.geometry import FloatArray, denormalise_points, resize_points
from lead.images.labels import save_labels
from lead.landmarks.model import HIDDEN, UNLABELLED, VISIBLE, Labels, Schema

SCHEMA = Schema(
    names=(
        "head",
        "left_eye",
        "right_eye",
        "left_antenna_tip",
        "right_antenna_tip",
        "pronotum_left",
        "pronotum_right",
        "scutellum",
        "elytra_left",
        "elytra_right",
        "abdomen_tip",
        "left_hind_knee",
        "right_hind_knee",
    ),
    flip_pairs=(
        ("left_eye", "right_eye"),
        ("left_antenna_tip", "right_antenna_tip"),
        ("pronotum_left", "pronotum_right"),
        ("elytra_left", "elytra_right"),
        ("left_hind_knee", "right_hind_knee"),
    ),
    skeleton=(
        ("head", "left_eye"),
        ("head", "right_eye"),
        ("left_eye", "left_antenna_tip"),
        ("right_eye", "right_antenna_tip"),
        ("left_eye", "pronotum_left"),
        ("right_eye", "pronotum_right"),
        ("pronotum_left", "scutellum"),
        ("pronotum_right", "scutellum"),
        ("scutellum", "abdomen_tip"),
        ("scutellum", "elytra_left"),
        ("scutellum", "elytra_right"),
        ("elytra_left", "abdomen_tip"),
        ("elytra_right", "abdomen_tip"),
        ("elytra_left", "left_hind_knee"),
        ("elytra_right", "right_hind_knee"),
    ),
)
NORMALISER = ("scutellum", "abdomen_tip")
"""The wing cases' length, which no pose changes, is the unit of error."""

_BODY = 0.56  # a body's length as a share of the picture, before scaling
_GOLDEN = (sqrt(5) - 1) / 2


@dataclass(frozen=True)
class Rendered:
    """A picture and what it shows.

    Attributes:
        pixels: (S, S, 3) uint8.
        xy: (K, 2) float64, pixels of the picture in the convention of :mod:`lead.geometry`; exact also where a
            landmark is covered or lies beyond the picture.
        visible: (K,) int8: VISIBLE, HIDDEN where something covers the landmark, UNLABELLED beyond the picture.
        species: which of the species it is, from 0.
    """

    pixels: npt.NDArray[np.uint8]
    xy: FloatArray
    visible: npt.NDArray[np.int8]
    species: int


def species_of(index: int, species: int) -> int:
    """The species of picture ``index``. Golden-ratio steps spread even a handful of pictures over all the species."""
    return int((index * _GOLDEN) % 1.0 * species)


def render(index: int, *, seed: int = 0, size: int = 128, species: int = 40) -> Rendered:
    """Picture ``index`` of a seed, ``size`` × ``size`` pixels, showing one of ``species`` species.

    The scene does not depend on ``size``: landmarks of two sizes differ by ``resize_points``.
    """
    rng = np.random.default_rng([seed, index])
    number = species_of(index, species)
    individual = vary(make_species(number, seed=seed), rng)
    beetle, above = Relief(size), Relief(size)
    frame = _placement(rng, beetle.fine)
    points = paint_beetle(beetle, individual, Pose.random(rng), frame)
    xy = np.array([points[name] for name in SCHEMA.names])  # (K, 2) canvas pixels
    light = _light(rng)
    picture = ground(rng, size) * (np.array(light.lamp) * light.direction[2] + np.array(light.sky))
    if rng.random() < 0.5:
        below = Relief(size)
        litter(rng, below, int(rng.integers(2, 9)))
        _lay(picture, below, light, 0.008)
    _lay(picture, beetle, light, 0.035)
    if rng.random() < 0.35:
        cover_up(rng, above, tuple(xy[rng.integers(len(xy))].tolist()))
        _lay(picture, above, light, 0.05)
    return Rendered(_photograph(picture, rng), _to_picture(xy, size), _visibility(xy, beetle, above), number)


def _placement(rng: np.random.Generator, fine: int) -> Frame:
    """Where the body lies: mostly upright and whole, now and then partly out of the picture."""
    middle = denormalise_points(rng.normal(0, 0.13, 2).clip(-0.4, 0.4), (fine, fine))
    angle = radians(float(np.clip(rng.normal(0, 16), -35, 35)))
    return Frame((float(middle[0]), float(middle[1])), angle, fine * _BODY * rng.uniform(0.7, 1.25))


def _light(rng: np.random.Generator) -> Light:
    turn, lift = rng.uniform(-np.pi, np.pi), radians(rng.uniform(35, 70))
    warmth, power = rng.uniform(-0.07, 0.09), rng.uniform(0.62, 0.85)
    lamp = (power * (1 + warmth), power, power * (1 - warmth))
    dim = rng.uniform(0.36, 0.46)
    sky = (dim * (1 - 0.6 * warmth), dim, dim * (1 + 0.6 * warmth))
    return Light((cos(turn) * cos(lift), sin(turn) * cos(lift), sin(lift)), lamp, sky)


def _lay(picture: Array, relief: Relief, light: Light, height: float) -> None:
    """Put a relief and its shadow over a picture (S, S, 3), in place."""
    colour, cover = relief.lit(light)
    drop_shadow(picture, cover, light, height)
    picture *= (1 - cover)[..., None]
    picture += colour


def _photograph(picture: Array, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Exposure, blur, sensor noise and, for some, a coarse JPEG."""
    size = len(picture)
    exposed = np.clip(picture * rng.uniform(0.9, 1.1), 0, 1) * 255
    grain = rng.choice([0.0, 2.0, 5.0]) * rng.uniform(0.5, 1.3)
    blur, soft = rng.random() < 0.35, rng.uniform(0.2, 0.9)
    quality = int(rng.integers(45, 85)) if rng.random() < 0.3 else None
    image = Image.fromarray(exposed.astype(np.uint8))
    if blur:
        image = image.filter(ImageFilter.GaussianBlur(soft * size / 128))
    noisy = np.asarray(image, np.float32) + grain * rng.standard_normal((size, size, 1), dtype=np.float32)
    image = Image.fromarray(np.clip(noisy + 0.5, 0, 255).astype(np.uint8))
    if quality is not None:
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=quality)
        image = Image.open(buffer)
    return np.array(image.convert("RGB"))


def _to_picture(xy: FloatArray, size: int) -> FloatArray:
    fine = size * SUPERSAMPLE
    return resize_points(xy, (fine, fine), (size, size))


def _visibility(xy: FloatArray, beetle: Relief, above: Relief) -> npt.NDArray[np.int8]:
    """(K,) visibility of landmarks at canvas points (K, 2)."""
    limbs = np.isin(SCHEMA.names, ON_LIMBS)
    hidden = above.painted_at(xy) | (limbs & beetle.painted_at(xy, solid=True))
    outside = ((xy < -0.5) | (xy > beetle.fine - 0.5)).any(-1)
    return np.select([outside, hidden], [UNLABELLED, HIDDEN], VISIBLE).astype(np.int8)


def write(
    out: Path,
    count: int,
    *,
    seed: int = 0,
    size: int = 128,
    species: int = 40,
    test_share: float = 0.25,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Render ``count`` pictures and their landmarks into a folder.

    It gets ``images/NNNNN.jpg``, ``landmarks.json`` (COCO key points), ``images.csv`` (file, identity, split) and
    ``dataset.json`` (the settings), and appears when everything is in it, or not at all. If it already holds the same
    data set nothing is done.

    Args:
        out: a folder that is missing or empty.
        count, seed, size, species: see :func:`render`.
        test_share: share of the species, the last ones, whose pictures are the test split.
        workers: processes; by default one for each thousand pictures, at most one for each processor. More than one
            needs the usual ``if __name__ == "__main__"`` in the script that calls this.
        progress: called with the number of pictures done and ``count``.

    Raises:
        LeadError: a setting is out of range, or the folder holds something else.
    """
    numbers = {"seed": seed, "size": size, "count": count, "species": species, "test_share": test_share}
    _check(numbers, workers)
    settings: dict[str, object] = {"name": "beetles", "normaliser": list(NORMALISER), **numbers}
    if _already_there(out, settings):
        return
    with _appearing(out) as folder:
        (folder / "images").mkdir()
        rows = list(_render_all(folder, count, seed, size, species, workers, progress))
        images = tuple(map(_file, range(count)))
        xy, visible = np.stack([row.xy for row in rows]), np.stack([row.visible for row in rows])
        labels = Labels(SCHEMA, images, xy, visible)
        save_labels(labels, folder / "landmarks.json", sizes=dict.fromkeys(images, (size, size)))
        first_test = species - round(species * test_share)
        with (folder / "images.csv").open("w", encoding="utf-8", newline="") as file:
            table = csv.writer(file, lineterminator="\n")
            table.writerow(("file", "identity", "split"))
            for image, row in zip(images, rows, strict=True):
                split = "test" if row.species >= first_test else "train"
                table.writerow((image, f"species{row.species:03d}", split))
        (folder / "dataset.json").write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")


def _file(index: int) -> str:
    return f"images/{index:05d}.jpg"


def _check(settings: Mapping[str, int | float], workers: int | None) -> None:
    least = {"seed": 0, "size": 32, "count": 1, "species": 1, "workers": 1}
    for name, value in (*settings.items(), ("workers", workers)):
        if name in least and value is not None and value < least[name]:
            raise LeadError(f"The beetles' {name} is {value}; give a whole number of at least {least[name]}.")
    if not 0 <= settings["test_share"] < 1:
        raise LeadError(f"test_share is {settings['test_share']}; give a number from 0 up to, not including, 1.")


def _already_there(out: Path, settings: dict[str, object]) -> bool:
    """Whether ``out`` holds this data set. Raises :class:`LeadError` if it holds anything else."""
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return False
    try:
        found = json.loads((out / "dataset.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise LeadError(f"{out} is not empty and holds no drawn beetles. Give a folder that is new or empty.") from None
    different = sorted(key for key in settings if not isinstance(found, dict) or found.get(key) != settings[key])
    if different:
        raise LeadError(
            f"{out} holds a data set of another {', '.join(different)}. Give a folder that is new or empty."
        )
    images = set((out / "images").glob("*.jpg"))
    parts = [out / name for name in ("landmarks.json", "images.csv")]
    if len(images) != settings["count"] or not all(part.is_file() for part in parts):
        raise LeadError(f"{out} holds these beetles, but not all of them. Give a folder that is new or empty.")
    return True


@contextmanager
def _appearing(out: Path) -> Iterator[Path]:
    """A temporary folder beside ``out`` that takes its place at the end, or vanishes after an error."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    except OSError as error:
        raise LeadError(f"Cannot write {out}: {error.strerror}. Give a folder that can be made.") from error
    try:
        yield folder
        folder.chmod(0o755)
        if out.exists():
            out.rmdir()
        folder.rename(out)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True)
class _Row:
    """What is kept of a picture once it is on disk."""

    xy: FloatArray
    visible: npt.NDArray[np.int8]
    species: int


def _render_to_file(index: int, *, folder: Path, seed: int, size: int, species: int) -> _Row:
    drawn = render(index, seed=seed, size=size, species=species)
    Image.fromarray(drawn.pixels).save(folder / _file(index), "JPEG", quality=92)
    return _Row(drawn.xy, drawn.visible, drawn.species)


def _render_all(
    folder: Path,
    count: int,
    seed: int,
    size: int,
    species: int,
    workers: int | None,
    progress: Callable[[int, int], None] | None,
) -> Iterator[_Row]:
    """Render every picture into ``folder``, here or in worker processes, in order."""
    draw = partial(_render_to_file, folder=folder, seed=seed, size=size, species=species)
    if workers is None:
        # A process costs about as long to start as a few hundred pictures to draw.
        workers = min(os.cpu_count() or 1, 1 + count // 1000)
    with ExitStack() as stack:
        rows: Iterator[_Row] = map(draw, range(count))
        if workers > 1:
            context = multiprocessing.get_context("spawn")
            pool = stack.enter_context(ProcessPoolExecutor(workers, mp_context=context))
            stack.callback(pool.shutdown, cancel_futures=True)  # after an error, do not draw the rest
            rows = pool.map(draw, range(count), chunksize=16)
        for done, row in enumerate(rows, start=1):
            yield row
            if progress is not None:
                progress(done, count)
