"""The model side where pictures show several things: from a picture that is complete to all others."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from crowds import COUNTS, PICTURE, Crowd, near, see_colours
from herds import SCHEMA
from modelled import untrained, wait_for

from lead import api
from lead.config import check
from lead.inference import Landmarker
from lead.landmarks.model import UNLABELLED
from lead.studio import answers
from lead.studio.finds import Finds
from lead.studio.fitter import Pace
from lead.studio.knowledge import Knowledge
from lead.studio.progress import progress
from lead.studio.several_answers import NOT_READY
from lead.studio.several_labels import combined
from lead.training.run import Run

LABELLED = [0, 1]
"""Pictures of which all is labelled, in the end."""
OTHERS = [2, 3, 4, 5]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    sections: dict[str, Any] = {"picture": PICTURE, "distill": {"dimension": 7, "width": 8}}
    return untrained(
        tmp_path_factory.mktemp("runs") / "run", check({"backbone": {"name": "test_resnet"}, **sections}, "test")
    )


@pytest.fixture(scope="module")
def settled(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crowd]:
    """A folder of which two pictures are labelled, and all that the model says of the others. Not to be changed."""
    with pytest.MonkeyPatch.context() as patch:
        see_colours(patch)
        crowd = Crowd(tmp_path_factory.mktemp("settled") / "pictures", run, Pace(quiet=0.02, rest=0.02))
        crowd.begin()
        for number in LABELLED:
            crowd.label(number)
        crowd.settled()
        yield crowd
        crowd.close()


@pytest.fixture
def other(settled: Crowd, tmp_path: Path) -> Iterator[Crowd]:
    """Another label file of the same folder, of which no model learns."""
    other = Crowd.__new__(Crowd)
    other.begin_another(settled, tmp_path / "other.json")
    yield other
    other.book.close()


def knowing(settled: Crowd, other: Crowd) -> Knowledge:
    """What the one's model says beside the other's labels."""
    return replace(settled.knowledge, contents=other.book.contents)


@pytest.fixture
def crowd(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Crowd]:
    """A folder of which nothing is labelled."""
    see_colours(monkeypatch)
    crowd = Crowd(tmp_path / "pictures", run, Pace(quiet=0.02, rest=0.02))
    crowd.begin()
    yield crowd
    crowd.close()


# --- what the model says ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", OTHERS)
def test_all_specimens_of_another_picture_are_suggested(settled: Crowd, number: int) -> None:
    found = answers.suggest(settled.knowledge, settled.id(number))
    assert (found.waiting_for, found.points, found.method) == (None, {}, "head")
    assert (found.turned, found.up) == (False, None)
    assert set(found.guides) == {settled.id(n) for n in LABELLED}
    assert len(found.specimens) == COUNTS[number]
    for places in settled.xy(number):
        assert sum(near(one, places) for one in found.specimens) == 1
    for one in found.specimens:
        assert one.key is None
        assert one.likely is not None
        assert one.likely >= 0.5
        assert all(point.expected_px > 0 for point in one.points.values())


def test_how_far_the_model_side_is(settled: Crowd) -> None:
    status = answers.status(settled.knowledge)
    assert (status.stage, status.fitting, status.method, status.fitted_to) == ("ready", False, "head", len(LABELLED))
    labels = sum(COUNTS[number] for number in LABELLED)
    assert status.held_out_points == labels * len(SCHEMA.names)
    assert status.held_out is not None
    assert status.held_out_px is not None
    assert status.held_out_px == pytest.approx(status.held_out * 192)
    assert 0 < status.held_out_px < 5
    assert (
        status.message
        == f"Specimens found, in pictures not learnt from: {labels} of {labels}, and 0 places that are none."
    )
    found = progress(settled.knowledge)
    assert [(one.placed, one.pictures) for one in found] == [(labels, labels)] * len(SCHEMA.names)
    assert all(one.expected_px is not None and 0 < one.expected_px < 5 for one in found)


def test_a_specimen_that_is_labelled_in_part_is_known_by_its_key(settled: Crowd, other: Crowd) -> None:
    first, second, third = other.xy(3)
    half = other.put(3, first + 2.0, names=SCHEMA.names[:1])
    whole = other.put(3, second)
    found = answers.suggest(knowing(settled, other), other.id(3)).specimens
    assert {one.key for one in found if one.key} == {half, whole}
    for key, places in ((half, first), (whole, second), (None, third)):
        (one,) = (one for one in found if one.key == key)
        assert near(one, places)
        assert (one.likely is None) == (key is not None)
    swapped = second[[1, 0, 2, 3]]
    other.say(whole, points=dict.fromkeys(SCHEMA.names))
    other.say(whole, points=other.points(swapped))
    assert whole in {one.key for one in answers.suggest(knowing(settled, other), other.id(3)).specimens}
    other.say(whole, remove=True)
    left = answers.suggest(knowing(settled, other), other.id(3)).specimens
    assert sorted(one.key is None for one in left) == [False, True, True]


def test_what_was_missed_or_leaves_doubt_comes_first_in_the_review(settled: Crowd, other: Crowd) -> None:
    knowledge = knowing(settled, other)
    before = answers.predictions(knowledge, sort="expected", offset=0, limit=100)
    assert before.total == len(COUNTS)
    assert before.model == answers.status(knowledge).model
    assert [one.missed for one in before.pictures] == [0] * len(COUNTS)
    assert all(one.points == {} and len(one.specimens) >= COUNTS[int(one.file[:2])] for one in before.pictures)
    sure = [one.expected for one in before.pictures if not one.doubtful]
    assert sure == sorted(sure, reverse=True)
    least = before.pictures[-1]
    number = int(least.file[:2])
    nowhere = np.array([[5.0, 5.0], [9.0, 5.0], [5.0, 9.0], [9.0, 9.0]])
    other.put(number, nowhere)
    after = answers.predictions(knowing(settled, other), sort="expected", offset=0, limit=100)
    assert (after.pictures[0].file, after.pictures[0].missed) == (least.file, 1)
    other.label(3)
    other.say(other.id(5), complete=True)  # though the model finds three
    by_name = answers.predictions(knowing(settled, other), sort="name", offset=0, limit=100).pictures
    assert [one.file for one in by_name] == list(settled.folder.files)
    assert [one.complete for one in by_name] == [False, False, False, True, False, True]
    assert (by_name[3].missed, by_name[3].doubtful) == (0, 0)
    assert by_name[5].doubtful == COUNTS[5]
    part = answers.predictions(knowing(settled, other), sort="name", offset=1, limit=2)
    assert part.pictures == by_name[1:3]
    other.say(other.id(4), tags=["skip"])
    assert answers.predictions(knowing(settled, other), sort="name", offset=0, limit=9).total == len(COUNTS) - 1
    shares = answers.expected_shares(settled.knowledge)
    assert set(shares) == {settled.id(number) for number, count in enumerate(COUNTS) if count}


def test_what_is_least_sure_is_labelled_next(settled: Crowd) -> None:
    choice = answers.next_picture(settled.knowledge, None, [])
    assert choice.kind == "uncertain"
    assert choice.id in {settled.id(number) for number in OTHERS}
    assert answers.next_picture(settled.knowledge, None, [settled.id(number) for number in OTHERS]).kind != "uncertain"


def test_labels_for_a_second_look_name_the_specimen(settled: Crowd, other: Crowd) -> None:
    first, second, third = other.xy(3)
    keys = [other.put(3, places) for places in (first, second, third)]
    others = [other.put(number, places) for number in (4, 5) for places in other.xy(number)]
    assert answers.disputes(knowing(settled, other)).disputes == []
    other.say(keys[0], points=other.points(first[[1, 0, 2, 3]]))
    twice = other.put(3, second + 1.0)
    other.say(twice, track="Ann")
    apart = other.xy(4)[0].copy()
    apart[3] = (-6.0, 8.0)
    other.say(others[0], points=other.points(apart))
    found = answers.disputes(knowing(settled, other)).disputes
    said = {(one.key, one.kind, tuple(one.landmarks)): one for one in found}
    swap = said[keys[0], "swap", ("red", "green")]
    assert swap.message == "Specimen 1: red and green fit better if exchanged."
    assert (swap.id, swap.file) == (other.id(3), "03.bmp")
    again = said[twice, "duplicate", SCHEMA.names]
    assert again.message == "Specimen 4 (Ann) is where specimen 2 is: one specimen, labelled twice?"
    assert said[others[0], "outside", ("yellow",)].message.startswith("Specimen 1: yellow is ")
    assert {one.key for one in found} == {keys[0], twice, others[0]}
    for key in (keys[0], twice, keys[1]):
        other.say(key, checked=True)
    assert {one.key for one in answers.disputes(knowing(settled, other)).disputes} == {others[0]}


def test_places_are_explored_as_ever(settled: Crowd) -> None:
    x, y = settled.xy(3)[0][0]
    found = answers.explore(settled.knowledge, settled.id(3), float(x), float(y), [settled.id(4)])
    assert [one.id for one in found.maps] == [settled.id(4)]


# --- files -----------------------------------------------------------------------------------------------------------


def test_predictions_of_all_pictures_are_exported(settled: Crowd) -> None:
    found = settled.fitter.predicted_labels()
    assert found is not None
    rows = found.rows_of()
    assert list(rows) == list(settled.folder.files)
    counts = [int(found.is_specimen[rows[file]].sum()) for file in settled.folder.files]
    assert counts == COUNTS
    assert found.likely is not None
    assert (found.likely[found.is_specimen] >= 0.5).all()
    both = settled.fitter.predicted_labels(beside_hand=True)
    assert both is not None
    of_hand, hand = both.rows_of(), settled.book.contents.labels
    for number in LABELLED:
        np.testing.assert_array_equal(both.xy[of_hand[f"{number:02}.bmp"]], hand.xy[hand.rows_of()[f"{number:02}.bmp"]])
    assert both.score is not None
    assert np.isnan(both.score[of_hand["00.bmp"]]).all()
    assert [len(of_hand[file]) for file in settled.folder.files] == [max(count, 1) for count in COUNTS]
    assert both.complete == hand.complete


def test_a_label_stands_in_the_place_of_the_same_prediction(settled: Crowd, other: Crowd) -> None:
    predicted = settled.fitter.predicted_labels()
    assert predicted is not None
    first, second = other.xy(4)
    other.put(4, first + 1.0, names=SCHEMA.names[:2])
    other.put(5, other.xy(5)[0])
    other.say(other.id(5), complete=True)
    hand = other.book.contents.labels
    extent = np.full(len(predicted), 25.0)
    both = combined(hand, predicted, extent)
    rows = both.rows_of()
    mine, model = rows["04.bmp"]
    np.testing.assert_allclose(both.xy[mine, :2], first[:2] + 1.0, atol=0.01)
    assert (both.visible[mine, 2:] == UNLABELLED).all()  # as the hand has it
    assert np.linalg.norm(both.xy[model] - second, axis=-1).max() < 3
    assert len(rows["05.bmp"]) == 1  # it is complete, says the hand
    assert len(rows["03.bmp"]) == COUNTS[3]
    assert len(rows["02.bmp"]) == 1
    assert not both.is_specimen[rows["02.bmp"]].any()


def test_a_model_to_take_away(settled: Crowd, tmp_path: Path) -> None:
    model = settled.fitter.landmarker()
    assert model is not None
    model.save(tmp_path / "model.safetensors")
    again = Landmarker.load(tmp_path / "model.safetensors")
    assert again.finder is not None
    assert again.schema.names == SCHEMA.names


# --- as labels come in -----------------------------------------------------------------------------------------------


def test_what_each_step_waits_for(crowd: Crowd) -> None:
    asked = crowd.id(3)

    def waiting() -> set[str | None]:
        shown = answers.predictions(crowd.knowledge, sort="expected", offset=0, limit=5)
        return {answers.suggest(crowd.knowledge, asked).waiting_for, shown.waiting_for}

    assert waiting() == {NOT_READY}
    assert crowd.fitter.landmarker() is None
    assert crowd.fitter.predicted_labels() is None
    key = crowd.put(0, crowd.xy(0)[0], names=SCHEMA.names[:1])
    wait_for(lambda: crowd.knowledge.several_is_current)
    assert waiting() == {NOT_READY}
    crowd.say(crowd.id(2), complete=True)  # it shows none, and so says what is background
    problem = "Nothing says how large a specimen is"
    wait_for(lambda: all(problem in (said or "") for said in waiting()))
    status = answers.status(crowd.knowledge)
    assert status.stage == "ready"
    assert problem in (status.message or "")
    assert not crowd.knowledge.behind
    crowd.say(key, points=crowd.points(crowd.xy(0)[0]))
    crowd.settled()
    assert len(answers.suggest(crowd.knowledge, crowd.id(0)).specimens) == COUNTS[0]


def test_newer_labels_end_the_looking_and_lead_to_another_fit(crowd: Crowd, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[tuple[int, str]] = []
    real = Finds.get
    keys: list[str] = []
    said: list[str | None] = []

    def get(finds: Finds, id: str) -> Any:
        looked.append((finds.number, id))
        if len(looked) == 1:
            shown = answers.predictions(crowd.knowledge, sort="expected", offset=0, limit=5)
            said.append(shown.waiting_for)
            keys.extend(crowd.label(1))
        return real(finds, id)

    monkeypatch.setattr(Finds, "get", get)
    crowd.label(0)
    wait_for(lambda: bool(keys))
    crowd.settled()
    numbers = [number for number, _ in looked]
    assert numbers.count(numbers[0]) == 1
    assert said == [f"Specimens are looked for: 0 of {len(COUNTS)} pictures."]
    last = numbers[-1]
    assert {id for number, id in looked if number == last} == set(crowd.folder.ids)
    assert answers.status(crowd.knowledge).fitted_to == 2
    # What is taken out is none any more, and is found again.
    crowd.say(keys[0], remove=True)
    wait_for(lambda: answers.status(crowd.knowledge).model > last)
    crowd.settled()
    assert len(crowd.knowledge.contents.taught) == COUNTS[0] + COUNTS[1] - 1


def test_labels_that_change_during_a_fit_lead_to_another(crowd: Crowd, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go_on = threading.Event(), threading.Event()
    real, fitted = api.fit, []

    def slow(*arguments: Any, **options: Any) -> Any:
        begun.set()
        assert go_on.wait(60)
        fitted.append(len(set(arguments[1].images)))
        return real(*arguments, **options)

    monkeypatch.setattr(api, "fit", slow)
    crowd.label(0)
    assert begun.wait(60)
    status = answers.status(crowd.knowledge)
    assert status.fitting
    assert status.message == answers.suggest(crowd.knowledge, crowd.id(3)).waiting_for == "Specimens are being learnt."
    crowd.say(crowd.id(2), complete=True)
    go_on.set()
    crowd.settled()
    assert fitted[0] == 1
    assert fitted[-1] == 2
    assert answers.status(crowd.knowledge).fitted_to == 2


def test_a_failure_is_told_and_the_next_fit_mends_it(crowd: Crowd, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("The disk is full.")

    with monkeypatch.context() as patch:
        patch.setattr(api, "fit", broken)
        crowd.label(0)
        wait_for(lambda: answers.status(crowd.knowledge).stage == "failed")
    assert answers.status(crowd.knowledge).message == "The disk is full."
    crowd.say(crowd.id(2), complete=True)
    wait_for(lambda: answers.status(crowd.knowledge).stage == "ready")
    crowd.settled()


def test_with_one_specimen_each_again_all_is_as_before(crowd: Crowd) -> None:
    crowd.name(several=False)
    assert answers.suggest(crowd.knowledge, crowd.id(0)).waiting_for != NOT_READY
