"""SLEAP's files as sleap-io writes and reads them: persons and models, films, pictures inside the file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sleap_io
from filming import film, numbered

from lead.errors import LeadError
from lead.images.labels import load_labels
from lead.landmarks.formats import format_named
from lead.landmarks.io import write_labels
from lead.landmarks.model import VISIBLE, Labels, Schema

SKELETON = sleap_io.Skeleton(["nose", "tail"], name="mouse")


def user(x: float) -> Any:
    return sleap_io.Instance.from_numpy(np.array([[x, 1.0], [x, 2.0]]), skeleton=SKELETON)


def guess(x: float, score: float = 0.5) -> Any:
    points = np.array([[x, 1.0], [x, 2.0]])
    return sleap_io.PredictedInstance.from_numpy(points, skeleton=SKELETON, point_scores=[score] * 2, score=score)


def written(path: Path, frames: Sequence[tuple[Any, int, list[Any]]], **options: Any) -> Path:
    """A file of (video, number, instances)."""
    labels = sleap_io.Labels([sleap_io.LabeledFrame(video, number, some) for video, number, some in frames])
    sleap_io.save_slp(labels, str(path), **{"embed": False, **options})
    return path


def video(name: str, shape: tuple[int, int, int, int] | None = None) -> Any:
    metadata = {"type": "MediaVideo", "filename": name} | ({"shape": list(shape)} if shape else {})
    return sleap_io.Video(name, backend_metadata=metadata, open_backend=False)


def test_what_a_person_placed_and_what_a_model_said_are_told_apart(tmp_path: Path) -> None:
    run = video("run.mp4")
    frames = [(run, 0, [user(10)]), (run, 3, [guess(11)]), (run, 4, [guess(12, float("nan"))])]
    frames += [(run, 5, [guess(99), user(13)]), (run, 6, [])]
    labels = load_labels(written(tmp_path / "a.slp", frames))
    assert labels.images == tuple(f"run.mp4#{number}" for number in (0, 3, 4, 5, 6))
    assert labels.by_hand.tolist() == [[True] * 2, [False] * 2, [False] * 2, [True] * 2, [False] * 2]
    assert labels.is_predicted.tolist() == [[False] * 2, [True] * 2, [True] * 2, [False] * 2, [False] * 2]
    assert labels.xy[:4, 0, 0].tolist() == [10, 11, 12, 13]
    assert labels.score is not None
    np.testing.assert_array_equal(labels.score[:, 0], [np.nan, 0.5, np.nan, np.nan, np.nan])
    assert labels.places is not None
    assert labels.places.left_out == "1 instance predicted beside a person's (run.mp4#5)"
    kept = labels.without_predicted()
    assert np.isfinite(kept.xy[:, 0, 0]).tolist() == [True, False, False, True, False]


def test_frames_that_are_unclear_cost_no_others(tmp_path: Path) -> None:
    run, again = video("run.mp4"), video("run.mp4")
    frames = [(run, 0, [user(10)]), (run, 1, [guess(1), guess(2)]), (again, 0, [guess(3)]), (again, 2, [user(12)])]
    labels = load_labels(written(tmp_path / "a.slp", frames))
    assert dict(zip(labels.images, labels.by_hand[:, 0].tolist(), strict=True)) == {
        "run.mp4#0": True,
        "run.mp4#1": False,
        "run.mp4#2": True,
    }
    assert not labels.is_predicted.any()
    assert labels.xy[0, 0, 0] == 10
    assert labels.places is not None
    assert labels.places.left_out == (
        "1 frame of several predicted instances and none by a person (run.mp4#1); "
        "1 frame standing in it a second time (run.mp4#0)"
    )


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        ([(video("a.mp4"), 7, [user(1), user(2)])], r"a\.slp: a\.mp4#7: 2 instances that a person placed.* in SLEAP"),
        ([(video("a.mp4"), 0, [user(1)]), (video("a.mp4"), 0, [user(2)])], r"'a\.mp4#0' has more than one"),
    ],
)
def test_two_of_a_person_in_one_frame_are_refused(
    tmp_path: Path, frames: list[tuple[Any, int, list[Any]]], message: str
) -> None:
    with pytest.raises(LeadError, match=message):
        load_labels(written(tmp_path / "a.slp", frames))


def test_two_skeletons_are_refused_by_name(tmp_path: Path) -> None:
    other = sleap_io.Instance.from_numpy(np.ones((1, 2)), skeleton=sleap_io.Skeleton(["tip"], name="pipette"))
    path = written(tmp_path / "a.slp", [(video("a.mp4"), 0, [user(1)]), (video("a.mp4"), 1, [other])])
    with pytest.raises(LeadError, match=r"2 skeletons in it \('(mouse|pipette)', '(mouse|pipette)'\)"):
        load_labels(path)


def test_the_sizes_of_films_and_pictures_are_read(tmp_path: Path) -> None:
    pictures = sleap_io.Video(
        ["a.png", "b.png"],
        backend_metadata={
            "type": "ImageVideo",
            "filename": "a.png",
            "filenames": ["a.png", "b.png"],
            "shape": [2, 30, 40, 3],
        },
        open_backend=False,
    )
    frames = [(video("run.mp4", (12, 48, 64, 3)), 5, [user(1)]), (video("old.mp4"), 0, [user(2)])]
    frames += [(pictures, 1, [user(3)])]
    labels = load_labels(written(tmp_path / "a.slp", frames))
    assert labels.sizes is not None
    found = dict(zip(labels.images, labels.sizes.tolist(), strict=True))
    assert found == {"run.mp4#5": [64, 48], "old.mp4#0": [0, 0], "b.png": [40, 30]}


def packed(folder: Path, *, source: bool) -> Path:
    """A package of frames 0, 2 and 5 of a film, which is gone."""
    folder.mkdir(parents=True)
    path = film(folder / "run.mp4", numbered(8), "libx264")
    run = sleap_io.load_video(str(path))
    frames = [(run, number, [user(10 + number)]) for number in (0, 2, 5)]
    package = written(folder / "mine.pkg.slp", frames, embed=True)
    path.unlink()
    if not source:
        without_source(package)
    return package


def without_source(package: Path) -> None:
    """Takes away what a package says of the film that its pictures are from."""
    import h5py

    with h5py.File(package, "a") as file:
        for name in [name for name in file if name.startswith("video")]:
            if isinstance(file[name], h5py.Group) and "source_video" in file[name]:
                del file[name]["source_video"]


def test_the_pictures_of_a_package_go_by_their_film_or_else_by_the_package(tmp_path: Path) -> None:
    with_source = load_labels(packed(tmp_path / "with", source=True))
    assert [Path(image).name for image in with_source.images] == ["run.mp4#0", "run.mp4#2", "run.mp4#5"]
    package = packed(tmp_path / "without", source=False)
    first, second = load_labels(package), load_labels(package)
    assert first.images == second.images == ("mine.pkg.slp#0", "mine.pkg.slp#2", "mine.pkg.slp#5")
    assert first.sizes is not None
    assert first.sizes.tolist() == [[64, 48]] * 3
    assert first.xy[:, 0, 0].tolist() == with_source.xy[:, 0, 0].tolist() == [10, 12, 15]


def test_two_videos_in_a_package_that_name_no_film_keep_their_frames_apart(tmp_path: Path) -> None:
    runs = [sleap_io.load_video(str(film(tmp_path / f"{name}.mp4", numbered(8), "libx264"))) for name in "ab"]
    frames = [(runs[0], 3, [user(1)]), (runs[1], 0, [user(2)]), (runs[1], 3, [user(3)])]
    package = written(tmp_path / "two.pkg.slp", frames, embed=True)
    without_source(package)
    labels = load_labels(package)
    assert labels.images == ("two.pkg.slp#3", "two.pkg.slp#4", "two.pkg.slp#7")
    assert labels.xy[:, 0, 0].tolist() == [1, 2, 3]


def test_persons_and_models_points_are_written_as_such(tmp_path: Path) -> None:
    schema = Schema(("nose", "tail"))
    xy = np.arange(12, dtype=float).reshape(3, 2, 2)
    score = np.array([[np.nan, np.nan], [0.25, 0.75], [np.nan, 0.5]])
    images = tuple(f"run.mp4#{number}" for number in range(3))
    labels = Labels(schema, images, xy, np.full((3, 2), VISIBLE), score)
    kind = write_labels(labels, tmp_path / "a.slp")
    assert kind.lost(labels) == ["the predictions on pictures that a person labelled too"]
    assert format_named("sleap").lost(labels.take([0, 1])) == []
    found = sleap_io.load_slp(str(tmp_path / "a.slp"), open_videos=False)
    kinds = [sorted(type(instance).__name__ for instance in frame.instances) for frame in found]
    assert kinds == [["Instance"], ["PredictedInstance"], ["Instance", "PredictedInstance"]]
    (placed,), (said,) = found[2].user_instances, found[2].predicted_instances
    np.testing.assert_array_equal(placed.points["xy"], [xy[2, 0], [np.nan] * 2])
    np.testing.assert_array_equal(said.points["xy"], [[np.nan] * 2, xy[2, 1]])
    assert said.points["score"][1] == 0.5
    again = load_labels(tmp_path / "a.slp")
    assert again.is_predicted.tolist() == [[False] * 2, [True] * 2, [False] * 2]
    assert again.by_hand.tolist() == [[True] * 2, [False] * 2, [True, False]]
