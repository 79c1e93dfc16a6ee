from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from lead.evaluation.colours import landmark_colours
from lead.evaluation.draw import LONG_SIDE, contact_sheet, draw_landmarks, draw_match, heat_overlay
from lead.landmarks.model import HIDDEN, VISIBLE, Schema

GREY = 120
NAN = float("nan")


def grey(width: int, height: int) -> Image.Image:
    return Image.new("RGB", (width, height), (GREY, GREY, GREY))


def changed(image: Image.Image) -> npt.NDArray[np.bool_]:
    """(H, W), where a drawing on grey is no longer grey."""
    mask: npt.NDArray[np.bool_] = (np.asarray(image) != GREY).any(axis=-1)
    return mask


def centre(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """The mean (x, y) of a mask's pixels."""
    rows, columns = np.nonzero(mask)
    return np.array([columns.mean(), rows.mean()])


@settings(max_examples=20, deadline=None)
@given(st.data())
def test_a_hot_cell_lights_exactly_its_own_area(data: st.DataObject) -> None:
    h, w = data.draw(st.integers(1, 6)), data.draw(st.integers(2, 6))
    row, column = data.draw(st.integers(0, h - 1)), data.draw(st.integers(0, w - 1))
    heat = np.zeros((h, w))
    heat[row, column] = 3.0
    lit = changed(heat_overlay(grey(w * 10, h * 10), heat, scale=2))
    expected = np.zeros_like(lit)
    expected[row * 20 : (row + 1) * 20, column * 20 : (column + 1) * 20] = True
    np.testing.assert_array_equal(lit, expected)


def test_a_map_without_heat_leaves_the_picture_alone() -> None:
    assert not changed(heat_overlay(grey(20, 10), np.full((2, 4), -1.0))).any()


@settings(max_examples=20, deadline=None)
@given(st.floats(10, 50), st.floats(8, 30))
def test_a_landmark_is_drawn_at_its_own_fraction_of_a_pixel(x: float, y: float) -> None:
    drawn = draw_landmarks(grey(60, 40), np.array([[x, y]]), Schema(("a",)), scale=8)
    assert drawn.size == (480, 320)
    # The centre of the pixel (x, y) of a picture enlarged eight times.
    np.testing.assert_allclose(centre(changed(drawn)), [8 * (x + 0.5) - 0.5, 8 * (y + 0.5) - 0.5], atol=0.6)


def test_an_unlabelled_landmark_is_not_drawn_nor_are_its_lines() -> None:
    schema = Schema(("a", "b"), skeleton=(("a", "b"),))
    nothing = draw_landmarks(grey(60, 40), np.array([[NAN, NAN], [NAN, NAN]]), schema)
    assert nothing.size == (LONG_SIDE, round(LONG_SIDE * 40 / 60))
    assert not changed(nothing).any()
    one = changed(draw_landmarks(grey(60, 40), np.array([[30, 20], [NAN, NAN]]), schema))
    alone = changed(draw_landmarks(grey(60, 40), np.array([[30, 20]]), Schema(("a",))))
    np.testing.assert_array_equal(one, alone)


def test_a_hidden_landmark_is_fainter() -> None:
    def strength(visibility: int) -> int:
        visible = np.array([visibility], dtype=np.int8)
        drawn = draw_landmarks(grey(60, 40), np.array([[30.0, 20.0]]), Schema(("a",)), visible=visible)
        return int(np.abs(np.asarray(drawn).astype(int) - GREY).sum())

    assert 0 < strength(HIDDEN) < strength(VISIBLE)


def test_truth_is_a_ring_joined_to_the_prediction() -> None:
    points, truth = np.array([[10.0, 20.0]]), np.array([[40.0, 20.0]])
    lit = changed(draw_landmarks(grey(60, 40), points, Schema(("a",)), truth=truth, scale=8))
    across = lit[round(8 * 20.5 - 0.5)]
    assert across[100:300].all()
    right_of_truth = lit[:, round(8 * 40.5 - 0.5) + 1 :]
    reach = int(np.flatnonzero(right_of_truth.any(0)).max())
    assert reach > 4
    assert not right_of_truth[round(8 * 20.5 - 0.5), 2 : reach // 2 - 1].any(), "a ring is hollow"


def test_a_match_joins_the_two_places() -> None:
    drawn = draw_match(grey(40, 40), np.array([[10.0, 10.0]]), grey(80, 80), np.array([[60.0, 20.0]]), Schema(("a",)))
    gap = drawn.width - 2 * LONG_SIDE
    assert drawn.height == LONG_SIDE
    lit = changed(drawn)
    lit[:, LONG_SIDE : LONG_SIDE + gap] = False
    start, end = 10.5 / 40 * LONG_SIDE - 0.5, LONG_SIDE + gap + 60.5 / 80 * LONG_SIDE - 0.5
    columns = np.flatnonzero(lit.any(0))
    radius = 0.014 * LONG_SIDE * 1.3
    assert columns.min() == pytest.approx(start - radius, abs=1.5)
    assert columns.max() == pytest.approx(end + radius, abs=1.5)
    wide = draw_match(
        grey(40, 40), np.array([[10.0, 10.0]]), grey(10_000, 1), np.array([[9999.0, 0.0]]), Schema(("a",))
    )
    assert wide.size == (LONG_SIDE + LONG_SIDE // 64 + 4 * LONG_SIDE, LONG_SIDE)
    unmatched = draw_match(grey(40, 40), np.array([[NAN, 1.0]]), grey(40, 40), np.array([[NAN, 1.0]]), Schema(("a",)))
    assert not changed(unmatched)[:, :LONG_SIDE].any()


@pytest.mark.parametrize("count", [1, 7, 8, 68])
def test_every_landmark_has_its_own_colour(count: int) -> None:
    assert len(set(landmark_colours(count))) == count


def test_arrays_and_greyscale_pictures_are_drawn_on() -> None:
    points = np.array([[2.0, 2.0]])
    flat = np.full((8, 9), GREY, np.uint8)
    expected = draw_landmarks(grey(9, 8), points, Schema(("a",)))
    assert draw_landmarks(flat, points, Schema(("a",))) == expected
    assert draw_landmarks(Image.fromarray(flat), points, Schema(("a",))) == expected


def test_a_contact_sheet_keeps_every_picture_whole_and_in_order() -> None:
    colours = [(10 * i, 200, 5) for i in range(5)]
    images = [Image.new("RGB", (20, 30), colour) for colour in colours]
    plain = np.asarray(contact_sheet(images, 2, pad=4))
    assert plain.shape == (3 * 34 + 4, 2 * 24 + 4, 3)
    for i, colour in enumerate(colours):
        top, left = 4 + i // 2 * 34, 4 + i % 2 * 24
        assert (plain[top : top + 30, left : left + 20] == colour).all()
    captioned = contact_sheet(images, 2, ["a caption far too long for twenty pixels"] * 5, pad=4)
    assert captioned.width == plain.shape[1]
    assert captioned.height > plain.shape[0]
