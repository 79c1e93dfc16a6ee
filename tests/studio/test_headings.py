"""Which way up a thing lies, in what the server suggests: by labels, by suggestions, and as the person says."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pytest
from books import name, open_book, put
from fastapi.testclient import TestClient
from modelled import file_id, marks, untrained, windows
from serving import BEARER, NAMES, client, draw, name_landmarks, opened, wait_for

from lead import api
from lead.config import Settings
from lead.images.store import ImageStore
from lead.inference import Landmarker
from lead.landmarks.model import VISIBLE, Labels, Schema
from lead.studio import answers
from lead.studio.book import LabelBook
from lead.studio.features import FeatureBank
from lead.studio.folder import PictureFolder, picture_id
from lead.studio.knowledge import Knowledge
from lead.studio.label_messages import Direction
from lead.studio.session import Session

PLACES = {"a": (80, 80), "b": (95, 84), "c": (84, 98)}
UP = (0.6, -0.8)


class Told:
    """A model that puts its landmarks from (30, 40) on, 10 pixels apart, along the up that it is told."""

    head = None

    def __init__(self, *names: str) -> None:
        self.schema = self.own = Schema(names)
        self.asked: list[tuple[str, Any, Any]] = []

    def predict_rows(
        self,
        store: ImageStore,
        rows: npt.NDArray[np.int64],
        features: npt.NDArray[np.float16] | None = None,
        *,
        up: npt.NDArray[np.float64] | None = None,
    ) -> Labels:
        assert up is not None
        (row,) = rows.tolist()
        self.asked.append((store.files[row], features, up))
        steps = np.arange(len(self.schema.names))[None, :, None] * 10.0
        xy = np.array([30.0, 40.0]) + steps * up[:, None]
        shape = xy.shape[:2]
        visible = np.full(shape, VISIBLE, dtype=np.int8)
        return Labels(self.schema, (store.files[row],), xy, visible, np.full(shape, 0.9), np.full(shape, 2.5))


class Desk:
    """Windows of one texture, all upright, of which the first three are labelled."""

    def __init__(self, root: Path, settings: Settings) -> None:
        corners = windows(root / "pictures", 6)
        self.folder = PictureFolder(root / "pictures")
        self.book: LabelBook = open_book(self.folder)
        name(self.book, *PLACES)
        for i, corner in enumerate(corners[:3]):
            xy = marks(corner, list(PLACES.values()))
            places = {n: (float(x), float(y)) for n, (x, y) in zip(PLACES, xy, strict=True)}
            put(self.book, f"{i:02}.png", **places)
        self.bank = FeatureBank(untrained(root / "run", settings), self.folder)

    @property
    def knowledge(self) -> Knowledge:
        return Knowledge(self.book.contents, bank=self.bank)

    def id(self, number: int) -> str:
        return file_id(self.folder, number)

    def told(self, model: Told) -> Knowledge:
        """The person has said which way is up on pictures 1 and 4."""
        for number in (1, 4):
            self.book.say_up(self.id(number), Direction(x=UP[0], y=UP[1]))
        return replace(self.knowledge, landmarker=cast(Landmarker, model))


@pytest.fixture
def make(tmp_path: Path, tiny: Callable[..., Settings]) -> Iterator[Callable[..., Desk]]:
    made: list[Desk] = []

    def start(**sections: Any) -> Desk:
        made.append(Desk(tmp_path, tiny(**{"picture": {"store": 96, "input": 64}} | sections)))
        return made[-1]

    yield start
    for desk in made:
        desk.bank.close()
        desk.book.close()


def test_the_model_looks_again_with_the_heading_that_it_is_told(make: Callable[..., Desk]) -> None:
    desk, model = make(), Told("a", "c")
    knowledge = desk.told(model)
    found = answers.suggest(knowledge, desk.id(4))
    assert {n: (p.x, p.y) for n, p in found.points.items()} == {
        "a": pytest.approx((30, 40)),
        "c": pytest.approx((36, 32)),
    }
    assert found.points["a"].expected_px == 2.5
    assert found.up is not None
    assert (found.up.x, found.up.y) == pytest.approx(UP)
    ((file, features, up),) = model.asked
    assert file == "04.png"
    np.testing.assert_array_equal(features, desk.bank.get(desk.id(4)).features[None])
    np.testing.assert_array_equal(up, [UP])
    # Of another picture nothing was said, and nothing is told.
    other = answers.suggest(knowledge, desk.id(5))
    assert other.up is None
    assert set(other.points) == set(PLACES)
    assert len(model.asked) == 1


def test_a_model_that_is_told_what_it_takes_for_granted_answers_the_same(make: Callable[..., Desk]) -> None:
    """With what `lead fit` makes of the labels, in place of a stand-in: all its things are upright."""
    desk = make()
    landmarker = api.fit(desk.bank.run, desk.book.contents.labels, pictures=desk.folder.root).landmarker
    plain = landmarker.predict([desk.folder.root / "04.png"])
    for up, same in (((0.0, -1.0), True), ((0.0, 1.0), False)):
        desk.book.say_up(desk.id(4), Direction(x=up[0], y=up[1]))
        found = answers.suggest(replace(desk.knowledge, landmarker=landmarker), desk.id(4))
        assert found.method == "head"
        away = [
            math.dist((found.points[n].x, found.points[n].y), xy) for n, xy in zip(PLACES, plain.xy[0], strict=True)
        ]
        assert (max(away) < 1.5) == same, away


def test_a_model_of_other_landmarks_is_not_asked(make: Callable[..., Desk]) -> None:
    desk, model = make(), Told("a", "other")
    found = answers.suggest(desk.told(model), desk.id(4))
    assert model.asked == []
    assert set(found.points) == set(PLACES)
    assert found.up is not None  # what the person said stands all the same


def test_what_the_person_says_stands_above_labels(make: Callable[..., Desk]) -> None:
    desk, model = make(), Told(*PLACES)
    found = answers.suggest(desk.told(model), desk.id(1))
    assert found.up is not None
    assert (found.up.x, found.up.y) == pytest.approx(UP)
    assert model.asked == []  # but where each landmark is, its labels say themselves


def test_upright_things_have_a_heading_only_where_settings_expect_others(make: Callable[..., Desk]) -> None:
    desk = make()
    for number in (0, 5):
        found = answers.suggest(desk.knowledge, desk.id(number))
        assert (found.turned, found.up) == (False, None)


def test_settings_may_say_that_things_lie_any_way(make: Callable[..., Desk]) -> None:
    desk = make(distill={"views": {"rotation": 180}})
    labelled, begun = desk.id(0), desk.id(5)
    found = answers.suggest(desk.knowledge, labelled)
    assert found.turned
    assert found.up is not None
    assert (found.up.x, found.up.y) == pytest.approx((0, -1), abs=1e-3)  # as all labelled windows lie
    # Of one without labels, by the suggestions: the map that puts the labelled shape on them, by least squares.
    found = answers.suggest(desk.knowledge, begun)
    shape = np.array([complex(*p) for p in PLACES.values()])
    there = np.array([complex(found.points[n].x, found.points[n].y) for n in PLACES])
    shape, there = shape - shape.mean(), there - there.mean()
    turn = (shape.conj() * there).sum()
    up = turn / abs(turn) * -1j
    assert found.up is not None
    assert (found.up.x, found.up.y) == pytest.approx((up.real, up.imag), abs=1e-3)
    # Labels of its own say it better: here, of one that lies on its side.
    put(desk.book, "05.png", a=(20.0, 20.0), b=(16.0, 35.0))  # ab turned by 90° clockwise: (15, 4) became (-4, 15)
    found = answers.suggest(desk.knowledge, begun)
    assert found.up is not None
    # The labelled shape is turned a little itself then, as its headings are on average.
    assert math.degrees(math.atan2(found.up.y, found.up.x)) == pytest.approx(0, abs=30)


# --- over HTTP --------------------------------------------------------------------------------------------------------


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    for row in range(2):
        draw(tmp_path / "pictures" / f"{row}.png", (60, 40), seed=row)
    with opened(tmp_path / "pictures", load_after_s=0) as session:
        session.load_model()
        wait_for(lambda: not session.knowledge.loading, "the model side was not loaded")
        yield session


@pytest.fixture
def web(session: Session) -> TestClient:
    return client(session, headers=BEARER)


def test_what_the_person_says_is_kept(session: Session, web: TestClient) -> None:
    name_landmarks(web)
    first, second = (f"/api/pictures/{picture_id(f'{row}.png')}" for row in range(2))
    answer = web.put(f"{first}/up", json={"x": 30, "y": -40.0})
    assert answer.status_code == 200, answer.text
    assert answer.json()["up"] == pytest.approx({"x": 0.6, "y": -0.8})
    assert web.get(f"{first}/suggestions").json()["up"] == pytest.approx({"x": 0.6, "y": -0.8})
    assert web.get(f"{second}/suggestions").json()["up"] is None
    web.put(f"{first}/up", json={"x": 0.0, "y": 5.0})
    assert web.get(f"{first}/suggestions").json()["up"] == {"x": 0, "y": 1}
    web.put(f"{second}/up", json={"x": 1e308, "y": -1e308})
    assert web.get(f"{second}/suggestions").json()["up"] == pytest.approx({"x": 0.5**0.5, "y": -(0.5**0.5)})
    assert web.get(second).json()["labels"]["up"] == pytest.approx({"x": 0.5**0.5, "y": -(0.5**0.5)})
    web.put(f"{second}/up", json={"x": 0, "y": 0})  # taken back
    assert web.get(f"{second}/suggestions").json()["up"] is None
    assert web.get(second).json()["labels"]["up"] is None
    session.close()
    with opened(session.folder.root, load_after_s=0) as later:
        later.load_model()
        wait_for(lambda: not later.knowledge.loading, "the model side was not loaded")
        again = client(later, headers=BEARER)
        assert again.get(f"{first}/suggestions").json()["up"] == {"x": 0, "y": 1}
        assert again.get(f"{second}/suggestions").json()["up"] is None


@pytest.mark.parametrize("refused", [{"x": 1}, {"x": "1", "y": 2}, {"x": 1e400, "y": 0}, {"x": 1, "y": 1, "z": 1}])
def test_what_is_no_direction_is_refused(web: TestClient, refused: dict[str, Any]) -> None:
    answer = web.put(
        f"/api/pictures/{picture_id('0.png')}/up",
        content=json.dumps(refused),
        headers={"Content-Type": "application/json"},
    )
    assert answer.status_code in (400, 422)
    assert web.put("/api/pictures/000000000000/up", json={"x": 1, "y": 0}).status_code == 404


def test_labels_of_turned_things_show_it(web: TestClient) -> None:
    name_landmarks(web)
    left, right = NAMES
    across = {left: {"state": "visible", "x": 10.0, "y": 20.0}, right: {"state": "visible", "x": 40.0, "y": 20.0}}
    down = {left: {"state": "visible", "x": 30.0, "y": 5.0}, right: {"state": "visible", "x": 30.0, "y": 35.0}}
    found = []
    for row, points in enumerate((across, down)):
        address = f"/api/pictures/{picture_id(f'{row}.png')}"
        version = web.get(address).json()["labels"]["version"]
        web.patch(f"{address}/labels", json={"base": version, "points": points}).raise_for_status()
    for row in range(2):
        found.append(web.get(f"/api/pictures/{picture_id(f'{row}.png')}/suggestions").json())
    # One is turned against the other by 90° clockwise; their common heading is half-way: 45° each, and not beyond.
    assert not any(each["turned"] for each in found)
    version = web.get(f"/api/pictures/{picture_id('1.png')}").json()["labels"]["version"]
    back = {left: {"state": "visible", "x": 40.0, "y": 20.0}, right: {"state": "visible", "x": 12.0, "y": 12.0}}
    web.patch(f"/api/pictures/{picture_id('1.png')}/labels", json={"base": version, "points": back}).raise_for_status()
    ups = []
    for row in range(2):
        each = web.get(f"/api/pictures/{picture_id(f'{row}.png')}/suggestions").json()
        assert each["turned"]
        ups.append(complex(each["up"]["x"], each["up"]["y"]))
    # Against one another they are turned as the lines from left to right are.
    apart = ups[1] / ups[0]
    lines = complex(-28, -8) / complex(30, 0)
    assert apart == pytest.approx(lines / abs(lines), abs=1e-3)
