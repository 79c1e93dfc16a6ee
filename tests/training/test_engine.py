"""The loop: batches, rates, optimisers, checkpoints, logs, and what stops it."""

from __future__ import annotations

import json
import math
import signal
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from lead import checkpoint
from lead.config import StageSettings
from lead.errors import LeadError
from lead.reporting import Report, silent
from lead.seeds import mixed_seed, run_identity
from lead.training.batches import batch_rows
from lead.training.engine import (
    Collapsed,
    Stage,
    TrainingLoop,
    interruptible,
    learning_rate,
    make_optimiser,
    spread,
)
from lead.training.launch import make_fabric
from lead.training.log import Log
from lead.training.upkeep import UPKEEP, Upkeep


@settings(deadline=None)
@given(count=st.integers(1, 40), batch=st.integers(1, 50), epochs=st.integers(1, 4), seed=st.integers(0, 99))
def test_every_epoch_shows_each_picture_once(count: int, batch: int, epochs: int, seed: int) -> None:
    rows = np.arange(100, 100 + count)
    steps = math.ceil(epochs * count / batch)
    shown = np.concatenate([batch_rows(rows, batch, step, seed) for step in range(steps)])
    for epoch in range(epochs):
        assert Counter(shown[epoch * count : (epoch + 1) * count].tolist()) == Counter(rows.tolist())


def test_epochs_differ_and_the_seed_decides() -> None:
    rows = np.arange(50)
    first, second = batch_rows(rows, 50, 0, 0), batch_rows(rows, 50, 1, 0)
    assert first.tolist() != second.tolist()
    assert first.tolist() != batch_rows(rows, 50, 0, 1).tolist()
    assert first.tolist() == batch_rows(rows, 50, 0, 0).tolist()


@given(steps=st.integers(20, 500), warmup=st.floats(0, 0.9), lr=st.floats(1e-4, 1))
def test_the_rate_rises_to_its_peak_and_falls_to_nothing(steps: int, warmup: float, lr: float) -> None:
    stage = StageSettings(lr=lr, warmup=warmup)
    rates = [learning_rate(stage, step, steps) for step in range(steps + 1)]
    assert rates[-1] == pytest.approx(0, abs=1e-9 * lr)
    assert max(rates) <= lr * (1 + 1e-9)
    peak = rates.index(max(rates))
    assert peak <= warmup * steps + 1
    assert rates[: peak + 1] == sorted(rates[: peak + 1])
    assert rates[peak:] == sorted(rates[peak:], reverse=True)


def test_without_warmup_the_rate_is_half_a_cosine() -> None:
    stage = StageSettings(lr=0.4)
    assert [learning_rate(stage, s, 4) for s in range(5)] == pytest.approx(
        [0.4, 0.2 + 0.2 * math.sqrt(0.5), 0.2, 0.2 - 0.2 * math.sqrt(0.5), 0]
    )


def test_seeds_are_made_of_all_their_parts() -> None:
    seeds = {mixed_seed(*parts) for parts in ((0,), (1,), (0, "a"), (0, "a", 1), ("a", 0), ("0",))}
    assert len(seeds) == 6
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert run_identity({"a": 1, "b": 2}) == run_identity({"b": 2, "a": 1}) != run_identity({"a": 1, "b": 3})


def test_spread_of_vectors() -> None:
    assert spread(torch.ones(9, 4)) == pytest.approx(0, abs=1e-6)
    assert spread(torch.arange(1.0, 5)[:, None] * torch.ones(1, 3)) == pytest.approx(0, abs=1e-3)  # length is not seen
    assert spread(torch.randn(4000, 64)) == pytest.approx(1, abs=0.01)


class Line(Stage):
    """The least stage: one linear layer that learns the pictures' mean brightness, with dropout and BatchNorm."""

    name = "line"

    def __init__(self) -> None:
        super().__init__()
        self.network = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.3), nn.Linear(4, 1))
        self.frozen = nn.BatchNorm1d(3).requires_grad_(False)
        self.blow_up_at = -1
        self.calls = 0
        self.progress: list[float] = []

    def train(self, mode: bool = True) -> Line:
        super().train(mode)
        self.frozen.eval()
        return self

    def forward(self, pictures: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
        self.calls += 1
        noise = torch.rand(pictures.shape[0], 3, generator=generator)
        colour = self.frozen(pictures.mean((2, 3)))
        loss = (self.network(colour + 0.1 * noise) - colour.mean(1, keepdim=True)).square().mean()
        if self.calls == self.blow_up_at:
            loss = loss * float("nan")
        return {"loss": loss, "spread": torch.tensor(1.0)}

    def parameter_groups(self) -> list[tuple[nn.Module, float]]:
        return [(self.network[0], 0.5), (self.network[1:], 1.0)]

    def after_step(self, progress: float) -> None:
        self.progress.append(progress)


EVERY_STEP = Upkeep(log_every=1, save_every_s=-1.0)
"""A log record and a checkpoint after every step."""


def line(
    folder: Path, *, steps: int = 12, optimiser: str = "adamw", identity: str = "a", upkeep: Upkeep = UPKEEP
) -> tuple[Line, TrainingLoop]:
    torch.manual_seed(0)
    stage = Line()
    pixels = np.random.default_rng(0).integers(0, 255, (10, 8, 8, 3)).astype(np.uint8)
    training = TrainingLoop(
        stage,
        StageSettings(steps=steps, batch=4, lr=0.05),
        optimiser=optimiser,
        pixels=pixels,
        rows=np.arange(10),
        folder=folder,
        seed=3,
        fabric=make_fabric("32-true"),
        identity=identity,
        upkeep=upkeep,
    )
    return stage, training


def records(folder: Path) -> list[tuple[str, int]]:
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    return [(r["stage"], r["step"]) for r in map(json.loads, lines)]


class Stop(Exception):
    """Raised from a report, as a kill would end the loop."""


def stop_at(step: int) -> Report:
    def report(_stage: str, done: int, _total: int, _values: Mapping[str, float]) -> None:
        if done == step:
            raise Stop

    return report


@pytest.mark.parametrize("optimiser", ["sgd", "adamw"])
def test_a_run_that_was_cut_short_goes_on_as_if_it_had_not_been(tmp_path: Path, optimiser: str) -> None:
    whole, training = line(tmp_path / "whole", optimiser=optimiser)
    training.run(silent)
    _, training = line(tmp_path / "cut", optimiser=optimiser, upkeep=EVERY_STEP)
    with pytest.raises(Stop):
        training.run(stop_at(8))
    cut, training = line(tmp_path / "cut", optimiser=optimiser, upkeep=EVERY_STEP)
    assert training.step == 7  # the report stops the loop before step 8 is saved
    training.run(silent)
    assert cut.calls == 5
    for (name, ours), theirs in zip(cut.state_dict().items(), whole.state_dict().values(), strict=True):
        assert torch.equal(ours, theirs), name
    assert records(tmp_path / "cut") == [("line", step) for step in range(1, 13)]


def test_an_interrupt_saves_and_says_so(tmp_path: Path) -> None:
    whole, training = line(tmp_path / "whole")
    training.run(silent)
    before = signal.getsignal(signal.SIGINT)
    _, training = line(tmp_path / "cut")
    with pytest.raises(LeadError, match=r"Interrupted in line after step 10 of 12.*same command"):
        training.run(lambda *_: signal.raise_signal(signal.SIGINT))
    assert signal.getsignal(signal.SIGINT) is before
    cut, training = line(tmp_path / "cut")
    assert training.step == 10
    training.run(silent)
    assert all(torch.equal(a, b) for a, b in zip(cut.state_dict().values(), whole.state_dict().values(), strict=True))


def test_a_second_interrupt_stops_at_once() -> None:
    with interruptible() as asked:
        signal.raise_signal(signal.SIGTERM)
        assert asked.is_set()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_training_off_the_main_thread_leaves_signals_alone() -> None:
    found: list[bool] = []

    def work() -> None:
        before = signal.getsignal(signal.SIGINT)
        with interruptible() as asked:
            found.append(signal.getsignal(signal.SIGINT) is before and not asked.is_set())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [True]


def test_a_loss_that_is_no_number_stops_and_names_the_step(tmp_path: Path) -> None:
    stage, training = line(tmp_path)
    stage.blow_up_at = 10
    with pytest.raises(LeadError, match=r"loss of line is nan at step 10 .*line\.lr"):
        training.run(silent)


def test_no_checkpoint_is_written_of_a_network_that_blew_up(tmp_path: Path) -> None:
    stage, training = line(tmp_path, upkeep=Upkeep(save_every_s=-1.0))
    stage.blow_up_at = 3
    with pytest.raises(LeadError, match="nan"):
        training.run(silent)
    stage, training = line(tmp_path)
    assert training.step == 2
    assert all(value.isfinite().all() for value in stage.state_dict().values())


def test_state_of_other_settings_is_refused(tmp_path: Path) -> None:
    _, training = line(tmp_path, identity="a")
    training.save()
    with pytest.raises(LeadError, match=r"line-state\.safetensors belongs to other settings or other pictures"):
        line(tmp_path, identity="b")


def test_the_stage_trains_in_the_mode_it_chooses(tmp_path: Path) -> None:
    """A part that a stage keeps in evaluation mode stays there, so that its buffers do not move."""
    stage, training = line(tmp_path, steps=2)
    training.run(silent)
    assert stage.network.training
    assert not stage.frozen.training
    torch.testing.assert_close(stage.frozen.running_mean, torch.zeros(3))


def test_after_step_sees_the_share_that_is_done(tmp_path: Path) -> None:
    stage, training = line(tmp_path, steps=4)
    training.run(silent)
    assert stage.progress == [0.25, 0.5, 0.75, 1.0]


def test_the_whole_length_is_reported(tmp_path: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    _, training = line(tmp_path, steps=12)
    training.run(lambda stage, step, total, _: seen.append((stage, step, total)))
    assert seen == [("line", 10, 12), ("line", 12, 12)]


def test_weight_decay_spares_vectors_and_frozen_parameters_are_left_out() -> None:
    stage = Line()
    stage.network[0].requires_grad_(False)
    optimiser = make_optimiser(stage, StageSettings(lr=0.1, weight_decay=0.3), "adamw")
    groups = [({p.ndim for p in g["params"]}, g["weight_decay"], g["share"], g["lr"]) for g in optimiser.param_groups]
    assert groups == [({2}, 0.3, 1.0, 0.1), ({1}, 0.0, 1.0, 0.1)]


def test_a_share_of_the_rate_reaches_its_module(tmp_path: Path) -> None:
    stage, training = line(tmp_path, steps=1, optimiser="sgd")
    start = {name: value.clone() for name, value in stage.named_parameters()}
    training.run(silent)
    for name, share in (("network.0.weight", 0.5), ("network.3.weight", 1.0)):
        after = stage.get_parameter(name)
        assert after.grad is not None
        decayed = after.grad + 1e-4 * start[name]
        torch.testing.assert_close(after.detach(), (start[name] - 0.05 * share * decayed).detach())


def test_a_log_drops_what_is_past_the_start_and_what_a_kill_cut_short(tmp_path: Path) -> None:
    file = tmp_path / "metrics.jsonl"
    kept = [{"stage": "pretrain", "step": 90}, {"stage": "distill", "step": 10}]
    lines = [json.dumps(r) for r in [*kept, {"stage": "distill", "step": 20}]]
    file.write_text("\n".join(lines) + '\n{"stage": "disti')
    log = Log(tmp_path, "distill", start=10)
    log.write(20, {"loss": 1.0})
    log.close()
    assert records(tmp_path) == [("pretrain", 90), ("distill", 10), ("distill", 20)]


# --- features that collapse ------------------------------------------------------------------------------------------


class Folding(Line):
    """A line whose features are as far apart at each step, counted from 1, as a test says."""

    done: Tensor

    def __init__(self, apart: Callable[[int], float]) -> None:
        super().__init__()
        self.apart = apart
        self.register_buffer("done", torch.tensor(0))

    def forward(self, pictures: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
        self.done += 1
        return super().forward(pictures, generator) | {"spread": torch.tensor(self.apart(int(self.done)))}


IMPATIENT = Upkeep(log_every=5, patience=20)


def folding(
    folder: Path, steps: int, apart: Callable[[int], float], upkeep: Upkeep = IMPATIENT
) -> tuple[Folding, TrainingLoop]:
    torch.manual_seed(0)
    stage = Folding(apart)
    return stage, TrainingLoop(
        stage,
        StageSettings(steps=steps, batch=4, lr=0.05),
        optimiser="sgd",
        pixels=np.random.default_rng(0).integers(0, 255, (10, 8, 8, 3)).astype(np.uint8),
        rows=np.arange(10),
        folder=folder,
        seed=3,
        fabric=make_fabric("32-true"),
        identity="a",
        upkeep=upkeep,
    )


def state(folder: Path) -> tuple[int, int | None]:
    """The step of the stored state, and since when it has been collapsed."""
    meta = checkpoint.read_meta(folder / "line-state.safetensors", "state")
    return meta["step"], meta["collapsed_since"]


def test_a_stage_that_stays_collapsed_is_given_up(tmp_path: Path) -> None:
    stage, training = folding(tmp_path, 100, lambda step: 0.5 if step < 7 else 0.0199)
    with pytest.raises(
        Collapsed, match=r"of line have been .* since step 10; this is step 30 of 100.*line\.lr"
    ) as error:
        training.run(silent)
    assert "line-state.safetensors" in str(error.value)
    assert stage.calls == 30
    assert state(tmp_path) == (30, 10)
    lines = [json.loads(text) for text in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [r["step"] for r in lines if "collapsed" in r] == [10, 15, 20, 25, 30]


def test_a_stage_that_was_given_up_says_the_same_again(tmp_path: Path) -> None:
    _, training = folding(tmp_path, 100, lambda _: 0.0)
    with pytest.raises(Collapsed) as first:
        training.run(silent)
    again, training = folding(tmp_path, 100, lambda _: 0.0)
    with pytest.raises(Collapsed) as second:
        training.run(silent)
    assert str(second.value) == str(first.value)
    assert again.calls == 0


def test_a_stage_may_not_end_collapsed(tmp_path: Path) -> None:
    _, training = folding(tmp_path, 12, lambda step: 0.5 if step < 11 else 0.0)
    for _ in range(2):  # nor by being asked again
        with pytest.raises(Collapsed, match="since step 12; this is step 12 of 12"):
            training.run(silent)
        assert state(tmp_path) == (12, 12)
        _, training = folding(tmp_path, 12, lambda _: 0.5)


def test_features_that_come_apart_again_are_forgiven(tmp_path: Path) -> None:
    stage, training = folding(tmp_path, 60, lambda step: 0.0 if step % 25 < 20 and step < 50 else 0.0201)
    training.run(silent)  # collapsed from 5 to 15, and from 25 to 40
    assert stage.calls == 60
    assert training.collapsed_since is None


def test_a_collapse_is_remembered_over_a_kill(tmp_path: Path) -> None:
    always = replace(IMPATIENT, save_every_s=-1.0)  # a checkpoint, and a look, after every step

    def apart(step: int) -> float:
        return 0.5 if step < 7 else 0.0

    _, training = folding(tmp_path, 100, apart, always)
    with pytest.raises(Stop):
        training.run(stop_at(20))
    assert state(tmp_path) == (19, 7)
    stage, training = folding(tmp_path, 100, apart, always)
    assert training.collapsed_since == 7
    with pytest.raises(Collapsed, match="since step 7; this is step 30 of 100"):
        training.run(silent)
    assert stage.calls == 11
    assert state(tmp_path) == (30, 7)
