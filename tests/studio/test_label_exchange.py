"""Label files into the book, and the book into label files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from books import ABSENT, HEIGHT, WIDTH, at, hidden, make_folder, name, open_book, put, visible
from PIL import Image

from lead.errors import LeadError
from lead.images.labels import load_labels
from lead.landmarks import UNLABELLED, VISIBLE, Labels, Schema
from lead.landmarks.formats import WRITTEN, format_named
from lead.landmarks.io import parse_labels
from lead.landmarks.pictures import Sized
from lead.studio.book import LabelBook
from lead.studio.transfer import OtherLandmarks, What, combined, export, formats, import_labels

NAN = np.nan


@pytest.fixture
def book(tmp_path: Path) -> LabelBook:
    """No landmarks yet; four pictures."""
    return open_book(make_folder(tmp_path / "pictures"))


def take(
    book: LabelBook, text: str | bytes, what: What = "labels", replace: bool = False, **more: Any
) -> dict[str, Any]:
    """What the import reports, without what is nothing."""
    data = text.encode() if isinstance(text, str) else text
    report = import_labels(book, data, "labels.csv", what, replace, **more).model_dump()
    return {key: value for key, value in report.items() if value}


CSV = "image,name,x,y,visible\na.png,eye,1.5,2,2\na.png,tail,3,4,1\nsub/c.png,eye,5,6,\nsub/c.png,tail,,,\n"


def test_landmarks_and_points_into_an_empty_book(book: LabelBook) -> None:
    assert take(book, CSV) == {"format": "csv", "landmarks": 2, "added": 3}
    assert [landmark.name for landmark in book.landmarks.landmarks] == ["eye", "tail"]
    assert at(book, "a.png") == {"eye": visible(1.5, 2), "tail": hidden(3, 4)}
    assert at(book, "sub/c.png") == {"eye": visible(5, 6)}
    assert load_labels(book.file).images == ("a.png", "sub/c.png")


def test_only_the_landmarks(book: LabelBook) -> None:
    assert take(book, CSV, "landmarks") == {"format": "csv", "landmarks": 2}
    assert [landmark.name for landmark in book.landmarks.landmarks] == ["eye", "tail"]
    assert book.contents.summary == {}


def test_a_label_file_of_another_folder_brings_colours_and_what_is_absent(book: LabelBook, tmp_path: Path) -> None:
    other = open_book(make_folder(tmp_path / "other"))
    name(other, "a", "b", skeleton=[("a", "b")], flip_pairs=[("b", "a")])
    put(other, "b.png", a=ABSENT, b=hidden(1 / 3, 2))
    report = import_labels(book, other.file.read_bytes(), "x.json", "labels", False)
    assert (report.format, report.landmarks, report.added, report.notes) == ("coco", 2, 2, [])
    assert at(book, "b.png") == at(other, "b.png")
    ours, theirs = book.landmarks, other.landmarks
    assert (ours.landmarks, ours.skeleton, ours.flip_pairs) == (theirs.landmarks, theirs.skeleton, theirs.flip_pairs)


def test_what_stands_here_is_kept_unless_it_is_to_be_replaced(book: LabelBook) -> None:
    name(book, "eye", "tail")
    put(book, "a.png", eye=(1.5, 2), tail=(9, 9))
    put(book, "sub/c.png", eye=ABSENT)
    before = book.file.read_bytes()
    assert take(book, CSV) == {"format": "csv", "same": 1, "kept": 2}
    assert book.file.read_bytes() == before
    assert take(book, CSV, replace=True) == {"format": "csv", "same": 1, "replaced": 2}
    assert at(book, "a.png") == {"eye": visible(1.5, 2), "tail": hidden(3, 4)}
    assert at(book, "sub/c.png") == {"eye": visible(5, 6)}
    assert take(book, CSV, replace=True) == {"format": "csv", "same": 3}
    latest = book.disk.history.snapshots()[0]
    assert (latest.why, latest.points) == ("before an import", 3)  # one of them absent
    book.restore(latest.id)
    assert at(book, "a.png") == {"eye": visible(1.5, 2), "tail": visible(9, 9)}


def test_points_in_the_file_never_take_labels_away(book: LabelBook) -> None:
    name(book, "eye", "tail", "wing")
    put(book, "sub/c.png", tail=(7, 7), wing=(8, 8))
    assert take(book, CSV, replace=True) == {"format": "csv", "added": 3}
    assert at(book, "sub/c.png") == {"eye": visible(5, 6), "tail": visible(7, 7), "wing": visible(8, 8)}


@pytest.mark.parametrize(
    ("files", "theirs", "expected"),
    [
        (["a.png", "x/a.png"], ["a.png"], {"a.png": "a.png"}),
        (["x/b.png"], ["b.png"], {"b.png": "x/b.png"}),
        (["b.png"], ["/home/ada/b.png"], {"/home/ada/b.png": "b.png"}),
        (["x/b.png", "b2.png"], [r"C:\data\x\b.png"], {r"C:\data\x\b.png": "x/b.png"}),
        (["x/a.png", "y/a.png"], ["a.png"], {}),
        (["x/a.png", "y/a.png"], ["z/y/a.png"], {"z/y/a.png": "y/a.png"}),
        (["a.png"], ["x/a.png", "y/a.png"], {}),
        (["a.png"], ["x/a.png", "a.png"], {"a.png": "a.png"}),
        (["aa.png"], ["a.png"], {}),
        (["x/a.png"], ["y/a.png"], {"y/a.png": "x/a.png"}),
        (["a.png"], ["./a.png"], {"./a.png": "a.png"}),
    ],
)
def test_which_picture_is_which(tmp_path: Path, files: list[str], theirs: list[str], expected: dict[str, str]) -> None:
    book = open_book(make_folder(tmp_path, files))
    lines = [f"{file},p,{i + 1},1" for i, file in enumerate(theirs)]
    report = take(book, "image,name,x,y\n" + "\n".join(lines))
    assert report.get("missing", []) == [file for file in theirs if file not in expected]
    found = {file: at(book, file)["p"].x for file in files if at(book, file)}
    assert found == {expected[file]: i + 1 for i, file in enumerate(theirs) if file in expected}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"labels\.csv is empty"),
        ("{", r"labels\.csv: line 1: not valid JSON"),
        ("image,name,x,y\na.png,,1,1\n", r"labels\.csv: no line with a picture and a landmark"),
        ("image,name,x,y\na.png,e\x07,1,1\n", r"labels\.csv: .*control character"),
        (f"image,name,x,y\na.png,e,{2 * WIDTH},1\n", r"^labels\.csv, line 2: a\.png: e is at \(120, 1\), far outside"),
    ],
)
def test_a_file_that_is_wrong_changes_nothing(book: LabelBook, text: str, message: str) -> None:
    with pytest.raises(LeadError, match=message):
        take(book, text)
    assert book.landmarks.landmarks == []
    assert not book.file.exists()


def test_other_landmarks_are_named_and_refused_unless_asked_for(book: LabelBook) -> None:
    name(book, "eye", "leg")
    with pytest.raises(
        LeadError, match=r"labels\.csv has landmarks that are not here: tail.* lacks .* leg.*Nothing is"
    ):
        take(book, CSV)
    put(book, "b.png", leg=(1, 1))
    for what in ("labels", "landmarks"):
        with pytest.raises(LeadError, match=r"not here: tail.*new ones added"):
            take(book, CSV, what)
    assert take(book, CSV, add_landmarks=True) == {"format": "csv", "landmarks": 1, "added": 3}
    assert [landmark.name for landmark in book.landmarks.landmarks] == ["eye", "leg", "tail"]
    assert len({landmark.colour for landmark in book.landmarks.landmarks[1:]}) == 2
    assert (at(book, "b.png"), at(book, "a.png")["tail"]) == ({"leg": visible(1, 1)}, hidden(3, 4))


def test_landmarks_are_replaced_while_nothing_is_labelled(book: LabelBook) -> None:
    name(book, "leg", "eye")
    assert take(book, CSV, "landmarks") == {"format": "csv", "landmarks": 2}
    assert [landmark.name for landmark in book.landmarks.landmarks] == ["eye", "tail"]


def with_curve(*points: str) -> str:
    """A file of these landmarks and a curve through them."""
    curve = {"name": "rim", "points": list(points), "closed": False}
    category = {"id": 1, "name": "x", "keypoints": list(points), "curves": [curve]}
    image, keypoints = {"id": 1, "file_name": "a.png"}, [5, 5, 2] * len(points)
    annotation = {"id": 1, "image_id": 1, "category_id": 1, "keypoints": keypoints}
    return json.dumps({"images": [image], "annotations": [annotation], "categories": [category]})


def test_curves_come_with_the_landmarks(book: LabelBook) -> None:
    take(book, with_curve("a", "b", "c"))
    assert [curve.points for curve in book.landmarks.curves] == [["a", "b", "c"]]
    name(book, "a", "b", "c", curves=[])
    take(book, with_curve("a", "b", "c"), "landmarks")
    assert [curve.points for curve in book.landmarks.curves] == [["a", "b", "c"]]


def test_new_landmarks_bring_their_curves_unless_one_here_is_called_the_same(book: LabelBook) -> None:
    name(book, "a", "b")
    take(book, with_curve("a", "b", "c"), add_landmarks=True)
    assert [curve.points for curve in book.landmarks.curves] == [["a", "b", "c"]]
    with pytest.raises(LeadError, match=r"labels\.csv: Two curves are called 'rim'"):
        take(book, with_curve("a", "c", "d"), add_landmarks=True)


def test_curves_follow_the_names_that_are_chosen(book: LabelBook) -> None:
    name(book, "one", "two", "four")
    take(book, with_curve("a", "b", "c", "d"), "landmarks", called=["one", "two", "", "four"])
    assert [curve.points for curve in book.landmarks.curves] == [["one", "two", "four"]]


def test_the_same_landmarks_bring_lines_and_pairs_to_what_is_labelled(book: LabelBook) -> None:
    name(book, "tail", "eye")
    put(book, "a.png", eye=(1, 2))
    category = {"id": 1, "keypoints": ["eye", "tail"], "skeleton": [[1, 2]], "flip_pairs": [["eye", "tail"]]}
    take(book, json.dumps({"images": [], "annotations": [], "categories": [category]}), "landmarks")
    now = book.landmarks
    assert [landmark.name for landmark in now.landmarks] == ["tail", "eye"]
    assert (now.skeleton, now.flip_pairs) == ([("eye", "tail")], [("eye", "tail")])
    assert at(book, "a.png") == {"eye": visible(1, 2)}


def test_fewer_landmarks_do_not_replace_those_with_labels(book: LabelBook) -> None:
    name(book, "tail", "eye", "leg")
    put(book, "a.png", leg=(1, 2))
    with pytest.raises(LeadError, match=r"labels\.csv lacks: leg\. Take them away here first"):
        take(book, CSV, "landmarks")
    assert at(book, "a.png") == {"leg": visible(1, 2)}


def test_labels_of_a_picture_that_cannot_be_read_are_taken_and_said_so(book: LabelBook) -> None:
    (book.folder.root / "a.png").write_text("broken")
    report = take(book, CSV)
    assert report["added"] == 3
    assert "a.png cannot be read" in report["notes"][0]


def test_labels_of_deeplabcut(book: LabelBook) -> None:
    text = "scorer,Ann,Ann\nbodyparts,eye,eye\ncoords,x,y\nlabeled-data\\sub\\c.png,5,6\na.png,,\n"
    report = take(book, text)
    assert "found by the end of the path" in report.pop("notes")[0]
    assert report == {"format": "deeplabcut", "landmarks": 1, "added": 1}
    assert at(book, "sub/c.png") == {"eye": visible(5, 6)}


def test_a_file_s_own_units_need_a_picture_of_the_folder(book: LabelBook, tmp_path: Path) -> None:
    name(book, "1")
    take(book, "LM=1\n4 5\nIMAGE=elsewhere/sub/c.png\nID=0\n")
    assert at(book, "sub/c.png")["1"] == visible(4, HEIGHT - 5)
    Image.new("RGB", (3, 3)).save(tmp_path / "secret.png")
    for outside in (tmp_path / "secret.png", "../secret.png", "/etc/hostname"):
        with pytest.raises(LeadError, match="is not in this folder"):
            take(book, f"LM=1\n4 5\nIMAGE={outside}\nID=0\n")


@pytest.mark.parametrize("as_coco", [False, True])
def test_what_a_model_said_is_left_out_and_can_be_taken_as_accepted(book: LabelBook, as_coco: bool) -> None:
    labels = Labels(
        Schema(("eye", "tail")),
        ("a.png", "b.png"),
        np.array([[[1.0, 2], [3, 4]], [[5, 6], [NAN, NAN]]]),
        np.full((2, 2), VISIBLE),
        np.array([[0.5, NAN], [0.1, NAN]]),
    )
    content = export(labels, "coco" if as_coco else "csv", dict.fromkeys(labels.images, (WIDTH, HEIGHT)))
    report = take(book, content)
    assert (report["predicted"], report["added"]) == (2, 1)
    assert at(book, "a.png") == {"tail": visible(3, 4)}
    assert at(book, "b.png") == {}
    report = take(book, content, predictions=True)
    assert (report.get("predicted", 0), report["added"], report["same"]) == (0, 2, 1)
    assert {file: sorted(n for n, p in at(book, file).items() if p.accepted) for file in labels.images} == {
        "a.png": ["eye"],
        "b.png": ["eye"],
    }


def test_a_label_file_with_predictions_teaches_nothing_by_them(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "pictures")
    book = open_book(folder)
    take(book, CSV)
    text = json.loads(book.file.read_text())
    text["annotations"][0]["keypoint_scores"] = [0.5, None]
    book.close()
    book.file.write_text(json.dumps(text))
    opened = open_book(folder)
    assert opened.contents.taught.visible.tolist() == [[0, 1], [2, 0]]
    assert [name for name, point in at(opened, "a.png").items() if point.accepted] == ["eye"]
    put(opened, "a.png", eye=(9, 9))
    assert opened.contents.taught.visible.tolist() == [[2, 1], [2, 0]]


def test_labels_on_pictures_of_another_size_are_scaled_and_on_unturned_ones_turned_if_said(book: LabelBook) -> None:
    half = (WIDTH // 2, HEIGHT // 2)
    labels = Labels.from_xy(Schema(("eye",)), ("a.png",), [[[2.0, 3.0]]])
    report = take(book, export(labels, "coco", {"a.png": half}))
    assert "of another size when labelled: the places are scaled" in report["notes"][0]
    assert at(book, "a.png") == {"eye": visible(4.5, 6.5)}
    exif = Image.Exif()
    exif[0x0112] = 3
    Image.new("RGB", (WIDTH, HEIGHT)).save(book.folder.root / "b.png", exif=exif)
    csv = "image,name,x,y\nb.png,eye,1,2\n"
    report = take(book, csv)
    assert report["unclear"] == 1
    assert "--" not in " ".join(report["notes"]), "the page has a button for it"
    take(book, csv, replace=True, labelled_as="stored")
    assert at(book, "b.png") == {"eye": visible(WIDTH - 2, HEIGHT - 3)}


# --- export ---


def test_every_format_of_the_package_is_offered() -> None:
    assert [known.name for known in formats()] == [known.name for known in WRITTEN]
    assert {known.extension for known in formats()} >= {".json", ".csv"}
    assert all("absent" in known.loses for known in formats())


@pytest.mark.parametrize("format", [known.name for known in WRITTEN])
def test_what_is_exported_reads_back_the_same(book: LabelBook, format: str) -> None:
    name(book, "a", "b", skeleton=[("a", "b")])
    put(book, "sub/c.png", a=(1 / 3, 2e-17), b=hidden(2.5, 7))
    put(book, "a.png", b=(0, 0))
    labels = book.contents.labels
    sizes = Sized(dict.fromkeys(labels.images, (WIDTH, HEIGHT)))
    again, known = parse_labels(
        export(labels, format, dict.fromkeys(labels.images, (WIDTH, HEIGHT))), "x", pictures=sizes
    )
    assert known.name == format
    assert len(again) == len(labels)
    order = [again.schema.names.index(name) for name in labels.schema.names] if "names" not in known.lacks else [0, 1]
    again = again.only([again.schema.names[k] for k in order])
    np.testing.assert_allclose(again.xy, labels.xy, atol=known.precision if "fractions" in known.lacks else 1e-12)
    expected = np.where(labels.visible, VISIBLE, UNLABELLED) if "hidden" in known.lacks else labels.visible
    np.testing.assert_array_equal(again.visible, expected)


@pytest.mark.parametrize("format", [known.name for known in WRITTEN])
def test_what_is_exported_and_imported_again_is_the_same(book: LabelBook, format: str) -> None:
    name(book, "a", "b", "c")
    for i, file in enumerate(("a.png", "sub/c.png")):
        put(book, file, a=(17.1 + i / 3, 23.3 + i / 7), b=hidden(2.513, 7.077 + i), c=ABSENT if i else (59.4, 0.123))
    before = book.file.read_bytes()
    labels = book.contents.labels
    content = export(labels, format, dict.fromkeys(labels.images, (WIDTH, HEIGHT)))
    called = ["a", "b", "c"] if "names" in format_named(format).lacks else []
    for replace in (False, True):
        assert take(book, content, replace=replace, called=called) == {"format": format, "same": 5}
    assert book.file.read_bytes() == before


@pytest.mark.parametrize("format", [known.name for known in WRITTEN if "names" in known.lacks])
def test_a_file_without_names_says_so_and_is_taken_in_order(book: LabelBook, tmp_path: Path, format: str) -> None:
    name(book, "head", "tail")
    put(book, "a.png", head=(1, 2), tail=hidden(3, 4))
    labels = book.contents.labels
    content = export(labels, format, dict.fromkeys(labels.images, (WIDTH, HEIGHT)))
    other = open_book(make_folder(tmp_path / "other"))
    name(other, "tail", "head", "leg")
    with pytest.raises(OtherLandmarks, match=r"numbers 2 landmarks: say which of the 3 here") as caught:
        take(other, content)
    assert caught.value.theirs == ["1", "2"]
    assert take(other, content, called=["head", "tail"]) == {"format": format, "added": 2}
    assert at(other, "a.png") == {"head": visible(1, 2), "tail": visible(3, 4)}


def test_landmarks_of_other_names_are_chosen_for_each(book: LabelBook) -> None:
    name(book, "head", "tail")
    with pytest.raises(OtherLandmarks, match="eye") as caught:
        take(book, CSV)
    assert caught.value.theirs == ["eye", "tail"]
    assert take(book, CSV, called=["tail", ""]) == {"format": "csv", "added": 2}
    assert (at(book, "a.png"), at(book, "sub/c.png")) == ({"tail": visible(1.5, 2)}, {"tail": visible(5, 6)})
    assert take(book, CSV, called=["head", "tail"], replace=True) == {"format": "csv", "added": 2, "replaced": 1}
    assert at(book, "a.png") == {"head": visible(1.5, 2), "tail": hidden(3, 4)}


@pytest.mark.parametrize(
    ("called", "message"),
    [
        (["head"], ": 2 landmarks, not 1"),
        (["head", "head"], "head is chosen for several"),
        (["head", "leg"], "not here: leg"),
    ],
)
def test_a_choice_that_cannot_be(book: LabelBook, called: list[str], message: str) -> None:
    name(book, "head", "tail")
    with pytest.raises(LeadError, match=message):
        take(book, CSV, called=called)
    assert at(book, "a.png") == {}


def test_a_point_that_moved_differs_in_every_format(book: LabelBook) -> None:
    name(book, "a", "b")
    put(book, "a.png", a=(17.1, 23.3), b=hidden(2, 7))
    labels = book.contents.labels
    contents = {known.name: export(labels, known.name, {"a.png": (WIDTH, HEIGHT)}) for known in WRITTEN}
    put(book, "a.png", a=(17.12, 23.3))
    for known in WRITTEN:
        called = ["a", "b"] if "names" in known.lacks else []
        moved = {"same": 2} if "fractions" in known.lacks else {"same": 1, "kept": 1}
        assert take(book, contents[known.name], called=called) == {"format": known.name, **moved}


@pytest.mark.parametrize(
    "text",
    [
        "image;name;x;y;visible\r\na.png;eye;1,5;2;2\r\nsub/c.png;eye;5,25;6,0;1\r\n",
        "image\tname\tx\ty\tvisible\na.png\teye\t1,5\t2\t2\nsub/c.png\teye\t5,25\t6.0\t1\n",
    ],
)
def test_a_table_as_a_european_spreadsheet_writes_it(book: LabelBook, text: str) -> None:
    assert take(book, text) == {"format": "csv", "landmarks": 1, "added": 2}
    assert (at(book, "a.png"), at(book, "sub/c.png")) == ({"eye": visible(1.5, 2)}, {"eye": hidden(5.25, 6)})


@pytest.mark.parametrize(
    ("file", "data", "message"),
    [
        ("x.csv", b"picture,name\na,b\n", r"As DeepLabCut's CSV.*As CSV, a line for each point: it has no header line"),
        (
            "x.csv",
            "image;name\nä.png;eye".encode("cp1252"),
            r"it is not UTF-8 text \(from a spreadsheet, save it as CSV",
        ),
        ("x.tps", b"hello", r"x\.tps cannot be read\. As TPS of tpsDig and geomorph: it has no line 'LM=number'\.$"),
        ("x.slp", b"hello", r"^x\.slp cannot be read\. As SLEAP's labels: it [^:]*$"),
        ("x.docx", b"hello", r"^x\.docx cannot be read\. It looks like a text document"),
        ("x.tps", b"LM=1\n1 2\nIMAGE=gone.png\n", r"line 1: .*gone\.png"),
    ],
)
def test_what_is_said_of_a_wrong_file_is_about_its_kind_and_of_no_terminal(
    book: LabelBook, file: str, data: bytes, message: str
) -> None:
    with pytest.raises(LeadError, match=message) as caught:
        import_labels(book, data, file, "labels", False)
    assert "--" not in str(caught.value)


def test_a_picture_that_cannot_be_read_is_said_without_a_terminal(book: LabelBook) -> None:
    name(book, "a")
    put(book, "a.png", a=(1, 1))
    with pytest.raises(LeadError, match=r"a\.png cannot be read") as caught:
        export(book.contents.labels, "labelstudio", {})
    assert "--" not in str(caught.value)


def test_sizes_are_exported(book: LabelBook) -> None:
    name(book, "a")
    put(book, "a.png", a=(1, 1))
    data = json.loads(export(book.contents.labels, "coco", {"a.png": (WIDTH, HEIGHT)}))
    assert (data["images"][0]["width"], data["images"][0]["height"]) == (WIDTH, HEIGHT)


def test_an_unknown_format(book: LabelBook) -> None:
    with pytest.raises(LeadError, match=r"Unknown format 'cocoa'.*coco.*csv"):
        export(book.contents.labels, "cocoa", {})


def test_hand_and_model_together() -> None:
    hand = Labels.from_xy(Schema(("a", "b")), ["2", "9"], np.array([[[1, 1], [NAN, NAN]], [[2, 2], [3, 3]]]))
    model = Labels(
        Schema(("c", "b")),
        ("1", "2", "3"),
        np.arange(12.0).reshape(3, 2, 2),
        np.full((3, 2), 2),
        np.array([[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]]),
        np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]),
    )
    both = combined(hand, model)
    assert (both.images, both.schema) == (("1", "2", "3", "9"), hand.schema)
    expected = [[[NAN, NAN], [2, 3]], [[1, 1], [NAN, NAN]], [[NAN, NAN], [10, 11]], [[2, 2], [3, 3]]]
    np.testing.assert_array_equal(both.xy, expected)
    np.testing.assert_array_equal(both.score, [[NAN, 0.2], [NAN, NAN], [NAN, 0.6], [NAN, NAN]])
    np.testing.assert_array_equal(both.px_error, [[NAN, 2], [NAN, NAN], [NAN, 6], [NAN, NAN]])
    assert combined(hand, None) is hand
    for known in WRITTEN:
        if not {"score", "order"} & set(known.lacks):
            again, _ = parse_labels(export(both, known.name), "x")
            places = both.visible > UNLABELLED
            assert again.score is not None
            assert both.score is not None
            if known.name == "sleap":  # where any point of a frame has a score, all have: 0 means none
                places &= np.isfinite(both.score)
            np.testing.assert_allclose(again.score[places], both.score[places], rtol=1e-6)
