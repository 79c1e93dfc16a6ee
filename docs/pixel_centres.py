"""The drawing of where each label format puts a pixel's centre.

    python docs/pixel_centres.py [--out docs/pixel-centres.svg]

One picture of 4 × 3 pixels for each way of counting: its origin, where its axes lead, and how the files write the
centre of the same marked pixel.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

WIDTH, HEIGHT = 4, 3
"""Pixels of the drawn picture."""
MARKED = (3, 1)
"""Column and row of the marked pixel, from 0: the place of its centre here."""
CELL, LEFT, TOP, ACROSS, DOWN = 40, 70, 96, 330, 330
"""Sides in units of the drawing: of a pixel, before and above the first, and from panel to panel."""
COLUMNS = 3
TITLES = {
    "coco": "COCO",
    "csv": "CSV",
    "deeplabcut": "DeepLabCut",
    "sleap": "SLEAP",
    "cvat": "CVAT",
    "labelme": "LabelMe",
    "imglab": "imglab",
    "stereomorph": "StereoMorph",
    "lightningpose": "Lightning Pose",
    "pts": ".pts",
    "tps": "TPS",
    "labelstudio": "Label Studio",
    "yolo": "YOLO",
}


@dataclass(frozen=True)
class Counting:
    """A way of counting.

    Attributes:
        title: in a word or two.
        formats: names of the formats that are written so.
        others: further files that are only read.
        origin: where (0, 0) of the files lies, in our pixels.
        up: whether y grows upwards.
        axes: what stands at the axes' ends, to the right and up or down.
        written: the marked pixel's centre, as the files have it.
    """

    title: str
    formats: tuple[str, ...]
    others: tuple[str, ...]
    origin: tuple[float, float]
    axes: tuple[str, str]
    written: str
    up: bool = False


COUNTINGS = (
    Counting(
        "From the first centre",
        ("coco", "csv", "deeplabcut", "sleap", "cvat", "labelme", "imglab", "stereomorph", "lightningpose"),
        ("VIA", "ImageJ"),
        (0, 0),
        ("x", "y"),
        "3, 1",
    ),
    Counting("Row before column", (), ("napari",), (0, 0), ("second", "first"), "1, 3"),
    Counting("From 1", ("pts",), (), (-1, -1), ("x", "y"), "4 2"),
    Counting("From the bottom", ("tps",), (), (0, HEIGHT), ("x", "y"), "3 2", up=True),
    Counting("Shares of the sides", ("labelstudio", "yolo"), (), (0, 0), ("100 % at 4", "100 % at 3"), "75 %, 33.3 %"),
    Counting("In space", (), ("3D Slicer",), (0, 0), ("L, or −R", "P, or −A"), "LPS 3, 1 · RAS −3, −1"),
)


def drawing() -> str:
    """The text of the SVG."""
    rows = -(-len(COUNTINGS) // COLUMNS)
    panels = "".join(_panel(counting, i % COLUMNS, i // COLUMNS) for i, counting in enumerate(COUNTINGS))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {COLUMNS * ACROSS} {rows * DOWN}" role="img" '
        'font-family="sans-serif" font-size="14">\n'
        "<title>Where each format puts a pixel's centre</title>\n"
        '<rect width="100%" height="100%" fill="white"/>\n'
        '<defs><marker id="end" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0L8 4L0 8z" fill="#b3261e"/></marker></defs>\n'
        f"{panels}</svg>\n"
    )


def _panel(counting: Counting, column: int, row: int) -> str:
    def at(x: float, y: float) -> tuple[float, float]:
        return LEFT + (x + 0.5) * CELL, TOP + (y + 0.5) * CELL

    names = _lines([*map(TITLES.__getitem__, counting.formats), *counting.others])
    cells = "".join(
        f'<rect x="{LEFT + x * CELL}" y="{TOP + y * CELL}" width="{CELL}" height="{CELL}" '
        f'fill="{"#bcd7f5" if (x, y) == MARKED else "#f4f4f2"}" stroke="#9a9a95"/>'
        for y in range(HEIGHT)
        for x in range(WIDTH)
    )
    (x, y), (px, py) = at(*counting.origin), at(*MARKED)
    right, end = at(WIDTH + 0.1, 0)[0], at(0, -1.2 if counting.up else HEIGHT + 0.1)[1]
    axes = "".join(
        f'<path d="{path}" stroke="#b3261e" stroke-width="1.5" fill="none" marker-end="url(#end)"/>'
        for path in (f"M{x:g} {y:g}H{right:g}", f"M{x:g} {y:g}V{end:g}")
    )
    ends = (
        f'<text x="{right:g}" y="{y - 8:g}" text-anchor="end" fill="#b3261e">{counting.axes[0]}</text>'
        f'<text x="{x + 8:g}" y="{end + (12 if counting.up else 0):g}" fill="#b3261e">{counting.axes[1]}</text>'
    )
    heads = "".join(f'<text x="0" y="{32 + 16 * i}" fill="#55554f">{line}</text>' for i, line in enumerate(names))
    return (
        f'<g transform="translate({column * ACROSS + 16} {row * DOWN + 24})">'
        f'<text x="0" y="12" font-weight="bold">{counting.title}</text>{heads}{cells}{axes}{ends}'
        f'<circle cx="{x:g}" cy="{y:g}" r="4" fill="#b3261e"/><circle cx="{px:g}" cy="{py:g}" r="5" fill="#0b57a4"/>'
        f'<text x="{LEFT}" y="{TOP + (HEIGHT + 1.6) * CELL:g}" fill="#0b57a4">{counting.written}</text></g>\n'
    )


def _lines(names: list[str]) -> list[str]:
    """Names in lines that fit a panel."""
    lines = [""]
    for name in names:
        longer = f"{lines[-1]}, {name}" if lines[-1] else name
        if len(longer) > 42:
            lines[-1] += ","
            lines.append(name)
        else:
            lines[-1] = longer
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("docs/pixel-centres.svg"))
    chosen = parser.parse_args()
    chosen.out.write_text(drawing(), encoding="utf-8")


if __name__ == "__main__":
    main()
