"""Models of things that lie any way: kept in files, told which way is up, and read from files that are older."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from lead import checkpoint
from lead.config import Settings
from lead.errors import LeadError
from lead.features import Extractor, FeatureSource, make_student
from lead.heads import make_head
from lead.images.build import open_store
from lead.images.store import ImageStore
from lead.inference import Landmarker
from lead.landmarks.model import Labels, Schema
from lead.nn.backbone import Backbone
from lead.nn.cascade import Cascade
from lead.nn.confidence import Confidence
from lead.nn.heads import ALL_ROUND, BOTH_SIDES, EITHER_SIDE, PLAIN, Lie
from lead.nn.steered import SteeredHead
from lead.training.cascade import fit_cascade

Maker = Callable[..., Settings]
SIDE = 64
PARTS = np.array([[0.0, -11.0], [-7.0, 8.0], [7.0, 8.0]])
SCHEMA = Schema(("head", "left", "right"))


def thing(x: float, y: float, reach: float = 1.0, shape: tuple[int, int] = (SIDE, SIDE)) -> npt.NDArray[np.uint8]:
    """(height, width, 3) a red spot above a green and a blue one, around (x, y)."""
    row, column = np.mgrid[: shape[0], : shape[1]]
    out = np.full((*shape, 3), 60.0)
    for channel, (dx, dy) in enumerate(PARTS * reach):
        near = np.exp(-((column - x - dx) ** 2 + (row - y - dy) ** 2) / (2 * (3.0 * reach) ** 2))
        out[..., channel] += 180 * near
    return out.round().astype(np.uint8)


@pytest.fixture(params=[True, False], ids=["two-looks", "one-look"])
def model(request: pytest.FixtureRequest, tiny: Maker, tmp_path: Path) -> Landmarker:
    """Fitted to upright things, with the features of a network that has learnt nothing."""
    settings = tiny(picture={"store": SIDE, "input": SIDE})
    torch.manual_seed(0)
    student = make_student(Backbone("test_resnet"), settings.distill, settings.hypercolumn)
    places = np.random.default_rng(0).uniform(24, SIDE - 24, (20, 2))
    store = stored([thing(x, y) for x, y in places.tolist()], tmp_path / "train")
    source = FeatureSource(Extractor(student, settings.picture), store)
    xy = places[:, None] + PARTS
    points = torch.from_numpy(source.points(np.arange(20), xy)).float()
    fitted = fit_cascade(source, np.arange(20), points, halves=[2.5] if request.param else [])
    assert fitted.head.lies == (PLAIN,)
    assert (fitted.head.fine is not None) == request.param
    return Landmarker(SCHEMA, settings, student, fitted.head, fitted.confidence, {"seed": 0})


def stored(pictures: list[npt.NDArray[np.uint8]], folder: Path) -> ImageStore:
    (folder / "pictures").mkdir(parents=True)
    names = [f"{i:02}.png" for i in range(len(pictures))]
    for name, pixels in zip(names, pictures, strict=True):
        Image.fromarray(pixels).save(folder / "pictures" / name)
    return open_store(folder / "pictures", names, SIDE, folder / "store")


def same(found: Labels, expected: Labels, atol: float) -> None:
    np.testing.assert_array_equal(found.visible, expected.visible)
    for name in ("xy", "score", "px_error", "px_90"):
        mine, theirs = getattr(found, name), getattr(expected, name)
        assert mine is not None
        np.testing.assert_allclose(mine, theirs, atol=atol, err_msg=name)


# --- which way is up -------------------------------------------------------------------------------------------------


def test_where_up_is_known_a_turned_picture_is_answered_as_if_it_were_upright(
    model: Landmarker, tmp_path: Path
) -> None:
    wide = thing(30.0, 20.5, 0.8, (40, 64))  # there is more beside the store's square than the picture
    upright = [thing(31.0, 33.0), thing(35.0, 30.0), wide]
    truth = [np.array([x, y]) + reach * PARTS for x, y, reach in ((31, 33, 1), (35, 30, 1), (30, 20.5, 0.8))]
    rows = np.arange(3)
    plain = model.predict_rows(stored(upright, tmp_path / "0"), rows)
    up = np.array([0.0, -1.0])
    expected = model.predict_rows(stored(upright, tmp_path / "same"), rows, up=np.tile(up, (3, 1)))
    assert np.linalg.norm(expected.xy - np.array(truth), axis=-1).max() < 2.5
    assert np.abs(plain.xy - expected.xy).max() < 0.5
    for quarters in (1, 2, 3):  # clockwise
        pictures = [np.ascontiguousarray(np.rot90(pixels, -quarters)) for pixels in upright]
        turn = np.linalg.matrix_power(np.array([[0, -1], [1, 0]]), quarters)
        store = stored(pictures, tmp_path / str(quarters))
        found = model.predict_rows(store, rows, up=np.tile(turn @ up, (3, 1)).astype(np.float32))
        middles = [(np.array(p.shape[1::-1]) - 1) / 2 for p in pictures]
        before = [(np.array(p.shape[1::-1]) - 1) / 2 for p in upright]
        back = np.stack([(xy - m) @ turn + b for xy, m, b in zip(found.xy, middles, before, strict=True)])
        same(
            Labels(SCHEMA, expected.images, back, found.visible, found.score, found.px_error, found.px_90),
            expected,
            0.1,
        )
        lost = model.predict_rows(store, rows)  # nobody says so
        assert np.linalg.norm(lost.xy - found.xy, axis=-1).max() > 1


def test_known_features_and_known_headings_go_together(model: Landmarker, tmp_path: Path) -> None:
    store, rows = stored([thing(31.0, 33.0), thing(35.0, 30.0)], tmp_path / "some"), np.arange(2)
    features = next(model.extractor.batches(store, rows)).half().cpu().numpy()
    up = np.array([[0.6, -0.8], [0.0, -1.0]])
    same(model.predict_rows(store, rows, features, up=up), model.predict_rows(store, rows, up=up), 0.05)
    apart = [model.predict_rows(store, rows[[i]], up=up[[i]]) for i in range(2)]  # each picture has its own
    np.testing.assert_allclose(
        np.concatenate([one.xy for one in apart]), model.predict_rows(store, rows, up=up).xy, atol=0.05
    )


def test_other_heads_take_no_notice_of_up(tiny: Maker, tmp_path: Path) -> None:
    settings = tiny(picture={"store": SIDE, "input": SIDE})
    student = make_student(Backbone("test_resnet"), settings.distill, settings.hypercolumn)
    head = make_head("ridge", 16, 3)
    torch.nn.init.normal_(head.weight)  # type: ignore[arg-type]
    model, rows = Landmarker(SCHEMA, settings, student, head, None, {}), np.arange(1)
    store = stored([thing(31.0, 33.0)], tmp_path / "some")
    found = model.predict_rows(store, rows, up=np.array([[1.0, 0.0]]))
    np.testing.assert_array_equal(found.xy, model.predict_rows(store, rows).xy)


# --- kept in files ---------------------------------------------------------------------------------------------------


def made(tiny: Maker, lies: tuple[Lie, ...], *, fine: bool = True) -> Landmarker:
    """With weights at random."""
    settings = tiny(picture={"store": SIDE, "input": SIDE})
    torch.manual_seed(0)
    student = make_student(Backbone("test_resnet"), settings.distill, settings.hypercolumn)
    head = make_head("cascade" if fine else "cascade-coarse", 16, 3, lies)
    assert isinstance(head, Cascade)
    shape = torch.from_numpy(PARTS / 10).float()
    head.shape.copy_(shape)
    head.sizes.fill_(0.4)
    if isinstance(head.coarse, SteeredHead):
        head.coarse.shape.copy_(shape)
        head.coarse.usual.fill_(0.4)
    for look in (head.coarse, head.fine):
        if look is not None:
            look.weight.normal_(0, 0.1)
    return Landmarker(SCHEMA, settings, student, head, None, {"seed": 0})


@pytest.mark.parametrize("fine", [True, False])
@pytest.mark.parametrize(
    "lies", [(PLAIN,), ALL_ROUND, EITHER_SIDE, BOTH_SIDES], ids=["plain", "round", "either", "both"]
)
def test_how_things_may_lie_is_kept(tiny: Maker, tmp_path: Path, lies: tuple[Lie, ...], fine: bool) -> None:
    model = made(tiny, lies, fine=fine)
    assert [tuple(lie) for lie in model.describe()["lies"]] == [(lie.step, lie.mirrored) for lie in lies]
    model.save(tmp_path / "model.safetensors")
    again = Landmarker.load(tmp_path / "model.safetensors")
    assert isinstance(again.head, Cascade)
    assert again.head.lies == lies
    assert isinstance(again.head.coarse, SteeredHead) == (lies != (PLAIN,))
    assert again.digest() == model.digest()
    store = stored([thing(31.0, 33.0), thing(28.0, 36.0)[::-1].copy()], tmp_path / "some")
    found, expected = (one.predict_store(store) for one in (again, model))
    np.testing.assert_array_equal(found.xy, expected.xy)
    np.testing.assert_array_equal(found.score, expected.score)


def rewritten(file: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """A copy of a model's file that says otherwise of itself."""
    tensors, meta = checkpoint.load(file, Landmarker.KIND)
    change(meta)
    out = file.with_name("changed.safetensors")
    save_file(tensors, out, metadata={"lead": json.dumps(meta)})
    return out


def test_an_older_file_is_of_things_that_lie_plain(model: Landmarker, tmp_path: Path) -> None:
    model.save(tmp_path / "model.safetensors")
    again = Landmarker.load(rewritten(tmp_path / "model.safetensors", lambda meta: meta.pop("lies")))
    assert isinstance(again.head, Cascade)
    assert again.head.lies == (PLAIN,)
    assert again.digest() == model.digest()
    store = stored([thing(31.0, 33.0)], tmp_path / "some")
    np.testing.assert_array_equal(again.predict_store(store).xy, model.predict_store(store).xy)


@pytest.mark.parametrize(
    "lies",
    [
        None,
        3,
        "plain",
        {},
        [],
        [[]],
        [[8, False]],
        [[-1, True]],
        [[0.5, False]],
        [[0]],
        [["a", False]],
        [[0, 7]],
        [[3, True]],
        [[0, False]] * 2,
    ],
    ids=str,
)
@pytest.mark.parametrize("head", ["cascade", "cascade-coarse"])
def test_lies_that_are_damaged_are_told(tiny: Maker, tmp_path: Path, lies: object, head: str) -> None:
    made(tiny, ALL_ROUND, fine=head == "cascade").save(tmp_path / "model.safetensors")
    file = rewritten(tmp_path / "model.safetensors", lambda meta: meta.update(lies=lies))
    with pytest.raises(LeadError, match=r"changed\.safetensors.* is damaged: lies") as error:
        Landmarker.load(file)
    assert "\n" not in str(error.value)


def test_a_file_whose_lies_are_not_its_heads_is_refused(tiny: Maker, tmp_path: Path) -> None:
    made(tiny, ALL_ROUND).save(tmp_path / "model.safetensors")
    plain = rewritten(tmp_path / "model.safetensors", lambda meta: meta.update(lies=[[0, False]]))
    with pytest.raises(LeadError, match="stored head does not fit"):
        Landmarker.load(plain)


def test_local_looks_are_kept(tiny: Maker, tmp_path: Path) -> None:
    plain = made(tiny, (PLAIN,))
    assert isinstance(plain.head, Cascade)
    head = make_head("cascade", 16, 3, local=[2, 1])
    assert isinstance(head, Cascade)
    assert head.before is not None
    head.load_state_dict(plain.head.state_dict(), strict=False)
    random = torch.Generator().manual_seed(3)
    for look, which in zip(head.looks, ([2, 0], [2]), strict=True):
        look.which.copy_(torch.tensor(which))
        look.reach.fill_(0.3)
        look.head.weight.copy_(0.1 * torch.randn(look.head.weight.shape, generator=random))
    student = make_student(Backbone("test_resnet"), plain.settings.distill, plain.settings.hypercolumn)
    student.load_state_dict(plain.extractor.network.state_dict())
    model = Landmarker(plain.schema, plain.settings, student, head, Confidence(Cascade.SIGNALS, 3), {})
    assert model.describe()["local"] == [2, 1]
    model.save(tmp_path / "model.safetensors")
    again = Landmarker.load(tmp_path / "model.safetensors")
    (tmp_path / "pictures").mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (2, 400, 300, 3), dtype=np.uint8)
    for i, pixels in enumerate(noise):
        Image.fromarray(pixels).save(tmp_path / "pictures" / f"{i}.png")
    said, told, before = (one.predict(tmp_path / "pictures") for one in (model, again, plain))
    np.testing.assert_array_equal(said.xy, told.xy)
    assert said.px_error is not None
    assert told.px_error is not None
    np.testing.assert_array_equal(said.px_error, told.px_error)
    np.testing.assert_allclose(said.xy[:, 1], before.xy[:, 1], atol=1e-3)  # at which no look looks
    assert (np.abs(said.xy[:, [0, 2]] - before.xy[:, [0, 2]]).max(-1) > 0.1).all()
