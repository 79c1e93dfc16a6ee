"""What the tests of published layouts share: a picture, a text file, CelebA in miniature, what is wrong with a file."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from PIL import Image

CELEBA_COUNTS = {"pictures": 8, "train": 5}
MAFL_COUNTS = {"train": 2, "test": 1}
FIVE = "lefteye_x lefteye_y righteye_x righteye_y nose_x nose_y leftmouth_x leftmouth_y rightmouth_x rightmouth_y"


def picture(path: Path, size: tuple[int, int], colour: tuple[int, int, int] = (90, 120, 150)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)


def write(path: Path, lines: Iterable[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def celeba(root: Path) -> Path:
    """Eight pictures; 1-4 and 7 are partition 0, of which 4 and 2 (in this order) MAFL trains on; it tests on 6."""
    names = [f"{i:06}.jpg" for i in range(1, 9)]
    for i, name in enumerate(names, start=1):
        picture(root / "Img/img_align_celeba" / name, (178, 218))
        picture(root / "Img/img_celeba" / name, (40 + i, 60))
    parts = dict(zip(names, "00001202", strict=True))
    write(root / "Eval/list_eval_partition.txt", [f"{name} {part}" for name, part in parts.items()])
    write(root / "MAFL/training.txt", [names[3], names[1]])
    write(root / "MAFL/testing.txt", [names[5]])
    write(root / "Anno/identity_CelebA.txt", [f"{name} {70 + i}" for i, name in enumerate(names, start=1)])
    for table, shift in (("list_landmarks_align_celeba", 0), ("list_landmarks_celeba", 100)):
        rows = [f"{name}  " + " ".join(f"{shift + 10 * i + k:3}" for k in range(10)) for i, name in enumerate(names, 1)]
        write(root / f"Anno/{table}.txt", ["8", f"{FIVE} ", *rows])
    boxes = [f"{name}    {i}  20  10  30" for i, name in enumerate(names, start=1)]
    write(root / "Anno/list_bbox_celeba.txt", ["8", "image_id x_1 y_1 width height", *boxes])
    return root
