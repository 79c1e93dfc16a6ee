"""Labels of pictures that were moved, turned or resized since, or that a model labelled."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lead.errors import LeadError
from lead.images.decode import decode
from lead.images.folder_pictures import FolderPictures, LabelledAs
from lead.images.placing import at_hand, gathered, placed_by_hand
from lead.landmarks import Labels, Schema

STORED = (40, 30)


def marked(path: Path, place: tuple[int, int], orientation: int, size: tuple[int, int] = STORED) -> None:
    """A black picture with one white pixel, stored upright but for its EXIF orientation."""
    picture = Image.new("RGB", size)
    picture.putpixel(place, (255, 255, 255))
    exif = Image.Exif()
    exif[0x0112] = orientation
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path, exif=exif)


def whitest(path: Path) -> list[int]:
    """x and y of a picture's lightest pixel as it is shown."""
    grey = np.asarray(decode(path).convert("L"))
    y, x = np.unravel_index(grey.argmax(), grey.shape)
    return [int(x), int(y)]


def labelled(
    *places: tuple[float, float], images: tuple[str, ...] = ("a.png",), size: tuple[int, int] | None
) -> Labels:
    labels = Labels.from_xy(Schema(("p",)), images, np.array(places, dtype=float)[:, None])
    sizes = None if size is None else np.tile(size, (len(images), 1))
    return Labels(labels.schema, labels.images, labels.xy, labels.visible, sizes=sizes)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("labelled_as", [None, "stored", "upright"])
def test_places_on_stored_pixels_come_to_where_the_upright_picture_shows_them(
    tmp_path: Path, orientation: int, labelled_as: LabelledAs | None
) -> None:
    marked(tmp_path / "a.png", (7, 4), orientation)
    said: list[str] = []
    found = at_hand(labelled((7, 4), size=STORED), FolderPictures(tmp_path, labelled_as), say=said.append)
    sideways, turned = orientation >= 5, orientation > 1
    known = labelled_as == "stored" or (labelled_as is None and sideways)
    expected = whitest(tmp_path / "a.png") if known else [7, 4]
    assert found.xy[0, 0].tolist() == expected
    if labelled_as is None and turned and not sideways:
        assert "the labels do not tell whether on the upright picture" in said[0]
        assert "--labelled-as stored" in said[0]
    elif turned and known:
        assert "the places are turned with the picture" in said[0]
    else:
        assert said == []


@pytest.mark.parametrize("orientation", range(1, 9))
def test_boxes_of_several_specimens_are_turned_and_scaled_with_the_picture(tmp_path: Path, orientation: int) -> None:
    x, y, width, height = 7, 4, 5, 3
    picture = Image.new("RGB", STORED)
    picture.paste((255, 255, 255), (x, y, x + width, y + height))
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture.resize((STORED[0] * 2, STORED[1] * 2), Image.Resampling.NEAREST).save(tmp_path / "a.png", exif=exif)
    rows, columns = np.nonzero(np.asarray(decode(tmp_path / "a.png").convert("L")))
    labels = Labels(
        Schema(("p",)),
        ("a.png",) * 3,
        np.array([[[x, y]], [[np.nan] * 2], [[x + width - 1, y + height - 1]]]),
        np.array([[2], [0], [2]], dtype=np.int8),
        sizes=np.tile(STORED, (3, 1)),
        tracks=("", "Ann", ""),
        boxes=np.array([[np.nan] * 4, [x, y, width, height], [np.nan] * 4]),
        complete=frozenset({"a.png"}),
    )
    found = at_hand(labels, FolderPictures(tmp_path, "stored"))
    assert found.boxes is not None
    left, top, right, bottom = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
    np.testing.assert_allclose(found.boxes[1], [left, top, right - left, bottom - top])
    assert np.isnan(found.boxes[[0, 2]]).all()
    low, high = found.xy[[0, 2], 0].min(0), found.xy[[0, 2], 0].max(0)  # the middles of the first and last pixel
    np.testing.assert_allclose([*low, *high], [left + 0.5, top + 0.5, right - 1.5, bottom - 1.5])
    assert (found.tracks, found.complete) == (labels.tracks, labels.complete)


def test_a_picture_whose_labels_are_left_out_is_not_complete(tmp_path: Path) -> None:
    Image.new("RGB", (30, 40)).save(tmp_path / "a.png")
    Image.new("RGB", STORED).save(tmp_path / "b.png")
    images = ("a.png", "a.png", "b.png", "b.png")
    rows = Labels(
        Schema(("p",)),
        images,
        np.ones((4, 1, 2)),
        np.full((4, 1), 2, dtype=np.int8),
        sizes=np.tile(STORED, (4, 1)),
        tracks=("",) * 4,
        boxes=np.tile([1.0, 2, 3, 4], (4, 1)),
        complete=frozenset(images),
    )
    said: list[str] = []
    found = at_hand(rows, FolderPictures(tmp_path), say=said.append)
    assert found.is_specimen.tolist() == [False, False, True, True]
    assert found.complete == {"b.png"}
    assert said[0].startswith("1 labelled picture has other proportions")


def test_predicted_specimens_of_a_picture_that_a_person_labelled_go_with_their_boxes(tmp_path: Path) -> None:
    category = {"id": 1, "name": "a", "keypoints": ["p"]}
    image = {"id": 1, "file_name": "a.png"}
    hand = {"id": 1, "image_id": 1, "category_id": 1, "keypoints": [1, 2, 2]}
    said = [hand | {"id": i, "keypoints": [i, 9, 2], "score": 0.5, "bbox": [0, 0, 9, 9]} for i in (1, 2)]
    for name, entries in (("hand", [hand]), ("said", said)):
        data = {"images": [image], "annotations": entries, "categories": [category]}
        (tmp_path / f"{name}.json").write_text(json.dumps(data))
    told: list[str] = []
    found = gathered([tmp_path / "hand.json", tmp_path / "said.json"], several=True, say=told.append)
    assert found.labels.xy.tolist() == [[[1, 2]]]
    assert found.labels.boxes is None
    assert told == [f"{tmp_path / 'said.json'}: left out: predictions of 1 picture that a person labelled."]


def test_places_on_the_upright_picture_stay_where_the_file_says_its_size(tmp_path: Path) -> None:
    marked(tmp_path / "a.png", (7, 4), 6)
    said: list[str] = []
    assert at_hand(labelled((3, 9), size=(30, 40)), FolderPictures(tmp_path), say=said.append).xy.tolist() == [[[3, 9]]]
    assert said == []


@pytest.mark.parametrize(
    ("labelled_as", "height", "warned"), [(None, 40, True), ("upright", 40, False), ("stored", 30, False)]
)
def test_a_tps_counts_from_the_bottom_of_the_picture_that_was_looked_at(
    tmp_path: Path, labelled_as: LabelledAs | None, height: int, warned: bool
) -> None:
    marked(tmp_path / "a.png", (7, 4), 6)
    (tmp_path / "a.tps").write_text(f"LM=1\n7 {height - 4}\nIMAGE=a.png\nID=0\n")
    said: list[str] = []
    found = gathered([tmp_path / "a.tps"], labelled_as=labelled_as, say=said.append)
    assert found.labels.xy[0, 0].tolist() == (whitest(tmp_path / "a.png") if labelled_as == "stored" else [7, 4])
    assert any("the labels do not tell" in text for text in said) == warned


@pytest.mark.parametrize("factor", [2, 3, 0.5])
def test_places_on_a_resized_picture_are_scaled_about_its_edge(tmp_path: Path, factor: float) -> None:
    now = (round(STORED[0] * factor), round(STORED[1] * factor))
    Image.new("RGB", now).save(tmp_path / "a.png")
    said: list[str] = []
    found = at_hand(labelled((-0.5, 9.5), size=STORED), FolderPictures(tmp_path), say=said.append)
    assert np.allclose(found.xy[0, 0], [-0.5, 10 * factor - 0.5])
    assert said == [
        "1 labelled picture of another size when labelled: the places are scaled. The first is a.png, then 40 × 30, "
        f"now {now[0]} × {now[1]} pixels."
    ]
    assert found.known_sizes() == {"a.png": now}


@pytest.mark.parametrize("now", [(30, 40), (40, 25), (80, 30), (38, 30)])
def test_places_on_a_picture_of_other_proportions_are_left_out_and_named(tmp_path: Path, now: tuple[int, int]) -> None:
    Image.new("RGB", now).save(tmp_path / "a.png")
    Image.new("RGB", STORED).save(tmp_path / "b.png")
    both = labelled((1, 2), (3, 4), images=("a.png", "b.png"), size=STORED)
    said: list[str] = []
    found = at_hand(both, FolderPictures(tmp_path), say=said.append)
    assert found.visible.tolist() == [[0], [2]]
    assert f"a.png, was labelled at 40 × 30 pixels and has {now[0]} × {now[1]}" in said[0]
    assert said[0].endswith("or is another picture. Their labels are left out: label again what is to count.")
    with pytest.raises(LeadError, match="Give the pictures that were labelled"):
        at_hand(both.take([0]), FolderPictures(tmp_path))


def test_few_pictures_of_other_proportions_are_all_named_and_of_many_the_first(tmp_path: Path) -> None:
    names = tuple(f"{i}.png" for i in range(9))
    for name in names:
        Image.new("RGB", STORED if name == "8.png" else (30, 40)).save(tmp_path / name)
    every = labelled(*[(1, 2)] * 9, images=names, size=STORED)
    said: list[str] = []
    at_hand(every.take([0, 1, 2, 8]), FolderPictures(tmp_path), say=said.append)
    at_hand(every, FolderPictures(tmp_path), say=said.append)
    assert said[0].startswith("3 labelled pictures have")
    assert " the first, 0.png, was labelled" in said[0]
    assert " Likewise 1.png, 2.png. Their labels" in said[0]
    assert " Likewise 1.png, 2.png, 3.png, 4.png, 5.png and 2 more. Their labels" in said[1]


def test_a_size_noted_for_a_list_says_nothing_of_pictures_of_other_sizes_unless_none_has_it(tmp_path: Path) -> None:
    for file, size in (("a.png", STORED), ("b.png", (80, 60)), ("c.png", (80, 60))):
        Image.new("RGB", size).save(tmp_path / file)
    every = labelled((1, 2), (3, 4), (5, 6), images=("a.png", "b.png", "c.png"), size=STORED)
    folder = FolderPictures(tmp_path)
    assert at_hand(every, folder, one_size=True).xy[:, 0].tolist() == [[1, 2], [3, 4], [5, 6]]
    assert at_hand(every, folder).xy[:, 0].tolist() == [[1, 2], [6.5, 8.5], [10.5, 12.5]]
    resized = every.take([1, 2])
    assert at_hand(resized, folder, one_size=True).xy[:, 0].tolist() == [[6.5, 8.5], [10.5, 12.5]]


@pytest.mark.parametrize("factor", [0.5, 3])
def test_errors_of_predictions_are_in_the_pixels_of_the_resized_picture(tmp_path: Path, factor: float) -> None:
    size = (round(STORED[0] * factor), round(STORED[1] * factor))
    Image.new("RGB", size).save(tmp_path / "a.png")
    labels = labelled((10, 10), (10, 10), images=("a.png", "gone.png"), size=STORED)
    table = np.full((2, 1), 4.0)
    found = at_hand(replace(labels, px_error=table, px_90=2 * table), FolderPictures(tmp_path))
    assert found.px_error is not None
    assert found.px_90 is not None
    assert found.px_error.ravel().tolist() == [4 * factor, 4]
    assert found.px_90.ravel().tolist() == [8 * factor, 8]


def test_a_turned_and_resized_picture_is_both(tmp_path: Path) -> None:
    marked(tmp_path / "a.png", (7, 4), 6, size=(80, 60))
    found = at_hand(labelled((3.25, 1.75), size=STORED), FolderPictures(tmp_path))
    assert found.xy[0, 0].tolist() == whitest(tmp_path / "a.png")


def test_moved_pictures_go_by_their_new_paths_which_is_told(tmp_path: Path) -> None:
    for file in ("new/a.png", "p/b.png", "q/b.png", "c.png"):
        marked(tmp_path / file, (1, 1), 1)
    (tmp_path / "l.csv").write_text("image,p_x,p_y\n" + "".join(f"C:\\old\\{n}.png,1,2\n" for n in "abc"))
    said: list[str] = []
    found = gathered([tmp_path / "l.csv"], tmp_path, say=said.append)
    assert found.labels.images == ("new/a.png", "C:\\old\\b.png", "c.png")
    assert "2 pictures were found by the end of the path, the first is 'C:\\\\old\\\\a.png': new/a.png" in said[0]
    assert "1 of them lies in a folder of another name" in said[1]
    assert "p/b.png, q/b.png" in said[2]


def test_frames_are_found_with_their_moved_film(tmp_path: Path) -> None:
    (tmp_path / "films").mkdir()
    (tmp_path / "films" / "run.mp4").touch()
    assert FolderPictures(tmp_path).find("D:/lab/run.mp4#12") == "films/run.mp4#12"
    assert FolderPictures(tmp_path).find("D:/lab/walk.mp4#12") is None


def test_files_of_several_folders_are_one_set_below_what_they_share(tmp_path: Path) -> None:
    for video in "vw":
        marked(tmp_path / video / "i.png", (1, 1), 1)
        (tmp_path / video / "l.csv").write_text("image,p_x,p_y\ni.png,1,2\n")
    found = gathered([tmp_path / "v/l.csv", tmp_path / "w/l.csv"])
    assert found.labels.images == ("v/i.png", "w/i.png")
    assert found.pictures.root == tmp_path


def test_of_several_files_a_persons_labels_go_before_a_models_of_the_same_picture(tmp_path: Path) -> None:
    (tmp_path / "hand.csv").write_text("image,name,x,y\na.png,p,1,2\n")
    (tmp_path / "found.csv").write_text("image,name,x,y,score\na.png,p,5,6,0.5\nb.png,p,7,8,0.5\n")
    said: list[str] = []
    for files in (["hand.csv", "found.csv"], ["found.csv", "hand.csv"]):
        labels = gathered([tmp_path / file for file in files], say=said.append).labels
        of = dict(zip(labels.images, labels.xy[:, 0].tolist(), strict=True))
        assert of == {"a.png": [1, 2], "b.png": [7, 8]}
        assert labels.is_predicted[labels.images.index("b.png")].all()
        assert labels.by_hand[labels.images.index("a.png")].all()
    assert [text for text in said if "left out" in text] == [
        f"{tmp_path / 'found.csv'}: left out: predictions of 1 picture that a person labelled."
    ] * 2


def test_what_a_model_said_is_left_out_and_counted() -> None:
    score = np.array([[np.nan, np.nan], [0.1, np.nan], [0.2, 0.9]])
    xy = np.arange(12, dtype=float).reshape(3, 2, 2)
    labels = Labels(Schema(("p", "q")), ("a", "b", "c"), xy, np.full((3, 2), 2), score)
    said: list[str] = []
    kept = placed_by_hand(labels, said.append)
    assert kept.visible.tolist() == [[2, 2], [0, 2], [0, 0]]
    assert kept.score is None
    assert said == ["left out: 3 points that a model said and no person placed, 1 picture holding nothing else."]
    with pytest.raises(LeadError, match="all 2 points of 1 picture are a model's predictions"):
        placed_by_hand(labels.take([2]))
    assert placed_by_hand(kept) is kept


@pytest.fixture
def as_coco(tmp_path: Path) -> Path:
    """A COCO file, as tools that do not look at EXIF write it."""
    marked(tmp_path / "a.jpg", (7, 4), 6)
    category = {"id": 1, "name": "x", "keypoints": ["p"], "skeleton": []}
    image = {"id": 1, "file_name": "a.jpg", "width": STORED[0], "height": STORED[1]}
    annotation = {"id": 1, "image_id": 1, "category_id": 1, "keypoints": [7, 4, 2], "num_keypoints": 1}
    path = tmp_path / "coco.json"
    path.write_text(json.dumps({"images": [image], "annotations": [annotation], "categories": [category]}))
    return path


def test_the_size_in_a_coco_file_says_that_a_phones_picture_was_labelled_as_stored(as_coco: Path) -> None:
    assert gathered([as_coco]).labels.xy[0, 0].tolist() == whitest(as_coco.with_name("a.jpg"))


def test_landmarks_of_two_files_that_differ_by_case_alone_are_told_with_their_file(tmp_path: Path) -> None:
    marked(tmp_path / "a.png", (1, 1), 1)
    marked(tmp_path / "b.png", (1, 1), 1)
    (tmp_path / "1.csv").write_text("image,name,x,y\na.png,nose,1,2\na.png,Tail,1,2\na.png,tail,3,4\n")
    (tmp_path / "2.csv").write_text("image,name,x,y\nb.png,Nose,1,2\n")
    said: list[str] = []
    gathered([tmp_path / "1.csv", tmp_path / "2.csv"], say=said.append)
    assert said == [
        f"{tmp_path / '1.csv'}, line 4: the landmarks 'Tail', 'tail' differ by case or blanks alone.",
        f"{tmp_path / '2.csv'}, line 2: the landmarks 'nose', 'Nose' differ by case or blanks alone.",
    ]


def test_stored_where_the_file_says_upright_is_refused(tmp_path: Path) -> None:
    marked(tmp_path / "a.png", (1, 1), 6)
    with pytest.raises(LeadError, match=r"labelled upright, as its 30 × 40 .*: leave out --labelled-as stored\.$"):
        at_hand(labelled((3, 4), size=STORED[::-1]), FolderPictures(tmp_path, "stored"))
