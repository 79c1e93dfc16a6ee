"""Labels that cannot be, and where they stand in their file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lead.errors import LeadError
from lead.images.doubts import doubts, refuse_far, refuse_unlabelled, without_far
from lead.images.folder_pictures import FolderPictures
from lead.images.labels import load_labels, save_labels
from lead.landmarks import Labels, Schema

NAN = float("nan")


def test_names_that_differ_by_case_are_told_with_their_line(tmp_path: Path) -> None:
    file = tmp_path / "labels.csv"
    file.write_text("image,name,x,y\na.png,nose,1,2\nA.PNG,nose,1,2\nb.png,Nose,1,2\n")
    told = doubts(load_labels(file), FolderPictures(tmp_path))
    assert told == [
        f"{file}, line 4: the landmarks 'nose', 'Nose' differ by case or blanks alone.",
        f"{file}, line 3: the pictures 'a.png', 'A.PNG' differ by case or blanks alone.",
    ]


def test_labels_beyond_their_picture_are_counted(tmp_path: Path) -> None:
    Image.new("RGB", (30, 20)).save(tmp_path / "a.png")
    xy = np.array([[[29.4, 19.4], [-0.6, 3]], [[30, 1], [99, 99]]])
    labels = Labels.from_xy(Schema(("p", "q")), ["a.png", "gone.png"], xy)
    save_labels(labels, tmp_path / "labels.csv")
    told, missing = doubts(load_labels(tmp_path / "labels.csv"), FolderPictures(tmp_path))
    assert missing.endswith(f"line 4: 1 labelled picture is not in {tmp_path}, the first is 'gone.png'.")
    assert told.endswith("line 3: 1 label lies outside, the first is 'q' of 'a.png' at (-0.6, 3) of 30 × 20 pixels.")


def test_a_name_within_another_does_not_take_its_line(tmp_path: Path) -> None:
    for name in ("1.png", "11.png"):
        Image.new("RGB", (30, 20)).save(tmp_path / name)
    file = tmp_path / "labels.csv"
    file.write_text("image,name,x,y\n11.png,nose,1,2\n11.png,nose tip,3,4\n1.png,nose,99,2\n1.png,nose tip,3,4\n")
    (told,) = doubts(load_labels(file), FolderPictures(tmp_path))
    assert told.startswith(f"{file}, line 4: 1 label lies outside, the first is 'nose' of '1.png'")


def test_what_is_far_outside_is_refused_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "labels.csv"
    file.write_text("image,a_x,a_y\n11.png,44,2\n1.png,46,2\n2.png,1,31\n")
    labels = load_labels(file)
    refuse_far(labels.take([0]), [(30, 20)])
    with pytest.raises(LeadError) as refused:
        refuse_far(labels, [(30, 20)] * 3)
    assert str(refused.value).startswith(f"{file}, line 3: 1.png: a is at (46, 2), far outside its picture of 30 × 20")
    assert "(2 such labels in all)" in str(refused.value)
    with pytest.raises(LeadError, match=r"^p\.png: a is at \(-16, 0\)"):  # of labels that are from no file
        refuse_far(Labels.from_xy(Schema(("a",)), ["p.png"], [[[-16, 0]]]), [(30, 20)])


def test_few_pictures_with_labels_far_outside_are_left_out_and_named_and_most_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "labels.csv"
    file.write_text("image,a_x,a_y,b_x,b_y\n1.png,4,2,4,3\n2.png,4,2,99,3\n3.png,,,4,2\n4.png,1,31,1,2\n")
    labels = load_labels(file)
    kept, left_out = without_far(labels, [(30, 20)] * 4)
    assert kept.images == ("1.png", "3.png")
    np.testing.assert_array_equal(kept.xy, labels.take([0, 2]).xy)
    assert [image for image, _ in left_out] == ["2.png", "4.png"]
    assert left_out[0][1].startswith(f"{file}, line 3: b is at (99, 3), far outside the 30 × 20 pixels that it has now")
    assert "label it again" in left_out[0][1]
    with pytest.raises(LeadError, match=r"2\.png: b is at .*\(2 such labels in all\).*check the units"):
        without_far(labels.take([0, 1, 3]), [(30, 20)] * 3)
    assert without_far(labels.take([0, 2]), [(30, 20)] * 2)[1] == []


def test_a_landmark_without_a_label_is_refused() -> None:
    labels = Labels.from_xy(
        Schema(("a", "b")), ["p.png", "q.png"], [[[1.0, 2.0], [NAN, NAN]], [[3.0, 4.0], [NAN, NAN]]]
    )
    with pytest.raises(LeadError, match="has a label for: b"):
        refuse_unlabelled(labels)
    refuse_unlabelled(labels.only(["a"]))


def test_a_label_at_the_very_corner_may_mean_missing(tmp_path: Path) -> None:
    Image.new("RGB", (30, 20)).save(tmp_path / "a.png")
    file = tmp_path / "labels.csv"
    file.write_text("image,name,x,y,score\na.png,a,1,0,\na.png,b,0,0,\na.png,c,0,0,0.5\na.png,d,0.0,0,\n")
    (told,) = doubts(load_labels(file), FolderPictures(tmp_path))
    assert told.startswith(f"{file}, line 3: 2 labels are at exactly (0, 0), the first is 'b' of 'a.png'")


@pytest.mark.parametrize(("factor", "likely_pixels"), [(1, True), (1 / 300, False), (0.0254, False)])
def test_places_in_another_unit_than_pixels_are_asked_about(tmp_path: Path, factor: float, likely_pixels: bool) -> None:
    for name in ("a.png", "b.png"):
        Image.new("RGB", (300, 200)).save(tmp_path / name)
    xy = np.array([[[30, 40], [120, 150]], [[50, 60], [200, 90]]]) * factor
    save_labels(Labels.from_xy(Schema(("p", "q")), ["a.png", "b.png"], xy), tmp_path / "labels.json")
    told = doubts(load_labels(tmp_path / "labels.json"), FolderPictures(tmp_path))
    assert [text.endswith("shares of the picture, or in the unit of a scale?") for text in told] == (
        [] if likely_pixels else [True]
    )


def test_a_specimen_that_is_labelled_twice_is_told_with_its_picture(tmp_path: Path) -> None:
    one = np.array([[10.0, 10.0], [50.0, 30.0]])
    xy = one + np.array([[0, 0], [0, 40], [0.5, 0.5], [30, 0]])[:, None]
    images = ("a.png", "a.png", "a.png", "b.png")
    labels = Labels(Schema(("p", "q")), images, xy, np.full((4, 2), 2, np.int8), tracks=("",) * 4)
    (told,) = doubts(labels, FolderPictures(tmp_path))
    assert told == (
        "1 specimen is labelled twice, the first: specimens 1 and 3 of 'a.png' have all landmarks in one place. "
        "Keep one."
    )
    assert doubts(labels.take([0, 1, 3]), FolderPictures(tmp_path)) == []


def test_a_picture_far_outside_is_left_out_with_all_its_specimens() -> None:
    xy = np.array([[[5.0, 5.0]], [[99.0, 5.0]], [[6.0, 5.0]], [[7.0, 5.0]], [[7.0, 6.0]]])
    images = ("a.png", "a.png", "b.png", "b.png", "c.png")
    labels = Labels(
        Schema(("p",)), images, xy, np.full((5, 1), 2, np.int8), tracks=("",) * 5, complete=frozenset(images)
    )
    kept, told = without_far(labels, [(20, 10)] * 5)
    assert kept.images == ("b.png", "b.png", "c.png")
    assert kept.complete == {"b.png", "c.png"}
    assert [image for image, _ in told] == ["a.png"]
