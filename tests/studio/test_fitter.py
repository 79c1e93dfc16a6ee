"""The model side on a real label file: from the first label to predictions, disputes and a model to take away."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from books import names_change, put
from desks import COUNT, PLACES, Desk
from modelled import untrained, wait_for

from lead import api
from lead.config import Settings
from lead.errors import LeadError
from lead.inference import Landmarker
from lead.studio import answers
from lead.studio import fitter as module
from lead.studio.answers import FEW_OWN, NO_FEATURES, NO_LABELS, NO_NAMES
from lead.studio.fitter import Pace
from lead.studio.folder import UnknownPicture
from lead.studio.label_messages import LabelsChange, Point
from lead.studio.messages import Suggestion
from lead.studio.progress import progress
from lead.studio.suggest import learn
from lead.training.run import Run


@pytest.fixture
def desk(tmp_path: Path, tiny: Callable[..., Settings], request: pytest.FixtureRequest) -> Iterator[Desk]:
    run = untrained(tmp_path / "run", tiny(picture={"store": 96, "input": 64}))
    desk = Desk(tmp_path / "pictures", run, getattr(request, "param", Pace(quiet=0.05)))
    yield desk
    desk.fitter.close()
    desk.book.close()


def test_what_each_step_waits_for(desk: Desk) -> None:
    first, second = desk.id(0), desk.id(1)
    assert answers.suggest(desk.knowledge, first).waiting_for == NO_FEATURES
    assert answers.explore(desk.knowledge, first, 1, 1, []).waiting_for == NO_FEATURES
    assert answers.predictions(desk.knowledge, sort="expected", offset=0, limit=5).waiting_for == NO_FEATURES
    assert desk.fitter.landmarker() is None
    assert desk.fitter.predicted_labels() is None
    assert answers.status(desk.knowledge).stage == "none"
    desk.fitter.use(desk.run)
    assert answers.suggest(desk.knowledge, first).waiting_for == NO_NAMES
    desk.name()
    assert answers.suggest(desk.knowledge, first).waiting_for == NO_LABELS
    desk.label(0)
    assert answers.suggest(desk.knowledge, first).waiting_for == NO_LABELS
    suggested = answers.suggest(desk.knowledge, second)
    assert suggested.waiting_for is None
    assert suggested.method == "matching"
    assert list(suggested.points) == list(PLACES)
    assert all(point.expected_px > 0 for point in suggested.points.values())
    with pytest.raises(UnknownPicture):
        answers.suggest(desk.knowledge, "0" * 12)


def test_suggestions_know_the_labels_of_this_moment(desk: Desk) -> None:
    """Without waiting for a fit: on a copy of a picture, what was just labelled there."""
    desk.begin()
    (desk.folder.root / "05.png").write_bytes((desk.folder.root / "04.png").read_bytes())
    desk.fitter.use(desk.run)
    desk.label(4)
    for x in (20.0, 40.0):
        desk.label(4, a=(x, 30.0))
        found = answers.suggest(desk.knowledge, desk.id(5)).points["a"]
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
    assert answers.status(desk.knowledge).fitting
    desk.label(1)
    assert answers.suggest(desk.knowledge, desk.id(3)).points  # meanwhile, the page gets answers
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
    wait_for(lambda: answers.status(desk.knowledge).stage == "failed")
    assert answers.status(desk.knowledge).message == "The disk is full."
    assert desk.fitter.predicted_labels() is None
    monkeypatch.setattr(module, "learn", real)
    desk.label(1)
    desk.fitted_to(2)
    assert answers.status(desk.knowledge).stage == "ready"
    assert answers.status(desk.knowledge).message is None


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
    labels = desk.fitter.predicted_labels()
    assert labels is not None
    assert labels.images == desk.folder.files
    assert labels.schema.flip_pairs == (("a", "b"),)
    assert labels.px_error is not None
    assert np.isfinite(labels.px_error).all()
    found = answers.predictions(desk.knowledge, sort="expected", offset=0, limit=100)
    assert found.total == COUNT
    assert [p.expected for p in found.pictures] == sorted((p.expected for p in found.pictures), reverse=True)
    assert [p.file for p in found.pictures if p.complete] == [p.file for p in found.pictures if int(p.file[:2]) < 6]
    for p in found.pictures:
        row = labels.images.index(p.file)
        assert p.expected_px == pytest.approx(labels.px_error[row].mean())
        assert p.expected == pytest.approx(p.expected_px / max(p.width, p.height))
        assert p.points["b"].x == pytest.approx(np.clip(labels.xy[row, 1, 0], -0.5, p.width - 0.5))
    part = answers.predictions(desk.knowledge, sort="expected", offset=3, limit=4)
    assert part.pictures == found.pictures[3:7]
    by_name = answers.predictions(desk.knowledge, sort="name", offset=0, limit=100)
    assert [p.file for p in by_name.pictures] == list(desk.folder.files)
    assert answers.expected_shares(desk.knowledge) == {p.id: pytest.approx(p.expected) for p in found.pictures}


def test_a_planted_outlier_until_it_is_mended_or_checked(desk: Desk) -> None:
    desk.begin()
    for number in range(10):
        desk.label(number)
    desk.label(3, c=(-20.0, 5.0))
    assert "outside" in {d.kind for d in answers.disputes(desk.knowledge).disputes if d.id == desk.id(3)}
    assert desk.fitter.predicted_labels() is not None  # has caught up
    kinds = {(d.kind, *d.landmarks) for d in answers.disputes(desk.knowledge).disputes if d.id == desk.id(3)}
    assert ("outside", "c") in kinds
    version = desk.book.labels(desk.id(3)).version
    desk.book.change_labels(desk.id(3), LabelsChange(base=version, checked=True))
    assert not [d for d in answers.disputes(desk.knowledge).disputes if d.id == desk.id(3)]


def test_the_explorer(desk: Desk) -> None:
    desk.begin()
    whole = answers.explore(desk.knowledge, desk.id(0), 20, 30, [])
    assert [m.id for m in whole.maps] == [desk.id(i) for i in range(1, COUNT)]
    two = answers.explore(desk.knowledge, desk.id(0), 20, 30, [desk.id(0), desk.id(7)])
    assert [m.id for m in two.maps] == [desk.id(0), desk.id(7)]
    itself = two.maps[0]
    assert np.hypot(itself.x - 20, itself.y - 30) < 8
    with pytest.raises(UnknownPicture):
        answers.explore(desk.knowledge, desk.id(0), 20, 30, ["0" * 12])


def test_what_to_label_next(desk: Desk) -> None:
    desk.name()
    assert answers.next_picture(desk.knowledge, None, []).id == desk.id(0)
    assert answers.next_picture(desk.knowledge, desk.id(0), [desk.id(1)]).id == desk.id(2)
    desk.fitter.use(desk.run)
    wait_for(lambda: answers.status(desk.knowledge).stage == "ready")
    wait_for(lambda: answers.next_picture(desk.knowledge, None, []).kind == "coverage")
    skipped: list[str] = []
    for _ in range(COUNT):
        choice = answers.next_picture(desk.knowledge, None, skipped)
        assert choice.id is not None
        assert choice.id not in skipped
        skipped.append(choice.id)
    assert answers.next_picture(desk.knowledge, None, skipped).kind == "none"


@pytest.mark.parametrize("desk", [Pace(quiet=0.05, still=1.0)], indirect=True)
def test_all_pictures_are_looked_at_twice_when_labels_rest(desk: Desk) -> None:
    desk.begin()
    for number in range(6):
        desk.label(number)
    quick = answers.status(desk.knowledge).model
    wait_for(lambda: answers.predictions(desk.knowledge, sort="name", offset=0, limit=1).model > max(quick, 1))
    labels = desk.book.contents.labels
    expected = api.fit(desk.run, labels, pictures=desk.folder.root).landmarker.predict(desk.folder.root)
    wait_for(lambda: desk.fitter.landmarker() is desk.fitter.landmarker())  # kept: not fitted anew
    found = answers.predictions(desk.knowledge, sort="name", offset=0, limit=100)
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
    suggested = answers.suggest(desk.knowledge, after)
    assert suggested.points == next(p.points for p in found.pictures if p.id == after)
    desk.label(6)
    wait_for(lambda: answers.suggest(desk.knowledge, after).model > suggested.model)
    assert desk.knowledge.landmarker is not None  # the last one, until there is another
    exported = desk.fitter.predicted_labels()  # of seven labels, and with all that is known of the errors
    assert exported is not None
    assert exported.px_90 is not None
    assert answers.status(desk.knowledge).fitted_to == 7


@pytest.mark.parametrize("desk", [Pace(quiet=0.05, still=600.0)], indirect=True)
def test_what_was_seen_closely_stays_while_a_picture_is_labelled(desk: Desk) -> None:
    """Every label is fitted to in haste; what was found in a closer look holds until something surer is found."""
    desk.begin()
    for number in range(6):
        desk.label(number)
    assert desk.fitter.predicted_labels() is not None  # which look closely
    asked = desk.id(7)
    close = desk.knowledge.close
    assert close is not None
    seen = answers.suggest(desk.knowledge, asked).points
    put(desk.book, "07.png", a=desk.truth(7)["a"])
    desk.fitted_to(7)
    assert desk.knowledge.close is close

    def suggested(id: str, error: float) -> dict[str, Suggestion]:
        """As if that were the expected error of the closer look."""
        labels = close.review.labels
        sure = replace(labels, px_error=np.full(labels.xy.shape[:2], error))
        before = replace(close, review=replace(close.review, labels=sure))
        return answers.suggest(replace(desk.knowledge, close=before), id).points

    quick = answers.suggest(replace(desk.knowledge, close=None), asked).points
    for name in PLACES:
        surer = suggested(asked, 0.001)[name]
        assert (surer.x, surer.y, surer.expected_px) == (seen[name].x, seen[name].y, 0.001)
        assert suggested(asked, 1e6)[name] == quick[name]
    # Of what it had been told, a model is not asked.
    assert suggested(desk.id(0), 0.001) == answers.suggest(replace(desk.knowledge, close=None), desk.id(0)).points


def test_it_says_what_is_looked_at_closely_and_what_could_not_be(desk: Desk) -> None:
    desk.begin()
    desk.label(0)
    assert desk.fitter.predicted_labels() is not None
    knowledge = desk.knowledge
    assert knowledge.close is not None
    assert answers.status(knowledge).closely == []  # pictures that are so small show no more
    some = replace(knowledge, close=replace(knowledge.close, closely=("a", "c")))
    assert answers.status(some).closely == ["a", "c"]
    store = knowledge.close.review.store
    store.unread.update({"03.png": "it was torn off", "04.png": "it is locked"})
    assert desk.knowledge.coarse == {"03.png": "it was torn off", "04.png": "it is locked"}
    desk.label(1)
    assert desk.fitter.predicted_labels() is not None  # another look, for which all of them can be read
    assert desk.knowledge.coarse == {}
    desk.book.change_landmarks(names_change(desk.book, "a", "b", "d").model_copy(update={"drop_labels": True}))
    assert answers.status(replace(some, contents=desk.book.contents)).closely == []


def test_a_second_look_that_fails_leaves_the_first(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise LeadError("The disk is full.")

    monkeypatch.setattr(api, "fit", broken)
    desk.begin()
    desk.label(0)
    exported = desk.fitter.predicted_labels()
    assert exported is not None
    assert exported.px_90 is None
    assert answers.status(desk.knowledge).stage == "ready"


def test_a_second_look_that_fails_is_not_tried_over_and_over_after_another_run_is_opened(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.begin()
    for number in range(3):
        desk.label(number)
        assert desk.fitter.predicted_labels() is not None  # numbers of fits rise
    tried: list[int] = []

    def broken(*_: Any, **__: Any) -> Any:
        tried.append(1)
        raise LeadError("The disk is full.")

    monkeypatch.setattr(api, "fit", broken)
    desk.fitter.use(desk.run)
    wait_for(lambda: answers.status(desk.knowledge).stage == "ready" and answers.status(desk.knowledge).model > 0)
    for _ in range(3):
        assert desk.fitter.predicted_labels() is not None
    assert 1 <= len(tried) <= 3  # once for each state of the labels and features


def test_a_model_to_take_away(desk: Desk, tmp_path: Path) -> None:
    desk.begin()
    for number in range(6):
        desk.label(number, **({} if number < 3 else {"b": None}))
    model = desk.fitter.landmarker()
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
    suggested = answers.suggest(desk.knowledge, desk.id(2))
    assert list(suggested.points) == ["z", "b", "c"]
    labels = desk.fitter.predicted_labels()
    assert labels is not None
    assert labels.schema.names == ("z", "b", "c")


def test_a_damaged_picture_harms_no_other(desk: Desk) -> None:
    (desk.folder.root / "02.png").write_bytes(b"nothing")
    desk.begin()
    desk.label(0)
    assert "cannot be read" in (answers.suggest(desk.knowledge, desk.id(2)).waiting_for or "")
    assert answers.suggest(desk.knowledge, desk.id(3)).points
    labels = desk.fitter.predicted_labels()
    assert labels is not None
    assert "02.png" not in labels.images
    assert answers.next_picture(desk.knowledge, desk.id(1), []).id != desk.id(2)


def test_a_run_without_features(desk: Desk, tmp_path: Path) -> None:
    unfinished = Run.create(tmp_path / "unfinished", desk.run.settings)
    with pytest.raises(LeadError, match="no trained features"):
        desk.fitter.use(unfinished)


def test_accepting_seven_pictures_unseen_does_not_move_the_headline(desk: Desk) -> None:
    """Each point is taken over some pixels off, as from a model that is not good yet."""
    desk.begin()
    for number in range(5):
        desk.label(number)
    desk.fitted_to(5)
    before = answers.status(desk.knowledge)
    assert before.held_out is not None
    assert before.held_out_px is not None
    assert before.held_out_points == 5 * len(PLACES)
    for number in range(5, COUNT):
        off = {name: Point(x=x + 9, y=y - 7, accepted=True) for name, (x, y) in desk.truth(number).items()}
        put(desk.book, f"{number:02}.png", **off)
    desk.fitted_to(COUNT)
    after = answers.status(desk.knowledge)
    assert after.held_out == pytest.approx(before.held_out, rel=1e-5)
    assert after.held_out_px == pytest.approx(before.held_out_px, rel=1e-5)
    assert (after.held_out_points, after.message) == (before.held_out_points, None)
    for number in range(5):
        put(desk.book, f"{number:02}.png", a=None, b=None, c=None)
    desk.fitted_to(COUNT - 5)
    alone = answers.status(desk.knowledge)
    assert (alone.held_out, alone.held_out_px, alone.held_out_points) == (None, None, 0)
    assert alone.message == FEW_OWN


def test_a_picture_tagged_skip_teaches_nothing_and_is_not_asked_for(desk: Desk) -> None:
    desk.begin()
    for number in range(7):
        desk.label(number)
    desk.label(6, a=(2.0, 3.0))
    desk.fitted_to(7)
    for number in (6, 9):
        base = desk.book.labels(desk.id(number)).version
        desk.book.change_labels(desk.id(number), LabelsChange(base=base, tags=["skip"]))
    desk.fitted_to(6)
    labels = desk.fitter.predicted_labels()
    assert labels is not None
    assert len(labels) == COUNT  # an export holds them
    shown = answers.predictions(desk.knowledge, sort="expected", offset=0, limit=100)
    assert shown.total == len(shown.pictures) == COUNT - 2
    assert not {desk.id(6), desk.id(9)} & {picture.id for picture in shown.pictures}
    assert desk.id(6) not in {dispute.id for dispute in answers.disputes(desk.knowledge).disputes}
    passed: list[str] = []
    while (choice := answers.next_picture(desk.knowledge, None, passed)).id is not None:
        passed.append(choice.id)
    assert sorted(passed) == sorted(desk.id(number) for number in (7, 8, 10, 11))
    assert answers.suggest(desk.knowledge, desk.id(6)).points  # it can be opened and labelled all the same
    assert desk.book.contents.labels.images[-1] == "06.png"


def test_a_note_leads_to_no_other_fit(desk: Desk) -> None:
    desk.begin()
    desk.label(0)
    desk.fitted_to(1)
    model = answers.status(desk.knowledge).model
    base = desk.book.labels(desk.id(0)).version
    desk.book.change_labels(desk.id(0), LabelsChange(base=base, note="torn", tags=["female"]))
    assert desk.knowledge.fit_is_current
    desk.label(1)  # after which a fit comes, of its own number
    desk.fitted_to(2)
    assert answers.status(desk.knowledge).model == model + 1


def test_how_far_each_landmark_is(desk: Desk) -> None:
    desk.begin()
    assert [(one.name, one.placed, one.expected) for one in progress(desk.knowledge)] == [
        (name, 0, None) for name in PLACES
    ]
    for number in range(3):
        desk.label(number)
    x, y = desk.truth(3)["a"]
    put(desk.book, "03.png", a=Point(x=x, y=y, accepted=True), b=Point(state="absent"))
    put(desk.book, "04.png", b=Point(state="hidden", x=x, y=y))
    desk.label(5)
    base = desk.book.labels(desk.id(5)).version
    desk.book.change_labels(desk.id(5), LabelsChange(base=base, tags=["skip"]))
    labels = desk.fitter.predicted_labels()
    assert labels is not None
    assert labels.px_error is not None
    found = progress(desk.knowledge)
    told = [(one.placed, one.accepted, one.hidden, one.absent) for one in found]
    assert told == [(4, 1, 0, 0), (4, 0, 1, 1), (3, 0, 0, 0)]
    kept = [row for row, file in enumerate(labels.images) if file != "05.png"]
    for k, one in enumerate(found):
        assert one.expected_px == pytest.approx(np.nanmean(labels.px_error[kept, k]))
        assert one.expected == pytest.approx(np.nanmean(labels.px_error[kept, k] / 96))  # each window's longer side
