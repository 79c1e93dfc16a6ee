"""Which specimen of a film's frame is which of the next: names for individuals, over the whole film.

First, specimens of successive frames are joined by the assignment that moves their landmarks least, as far as none
moves too far: pieces of a track. Then, ends of pieces are joined with the beginnings of later ones over gaps, all at
once, by the assignment that is best for the film as a whole. A specimen is expected to go on as it went before.

Where specimens have names by their looks, frame by frame, these decide in the end: whom a track shows in each frame is
what all of them make likeliest, where it can change hands only as another comes near, or over a gap.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count

import numpy as np
import numpy.typing as npt

from lead.landmarks.frames import frame_of
from lead.landmarks.model import Labels
from lead.landmarks.same import assigned

FAR = 0.5
"""Extents between a specimen's landmarks in successive frames, on average, from which it is another one."""
ACROSS = 1.5
"""The same, over a gap."""
GAP = 60
"""Frames that an individual may be gone for."""
SPEED = 5
"""Frames at a piece's end that tell how it moves."""
NEAR = 1.0
"""Extents between two specimens' landmarks up to which one may be taken for the other from a frame to the next."""
CHANGE, NEVER = 0.02, 1e-12
"""How likely that is there, and elsewhere."""
RIGHT, WEIGHT = 0.75, 0.25
"""How often a name by looks is right, at the least; and how much each counts, since successive frames look alike."""
UNKNOWN = 0.05
"""An individual that a row shows less likely than this, it does not show."""

FloatArray = npt.NDArray[np.float64]


@dataclass
class _Piece:
    """Rows of one individual in successive frames, and these."""

    rows: list[int]
    frames: list[int]

    def speed(self, labels: Labels, *, at_end: bool) -> FloatArray:
        """(2,) pixels a frame, at its end or at its beginning."""
        some = slice(-SPEED, None) if at_end else slice(None, SPEED)
        rows, frames = self.rows[some], self.frames[some]
        if len(rows) < 2:
            return np.zeros(2)
        moved = labels.xy[rows[-1]] - labels.xy[rows[0]]
        known = np.isfinite(moved).all(-1)
        return np.median(moved[known], axis=0) / (frames[-1] - frames[0]) if known.any() else np.zeros(2)


def linked(labels: Labels) -> Labels:
    """The specimens of a film's frames, with names of individuals: ``"1"``, ``"2"``, …, in the order of their coming.

    Args:
        labels: of one film's frames; one may have any number of specimens. Those without ``tracks``, which show one
            specimen each, stay as they are. Names in ``tracks`` are what looks say of each frame by itself.
    """
    if labels.tracks is None:
        return labels
    specimen = labels.is_specimen
    frames: dict[int, list[int]] = {}
    for row, image in enumerate(labels.images):
        found = frame_of(image)
        assert found is not None, "labels of one film's frames"
        if specimen[row]:
            frames.setdefault(found[1], []).append(row)
    pieces = _joined(labels, _pieces(labels, frames))
    pieces = sorted(pieces, key=lambda piece: (piece.frames[0], piece.rows[0]))
    tracks = _known(labels, pieces, frames)
    free = (name for number in count(1) if (name := str(number)) not in labels.tracks)
    for piece in pieces:
        unknown = [row for row in piece.rows if not tracks[row]]
        number = next(free) if unknown else ""
        for row in unknown:
            tracks[row] = number
    return replace(labels, tracks=tuple(tracks))


def _known(labels: Labels, tracks: Sequence[_Piece], frames: Mapping[int, list[int]]) -> list[str]:
    """By row, the known individual that it shows; "" for none. Each is in a frame once.

    Of each track by itself, how likely it is whom (a hidden Markov model, forwards and backwards); then, frame by
    frame, the best assignment.
    """
    assert labels.tracks is not None
    out = [""] * len(labels)
    names = sorted(set(labels.tracks) - {""})
    if not names:
        return out
    likely = np.zeros((len(labels), len(names)))
    for track in tracks:
        changing = [_may_change(labels, track, i, frames) for i in range(1, len(track.rows))]
        likely[track.rows] = _likely([labels.tracks[row] for row in track.rows], changing, names)
    for rows in frames.values():
        for i, name in assigned(-np.log(likely[rows]), -math.log(UNKNOWN)):
            out[rows[i]] = names[name]
    return out


def _may_change(labels: Labels, track: _Piece, i: int, frames: Mapping[int, list[int]]) -> bool:
    """Whether a track may have changed hands since its row before the i-th: over a gap, or near another."""
    if track.frames[i] > track.frames[i - 1] + 1:
        return True
    row = track.rows[i]
    others = [other for other in frames[track.frames[i]] if other != row]
    return bool((_apart([labels.xy[row]], labels.xy[others]) < NEAR).any())


def _likely(said: Sequence[str], changing: Sequence[bool], names: Sequence[str]) -> FloatArray:
    """(n, I) how likely a track of n rows shows each individual, by what was said of each row."""
    spoken = np.array(
        [[0.0 if not one else math.log(RIGHT if one == name else 1 - RIGHT) for name in names] for one in said]
    )
    spoken *= WEIGHT
    change = np.log(np.where(changing, CHANGE, NEVER))

    def passed(rows: FloatArray, change: FloatArray) -> FloatArray:
        """What all rows before say of each."""
        out = np.zeros_like(rows)
        for i in range(1, len(rows)):
            now = out[i - 1] + rows[i - 1]
            out[i] = np.logaddexp(now, np.logaddexp.reduce(now) + change[i - 1])
            out[i] -= out[i].max()
        return out

    whole = spoken + passed(spoken, change) + passed(spoken[::-1], change[::-1])[::-1]
    out: FloatArray = np.exp(whole - np.logaddexp.reduce(whole, axis=1)[:, None])
    return out.clip(1e-300)


def _pieces(labels: Labels, frames: dict[int, list[int]]) -> list[_Piece]:
    done: list[_Piece] = []
    open_: list[_Piece] = []
    for frame, rows in sorted(frames.items()):
        going = [piece for piece in open_ if piece.frames[-1] == frame - 1]
        done += [piece for piece in open_ if piece.frames[-1] != frame - 1]
        before = [labels.xy[piece.rows[-1]] + piece.speed(labels, at_end=True) for piece in going]
        pairs = dict(assigned(_apart(before, labels.xy[rows]), FAR))
        others = set(range(len(rows))).difference(pairs.values())
        for i, j in pairs.items():
            going[i].rows.append(rows[j])
            going[i].frames.append(frame)
        open_ = going + [_Piece([rows[j]], [frame]) for j in sorted(others)]
    return done + open_


def _joined(labels: Labels, pieces: list[_Piece]) -> list[_Piece]:
    """Pieces of one individual together, as far as gaps between them tell."""
    pieces = sorted(pieces, key=lambda piece: piece.frames[0])
    starts = [piece.frames[0] for piece in pieces]
    speeds = [piece.speed(labels, at_end=False) for piece in pieces]
    costs: dict[tuple[int, int], float] = {}
    for i, first in enumerate(pieces):
        speed, end = first.speed(labels, at_end=True), first.frames[-1]
        for j in range(bisect_right(starts, end), bisect_right(starts, end + GAP)):
            middle = (speed + speeds[j]) / 2
            # The farther, the less its speed tells: what went straight may have stopped at once.
            went = labels.xy[first.rows[-1]] + np.array([0.0, 0.5, 1.0])[:, None, None] * middle * (starts[j] - end)
            cost = float(_apart(list(went), labels.xy[pieces[j].rows[:1]]).min())
            if cost < ACROSS:
                costs[i, j] = cost
    after = _followers(costs, len(pieces))
    out = []
    for i in sorted(set(range(len(pieces))).difference(after.values())):
        whole = pieces[i]
        while (i := after.get(i, -1)) >= 0:
            whole = _Piece(whole.rows + pieces[i].rows, whole.frames + pieces[i].frames)
        out.append(whole)
    return out


def _followers(costs: Mapping[tuple[int, int], float], number: int) -> dict[int, int]:
    """Which of ``number`` pieces comes after which, by what it costs to join them: the best assignment.

    What no cost joins has nothing to do with one another, and is assigned apart.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    if not costs:
        return {}
    ends, starts = (list(side) for side in zip(*costs, strict=True))
    joined = coo_array((np.ones(len(costs)), (ends, [number + j for j in starts])), shape=(2 * number, 2 * number))
    _, group = connected_components(joined, directed=False)
    members: dict[int, list[tuple[int, int]]] = {}
    for i, j in costs:
        members.setdefault(int(group[i]), []).append((i, j))
    after: dict[int, int] = {}
    for pairs in members.values():
        rows, columns = sorted({i for i, _ in pairs}), sorted({j for _, j in pairs})
        table = np.full((len(rows), len(columns)), np.inf)
        for i, j in pairs:
            table[rows.index(i), columns.index(j)] = costs[i, j]
        after |= {rows[i]: columns[j] for i, j in assigned(table, ACROSS)}
    return after


def _apart(places: Sequence[FloatArray], others: FloatArray) -> FloatArray:
    """(n, m) mean distances of landmarks (K, 2), in extents of the others; infinite where they have none in common."""
    if not len(places) or not len(others):
        return np.zeros((len(places), len(others)))
    away = np.linalg.norm(np.stack(places)[:, None] - others[None], axis=-1)  # (n, m, K)
    known = np.isfinite(away)
    shared = known.sum(-1)
    mean = np.where(known, away, 0.0).sum(-1) / np.maximum(shared, 1)
    seen = np.expand_dims(np.isfinite(others).all(-1), -1)
    low = np.where(seen, others, np.inf).min(1)
    high = np.where(seen, others, -np.inf).max(1)
    extent = np.maximum(np.linalg.norm(np.where(np.isfinite(high - low), high - low, 0.0), axis=-1), 1.0)
    out: FloatArray = np.where(shared > 0, mean / extent, np.inf)
    return out
