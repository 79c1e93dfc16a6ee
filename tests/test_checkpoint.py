"""Files of tensors: the round trip, what is refused, and that nothing is ever half-written."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from disks import full_disk
from lead import checkpoint
from lead.errors import LeadError

TENSORS = {
    "a.weight": torch.randn(3, 4),
    "half": torch.randn(5).bfloat16(),
    "count": torch.tensor(7),
    "empty": torch.zeros(0, 2),
    "picture": torch.randint(0, 255, (2, 3, 4, 4), dtype=torch.uint8).to(memory_format=torch.channels_last),
}


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    file = tmp_path / "new" / "folder" / "x.safetensors"
    checkpoint.save(file, "student", TENSORS, {"note": "größer", "list": [1, 2.5, None]})
    tensors, meta = checkpoint.load(file, "student")
    assert tensors.keys() == TENSORS.keys()
    for name, value in TENSORS.items():
        assert tensors[name].dtype == value.dtype
        assert torch.equal(tensors[name], value)
    assert meta == {"version": checkpoint.VERSION, "kind": "student", "note": "größer", "list": [1, 2.5, None]}
    assert checkpoint.read_meta(file, "student") == meta
    assert [p.name for p in file.parent.iterdir()] == ["x.safetensors"]


def test_tensors_that_share_memory_can_be_saved(tmp_path: Path) -> None:
    base = torch.arange(6.0)
    checkpoint.save(tmp_path / "x", "student", {"a": base, "b": base[2:]}, {})
    tensors, _ = checkpoint.load(tmp_path / "x", "student")
    assert torch.equal(tensors["b"], base[2:])


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(LeadError, match=r"no student file at .*gone"):
        checkpoint.load(tmp_path / "gone", "student")
    with pytest.raises(LeadError, match="no student file"):
        checkpoint.load(tmp_path, "student")


def test_another_kind_is_refused(tmp_path: Path) -> None:
    checkpoint.save(tmp_path / "x", "backbone", TENSORS, {})
    with pytest.raises(LeadError, match="is a backbone file; a student file is needed"):
        checkpoint.load(tmp_path / "x", "student")


def test_another_version_is_refused(tmp_path: Path) -> None:
    save_file({"a": torch.zeros(2)}, tmp_path / "x", metadata={"lead": '{"version": 99, "kind": "student"}'})
    with pytest.raises(LeadError, match=r"version 99, this lead reads version 1\. Train it again"):
        checkpoint.load(tmp_path / "x", "student")


@pytest.mark.parametrize("metadata", [None, {"format": "pt"}])
def test_a_foreign_file_is_refused(tmp_path: Path, metadata: dict[str, str] | None) -> None:
    save_file({"a": torch.zeros(2)}, tmp_path / "x", metadata=metadata)
    with pytest.raises(LeadError, match="not written by lead"):
        checkpoint.load(tmp_path / "x", "student")


def test_a_pickle_is_refused(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(2)}, tmp_path / "x")
    with pytest.raises(LeadError, match="not a student file, or it is damaged"):
        checkpoint.load(tmp_path / "x", "student")


def test_a_truncated_file_is_refused_wherever_it_ends(tmp_path: Path) -> None:
    checkpoint.save(tmp_path / "whole", "student", TENSORS, {})
    content = (tmp_path / "whole").read_bytes()
    for length in (0, 1, 7, 8, 50, len(content) // 2, len(content) - 1):
        (tmp_path / "cut").write_bytes(content[:length])
        with pytest.raises(LeadError, match="damaged"):
            checkpoint.load(tmp_path / "cut", "student")


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    file = tmp_path / "x"
    checkpoint.save(file, "student", {"a": torch.ones(3)}, {"step": 1})
    with full_disk(10_000), pytest.raises(LeadError, match=r"Could not write .*intact"):
        checkpoint.save(file, "student", {"a": torch.ones(100_000)}, {"step": 2})
    tensors, meta = checkpoint.load(file, "student")
    assert meta["step"] == 1
    assert torch.equal(tensors["a"], torch.ones(3))
    assert [p.name for p in tmp_path.iterdir()] == ["x"]


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(LeadError, match="Could not write"):
        checkpoint.save(tmp_path / "file" / "x", "student", TENSORS, {})
    assert (tmp_path / "file").read_text() == "mine"


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, 2))


def optimiser_of(kind: str, module: nn.Module) -> torch.optim.Optimizer:
    if kind == "adamw":
        return torch.optim.AdamW(module.parameters(), lr=0.05, betas=(0.9, 0.99))
    return torch.optim.SGD(module.parameters(), lr=0.05, momentum=0.9)


def step(module: nn.Module, optimiser: torch.optim.Optimizer, batch: Tensor) -> None:
    optimiser.zero_grad()
    module(batch).square().mean().backward()
    optimiser.step()


@pytest.mark.parametrize("kind", ["sgd", "adamw"])
@pytest.mark.parametrize("before", [0, 1, 5])
def test_a_restored_optimiser_takes_the_same_steps(tmp_path: Path, kind: str, before: int) -> None:
    batches = torch.randn(8, 10, 4, generator=torch.Generator().manual_seed(1))
    whole = network()
    optimiser = optimiser_of(kind, whole)
    for batch in batches[:before]:
        step(whole, optimiser, batch)
    tensors = checkpoint.prefixed(whole, "stage") | checkpoint.pack_optimiser(optimiser)
    checkpoint.save(tmp_path / "x", "state", tensors, {})
    loaded, _ = checkpoint.load(tmp_path / "x", "state")
    restored = network()
    resumed = optimiser_of(kind, restored)
    checkpoint.restore(restored, loaded, "stage")
    checkpoint.unpack_optimiser(resumed, loaded)
    for batch in batches[before:]:
        step(whole, optimiser, batch)
        step(restored, resumed, batch)
    for ours, theirs in zip(restored.state_dict().values(), whole.state_dict().values(), strict=True):
        assert torch.equal(ours, theirs)


def test_restoring_is_strict_and_sees_its_prefix_only() -> None:
    module = network()
    tensors = checkpoint.prefixed(module, "one") | checkpoint.prefixed(network(), "onerous")
    checkpoint.restore(module, tensors, "one")
    del tensors["one.0.weight"]
    with pytest.raises(LeadError, match=r"(?s)stored one does not fit.*0\.weight"):
        checkpoint.restore(module, tensors, "one")
