"""Pictures of 12 bits in 16: what a run learns from, what its models see, and what the page shows."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import tifffile
from PIL import Image

import lead
from lead import api, prediction
from lead.beetles.rendering import render
from lead.config import Settings
from lead.images.build import open_store
from lead.images.decode import decode
from lead.images.find import listed
from lead.images.store import ImageStore
from lead.inference import Landmarker
from lead.landmarks import Labels, Schema
from lead.studio.features import FeatureBank
from lead.studio.folder import PictureFolder
from lead.studio.pictures import ShownPictures
from lead.training.run import Run

SIDE = 96


def write_deep(folder: Path, count: int = 10, most: int = 3000) -> list[str]:
    """Drawn beetles, 8 bits spread over the values from 40 to ``most``."""
    folder.mkdir()
    names = [f"{i:02}.tif" for i in range(count)]
    for i, name in enumerate(names):
        grey = np.asarray(Image.fromarray(render(i, size=SIDE).pixels).convert("L"), dtype=np.float64)
        tifffile.imwrite(folder / name, (40 + grey / 255 * (most - 40)).astype(np.uint16))
    return names


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LEAD_CACHE", str(tmp_path / "cache"))
    write_deep(tmp_path / "pictures")
    return tmp_path / "pictures"


def short(tiny: Callable[..., Settings]) -> Settings:
    return tiny(pretrain={"steps": 1, "batch": 4}, distill={"steps": 1, "batch": 4})


def seen_by(model: Landmarker, folder: Path, monkeypatch: pytest.MonkeyPatch) -> npt.NDArray[np.uint8]:
    """The stored pixels of a folder that a model is given at prediction."""
    stores: list[ImageStore] = []

    def looking(self: Landmarker, store: ImageStore) -> Labels:
        stores.append(store)
        return plain(self, store)

    plain = Landmarker.predict_store
    with monkeypatch.context() as patch:
        patch.setattr(Landmarker, "predict_store", looking)
        prediction.predict(model, folder)
    return np.concatenate([store.pixels for store in stores])


def labels_of(names: list[str]) -> Labels:
    xy = np.random.default_rng(0).uniform(20, 70, (len(names), 2, 2))
    return Labels(Schema(("a", "b")), tuple(names), xy, np.full((len(names), 2), 2, dtype=np.int8))


def test_training_prediction_and_page_see_the_same_pixels(
    folder: Path, tmp_path: Path, tiny: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    run = api.train(folder, tmp_path / "run", settings=short(tiny), say=told.append)
    (sentence,) = [text for text in told if "more than 8 bits" in text]
    assert sentence.startswith("10 of 10 pictures")
    contrast = Run.open(tmp_path / "run").settings.picture.contrast
    assert contrast != "auto"
    assert 2000 < contrast[1] <= 3000
    # Opened again with settings that leave it open, it is the same run.
    assert api.train(folder, tmp_path / "run", settings=short(tiny)).settings == run.settings

    learnt = open_store(
        folder,
        [f"{i:02}.tif" for i in range(10)],
        run.settings.picture.store,
        tmp_path / "cache" / "stores",
        showing=run.settings.picture.showing,
    )
    assert len(np.unique(learnt.pixels)) > 150
    summary = api.fit(run, labels_of(["00.tif", "01.tif", "02.tif"]), pictures=folder, head="ridge")
    summary.landmarker.save(tmp_path / "model.safetensors")
    model = Landmarker.load(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(seen_by(model, folder, monkeypatch), learnt.pixels)

    # One picture alone, and pictures of the same camera in less light, are shown by the same contrast.
    write_deep(tmp_path / "darker", 2, most=1500)
    darker = seen_by(model, tmp_path / "darker", monkeypatch)
    assert darker.max() < 0.6 * learnt.pixels.max()

    pictures = PictureFolder(folder)
    bank = FeatureBank(run, pictures)
    bank.work()
    assert bank.store is not None
    np.testing.assert_array_equal(bank.store.pixels, learnt.pixels)
    page = ShownPictures(pictures).image(pictures.id_of("03.tif"), 128)
    with Image.open(io.BytesIO(page.content)) as shown:
        expected = decode(folder / "03.tif", run.settings.picture.showing)
        np.testing.assert_array_equal(np.asarray(shown), np.asarray(expected))
        original = learnt.original(3).part((0, 0, *expected.size), 1)
        np.testing.assert_array_equal(np.asarray(original.pixels), np.asarray(expected))


def test_a_model_of_8_bit_pictures_measures_the_folder_that_it_predicts(
    folder: Path, tmp_path: Path, tiny: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = tmp_path / "plain"
    plain.mkdir()
    for i in range(8):
        Image.fromarray(render(i, size=SIDE).pixels).convert("L").save(plain / f"{i:02}.png")
    run = api.train(plain, tmp_path / "run", settings=short(tiny))
    assert run.settings.picture.contrast == "auto"
    model = api.fit(run, labels_of(["00.png", "01.png", "02.png"]), pictures=plain, head="ridge").landmarker
    told: list[str] = []
    lead.predict(model, folder, say=told.append)
    assert any("10 of 10 pictures hold more than 8 bits" in text for text in told)
    assert np.ptp(seen_by(model, folder, monkeypatch)) > 240


def test_predictions_of_another_contrast_are_not_gone_on_with(
    folder: Path, tmp_path: Path, tiny: Callable[..., Settings]
) -> None:
    """A model of 8-bit pictures stays the same, the contrast that it measures may not."""
    run = api.train(folder, tmp_path / "run", settings=short(tiny))
    model = api.fit(run, labels_of(["00.tif", "01.tif", "02.tif"]), pictures=folder, head="ridge").landmarker
    model.settings = model.settings.model_copy(update={"picture": short(tiny).picture})
    asked = listed(folder)
    before = prediction.Work(model, asked).identity()
    assert prediction.Work(model, asked).identity() == before
    status = (folder / "00.tif").stat()
    values = tifffile.imread(folder / "00.tif")
    tifffile.imwrite(folder / "00.tif", 9 * values)
    os.utime(folder / "00.tif", ns=(status.st_atime_ns, status.st_mtime_ns))
    assert prediction.Work(model, asked).identity() != before
