"""From films to features, labels and landmarks, with pictures beside them or without."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from filming import RATE, Pixels, film
from PIL import Image
from typer.testing import CliRunner

from lead import Labels, Landmarker, Schema, api, load_labels, save_labels
from lead.cli import app
from lead.config import Settings, to_yaml
from lead.errors import LeadError
from lead.images.film import frames, open_film
from lead.images.labelled_frames import take_labelled
from lead.training.run import Run

Maker = Callable[..., Settings]
SCHEMA = Schema(("middle", "above"), (), (("middle", "above"),))


def place(number: int, seed: int = 0) -> tuple[float, float]:
    """Where the block is in a frame of :func:`blocks`."""
    x, y = np.random.default_rng([seed, number]).uniform((16, 16), (80, 48))
    return float(x), float(y)


def blocks(count: int, seed: int = 0) -> list[Pixels]:
    """Pictures of 96 × 64 with a bright block somewhere."""
    y, x = np.mgrid[:64, :96]
    found = []
    for number in range(count):
        cx, cy = place(number, seed)
        light = np.where((abs(x - cx) < 9) & (abs(y - cy) < 9), 230, 50)
        found.append(np.repeat(light[..., None], 3, axis=-1).astype(np.uint8))
    return found


@pytest.fixture
def settings(tiny: Maker) -> Settings:
    """Of a run whose student is as it started."""
    return tiny(pretrain={"steps": 0}, distill={"steps": 0})


def pngs(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.png"))


def content(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*.png")}


# --- training --------------------------------------------------------------------------------------------------------


def test_a_film_is_trained_on_by_its_frames(settings: Settings, tmp_path: Path) -> None:
    path, out = film(tmp_path / "a.mp4", blocks(30)), tmp_path / "run"
    said: list[str] = []
    told: list[tuple[int, int]] = []
    run = api.train(path, out, settings=settings, frames=10, say=said.append, sampling=lambda *done: told.append(done))
    taken = pngs(out / "frames")
    assert len(taken) == 10
    assert all(file.startswith("a.mp4/") for file in taken)
    assert run.provenance["pictures"] == 10
    assert any(f"10 frames of 1 film: {out / 'frames'}" in line for line in said)
    assert told[-1] == (60, 60)
    before = content(out)
    again = api.train(str(path), out, settings=settings)  # as many as last time
    assert again == run
    assert content(out) == before
    with pytest.raises(LeadError, match=r"drawn otherwise \(count: 10 there, 12 here\)"):
        api.train(path, out, settings=settings, frames=12)


def test_films_beside_pictures(settings: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    (folder / "deep").mkdir(parents=True)
    for i, pixels in enumerate(blocks(5, seed=1)):
        Image.fromarray(pixels).save(folder / f"{i}.png")
    film(folder / "deep" / "a.mp4", blocks(20))
    (folder / "bad.mp4").write_text("no film")
    for name in ("x.dng", "y.dng"):
        (folder / name).touch()
    for out in (tmp_path / "run", folder / "runs" / "one"):  # the latter's frames lie among the pictures
        said: list[str] = []
        run = api.train(folder, out, settings=settings, frames=6, say=said.append)
        assert run.provenance["pictures"] == 11
        assert len(pngs(out / "frames" / "deep" / "a.mp4")) == 6
        assert any("bad.mp4 left out: its content is not that of a film" in line for line in said)
        assert any(line.startswith("Left out: 2 × .dng (x.dng …): a camera's raw file") for line in said)
        assert api.train(folder, out, settings=settings).provenance["trained_on"] == run.provenance["trained_on"]
        shutil.rmtree(out)


def test_an_interrupted_look_at_a_film_goes_on(settings: Settings, tmp_path: Path) -> None:
    path, out = film(tmp_path / "a.mp4", blocks(20)), tmp_path / "run"

    def interrupt(*_: int) -> None:
        if len(pngs(out)) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        api.train(path, out, settings=settings, frames=9, sampling=interrupt)
    before = content(out)
    assert len(before) == 3
    run = api.train(path, out, settings=settings)
    assert run.provenance["pictures"] == 9
    assert content(out).items() >= before.items()


def test_a_film_that_cannot_be_read_leaves_no_run(settings: Settings, tmp_path: Path) -> None:
    out, bad = tmp_path / "run", tmp_path / "bad.mp4"
    bad.write_text("no film")
    with pytest.raises(LeadError, match=r"None of the 1 film can be read; the first, bad\.mp4"):
        api.train(bad, out, settings=settings)
    with pytest.raises(LeadError, match=r"gone\.mp4: No such file"):
        api.train(tmp_path / "gone.mp4", out, settings=settings)
    path = film(tmp_path / "a.mp4", blocks(9))
    wrong = settings.model_copy(update={"backbone": settings.backbone.model_copy(update={"name": "resnet5O"})})
    with pytest.raises(LeadError, match="resnet5O"):
        api.train(path, out, settings=wrong)
    with pytest.raises(LeadError, match="has no stage 1 yet"):
        api.train(tmp_path / "a.mp4", out, settings=settings, stage="distill")
    assert not out.exists()


def test_without_pyav_pictures_are_trained_on(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    path = film(folder / "a.mp4", blocks(9))
    for i, pixels in enumerate(blocks(8, seed=1)):
        Image.fromarray(pixels).save(folder / f"{i}.png")
    monkeypatch.setitem(sys.modules, "av", None)
    said: list[str] = []
    run = api.train(folder, tmp_path / "run", settings=settings, say=said.append)
    assert run.provenance["pictures"] == 8
    assert "1 film left out. Films need a further package. Run: pip install 'lead-landmarks[film]'" in said
    with pytest.raises(LeadError, match=r"Run: pip install 'lead-landmarks\[film\]'"):
        api.train(path, tmp_path / "other", settings=settings)


def test_labels_on_a_film_are_fitted_as_they_are(settings: Settings, tmp_path: Path) -> None:
    """As SLEAP has them: some frames by a person, some by a model, the film beside the file."""
    run = api.train(film(tmp_path / "a.mp4", blocks(30)), tmp_path / "run", settings=settings, frames=10)
    numbers = [0, 3, 4, 9, 12, 20, 28]
    xy = np.array([[place(number), np.subtract(place(number), (0, 9))] for number in numbers])
    by_model = np.array([number in (4, 28) for number in numbers])[:, None]
    score = np.where(by_model, 0.1, np.nan).repeat(2, axis=1)
    images = tuple(f"a.mp4#{number}" for number in numbers)
    labels = Labels(SCHEMA, images, np.where(by_model[..., None], 3.0, xy), np.full((7, 2), 2), score)
    save_labels(labels, tmp_path / "a.slp")
    said: list[str] = []
    sampled: list[tuple[int, int]] = []
    fitted = api.fit(run, tmp_path / "a.slp", say=said.append, sampling=lambda *done: sampled.append(done))
    assert (fitted.used, fitted.missing, sampled[-1]) == (5, (), (5, 5))
    assert any("4 points that a model said and no person placed, 2 pictures holding nothing else" in s for s in said)
    take_labelled(tmp_path / "a.slp", tmp_path / "taken")
    again = api.fit(run, tmp_path / "taken" / "annotations.json")
    assert again.used == 5
    assert again.error == pytest.approx(fitted.error)
    save_labels(labels.take([0, 1]), tmp_path / "few.csv")
    assert api.fit(run, tmp_path / "few.csv").used == 2  # where pictures of the folder would be learnt from as well
    with pytest.raises(LeadError, match=r"None of the 2 labelled frames .*a\.mp4 is not in"):
        api.fit(run, tmp_path / "few.csv", pictures=tmp_path / "elsewhere")


def test_a_datasets_films_are_left_alone(settings: Settings, tmp_path: Path) -> None:
    """A DeepLabCut project, say, whose films its labelled frames were taken out of."""
    folder = tmp_path / "in"
    folder.mkdir()
    film(folder / "a.mp4", blocks(9))
    names = [f"{i}.png" for i in range(16)]
    for name, pixels in zip(names, blocks(16, seed=1), strict=True):
        Image.fromarray(pixels).save(folder / name)
    xy = [[place(i, 1), place(i, 1)] for i in range(16)]
    save_labels(Labels.from_xy(SCHEMA, names, xy), folder / "annotations.json")
    api.train(folder, tmp_path / "run", settings=settings)
    assert not (tmp_path / "run" / "frames").exists()
    api.train(folder, tmp_path / "plain", settings=settings, name="folder", frames=2)
    assert len(pngs(tmp_path / "plain" / "frames")) == 2


# --- on the command line ---------------------------------------------------------------------------------------------


def invoke(*arguments: object) -> Any:
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def good(*arguments: object) -> Any:
    result = invoke(*arguments)
    assert result.exit_code == 0, result.output
    return result


@pytest.fixture
def model(settings: Settings, tmp_path: Path) -> Path:
    """Made the way that a user goes: a film, a few of its frames labelled."""
    path, run, preset = film(tmp_path / "seen.mp4", blocks(30)), tmp_path / "run", tmp_path / "least.yaml"
    preset.write_text(to_yaml(settings))
    said = good("train", path, "--out", run, "--preset", preset, "--frames", 12)
    assert f"Next: lead studio {run / 'frames'} --run {run}" in said.stdout
    names = pngs(run / "frames")
    xy = [[(x, y), (x, y - 9)] for x, y in (place(int(Path(name).stem)) for name in names)]
    fitted = api.fit(Run.open(run), Labels.from_xy(SCHEMA, names, xy), pictures=run / "frames")
    assert fitted.used == 12
    fitted.landmarker.save(tmp_path / "model.safetensors")
    return tmp_path / "model.safetensors"


def test_the_whole_way_from_a_film_to_a_film(model: Path, tmp_path: Path) -> None:
    one, two = film(tmp_path / "one.mp4", blocks(9, seed=3)), film(tmp_path / "two.avi", blocks(5, seed=4))
    Image.fromarray(blocks(1, seed=5)[0]).save(tmp_path / "still.png")
    said = good(
        "predict", model, one, tmp_path / "still.png", two, "--out", tmp_path / "a.json", "--draw", tmp_path / "d"
    )
    found = load_labels(tmp_path / "a.json")
    assert found.images == (
        (tmp_path / "still.png").as_posix(),
        *(f"{one.as_posix()}#{i}" for i in range(9)),
        *(f"{two.as_posix()}#{i}" for i in range(5)),
    )
    np.testing.assert_allclose(found.xy[1:10], Landmarker.load(model).predict(one).xy, atol=1e-3)
    entries = json.loads((tmp_path / "a.json").read_text())["images"]
    assert {(image["width"], image["height"]) for image in entries} == {(96, 64)}
    assert f"Landmarks of 1 picture and 14 frames: {tmp_path / 'a.json'}" in said.stdout
    assert sorted(path.name for path in (tmp_path / "d").iterdir()) == ["one.mp4.mp4", "still.png.png", "two.avi.mp4"]
    for name, count in (("one.mp4.mp4", 9), ("two.avi.mp4", 5)):
        drawn = open_film(tmp_path / "d" / name)
        assert (drawn.size, drawn.rate, drawn.count) == ((96, 64), RATE, count)
        assert len(list(frames(tmp_path / "d" / name))) == count


def test_predict_on_a_folder_names_what_it_leaves_out(model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    film(folder / "a.mp4", blocks(4, seed=3))
    noisy = [np.random.default_rng(i).integers(0, 256, (64, 96, 3), dtype=np.uint8) for i in range(20)]
    cut = film(folder / "cut.mp4", noisy, movflags="faststart")
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size * 2 // 3])
    (folder / "bad.mp4").write_text("no film")
    said = good("predict", model, folder, "--out", tmp_path / "a.csv", "--draw", tmp_path / "d")
    warned = " ".join(said.stderr.split())
    assert f"Warning: Cannot read the film {folder / 'bad.mp4'}: its content" in warned
    assert f"Warning: Cannot read the film {folder / 'cut.mp4'}: it breaks off after" in warned
    images = load_labels(tmp_path / "a.csv", pictures=folder).images
    assert images[:4] == tuple(f"a.mp4#{i}" for i in range(4))
    kept = [image for image in images[4:] if image.startswith("cut.mp4#")]
    assert len(kept) == len(images) - 4 > 0
    assert len(list(frames(tmp_path / "d" / "cut.mp4.mp4"))) == len(kept)
    alone = invoke("predict", model, folder / "bad.mp4", "--out", tmp_path / "b.csv")
    assert (alone.exit_code, alone.stdout) == (2, "")
    assert not (tmp_path / "b.csv").exists()


def test_frames_on_their_own(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    film(tmp_path / "in" / "a.mp4", blocks(20))
    (tmp_path / "in" / "bad.mp4").write_text("no film")
    said = good("frames", tmp_path / "in", "--out", tmp_path / "out", "--count", 5, "--seed", 1)
    assert "bad.mp4 left out: its content" in said.stderr
    assert said.stdout == f"5 frames of 1 film: {tmp_path / 'out'}\nNext: lead studio {tmp_path / 'out'}\n"
    before = content(tmp_path / "out")
    assert len(before) == 5
    good("frames", tmp_path / "in", "--out", tmp_path / "out", "--seed", 1)
    assert content(tmp_path / "out") == before
    assert (
        "drawn otherwise (seed: 1 there, 0 here)" in invoke("frames", tmp_path / "in", "--out", tmp_path / "out").stderr
    )
    nothing = invoke("frames", tmp_path / "out", "--out", tmp_path / "other")
    assert nothing.exit_code == 2
    assert "No film in" in nothing.stderr
