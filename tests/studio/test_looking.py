"""Further looks: drawn by seed, kept apart from the labels by person, gone on with, and compared."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from serving import BEARER, NAMES, client, draw, name_landmarks, opened

from lead.landmarks.looks import beside
from lead.morphometrics.second_looks import files_of, gathered_looks
from lead.studio.folder import picture_id
from lead.studio.looking import drawn
from lead.studio.session import Session

FILES = [f"{row}.png" for row in range(6)]


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    for file in FILES:
        draw(tmp_path / file, (60, 40))
    with opened(tmp_path) as session:
        yield session


@pytest.fixture
def web(session: Session) -> Iterator[TestClient]:
    """A client, with five pictures labelled of which one is skipped and one was only accepted."""
    with client(session, headers=BEARER) as web:
        name_landmarks(web)
        for i, file in enumerate(FILES[:5]):
            point = {"state": "visible", "x": 10.0 + i, "y": 20.0, "accepted": i == 4}
            change = {"base": 0, "points": {"left": point, "right": point}, "tags": ["skip"] if i == 3 else []}
            base = good(web.get(f"/api/pictures/{picture_id(file)}"))["labels"]["version"]
            good(web.patch(f"/api/pictures/{picture_id(file)}/labels", json=change | {"base": base}))
        yield web


def good(answer: Any) -> Any:
    assert answer.status_code == 200, answer.text
    return answer.json()


def error(answer: Any, status: int = 400) -> str:
    assert answer.status_code == status, answer.text
    return str(answer.json()["error"])


def begin(web: TestClient, person: str = "Anna", **others: Any) -> Any:
    return good(web.post("/api/looks", json={"person": person, "pictures": 2, "first_by": "Anna"} | others))


def put(web: TestClient, series: Any, x: float, y: float = 20.0, picture: str = "") -> Any:
    """Places both landmarks on the next picture."""
    picture = picture or series["left"][0]
    points = {name: {"state": "visible", "x": x, "y": y} for name in NAMES}
    return web.put(f"/api/looks/{series['id']}/pictures/{picture}", json={"points": points})


def test_a_look_leaves_the_labels_alone_and_is_compared_with_them(web: TestClient, session: Session) -> None:
    before = session.book.file.read_bytes()
    state = good(web.get("/api/looks"))
    assert (state["labelled"], state["refused"], state["series"]) == (3, None, [])
    series = begin(web)
    assert (series["number"], series["done"], series["total"], len(series["left"])) == (2, 0, 2, 2)
    first, second = series["left"]
    x = 10.0 + next(i for i, file in enumerate(FILES) if picture_id(file) == first)
    series = good(put(web, series, x + 3, 24))
    assert (series["done"], series["left"]) == (1, [second])
    result = good(web.get(f"/api/looks/{series['id']}/result"))
    assert [(one["name"], one["mean_px"], one["most_in"], one["pictures"]) for one in result["differences"]] == [
        (name, pytest.approx(5), first, 1) for name in NAMES
    ]
    assert session.book.file.read_bytes() == before
    assert good(put(web, series, x, 20, first))["done"] == 1, "said again, it stands in place of what was said"
    assert good(web.get(f"/api/looks/{series['id']}/result"))["differences"][0]["mean_px"] == 0


def test_the_command_reads_what_the_page_keeps(web: TestClient, session: Session) -> None:
    series = begin(web, pictures=3)
    for x in (5, 6):
        series = good(put(web, series, x))
    ben = good(put(web, begin(web, "Ben", pictures=3), 7))
    assert (ben["number"], ben["total"]) == (1, 3)
    found = gathered_looks(files_of([str(session.folder.root)]))
    assert found.people == ("Anna", "Anna", "Ben")
    assert sorted(found.xy[1, :, 0, 0].tolist()) == [5, 6]
    top = json.loads(Path(ben["file"]).read_text(encoding="utf-8"))
    assert top["look"]["labels"] == session.book.file.name
    assert list(top["look"]["looked"]) == [FILES[[picture_id(file) for file in FILES].index(series_first(top))]]
    assert top["images"][0]["width"] == 60


def series_first(top: Any) -> str:
    return picture_id(top["look"]["pictures"][0])


def test_a_look_can_be_gone_on_with_and_names_are_kept_apart(web: TestClient, session: Session) -> None:
    put(web, begin(web), 5)
    (known,) = good(web.get("/api/looks"))["series"]
    assert (known["done"], len(known["left"])) == (1, 1)
    again = begin(web, " anna ")
    assert (again["person"], again["number"], again["id"] != known["id"]) == ("Anna", 3, True)
    assert begin(web, "Cleo", first_by="")["number"] == 1
    assert "Say who looks" in error(web.post("/api/looks", json={"person": "  ", "pictures": 1}))
    assert "Give 1 or more" in error(web.post("/api/looks", json={"person": "Anna", "pictures": 0}))
    assert len(beside(session.book.file)) == 3


def test_what_cannot_be_kept_is_told(web: TestClient) -> None:
    series = begin(web)
    other = next(id for id in map(picture_id, FILES) if id not in series["left"])
    assert "was not drawn for this look" in error(put(web, series, 5, picture=other))
    assert error(put(web, series, 500))
    assert "not there any more" in error(web.get("/api/looks/none/result"), 404)
    now = good(web.get("/api/landmarks"))
    renamed = [{**one, "name": f"{one['name']} 2"} for one in now["landmarks"]]
    renames = {one["name"]: f"{one['name']} 2" for one in now["landmarks"]}
    good(web.put("/api/landmarks", json=now | {"landmarks": renamed, "renamed": renames}))
    assert "The landmarks have changed since this look began" in error(put(web, series, 5))
    Path(series["file"]).write_text('{"look": {"person": "Anna"}}', encoding="utf-8")
    state = good(web.get("/api/looks"))
    assert state["series"] == []
    assert "'look' has no 'number'" in state["problems"][0]


def test_without_labels_or_with_several_specimens_there_is_no_look(tmp_path: Path) -> None:
    draw(tmp_path / "a.png")
    with opened(tmp_path) as session, client(session, headers=BEARER) as web:
        landmarks = name_landmarks(web)
        assert "No picture has a label" in good(web.get("/api/looks"))["refused"]
        assert "No picture has a label" in error(web.post("/api/looks", json={"person": "Anna", "pictures": 1}))
        good(web.put("/api/landmarks", json=landmarks | {"several": True}))
        assert "several specimens" in good(web.get("/api/looks"))["refused"]


def test_pictures_are_drawn_by_seed_and_stay_drawn_when_more_are_labelled() -> None:
    files = [f"{i}.jpg" for i in range(40)]
    order = drawn(files, 0)
    assert sorted(order) == sorted(files)
    assert order != files
    assert order == drawn(files[::-1], 0) != drawn(files, 1)
    fewer = drawn(files[:30], 0)
    assert fewer == [file for file in order if file in files[:30]]
