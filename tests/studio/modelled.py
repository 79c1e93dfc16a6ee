"""What the tests of the model side share: textures cut in several shapes, and a run that needs no training."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageFilter
from torch import Tensor, nn
from torch.nn import functional

from lead import checkpoint
from lead.config import Settings
from lead.features import make_student
from lead.nn.heads import neighbourhood
from lead.studio.folder import PictureFolder
from lead.training.run import STUDENT, Run

TEXTURE = 240


def texture(seed: int = 0) -> Image.Image:
    """Coloured blotches, nowhere alike."""
    noise = np.random.default_rng(seed).integers(0, 256, (TEXTURE, TEXTURE, 3), dtype=np.uint8)
    smooth = np.asarray(Image.fromarray(noise).filter(ImageFilter.GaussianBlur(4)), dtype=np.float64)
    stretched = (smooth - smooth.mean()) * 40 / smooth.std() + 128
    return Image.fromarray(stretched.clip(0, 255).astype(np.uint8))


def cut(root: Path, file: str, left: int, top: int, width: int, height: int, seed: int = 0) -> None:
    """A window of the texture: what is at (x, y) there is at (x - left, y - top) here."""
    root.mkdir(parents=True, exist_ok=True)
    texture(seed).crop((left, top, left + width, top + height)).save(root / file)


def windows(root: Path, count: int, seed: int = 0) -> list[tuple[int, int]]:
    """Windows of one texture, portrait and landscape by turns, as 00.png, 01.png, …; their left and top edges."""
    draws = np.random.default_rng(seed)
    corners = []
    for i in range(count):
        left, top = (int(v) for v in draws.integers(40, 72, 2))
        cut(root, f"{i:02}.png", left, top, *((96, 72) if i % 2 else (72, 96)))
        corners.append((left, top))
    return corners


def untrained(folder: Path, settings: Settings) -> Run:
    """A run that looks finished; its network has random weights, which tell places of a texture apart well enough."""
    run = Run.create(folder, settings)
    torch.manual_seed(0)
    student = make_student(run.initial_backbone(), settings.distill, settings.hypercolumn)
    checkpoint.save(folder / STUDENT, "student", student.state_dict(), {"commit": "none"})
    return run


class Patches(nn.Module):
    """What a trained network would give on textures: the colours around a cell, whatever is farther away."""

    def forward(self, pictures: Tensor) -> Tensor:
        """(B, 3, H, W) → (B, 27, H/4, W/4)."""
        cells = functional.avg_pool2d(pictures, 4) - 0.5
        return neighbourhood(cells, 1)


def marks(corner: tuple[int, int], places: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Places of the texture in a window's own pixels."""
    return np.asarray(places, dtype=np.float64) - corner


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not happen"
        time.sleep(0.02)


def file_id(folder: PictureFolder, number: int) -> str:
    return folder.id_of(f"{number:02}.png")
