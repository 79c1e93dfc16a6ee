"""Films beside the pictures, as the server has them: any frame, frames taken, and landmarks carried along."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pytest
import sleap_io
from fastapi.testclient import TestClient
from modelled import Patches, cut, texture, untrained
from PIL import Image
from serving import BEARER, client, draw, opened

from lead.config import Settings
from lead.studio.carry import REACH, carry, frame_before
from lead.studio.features import Exemplar, FeatureBank
from lead.studio.films import frame_file, taken_frame
from lead.studio.folder import PictureFolder, picture_id

FRAMES, SHIFT = 30, 2
SIZE = (96, 72)


def moving(path: Path, frames: int = FRAMES) -> Path:
    """A film of a texture that moves to the left by ``SHIFT`` pixels a frame."""
    whole = texture()
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264" if "libx264" in av.codecs_available else "mpeg4", rate=25)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        stream.bit_rate = 2_000_000
        for number in range(frames):
            pixels = np.asarray(whole.crop((SHIFT * number, 20, SHIFT * number + SIZE[0], 20 + SIZE[1])))
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")))
        container.mux(stream.encode())
    return path


def close(picture: npt.NDArray[Any], number: int) -> bool:
    """Whether a picture shows a frame: it is nearer to that than to its neighbours, a coded film being inexact."""
    whole = np.asarray(texture()).astype(float)

    def distance(n: int) -> float:
        part = whole[20 : 20 + SIZE[1], SHIFT * n : SHIFT * n + SIZE[0]]
        return float(np.abs(picture.astype(float) - part).mean())

    return distance(number) < min(distance(number - 1), distance(number + 1))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    draw(tmp_path / "pictures" / "a.png", (60, 50))
    moving(tmp_path / "pictures" / "sub" / "run.mp4")
    return tmp_path / "pictures"


def web(session: Any) -> TestClient:
    return client(session, headers=BEARER)


def pixels(content: bytes, tmp_path: Path) -> npt.NDArray[Any]:
    (tmp_path / "frame").write_bytes(content)
    return np.asarray(Image.open(tmp_path / "frame").convert("RGB"))


def test_a_film_is_listed_and_every_frame_is_to_be_had(folder: Path, tmp_path: Path) -> None:
    with opened(folder) as session:
        page = web(session)
        (entry,) = page.get("/api/films").json()
        assert entry == {"id": picture_id("sub/run.mp4"), "file": "sub/run.mp4"}
        film = page.get(f"/api/films/{entry['id']}").json()
        assert (film["width"], film["height"], film["frames"], film["taken"]) == (*SIZE, FRAMES, {})
        for number in (17, 3, 28):
            answer = page.get(f"/api/films/{entry['id']}/frames/{number}")
            assert answer.headers["content-type"] == "image/jpeg"
            assert close(pixels(answer.content, tmp_path), number)
        assert page.get(f"/api/films/{entry['id']}/frames/{FRAMES}").status_code == 400
        assert page.get(f"/api/films/{picture_id('a.png')}").status_code == 404


def test_frames_taken_are_pictures_of_the_folder(folder: Path) -> None:
    with opened(folder) as session:
        page, id = web(session), picture_id("sub/run.mp4")
        taken = page.post(f"/api/films/{id}/take", json={"numbers": [5, 12]}).json()["ids"]
        listed = {picture["id"]: picture["file"] for picture in page.get("/api/pictures").json()}
        files = ["sub/run/frame-000005.png", "sub/run/frame-000012.png"]
        assert [listed[one] for one in taken] == files
        for file, number in zip(files, (5, 12), strict=True):
            assert close(np.asarray(Image.open(folder / file)), number)
        assert page.get(f"/api/films/{id}").json()["taken"] == {"5": taken[0], "12": taken[1]}
        # What is there is not written over.
        Image.new("RGB", SIZE, "red").save(folder / files[0])
        assert page.post(f"/api/films/{id}/take", json={"numbers": [5]}).json()["ids"] == taken[:1]
        assert Image.open(folder / files[0]).getpixel((3, 3)) == (255, 0, 0)
        assert page.post(f"/api/films/{id}/take", json={"numbers": [FRAMES]}).status_code == 400
        assert page.post(f"/api/films/{id}/take", json={"numbers": list(range(501))}).status_code == 400


def sleap_labels(path: Path, film: str, *, embed: bool = False) -> Path:
    """Frames 3 and 12 by a person, 20 by a model, 99 of none that there is."""
    skeleton = sleap_io.Skeleton(["tip", "base"])
    video = sleap_io.load_video(film) if embed else sleap_io.Video(film, open_backend=False)
    user, model = sleap_io.Instance, sleap_io.PredictedInstance
    kinds = [(3, user), (12, user), (20, model)] + ([] if embed else [(99, user)])
    frames = [
        sleap_io.LabeledFrame(video, n, [kind.from_numpy(np.array([[n, 2.0], [n, 9.0]]), skeleton=skeleton)])
        for n, kind in kinds
    ]
    sleap_io.save_slp(sleap_io.Labels(frames), str(path), embed=embed)
    return path


def imported(page: TestClient, path: Path) -> dict[str, Any]:
    answer = page.post(f"/api/import?name={path.name}", content=path.read_bytes())
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_labels_on_frames_take_the_frames_out_as_they_are_imported(folder: Path, tmp_path: Path) -> None:
    labels = sleap_labels(tmp_path / "labels.slp", "D:/elsewhere/run.mp4")
    with opened(folder) as session:
        page = web(session)
        report = imported(page, labels)
        assert report["added"] == 4
        assert report["missing"] == ["D:/elsewhere/run.mp4#99"]
        listed = {picture["file"]: picture["id"] for picture in page.get("/api/pictures").json()}
        assert set(listed) == {"a.png", "sub/run/frame-000003.png", "sub/run/frame-000012.png"}
        for number in (3, 12):
            file = f"sub/run/frame-{number:06}.png"
            assert close(np.asarray(Image.open(folder / file)), number)
            points = page.get(f"/api/pictures/{listed[file]}").json()["labels"]["points"]
            assert points["tip"]["x"] == number
        again = imported(page, labels)
        assert (again["added"], again["same"]) == (0, 4)


def test_a_package_brings_its_frames_but_none_over_another_picture(folder: Path, tmp_path: Path) -> None:
    package = sleap_labels(tmp_path / "mine.pkg.slp", str(folder / "sub" / "run.mp4"), embed=True)
    (folder / "sub" / "run.mp4").unlink()
    draw(folder / "run" / "frame-000012.png", SIZE)
    before = (folder / "run" / "frame-000012.png").read_bytes()
    with opened(folder) as session:
        report = imported(web(session), package)
    assert report["added"] == 2
    assert [Path(name).name for name in report["missing"]] == ["run.mp4#12"]
    assert close(np.asarray(Image.open(folder / "run" / "frame-000003.png")), 3)
    assert (folder / "run" / "frame-000012.png").read_bytes() == before


def test_nothing_out_of_the_folder_is_read_or_written(folder: Path, tmp_path: Path) -> None:
    outside = moving(tmp_path / "elsewhere" / "secret.mp4", 3)
    (folder / "link.mp4").symlink_to(outside)
    moving(folder / "b.mp4", 3)
    (folder / "b").symlink_to(outside.parent)
    with opened(folder) as session:
        page = web(session)
        assert page.get(f"/api/films/{picture_id('link.mp4')}").status_code == 404
        assert page.get(f"/api/films/{picture_id('link.mp4')}/frames/0").status_code == 404
        assert page.post(f"/api/films/{picture_id('b.mp4')}/take", json={"numbers": [0]}).status_code == 400
    assert os.listdir(outside.parent) == ["secret.mp4"]  # noqa: PTH208 - names alone


def test_a_film_that_cannot_be_read_says_so(folder: Path) -> None:
    (folder / "broken.mp4").write_bytes(b"not a film" * 100)
    with opened(folder) as session:
        answer = web(session).get(f"/api/films/{picture_id('broken.mp4')}")
        assert answer.status_code == 400
        assert "Cannot read the film" in answer.json()["error"]


def test_names_of_frames() -> None:
    assert frame_file("run.mp4", 7, ["run.mp4"]) == "run/frame-000007.png"
    assert frame_file("a/run.mp4", 7, ["a/run.mp4", "a/run.avi"]) == "a/run_mp4/frame-000007.png"
    assert taken_frame("a/run/frame-000007.png") == ("a/run", 7)
    assert taken_frame("frame-000007.png") is None
    files = ["a/frame-000001.png", "a/frame-000009.png", "b/frame-000004.png", "a.png"]
    assert frame_before("a/frame-000008.png", files) == "a/frame-000001.png"
    assert frame_before("a/frame-000001.png", files) is None
    assert frame_before("a.png", files) is None


def test_landmarks_are_carried_to_where_they_have_moved(tmp_path: Path, tiny: Callable[..., Settings]) -> None:
    root = tmp_path / "pictures"
    for number, left in enumerate((40, 48, 90)):  # the third is too far on: nothing is looked for that far away
        cut(root / "run", f"frame-{number:06}.png", left, 50, *SIZE)
    bank = FeatureBank(untrained(tmp_path / "run", tiny(picture={"store": 96, "input": 96})), PictureFolder(root))
    bank.extractor.network = Patches()  # type: ignore[assignment]
    first, second, third = (bank.get(id) for id in bank.folder.ids)
    places = np.array([[60.0, 30.0], [66.0, 38.0], [np.nan, np.nan]])
    labelled = Exemplar.of(first, places)
    answer = carry(labelled, second)
    found = second.to_picture(answer.points[0].double().numpy())
    assert found[:2] == pytest.approx(places[:2] - (8, 0), abs=1.5)
    assert np.isnan(found[2]).all()
    assert answer.score[0, 2] == 0
    assert (answer.expected[0, :2] < answer.expected[0, 2]).all()
    far = third.to_picture(carry(labelled, third).points[0].double().numpy())[:2]
    assert np.hypot(*(far - places[:2]).T).max() <= (REACH + 0.05) * third.frame_px
