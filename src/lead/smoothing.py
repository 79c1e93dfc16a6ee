"""Landmarks of a film made smooth over time, each place weighed by the error that was expected of it.

Each landmark of an individual is taken to go on at its speed, which changes at random; where it was seen lies about
where it is. How much its speed changes, and which part of the expected errors is jitter, other in every frame, is found
from the film itself, as what makes it likeliest. Then two passes, forward and backward in time (Rauch, Tung and
Striebel 1965, Maximum likelihood estimates of linear dynamic systems), give the likeliest places.

What is wrong in many frames alike is no jitter, and no smoothing takes it away; a film does not show how large it is.
So the errors to expect and the radii stay as they are: they hold for smoothed places too, rather wide where most was
jitter.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from lead.landmarks.frames import frame_of
from lead.landmarks.model import Labels

FloatArray = npt.NDArray[np.float64]

RATIOS = 10.0 ** np.arange(-5, 2.5, 0.5)
"""Tried for how much speed changes: variance gained in a frame, over that of the jitter."""
APART = 30
"""Frames in which a landmark is not seen after which it begins anew."""
FEWEST = 8
"""Frames of a stretch from which it is smoothed."""
STRAY = 3.0
"""Times the jitter that a place may be off the smooth way; those farther off count for less in that measure."""
LEAST = 1e-3
"""Pixels: no error is expected to be smaller."""
ROUNDS = 3
"""Of looking again for strays."""


def smoothed(labels: Labels) -> Labels:
    """The same landmarks of a film, smoothed over time.

    Landmarks whose jitter is small stay nearly as they are. Where a landmark is not seen, nothing is made up.

    Args:
        labels: of one film's frames, with ``px_error``; of several individuals where they have ``tracks``: those
            without a name stay as they are.
    """
    if labels.px_error is None:
        return labels
    xy = labels.xy.copy()
    for rows, frames in _individuals(labels):
        for k in range(xy.shape[1]):
            known = np.isfinite(labels.xy[rows, k]).all(-1) & np.isfinite(labels.px_error[rows, k])
            seen, at = rows[known], frames[known]
            for some in np.split(np.arange(len(seen)), np.flatnonzero(np.diff(at) > APART) + 1):
                if len(some) >= FEWEST:
                    xy[seen[some], k] = _Stretch(
                        at[some], labels.xy[seen[some], k], labels.px_error[seen[some], k]
                    ).smooth()
    return replace(labels, xy=xy)


def _individuals(labels: Labels) -> list[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
    """Rows of each individual in the order of its frames, and these; one film's frames without names are of one."""
    of: dict[str, list[tuple[int, int]]] = {}
    for row, image in enumerate(labels.images):
        found = frame_of(image)
        assert found is not None, "labels of one film's frames"
        track = "" if labels.tracks is None else labels.tracks[row]
        if labels.tracks is None or track:
            of.setdefault(track, []).append((found[1], row))
    out = []
    for pairs in of.values():
        frames, rows = np.array(sorted(pairs), dtype=np.int64).T
        out.append((rows, frames))
    return out


@dataclass(frozen=True)
class _Stretch:
    """Frames (T,) in which a landmark was seen, places (T, 2) and expected errors (T,), in pixels."""

    frames: npt.NDArray[np.int64]
    xy: FloatArray
    error: FloatArray

    def smooth(self) -> FloatArray:
        """Places (T, 2) after both passes."""
        noise = np.maximum(self.error, LEAST) ** 2 / 2  # of each coordinate
        weight, places = np.ones(len(noise)), self.xy
        for _ in range(ROUNDS):
            change, scale = self._likeliest(noise * weight)
            share = min(scale, 1.0)  # whether errors are larger than expected is not the film's to judge
            places = self._both_passes(share * noise * weight, share * change)
            off = np.linalg.norm(self.xy - places, axis=1) / np.sqrt(2 * share * noise)
            weight = np.maximum(off / STRAY, 1.0) ** 2
        return places

    def _likeliest(self, noise: FloatArray) -> tuple[float, float]:
        """How much the variance of speed grows in a frame, if the jitter's is ``noise`` (T,), and how many times as
        large both are."""
        changes = RATIOS * np.median(noise)
        seen = self._forward(noise, changes)
        miss, variance = seen.miss[2:], seen.variance[2:]  # the first two say where it begins, and how fast
        scale = np.mean(miss**2 / variance[..., None], axis=(0, 2))  # (R,)
        likely = -len(miss) * np.log(np.maximum(scale, 1e-12)) - np.log(variance).sum(0)
        best = int(likely.argmax())
        return float(changes[best]), float(scale[best])

    def _forward(self, noise: FloatArray, change: FloatArray) -> _Forward:
        """The first pass, for each of R values of ``change``."""
        count, ways = len(noise), len(change)
        out = _Forward(*(np.empty((count, ways, *shape)) for shape in ((2, 2), (2, 2), (2, 2), (2, 2), (2,), ())))
        reach = float(np.ptp(self.xy, axis=0).max()) + float(noise.max())
        mean = np.broadcast_to(np.stack([self.xy[0], np.zeros(2)]), (ways, 2, 2))
        spread = np.broadcast_to(np.diag([1e3 * noise[0], 1e2 * reach**2]), (ways, 2, 2))  # as good as unknown
        for t in range(count):
            if t:
                step, grown = _ahead(float(self.frames[t] - self.frames[t - 1]))
                mean = step @ mean
                spread = step @ spread @ step.T + change[:, None, None] * grown
            out.mean[t], out.spread[t] = mean, spread
            miss, variance = self.xy[t] - mean[:, 0], spread[:, 0, 0] + noise[t]
            gain = spread[:, :, 0] / variance[:, None]  # (R, 2)
            mean = mean + gain[..., None] * miss[:, None]
            spread = spread - gain[..., None] * spread[:, :1]
            out.mean_after[t], out.spread_after[t], out.miss[t], out.variance[t] = mean, spread, miss, variance
        return out

    def _both_passes(self, noise: FloatArray, change: float) -> FloatArray:
        """Places (T, 2)."""
        seen = self._forward(noise, np.array([change]))
        mean = seen.mean_after[:, 0].copy()
        for t in range(len(noise) - 2, -1, -1):
            step, _ = _ahead(float(self.frames[t + 1] - self.frames[t]))
            gain = seen.spread_after[t, 0] @ step.T @ np.linalg.inv(seen.spread[t + 1, 0])
            mean[t] += gain @ (mean[t + 1] - seen.mean[t + 1, 0])
        return np.asarray(mean[:, 0])


@dataclass(frozen=True)
class _Forward:
    """What is believed in each of T frames, for each of R ways: place and speed, a row each, and their covariance.

    The covariance is that of x and of y alike.

    Attributes:
        mean, spread: (T, R, 2, 2) before the frame is seen.
        mean_after, spread_after: after.
        miss: (T, R, 2) what is seen, from what was foreseen.
        variance: (T, R) of that, of each coordinate.
    """

    mean: FloatArray
    spread: FloatArray
    mean_after: FloatArray
    spread_after: FloatArray
    miss: FloatArray
    variance: FloatArray


def _ahead(frames: float) -> tuple[FloatArray, FloatArray]:
    """(2, 2) what becomes of place and speed so many frames on, and their variance where that of speed grows by 1."""
    return np.array([[1.0, frames], [0.0, 1.0]]), np.array([[frames**3 / 3, frames**2 / 2], [frames**2 / 2, frames]])
