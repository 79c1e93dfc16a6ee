"""Run as a program: changes labels for ever, and says of each change that it is saved once it is."""

from __future__ import annotations

import sys
from itertools import count
from pathlib import Path

from lead.studio.book import LabelBook
from lead.studio.events import Events
from lead.studio.folder import PictureFolder
from lead.studio.label_messages import LabelsChange, Point


def main(root: Path) -> None:
    folder = PictureFolder(root)
    book = LabelBook.open(folder, root / "annotations.json", Events())
    for n in count():
        id = folder.ids[n % len(folder)]
        base = book.labels(id).version
        book.change_labels(id, LabelsChange(base=base, points={"a": Point(x=n / 1000, y=1)}))
        print(n, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
