"""The precision is asked of the device, once for each run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from lead.config import Settings, load_preset
from lead.datasets.base import Dataset
from lead.nn.backbone import Backbone
from lead.training import precision, stages
from lead.training.precision import fastest_precision
from lead.training.pretrain import Byol, draw_view
from lead.training.run import Run, open_pictures


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[float], None]]:
    """Makes a device on which bfloat16 takes such a share of float32's time."""

    def make(share: float) -> None:
        fastest_precision.cache_clear()
        monkeypatch.setattr(precision, "PAYS", 0.8)
        monkeypatch.setattr(precision, "_seconds", lambda *_, half: share if half else 1.0)

    yield make
    fastest_precision.cache_clear()


@pytest.mark.parametrize(("share", "chosen"), [(0.5, "bf16-mixed"), (0.95, "32-true"), (8.0, "32-true")])
def test_bfloat16_must_pay(device: Callable[[float], None], share: float, chosen: str) -> None:
    device(share)
    assert fastest_precision("test_resnet", 32, 8) == chosen


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("CUDA out of memory."), MemoryError()])
def test_where_memory_runs_out_less_is_taken(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def ask(*_: object, **__: object) -> float:
        raise error

    monkeypatch.setattr(precision, "_seconds", ask)
    assert fastest_precision.__wrapped__("test_resnet", 32, 2) == "bf16-mixed"


def test_other_errors_are_not_swallowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "_seconds", lambda *_, **__: torch.zeros(2).view(3))
    with pytest.raises(RuntimeError, match="invalid for input of size 2"):
        fastest_precision.__wrapped__("test_resnet", 32, 2)


def test_it_is_the_network_that_is_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = list[tuple[str, int, tuple[int, ...], bool]]()
    plain = precision._seconds

    def watched(network: Backbone, pictures: torch.Tensor, *, half: bool) -> float:
        kind, parameters = type(network.network).__name__, sum(p.numel() for p in network.parameters())
        asked.append((kind, parameters, tuple(pictures.shape), half))
        assert plain(network, pictures, half=half) > 0
        return 1.0

    monkeypatch.setattr(precision, "_seconds", watched)
    state = torch.get_rng_state()
    for name, batch in (("test_resnet", 64), ("test_efficientnet", 2)):
        fastest_precision.__wrapped__(name, 32, batch)
        own = Backbone(name, "random", 32)
        size = sum(p.numel() for p in own.parameters())
        shape = (min(batch, 8), 3, 32, 32)
        assert asked[-2:] == [(type(own.network).__name__, size, shape, half) for half in (True, False)]
        torch.set_rng_state(state)
    fastest_precision.__wrapped__("test_resnet", 32, 8)
    assert torch.equal(torch.get_rng_state(), state)  # nothing drawn later hangs on whether it was asked


def test_a_run_goes_on_in_the_precision_in_which_it_began(
    device: Callable[[float], None], tiny: Callable[..., Settings], folder: Dataset, tmp_path: Path
) -> None:
    run = Run.create(tmp_path / "run", tiny(precision="auto"))
    pictures = open_pictures(folder, run.settings)
    device(0.5)
    stages.pretrain(run, pictures)
    assert run.provenance["precision"] == "bf16-mixed"
    device(8.0)
    assert stages._precision(run) == "bf16-mixed"
    assert stages._precision(Run.create(tmp_path / "another", tiny(precision="auto"))) == "32-true"


@pytest.mark.parametrize("draws", ["uniform", "normal"])
def test_a_view_is_the_same_in_every_precision(draws: str) -> None:
    settings = load_preset("small")
    views = settings.pretrain.views.model_copy(update={"jpeg": 1.0, "lighting": 0.1, "draws": draws})
    pictures = torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    found = []
    for half in (False, True):
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            found.append(draw_view(pictures, views, settings.picture, torch.Generator().manual_seed(1), bent=True)[0])
    assert found[1].dtype == torch.float32
    assert torch.equal(*found)


def test_a_training_in_bfloat16_sees_the_pictures_themselves(
    tiny: Callable[..., Settings], folder: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen, maps, plain = list[torch.Tensor](), list[torch.dtype](), Byol.forward

    def forward(self: Byol, pictures: torch.Tensor, generator: torch.Generator) -> dict[str, torch.Tensor]:
        seen.append(pictures)
        maps.append(torch.nn.functional.conv2d(pictures, torch.ones(1, 3, 1, 1)).dtype)
        return plain(self, pictures, generator)

    monkeypatch.setattr(Byol, "forward", forward)
    for precise in ("32-true", "bf16-mixed"):
        run = Run.create(tmp_path / precise, tiny(precision=precise, pretrain={"steps": 1}))
        stages.pretrain(run, open_pictures(folder, run.settings))
    assert maps == [torch.float32, torch.bfloat16]  # convolutions are in half precision, what goes in is not
    assert torch.equal(*seen)
