"""A training that goes wrong: what is told and kept, and that the same command goes on to the same end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor, nn
from typer.testing import CliRunner

from lead import api, checkpoint, processes
from lead.cli import app
from lead.config import Settings, StageSettings, to_yaml
from lead.datasets.base import Dataset
from lead.errors import LeadError
from lead.images.build import open_store
from lead.reporting import silent
from lead.seeds import mixed_seed
from lead.training import engine, reader, run
from lead.training.batches import batch_rows
from lead.training.engine import Stage, TrainingLoop
from lead.training.failure import OutOfMemory, blow_up, norm, out_of_memory
from lead.training.launch import make_fabric
from lead.training.reader import Waits
from lead.training.run import Run
from lead.training.upkeep import Upkeep

Maker = Callable[..., Settings]
Trouble = Callable[["Fragile", int], None]
NAMES = [f"{i:02}.png" for i in range(10)]


class Fragile(Stage):
    """One linear layer, with a statistic beside it, to which something happens within a step of the first try."""

    name = "fragile"
    statistic: Tensor
    done: Tensor

    def __init__(self, trouble: Trouble | None) -> None:
        super().__init__()
        self.network = nn.Linear(3, 1)
        self.register_buffer("statistic", torch.zeros(2))
        self.register_buffer("mask", torch.tensor([0.0, -torch.inf]))  # as some networks have
        self.register_buffer("done", torch.tensor(0))
        self.trouble = trouble
        self.factor = 1.0

    def forward(self, pictures: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
        self.done += 1
        if self.trouble:
            self.trouble(self, int(self.done))
        noise = torch.rand(len(pictures), 3, generator=generator)
        error = (self.network(pictures.mean((2, 3)) + 0.1 * noise) - 0.5).square().mean()
        part = error * self.factor
        return {"loss": error + part, "part": part, "other": error.detach()}

    def parameter_groups(self) -> list[tuple[nn.Module, float]]:
        return [(self.network, 1.0)]

    def after_step(self, progress: float) -> None:
        pass


OFTEN = Upkeep(log_every=5)
"""A look every 5 steps, and a checkpoint at each look and no sooner."""


def fragile(
    folder: Path,
    trouble: Trouble | None = None,
    *,
    pixels: npt.NDArray[np.uint8] | None = None,
    clip: float = 0.0,
    upkeep: Upkeep = OFTEN,
) -> tuple[Fragile, TrainingLoop]:
    torch.manual_seed(0)
    stage = Fragile(trouble)
    drawn = np.random.default_rng(0).integers(0, 255, (10, 8, 8, 3), dtype=np.uint8)
    return stage, TrainingLoop(
        stage,
        StageSettings(steps=13, batch=4, lr=0.05, clip=clip),
        optimiser="adamw",
        pixels=drawn if pixels is None else pixels,
        rows=np.arange(10),
        folder=folder,
        seed=3,
        fabric=make_fabric("32-true"),
        identity="a",
        names=NAMES,
        upkeep=upkeep,
    )


def saving(training: TrainingLoop) -> Any:
    """A report that writes a checkpoint at every look."""
    return lambda *_: training.save()


def undisturbed(folder: Path) -> dict[str, Tensor]:
    stage, training = fragile(folder)
    training.run(silent)
    return stage.state_dict()


def assert_same_end(stage: nn.Module, expected: dict[str, Tensor]) -> None:
    assert all(torch.equal(value, expected[name]) for name, value in stage.state_dict().items())


# --- numbers that are no longer finite -------------------------------------------------------------------------------


def bad_loss(stage: Fragile, step: int) -> None:
    stage.factor = float("nan") if step == 7 else 1.0


def bad_gradient(stage: Fragile, step: int) -> None:
    """The loss of step 7 is finite, its gradient is not."""
    if step == 7:
        stage.network.weight.register_hook(lambda gradient: gradient * torch.inf)  # type: ignore[no-untyped-call]


def bad_statistic(stage: Fragile, step: int) -> None:
    """Neither the loss nor a weight is touched."""
    if step == 7:
        stage.statistic[1] = torch.nan


@pytest.mark.parametrize(
    ("trouble", "clip", "step", "terms", "message"),
    [
        (
            bad_loss,
            0,
            7,
            ["loss", "part"],
            r"loss of fragile is nan at step 7 of 13 \(loss nan, part nan, other 0\.\d+\)",
        ),
        (bad_loss, 1, 7, ["loss", "part"], r"weights were finite before that step, and the pictures are bytes"),
        (bad_gradient, 0, 7, [], r"weights of fragile are no longer finite after step 7 of 13, though its losses were"),
        (bad_gradient, 1, 7, [], r"the gradient was not finite"),
        (bad_statistic, 0, 10, [], r"The state of fragile is no longer finite at step 10"),
    ],
)
def test_what_is_no_longer_finite_is_told_and_kept_and_the_same_command_goes_on(
    tmp_path: Path, trouble: Trouble, clip: float, step: int, terms: list[str], message: str
) -> None:
    stage, training = fragile(tmp_path / "run", trouble, clip=clip)
    with pytest.raises(LeadError, match=message) as error:
        training.run(saving(training))
    assert f"learning rate was {engine.learning_rate(training.settings, step - 1, 13):.3g}" in str(error.value)
    assert "fragile-failed.safetensors" in str(error.value)
    assert "The state after step 5 is saved. Run the same command again" in str(error.value)
    assert stage.done == 10  # found at the next look
    tensors, about = checkpoint.load(tmp_path / "run" / "fragile-failed.safetensors", "failed")
    assert (about["step"], about["found_at"], about["terms"]) == (step, 10, terms)
    rows = batch_rows(np.arange(10), 4, step - 1, mixed_seed(3, "fragile"))
    assert about["rows"] == rows.tolist()
    assert about["pictures"] == [NAMES[row] for row in rows]
    kept = {name: tensors[f"stage.{name}"] for name in stage.state_dict()}
    assert all(torch.equal(value.nan_to_num(), stage.state_dict()[name].nan_to_num()) for name, value in kept.items())
    bad = {name for name, value in kept.items() if name != "mask" and not value.isfinite().all()}
    assert {name.removeprefix("stage.") for name in about["not_finite"] if name.startswith("stage.")} == bad
    again, training = fragile(tmp_path / "run", clip=clip)
    assert training.step == 5
    training.run(silent)
    if not clip:
        assert_same_end(again, undisturbed(tmp_path / "whole"))


def test_no_state_that_is_not_finite_replaces_the_last_good_one(tmp_path: Path) -> None:
    """Between two looks, too, where the clock asks for a checkpoint."""
    _, training = fragile(tmp_path, bad_gradient, upkeep=replace(OFTEN, save_every_s=-1.0))
    with pytest.raises(LeadError, match="after step 7"):
        training.run(silent)
    assert checkpoint.read_meta(tmp_path / "fragile-state.safetensors", "state")["step"] == 6


def test_the_losses_before_are_told() -> None:
    steps = [{"loss": 0.5, "weights": 1.0}, {"loss": 8e9, "weights": 2.0}, {"loss": float("inf"), "weights": 3.0}]
    found = blow_up(steps, 12)
    assert found
    assert (found.step, found.before) == (12, [0.5, 8e9])
    assert "the loss before it: 0.5, 8e+09." in found.text("distill", 20, 0.1)
    assert blow_up(steps[:2], 11) is None


def test_one_bad_number_makes_the_norm_one() -> None:
    whole = [torch.ones(3, 4), torch.arange(5), torch.full((2,), 2.0)]
    assert norm(whole) == pytest.approx(20**0.5)
    for bad in (torch.nan, torch.inf, -torch.inf):
        whole[0][2, 1] = bad
        assert not norm(whole).isfinite()


def test_a_full_disk_does_not_hide_what_went_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise LeadError("Could not write it: no space left.")

    _, training = fragile(tmp_path, bad_loss)
    monkeypatch.setattr(checkpoint, "save", full)
    with pytest.raises(LeadError, match=r"nan at step 7.*no space left.*No state was saved yet"):
        training.run(silent)


def test_what_failed_is_no_beginning_of_a_run(tiny: Maker, folder: Dataset, tmp_path: Path) -> None:
    """Other settings may be tried in the same folder where nothing but the failure is kept."""
    wild = tiny(pretrain={"lr": 1e30})
    with pytest.raises(LeadError, match=r"No state was saved yet.*pretrain\.lr, which is 1e\+30"):
        api.train(folder, tmp_path / "run", settings=wild)
    assert (tmp_path / "run" / "pretrain-failed.safetensors").exists()
    made = api.train(folder, tmp_path / "run", settings=tiny())
    assert made.has_student
    assert Run.open(made.folder).settings == tiny()


# --- pictures that cannot be read ------------------------------------------------------------------------------------


@pytest.fixture
def stored(folder: Dataset, tmp_path: Path) -> npt.NDArray[np.uint8]:
    return open_store(folder.root, folder.files, 8, tmp_path / "cache").pixels


@pytest.mark.parametrize(("how", "message"), [("cut short", "it ends at byte 500"), ("gone", "No such file")])
def test_a_store_that_is_spoilt_while_it_is_read_is_an_error(
    stored: npt.NDArray[np.uint8], tmp_path: Path, how: str, message: str
) -> None:
    assert isinstance(stored, np.memmap)
    file = Path(str(stored.filename))
    whole = file.read_bytes()
    stage, training = fragile(tmp_path / "whole", pixels=stored)
    training.run(silent)
    expected = stage.state_dict()
    _, training = fragile(tmp_path / "run", pixels=stored)

    def report(*_: object) -> None:
        training.save()
        if how == "gone":
            file.unlink()
        else:
            os.truncate(file, 500)

    with pytest.raises(LeadError, match=message) as error:
        training.run(report)
    assert str(file) in str(error.value)
    assert "The state after step 5 is saved. Run the same command" in str(error.value)
    file.write_bytes(whole)
    stage, training = fragile(tmp_path / "run", pixels=stored)
    assert training.step == 5
    training.run(silent)
    assert_same_end(stage, expected)


def test_any_error_of_the_disk_names_the_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def timed_out(*_: object) -> None:
        raise TimeoutError(110, "Connection timed out")

    _, training = fragile(tmp_path)
    monkeypatch.setattr("lead.training.batches.read_rows", timed_out)
    with pytest.raises(LeadError, match=r"batch of step 1 of fragile cannot be read: .*timed out.*No state was saved"):
        training.run(silent)


def test_a_mistake_in_the_program_stays_what_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(*_: object) -> None:
        raise IndexError("too far")

    _, training = fragile(tmp_path)
    monkeypatch.setattr("lead.training.batches.read_rows", wrong)
    with pytest.raises(IndexError, match="too far"):
        training.run(silent)


HASTY = Waits(slow_after_s=0.05, given_up_after_s=0.4, look_every_s=0.02)


def test_a_disk_that_does_not_answer_is_told_and_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    never = threading.Event()
    _, training = fragile(tmp_path, upkeep=replace(OFTEN, waits=HASTY))
    monkeypatch.setattr("lead.training.batches.read_rows", lambda *_: never.wait())
    with pytest.raises(
        LeadError, match=r"step 1 of fragile has not come in 0 s\. See that its disk .*No state was saved"
    ):
        training.run(silent)
    assert [record.getMessage()[:54] for record in caplog.records] == [
        "The batch of step 1 of fragile has not come for 0 s. D"
    ]
    never.set()


def test_the_user_need_not_wait_for_a_disk_that_does_not_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    never = threading.Event()
    _, training = fragile(tmp_path, upkeep=replace(OFTEN, waits=replace(HASTY, given_up_after_s=600.0)))
    reads = iter(range(100))

    def read(pixels: npt.NDArray[np.uint8], rows: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
        if next(reads) == 7:
            never.wait()
        return pixels[rows]

    def report(*_: object) -> None:
        training.save()
        threading.Timer(0.2, signal.raise_signal, [signal.SIGINT]).start()

    monkeypatch.setattr("lead.training.batches.read_rows", read)
    with pytest.raises(LeadError, match=r"Interrupted\. The batch of step 8 .*The state after step 5 is saved"):
        training.run(report)
    never.set()


def test_a_late_batch_is_a_batch() -> None:
    ready = threading.Event()
    threading.Timer(0.1, ready.set).start()
    batch = reader.read_ahead(lambda step: (torch.tensor(step if ready.wait() else 0),), 7)
    assert reader.wait_for(batch, "It", threading.Event(), Waits(slow_after_s=0.02, look_every_s=0.01))[0] == 7


STUCK = """
import os, sys, threading
from pathlib import Path
import numpy as np  # noqa: E402
from lead.images.store import read_rows
from lead.training import reader
file = Path(sys.argv[1])
np.save(file, np.zeros((4, 8, 8, 3), np.uint8))
pixels = np.load(file, mmap_mode="r")
file.unlink()
os.mkfifo(file)  # opening it waits for a writer, who never comes
batch = reader.read_ahead(lambda step: (read_rows(pixels, np.arange(step)),), 3)
reader.wait_for(batch, f"What is read from {file}", threading.Event(), reader.Waits(0.1, 0.3, 0.05))
"""


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs a pipe with a name")
def test_the_program_ends_though_its_reader_is_stuck(tmp_path: Path) -> None:
    command = [sys.executable, "-c", STUCK, str(tmp_path / "pixels.npy")]
    ended = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 1
    first, last = ended.stderr.splitlines()[0], ended.stderr.splitlines()[-1]
    assert "pixels.npy has not come for 0 s" in first
    assert "pixels.npy has not come in 0 s. See that its disk is there" in last


# --- memory ----------------------------------------------------------------------------------------------------------


def test_torchs_own_word_for_too_little_memory_is_understood() -> None:
    with pytest.raises(RuntimeError) as on_cpu:
        torch.empty(2**60, dtype=torch.uint8)
    with pytest.raises(MemoryError) as in_numpy:
        np.empty(2**60, dtype=np.uint8)
    assert out_of_memory(on_cpu.value)
    assert out_of_memory(in_numpy.value)
    assert out_of_memory(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."))
    assert out_of_memory(RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"))
    with pytest.raises(RuntimeError) as other:
        torch.ones(2) @ torch.ones(3)
    assert not out_of_memory(other.value)
    assert not out_of_memory(ValueError("out of memory"))


def too_large(_: Fragile, step: int) -> None:
    if step == 7:
        torch.empty(2**60, dtype=torch.uint8)


def test_memory_that_runs_out_is_told_with_what_to_set(tmp_path: Path) -> None:
    _, training = fragile(tmp_path, too_large)
    with pytest.raises(OutOfMemory, match=r"in fragile at step 7 of 13, with batches of 4 .*allocate") as first:
        training.run(silent)
    assert "begin anew with --set fragile.batch=2 or less, or let --retry-smaller find" in str(first.value)
    assert first.value.anew
    _, training = fragile(tmp_path, too_large)
    with pytest.raises(OutOfMemory, match="The state after step 5 is saved") as second:
        training.run(saving(training))
    assert not second.value.anew  # another batch would be another training than the state's
    assert "in another --out, begin anew" in str(second.value)
    assert "--retry-smaller" not in str(second.value)


def limited(monkeypatch: pytest.MonkeyPatch, stage: str, most: int, at: int = 1) -> None:
    """A device on which a stage cannot take more than so many pictures, which shows at a step."""
    advance = TrainingLoop._advance

    def advance_within(self: TrainingLoop, *batch: Tensor) -> None:
        if self.stage.name == stage and self.step + 1 == at and self.settings.batch > most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nMore.")
        advance(self, *batch)

    monkeypatch.setattr(TrainingLoop, "_advance", advance_within)


def weights(made: Run) -> dict[str, bytes]:
    tensors, _ = checkpoint.load(made.folder / run.STUDENT, "student")
    return {name: value.numpy().tobytes() for name, value in tensors.items()}


@pytest.mark.parametrize(("stage", "optimiser"), [("pretrain", "sgd"), ("distill", "adamw")])
def test_a_retry_is_the_run_of_the_smaller_batch(
    tiny: Maker, folder: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str, optimiser: str
) -> None:
    large = tiny(pretrain={"steps": 2}, distill={"steps": 2, "optimiser": optimiser, "lr": 0.02})
    rate = getattr(large, stage).lr * (0.5 if optimiser == "adamw" else 0.25)
    smaller = tiny(
        **{
            "pretrain": {"steps": 2},
            "distill": {"steps": 2, "optimiser": optimiser, "lr": 0.02},
            stage: large.model_dump()[stage] | {"steps": 8, "batch": 2, "lr": rate},
        }
    )
    expected = api.train(folder, tmp_path / "expected", settings=smaller)
    limited(monkeypatch, stage, most=3, at=2)
    said: list[str] = []
    made = api.train(folder, tmp_path / "run", settings=large, retry_smaller=True, say=said.append, upkeep=OFTEN)
    assert made.settings == Run.open(made.folder).settings
    assert getattr(made.settings, stage).lr == pytest.approx(rate)
    assert weights(made) == weights(expected)
    records = [json.loads(line) for line in (made.folder / "metrics.jsonl").read_text().splitlines()]
    assert [r["step"] for r in records if r["stage"] == stage] == [5, 8]
    retries = made.provenance["retries"]
    assert [(r["stage"], r["step"], r["from"]["batch"], r["to"]["batch"], r["to"]["steps"]) for r in retries] == [
        (stage, 2, 8, 4, 4),
        (stage, 2, 4, 2, 8),
    ]
    assert retries[0]["cause"] == "CUDA out of memory. Tried to allocate 2.00 GiB"
    assert len(said) == 2
    assert f"{stage}.batch=4, not 8" in said[0]
    assert f"{stage}_seconds" in made.provenance
    again = api.train(folder, made.folder, settings=large, retry_smaller=True, say=said.append)  # the same command
    assert said[2:] == ["pretrain: done already.", "distill: done already."]
    assert again.settings == made.settings
    with pytest.raises(LeadError, match=rf"{stage}\.batch: 2 there, 8 here"):
        api.train(folder, made.folder, settings=large)


def test_a_retried_run_is_gone_on_with(
    tiny: Maker, folder: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the same command, whether it was stopped before or after the first checkpoint."""
    limited(monkeypatch, "pretrain", most=4)
    train = partial(api.train, folder, settings=tiny(), stage="pretrain", retry_smaller=True, upkeep=OFTEN)
    expected = train(tmp_path / "expected").backbone().state_dict()
    out = tmp_path / "run"

    def gone(*_: object) -> None:
        raise RuntimeError("a kill")

    def stop(*_: object) -> None:
        signal.raise_signal(signal.SIGINT)

    for report, message in ((gone, "a kill"), (stop, "Interrupted in pretrain after step 5 of 12")):
        with pytest.raises((RuntimeError, LeadError), match=message):
            train(out, report=report)
        assert len(Run.open(out).provenance["retries"]) == 1
    (tmp_path / "tiny.yaml").write_text(to_yaml(tiny()))
    line = ["pretrain", folder.root, "--out", out, "--preset", tmp_path / "tiny.yaml", "--retry-smaller"]
    ended = CliRunner().invoke(app, [str(word) for word in line])
    assert ended.exit_code == 0, ended.output
    made = Run.open(out)
    assert_same_end(made.backbone(), expected)
    assert made.settings.pretrain.batch == 4


def test_no_retry_that_would_be_unsound(
    tiny: Maker, folder: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limited(monkeypatch, "pretrain", most=1)
    with pytest.raises(OutOfMemory, match=r"batches of 2 pictures"):  # halved as often as can be
        api.train(folder, tmp_path / "none", settings=tiny(), retry_smaller=True)
    with pytest.raises(OutOfMemory, match=r"batches of 8 pictures"):  # not asked for
        api.train(folder, tmp_path / "unasked", settings=tiny())
    exchanging = tiny(pretrain={"steps": 0}, distill={"exchange": 1, "exchange_pictures": 5})
    limited(monkeypatch, "distill", most=4)
    with pytest.raises(OutOfMemory, match=r"distill at step 1 of 6, with batches of 8"):  # 4 have no 5 others
        api.train(folder, tmp_path / "exchanging", settings=exchanging, retry_smaller=True)
    monkeypatch.setattr(processes, "count", lambda: 2)
    with pytest.raises(LeadError, match="Several processes cannot retry"):
        api.train(folder, tmp_path / "two", settings=tiny(), retry_smaller=True)


def test_a_network_that_does_not_fit_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def setup(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    fabric = make_fabric("32-true")
    monkeypatch.setattr(fabric, "setup", setup)
    monkeypatch.setattr(sys.modules[__name__], "make_fabric", lambda _: fabric)
    with pytest.raises(OutOfMemory, match=r"before its first step.*smaller backbone") as error:
        fragile(tmp_path)
    assert "--retry-smaller" not in str(error.value)
    assert not error.value.anew
