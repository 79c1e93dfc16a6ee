"""Files of tensors with their provenance: safetensors with a JSON header, never a pickle, never half-written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from lead.errors import LeadError
from lead.files import replacing

VERSION = 1
"""Of the layout of these files. A reader refuses any other."""


def save(path: Path, kind: str, tensors: Mapping[str, Tensor], meta: Mapping[str, Any]) -> None:
    """Writes tensors and a description to one file, whole or not at all.

    Args:
        path: the file; replaced if it exists (callers ask first where it is the user's).
        kind: what the file is, e.g. ``"landmarker"``; :func:`load` checks it.
        tensors: by name.
        meta: anything that JSON holds.
    """
    header = {"lead": json.dumps({"version": VERSION, "kind": kind, **meta})}
    plain = {k: v.detach().to("cpu", copy=True, memory_format=torch.contiguous_format) for k, v in tensors.items()}
    try:
        with replacing(path) as partial:
            save_file(plain, partial, metadata=header)
    except (OSError, SafetensorError) as error:  # the latter for a full disk
        raise LeadError(f"Could not write {path}: {error}. What was there before is intact.") from error


def read_meta(path: Path, kind: str) -> dict[str, Any]:
    """The description in a file's header. Raises :class:`LeadError` for a missing, foreign or incompatible file."""
    if not path.is_file():
        raise LeadError(f"There is no {kind} file at {path}.")
    try:
        with safe_open(path, framework="pt") as file:
            header = (file.metadata() or {}).get("lead")
    except (SafetensorError, OSError) as error:
        raise LeadError(f"{path} is not a {kind} file, or it is damaged: {error}") from None
    if header is None:
        raise LeadError(f"{path} was not written by lead; a {kind} file is needed.")
    try:
        meta: dict[str, Any] = json.loads(header)
    except ValueError:
        meta = {}
    if not isinstance(meta, dict) or not {"version", "kind"} <= meta.keys():
        raise LeadError(f"{path} is not a {kind} file, or it is damaged: it does not say what it holds.")
    if meta.get("version") != VERSION:
        raise LeadError(
            f"{path} has layout version {meta.get('version')}, this lead reads version {VERSION}. "
            "Train it again, or install the lead that wrote it."
        )
    if meta.get("kind") != kind:
        raise LeadError(f"{path} is a {meta.get('kind')} file; a {kind} file is needed.")
    return meta


def load(path: Path, kind: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors on the CPU and the description of a file. Errors as :func:`read_meta`."""
    meta = read_meta(path, kind)
    with safe_open(path, framework="pt") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - not a mapping
    return tensors, meta


def pack_optimiser(optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """An optimiser's state as named tensors; its settings are the code's, so they are not stored."""
    state: dict[int, dict[str, Any]] = optimiser.state_dict()["state"]
    return {
        f"optimiser.{index}.{key}": torch.as_tensor(value)
        for index, values in state.items()
        for key, value in values.items()
        if value is not None
    }


def unpack_optimiser(optimiser: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Restores what :func:`pack_optimiser` stored."""
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        if name.startswith("optimiser."):
            _, index, key = name.split(".", 2)
            state.setdefault(int(index), {})[key] = value
    optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})


def prefixed(module: nn.Module, prefix: str) -> dict[str, Tensor]:
    """A module's state with a prefix before each name."""
    return {f"{prefix}.{k}": v for k, v in module.state_dict().items()}


def restore(module: nn.Module, tensors: Mapping[str, Tensor], prefix: str) -> None:
    """Loads a module's state from the tensors under a prefix. Raises :class:`LeadError` unless they fit exactly."""
    cut = len(prefix) + 1
    load_exactly(module, {k[cut:]: v for k, v in tensors.items() if k.startswith(prefix + ".")}, f"The stored {prefix}")


def load_exactly(module: nn.Module, tensors: Mapping[str, Tensor], what: str) -> None:
    """Loads a module's state. Raises :class:`LeadError` naming ``what`` unless the tensors fit exactly."""
    try:
        module.load_state_dict(tensors)
    except RuntimeError as error:
        raise LeadError(f"{what} does not fit its settings, or another timm made it: {error}") from None
