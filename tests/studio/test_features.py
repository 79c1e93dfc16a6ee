"""The bank: the same features whenever and however they are asked for, and nothing computed twice."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from modelled import file_id, untrained, windows

from lead.config import Settings
from lead.feature_files import cached_features, features_file
from lead.features import Extractor
from lead.files import default_cache
from lead.images.build import open_store
from lead.images.decode import UnreadablePicture
from lead.studio.features import BATCH, FeatureBank
from lead.studio.folder import PictureFolder, UnknownPicture
from lead.training.run import Run

COUNT = 11


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that no test finds another's features."""
    monkeypatch.setenv("LEAD_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def pictures(tmp_path: Path) -> PictureFolder:
    windows(tmp_path / "pictures", COUNT)
    return PictureFolder(tmp_path / "pictures")


@pytest.fixture
def run(tmp_path: Path, tiny: Callable[..., Settings]) -> Run:
    return untrained(tmp_path / "run", tiny(picture={"store": 96, "input": 64}))


def reference(run: Run, folder: PictureFolder) -> np.ndarray:
    """Features of all pictures, computed here."""
    extractor = Extractor(run.student(), run.settings.picture)
    store = open_store(folder.root, folder.files, run.settings.picture.store, default_cache())
    return torch.cat(list(extractor.batches(store, np.arange(len(store))))).numpy()


def test_on_demand_equals_background(run: Run, pictures: PictureFolder) -> None:
    bank = FeatureBank(run, pictures)
    before = [bank.get(id) for id in pictures.ids[::2]]
    bank.work()
    finished = bank.finished()
    assert bank.ready
    assert finished is not None
    wanted = reference(run, pictures)
    assert np.allclose(finished[1], wanted, atol=2e-3, rtol=2e-3)
    for row, early in zip(range(0, COUNT, 2), before, strict=True):
        assert np.allclose(early.features.numpy(), wanted[row], atol=2e-3, rtol=2e-3)
        late = FeatureBank(run, pictures)
        late.work()
        assert np.array_equal(late.get(pictures.ids[row]).features.numpy(), finished[1][row])
        assert early.frame_px == pytest.approx(late.get(pictures.ids[row]).frame_px)
        assert early.size == late.get(pictures.ids[row]).size


def test_they_are_those_of_the_command_line(run: Run, pictures: PictureFolder) -> None:
    bank = FeatureBank(run, pictures)
    bank.work()
    assert bank.store is not None

    def computed(done: int, total: int) -> None:
        pytest.fail(f"{done} of {total} were computed again")

    found = cached_features(bank.extractor, bank.store, np.arange(COUNT), progress=computed)
    finished = bank.finished()
    assert finished is not None
    assert np.array_equal(found, finished[1])


def test_an_interrupted_session_is_gone_on_with(run: Run, pictures: PictureFolder) -> None:
    def stop_at_eight() -> None:
        if bank.stage == "features" and bank.done >= 8:
            bank.close()

    bank = FeatureBank(run, pictures, stop_at_eight)
    bank.work()
    assert (bank.stage, bank.done) == ("features", 8)
    assert bank.store is not None
    file = features_file(bank.extractor, bank.store, np.arange(COUNT))
    assert not file.exists()

    steps: list[tuple[str, int]] = []
    again = FeatureBank(run, pictures, lambda: steps.append((again.stage, again.done)))
    again.work()
    assert [done for stage, done in steps if stage == "features"] == [8, COUNT]
    assert file.exists()
    assert [path.suffix for path in file.parent.glob(f"{file.stem}*")] == [".npy"]
    assert np.allclose(np.load(file), reference(run, pictures), atol=2e-3, rtol=2e-3)


def test_a_torn_row_is_made_anew(run: Run, pictures: PictureFolder) -> None:
    bank = FeatureBank(run, pictures, lambda: bank.close() if bank.stage == "features" and bank.done >= BATCH else None)
    bank.work()
    assert bank.store is not None
    partial = features_file(bank.extractor, bank.store, np.arange(COUNT)).with_suffix(".begun")
    with partial.open("r+b") as torn:
        torn.truncate(partial.stat().st_size - 7)
    again = FeatureBank(run, pictures)
    again.work()
    finished = again.finished()
    assert finished is not None
    assert np.allclose(finished[1], reference(run, pictures), atol=2e-3, rtol=2e-3)


def test_part_of_them_can_be_had_on_the_way(run: Run, pictures: PictureFolder) -> None:
    seen: list[int] = []

    def look() -> None:
        if bank.stage == "features":
            finished = bank.finished()
            seen.append(0 if finished is None else len(finished[1]))

    bank = FeatureBank(run, pictures, look)
    bank.work()
    assert seen[:4] == [0, 4, 8, 11]


@pytest.mark.parametrize("decoded", [False, True])
def test_a_damaged_picture(decoded: bool, run: Run, pictures: PictureFolder) -> None:
    (pictures.root / "03.png").write_bytes(b"nothing")
    bank = FeatureBank(run, pictures)
    if decoded:
        bank.work()
        assert pictures.unreadable == [("03.png", "its content is not a picture of a known format")]
    with pytest.raises(UnreadablePicture, match=r"03\.png"):
        bank.get(file_id(pictures, 3))
    assert bank.get(file_id(pictures, 4)).size == (72, 96)


def test_an_unknown_picture(run: Run, pictures: PictureFolder) -> None:
    with pytest.raises(UnknownPicture):
        FeatureBank(run, pictures).get("0" * 12)


def test_places_go_there_and_back(run: Run, pictures: PictureFolder) -> None:
    seen = FeatureBank(run, pictures).get(file_id(pictures, 0))  # 72 × 96: portrait, in the middle of the square
    corners = np.array([[-0.5, -0.5], [71.5, 95.5]])
    assert np.allclose(seen.to_frame(corners), [[-0.75, -1], [0.75, 1]])
    assert np.allclose(seen.to_picture(seen.to_frame(corners)), corners)
    assert seen.frame_px == pytest.approx(96)
