"""Landmarks carried from one picture to another, on a few drawn beetles and on dots."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from seeing import Showing, centres
from torch import Tensor

from lead import api
from lead.config import Settings
from lead.datasets.base import Dataset
from lead.errors import LeadError
from lead.evaluation import results
from lead.evaluation.metrics import Summary, summarise
from lead.evaluation.results import METRICS
from lead.evaluation.summary import error_rows
from lead.experiments import matching as module
from lead.experiments.bench import Bench, System
from lead.experiments.matching import matching, peers_matching
from lead.nn.backbone import Backbone
from lead.nn.student import Student
from lead.training.run import Run

SYSTEMS = ("untrained", "byol", "lead")


def test_matching_measures_every_kind_for_every_system(run: Run, drawn: Dataset, tmp_path: Path) -> None:
    result = api.evaluate(run, drawn, "matching", preset="least")
    kinds = ("same", "different")
    errors = [r for r in result.rows if r.metric in METRICS]
    assert [(r.method, r.metric) for r in errors] == [
        *(("copy-location", f"matching-{kind}") for kind in ("warp", *kinds)),
        *((system, f"matching-{kind}") for system in SYSTEMS for kind in ("warp", *kinds)),
    ]
    assert {r.labels for r in result.rows} == {None}
    result.write(result.path(tmp_path))
    assert results.read(result.path(tmp_path)) == result
    assert error_rows(matching(replace(Bench.of_run(run, drawn), kept=None))) == errors


@given(
    identity=st.lists(st.sampled_from("abcd"), min_size=1, max_size=9),
    count=st.integers(1, 80),
    same=st.booleans(),
    seed=st.integers(0, 3),
)
def test_pairs_are_different_pictures_of_one_individual_or_of_two(
    identity: list[str], count: int, same: bool, seed: int
) -> None:
    places = range(len(identity))
    possible = {(i, j) for i in places for j in places if i != j and (identity[i] == identity[j]) == same}
    chosen = [(int(i), int(j)) for i, j in module._pairs(identity, count, same, seed)]
    assert set(chosen) <= possible
    assert len(set(chosen)) == len(chosen) == min(count, len(possible))


@pytest.mark.parametrize("share", [1.0, 0.75])
def test_the_warps_truth_is_where_the_dots_go(
    dots: Dataset,
    tiny: Callable[..., Settings],
    monkeypatch: pytest.MonkeyPatch,
    share: float,
) -> None:
    settings = tiny(picture={"store": 96, "input": 96, "frame": share})
    system = System("lead", Showing(Student(Backbone("test_resnet"), 16, 16), settings.picture))
    bench = Bench(dots, [system], settings)
    points, rows = bench.point_set(), list(range(12))

    def warped(of: System | None) -> Summary:
        return summarise(module._warped(bench, points, of, rows).errors[0])

    off = torch.zeros(2)

    def found_by_eye(reference: Tensor, asked: Tensor, query: Tensor) -> tuple[Tensor, Tensor]:
        torch.testing.assert_close(centres(reference), asked.double(), atol=0.01, rtol=0)
        return centres(query) + off, torch.ones(len(asked), 2)

    monkeypatch.setattr(module, "match_points", found_by_eye)
    stayed, exact = warped(None), warped(system)
    assert exact.points == 24
    assert exact.mean < 1.5
    off = torch.tensor([0.3, 0.4])  # half a normalised unit: a quarter of what is shown
    shown = share * np.array([96.0 if i % 2 else 48.0 for i in rows])  # original pixels
    unit = np.linalg.norm(points.labels.xy[:, 0] - points.labels.xy[:, 1], axis=-1)
    moved = warped(system)
    assert moved.mean == pytest.approx((100 * shown / 4 / unit).mean(), abs=2 * exact.mean)
    monkeypatch.setattr(module, "match_points", lambda _, asked, query: (asked, torch.ones(len(query), 2)))
    same_place, unmoved = warped(None), warped(system)
    assert unmoved.mean > 4 * exact.mean
    assert unmoved == same_place == stayed


def test_pairs_are_judged_in_the_query_pictures_own_pixels(
    dots: Dataset, tiny: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = tiny(picture={"store": 96, "input": 96})
    showing = Showing(Student(Backbone("test_resnet"), 16, 16), settings.picture)
    bench = Bench(dots, [System("lead", showing)], settings)
    monkeypatch.setattr(module, "match_points", lambda _r, asked, q: (centres(q), torch.ones(len(asked), 2)))
    rows = {(r.method, r.metric): r.mean for r in error_rows(matching(bench))}
    assert rows["lead", "matching-same"] < 1.5
    assert rows["lead", "matching-different"] < 1.5
    # Each test individual has one picture of 48 × 48 and one of 96 × 72, which fill the store as they are.
    points = dots.points("all")
    expected = []
    for reference, query in [(i, j) for i in range(6, 12) for j in range(6, 12) if i != j and i // 2 == j // 2]:
        a, b = ((points.xy[i] + 0.5) * (1 if i % 2 else 2) + [0, 12 * (i % 2)] for i in (reference, query))
        distance = np.linalg.norm(a - b, axis=-1) / (1 if query % 2 else 2)
        expected += (100 * distance / np.linalg.norm(points.xy[query, 0] - points.xy[query, 1])).tolist()
    assert rows["copy-location", "matching-same"] == pytest.approx(np.mean(expected))


@pytest.mark.parametrize("share", [1.0, 0.9])
def test_the_peers_truth_is_where_the_dots_go(
    eyed: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch, share: float
) -> None:
    bench = eyed("lead", "moco+alignment", share=share)
    off = torch.zeros(2)

    def found_by_eye(reference: Tensor, asked: Tensor, query: Tensor) -> tuple[Tensor, Tensor]:
        torch.testing.assert_close(centres(reference), asked.double(), atol=0.02, rtol=0)
        return centres(query) + off, torch.ones(len(asked), 2)

    monkeypatch.setattr(module, "match_points", found_by_eye)
    rows = error_rows(peers_matching(bench))
    units = ("px of 70", "%")
    assert [(r.method, r.features, r.metric, r.unit) for r in rows] == [
        (method, features, f"peers-{kind}", unit)
        for method, features in (("copy-location", ""), ("lead", "3-d"), ("moco+alignment", "3-d"))
        for kind in ("same", "different")
        for unit in units
    ]
    exact = {(r.method, r.metric, r.unit): r for r in rows}
    for kind in ("peers-same", "peers-different"):
        assert exact["lead", kind, "px of 70"].mean < 0.2
        assert exact["lead", kind, "%"].mean < 1.5
        for unit in units:
            assert replace(exact["moco+alignment", kind, unit], method="lead") == exact["lead", kind, unit]
            assert exact["copy-location", kind, unit].mean > 10 * exact["lead", kind, unit].mean
    # The same photo is but one warp away.
    still = {kind: exact["copy-location", f"peers-{kind}", "px of 70"].mean for kind in ("same", "different")}
    assert still["same"] < 0.8 * still["different"]
    off = torch.tensor([0.3, 0.4])  # half a normalised unit: a quarter of the frame's side
    moved = {(r.method, r.metric, r.unit): r for r in error_rows(peers_matching(bench))}
    assert moved["lead", "peers-different", "px of 70"].mean == pytest.approx(17.5, abs=0.2)
    points, who = bench.dataset.points("all"), bench.dataset.identity
    # Test pictures 6 to 11 are each the query as often as the other: all 24 ordered pairs of two identities are used.
    wide = {q: share * (96.0 if q % 2 else 48.0) for q in range(6, 12)}  # original pixels
    percent = [100 * wide[q] / 4 / np.linalg.norm(np.subtract(*points.xy[q])) for q in wide]
    assert len(set(who[6:12])) == 3
    assert moved["lead", "peers-different", "%"].mean == pytest.approx(np.mean(percent), rel=0.02)


def test_the_peers_pairs_are_seeded_and_of_two_identities(
    eyed: Callable[..., Bench], dots: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[list[str], int]] = []
    drawn = module._pairs

    def watched(identity: list[str], count: int, same: bool, seed: int) -> np.ndarray:
        chosen = drawn(identity, count, same, seed)
        asked.append((identity, len(chosen)))
        assert not same
        return chosen

    monkeypatch.setattr(module, "_pairs", watched)
    first, again = (error_rows(peers_matching(eyed(), pairs=5)) for _ in range(2))
    assert first == again
    assert {r.method for r in first} == {"copy-location"}
    assert asked[0] == (["3", "3", "4", "4", "5", "5"], 5)
    # Where nobody is known, every picture is taken for another individual.
    peers_matching(eyed(data=replace(dots, identity=("",) * 12)))
    assert asked[2] == ([f"{i}.png" for i in range(6, 12)], 30)
    with pytest.raises(LeadError, match="no two fully labelled pictures of 'test'"):
        peers_matching(eyed(data=replace(dots, identity=("one",) * 12)))
