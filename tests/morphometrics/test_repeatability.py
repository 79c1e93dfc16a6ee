"""Repeated looks: whose they are, what is refused, and what is said of landmarks, measures, shape and a model."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from lead import Labels, Schema, save_labels
from lead.errors import LeadError
from lead.landmarks import looks as look_files
from lead.landmarks.looks import LookHeader
from lead.landmarks.scales import Scale
from lead.morphometrics import measures
from lead.morphometrics.repeatability import (
    BETWEEN,
    EXACT,
    EXPECTED,
    ICC_BETWEEN,
    ICC_WITHIN,
    LANDMARK,
    LESS_EXACT,
    MEASURE,
    MODEL,
    OPEN,
    REPEATABILITY,
    SHAPE,
    TO_OTHER,
    TO_SECOND,
    WITHIN,
    repeatability,
)
from lead.morphometrics.second_looks import Looks, files_of, gathered_looks

FloatArray = npt.NDArray[np.float64]
SCHEMA = Schema(("base", "tip", "left", "right"))
BASE = np.array([(20, 50), (120, 50), (70, 20), (70, 85)], dtype=float)


def truth(pictures: int, seed: int = 0) -> FloatArray:
    return np.asarray(BASE + np.random.default_rng(seed).normal(0, 6, (pictures, 4, 2)))


def look(true: FloatArray, seed: int, deviation: npt.ArrayLike = 0.7) -> FloatArray:
    """(N, K, 2) places with errors along each axis, of all landmarks or of each."""
    scatter = np.broadcast_to(np.asarray(deviation, dtype=float), (4,))[:, None]
    return np.asarray(true + np.random.default_rng(seed).normal(0, 1, true.shape) * scatter)


def labels(xy: FloatArray, schema: Schema = SCHEMA) -> Labels:
    return Labels.from_xy(schema, [f"w{i}.png" for i in range(len(xy))], xy)


def looks_of(people: str, xy: list[FloatArray], scale: float | None = None) -> Looks:
    images = labels(xy[0]).images
    scales = {image: Scale.square(scale) for image in images} if scale else {}
    return Looks(SCHEMA, images, tuple(people), tuple(people), np.array(xy), (scales,) * len(xy))


def predicted(xy: FloatArray) -> Labels:
    return replace(labels(xy), px_error=np.full(xy.shape[:2], np.sqrt(np.pi) / 2))


def written(folder: Path, **looks: FloatArray) -> dict[str, Path]:
    for name, xy in looks.items():
        save_labels(labels(xy), folder / f"{name}.json")
    return {name: folder / f"{name}.json" for name in looks}


# --- whose looks stand where -----------------------------------------------------------------------------------------


def test_people_are_named_with_their_files_of_any_format(tmp_path: Path) -> None:
    true = truth(6)
    files = written(tmp_path, anna=look(true, 1), again=look(true[:4], 2))
    save_labels(labels(look(true[:5], 3)), tmp_path / "ben.csv")
    asked = [f"anna={files['anna']}", f"anna={files['again']}", f"ben={tmp_path / 'ben.csv'}"]
    told: list[str] = []
    found = gathered_looks(files_of(asked), say=told.append)
    assert found.people == ("anna", "anna", "ben")
    assert found.images == tuple(f"w{i}.png" for i in range(5))
    assert any("1 picture with a single look left out, the first is 'w5.png'" in line for line in told)
    np.testing.assert_allclose(found.xy[0], look(true, 1)[:5])
    assert np.isfinite(found.xy).all((2, 3)).sum(1).tolist() == [5, 4, 5]


def test_tps_numbers_are_taken_in_the_order_of_names(tmp_path: Path) -> None:
    true = truth(4)
    files = written(tmp_path, anna=true)
    save_labels(labels(true + 1), tmp_path / "ben.csv")
    numbers = labels(true + 1, Schema(("1", "2", "3", "4")))
    save_labels(numbers, tmp_path / "numbers.csv")
    told: list[str] = []
    found = gathered_looks(files_of([f"anna={files['anna']}", f"ben={tmp_path / 'numbers.csv'}"]), say=told.append)
    assert found.schema.names == SCHEMA.names
    assert any("numbers.csv numbers its landmarks: 1 to 4 are taken in the order of" in line for line in told)
    save_labels(numbers.only(["1", "2"]), tmp_path / "two.csv")
    with pytest.raises(LeadError, match=r"two.csv has 2 landmarks by number, .*anna.json has 4 by name"):
        gathered_looks(files_of([f"anna={files['anna']}", f"ben={tmp_path / 'two.csv'}"]))


def studio(folder: Path, *headers: LookHeader, pictures: int = 6, first: FloatArray | None = None) -> Path:
    """A label file, and files of looks beside it as the studio writes them."""
    true = truth(pictures)
    save_labels(labels(true if first is None else first), folder / "annotations.json")
    for number, said in enumerate(headers):
        again = labels(look(true, 10 + number)).take(range(4))
        path = look_files.new_path(folder / "annotations.json", said.person, said.number)
        path.write_text(look_files.dump(again, said), encoding="utf-8")
    return folder / "annotations.json"


def header(person: str, number: int, first_by: str = "Anna") -> LookHeader:
    pictures = tuple(f"w{i}.png" for i in range(4))
    return LookHeader(person, number, 0, "annotations.json", first_by, pictures, dict.fromkeys(pictures, "2026-12-01"))


def test_a_studio_s_label_file_stands_for_all_looks_beside_it(tmp_path: Path) -> None:
    file = studio(tmp_path, header("Anna", 2), header("Jörg Ü.", 1, ""))
    assert [path.name for path in look_files.beside(file)] == [
        "annotations-look-anna-2.json",
        "annotations-look-jörg-ü-1.json",
    ]
    for asked in (file, tmp_path):
        found = gathered_looks(files_of([str(asked)]))
        assert found.people == ("Anna", "Anna", "Jörg Ü.")
        assert len(found.images) == 4
    alone = files_of([str(tmp_path / "annotations-look-anna-2.json")])
    assert [one.person for one in alone] == ["Anna"]
    assert look_files.header_of(file) is None


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ((header("Anna", 2), header("anna ", 3)), r"Is this one person or several: 'Anna', 'anna '"),
        (
            (header("Anna", 2), header("Ben", 1, "Ben")),
            r"the first labels are by 'Anna', .* by 'Ben'. Correct 'first_by'",
        ),
        ((header("Anna", 2), header("Anna", 2)), r"anna-2-2.json, 'look': a look 2 by 'Anna' at 'w0.png' stands in"),
        ((), r"no files of looks. Make a second look"),
    ],
)
def test_two_people_with_one_name_are_told(tmp_path: Path, headers: tuple[LookHeader, ...], message: str) -> None:
    studio(tmp_path, *headers)
    with pytest.raises(LeadError, match=message):
        gathered_looks(files_of([str(tmp_path)]))


def test_what_is_no_look_is_refused(tmp_path: Path) -> None:
    true = truth(4)
    files = written(tmp_path, anna=true, copy=true, other=look(true, 1))
    anna = f"anna={files['anna']}"
    for asked, message in (
        ([anna, f"ben={files['anna']}"], r"given twice, as a look by 'anna' and by 'ben'"),
        ([anna, f"ben={files['copy']}"], r"copy.json has the very points of .*anna.json in 4 pictures"),
        ([str(files["anna"])], r"does not say whose labels they are"),
        ([anna, "ben=gone.json"], r"gone.json"),
        ([anna, "gone.json"], r"No file or folder gone.json"),
        ([f"={files['anna']}"], r"no name before '='"),
        ([anna], r"There is one look, and nothing to compare it with"),
    ):
        with pytest.raises(LeadError, match=message):
            gathered_looks(files_of(asked))
    studio(tmp_path, header("Anna", 2))
    with pytest.raises(LeadError, match=r"its person is 'Anna', and 'ben' was said"):
        files_of([f"ben={tmp_path / 'annotations-look-anna-2.json'}"])


def test_looks_at_different_pictures_and_those_not_begun(tmp_path: Path) -> None:
    true = truth(6)
    file = studio(tmp_path, header("Anna", 2))
    begun = look_files.new_path(file, "Ben", 1)
    begun.write_text(look_files.dump(labels(np.full_like(true, np.nan)), header("Ben", 1)), encoding="utf-8")
    told: list[str] = []
    assert gathered_looks(files_of([str(file)]), say=told.append).people == ("Anna", "Anna")
    assert any("ben-1.json: no landmark in it that a person placed" in line for line in told)
    save_labels(labels(true).renamed(f"x{i}.png" for i in range(6)), tmp_path / "other.json")
    with pytest.raises(LeadError, match=r"No picture was looked at twice, .*annotations.json has 'w0.png'"):
        gathered_looks(files_of([f"Anna={file}", f"Ben={tmp_path / 'other.json'}"]))


def test_a_broken_header_is_told(tmp_path: Path) -> None:
    file = studio(tmp_path, header("Anna", 2))
    path = look_files.beside(file)[0]
    top = json.loads(path.read_text(encoding="utf-8"))
    for said in (top["look"] | {"number": "two"}, top["look"] | {"person": " "}, {"person": "Anna"}):
        path.write_text(json.dumps(top | {"look": said}), encoding="utf-8")
        with pytest.raises(LeadError, match=r"anna-2.json: 'look'"):
            files_of([str(file)])


def test_pictures_of_other_sizes_are_not_compared(tmp_path: Path) -> None:
    true = truth(4)
    for name, size in (("anna", 200), ("ben", 400)):
        sized = replace(labels(look(true, size)), sizes=np.full((4, 2), size))
        save_labels(sized, tmp_path / f"{name}.json")
    with pytest.raises(LeadError, match=r"'w0.png' is 200 × 200 pixels in .*anna.json, 400 × 400 in .*ben.json"):
        gathered_looks(files_of([f"{name}={tmp_path / name}.json" for name in ("anna", "ben")]))


def test_suggestions_that_were_taken_over_are_no_look(tmp_path: Path) -> None:
    true = truth(4)
    taken = np.zeros((4, 4), dtype=bool)
    taken[0, :2] = True
    save_labels(replace(labels(true), accepted=taken), tmp_path / "anna.json")
    written(tmp_path, ben=look(true, 1))
    told: list[str] = []
    found = gathered_looks(files_of([f"{n}={tmp_path / n}.json" for n in ("anna", "ben")]), say=told.append)
    assert np.isnan(found.xy[0, 0, :2]).all()
    assert any("anna.json: 2 labels left out that a model said or suggested" in line for line in told)


# --- what looks tell -------------------------------------------------------------------------------------------------


def test_errors_of_landmarks_in_pixels_and_millimetres() -> None:
    true = truth(400)
    apart = np.random.default_rng(5).normal(0, 2, true.shape)
    found = repeatability(looks_of("AAB", [look(true, 1), look(true, 2), look(true, 3) + apart], 0.1))
    for k in SCHEMA.names:
        within = found.found(LANDMARK, WITHIN, "px")[k]
        assert within.value == pytest.approx(0.7 * np.sqrt(2), rel=0.1)
        assert within.low < within.value < within.high
        assert found.found(LANDMARK, WITHIN, "mm")[k].value == pytest.approx(within.value / 10)
        assert found.found(LANDMARK, BETWEEN, "px")[k].value == pytest.approx(2, rel=0.1), "2√2 of B, 0 of A, half each"


def test_measures_have_their_correlations() -> None:
    true = truth(300)
    asked = measures.parse("length: {distance: [base, tip]}\nlean: {axis: [tip, base]}\n", SCHEMA)
    found = repeatability(looks_of("AAB", [look(true, seed, 2) for seed in (1, 2, 3)], 0.1), asked)
    # The base's and the tip's error along the length, and theirs over the true lengths' variance.
    assert found.found(MEASURE, WITHIN, "mm")["length"].value == pytest.approx(0.2 * np.sqrt(2), rel=0.1)
    expected = 36 / (36 + 4)
    assert found.found(MEASURE, ICC_BETWEEN)["length"].value == pytest.approx(expected, abs=0.04)
    own = [line for line in found.lines if line.quantity == ICC_WITHIN and line.person == "A"]
    assert [line.value for line in own] == pytest.approx([expected] * 2, abs=0.04), "around 180°, directions are close"
    assert found.found(MEASURE, BETWEEN, "mm")["length"].low == 0


def test_shape_is_repeatable_by_the_share_of_individuals() -> None:
    true = truth(100)
    told: list[str] = []
    gap = look(true, 2)
    gap[0, 0] = np.nan
    found = repeatability(looks_of("AAB", [look(true, 1), gap, look(true, 3)]), say=told.append)
    line = found.found(SHAPE, REPEATABILITY)[""]
    assert line.value == pytest.approx(36 / (36 + 0.49), abs=0.02)
    assert {line.name for line in found.lines if line.of == SHAPE} >= {"individuals", "people", "rest"}
    assert told == ["Of shape, 1 look left out: a landmark is missing in it, or in the others at its picture."]


def test_the_model_stands_beside_the_looks() -> None:
    true = truth(60)
    model = predicted(look(true, 9, [0.1, 0.7, 3, 0.7]))
    found = repeatability(looks_of("AA", [look(true, 1), look(true, 2)]), (), model)
    errors = [line.value for line in found.found(LANDMARK, MODEL, "px").values()]
    assert errors == pytest.approx([0.14, 0.99, 4.24, 0.99], rel=0.2, abs=0.25)
    assert [line.value for line in found.found(LANDMARK, EXPECTED).values()] == pytest.approx([1] * 4)
    notes = {name: line.note for name, line in found.found(LANDMARK, TO_SECOND, "").items()}
    assert (notes["base"], notes["left"]) == (EXACT, LESS_EXACT)
    assert not found.found(LANDMARK, TO_OTHER)
    assert found.verdicts()[0].startswith("The model is as exact as a second look of yours on")
    assert "of 4 landmarks; less exact on 1 (left)" in found.verdicts()[0]


def test_few_pictures_make_no_claim() -> None:
    true = truth(9)
    found = repeatability(looks_of("AB", [look(true, 1), look(true, 2)]), (), predicted(true))
    assert {line.note for line in found.found(LANDMARK, TO_OTHER, "").values()} == {OPEN}
    assert found.verdicts() == [
        "The model is as exact as another person's look on 0 of 4 landmarks; on 4 it cannot be told from 9 pictures, "
        "which takes 10 looked at twice."
    ]
    between = found.found(LANDMARK, BETWEEN, "px")["base"]
    assert between.note.startswith("with the error within people")


def test_what_the_model_learnt_from_is_left_out() -> None:
    true = truth(12)
    looks, model = looks_of("AA", [look(true, 1), look(true, 2)]), predicted(look(true, 3))
    told: list[str] = []
    found = repeatability(looks, (), model, learnt_from=["w0.png", "w3.png"], say=told.append)
    assert found.found(LANDMARK, MODEL, "px")["base"].pictures == 10
    assert told == ["The predictions: left out 2 pictures that the model learnt from."]
    with pytest.raises(LeadError, match=r"learnt from all 12 pictures looked at twice"):
        repeatability(looks, (), model, learnt_from=looks.images)


def test_predictions_of_something_else_are_refused() -> None:
    true = truth(4)
    looks = looks_of("AA", [look(true, 1), look(true, 2)])
    for model, message in (
        (labels(true), r"nothing in it is said by a model"),
        (predicted(true).renamed(f"x{i}.png" for i in range(4)), r"none of the 4 pictures looked at twice"),
        (replace(predicted(true), schema=Schema(("a", "b", "c", "d"))), r"no landmark of the looks"),
    ):
        with pytest.raises(LeadError, match=message):
            repeatability(looks, (), model)


def test_a_slip_is_pointed_out() -> None:
    true = truth(8)
    slipped = look(true, 2)
    slipped[3, 1] += 30
    found = repeatability(looks_of("AA", [look(true, 1), slipped]))
    assert [(image, name) for image, name, _ in found.far] == [("w3.png", "tip")]
