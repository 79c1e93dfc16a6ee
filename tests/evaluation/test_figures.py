from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from lead.errors import LeadError
from lead.evaluation.colours import area_colours
from lead.evaluation.draw import draw_landmarks, part_overlay
from lead.evaluation.figures import (
    CELL,
    LINE,
    PAD,
    WIDTH,
    captioned_grid,
    cluster_sheet,
    correspondence_sheet,
    curve_plot,
    embedding_plot,
    landmark_sheet,
    matching_sheet,
)
from lead.landmarks.model import Schema

GREY = 120
NAN = float("nan")
TWO = Schema(("a", "b"))


def grey(*shape: int) -> npt.NDArray[np.uint8]:
    """Pictures of one grey, (*shape, 3)."""
    return np.full((*shape, 3), GREY, np.uint8)


def plain(shade: int, width: int = 30, height: int = 30) -> Image.Image:
    return Image.new("RGB", (width, height), (shade, shade, shade))


def cell(sheet: Image.Image, row: int, column: int, left: int = PAD) -> npt.NDArray[np.uint8]:
    """A square cell of a grid whose columns have room enough."""
    x, y = left + column * (CELL + PAD), PAD + row * (CELL + PAD)
    return np.asarray(sheet.crop((x, y, x + CELL, y + CELL)))


def changed(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    mask: npt.NDArray[np.bool_] = (pixels != GREY).any(axis=-1)
    return mask


def centre(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """The mean (x, y) of a mask's pixels."""
    rows, columns = np.nonzero(mask)
    return np.array([columns.mean(), rows.mean()])


def near(sheet: Image.Image, colour: tuple[int, int, int] | npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """(H, W), where an image has a colour, or almost."""
    distance = np.abs(np.asarray(sheet).astype(int) - np.asarray(colour))
    return np.asarray((distance < 12).all(-1))


def test_a_grid_holds_its_pictures_in_order_and_captions_only_beside_them() -> None:
    shades = np.array([[10, 40, 70], [100, 130, 160]])
    cells = [[plain(shade) for shade in row] for row in shades]
    bare = captioned_grid(cells)
    assert bare.size == (3 * (CELL + PAD) + PAD, 2 * (CELL + PAD) + PAD)
    for (row, column), shade in np.ndenumerate(shades):
        assert (cell(bare, row, column) == shade).all()
    full = captioned_grid(cells, ["first", "second"], ["a", "b", "a caption too long for its column, and by far"])
    left = full.width - bare.width
    assert full.height == bare.height + LINE
    np.testing.assert_array_equal(
        np.asarray(full)[PAD : bare.height - PAD, left + PAD :], np.asarray(bare)[PAD:-PAD, PAD:]
    )
    dark = np.asarray(full.convert("L")) < 128
    names = dark[:, : left - PAD]
    assert names[: CELL + PAD].any()
    assert names[CELL + PAD :].any()
    below = dark[bare.height :, left:]
    assert all(below[:, i * (CELL + PAD) : (i + 1) * (CELL + PAD)].any() for i in range(3))


@pytest.mark.parametrize(("count", "rows"), [(1, []), (7, ["a system of a long name" * 9]), (20, ["LEAD"])])
def test_a_grid_is_never_wider_than_the_page_and_fills_it_if_need_be(count: int, rows: list[str]) -> None:
    sheet = captioned_grid([[plain(9, 40, 20)] * count], rows)
    assert sheet.width <= WIDTH
    assert count == 1 or sheet.width > WIDTH - count


def test_too_many_columns() -> None:
    with pytest.raises(LeadError, match=r"100 pictures .* at most 29"):
        captioned_grid([[plain(9)] * 100])


def test_landmarks_of_a_sheet_are_drawn_in_their_own_cells() -> None:
    predicted = np.array([[[[10.0, 10], [30, 10]], [[NAN, NAN], [NAN, NAN]]]])  # (1, 2, 2, 2)
    truths = np.array([[[[10.0, 10], [NAN, NAN]], [[NAN, NAN], [20, 30]]]])
    sheet = landmark_sheet(grey(1, 2, 40, 40), predicted, truths, TWO)
    for column in range(2):
        whole = draw_landmarks(grey(40, 40), predicted[0, column], TWO, truth=truths[0, column])
        expected = np.asarray(whole.resize((CELL, CELL), Image.Resampling.BICUBIC))
        np.testing.assert_array_equal(cell(sheet, 0, column), expected)
    only_truth = changed(cell(sheet, 0, 1))
    np.testing.assert_allclose(centre(only_truth), np.array([20.5, 30.5]) * CELL / 40 - 0.5, atol=0.6)


def test_what_every_column_shares_is_given_once() -> None:
    """A picture under several numbers of annotations."""
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 255, (2, 1, 20, 20, 3), dtype=np.uint8)
    predicted, truths = rng.uniform(0, 19, (2, 3, 2, 2)), np.full((1, 1, 2, 2), NAN)
    short = landmark_sheet(pictures, predicted, truths, TWO, columns=("1", "5", "10"))
    full = landmark_sheet(pictures.repeat(3, 1), predicted, np.full((2, 3, 2, 2), NAN), TWO, columns=("1", "5", "10"))
    assert short == full


def test_matching_shows_the_reference_and_every_query_for_every_system() -> None:
    at = np.array([[5.0, 5.0], [NAN, NAN]])
    found = {"LEAD": np.array([[[30.0, 5], [NAN, NAN]]]), "MoCo": np.array([[[5.0, 30], [NAN, NAN]]])}
    sheet = matching_sheet(grey(40, 40), at, grey(1, 40, 40), found, np.full((1, 2, 2), NAN), TWO)
    left = sheet.width - 2 * (CELL + PAD)
    for row, (name, xy) in enumerate(found.items()):
        for column, points in enumerate((at, xy[0])):
            place = centre(changed(cell(sheet, row, column, left)))
            np.testing.assert_allclose(place, (points[0] + 0.5) * CELL / 40 - 0.5, atol=0.6, err_msg=name)


def test_the_peak_of_each_heat_map_and_the_tracked_point_are_marked() -> None:
    heats = np.zeros((2, 2, 4, 8))  # system, example, row, column
    heats[0, 0, 1, 6] = heats[0, 1, 3, 0] = heats[1, 0, 2, 2] = heats[1, 1, 0, 5] = 2.0
    heats[0, 0, 0, 0] = NAN
    points = np.array([[50.0, 10.0], [20.0, 20.0]])
    pictures = grey(2, 40, 80)
    sheet = correspondence_sheet(pictures, points, pictures, {"BYOL": heats[0], "MoCo": heats[1]})
    scale, step = CELL / 80, CELL // 2 + PAD
    assert sheet.size == (3 * (CELL + PAD) + PAD, 2 * step + PAD + LINE)
    blue = near(sheet, np.array([86, 180, 233]))
    for example in range(2):
        peaks = [np.argwhere(heats[system, example] == 2)[0][::-1] * 10 + 4.5 for system in range(2)]
        for column, at in enumerate([points[example], *peaks]):
            x, y = PAD + column * (CELL + PAD), PAD + example * step
            mark = centre(blue[y : y + CELL // 2, x : x + CELL])
            np.testing.assert_allclose(mark, (at + 0.5) * scale - 0.5, atol=1.0)


def test_parts_are_tinted_and_the_rest_is_paled() -> None:
    parts = np.array([[0, -1], [-1, 1]])
    drawn = np.asarray(part_overlay(grey(20, 20), parts, [(255, 0, 0), (0, 0, 255)], scale=1)).astype(int)
    pale = drawn[:10, 10:]
    assert (pale == pale[0, 0]).all()
    assert (drawn[10:, :10] == pale).all()
    assert len(set(pale[0, 0])) == 1, "no hue"
    assert GREY < pale[0, 0, 0] < 255, "the picture shows through"
    red, blue = drawn[0, 0], drawn[-1, -1]
    assert (drawn[:10, :10] == red).all()
    assert (drawn[10:, 10:] == blue).all()
    assert red[0] > GREY > red[1]
    np.testing.assert_array_equal(red, blue[::-1])
    ramp = np.arange(0, 240, 12, dtype=np.uint8)[None, :, None].repeat(20, 0).repeat(3, 2)
    lit = np.asarray(part_overlay(ramp, parts, [(255, 0, 0), (0, 0, 255)], scale=1)).astype(int)
    assert (np.diff(lit[0, :10, 1]) > 0).all(), "a part shows the picture under its tint"
    assert (np.diff(lit[0, 10:, 1]) > 0).all()


def test_a_cluster_sheet_shows_all_parts_and_then_each_alone() -> None:
    assignments = np.array([[[0, 1], [2, 2]], [[1, 1], [1, 0]]])
    sheet = cluster_sheet(grey(2, 32, 32), assignments, 3)
    left = sheet.width - 2 * (CELL + PAD)
    assert sheet.height == 4 * (CELL + PAD) + PAD
    colours = area_colours(3)
    quarter = CELL // 4
    for n, row, column in np.ndindex(*assignments.shape):
        y, x = quarter + row * CELL // 2, quarter + column * CELL // 2  # the middle of the cell of the map
        own = assignments[n, row, column]
        tint = cell(sheet, 0, n, left)[y, x]
        assert np.ptp(tint) > 20
        assert np.linalg.norm(tint - np.array(colours), axis=1).argmin() == own
        for part in range(3):
            alone = cell(sheet, 1 + part, n, left)[y, x]
            assert (alone == tint).all() if part == own else np.ptp(alone) == 0


def test_embedded_cells_are_plotted_in_the_colours_of_their_parts() -> None:
    rng = np.random.default_rng(0)
    part = np.arange(90) % 3
    xy = np.array([[0.0, 0], [20, 0], [0, 5]])[part] + 0.3 * rng.normal(size=(90, 2))
    plot = embedding_plot({"BYOL": (xy, part), "MoCo": (xy[part < 2], part[part < 2])}, 3)
    assert plot.width == 1200
    # A panel's places are those of the cells: the second part to the right of the first, the third above it.
    panel = plot.crop((0, 0, 600, plot.height))
    first, second, third = (centre(near(panel, colour)) for colour in area_colours(3))
    assert second[0] - first[0] == pytest.approx(4 * (first[1] - third[1]), rel=0.1), "equal axes"
    assert second[0] - first[0] > 100
    # ... and the panel without the third part has none of its colour.
    other = plot.crop((600, 0, 1200, plot.height))
    assert [near(other, colour).any() for colour in area_colours(3)] == [True, True, False]
    assert embedding_plot({str(i): (xy, part) for i in range(4)}, 3).width <= WIDTH


def test_curves_carry_bands_and_the_border_stands_where_it_should() -> None:
    x = np.linspace(1, 2, 11)
    series = {"LEAD": (x, 4 + x, np.full(11, 0.5)), "CL": (x, np.where(x == 1.5, NAN, 8 + x), None)}
    plot = curve_plot(series, "zoom-out factor", "error", (1.5, "seen", "unseen"))
    first, second = (np.array(colour, dtype=np.float64) for colour in area_colours(2))
    band = near(plot, 0.18 * first + 0.82 * 255)
    assert band.sum() > 2000
    assert near(plot, 0.18 * second + 0.82 * 255).sum() < 0.05 * band.sum(), "no band where no deviation is known"
    columns = np.flatnonzero(band.sum(0) > 20)

    def upright(image: Image.Image) -> npt.NDArray[np.int64]:
        """The grey pixels in each column that the curves span."""
        pixels = np.asarray(image).astype(int)[:, columns.min() : columns.max() + 1]
        return np.asarray(((np.ptp(pixels, axis=-1) < 12) & (pixels[..., 0] < 200)).sum(0))

    dashes = upright(plot)
    assert dashes.argmax() == pytest.approx(len(columns) / 2, abs=3)
    assert dashes.max() > 150
    assert upright(curve_plot(series, "", "")).max() < 50
