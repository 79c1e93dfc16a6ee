"""Frames that labels name as files, beside the film as it is decoded from its beginning."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import sleap_io
from filming import film, numbered
from PIL import Image
from typer.testing import CliRunner

from lead.cli import app
from lead.datasets import open_dataset
from lead.errors import LeadError
from lead.images import seeking
from lead.images.decode import decode
from lead.images.film import frames
from lead.images.folder_pictures import FolderPictures
from lead.images.frame_files import as_files
from lead.images.labelled_frames import take_labelled
from lead.images.labels import load_labels, save_labels
from lead.landmarks import Labels, Schema
from lead.landmarks.model import VISIBLE

SCHEMA = Schema(("nose", "tail"))
NUMBERS = (0, 2, 5, 30)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LEAD_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def coloured(count: int) -> list[npt.NDArray[np.uint8]]:
    """Pictures of their number, red to the left and blue to the right of it."""
    pictures = numbered(count)
    for pixels in pictures:
        pixels[20:, :20], pixels[20:, 40:] = (200, 30, 30), (30, 30, 200)
    return pictures


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With a film of 40 frames."""
    folder = tmp_path / "in"
    folder.mkdir()
    film(folder / "run.mp4", coloured(40), "libx264")
    return folder


def decoded(path: Path) -> dict[int, npt.NDArray[np.uint8]]:
    return {number: np.asarray(picture) for number, picture in frames(path)}


def labels_of(images: Sequence[str], score: Any = None, tracks: tuple[str, ...] | None = None) -> Labels:
    xy = np.arange(4.0 * len(images)).reshape(len(images), 2, 2)
    return Labels(SCHEMA, tuple(images), xy, np.full((len(images), 2), VISIBLE), score, tracks=tracks)


def slp(path: Path, name: str, numbers: Sequence[int] = NUMBERS, *, embed: bool = False) -> Path:
    """Labels on frames of a film, as sleap-io writes them."""
    skeleton = sleap_io.Skeleton(["nose", "tail"])
    video = sleap_io.load_video(name) if embed else sleap_io.Video(name, open_backend=False)
    instances = [sleap_io.Instance.from_numpy(np.full((2, 2), 10.0 + n), skeleton=skeleton) for n in numbers]
    some = [sleap_io.LabeledFrame(video, n, [instance]) for n, instance in zip(numbers, instances, strict=True)]
    sleap_io.save_slp(sleap_io.Labels(some), str(path), embed=embed)
    return path


def test_labelled_frames_become_files_of_the_very_pixels_of_the_film(folder: Path, cache: Path) -> None:
    labels = load_labels(slp(folder / "a.slp", "run.mp4"))
    progress: list[tuple[int, int]] = []
    found = as_files(labels, FolderPictures(folder), folder / "a.slp", progress=lambda *done: progress.append(done))
    whole = decoded(folder / "run.mp4")
    assert len(whole) == 40
    for image, number in zip(found.images, NUMBERS, strict=True):
        assert Path(image).name == f"{number:06}.png"
        assert Path(image).is_relative_to(cache)
        np.testing.assert_array_equal(np.asarray(decode(Path(image))), whole[number])
    assert len({Path(image).parent for image in found.images}) == 1
    assert progress[-1] == (4, 4)
    np.testing.assert_array_equal(found.xy, labels.xy)


def test_frames_are_taken_out_once_until_the_film_is_another(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    labels = labels_of([f"run.mp4#{number}" for number in NUMBERS])
    first = as_files(labels, FolderPictures(folder))
    with monkeypatch.context() as patch:
        patch.setattr(seeking, "reading_film", None)  # cannot be called
        assert as_files(labels, FolderPictures(folder)).images == first.images
    film(folder / "run.mp4", coloured(40)[::-1])
    second = as_files(labels, FolderPictures(folder))
    assert not set(first.images) & set(second.images)
    whole = decoded(folder / "run.mp4")
    for image, number in zip(second.images, NUMBERS, strict=True):
        np.testing.assert_array_equal(np.asarray(decode(Path(image))), whole[number])


def test_only_what_a_person_labelled_is_taken_out(folder: Path) -> None:
    score = np.array([[np.nan, np.nan], [0.5, 0.5], [np.nan, 0.5]])
    labels = labels_of(["run.mp4#3", "run.mp4#4", "run.mp4#7"], score)
    found = as_files(labels, FolderPictures(folder))
    assert [Path(image).name for image in found.images] == ["000003.png", "run.mp4#4", "000007.png"]
    plain = labels_of(["a.png", "b.png"])
    assert as_files(plain, FolderPictures(folder)) is plain


def test_a_film_is_found_after_a_move_and_told(folder: Path) -> None:
    labels = labels_of(["D:/data/exp1/run.mp4#3"])
    said: list[str] = []
    (image,) = as_files(labels, FolderPictures(folder.parent), say=said.append).images
    np.testing.assert_array_equal(np.asarray(decode(Path(image))), decoded(folder / "run.mp4")[3])
    assert said == ["the film 'D:/data/exp1/run.mp4' was found by the end of its path: in/run.mp4."]


def test_what_cannot_be_had_is_told(folder: Path) -> None:
    said: list[str] = []
    labels = labels_of(["run.mp4#3", "run.mp4#40", "run.mp4#99", "gone.mp4#0"])
    found = as_files(labels, FolderPictures(folder), say=said.append)
    assert [Path(image).name for image in found.images] == ["000003.png", "run.mp4#40", "run.mp4#99", "gone.mp4#0"]
    left_out = f"2 labelled frames of {folder / 'run.mp4'} left out, the first is 40: the film has no such frame."
    assert said == [left_out]
    with pytest.raises(LeadError, match=r"None of the 1 labelled frame .*gone\.mp4 is not in .*--pictures"):
        as_files(labels_of(["gone.mp4#0"]), FolderPictures(folder))
    (folder / "a").mkdir()
    (folder / "b").mkdir()
    for place in ("a", "b"):
        shutil.copy(folder / "run.mp4", folder / place / "two.mp4")
    with pytest.raises(LeadError, match=r"x/two\.mp4#0 could be of a/two\.mp4 or b/two\.mp4\. Name the folder"):
        as_files(labels_of(["x/two.mp4#0"]), FolderPictures(folder))


def test_frames_that_lie_there_as_files_are_taken_but_no_other_file_of_their_number(tmp_path: Path) -> None:
    for name in ("frames/run.mp4/000003.png", "frames/other.mp4/000004.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8)).save(tmp_path / name)
    labels = labels_of(["films/run.mp4#3", "films/run.mp4#4"])
    said: list[str] = []
    found = as_files(labels, FolderPictures(tmp_path), say=said.append)
    assert "1 frame is taken from a picture, for the film is not there" in said[0]
    assert found.images == ((tmp_path / "frames/run.mp4/000003.png").as_posix(), "films/run.mp4#4")


def test_a_package_gives_its_own_pictures(folder: Path) -> None:
    package = slp(folder / "mine.pkg.slp", str(folder / "run.mp4"), embed=True)
    whole = decoded(folder / "run.mp4")
    (folder / "run.mp4").unlink()
    found = as_files(load_labels(package), FolderPictures(folder), package)
    assert [Path(image).name for image in found.images] == [f"{number:06}.png" for number in NUMBERS]
    for image, number in zip(found.images, NUMBERS, strict=True):  # sleap-io's own decoder rounds colours otherwise
        assert np.abs(np.asarray(decode(Path(image))).astype(int) - whole[number]).mean() < 3


def test_frames_of_a_label_file_go_to_a_folder_with_their_labels(folder: Path, tmp_path: Path) -> None:
    path, out = slp(folder / "a.slp", "run.mp4"), tmp_path / "out"
    result = CliRunner().invoke(app, ["frames", str(path), "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert f"4 labelled frames of 1 film: {out}" in result.stdout
    assert f"Next: lead studio {out}" in result.stdout
    names = [f"run.mp4/{number:06}.png" for number in NUMBERS]
    assert sorted(p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file()) == ["annotations.json", *names]
    whole = decoded(folder / "run.mp4")
    for name, number in zip(names, NUMBERS, strict=True):
        np.testing.assert_array_equal(np.asarray(decode(out / name)), whole[number])
    labels = load_labels(out / "annotations.json")
    assert labels.images == tuple(names)
    assert labels.xy[:, 0, 0].tolist() == [10.0 + number for number in NUMBERS]
    again = CliRunner().invoke(app, ["frames", str(path), "--out", str(out)])
    assert again.exit_code == 2
    assert "is not empty" in again.stderr
    both = CliRunner().invoke(app, ["frames", str(path), str(folder), "--out", str(tmp_path / "more")])
    assert "a.slp is no film" in both.stderr


def test_any_label_file_on_frames_will_do_and_its_predictions_and_pictures_stay(folder: Path, tmp_path: Path) -> None:
    images = ["C:/x/a/run.mp4#1", "C:/x/b/run.mp4#1", "d.png", "C:/x/a/run.mp4#2"]
    score = np.array([[np.nan, 0.5], [np.nan, np.nan], [np.nan, np.nan], [0.5, 0.5]])
    save_labels(labels_of(images, score), folder / "a.csv")
    for place in ("a", "b"):
        (folder / "films" / place).mkdir(parents=True)
    shutil.move(folder / "run.mp4", folder / "films" / "a" / "run.mp4")
    film(folder / "films" / "b" / "run.mp4", coloured(3)[::-1])
    said: list[str] = []
    taken = take_labelled(folder / "a.csv", tmp_path / "out", pictures=folder / "films", say=said.append)
    assert taken == (2, 2, False)
    labels = load_labels(tmp_path / "out" / "annotations.json")
    assert labels.images == ("a/run.mp4/000001.png", "b/run.mp4/000001.png")
    assert labels.by_hand.tolist() == [[True, False], [True, True]]
    assert any("3 points that a model said" in line for line in said)
    assert any(line.startswith("1 labelled picture is a file already") for line in said)
    for name in labels.images:
        number, whole = 1, decoded(folder / "films" / Path(name).parent)
        np.testing.assert_array_equal(np.asarray(decode(tmp_path / "out" / name)), whole[number])


def test_frames_of_several_specimens_keep_them_all(folder: Path, tmp_path: Path) -> None:
    labels = labels_of(["run.mp4#1", "run.mp4#1", "run.mp4#2"], tracks=("Ann", "Bob", "Ann"))
    save_labels(labels, folder / "a.csv")
    assert take_labelled(folder / "a.csv", tmp_path / "out") == (2, 1, True)
    kept = load_labels(tmp_path / "out" / "annotations.json", several=True)
    assert kept.images == ("run.mp4/000001.png", "run.mp4/000001.png", "run.mp4/000002.png")
    assert kept.tracks == labels.tracks
    np.testing.assert_array_equal(kept.xy, labels.xy)
    data = open_dataset(tmp_path / "out")  # to learn features from, which needs no labels
    assert data.files == ("run.mp4/000001.png", "run.mp4/000002.png")
    with pytest.raises(LeadError, match="show several specimens"):
        data.points("all")


def test_a_film_s_name_leads_to_no_folder_outside(folder: Path, tmp_path: Path) -> None:
    (folder / "deep").mkdir()
    shutil.copy(folder / "run.mp4", folder / "deep" / "b.mp4")
    save_labels(labels_of(["../run.mp4#1", "b.mp4#1"]), folder / "deep" / "a.csv")
    take_labelled(folder / "deep" / "a.csv", tmp_path / "out" / "here")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["here"]
    assert load_labels(tmp_path / "out" / "here" / "annotations.json").images == (
        "run.mp4/000001.png",
        "b.mp4/000001.png",
    )


def test_where_no_frame_is_labelled_it_is_said(folder: Path, tmp_path: Path) -> None:
    save_labels(labels_of(["a.png"]), folder / "a.csv")
    with pytest.raises(LeadError, match=r"a\.csv labels no frame of a film: .* such as a\.png\. .*lead studio"):
        take_labelled(folder / "a.csv", tmp_path / "out")
    save_labels(labels_of(["gone.mp4#1"]), folder / "b.csv")
    with pytest.raises(LeadError, match=r"gone\.mp4 is not in"):
        take_labelled(folder / "b.csv", tmp_path / "out")
    assert not (tmp_path / "out").exists()
