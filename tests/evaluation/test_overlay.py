"""Landmarks over films."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from filming import RATE, film
from PIL import Image

from lead.evaluation.colours import landmark_colours
from lead.evaluation.overlay import FAIR, SURE, UNSURE, draw_film, draw_frame
from lead.images.film import UnreadableFilm, frames, open_film
from lead.landmarks.frames import frame_name
from lead.landmarks.model import HIDDEN, UNLABELLED, VISIBLE, Labels, Schema

SCHEMA = Schema(("a", "b"), (), (("a", "b"),))
WIDTH, HEIGHT = 160, 120
GREY = np.full((HEIGHT, WIDTH, 3), 128, dtype=np.uint8)


def moving(count: int, error: float | None = None) -> Labels:
    """Two landmarks that go to the right, four pixels a frame."""
    xy = np.array([[[20.0 + 4 * i, 30.0], [40.0 + 4 * i, 90.0]] for i in range(count)])
    names = tuple(frame_name("a.mp4", i) for i in range(count))
    told = None if error is None else np.tile([error, 10 * error], (count, 1))
    return Labels(SCHEMA, names, xy, np.full(xy.shape[:2], VISIBLE), px_error=told)


def changed(picture: Image.Image) -> npt.NDArray[np.bool_]:
    """(H, W) where a grey picture was drawn on."""
    mask: npt.NDArray[np.bool_] = np.abs(np.asarray(picture).astype(int) - 128).max(-1) > 40
    return mask


def test_a_film_keeps_its_length_size_and_rate(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4", [GREY] * 15)
    told: list[tuple[int, int]] = []
    draw_film(path, moving(15), tmp_path / "drawn.mp4", progress=lambda *done: told.append(done))
    known = open_film(tmp_path / "drawn.mp4")
    assert (known.size, known.rate, known.count) == ((WIDTH, HEIGHT), RATE, 15)
    assert told == [(i, 15) for i in range(1, 16)]
    labels = moving(15)
    for number, picture in frames(tmp_path / "drawn.mp4"):
        mask = changed(picture)
        for x, y in labels.xy[number].round().astype(int):
            assert mask[y, x]
        middle = labels.xy[number].mean(0).round().astype(int)
        assert mask[middle[1], middle[0]]  # the skeleton
        assert mask.mean() < 0.1


def test_a_disc_lies_where_its_landmark_does() -> None:
    labels = Labels.from_xy(Schema(("a",)), ["a.mp4#0"], [[[50.3, 41.8]]])
    drawn = np.asarray(draw_frame(Image.fromarray(GREY), labels, 0, np.array([[255.0, 255.0, 255.0]])))
    weight = np.abs(drawn.astype(float) - 128).sum(-1)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    np.testing.assert_allclose(
        [(x * weight).sum() / weight.sum(), (y * weight).sum() / weight.sum()], [50.3, 41.8], atol=0.1
    )


def test_nothing_is_drawn_beyond_the_frame_or_of_what_has_no_place() -> None:
    xy = np.array([[[-300.0, 20.0], [np.nan, np.nan]], [[-1.0, 20.0], [WIDTH + 5.0, HEIGHT + 5.0]]])
    labels = Labels.from_xy(Schema(("a", "b"), (), ()), ["a.mp4#0", "a.mp4#1"], xy)
    colours = np.zeros((2, 3))
    assert not changed(draw_frame(Image.fromarray(GREY), labels, 0, colours)).any()
    edge = changed(draw_frame(Image.fromarray(GREY), labels, 1, colours))
    assert edge[20, 0]
    assert not edge[:, 5:].any()


def test_hidden_landmarks_are_faint() -> None:
    xy = np.array([[[40.0, 40.0], [90.0, 40.0]]])
    labels = Labels(Schema(("a", "b")), ("a.mp4#0",), xy, np.array([[VISIBLE, HIDDEN]]))
    drawn = np.asarray(draw_frame(Image.fromarray(GREY), labels, 0, np.full((2, 3), 255.0))).astype(int)
    assert 128 < drawn[40, 90, 0] < drawn[40, 40, 0] == 255
    absent = Labels(Schema(("a", "b")), ("a.mp4#0",), xy, np.array([[VISIBLE, UNLABELLED]]))
    assert not changed(draw_frame(Image.fromarray(GREY), absent, 0, np.zeros((2, 3))))[:, 80:].any()


def colour_at(path: Path, x: int, y: int) -> npt.NDArray[np.int64]:
    """Of the film's second frame."""
    ((_, picture),) = frames(path, [1])
    return np.array(picture.getpixel((x, y)), dtype=np.int64)


def test_colours_tell_the_error_to_expect(tmp_path: Path) -> None:
    """On a frame large enough that a film's halved colours do not mix."""
    path = film(tmp_path / "a.mp4", [np.full((960, 1280, 3), 128, dtype=np.uint8)] * 3)
    xy = np.array([[[200.0, 200.0], [600.0, 200.0], [900.0, 200.0]]] * 3)
    labels = Labels(
        Schema(("a", "b", "c")),
        tuple(frame_name("a.mp4", i) for i in range(3)),
        xy,
        np.full((3, 3), VISIBLE),
        px_error=np.array([[1.0, 3.0, 5.0]] * 3),
    )
    draw_film(path, labels, tmp_path / "told.mp4")
    for x, colour in zip((200, 600, 900), (SURE, FAIR, UNSURE), strict=True):
        assert np.abs(colour_at(tmp_path / "told.mp4", x, 200) - colour).max() < 40
    untold = Labels.from_xy(labels.schema, labels.images, xy)
    draw_film(path, untold, tmp_path / "untold.mp4")
    for x, colour in zip((200, 600, 900), landmark_colours(3), strict=True):
        assert np.abs(colour_at(tmp_path / "untold.mp4", x, 200) - colour).max() < 40


def test_of_a_broken_film_the_frames_with_landmarks_are_drawn(tmp_path: Path) -> None:
    noisy = [np.random.default_rng(i).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8) for i in range(20)]
    path = film(tmp_path / "a.mp4", noisy, movflags="faststart")
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    draw_film(path, moving(5), tmp_path / "drawn.mp4")
    assert len(list(frames(tmp_path / "drawn.mp4"))) == 5
    with pytest.raises(UnreadableFilm, match="breaks off"):
        draw_film(path, moving(20), tmp_path / "more.mp4")
    assert not (tmp_path / "more.mp4").exists()
