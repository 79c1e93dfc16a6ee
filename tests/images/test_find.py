from __future__ import annotations

import base64
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from lead.errors import LeadError
from lead.images import find, kinds
from lead.images.decode import decode, upright_size
from lead.images.find import find_images, find_media, is_film, listed

CORNERS = np.array([[[230, 30, 30], [30, 200, 30]], [[40, 40, 220], [220, 220, 220]]], dtype=np.uint8)
SCENE = CORNERS.repeat(24, axis=0).repeat(32, axis=1)
"""64 × 48: red and green above, blue and white below."""
HEIC = (
    "0000SW^{RQXk}?*00000ZE0pPXk}?*ZE0a<0005VZDn*}000000000XXk=`10000000000aA{+700000000000000000000G-+&aV*mgE07O6l"
    "0ssL300001>;M4(00000006lF0ssI200N}|0RR9100000Bme*aIB98aW&i*H00062000$fZf0cy000000RRAKc4ILB0000LX>Mj^0ssI300IC2"
    "MR;ju000004sdC7Z2$lO00031009SSaB^?}008D`aAR)(004Gqc4I>U18@KU0FVFx0000U@BsY%`1k+-4+CHT0RR|40Sp2E{{wIU00RJ!00093"
    "00RIXx&lC90096hLID8-Z~y=U0FVFx0{{R603M(qfd!W8<fgf}2xu@M00096AOHXZ03l)k0RRR>0l{;?i2wiq6Ju{|a&BX6cmM$a4FCp!0000K"
    "X>)L8000000000$0000$0000eV{Bn?0000$000010000m000010000000002|NsB+000020000GaA|mH000000|*ER00009X>xCL0{{R38EJ5B"
    "VE_OC000000RRC8fdT^sgoXeB02*m>Wo7^X0000001jhhb7KGk009620002xZDe6|0002BC;_ht;2}7v|L{mZ{E~KF@BE%tp8aG0@t;2P<bU|m"
    "ZPEHRyx;rUJMu-Z`1kBgET0!?j>Fh_mY)EMYx~QkjbP}R2r9ec<%0g7;?cP}03Pw!q-6=op+IM5zXkO_z~49Kqy9ssE`-iLt${Ic0&{EdUsL=J"
    "3I8=8@*cakZGnqbn@gQk#R$5<aRc-eqgFwI+rL78M<&!(4`FjNzJii7lWX%-w67lGM`9Q-kG0N;AOHXW21R&jW&i+9O#mtY000O80Ra*K0{{R3"
    "0RRR70000000"
)
"""That scene, 64 × 48, written by pillow-heif with the EXIF orientation 6."""


def assert_shows(picture: Image.Image, scene: npt.NDArray[np.uint8]) -> None:
    """Whether a picture shows a scene of four quarters, as far as a lossy format keeps it."""
    assert picture.size == (scene.shape[1], scene.shape[0])
    quarters = [np.asarray(each.resize((2, 2), Image.Resampling.BOX)).astype(int) for each in (picture, of(scene))]
    assert np.abs(quarters[0] - quarters[1]).max() < 8


def of(scene: npt.NDArray[np.uint8]) -> Image.Image:
    return Image.fromarray(np.ascontiguousarray(scene))


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def test_finds_every_kind_at_every_depth_sorted(tmp_path: Path) -> None:
    wanted = ["B.JPG", "a/b/c.jpeg", "a/ü b.png", "d.webp", "e.tif", "f.TIFF", "g.bmp", "h.dcm", "i.DICOM", "j.avif"]
    wanted += ["k.jp2", "l.J2K", "m.jfif", "n.ppm", "o.pgm", "p.GIF"]
    touch(tmp_path, *wanted, "notes.txt", "a/b/data.csv", "jpg")
    assert find_images(tmp_path) == sorted(wanted)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        *[("a.avif", {"quality": 95}), ("a.jp2", {}), ("a.j2k", {}), ("a.gif", {}), ("a.jfif", {"format": "JPEG"})],
        *[("a.ppm", {}), ("a.pnm", {"format": "PPM"}), ("a.tga", {}), ("a.jpe", {"format": "JPEG"}), ("a.apng", {})],
    ],
)
def test_what_is_found_can_be_read(tmp_path: Path, name: str, options: dict[str, Any]) -> None:
    Image.fromarray(SCENE).save(tmp_path / name, **options)
    assert find_images(tmp_path) == [name]
    assert_shows(decode(tmp_path / name), SCENE)


def test_pictures_of_no_ending_are_told_by_how_they_begin(tmp_path: Path) -> None:
    Image.fromarray(SCENE).save(tmp_path / "IMG_0001", "PNG")
    Image.fromarray(SCENE).save(tmp_path / "1.2.840.7", "JPEG")
    (tmp_path / "IM0001").write_bytes(b"\0" * 128 + b"DICM" + b"\0" * 20)
    (tmp_path / "short").write_bytes(b"DICM")
    (tmp_path / "later").write_bytes(b"\0" * 140 + b"DICM")
    found = find_media(tmp_path)
    assert found.pictures == ["1.2.840.7", "IM0001", "IMG_0001"]
    assert found.left_out == "2 × no ending (later …)"
    assert_shows(decode(tmp_path / "IMG_0001"), SCENE)
    Image.fromarray(SCENE).save(tmp_path / "later", "PNG")  # another file under the same name
    assert "later" in find_images(tmp_path)


@pytest.mark.skipif(sys.platform == "win32", reason="has no such pipes")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg")
    os.mkfifo(tmp_path / "pipe")
    assert find_media(tmp_path) == (["a.jpg"], [], "1 × no ending (pipe)")


def test_every_file_is_a_picture_goes_beside_pictures_or_is_counted(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg", "labels.csv", "labels.json", "config.yaml", "notes.txt", "README", "Thumbs.db", "x.XMP")
    touch(tmp_path, "run.log", "m.slp", "b.dng", "c.DNG", "s/d.czi", "e.zip", "f.xyz", "g.pdf", "h.mp3", "i.blend")
    found = find_media(tmp_path)
    assert found.pictures == ["a.jpg"]
    raw, archive, document, sound, microscope, unknown, others = found.left_out.split("; ")
    assert raw.startswith("2 × .dng (b.dng …): a camera's raw file: export it as TIFF or JPEG")
    assert archive == "1 × .zip (e.zip): an archive: unpack it"
    assert document.startswith("1 × .pdf (g.pdf): a document: export its pictures")
    assert sound == "1 × .mp3 (h.mp3): sound"
    assert microscope.startswith("1 × .czi (s/d.czi): a Zeiss microscope's file: export it as TIFF")
    assert unknown == "1 × .xyz (f.xyz)"
    assert others == "1 × other endings (.blend)"


def test_heic_without_its_reader_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kinds, "picture_endings", lambda: frozenset([".jpg"]))
    monkeypatch.setattr(find, "picture_endings", lambda: frozenset([".jpg"]))
    touch(tmp_path, *(f"{number}.jpg" for number in range(10)), *(f"IMG_{number}.HEIC" for number in range(5)))
    found = find_media(tmp_path)
    assert len(found.pictures) == 10
    assert found.left_out == "5 × .heic (IMG_0.HEIC …): install 'lead-landmarks[heic]' or convert to JPEG"
    touch(tmp_path, *(f"only/{number}.heic" for number in range(5)))
    with pytest.raises(LeadError, match=r"5 × \.heic \(.*install 'lead-landmarks\[heic\]'"):
        find_images(tmp_path / "only")


def test_heic_is_read_upright(tmp_path: Path) -> None:
    """Stored with red and green above, blue and white below, to be turned clockwise."""
    (tmp_path / "a.HEIC").write_bytes(base64.b85decode(HEIC))
    assert find_images(tmp_path) == ["a.HEIC"]
    assert_shows(decode(tmp_path / "a.HEIC"), np.rot90(SCENE, 3))
    assert upright_size(tmp_path / "a.HEIC") == (48, 64)


def test_a_heic_under_another_name_says_what_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.jpg").write_bytes(base64.b85decode(HEIC))
    assert_shows(decode(tmp_path / "a.jpg"), np.rot90(SCENE, 3))
    monkeypatch.setattr(kinds, "picture_endings", lambda: frozenset([".jpg"]))
    monkeypatch.setattr(Image, "ID", [name for name in Image.ID if name != "HEIF"])
    with pytest.raises(LeadError, match=r"a\.jpg: it is a HEIC picture: install 'lead-landmarks\[heic\]' or convert"):
        decode(tmp_path / "a.jpg")


def test_of_a_gif_the_first_frame_is_read_and_it_is_said(tmp_path: Path) -> None:
    first, *others = (Image.fromarray(np.roll(SCENE, 8 * shift, axis=1)) for shift in range(4))
    first.save(tmp_path / "moves.gif", save_all=True, append_images=others)
    assert_shows(decode(tmp_path / "moves.gif"), SCENE)
    said = "all frames but the first of 1 × .gif (moves.gif), where it moves"
    assert find_media(tmp_path).left_out == said
    assert listed(tmp_path).left_out == listed([tmp_path / "moves.gif"]).left_out.replace(f"{tmp_path}/", "") == said


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
    assert find_media(tmp_path) == (["c.png", "frames.mp4/000012.png"], ["b.mp4", "deep/a.AVI"], "")
    assert is_film(tmp_path / "b.mp4")
    assert not is_film(tmp_path / "frames.mp4")
    assert not is_film(tmp_path / "c.png")
    assert find_media(tmp_path / "deep") == ([], ["a.AVI"], "")
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


def test_small_copies_that_a_network_disk_keeps_are_no_pictures(tmp_path: Path) -> None:
    for file in ("a.jpg", "@eaDir/a.jpg/SYNOPHOTO_THUMB_M.jpg", "__MACOSX/._a.jpg", "eaDir/b.jpg"):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    assert find_images(tmp_path) == ["a.jpg", "eaDir/b.jpg"]
