"""Labels of pictures that show none, one or several specimens."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from lead.landmarks import HIDDEN, UNLABELLED, VISIBLE, Labels, Schema
from lead.landmarks.format import Format
from lead.landmarks.model import numbered

NAN = np.nan
SIZES = {"a/one.png": (100, 60), "two.png": (64, 64), "b/three.png": (33, 41), "four.png": (50, 50)}
BUSY = Labels(
    Schema(("head", "tail"), (("head", "tail"),), (("head", "tail"),)),
    ("a/one.png", "a/one.png", "a/one.png", "two.png", "b/three.png", "four.png"),
    np.array(
        [
            [[10, 20], [30, 40]],
            [[50.5, 10], [60, 12.25]],
            [[NAN, NAN], [NAN, NAN]],
            [[5, 6], [NAN, NAN]],
            [[NAN, NAN], [NAN, NAN]],
            [[1, 2], [3, 4]],
        ]
    ),
    np.array([[2, 1], [2, 2], [0, 0], [2, 0], [0, 0], [2, 2]], dtype=np.int8),
    tracks=("Ann", "7", "", "Ann", "", ""),
    boxes=np.array([[8, 18, 30, 30], [NAN] * 4, [70, 30, 20.5, 25], [NAN] * 4, [NAN] * 4, [NAN] * 4]),
    likely=np.array([NAN, 0.75, 0.5, NAN, NAN, NAN]),
    complete=frozenset({"a/one.png", "b/three.png"}),
)
"""A picture of three specimens, of which one is a box alone; of one; of none; and of one without anything else."""


@st.composite
def crowds(draw: st.DrawFn) -> Labels:
    """Pictures of :data:`SIZES` with any number of specimens, the rows of each together."""
    counts = {image: draw(st.integers(0, 3)) for image in draw(st.permutations(list(SIZES)))}
    images = [image for image, count in counts.items() for _ in range(max(count, 1))]
    n, k = len(images), draw(st.integers(1, 3))
    number = st.floats(0, 1, width=32)
    extent = np.array([SIZES[image] for image in images], dtype=float)
    unit = np.reshape(draw(st.lists(number, min_size=n * k * 2, max_size=n * k * 2)), (n, k, 2))
    states = st.sampled_from([UNLABELLED, HIDDEN, VISIBLE])
    visible = np.reshape(draw(st.lists(states, min_size=n * k, max_size=n * k)), (n, k)).astype(np.int8)
    boxed = np.array(draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    share = np.reshape(draw(st.lists(st.floats(0.125, 0.5, width=32), min_size=n * 4, max_size=n * 4)), (n, 2, 2))
    boxes = np.where(boxed[:, None], (share * extent[:, None]).reshape(n, 4), NAN)
    for row, image in enumerate(images):
        if counts[image] == 0:
            visible[row], boxes[row] = UNLABELLED, NAN
        elif not visible[row].any():
            visible[row, 0] = VISIBLE
    tracks = tuple(draw(st.sampled_from(["", f"t{row}", str(row)])) for row in range(n))
    likely = np.array(draw(st.lists(st.sampled_from([NAN, 0.25, 1.0]), min_size=n, max_size=n)))
    return Labels(
        Schema(tuple(f"p{i}" for i in range(k))),
        tuple(images),
        unit * (extent - 1)[:, None],
        visible,
        tracks=tuple(track if counts[image] else "" for image, track in zip(images, tracks, strict=True)),
        boxes=boxes,
        likely=np.where([counts[image] > 0 for image in images], likely, NAN),
        complete=frozenset(draw(st.sets(st.sampled_from(list(SIZES))))),
    )


def assert_specimens_kept(known: Format, labels: Labels, again: Labels) -> None:
    """That of specimens nothing but what a format lacks has changed, however the pictures are ordered."""
    lacks = set(known.lacks)
    names = numbered(len(labels.schema.names)) if "names" in lacks else labels.schema.names
    if "order" not in lacks:
        assert again.schema.names == names
    rows, rows_again = labels.rows_of(), again.rows_of()
    assert rows.keys() == rows_again.keys()
    order = [row for image in rows for row in rows_again[image]]
    again = again.take(order)
    assert again.images == tuple(image for image, of in rows.items() for _ in of)
    columns = [again.schema.names.index(name) if name in again.schema.names else None for name in names]
    for k, column in enumerate(columns):
        seen = labels.visible[:, k] if "hidden" not in lacks else np.where(labels.visible[:, k] > 0, VISIBLE, 0)
        if column is None:  # a landmark that stands nowhere is lost with the order
            assert not seen.any()
            continue
        np.testing.assert_array_equal(again.visible[:, column], seen)
        np.testing.assert_allclose(again.xy[:, column], labels.xy[:, k], atol=max(0.01, known.precision))
    if "tracks" not in lacks:
        assert (again.tracks or ("",) * len(again)) == (labels.tracks or ("",) * len(labels))
    for name in ("boxes", "likely"):
        said, kept = getattr(labels, name), getattr(again, name)
        if name in lacks or said is None:
            assert kept is None, name
        else:
            np.testing.assert_allclose(kept, said, atol=1e-3, err_msg=name)
    if "complete" not in lacks:
        assert again.complete == (frozenset(labels.images) if known.name == "yolo" else labels.complete)
    else:
        assert again.complete <= labels.complete  # SLEAP has negative frames
