"""Colours that tell landmarks and areas apart, for colour-blind readers too."""

from __future__ import annotations

import numpy as np

Colour = tuple[int, int, int]

# Okabe and Ito's palette without its black, the brightest first.
FEW: tuple[Colour, ...] = (
    (240, 228, 66),
    (86, 180, 233),
    (230, 159, 0),
    (0, 200, 150),
    (204, 121, 167),
    (213, 94, 0),
    (0, 114, 178),
)
# Paul Tol's muted palette: nine hues for areas and for lines on white.
MUTED: tuple[Colour, ...] = (
    (51, 34, 136),
    (204, 102, 119),
    (17, 119, 51),
    (136, 204, 238),
    (136, 34, 85),
    (68, 170, 153),
    (153, 153, 51),
    (170, 68, 153),
    (221, 204, 119),
)


def landmark_colours(count: int) -> list[Colour]:
    """A colour (r, g, b) for each of ``count`` landmarks, all different."""
    return _colours(FEW, count)


def area_colours(count: int) -> list[Colour]:
    """A colour (r, g, b) for each of ``count`` areas or lines on white, all different."""
    return _colours(MUTED, count)


def _colours(palette: tuple[Colour, ...], count: int) -> list[Colour]:
    """The first colours of a palette; a scale where it has too few."""
    if count <= len(palette):
        return list(palette[:count])
    from matplotlib import colormaps  # takes a while, and is seldom needed

    # From dark to light along a scale that rises in lightness, so it reads without hue.
    samples = np.asarray(colormaps["viridis"](np.linspace(0.2, 1.0, count)))[:, :3]
    return [(int(r), int(g), int(b)) for r, g, b in np.rint(samples * 255)]
