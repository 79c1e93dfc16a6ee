"""What the person says of which way is up reaches the predictions of all pictures, and is kept."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from books import name, open_book, put
from desks import COUNT, PLACES, Desk
from fastapi.testclient import TestClient
from modelled import marks, untrained, wait_for, windows
from serving import BEARER, client, opened

from lead.config import Settings
from lead.images.labels import load_labels
from lead.inference import Landmarker
from lead.landmarks.model import Labels
from lead.nn.cascade import Cascade
from lead.studio import answers, closer, fitter, heeding
from lead.studio.fitter import Pace
from lead.studio.folder import PictureFolder, picture_id
from lead.studio.knowledge import Knowledge
from lead.studio.label_messages import Direction, Point
from lead.studio.poses import Headings
from lead.studio.session import Session

SAID = 8
"""Of the twelve windows, one that is not labelled."""
FILE = f"{SAID:02}.png"
DOWN = (0.0, 1.0)
TABLES = ("xy", "visible", "score", "px_error", "px_90")


@pytest.fixture
def settings(tiny: Callable[..., Settings]) -> Settings:
    return tiny(picture={"store": 96, "input": 64})


@pytest.fixture
def make(tmp_path: Path, settings: Settings) -> Iterator[Callable[[], Desk]]:
    """Opens a folder of windows, of which all look twice for exports alone."""
    run = untrained(tmp_path / "run", settings)
    made: list[Desk] = []

    def start() -> Desk:
        made.append(Desk(tmp_path / "pictures", run, Pace(quiet=0.05, still=1000)))
        return made[-1]

    yield start
    for desk in made:
        desk.fitter.close()
        desk.book.close()


@pytest.fixture
def desk(make: Callable[[], Desk]) -> Desk:
    """The first six are labelled."""
    desk = make()
    desk.begin()
    for number in range(6):
        desk.label(number)
    return desk


def say(desk: Desk, number: int, up: tuple[float, float]) -> None:
    desk.book.say_up(desk.id(number), Direction(x=up[0], y=up[1]))


def exported(desk: Desk) -> Labels:
    labels = desk.fitter.predicted_labels()
    assert labels is not None
    return labels


def by_hand(knowledge: Knowledge, landmarker: Landmarker, up: tuple[float, float], file: str = FILE) -> Labels:
    """What the landmarker says of one picture when it is told the same; all windows are upright, so up is the same
    whatever is labelled."""
    assert knowledge.bank is not None
    finished = knowledge.bank.finished()
    assert finished is not None
    store, features = finished
    row = np.array([store.index(file)])
    return landmarker.predict_rows(store, row, features[row], up=np.array([up]))


def assert_same(found: Labels, wanted: Labels, but: tuple[str, ...] = ()) -> None:
    """To the byte, but for some pictures."""
    assert found.images == wanted.images
    rows = [row for row, file in enumerate(wanted.images) if file not in but]
    for key in TABLES:
        mine, theirs = getattr(found, key), getattr(wanted, key)
        assert (mine is None) == (theirs is None), key
        if mine is not None:
            assert mine[rows].tobytes() == theirs[rows].tobytes(), key


def assert_told(labels: Labels, told: Labels, file: str = FILE) -> None:
    row = labels.images.index(file)
    for key in TABLES:
        np.testing.assert_allclose(getattr(labels, key)[row], getattr(told, key)[0], rtol=1e-4, atol=1e-3, err_msg=key)


class Counted:
    """Counts the passes over all pictures, and how many pictures are predicted as a person said they lie."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.passes, self.told = 0, list[int]()
        for module, function in ((fitter, "review"), (closer, "review_closely")):
            monkeypatch.setattr(module, function, self.counting(getattr(module, function)))
        real = heeding.predict_told

        def predict(model: Any, store: Any, rows: npt.NDArray[np.int64], *others: Any) -> Labels:
            self.told += rows.tolist()
            return real(model, store, rows, *others)

        monkeypatch.setattr(heeding, "predict_told", predict)

    def counting(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def one(*arguments: Any, **options: Any) -> Any:
            self.passes += 1
            return real(*arguments, **options)

        return one


def test_only_what_is_said_anew_is_predicted_anew(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    before = exported(desk)
    landmarker, model = desk.fitter.landmarker(), answers.status(desk.knowledge).model
    assert landmarker is not None
    counted = Counted(monkeypatch)
    said = [(SAID, DOWN), (10, (1.0, 0.0))]
    for number, up in said:
        say(desk, number, up)
        after = exported(desk)
        assert_told(after, by_hand(desk.knowledge, landmarker, up, f"{number:02}.png"), f"{number:02}.png")
    assert_same(after, before, but=(FILE, "10.png"))
    row = before.images.index(FILE)
    assert np.abs(after.xy[row] - before.xy[row]).max() > 3  # else this would show nothing
    assert (counted.passes, counted.told) == (0, [SAID, 10])
    assert desk.fitter.landmarker() is landmarker
    assert answers.status(desk.knowledge).model > model  # by which pages know that there is something new
    say(desk, SAID, (0.0, 0.0))
    say(desk, 10, (0.0, 0.0))
    assert_same(exported(desk), before)
    assert (counted.passes, counted.told) == (0, [SAID, 10])


def test_pages_see_it_everywhere(desk: Desk) -> None:
    exported(desk)
    say(desk, SAID, DOWN)
    labels = exported(desk)
    assert labels.px_error is not None
    row, id = labels.images.index(FILE), desk.id(SAID)
    found = answers.predictions(desk.knowledge, sort="expected", offset=0, limit=100)
    assert len(found.pictures) == COUNT
    assert [p.expected for p in found.pictures] == sorted((p.expected for p in found.pictures), reverse=True)
    shown = next(p for p in found.pictures if p.id == id)
    error = np.nanmean(labels.px_error[row])
    assert shown.expected_px == pytest.approx(error)
    assert answers.expected_errors(desk.knowledge)[id] == pytest.approx((error / 96, error))
    suggested = answers.suggest(desk.knowledge, id)
    for place, (x, y) in zip(PLACES, labels.xy[row].tolist(), strict=True):
        if math.isfinite(x):
            assert (shown.points[place].x, shown.points[place].y) == pytest.approx((x, y), abs=1e-3)
            assert (suggested.points[place].x, suggested.points[place].y) == pytest.approx((x, y), abs=1e-3)


def test_a_quick_fit_heeds_it_too_by_the_last_landmarker(desk: Desk) -> None:
    say(desk, SAID, DOWN)
    exported(desk)
    landmarker = desk.knowledge.landmarker
    assert landmarker is not None
    desk.label(6)
    desk.fitted_to(7)
    wait_for(lambda: not desk.knowledge.fitting and desk.knowledge.close_fit_due)
    knowledge = desk.knowledge
    assert knowledge.review is not None
    assert knowledge.landmarker is landmarker
    told = by_hand(knowledge, landmarker, DOWN)
    row = knowledge.review.labels.images.index(FILE)
    np.testing.assert_allclose(knowledge.review.labels.xy[row], told.xy[0], atol=1e-3)
    assert_told(exported(desk), by_hand(desk.knowledge, desk.knowledge.landmarker or landmarker, DOWN))
    assert desk.knowledge.landmarker is not landmarker


def test_what_is_said_during_the_closer_look_is_heeded_without_another(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = Counted(monkeypatch)
    real = heeding.heed

    def late(*arguments: Any, **options: Any) -> Any:
        found = real(*arguments, **options)
        say(desk, SAID, DOWN)
        return found

    monkeypatch.setattr(closer, "heed", late)
    desk.fitted_to(6)
    wait_for(lambda: desk.knowledge.close_fit_due)
    counted.passes = 0
    labels = exported(desk)
    assert desk.knowledge.landmarker is not None
    assert_told(labels, by_hand(desk.knowledge, desk.knowledge.landmarker, DOWN))
    assert (counted.passes, counted.told) == (1, [SAID])


def test_what_is_said_while_another_landmarker_is_made_costs_no_second_pass(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The earlier landmarker is told at once, and the one that is being made when it is there."""
    exported(desk)
    first = desk.knowledge.landmarker
    desk.label(6)
    desk.fitted_to(7)
    wait_for(lambda: desk.knowledge.close_fit_due)
    counted = Counted(monkeypatch)
    real = closer.landmarker_of

    def slow(knowledge: Knowledge, seed: int) -> Landmarker | None:
        made = real(knowledge, seed)
        say(desk, SAID, DOWN)
        wait_for(lambda: not desk.knowledge.ups_due)
        assert desk.knowledge.landmarker is first
        return made

    monkeypatch.setattr(closer, "landmarker_of", slow)
    labels = exported(desk)
    assert desk.knowledge.landmarker is not None
    assert desk.knowledge.landmarker is not first
    assert_told(labels, by_hand(desk.knowledge, desk.knowledge.landmarker, DOWN))
    assert (counted.passes, counted.told) == (1, [SAID, SAID])


def test_labels_of_a_picture_go_first(desk: Desk) -> None:
    """It is heeded as long as any landmark has no label: then these say how the thing lies."""
    x, y = desk.truth(SAID)["a"]
    put(desk.book, FILE, a=(x, y))
    say(desk, SAID, DOWN)
    labels = exported(desk)
    assert desk.knowledge.landmarker is not None
    assert_told(labels, by_hand(desk.knowledge, desk.knowledge.landmarker, DOWN))
    desk.label(SAID)
    whole, knowledge = exported(desk), desk.knowledge
    assert knowledge.bank is not None
    assert knowledge.landmarker is not None
    finished = knowledge.bank.finished()
    assert finished is not None
    row = np.array([finished[0].index(FILE)])
    assert_told(whole, knowledge.landmarker.predict_rows(finished[0], row, finished[1][row]))
    assert knowledge.contents.ups  # it stands all the same


# --- kept -------------------------------------------------------------------------------------------------------------


def labelled(session: Session, web: TestClient, corners: list[tuple[int, int]]) -> None:
    web.put(
        "/api/landmarks",
        json={
            "version": web.get("/api/landmarks").json()["version"],
            "landmarks": [{"name": place, "colour": "#102030"} for place in PLACES],
        },
    ).raise_for_status()
    for number in range(6):
        address = f"/api/pictures/{picture_id(f'{number:02}.png')}"
        xy = marks(corners[number], list(PLACES.values())).tolist()
        points = {place: {"x": x, "y": y} for place, (x, y) in zip(PLACES, xy, strict=True)}
        base = web.get(address).json()["labels"]["version"]
        web.patch(f"{address}/labels", json={"base": base, "points": points}).raise_for_status()
    wait_for(lambda: session.state().model.fitted_to == 6 and session.state().model.stage == "ready")


def export(web: TestClient) -> dict[str, dict[str, Any]]:
    """The exported predictions, by picture."""
    answer = web.get("/api/export", params={"format": "coco", "what": "predictions"})
    assert answer.status_code == 200, answer.text
    data = answer.json()
    files = {image["id"]: image["file_name"] for image in data["images"]}
    return {files[entry["image_id"]]: entry for entry in data["annotations"]}


def test_over_http_exports_heed_it_also_after_a_restart(tmp_path: Path, settings: Settings) -> None:
    run = untrained(tmp_path / "run", settings)
    corners = windows(tmp_path / "pictures", COUNT)
    address = f"/api/pictures/{picture_id(FILE)}/up"
    with opened(tmp_path / "pictures", run=run.folder, load_after_s=0) as session:
        web = client(session, headers=BEARER)
        wait_for(lambda: not session.knowledge.loading)
        labelled(session, web, corners)
        before = export(web)
        web.put(address, json={"x": 0, "y": 7}).raise_for_status()
        after = export(web)
        assert {file: entry for file, entry in after.items() if file != FILE} == {
            file: entry for file, entry in before.items() if file != FILE
        }
        landmarker = session.knowledge.landmarker
        assert landmarker is not None
        told = by_hand(session.knowledge, landmarker, DOWN)
        table = np.reshape(after[FILE]["keypoints"], (-1, 3))
        there = table[:, 2] > 0
        np.testing.assert_array_equal(there, told.visible[0] > 0)
        np.testing.assert_allclose(table[there, :2], told.xy[0][there], atol=1e-3)
        assert not np.allclose(table, np.reshape(before[FILE]["keypoints"], (-1, 3)), atol=3)
    with opened(tmp_path / "pictures", run=run.folder, load_after_s=0) as session:
        web = client(session, headers=BEARER)
        wait_for(lambda: session.state().model.fitted_to == 6 and session.state().model.stage == "ready")
        again = export(web)
        np.testing.assert_allclose(again[FILE]["keypoints"], after[FILE]["keypoints"], atol=0.01)
        web.put(address, json={"x": 0, "y": 0}).raise_for_status()
        plain = export(web)
        np.testing.assert_allclose(plain[FILE]["keypoints"], before[FILE]["keypoints"], atol=0.01)
        assert {file: entry for file, entry in plain.items() if file != FILE} == {
            file: entry for file, entry in again.items() if file != FILE
        }
    assert "up" not in json.loads((tmp_path / "pictures" / "annotations.json").read_text())["images"][-1]


# --- what it means when more is labelled ------------------------------------------------------------------------------

THING = np.array([(0.0, -12.0), (-7.0, 1.0), (5.0, 9.0)])


def turned(degrees: float) -> npt.NDArray[np.float64]:
    """Landmarks of a thing that is turned clockwise."""
    angle = math.radians(degrees)
    turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    places: npt.NDArray[np.float64] = np.array([45.0, 45.0]) + THING @ turn
    return places


def test_what_was_said_stays_with_the_thing_when_labels_turn_what_is_up(tmp_path: Path) -> None:
    """Few labels of things that lie any way have their up where these do on average."""
    windows(tmp_path, 8)
    book = open_book(PictureFolder(tmp_path))
    name(book, *PLACES)

    def label(number: int, degrees: float) -> None:
        at = {place: (float(x), float(y)) for place, (x, y) in zip(PLACES, turned(degrees), strict=True)}
        put(book, f"{number:02}.png", **at)

    def arrow() -> tuple[float, float]:
        """Of the thing on the last picture, which lies turned by 200°, from places that nobody has labelled."""
        up = Headings.of(book.contents.taught).up(turned(200))
        assert up is not None
        return up

    label(0, 10)
    label(1, 40)
    id = book.folder.id_of("07.png")
    said = arrow()
    after = book.say_up(id, Direction(x=3 * said[0], y=3 * said[1]))
    assert after.up is not None
    assert (after.up.x, after.up.y) == pytest.approx(said)
    assert book.contents.up(id) == pytest.approx(said, abs=1e-6)
    label(2, 130)
    label(3, 140)
    label(4, 150)
    now = arrow()
    assert math.degrees(math.acos(said[0] * now[0] + said[1] * now[1])) > 30
    assert book.contents.up(id) == pytest.approx(now, abs=1e-5)
    # Also under other names, and in another session; without the landmarks it is what was said.
    name(book, "x", "b", "z", renamed={"a": "x", "c": "z"})
    assert book.contents.up(id) == pytest.approx(now, abs=1e-5)
    book.close()
    book = open_book(book.folder)
    assert book.contents.up(id) == pytest.approx(now, abs=1e-5)
    name(book, "b", drop_labels=True)
    assert book.contents.up(id) == pytest.approx(said)
    assert book.labels(id).up == after.up
    book.close()


def test_a_landmarker_is_told_in_its_own_frame(desk: Desk) -> None:
    """By a line of the thing, whatever was up when it was said."""
    landmarker = desk.fitter.landmarker()
    assert landmarker is not None
    assert isinstance(landmarker.head, Cascade)
    wait_for(lambda: desk.knowledge.bank is not None and desk.knowledge.bank.ready)
    say(desk, SAID, DOWN)
    document = json.loads(desk.book.file.read_text())
    (image,) = (image for image in document["images"] if image["file_name"] == FILE)
    line = image["up"]["line"]
    # In windows that are all upright, a line of the thing is as it was placed; told that the thing is upside down,
    # it is seen the other way round.
    along = np.subtract(PLACES[line["to"]], PLACES[line["from"]])
    assert (line["x"], line["y"]) == pytest.approx(tuple(-along / np.linalg.norm(along)), abs=0.02)
    up = desk.book.contents.ups[desk.id(SAID)]
    shape = landmarker.head.shape.double().numpy()
    quarter = np.stack([-shape[:, 1], shape[:, 0]], axis=1)  # the same thing, up where its left was
    assert up.where(landmarker.schema.names, shape) == pytest.approx(DOWN, abs=0.02)
    assert up.where(landmarker.schema.names, quarter) == pytest.approx((1, 0), abs=0.02)


@pytest.mark.parametrize(
    "theirs",
    ["north", True, {"x": "0", "y": 1}, {"x": True, "y": 0}, {"x": 0, "y": 0}, {"y": 1}, {"x": 1e999, "y": 0}, [0, 1]],
)
def test_what_another_program_keeps_there_stays(tmp_path: Path, theirs: object) -> None:
    windows(tmp_path, 2)
    book = open_book(PictureFolder(tmp_path))
    name(book, *PLACES)
    put(book, "00.png", a=(1, 2))
    data = json.loads(book.file.read_bytes())
    data["images"][0]["up"] = theirs
    book.file.write_text(json.dumps(data))
    book.close()
    book = open_book(book.folder)
    id = book.folder.id_of("00.png")
    assert (book.labels(id).up, book.contents.ups) == (None, {})
    put(book, "00.png", a=(2, 2))
    assert json.loads(book.file.read_bytes())["images"][0]["up"] == theirs
    book.say_up(id, Direction(x=1, y=0))
    assert json.loads(book.file.read_bytes())["images"][0]["up"] == {"x": 1, "y": 0}
    book.close()


def test_other_programs_read_the_file_and_the_history_holds_it(tmp_path: Path) -> None:
    windows(tmp_path, 2)
    book = open_book(PictureFolder(tmp_path))
    name(book, *PLACES)
    book.say_up(book.folder.id_of("01.png"), Direction(x=0, y=2))
    labels = load_labels(book.file)
    assert (labels.images, (labels.visible == 0).all()) == (("01.png",), True)
    put(book, "00.png", a=Point(x=1, y=2))
    name(book, "a", drop_labels=True)
    (snapshot, *_) = book.disk.history.snapshots()
    book.say_up(book.folder.id_of("01.png"), Direction(x=0, y=0))
    assert "up" not in json.loads(book.file.read_bytes())["images"][0]
    book.restore(snapshot.id)
    assert book.labels(book.folder.id_of("01.png")).up == Direction(x=0, y=1)
    book.close()
