"""Which picture a name in a label file means."""

from __future__ import annotations

from pathlib import Path

import pytest

from lead.errors import LeadError
from lead.landmarks import Labels, Schema
from lead.landmarks.naming import beside, by_stem, labelled_row, matched, matches, nearly_same


@pytest.mark.parametrize(
    ("files", "names", "expected"),
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
        (["A.png"], ["a.png"], {"a.png": "A.png"}),
        (["A.png", "x/a.PNG"], ["a.png"], {}),
        (["A.png", "x/a.png"], ["a.png"], {"a.png": "x/a.png"}),
        (["Ka\u0308fer.jpg"], ["K\u00e4fer.jpg"], {"K\u00e4fer.jpg": "Ka\u0308fer.jpg"}),
        (["x/a.png"], ["./x//a.png"], {"./x//a.png": "x/a.png"}),
        (["x/a.png", "a.png"], ["/data/x/a.png"], {"/data/x/a.png": "x/a.png"}),
        (["new/a.png"], ["old/a.png"], {"old/a.png": "new/a.png"}),
        (["v2/a.png"], ["v1/a.png", "p/v2/a.png"], {"p/v2/a.png": "v2/a.png"}),
        (["v2/a.png"], ["v1/a.png", "v2/a.png"], {"v2/a.png": "v2/a.png"}),
        (["p/a.png", "p/more/a.png"], ["a.png", "more/a.png"], {"a.png": "p/a.png", "more/a.png": "p/more/a.png"}),
        (["p/a.png", "p/b/a.png", "q/a.png"], ["a.png", "b/a.png"], {"b/a.png": "p/b/a.png"}),
        (["s.mp4#3"], ["t.mp4#3"], {}),
        (["v1/a.png", "v2/b.png"], ["p/v1/a.png", "p/v1/b.png"], {"p/v1/a.png": "v1/a.png"}),  # v1/b.png was deleted
        (["v1/a.png", "v2/b.png"], ["v1/a.png", "b.png"], {"v1/a.png": "v1/a.png", "b.png": "v2/b.png"}),
    ],
)
def test_pictures_of_a_file_and_of_a_folder(files: list[str], names: list[str], expected: dict[str, str]) -> None:
    assert matched(names, files) == expected
    assert matched(iter(names), iter(files)) == expected
    if len(names) == 1:  # the other way about, of labels that name the folder's files, it is the same rule
        labels = Labels.from_xy(Schema(("p",)), files, [[[1, 2]]] * len(files))
        if expected:
            assert (
                labels.images[labelled_row(Path(names[0].replace("\\", "/")), Path("elsewhere"), labels)]
                == (expected[names[0]])
            )
        else:
            with pytest.raises(LeadError, match=r"name (no|\d) pictures that could be"):
                labelled_row(Path(names[0]), Path("elsewhere"), labels)


def test_the_picture_of_an_address_is_that_of_its_path() -> None:
    address = "https://host.org/lab/x/a%20b.png?w=300#top"
    assert matched([address], ["x/a b.png", "a b.png"]) == {address: "x/a b.png"}


def test_what_is_found_by_its_name_alone_and_what_could_be_several_is_told() -> None:
    found = matches(["old/a.png", "b.png"], ["new/a.png", "p/b.png", "q/b.png"])
    assert found.files == {"old/a.png": "new/a.png"}
    assert found.by_name_alone == ("old/a.png",)
    assert found.unclear == {"b.png": ("p/b.png", "q/b.png")}
    assert matches(["x/c.png", "y/c.png"], ["c.png"]).unclear == {"x/c.png": ("c.png",), "y/c.png": ("c.png",)}


def test_a_label_file_lies_beside_its_pictures_and_a_folder_of_labels_among_them(tmp_path: Path) -> None:
    assert beside(tmp_path) == tmp_path
    assert beside(tmp_path / "labels.csv") == tmp_path


def test_a_stem_means_one_picture_or_none() -> None:
    assert by_stem(["x/a.png", "x/b.png", "x/b.jpg", "c.d.png"]) == {"x/a": "x/a.png", "c.d": "c.d.png"}


def test_names_that_look_the_same() -> None:
    assert nearly_same(["Eye", "nose", "eye ", "Nose", "tail"]) == [["Eye", "eye "], ["nose", "Nose"]]
