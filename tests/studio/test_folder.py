"""The folder: ids, links, sizes."""

from __future__ import annotations

import hashlib
import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image

from lead.errors import LeadError
from lead.images.decode import UnreadablePicture, decode
from lead.studio.folder import PictureFolder, UnknownPicture


def picture(path: Path, size: tuple[int, int] = (30, 20), mode: str = "RGB", **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size).save(path, **options)
    return path


def oriented(value: int) -> Image.Exif:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = value
    return exif


def test_files_and_ids(tmp_path: Path) -> None:
    for name in ("b.png", "a/c.jpg", ".hidden/d.png"):
        picture(tmp_path / name)
    folder = PictureFolder(tmp_path)
    assert folder.files == ("a/c.jpg", "b.png")
    assert folder.ids == tuple(hashlib.sha256(file.encode()).hexdigest()[:12] for file in folder.files)
    assert [folder.file_of(folder.id_of(file)) for file in folder.files] == list(folder.files)
    assert folder.path(folder.id_of("b.png")) == tmp_path / "b.png"
    assert folder.unreadable == []


def test_what_is_unknown(tmp_path: Path) -> None:
    picture(tmp_path / "beetle.png")
    folder = PictureFolder(tmp_path)
    with pytest.raises(UnknownPicture, match=r"beetle\.png"):
        folder.id_of("beatle.png")
    for id in ("", "../beetle.png", "0" * 12):
        with pytest.raises(UnknownPicture, match="has the id"):
            folder.path(id)


def test_links_that_lead_out_are_left_out(tmp_path: Path) -> None:
    root = tmp_path / "root"
    picture(tmp_path / "secret" / "s.png")
    picture(root / "in" / "a.png")
    (root / "file.png").symlink_to(tmp_path / "secret" / "s.png")
    (root / "folder").symlink_to(tmp_path / "secret")
    (root / "dangling.png").symlink_to(tmp_path / "nothing.png")
    (root / "same.png").symlink_to(root / "in" / "a.png")
    (root / "twin").symlink_to(root / "in")
    folder = PictureFolder(root)
    assert folder.files == ("in/a.png", "same.png", "twin/a.png")
    assert sorted(file for file, _ in folder.unreadable) == ["dangling.png", "file.png", "folder/s.png"]
    assert all("leads out of the folder" in reason for _, reason in folder.unreadable)


def test_a_file_that_becomes_a_link_out_is_not_read(tmp_path: Path) -> None:
    outside = picture(tmp_path / "secret.png")
    path = picture(tmp_path / "root" / "a.png")
    folder = PictureFolder(tmp_path / "root")
    path.unlink()
    path.symlink_to(outside)
    with pytest.raises(UnknownPicture, match="link out of the folder"):
        folder.path(folder.ids[0])
    with pytest.raises(UnknownPicture, match="link out of the folder"):
        folder.size(folder.ids[0])


def test_a_folder_that_is_itself_a_link(tmp_path: Path) -> None:
    picture(tmp_path / "real" / "a.png", (7, 5))
    (tmp_path / "link").symlink_to(tmp_path / "real")
    folder = PictureFolder(tmp_path / "link")
    assert (folder.files, folder.size(folder.ids[0])) == (("a.png",), (7, 5))


def test_only_links_out_is_an_error(tmp_path: Path) -> None:
    outside = picture(tmp_path / "a.png")
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "a.png").symlink_to(outside)
    with pytest.raises(LeadError, match="None of the 1 picture"):
        PictureFolder(tmp_path / "root")


def test_a_name_that_is_no_unicode_is_left_out(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    try:
        (tmp_path / "b.png").write_bytes((tmp_path / "a.png").read_bytes())
        (tmp_path / "b.png").rename(tmp_path / "\udcff.png")
    except (OSError, UnicodeError):
        pytest.skip("this file system keeps names in Unicode only")
    folder = PictureFolder(tmp_path)
    assert folder.files == ("a.png",)
    assert folder.unreadable[0][0] == "?.png"
    assert "rename" in folder.unreadable[0][1]


@pytest.mark.parametrize("orientation", range(10))
@pytest.mark.parametrize("ending", ["jpg", "png", "webp", "tif"])
@pytest.mark.parametrize("size", [(30, 20), (20, 30)], ids=["landscape", "portrait"])
def test_size_is_that_of_the_decoded_picture(
    tmp_path: Path, ending: str, orientation: int, size: tuple[int, int]
) -> None:
    path = picture(tmp_path / f"a.{ending}", size, exif=oriented(orientation))
    folder = PictureFolder(tmp_path)
    expected = size[::-1] if orientation in (5, 6, 7, 8) else size
    assert folder.size(folder.ids[0]) == decode(path).size == expected


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("a.png", "L"),
        ("a.png", "I;16"),
        ("a.tif", "I;16"),
        ("a.tif", "F"),
        ("a.png", "1"),
        ("a.bmp", "P"),
        ("a.jpg", "CMYK"),
    ],
)
def test_size_whatever_the_mode(tmp_path: Path, name: str, mode: str) -> None:
    path = picture(tmp_path / name, (31, 17), mode)
    folder = PictureFolder(tmp_path)
    assert folder.size(folder.ids[0]) == decode(path).size == (31, 17)


def xmp(orientation: int) -> bytes:
    return f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><d tiff:Orientation="{orientation}"/></x:xmpmeta>'.encode()


@pytest.mark.parametrize("ending", ["jpg", "webp", "tif"])
@pytest.mark.parametrize("in_exif", [1, 6])
@pytest.mark.parametrize("in_xmp", [1, 8])
def test_orientation_in_xmp(tmp_path: Path, ending: str, in_exif: int, in_xmp: int) -> None:
    options: dict[str, Any] = {"exif": oriented(in_exif)} if in_exif != 1 else {}
    if ending == "tif":
        options["tiffinfo"] = {700: xmp(in_xmp)} | ({274: in_exif} if in_exif != 1 else {})
        options.pop("exif", None)
    else:
        options["xmp"] = xmp(in_xmp)
    path = picture(tmp_path / f"a.{ending}", (30, 20), **options)
    folder = PictureFolder(tmp_path)
    assert folder.size(folder.ids[0]) == decode(path).size


@pytest.mark.parametrize("chunk", ["eXIf", "iTXt"])
@pytest.mark.parametrize("late", [False, True])
def test_a_png_may_say_its_orientation_after_the_pixels(tmp_path: Path, chunk: str, late: bool) -> None:
    plain = io.BytesIO()
    Image.new("RGB", (30, 20)).save(plain, "png")
    data = plain.getvalue()
    content = {
        "eXIf": oriented(6).tobytes().removeprefix(b"Exif\x00\x00"),
        "iTXt": b"XML:com.adobe.xmp\x00\x00\x00\x00\x00" + xmp(6),
    }[chunk]
    body = chunk.encode() + content
    extra = struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))
    at = data.index(b"IEND") - 4 if late else data.index(b"IDAT") - 4
    (tmp_path / "a.png").write_bytes(data[:at] + extra + data[at:])
    folder = PictureFolder(tmp_path)
    assert folder.size(folder.ids[0]) == decode(tmp_path / "a.png").size == (20, 30)


@pytest.mark.parametrize("ending", ["jpg", "png"])
def test_size_reads_the_header_alone(tmp_path: Path, ending: str) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (200, 300, 3)).astype(np.uint8)
    path = tmp_path / f"a.{ending}"
    Image.fromarray(noise).save(path, exif=oriented(6))
    path.write_bytes(path.read_bytes()[:2000])  # the pixels are lost
    folder = PictureFolder(tmp_path)
    assert folder.size(folder.ids[0]) == (200, 300)
    with pytest.raises(UnreadablePicture):
        decode(path)


def test_damaged_pictures_are_noted(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    (tmp_path / "b.png").write_text("no picture")
    (tmp_path / "c.png").symlink_to(tmp_path / "nowhere.png")
    folder = PictureFolder(tmp_path)
    for file in ("b.png", "c.png", "b.png"):
        with pytest.raises(UnreadablePicture, match=file):
            folder.size(folder.id_of(file))
    assert [file for file, _ in folder.unreadable] == ["b.png", "c.png"]
    assert "not a picture" in folder.unreadable[0][1]
    folder.note_unreadable(folder.id_of("a.png"), "eaten")
    assert folder.unreadable[-1] == ("a.png", "eaten")


def test_a_picture_that_is_replaced_is_measured_again(tmp_path: Path) -> None:
    picture(tmp_path / "a.png", (30, 20))
    folder = PictureFolder(tmp_path)
    assert folder.size(folder.ids[0]) == (30, 20)
    picture(tmp_path / "a.png", (300, 200))
    assert folder.size(folder.ids[0]) == (300, 200)
