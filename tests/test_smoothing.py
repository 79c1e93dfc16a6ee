"""Landmarks of films, smoothed over time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from lead.landmarks.model import VISIBLE, Labels, Schema
from lead.smoothing import _Stretch, smoothed

FRAMES = 300
FloatArray = npt.NDArray[np.float64]


def film(xy: FloatArray, error: FloatArray, tracks: list[str] | None = None, frames: list[int] | None = None) -> Labels:
    """Labels (T, K, 2) of one film with expected errors (T, K), whose radii are 1.7 times as large."""
    images = tuple(f"film.mp4#{i}" for i in frames or range(len(xy)))
    schema = Schema(tuple("abcdef"[: xy.shape[1]]))
    visible = np.where(np.isfinite(xy).all(-1), VISIBLE, 0).astype(np.int8)
    names = None if tracks is None else tuple(tracks)
    return Labels(schema, images, xy, visible, px_error=error, px_90=1.7 * error, tracks=names)


def curve(frames: int = FRAMES) -> FloatArray:
    """(T, 1, 2) of something that goes round."""
    t = np.arange(frames)
    return np.stack([100 + 50 * np.sin(t / 30), 100 + 40 * np.cos(t / 45)], -1)[:, None]


def away(labels: Labels, truth: FloatArray) -> FloatArray:
    return np.asarray(np.linalg.norm(labels.xy - truth, axis=-1))


def test_places_are_those_of_one_least_squares_problem_over_all_frames() -> None:
    draws = np.random.default_rng(0)
    frames = np.array([0, 1, 2, 4, 5, 6, 7, 10, 11, 12])
    xy, noise, change = draws.normal(0, 5, (10, 2)), draws.uniform(1, 4, 10), 0.3
    places = _Stretch(frames, xy, noise)._both_passes(noise, change)
    # Place and speed of every frame, as unknowns: what was seen, and that each goes on from the one before.
    information, wanted = np.zeros((20, 20)), np.zeros((20, 2))
    for t in range(10):
        information[2 * t, 2 * t] += 1 / noise[t]
        wanted[2 * t] += xy[t] / noise[t]
    for t in range(9):
        gap = float(frames[t + 1] - frames[t])
        goes_on = np.zeros((2, 20))
        goes_on[:, 2 * t : 2 * t + 2] = -np.array([[1, gap], [0, 1]])
        goes_on[:, 2 * t + 2 : 2 * t + 4] = np.eye(2)
        unsure = change * np.array([[gap**3 / 3, gap**2 / 2], [gap**2 / 2, gap]])
        information += goes_on.T @ np.linalg.inv(unsure) @ goes_on
    expected = np.linalg.solve(information, wanted)[::2]
    # The beginning is as good as unknown, not wholly: hence the tolerance.
    np.testing.assert_allclose(places, expected, atol=0.02)


@pytest.mark.parametrize("jitter", [1.0, 3.0])
def test_jitter_goes_and_frames_that_are_surer_pull_harder(jitter: float) -> None:
    draws, truth = np.random.default_rng(1), curve()
    spread = np.where(draws.random(FRAMES) < 0.2, 3, 1)[:, None] * jitter  # some frames are worse, and known to be
    before = film(truth + spread[..., None] * draws.normal(size=truth.shape), 1.25 * spread)
    after = smoothed(before)
    assert away(after, truth).mean() < 0.5 * away(before, truth).mean()
    alike = smoothed(replace(before, px_error=np.full_like(spread, 1.25 * spread.mean())))
    assert away(after, truth).mean() < away(alike, truth).mean()
    assert after.px_90 is not None
    np.testing.assert_array_equal(after.px_90, 1.7 * 1.25 * spread)
    assert (away(after, truth) <= after.px_90).mean() >= 0.9


def test_what_is_wrong_in_every_frame_stays() -> None:
    draws, truth = np.random.default_rng(2), curve()
    offset = np.array([3.0, -4.0])
    before = film(truth + offset + 0.1 * draws.normal(size=truth.shape), np.full((FRAMES, 1), 5.0))
    np.testing.assert_allclose(smoothed(before).xy, truth + offset, atol=0.5)


def test_frames_gone_astray_come_back_and_carry_no_other_with_them() -> None:
    draws, truth = np.random.default_rng(3), curve()
    xy = truth + draws.normal(size=truth.shape)
    astray = np.arange(20, FRAMES, 40)
    xy[astray] += 60.0
    after = smoothed(film(xy, np.full((FRAMES, 1), 1.3)))
    assert away(after, truth)[astray].max() < 6
    assert away(after, truth).mean() < 1.0


def test_a_jump_is_followed() -> None:
    truth = np.zeros((80, 1, 2))
    truth[40:] = 50.0
    after = smoothed(film(truth + np.random.default_rng(4).normal(0, 0.3, truth.shape), np.full((80, 1), 0.5)))
    assert np.delete(away(after, truth), slice(37, 43)).max() < 3


def test_each_individual_and_landmark_is_smoothed_alone_and_nothing_is_made_up() -> None:
    draws, truth = np.random.default_rng(5), curve(60)
    one, other = (truth + shift + draws.normal(size=truth.shape) for shift in (0.0, 200.0))
    one[10:15] = np.nan
    rows = np.concatenate([np.stack([one[t], other[t], 7 * draws.normal(size=(1, 2))]) for t in range(60)])
    frames = [t for t in range(60) for _ in range(3)]
    error = np.where(np.isfinite(rows).all(-1), 1.3, np.nan)
    together = smoothed(film(rows, error, ["1", "2", ""] * 60, frames))
    alone = smoothed(film(other, np.full((60, 1), 1.3)))
    np.testing.assert_array_equal(together.xy[1::3], alone.xy)
    np.testing.assert_array_equal(together.xy[2::3], rows[2::3])  # of no known individual
    assert np.isnan(together.xy[::3][10:15]).all()
    assert np.isfinite(np.delete(together.xy[::3], slice(10, 15), axis=0)).all()


def test_few_frames_and_labels_without_errors_stay_as_they_are() -> None:
    few = film(curve(7), np.full((7, 1), 1.3))
    np.testing.assert_array_equal(smoothed(few).xy, few.xy)
    plain = replace(film(curve(), np.full((FRAMES, 1), 1.3)), px_error=None, px_90=None)
    assert smoothed(plain) is plain
