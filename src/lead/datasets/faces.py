"""The landmarks that face benchmarks share: iBUG's 68, and the five of CelebA, MAFL and AFLW."""

from __future__ import annotations

from lead.landmarks.model import Schema

POINTS = 68

# Runs of iBUG points that a line joins: jaw, brows, bridge and foot of the nose, eyes, outer and inner lips.
_OPEN = ((0, 17), (17, 22), (22, 27), (27, 31), (31, 36))
_CLOSED = ((36, 42), (42, 48), (48, 60), (60, 68))
# Each run of points on the left of the picture, and their mirror images in the same order.
_MIRROR = (
    (range(8), range(16, 8, -1)),  # jaw
    (range(17, 22), range(26, 21, -1)),  # brows
    (range(31, 33), range(35, 33, -1)),  # nostrils
    (range(36, 40), range(45, 41, -1)),  # upper lids and corners of the eyes
    ((40, 41), (47, 46)),  # lower lids
    (range(48, 51), range(54, 51, -1)),  # upper lip
    ((59, 58), (55, 56)),  # lower lip
    ((60, 61, 67), (64, 63, 65)),  # inner lips
)

SCHEMA_68 = Schema(
    tuple(f"p{i}" for i in range(POINTS)),
    flip_pairs=tuple((f"p{a}", f"p{b}") for left, right in _MIRROR for a, b in zip(left, right, strict=True)),
    skeleton=tuple((f"p{i}", f"p{i + 1}") for first, end in (*_OPEN, *_CLOSED) for i in range(first, end - 1))
    + tuple((f"p{end - 1}", f"p{first}") for first, end in _CLOSED),
)
"""All points: ``p0`` … ``p67`` are those of iBUG's mark-up, whose first eye (36-41) is the person's right one."""

OUTER_EYE_CORNERS = ("p36", "p45")

SCHEMA_5 = Schema(
    ("left_eye", "right_eye", "nose", "left_mouth", "right_mouth"),
    flip_pairs=(("left_eye", "right_eye"), ("left_mouth", "right_mouth")),
)
"""The five of MAFL and AFLW. Left and right are the *picture's*: ``left_eye`` is the person's right eye."""

EYES = ("left_eye", "right_eye")
