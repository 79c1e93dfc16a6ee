"""The server: every route, what happens told live, errors, the page's files, and an orderly end."""

from __future__ import annotations

import http.client
import io
import json
import struct
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image
from serving import BEARER, NAMES, TOKEN, client, draw, name_landmarks, opened, served, wait_for

from lead.images.labels import load_labels
from lead.landmarks.formats import WRITTEN
from lead.studio import labelfile, transfer
from lead.studio.folder import picture_id
from lead.studio.messages import Problem, State
from lead.studio.page_files import STATIC
from lead.studio.session import Session

ROUTES = """/state /events /folder/look /pictures /pictures/{id} /pictures/{id}/image /pictures/{id}/tile
/pictures/{id}/labels /pictures/{id}/suggestions /pictures/{id}/up /next /predictions /disputes /explore /landmarks
/import /formats /export /export/model /history /history/{id}/restore /reload /keep /training /training/cancel /runs
/runs/open /runs/{id}/open /landmarks/progress /films /films/{id} /films/{id}/frames/{number} /films/{id}/take /looks
/looks/{id}/pictures/{picture} /looks/{id}/result
/pictures/{id}/measurements /pictures/{id}/scale /pictures/{id}/measures /pictures/{id}/measures/remove
/export/measurements"""


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    for row in range(4):
        draw(tmp_path / "My pictures" / f"{row}.png", (60, 40), seed=row)
    with opened(tmp_path / "My pictures") as session:
        yield session


@pytest.fixture
def web(session: Session) -> Iterator[TestClient]:
    with client(session, headers=BEARER) as web:
        yield web


def good(answer: Any) -> Any:
    assert answer.status_code == 200, answer.text
    return answer.json()


def problem(answer: Any, status: int) -> Problem:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    found = Problem.model_validate(answer.json())
    assert found.error
    assert "Traceback" not in found.error
    return found


def point(x: float, y: float, state: str = "visible") -> dict[str, Any]:
    return {"state": state, "x": x, "y": y, "accepted": False}


def label(web: Any, id: str, **points: Any) -> Any:
    base = good(web.get(f"/api/pictures/{id}"))["labels"]["version"]
    return good(web.patch(f"/api/pictures/{id}/labels", json={"base": base, "points": points}))


# --- labels ----------------------------------------------------------------------------------------------------------


def test_several_specimens_of_a_picture(web: TestClient, session: Session) -> None:
    landmarks = name_landmarks(web)
    id = session.folder.ids[0]
    picture, change = f"/api/pictures/{id}", f"/api/pictures/{id}.{{}}/labels"
    problem(web.patch(change.format(5), json={"base": 0, "points": {"left": point(1, 2)}}), 400)
    assert good(web.put("/api/landmarks", json=landmarks | {"several": True}))["several"]
    first = good(web.patch(change.format(5), json={"base": 0, "points": {"left": point(1, 2)}}))
    second = good(web.patch(change.format(6), json={"base": 0, "points": {"left": point(9, 9)}, "track": "7"}))
    detail = good(web.get(picture))
    assert (detail["specimens"], detail["labels"]["points"]) == ([first, second], {})
    assert (second["id"], second["track"], second["box"], second["gone"]) == (f"{id}.6", "7", None, False)
    problem(web.patch(f"{picture}/labels", json={"base": 0, "points": {"left": point(1, 2)}}), 400)
    base = detail["labels"]["version"]
    assert good(web.patch(f"{picture}/labels", json={"base": base, "complete": True}))["complete"]
    problem(web.put("/api/landmarks", json=good(web.get("/api/landmarks")) | {"several": False}), 400)
    assert good(web.patch(change.format(5), json={"base": first["version"], "remove": True}))["gone"]
    found = problem(web.patch(change.format(5), json={"base": 1, "points": {"left": point(3, 3)}}), 409)
    assert found.labels is not None
    assert found.labels.gone
    (listed, *_) = good(web.get("/api/pictures"))
    assert (listed["specimens"], listed["labelled"], listed["complete"]) == (1, 1, True)
    assert [mark["pictures"] for mark in good(web.get("/api/landmarks/progress"))] == [1, 1]


def test_from_nothing_to_labels(web: TestClient, session: Session) -> None:
    state = State.model_validate(good(web.get("/api/state")))
    assert (state.pictures, state.complete, state.begun, state.problem) == (4, 0, 0, None)
    assert Path(state.label_file) == session.folder.root / "annotations.json"
    assert [picture["file"] for picture in good(web.get("/api/pictures"))] == [f"{row}.png" for row in range(4)]
    name_landmarks(web)
    assert [each["name"] for each in good(web.get("/api/landmarks"))["landmarks"]] == list(NAMES)
    first, second, *_ = session.folder.ids
    label(web, first, left=point(10.123456789, 20.5), right=point(30, 21, "hidden"))
    label(web, second, left={"state": "absent"})
    detail = good(web.get(f"/api/pictures/{first}"))
    assert (detail["width"], detail["height"]) == (60, 40)
    assert detail["labels"]["points"]["left"] == point(10.123456789, 20.5)
    state = State.model_validate(good(web.get("/api/state")))
    assert (state.complete, state.begun) == (1, 1)
    listed = {picture["id"]: picture for picture in good(web.get("/api/pictures"))}
    assert (listed[first]["labelled"], listed[first]["complete"]) == (2, True)
    assert (listed[second]["labelled"], listed[second]["complete"]) == (1, False)
    saved = load_labels(session.book.file)  # what was answered is on the disk
    np.testing.assert_array_equal(saved.xy[saved.images.index("0.png")], [[10.123456789, 20.5], [30, 21]])


def test_two_tabs_and_a_conflict(web: TestClient, session: Session) -> None:
    name_landmarks(web)
    change = f"/api/pictures/{session.folder.ids[0]}/labels"
    base = good(web.get(f"/api/pictures/{session.folder.ids[0]}"))["labels"]["version"]
    first = good(web.patch(change, json={"base": base, "points": {"left": point(1, 2)}}))
    found = problem(web.patch(change, json={"base": base, "points": {"left": point(3, 4)}}), 409)
    assert found.labels is not None
    assert found.labels.model_dump() == first
    again = {"base": found.labels.version, "points": {"left": point(3, 4)}}
    assert good(web.patch(change, json=again))["points"]["left"]["x"] == 3


def test_landmarks_in_conflict(web: TestClient, session: Session) -> None:
    now = name_landmarks(web)
    label(web, session.folder.ids[0], left=point(1, 2))
    stale = problem(web.put("/api/landmarks", json={**now, "version": now["version"] - 1, "skeleton": [NAMES]}), 409)
    assert stale.landmarks is not None
    assert stale.landmarks.version == now["version"]
    fewer = {**now, "landmarks": now["landmarks"][1:]}
    assert problem(web.put("/api/landmarks", json=fewer), 409).dropped == {"left": 1}
    assert len(good(web.put("/api/landmarks", json={**fewer, "drop_labels": True}))["landmarks"]) == 1


def test_history(web: TestClient, session: Session) -> None:
    name_landmarks(web)
    id = session.folder.ids[0]
    label(web, id, left=point(1, 2))
    now = good(web.get("/api/landmarks"))
    renamed = [{**each, "name": each["name"].upper()} for each in now["landmarks"]]
    body = {**now, "landmarks": renamed, "renamed": {name: name.upper() for name in NAMES}}
    good(web.put("/api/landmarks", json=body))
    latest = good(web.get("/api/history"))[0]
    state = good(web.post(f"/api/history/{latest['id']}/restore"))
    assert [each["name"] for each in state["landmarks"]["landmarks"]] == list(NAMES)
    assert good(web.get(f"/api/pictures/{id}"))["labels"]["points"] == {"left": point(1, 2)}
    problem(web.post("/api/history/nonsense/restore"), 404)
    problem(web.post(f"/api/history/{quote('../../annotations', safe='')}/restore"), 404)  # no such route


def test_another_program_writes_the_label_file(web: TestClient, session: Session) -> None:
    name_landmarks(web)
    id = session.folder.ids[0]
    label(web, id, left=point(1, 2))
    file = session.book.file
    ours, theirs = file.read_text(), file.read_text().replace("left", "LEFT")
    for route, expected in (("reload", "LEFT"), ("keep", "left")):
        file.write_text(theirs if route == "reload" else ours.replace("left", "other"))
        base = good(web.get(f"/api/pictures/{id}"))["labels"]["version"]
        names = [each["name"] for each in good(web.get("/api/landmarks"))["landmarks"]]
        body = {"base": base, "points": {names[1]: point(5, 5)}}
        problem(web.patch(f"/api/pictures/{id}/labels", json=body), 409)
        assert good(web.get("/api/state"))["foreign"]
        state = good(web.post(f"/api/{route}"))
        assert (state["foreign"], state["problem"]) == (False, None)
        if route == "reload":
            assert state["landmarks"]["landmarks"][0]["name"] == expected
            file.write_text(ours)
            good(web.post("/api/reload"))
    assert load_labels(file).schema.names[0] == "left"


def test_a_full_disk(web: TestClient, session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    name_landmarks(web)
    id = session.folder.ids[0]
    base = good(web.get(f"/api/pictures/{id}"))["labels"]["version"]
    body = {"base": base, "points": {"left": point(1, 2)}}

    def full(*_: Any, **__: Any) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(labelfile, "replacing", full)
        assert "No space left" in problem(web.patch(f"/api/pictures/{id}/labels", json=body), 507).error
    assert "No space left" in good(web.get("/api/state"))["problem"]
    assert good(web.patch(f"/api/pictures/{id}/labels", json=body))["points"]["left"] == point(1, 2)
    assert good(web.get("/api/state"))["problem"] is None


# --- files -----------------------------------------------------------------------------------------------------------


def test_export_and_import(web: TestClient, session: Session, tmp_path: Path) -> None:
    problem(web.get("/api/export", params={"format": "csv"}), 400)
    name_landmarks(web)
    label(web, session.folder.ids[0], left=point(10.25, 20.5), right=point(30, 21, "hidden"))
    formats = good(web.get("/api/formats"))
    assert "coco" in [each["name"] for each in formats]
    for each in formats:
        answer = web.get("/api/export", params={"format": each["name"]})
        assert answer.status_code == 200
        name = f"My-pictures-labels{transfer.ending(each['name'])}"
        assert name.endswith(each["extension"])
        assert answer.headers["content-disposition"] == f'attachment; filename="{name}"'
        path = tmp_path / f"{each['name']}{each['extension']}"
        path.write_bytes(answer.content)
        if path.suffix != ".zip":
            read = load_labels(path, pictures=session.folder.root)
            precision = next(known.precision for known in WRITTEN if known.name == each["name"])
            np.testing.assert_allclose(read.xy[0], [[10.25, 20.5], [30.0, 21.0]], atol=precision)
    file = (tmp_path / "coco.json").read_bytes()
    assert good(web.post("/api/import", content=file))["same"] == 2
    label(web, session.folder.ids[0], left=None)
    assert good(web.post("/api/import?what=labels", content=file))["added"] == 1
    assert "mine.csv" in problem(web.post("/api/import?name=mine.csv", content=b"\xff\x00 no labels"), 400).error
    problem(web.post("/api/import?what=everything", content=file), 422)
    assert "nonsense" in problem(web.get("/api/export?format=nonsense"), 400).error
    problem(web.get("/api/export?format=csv&what=predictions"), 400)
    problem(web.get("/api/export/model"), 400)


def test_an_import_may_be_larger_than_other_requests(web: TestClient) -> None:
    names = ", ".join(f'"{n}"' for n in NAMES)
    padding = " " * (2 * 2**20)
    category = f'{{"id": 1, "name": "x", "keypoints": [{names}]}}'
    file = f'{{"images": [], "annotations": [], {padding} "categories": [{category}]}}'
    assert good(web.post("/api/import?what=landmarks", content=file.encode()))["landmarks"] == 2
    too_long = {"Content-Length": str(65 * 2**20)}
    problem(web.post("/api/import", content=b"{}", headers=too_long), 413)


# --- pictures --------------------------------------------------------------------------------------------------------


def test_pictures_are_kept_by_the_browser(web: TestClient, session: Session) -> None:
    id = session.folder.ids[0]
    for address in (f"/api/pictures/{id}/image?side=128", f"/api/pictures/{id}/tile?column=0&row=0"):
        answer = web.get(address)
        assert Image.open(io.BytesIO(answer.content)).size == (60, 40)
        tag = answer.headers["etag"]
        assert answer.headers["cache-control"] == "private, max-age=60"
        again = web.get(address, headers={"If-None-Match": tag})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
        stamped = web.get(f"{address}&stamp={session.pictures.stamp(id)}")
        assert "immutable" in stamped.headers["cache-control"]
        draw(session.folder.path(id), (60, 40), seed=99)
        assert web.get(address, headers={"If-None-Match": tag}).status_code == 200
    problem(web.get(f"/api/pictures/{id}/image?side=129"), 400)
    problem(web.get(f"/api/pictures/{id}/image?side=big"), 422)
    problem(web.get(f"/api/pictures/{id}/tile?column=1&row=0"), 400)


OTHERS = (
    *("0" * 12, "..", "0.png", "%2e%2e%2f0.png", "..%2f..%2fetc%2fhostname", "%00", "é"),
    *("..%5c0.png", "%252e%252e%252f0.png", "%2fetc%2fhostname", "0.png%00", "C:%5cWindows", "%ff", "%ed%a0%80"),
)


@pytest.mark.parametrize("id", OTHERS)
def test_no_picture_but_those_of_the_folder(web: TestClient, id: str) -> None:
    for rest in ("", "/image?side=128", "/tile?column=0&row=0", "/suggestions"):
        problem(web.get(f"/api/pictures/{id}{rest}"), 404)


def test_a_link_that_leads_out_is_not_followed(web: TestClient, session: Session, tmp_path: Path) -> None:
    secret = draw(tmp_path / "secret.png")
    id = session.folder.ids[0]
    session.folder.path(id).unlink()
    session.folder.root.joinpath("0.png").symlink_to(secret)
    for rest in ("", "/image?side=128", "/tile?column=0&row=0"):
        problem(web.get(f"/api/pictures/{id}{rest}"), 404)


def test_links_that_lead_out_have_no_address(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    draw(outside / "secret.png")
    draw(root / "own.png")
    (root / "file.png").symlink_to(outside / "secret.png")
    (root / "folder").symlink_to(outside)
    with opened(root) as session, client(session, headers=BEARER) as web:
        assert [picture["file"] for picture in good(web.get("/api/pictures"))] == ["own.png"]
        assert {file for file, _ in good(web.get("/api/state"))["unreadable"]} == {"file.png", "folder/secret.png"}
        for file in ("file.png", "folder/secret.png", "../outside/secret.png", str(outside / "secret.png")):
            for rest in ("", "/image?side=128", "/tile?column=0&row=0"):
                problem(web.get(f"/api/pictures/{picture_id(file)}{rest}"), 404)


def test_a_picture_that_says_it_is_too_large_is_not_decoded(web: TestClient, session: Session) -> None:
    """Of one bit a pixel, so that no other program suffers from it."""
    id = session.folder.ids[1]
    chunks = (b"IHDR", struct.pack(">IIBBBBB", 14_000, 14_000, 1, 0, 0, 0, 0)), (b"IDAT", zlib.compress(bytes(1000)))
    written = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    session.folder.path(id).write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(written))
    for rest in ("", "/image?side=128", "/image?side=2048", "/tile?column=0&row=0"):
        assert "1.png" in problem(web.get(f"/api/pictures/{id}{rest}"), 400).error
    assert good(web.get("/api/state"))["unreadable"][0][0] == "1.png"


@pytest.mark.parametrize("size", [(1, 10_000), (10_000, 1)])
def test_a_picture_that_is_a_line(web: TestClient, session: Session, size: tuple[int, int]) -> None:
    id = session.folder.ids[2]
    draw(session.folder.path(id), size)
    detail = good(web.get(f"/api/pictures/{id}"))
    assert (detail["width"], detail["height"]) == size
    for side in (128, 320, 1024, 2048):
        shown = Image.open(io.BytesIO(web.get(f"/api/pictures/{id}/image?side={side}").content))
        assert sorted(shown.size) == [1, side]
    last = 10_000 // 512
    column, row = (last, 0) if size[0] > 1 else (0, last)
    tile = Image.open(io.BytesIO(web.get(f"/api/pictures/{id}/tile?column={column}&row={row}").content))
    assert sorted(tile.size) == [1, 10_000 - 512 * last]


def test_a_damaged_picture(web: TestClient, session: Session) -> None:
    id = session.folder.ids[2]
    session.folder.path(id).write_bytes(b"no picture")
    assert "2.png" in problem(web.get(f"/api/pictures/{id}/image?side=128"), 400).error
    assert good(web.get("/api/state"))["pictures"] == 3
    assert good(web.get("/api/state"))["unreadable"][0][0] == "2.png"
    assert [p["id"] for p in good(web.get("/api/pictures")) if p["unreadable"]] == [id]


# --- the model side, as long as there are no features ----------------------------------------------------------------


def test_without_features(web: TestClient, session: Session) -> None:
    name_landmarks(web)
    first, second, *_ = session.folder.ids
    assert good(web.get(f"/api/pictures/{first}/suggestions"))["waiting_for"]
    assert good(web.get("/api/predictions?sort=name&offset=0&limit=5"))["waiting_for"]
    assert good(web.get("/api/disputes"))["waiting_for"]
    assert good(web.get(f"/api/explore?id={first}&x=1.5&y=2"))["waiting_for"]
    assert good(web.get(f"/api/next?after={first}"))["id"] in session.folder.ids[1:]
    assert good(web.get(f"/api/next?skip={first},{second}"))["id"] in session.folder.ids[2:]
    problem(web.get(f"/api/explore?id={first}&x=nan&y=2"), 422)
    problem(web.get("/api/predictions?sort=wrong"), 422)
    problem(web.get("/api/predictions?offset=-1"), 422)


def test_training_routes(web: TestClient) -> None:
    assert "small" in problem(web.post("/api/training", json={"preset": "nonsense"}), 400).error
    assert good(web.post("/api/training/cancel"))["state"] == "none"
    assert good(web.get("/api/training"))["presets"]
    assert isinstance(good(web.get("/api/runs")), list)
    problem(web.post("/api/runs/nonsense/open"), 404)


# --- errors ----------------------------------------------------------------------------------------------------------


def test_errors_read_well(web: TestClient, session: Session) -> None:
    change = f"/api/pictures/{session.folder.ids[0]}/labels"
    found = problem(web.patch(change, json={"base": 0, "points": {"left": {"x": "a", "y": 1}}, "checkd": True}), 422)
    assert "points.left.x" in found.error
    assert "checkd" in found.error
    json_only = {"Content-Type": "application/json"}
    for wrong in (
        {"base": "0"},
        {"base": True},
        {"base": 0, "checked": 1},
        {"base": 0, "points": {"left": {"x": "1", "y": 1}}},
    ):
        problem(web.patch(change, json=wrong), 422)  # of another type than described
    problem(web.patch(change, content=b"{", headers=json_only), 422)
    problem(web.patch(change, content=b'{"base": 0, "points": {"a": {"x": NaN, "y": 1}}}', headers=json_only), 422)
    problem(web.patch(change, content=b"1" * 5000, headers=json_only), 400)
    problem(web.get("/api/nothing"), 404)
    for address, methods in (("/api/state", "GET"), ("/api/landmarks", "GET, PUT"), ("/api/keep", "POST")):
        refused = web.delete(address)
        problem(refused, 405)
        assert refused.headers["allow"] == methods


def test_the_description_is_right(web: TestClient) -> None:
    described = good(web.get("/api/openapi.json"))
    assert web.get("/docs").status_code == web.get("/redoc").status_code == 404
    change = described["paths"]["/api/pictures/{id}/labels"]["patch"]["responses"]
    assert change["200"]["content"]["application/json"]["schema"]["$ref"].endswith("/PictureLabels")
    for status in ("409", "422", "507"):
        assert change[status]["content"]["application/json"]["schema"]["$ref"].endswith("/Problem")
    assert set(described["paths"]) == {f"/api{path}" for path in ROUTES.split()}


# --- the page's files ------------------------------------------------------------------------------------------------


def test_the_page(web: TestClient) -> None:
    assert web.get("/").headers["content-type"] == "text/html; charset=utf-8"
    assert web.get("/").content == (STATIC / "index.html").read_bytes()
    types = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}
    for file in STATIC.iterdir():
        answer = web.get(f"/static/{file.name}")
        assert answer.status_code == 200
        assert answer.content == file.read_bytes()
        assert answer.headers["content-type"] == types.get(file.suffix, answer.headers["content-type"])
        assert answer.headers["cache-control"] == "no-cache"
        again = web.get(f"/static/{file.name}", headers={"If-None-Match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")


OUTSIDE = (
    "",
    "../server.py",
    "..%2fserver.py",
    "%2e%2e/server.py",
    "..%5cserver.py",
    "..%252fserver.py",
    "%2e%2e%2fserver.py",
    "%2fetc%2fhostname",
    "app.js%00",
    "app.js%00.png",
    "%ff.js",
    "/etc/hostname",
    "app.js/",
    "no.js",
)


@pytest.mark.parametrize("name", OUTSIDE)
def test_no_file_but_the_page_s(web: TestClient, name: str) -> None:
    assert web.get(f"/static/{name}").status_code == 404


def test_no_path_leads_out_over_a_real_socket(session: Session) -> None:
    """Unlike clients, which tidy paths up before they send them."""
    id = session.folder.ids[0]
    ways_out = ["..", "%2e%2e", "..%2f..", "%2e%2e%2f%2e%2e", "..\\..", "..%5c..", "%252e%252e", ".", "%00", "/"]
    paths = ["/../../etc/hostname", "//etc/hostname", "/\\etc\\hostname", "/%2e%2e/%2e%2e/etc/hostname"]
    paths += ["/static/" + way + "/server.py" for way in ways_out]
    paths += ["/api/pictures/" + way + "/0.png/image" for way in ways_out]
    paths += ["/api/pictures/" + id + "/" + way + "/0.png" for way in ways_out]
    with served(session) as (_, address):
        for path in paths:
            connection = http.client.HTTPConnection(address.removeprefix("http://"))
            connection.request("GET", path, headers=BEARER)
            assert connection.getresponse().status == 404, path
            connection.close()


# --- events ----------------------------------------------------------------------------------------------------------


class Listener:
    """Reads an event stream in a thread of its own."""

    def __init__(self, address: str) -> None:
        self.lines: list[str] = []
        self.open, self.ended = threading.Event(), threading.Event()
        self._address = address
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        with httpx.stream("GET", f"{self._address}/api/events", headers=BEARER, timeout=None) as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            self.open.set()
            for line in answer.iter_lines():
                self.lines.append(line)
        self.ended.set()

    def data(self, kind: str) -> list[Any]:
        pairs = zip(self.lines, self.lines[1:], strict=False)
        return [json.loads(after.removeprefix("data: ")) for line, after in pairs if line == f"event: {kind}"]


def test_what_one_does_the_others_hear(session: Session) -> None:
    with served(session) as (_, address), httpx.Client(base_url=address, headers=BEARER) as web:
        first, second = Listener(address), Listener(address)
        assert first.open.wait(60)
        assert second.open.wait(60)
        wait_for(lambda: len(first.lines) > 0 and len(second.lines) > 0, "the streams begin")
        name_landmarks(web)
        done = label(web, session.folder.ids[0], left=point(1, 2))
        for listener in (first, second):
            wait_for(lambda listener=listener: listener.data("labels"), "the change is heard of")
            assert listener.data("labels") == [done]
            assert [each["name"] for each in listener.data("landmarks")[-1]["landmarks"]] == list(NAMES)


def test_a_quiet_stream_beats(session: Session) -> None:
    with served(session, heartbeat_s=0.05) as (_, address):
        listener = Listener(address)
        wait_for(lambda: sum(line.startswith(":") for line in listener.lines) >= 3, "it beats")


def test_a_client_that_leaves_is_forgotten(session: Session) -> None:
    def pages() -> int:
        return sum(reader.kinds is None for reader in session.events._subscriptions)

    with served(session, heartbeat_s=0.05) as (_, address):
        with httpx.stream("GET", f"{address}/api/events", headers=BEARER, timeout=60) as answer:
            lines = answer.iter_lines()  # kept: once it is gone, so is the connection
            next(lines)
            assert pages() == 1
        wait_for(lambda: pages() == 0, "the subscription ends")


def test_the_server_ends_while_pages_are_open(session: Session) -> None:
    with served(session) as (server, address):
        listeners = [Listener(address) for _ in range(3)]
        assert all(listener.open.wait(60) for listener in listeners)
        server.should_exit = True
        assert all(listener.ended.wait(60) for listener in listeners)


def test_a_cookie_opens_the_stream(session: Session) -> None:
    with served(session) as (_, address), httpx.Client(base_url=address) as web:
        assert web.get("/api/events").status_code == 403
        web.get(f"/?token={TOKEN}")
        with web.stream("GET", "/api/events") as answer:
            assert answer.status_code == 200
            assert next(answer.iter_lines()) == "retry: 1000"
