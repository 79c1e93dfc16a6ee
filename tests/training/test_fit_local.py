"""Local looks fitted on drawn things whose files show more than the stores do."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image
from spots import STORED, Colours, draw_spots, spotted
from torch import Tensor

from lead.features import FeatureSource
from lead.images.crops import Originals
from lead.images.store import ImageStore
from lead.nn.local import LocalLook
from lead.training.cascade import CascadeFit, fit_cascade
from lead.training.local import _of

Rows = npt.NDArray[np.int64]
COUNT, TIMES, WIDTH = 24, 4, 0.05
LABELLED, TEST = np.arange(16), np.arange(16, COUNT)
NAMES = [f"{i:02}.bmp" for i in range(COUNT)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, npt.NDArray[np.float64]]:
    """Pictures of four small spots, and where these are, in pixels."""
    root = tmp_path_factory.mktemp("large")
    return root, draw_spots(root, COUNT, times=TIMES, width=WIDTH)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEAD_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def source(folder: tuple[Path, npt.NDArray[np.float64]], tmp_path_factory: pytest.TempPathFactory) -> FeatureSource:
    return spotted(folder[0], tmp_path_factory.mktemp("store"), NAMES)


@pytest.fixture(scope="module")
def closely(source: FeatureSource, folder: tuple[Path, npt.NDArray[np.float64]]) -> CascadeFit:
    return fitted(source, folder[1])


@pytest.fixture(scope="module")
def before(source: FeatureSource, folder: tuple[Path, npt.NDArray[np.float64]]) -> CascadeFit:
    """With the looks at the stored squares alone."""
    return fitted(source, folder[1], local=False)


def fitted(source: FeatureSource, xy: npt.NDArray[np.float64], *, local: bool = True) -> CascadeFit:
    points = torch.from_numpy(source.points(LABELLED, xy[LABELLED])).float()
    return fit_cascade(source, LABELLED, points, local=local)


def said(source: FeatureSource, fit: CascadeFit, rows: Rows = TEST) -> npt.NDArray[np.float64]:
    """(n, K, 2) in pixels of the pictures."""
    return source.places(rows, torch.cat([f.points for f in source.find(fit.head, rows)]).double().numpy())


def errors(found: npt.NDArray[np.float64], truth: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """(n, K) in pixels."""
    away: npt.NDArray[np.float64] = np.linalg.norm(found - truth, axis=-1)
    return away


def test_large_pictures_are_looked_at_closely(
    folder: tuple[Path, npt.NDArray[np.float64]], source: FeatureSource, closely: CascadeFit, before: CascadeFit
) -> None:
    _, xy = folder
    assert not before.head.local
    looks = closely.head.looks
    assert len(looks) > 0
    assert [float(look.reach) for look in looks] == sorted([float(look.reach) for look in looks], reverse=True)
    away = errors(said(source, closely), xy[TEST])
    assert away.mean() < 0.5 * errors(said(source, before), xy[TEST]).mean()
    found = list(source.find(closely.head, TEST))
    expected = torch.cat([f.expected(closely.confidence) for f in found]).double().numpy()
    px = (STORED / source.store.scale[TEST].mean(-1))[:, None]
    assert float((expected * px).mean() / away.mean()) == pytest.approx(1, abs=0.4)
    truth = source.places(LABELLED, source.points(LABELLED, xy[LABELLED]))
    assert closely.error * STORED / source.store.scale.mean() == pytest.approx(
        errors(said(source, closely, LABELLED), truth).mean(), rel=0.9
    )


def test_pictures_that_show_no_more_are_not(tmp_path: Path) -> None:
    (tmp_path / "small").mkdir()
    xy = draw_spots(tmp_path / "small", COUNT)
    for name in NAMES:
        with Image.open(tmp_path / "small" / name) as large:
            large.resize((STORED, STORED), Image.Resampling.BOX).save(tmp_path / "small" / name)
    source = spotted(tmp_path / "small", tmp_path / "store", NAMES)
    assert not fitted(source, (xy + 0.5) * STORED / 192 - 0.5).head.local


def test_without_originals_the_looks_before_answer(
    source: FeatureSource, closely: CascadeFit, before: CascadeFit
) -> None:
    store = source.store
    bare = FeatureSource(source.extractor, ImageStore(store.files, store.pixels, store.sizes, (), store.digest))
    np.testing.assert_allclose(said(bare, closely), said(bare, before))


def test_originals_are_decoded_once(
    source: FeatureSource, closely: CascadeFit, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded = list[int]()
    assert len(closely.head.looks) + (closely.head.fine is not None) > 1
    original = ImageStore.original

    def counted(store: ImageStore, row: int) -> object:
        decoded.append(row)
        return original(store, row)

    monkeypatch.setattr(ImageStore, "original", counted)
    whole = said(source, closely)
    assert sorted(decoded) == TEST.tolist()
    monkeypatch.setattr("lead.features.HELD", 2 * (192 * TIMES) ** 2)  # two pictures at a time
    np.testing.assert_allclose(said(source, closely), whole, atol=1e-3)


def test_a_landmark_labelled_in_one_folder_alone_is_not_looked_at(
    folder: tuple[Path, npt.NDArray[np.float64]], source: FeatureSource
) -> None:
    """While that folder is held out, nothing is known of it."""
    rare = folder[1].copy()
    rare[6:16, 2] = np.nan
    points = torch.from_numpy(source.points(LABELLED, rare[LABELLED])).float()
    fit = fit_cascade(source, LABELLED, points, groups=["a"] * 6 + [str(i) for i in range(10)])
    looks = fit.head.looks
    assert looks
    assert all(2 not in look.which for look in looks)
    assert np.isfinite(said(source, fit)).all()


class Blind(FeatureSource):
    """Its small squares show nothing."""

    def close(self, rows: Rows, affine: Tensor, held: Originals | None = None, *, first: bool) -> Iterator[Tensor]:
        random = torch.Generator().manual_seed(len(rows))
        for features in super().close(rows, affine, held, first=first):
            yield torch.rand(features.shape, generator=random)


def test_looks_that_do_not_help_are_dropped(
    folder: tuple[Path, npt.NDArray[np.float64]], source: FeatureSource
) -> None:
    assert not fitted(Blind(source.extractor, source.store), folder[1]).head.local


class Wide(Colours):
    """What its first stages make of pictures has many channels, and few that matter."""

    first_channels = 150

    def first_of(self, inputs: Tensor) -> Tensor:
        colours = self.features_of(inputs)
        draws = torch.Generator().manual_seed(0)
        mixed = torch.randn(self.first_channels, colours.shape[1], generator=draws)
        return torch.einsum("dc,bchw->bdhw", mixed, colours)


def test_wide_first_maps_are_reduced(folder: tuple[Path, npt.NDArray[np.float64]], source: FeatureSource) -> None:
    _, xy = folder
    own = source.extractor
    wide = FeatureSource(Wide(own.network, own.picture, device=own.device), source.store)
    found = fitted(wide, xy)
    assert found.head.first == 150
    for look in found.head.looks:
        reduction = look.head.reduction
        assert reduction.shape == (128, 150)
        torch.testing.assert_close(reduction @ reduction.T, torch.eye(128), rtol=0, atol=1e-4)
    before = errors(said(wide, fitted(wide, xy, local=False)), xy[TEST])
    assert errors(said(wide, found), xy[TEST]).mean() < 0.6 * before.mean()


def test_a_landmark_with_few_labels_is_not_looked_at(
    folder: tuple[Path, npt.NDArray[np.float64]], source: FeatureSource
) -> None:
    rare = folder[1].copy()
    rare[3:16, 2] = np.nan
    looks = fitted(source, rare).head.looks
    assert looks
    assert all(2 not in look.which for look in looks)


@pytest.mark.parametrize("shift", [0.25, 0.5, 0.75])
def test_fractions_of_a_pixel_are_told(
    source: FeatureSource, closely: CascadeFit, tmp_path: Path, shift: float
) -> None:
    """The same things, drawn so far to the right and down, are said to be just there on average."""
    (tmp_path / "shifted").mkdir()
    draw_spots(tmp_path / "shifted", COUNT, times=TIMES, width=WIDTH, shift=shift)
    moved = spotted(tmp_path / "shifted", tmp_path / "other", NAMES)
    by = said(moved, closely) - said(source, closely)
    assert np.abs(by.mean((0, 1)) - shift).max() < 0.1


def test_what_cannot_be_read_again_is_answered_by_the_looks_before(
    folder: tuple[Path, npt.NDArray[np.float64]], tmp_path: Path
) -> None:
    shutil.copytree(folder[0], tmp_path / "large")
    source = spotted(tmp_path / "large", tmp_path / "store", NAMES)
    fit = fitted(source, folder[1])
    assert fit.head.local
    (whole,) = source.find(fit.head, TEST)
    assert not source.store.unread
    gone, other, torn, alike = (tmp_path / "large" / NAMES[row] for row in TEST[:4])
    gone.unlink()
    with Image.open(other) as picture:
        picture.resize((300, 200)).save(other)
    torn.write_bytes(torn.read_bytes()[:1000])
    alike.write_bytes((tmp_path / "large" / NAMES[TEST[5]]).read_bytes())  # as large, as one camera's pictures are
    (found,) = source.find(fit.head, TEST)
    reasons = source.store.unread
    assert sorted(reasons) == NAMES[TEST[0] : TEST[4]]
    assert "No such file" in reasons[gone.name]
    assert reasons[other.name] == "it has 300 × 200 pixels now, and had 768 × 768"
    assert reasons[alike.name] == "its file was changed since it was first read"
    store = source.store
    bare = ImageStore(store.files, store.pixels, store.sizes, (), store.digest)
    (before,) = FeatureSource(source.extractor, bare).find(fit.head, TEST)
    torch.testing.assert_close(found.points[:4], before.points[:4])
    expected, coarser = found.expected(fit.confidence), whole.expected(fit.confidence)
    torch.testing.assert_close(expected[:4], before.expected(fit.confidence)[:4])
    assert (expected[:4].mean() > coarser[:4].mean()).all()  # and they say so
    torch.testing.assert_close(found.points[4:], whole.points[4:])
    torch.testing.assert_close(expected[4:], coarser[4:])


def test_a_look_at_some_of_its_landmarks_is_the_same_for_these() -> None:
    look = LocalLook(7, 5)
    draws = torch.Generator().manual_seed(1)
    state = look.state_dict()
    look.load_state_dict({name: torch.rand(old.shape, generator=draws).to(old.dtype) for name, old in state.items()})
    kept = torch.tensor([0, 3])
    some = _of(look, kept).state_dict()
    for name in ("which", "head.weight", *(f"confidence.{table}" for table in ("level", "hidden", "across"))):
        whole = look.state_dict()[name]
        assert torch.equal(some[name], whole.index_select(whole.ndim - 1, kept)), name
