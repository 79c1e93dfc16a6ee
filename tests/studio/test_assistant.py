"""The model side on a real label file: from the first label to predictions, disputes and a model to take away."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from books import name, names_change, open_book, put
from modelled import file_id, marks, untrained, wait_for, windows

from lead import api
from lead.config import Settings
from lead.errors import LeadError
from lead.inference import Landmarker
from lead.studio import assistant as module
from lead.studio.assistant import NO_FEATURES, NO_LABELS, NO_NAMES, Assistant
from lead.studio.book import LabelBook
from lead.studio.events import Events
from lead.studio.folder import PictureFolder, UnknownPicture
from lead.studio.messages import LabelsChange
from lead.studio.suggest import learn
from lead.training.run import Run

COUNT = 12
PLACES = {"a": (80, 80), "b": (95, 84), "c": (84, 98)}


class Desk:
    """A folder being labelled."""

    def __init__(self, root: Path, run: Run) -> None:
        self.corners = windows(root, COUNT)
        self.folder, self.events, self.run = PictureFolder(root), Events(), run
        self.told = self.events.subscribe()
        self.book: LabelBook = open_book(self.folder, self.events)
        self.assistant = Assistant(self.folder, self.book, self.events)

    def id(self, number: int) -> str:
        return file_id(self.folder, number)

    def truth(self, number: int) -> dict[str, tuple[float, float]]:
        xy = marks(self.corners[number], list(PLACES.values()))
        return {name: (float(x), float(y)) for name, (x, y) in zip(PLACES, xy, strict=True)}

    def label(self, number: int, **others: Any) -> None:
        put(self.book, f"{number:02}.png", **(self.truth(number) | others))
        self.assistant.labels_changed(self.id(number))

    def name(self) -> None:
        name(self.book, *PLACES, flip_pairs=[("a", "b")])
        self.assistant.labels_changed("")

    def fitted_to(self, count: int) -> None:
        wait_for(lambda: self.assistant.status().fitted_to == count and not self.assistant.status().fitting)

    def begin(self) -> None:
        self.name()
        self.assistant.use(self.run)
        wait_for(lambda: self.assistant.status().stage == "ready")


@pytest.fixture
def desk(tmp_path: Path, tiny: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.setattr(module, "QUIET_S", 0.05)
    run = untrained(tmp_path / "run", tiny(picture={"store": 96, "input": 64}))
    desk = Desk(tmp_path / "pictures", run)
    yield desk
    desk.assistant.close()
    desk.book.close()


def test_what_each_step_waits_for(desk: Desk) -> None:
    first, second = desk.id(0), desk.id(1)
    assert desk.assistant.suggest(first).waiting_for == NO_FEATURES
    assert desk.assistant.explore(first, 1, 1, []).waiting_for == NO_FEATURES
    assert desk.assistant.predictions(sort="expected", offset=0, limit=5).waiting_for == NO_FEATURES
    assert desk.assistant.landmarker() is None
    assert desk.assistant.predicted_labels() is None
    assert desk.assistant.status().stage == "none"
    desk.assistant.use(desk.run)
    assert desk.assistant.suggest(first).waiting_for == NO_NAMES
    desk.name()
    assert desk.assistant.suggest(first).waiting_for == NO_LABELS
    desk.label(0)
    assert desk.assistant.suggest(first).waiting_for == NO_LABELS
    suggested = desk.assistant.suggest(second)
    assert suggested.waiting_for is None
    assert suggested.method == "matching"
    assert list(suggested.points) == list(PLACES)
    assert all(point.expected_px > 0 for point in suggested.points.values())
    with pytest.raises(UnknownPicture):
        desk.assistant.suggest("0" * 12)


def test_suggestions_know_the_labels_of_this_moment(desk: Desk) -> None:
    """Without waiting for a fit: on a copy of a picture, what was just labelled there."""
    desk.begin()
    (desk.folder.root / "05.png").write_bytes((desk.folder.root / "04.png").read_bytes())
    desk.assistant.use(desk.run)
    desk.label(4)
    for x in (20.0, 40.0):
        desk.label(4, a=(x, 30.0))
        found = desk.assistant.suggest(desk.id(5)).points["a"]
        assert np.hypot(found.x - x, found.y - 30) < 6


def test_labels_that_change_during_a_fit_lead_to_another(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go_on = threading.Event(), threading.Event()
    fitted: list[int] = []
    real = learn

    def slow(exemplars: dict[str, Any], *, seed: int) -> Any:
        begun.set()
        assert go_on.wait(30)
        fitted.append(len(exemplars))
        return real(exemplars, seed=seed)

    desk.begin()
    monkeypatch.setattr(module, "learn", slow)
    desk.label(0)
    assert begun.wait(30)
    assert desk.assistant.status().fitting
    desk.label(1)
    assert desk.assistant.suggest(desk.id(3)).points  # meanwhile, the page gets answers
    go_on.set()
    desk.fitted_to(2)
    assert fitted[0] == 1
    assert fitted[-1] == 2


def test_a_failure_is_told_and_the_next_fit_mends_it(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise LeadError("The disk is full.")

    desk.begin()
    real = learn
    monkeypatch.setattr(module, "learn", broken)
    desk.label(0)
    wait_for(lambda: desk.assistant.status().stage == "failed")
    assert desk.assistant.status().message == "The disk is full."
    assert desk.assistant.predicted_labels() is None
    monkeypatch.setattr(module, "learn", real)
    desk.label(1)
    desk.fitted_to(2)
    assert desk.assistant.status().stage == "ready"
    assert desk.assistant.status().message is None


def test_progress_is_published(desk: Desk) -> None:
    desk.begin()
    desk.label(0)
    desk.fitted_to(1)
    seen = []
    while (event := desk.told.get(0.3)) is not None:
        if event.kind == "model":
            seen.append((event.data["stage"], event.data["fitting"], event.data["fitted_to"]))
    assert ("ready", True, 0) in seen
    assert seen[-1] == ("ready", False, 1)


def test_predictions_of_all_pictures(desk: Desk) -> None:
    desk.begin()
    for number in range(6):
        desk.label(number)
    labels = desk.assistant.predicted_labels()
    assert labels is not None
    assert labels.images == desk.folder.files
    assert labels.schema.flip_pairs == (("a", "b"),)
    assert labels.px_error is not None
    assert np.isfinite(labels.px_error).all()
    found = desk.assistant.predictions(sort="expected", offset=0, limit=100)
    assert found.total == COUNT
    assert [p.expected for p in found.pictures] == sorted((p.expected for p in found.pictures), reverse=True)
    assert [p.file for p in found.pictures if p.complete] == [p.file for p in found.pictures if int(p.file[:2]) < 6]
    for p in found.pictures:
        row = labels.images.index(p.file)
        assert p.expected_px == pytest.approx(labels.px_error[row].mean())
        assert p.expected == pytest.approx(p.expected_px / max(p.width, p.height))
        assert p.points["b"].x == pytest.approx(np.clip(labels.xy[row, 1, 0], -0.5, p.width - 0.5))
    part = desk.assistant.predictions(sort="expected", offset=3, limit=4)
    assert part.pictures == found.pictures[3:7]
    by_name = desk.assistant.predictions(sort="name", offset=0, limit=100)
    assert [p.file for p in by_name.pictures] == list(desk.folder.files)
    assert desk.assistant.expected() == {p.id: pytest.approx(p.expected) for p in found.pictures}


def test_a_planted_outlier_until_it_is_mended_or_checked(desk: Desk) -> None:
    desk.begin()
    for number in range(10):
        desk.label(number)
    desk.label(3, c=(-20.0, 5.0))
    assert "outside" in {d.kind for d in desk.assistant.disputes().disputes if d.id == desk.id(3)}
    assert desk.assistant.predicted_labels() is not None  # has caught up
    kinds = {(d.kind, *d.landmarks) for d in desk.assistant.disputes().disputes if d.id == desk.id(3)}
    assert ("outside", "c") in kinds
    version = desk.book.labels(desk.id(3)).version
    desk.book.change_labels(desk.id(3), LabelsChange(base=version, checked=True))
    desk.assistant.labels_changed(desk.id(3))
    assert not [d for d in desk.assistant.disputes().disputes if d.id == desk.id(3)]


def test_the_explorer(desk: Desk) -> None:
    desk.begin()
    whole = desk.assistant.explore(desk.id(0), 20, 30, [])
    assert [m.id for m in whole.maps] == [desk.id(i) for i in range(1, COUNT)]
    two = desk.assistant.explore(desk.id(0), 20, 30, [desk.id(0), desk.id(7)])
    assert [m.id for m in two.maps] == [desk.id(0), desk.id(7)]
    itself = two.maps[0]
    assert np.hypot(itself.x - 20, itself.y - 30) < 8
    with pytest.raises(UnknownPicture):
        desk.assistant.explore(desk.id(0), 20, 30, ["0" * 12])


def test_what_to_label_next(desk: Desk) -> None:
    desk.name()
    assert desk.assistant.next(None, []).id == desk.id(0)
    assert desk.assistant.next(desk.id(0), [desk.id(1)]).id == desk.id(2)
    desk.assistant.use(desk.run)
    wait_for(lambda: desk.assistant.status().stage == "ready")
    wait_for(lambda: desk.assistant.next(None, []).kind == "coverage")
    skipped: list[str] = []
    for _ in range(COUNT):
        choice = desk.assistant.next(None, skipped)
        assert choice.id is not None
        assert choice.id not in skipped
        skipped.append(choice.id)
    assert desk.assistant.next(None, skipped).kind == "none"


def test_all_pictures_are_looked_at_twice_when_labels_rest(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STILL_S", 1.0)
    desk.begin()
    for number in range(6):
        desk.label(number)
    quick = desk.assistant.status().model
    wait_for(lambda: desk.assistant.predictions(sort="name", offset=0, limit=1).model > max(quick, 1))
    labels = desk.book.contents.labels
    expected = api.fit(desk.run, labels, pictures=desk.folder.root).landmarker.predict(desk.folder.root)
    wait_for(lambda: desk.assistant.landmarker() is desk.assistant.landmarker())  # kept: not fitted anew
    found = desk.assistant.predictions(sort="name", offset=0, limit=100)
    assert [p.file for p in found.pictures] == list(expected.images)
    assert expected.px_error is not None
    for p, xy, error in zip(found.pictures, expected.xy, expected.px_error, strict=True):
        rows = zip(PLACES, xy, error, strict=True)
        seen = {place: (at, off) for place, at, off in rows if np.isfinite(at).all()}
        assert list(p.points) == list(seen)
        for place, (at, off) in seen.items():
            point = p.points[place]
            assert (point.x, point.y) == pytest.approx(tuple(at), abs=0.3)  # features are kept in half precision
            assert point.expected_px == pytest.approx(off, rel=0.1)
    after = desk.id(7)
    suggested = desk.assistant.suggest(after)
    assert suggested.points == next(p.points for p in found.pictures if p.id == after)
    desk.label(6)
    wait_for(lambda: desk.assistant.suggest(after).model > suggested.model)
    exported = desk.assistant.predicted_labels()  # of seven labels, and with all that is known of the errors
    assert exported is not None
    assert exported.px_90 is not None
    assert desk.assistant.status().fitted_to == 7


def test_a_second_look_that_fails_leaves_the_first(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise LeadError("The disk is full.")

    monkeypatch.setattr(api, "fit", broken)
    desk.begin()
    desk.label(0)
    exported = desk.assistant.predicted_labels()
    assert exported is not None
    assert exported.px_90 is None
    assert desk.assistant.status().stage == "ready"


def test_a_second_look_that_fails_is_not_tried_over_and_over_after_another_run_is_opened(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.begin()
    for number in range(3):
        desk.label(number)
        assert desk.assistant.predicted_labels() is not None  # numbers of fits rise
    tried: list[int] = []

    def broken(*_: Any, **__: Any) -> Any:
        tried.append(1)
        raise LeadError("The disk is full.")

    monkeypatch.setattr(api, "fit", broken)
    desk.assistant.use(desk.run)
    wait_for(lambda: desk.assistant.status().stage == "ready" and desk.assistant.status().model > 0)
    for _ in range(3):
        assert desk.assistant.predicted_labels() is not None
    assert 1 <= len(tried) <= 3  # once for each state of the labels and features


def test_a_model_to_take_away(desk: Desk, tmp_path: Path) -> None:
    desk.begin()
    for number in range(6):
        desk.label(number, **({} if number < 3 else {"b": None}))
    model = desk.assistant.landmarker()
    assert model is not None
    model.save(tmp_path / "model.safetensors")
    again = Landmarker.load(tmp_path / "model.safetensors")
    assert again.schema.names == tuple(PLACES)
    assert again.predict(desk.folder.root).images == desk.folder.files


def test_new_landmarks_begin_anew(desk: Desk) -> None:
    desk.begin()
    desk.label(0)
    desk.fitted_to(1)
    change = names_change(desk.book, "z", "b", "c", renamed={"a": "z"})
    desk.book.change_landmarks(change)
    desk.assistant.labels_changed("")
    suggested = desk.assistant.suggest(desk.id(2))
    assert list(suggested.points) == ["z", "b", "c"]
    labels = desk.assistant.predicted_labels()
    assert labels is not None
    assert labels.schema.names == ("z", "b", "c")


def test_a_damaged_picture_harms_no_other(desk: Desk) -> None:
    (desk.folder.root / "02.png").write_bytes(b"nothing")
    desk.begin()
    desk.label(0)
    assert "cannot be read" in (desk.assistant.suggest(desk.id(2)).waiting_for or "")
    assert desk.assistant.suggest(desk.id(3)).points
    labels = desk.assistant.predicted_labels()
    assert labels is not None
    assert "02.png" not in labels.images
    assert desk.assistant.next(desk.id(1), []).id != desk.id(2)


def test_a_run_without_features(desk: Desk, tmp_path: Path) -> None:
    unfinished = Run.create(tmp_path / "unfinished", desk.run.settings)
    with pytest.raises(LeadError, match="no trained features"):
        desk.assistant.use(unfinished)
