"""What the tests of the label file share: a folder of pictures, landmarks, and a book."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from lead.studio.book import LabelBook
from lead.studio.events import Events
from lead.studio.folder import PictureFolder
from lead.studio.label_messages import LabelsChange, Landmark, LandmarksChange, LandmarksChanged, PictureLabels, Point

WIDTH, HEIGHT = 60, 40


def make_folder(root: Path, files: Sequence[str] = ("a.png", "b.png", "sub/c.png", "d.png")) -> PictureFolder:
    """Empty pictures of WIDTH × HEIGHT."""
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (WIDTH, HEIGHT)).save(root / file)
    return PictureFolder(root)


def open_book(folder: PictureFolder, events: Events | None = None, file: Path | None = None) -> LabelBook:
    return LabelBook.open(folder, file or folder.root / "annotations.json", events or Events())


def names_change(book: LabelBook, *names: str, **more: object) -> LandmarksChange:
    """These landmarks in place of what the book has, all in one colour."""
    landmarks = [Landmark(name=name, colour="#102030") for name in names]
    return LandmarksChange.model_validate({"version": book.landmarks.version, "landmarks": landmarks} | more)


def name(book: LabelBook, *names: str, **more: object) -> LandmarksChanged:
    return book.change_landmarks(names_change(book, *names, **more))


def put(book: LabelBook, file: str, **points: Point | tuple[float, float] | None) -> PictureLabels:
    """Labels a picture, based on what stands there; a pair is a visible point."""
    id = book.folder.id_of(file)
    made = {name: Point(x=p[0], y=p[1]) if isinstance(p, tuple) else p for name, p in points.items()}
    return book.change_labels(id, LabelsChange(base=book.labels(id).version, points=made))


def at(book: LabelBook, file: str) -> dict[str, Point]:
    return book.labels(book.folder.id_of(file)).points


ABSENT = Point(state="absent")


def hidden(x: float, y: float) -> Point:
    return Point(state="hidden", x=x, y=y)


def visible(x: float, y: float) -> Point:
    return Point(state="visible", x=x, y=y)
