"""A folder that changes while it is being labelled: pictures added, taken out, and replaced; films beside them."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fastapi.testclient import TestClient
from modelled import cut, untrained, windows
from serving import BEARER, client, draw, name_landmarks, opened, wait_for

from lead.config import Settings
from lead.errors import LeadError
from lead.features import Extractor
from lead.images import build
from lead.images.rows import decode_row
from lead.studio import answers
from lead.studio.features import FeatureBank
from lead.studio.folder import LOOK_EVERY_S, Listing, PictureFolder, picture_id
from lead.studio.knowledge import Knowledge
from lead.studio.session import Session
from lead.training.run import Run

COUNT = 7


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that no test finds another's features."""
    monkeypatch.setenv("LEAD_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Seven windows of one texture; the third cannot be read."""
    windows(tmp_path / "pictures", COUNT)
    (tmp_path / "pictures" / "02.png").write_bytes(b"no picture")
    return tmp_path / "pictures"


@pytest.fixture
def run(tmp_path: Path, tiny: Callable[..., Settings]) -> Run:
    return untrained(tmp_path / "run", tiny(picture={"store": 96, "input": 64}))


@pytest.fixture
def session(pictures: Path) -> Iterator[Session]:
    with opened(pictures, load_after_s=600) as session:
        yield session


@pytest.fixture
def web(session: Session) -> Iterator[TestClient]:
    with client(session, headers=BEARER) as web:
        yield web


def good(answer: Any) -> Any:
    assert answer.status_code == 200, answer.text
    return answer.json()


def look(web: TestClient) -> dict[str, int]:
    found: dict[str, int] = good(web.post("/api/folder/look"))
    return found


def listed(web: TestClient) -> dict[str, dict[str, Any]]:
    return {picture["file"]: picture for picture in good(web.get("/api/pictures"))}


def label(web: TestClient, file: str, x: float = 20.0) -> None:
    points = {name: {"state": "visible", "x": x + 5 * i, "y": 30.0} for i, name in enumerate(("left", "right"))}
    base = good(web.get(f"/api/pictures/{picture_id(file)}"))["labels"]["version"]
    good(web.patch(f"/api/pictures/{picture_id(file)}/labels", json={"base": base, "points": points}))


# --- what is listed --------------------------------------------------------------------------------------------------


def test_a_picture_that_is_added_is_there(web: TestClient, session: Session, pictures: Path) -> None:
    name_landmarks(web)
    before = list(listed(web))
    draw(pictures / "new" / "10.png", (50, 40), seed=1)
    draw(pictures / "new" / "9.png", (50, 40), seed=2)
    assert list(listed(web)) == before
    with session.events.subscribe({"folder"}) as told:
        assert look(web) == {"added": 2, "removed": 0, "replaced": 0}
        event = told.get(1)
        assert event is not None
        assert event.data == {"added": 2, "removed": 0, "replaced": 0}
        assert look(web) == {"added": 0, "removed": 0, "replaced": 0}
        assert told.get(0) is None
    assert list(listed(web)) == [*before, "new/9.png", "new/10.png"]
    assert good(web.get(f"/api/pictures/{picture_id('new/9.png')}"))["width"] == 50
    label(web, "new/9.png")
    assert listed(web)["new/9.png"]["complete"]


def test_labels_of_a_picture_that_is_taken_out_are_kept(web: TestClient, pictures: Path, tmp_path: Path) -> None:
    name_landmarks(web)
    label(web, "00.png")
    label(web, "01.png")
    shutil.move(pictures / "00.png", tmp_path / "00.png")
    assert look(web) == {"added": 0, "removed": 1, "replaced": 0}
    assert "00.png" not in listed(web)
    assert web.get(f"/api/pictures/{picture_id('00.png')}").status_code == 404
    state = good(web.get("/api/state"))
    assert (state["missing"], state["complete"]) == (["00.png"], 1)
    label(web, "01.png", 25)  # the label file is written meanwhile
    shutil.move(tmp_path / "00.png", pictures / "00.png")
    look(web)
    labels = good(web.get(f"/api/pictures/{picture_id('00.png')}"))["labels"]
    assert labels["points"]["left"]["x"] == 20.0
    assert good(web.get("/api/state"))["missing"] == []


def test_a_picture_that_is_replaced_is_read_anew(web: TestClient, pictures: Path) -> None:
    id = picture_id("02.png")
    assert web.get(f"/api/pictures/{id}/image", params={"side": 128}).status_code == 400
    assert "not a picture" in listed(web)["02.png"]["unreadable"]
    cut(pictures, "02.png", 50, 50, 64, 48)
    other = listed(web)["03.png"]["stamp"]
    assert look(web) == {"added": 0, "removed": 0, "replaced": 1}
    picture = listed(web)["02.png"]
    assert picture["unreadable"] is None
    assert good(web.get("/api/state"))["unreadable"] == []
    detail = good(web.get(f"/api/pictures/{id}"))
    assert (detail["width"], detail["height"]) == (64, 48)
    first = web.get(f"/api/pictures/{id}/image", params={"side": 128, "stamp": picture["stamp"]})
    assert first.headers["cache-control"].endswith("immutable")

    cut(pictures, "02.png", 60, 50, 48, 64)
    look(web)
    stamp = listed(web)["02.png"]["stamp"]
    assert stamp != picture["stamp"]
    second = web.get(f"/api/pictures/{id}/image", params={"side": 128, "stamp": stamp})
    assert second.content != first.content
    assert listed(web)["03.png"]["stamp"] == other


def test_films_are_told(web: TestClient, pictures: Path, session: Session) -> None:
    assert good(web.get("/api/state"))["films"] == []
    for name in ("flies 10.mp4", "flies 9.MP4", "notes.txt", ".hidden.mp4"):
        (pictures / name).write_bytes(b"")
    with session.events.subscribe({"folder"}) as told:
        look(web)
        assert told.get(1) is not None
    assert good(web.get("/api/state"))["films"] == ["flies 9.MP4", "flies 10.mp4"]


def test_a_folder_that_is_gone_for_a_while_changes_nothing(web: TestClient, pictures: Path, tmp_path: Path) -> None:
    before = listed(web)
    pictures.rename(tmp_path / "elsewhere")
    answer = web.post("/api/folder/look")
    assert answer.status_code == 400
    assert "No folder" in answer.json()["error"]
    pictures.mkdir()  # as a disk that is not mounted leaves it
    assert "No picture" in web.post("/api/folder/look").json()["error"]
    assert listed(web) == before
    pictures.rmdir()
    (tmp_path / "elsewhere").rename(pictures)
    assert look(web) == {"added": 0, "removed": 0, "replaced": 0}


def test_unasked_it_is_not_looked_at_all_the_time(
    web: TestClient, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    by_itself = {"at_once": False}
    assert good(web.post("/api/folder/look", params=by_itself))["added"] == 0
    draw(pictures / "new.png")
    now[0] += LOOK_EVERY_S / 2
    assert good(web.post("/api/folder/look", params=by_itself))["added"] == 0
    now[0] += LOOK_EVERY_S
    assert good(web.post("/api/folder/look", params=by_itself))["added"] == 1
    draw(pictures / "newer.png")
    assert look(web)["added"] == 1  # the button: at once

    list_it = Listing.of

    def slow(*asked: Any) -> Listing:
        now[0] += 3.0
        return list_it(*asked)

    monkeypatch.setattr(Listing, "of", slow)
    look(web)
    now[0] += 100 * 3.0 - 4.0
    draw(pictures / "newest.png")
    assert good(web.post("/api/folder/look", params=by_itself))["added"] == 0


def test_what_was_unreadable_of_another_file_is_not_said_of_this_one(pictures: Path) -> None:
    folder = PictureFolder(pictures)
    before = folder.listing
    cut(pictures, "02.png", 50, 50, 64, 48)
    folder.look_again()
    folder.note_unreadable(picture_id("02.png"), "by somebody who had begun before", before)
    assert folder.unreadable == []
    folder.note_unreadable(picture_id("02.png"), "now", folder.listing)
    folder.note_unreadable(picture_id("not here.png"), "gone meanwhile", before)
    assert folder.unreadable == [("02.png", "now")]


# --- what the model makes of it --------------------------------------------------------------------------------------


def change_all(pictures: Path) -> None:
    """One is added at the front, one repaired, one replaced by another, one taken out."""
    cut(pictures, "0.png", 45, 45, 96, 72)
    cut(pictures, "02.png", 50, 50, 72, 96)
    cut(pictures, "04.png", 60, 42, 80, 80)
    (pictures / "05.png").unlink()


def test_only_what_changed_is_decoded_and_computed(pictures: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = PictureFolder(pictures)
    bank = FeatureBank(run, folder)
    bank.work()
    change_all(pictures)
    assert folder.look_again().replaced == ("02.png", "04.png")

    decoded: list[str] = []
    computed: list[int] = []
    features = Extractor.features

    def noting(path: Path, *how: Any) -> Any:
        decoded.append(path.name)
        return decode_row(path, *how)

    def counting(self: Extractor, pixels: torch.Tensor) -> torch.Tensor:
        computed.append(len(pixels))
        return features(self, pixels)

    monkeypatch.setattr(build, "decode_row", noting)
    monkeypatch.setattr(Extractor, "features", counting)
    after = FeatureBank(run, folder, before=bank)
    after.work()
    assert sorted(decoded) == ["0.png", "02.png", "04.png"]
    assert sum(computed) == 3
    monkeypatch.undo()

    monkeypatch.setenv("LEAD_CACHE", str(pictures.parent / "another cache"))
    afresh = FeatureBank(run, folder)
    afresh.work()
    one, other = after.finished(), afresh.finished()
    assert one is not None
    assert other is not None
    assert one[0].files == other[0].files == tuple(sorted(folder.files))
    assert one[0].digest == other[0].digest
    assert np.array_equal(one[0].pixels, other[0].pixels)
    assert np.array_equal(one[0].sizes, other[0].sizes)
    assert np.allclose(one[1], other[1], atol=2e-3, rtol=2e-3)


def test_a_picture_that_came_can_be_asked_for_at_once(pictures: Path, run: Run) -> None:
    folder = PictureFolder(pictures)
    bank = FeatureBank(run, folder)
    bank.work()
    earlier = bank.get(picture_id("04.png"))
    change_all(pictures)
    folder.look_again()
    later = FeatureBank(run, folder, before=bank)
    later.work()
    for file in ("0.png", "02.png", "03.png", "04.png"):
        now, then = bank.get(picture_id(file)), later.get(picture_id(file))
        assert now.size == then.size
        assert np.allclose(now.features, then.features, atol=2e-3, rtol=2e-3)
    assert bank.get(picture_id("04.png")).size == (80, 80) != earlier.size
    with pytest.raises(LeadError, match="No picture has the id"):
        bank.get(picture_id("05.png"))


def predicted(knowledge: Knowledge) -> dict[str, tuple[int, int]]:
    found = answers.predictions(knowledge, sort="name", offset=0, limit=100)
    return {each.file: (each.width, each.height) for each in found.pictures}


def test_review_and_choices_follow(pictures: Path, run: Run) -> None:
    with opened(pictures, run=run.folder, load_after_s=0) as session, client(session, headers=BEARER) as web:
        name_landmarks(web)
        for file in ("00.png", "04.png", "05.png"):
            label(web, file)

        def settled(labelled: int) -> bool:
            knowledge = session.knowledge
            fit, review = knowledge.fit, knowledge.review
            if fit is None or review is None or not knowledge.fit_is_current or review.model != fit.number:
                return False
            return review.listing is session.folder.listing and answers.status(knowledge).fitted_to == labelled

        wait_for(lambda: settled(3), "predictions of all pictures")
        assert list(predicted(session.knowledge)) == ["00.png", "01.png", "03.png", "04.png", "05.png", "06.png"]
        assert listed(web)["02.png"]["unreadable"]

        change_all(pictures)
        look(web)
        # Before anything is made anew: what is gone, or another, is no longer spoken of.
        assert {"04.png", "05.png"}.isdisjoint(predicted(session.knowledge)) or settled(2)
        label(web, "01.png")  # labelling goes on
        suggested = good(web.get(f"/api/pictures/{picture_id('0.png')}/suggestions"))
        assert suggested["points"]

        wait_for(lambda: settled(3), "predictions of what is there now")
        sizes = predicted(session.knowledge)
        assert list(sizes) == ["0.png", "00.png", "01.png", "02.png", "03.png", "04.png", "06.png"]
        assert sizes["02.png"] == (72, 96)
        assert sizes["04.png"] == (80, 80)
        assert all(picture["expected"] is not None for picture in listed(web).values())
        chosen: set[str] = set()
        for _ in range(4):
            chosen.add(good(web.get("/api/next", params={"skip": ",".join(chosen)}))["id"])
        assert {picture_id(file) for file in ("0.png", "02.png", "03.png", "06.png")} == chosen
        wait_for(lambda: not session.knowledge.behind, "the second look, which must not go on when all ends")
