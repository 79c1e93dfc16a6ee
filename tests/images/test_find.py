from __future__ import annotations

from pathlib import Path

import pytest

from lead.errors import LeadError
from lead.images.find import find_images, find_media, is_film


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def test_finds_every_kind_at_every_depth_sorted(tmp_path: Path) -> None:
    wanted = ["B.JPG", "a/b/c.jpeg", "a/ü b.png", "d.webp", "e.tif", "f.TIFF", "g.bmp", "h.dcm", "i.DICOM"]
    touch(tmp_path, *wanted, "notes.txt", "a/b/data.csv", "jpg")
    assert find_images(tmp_path) == sorted(wanted)


def test_hidden_files_and_folders_are_left_out(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg", "._a.jpg", ".thumbs/a.jpg", "b/.c/d.jpg")
    assert find_images(tmp_path) == ["a.jpg"]


def test_a_hidden_folder_itself_may_be_asked_for(tmp_path: Path) -> None:
    touch(tmp_path, ".pictures/a.jpg")
    assert find_images(tmp_path / ".pictures") == ["a.jpg"]


def test_links_are_followed_but_loops_end(tmp_path: Path) -> None:
    touch(tmp_path, "in/a/x.jpg", "elsewhere/y.jpg")
    (tmp_path / "in" / "a" / "up").symlink_to(tmp_path / "in", target_is_directory=True)
    (tmp_path / "in" / "self").symlink_to("self")
    (tmp_path / "in" / "link").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    assert find_images(tmp_path / "in") == ["a/x.jpg", "link/y.jpg"]


def test_a_link_to_a_missing_picture_is_not_dropped_in_silence(tmp_path: Path) -> None:
    (tmp_path / "gone.jpg").symlink_to(tmp_path / "nowhere.jpg")
    assert find_images(tmp_path) == ["gone.jpg"]


def test_a_folder_without_pictures_says_what_it_holds(tmp_path: Path) -> None:
    touch(tmp_path, "a.mp3", "b.MP3", "c.txt", "README")
    with pytest.raises(LeadError, match=r"2 × \.mp3.*\.jpg.*\.mp4"):
        find_images(tmp_path)


def test_films_are_found_beside_pictures(tmp_path: Path) -> None:
    touch(tmp_path, "b.mp4", "deep/a.AVI", "c.png", "frames.mp4/000012.png", ".d.mov", "e.txt")
    assert find_media(tmp_path) == (["c.png", "frames.mp4/000012.png"], ["b.mp4", "deep/a.AVI"])
    assert is_film(tmp_path / "b.mp4")
    assert not is_film(tmp_path / "frames.mp4")
    assert not is_film(tmp_path / "c.png")
    assert find_media(tmp_path / "deep") == ([], ["a.AVI"])
    with pytest.raises(LeadError, match=r"No picture in .*deep, but 1 film\. .*lead frames .*deep --out DIR"):
        find_images(tmp_path / "deep")


def test_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(LeadError, match="no files at all"):
        find_images(tmp_path)


def test_a_missing_folder_and_a_file(tmp_path: Path) -> None:
    with pytest.raises(LeadError, match=r"No folder .*nowhere"):
        find_images(tmp_path / "nowhere")
    touch(tmp_path, "a.jpg")
    with pytest.raises(LeadError, match=r"a\.jpg is a file"):
        find_images(tmp_path / "a.jpg")
