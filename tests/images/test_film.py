"""Films, read and written, beside what PyAV is told to make."""

from __future__ import annotations

import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest
from filming import RATE, film, number_of, numbered, turned
from PIL import Image

from lead.errors import LeadError
from lead.images.film import UnreadableFilm, frames, open_film, stored_frames, write_film
from lead.images.seeking import Index

CORNERS = np.array([[[230, 30, 30], [30, 200, 30]], [[40, 40, 220], [220, 220, 220]]], dtype=np.uint8)
SCENE = CORNERS.repeat(24, axis=0).repeat(32, axis=1)
"""64 × 48: red and green above, blue and white below."""


def quarters(picture: Image.Image) -> npt.NDArray[np.int64]:
    """(2, 2, 3) the colours in the middle of each quarter."""
    return np.asarray(picture.resize((2, 2), Image.Resampling.BOX)).astype(np.int64)


@pytest.mark.parametrize("name", ["a.mp4", "a.MOV", "a.mkv", "a.avi"])
def test_frames_come_in_order_with_their_numbers(tmp_path: Path, name: str) -> None:
    path = film(tmp_path / name, numbered(40), "mpeg4" if name == "a.avi" else "libx264")
    known = open_film(path)
    assert (known.size, known.rate, known.count) == ((64, 48), RATE, 40) or (
        name == "a.mkv" and abs(float(known.rate - RATE)) < 0.01 and known.count == 40
    )
    found = list(frames(path))
    assert [number for number, _ in found] == [number_of(picture) for _, picture in found] == list(range(40))
    assert {(picture.mode, picture.size) for _, picture in found} == {("RGB", (64, 48))}
    some = [(number, number_of(picture)) for number, picture in frames(path, [31, 2, 17])]
    assert some == [(2, 2), (17, 17), (31, 31)]
    assert list(frames(path, [])) == []


@pytest.mark.parametrize(("most", "memory", "lengths"), [(4, 2**30, [4, 4, 2]), (99, 3 * 4 * 64 * 48, [3, 3, 3, 1])])
def test_no_more_frames_are_held_than_memory_is_for(tmp_path: Path, most: int, memory: int, lengths: list[int]) -> None:
    known = open_film(film(tmp_path / "a.mp4", numbered(10)))
    stores = list(stored_frames(known, "a.mp4", 16, most, memory=memory))
    assert [len(store) for store in stores] == lengths
    assert [file for store in stores for file in store.files] == [f"a.mp4#{number}" for number in range(10)]


def test_the_colours_are_the_films(tmp_path: Path) -> None:
    ((_, picture),) = frames(film(tmp_path / "a.mp4", [SCENE], "libx264"))
    assert np.abs(quarters(picture) - CORNERS).max() < 8


@pytest.mark.parametrize(
    ("matrix", "shown"),
    [
        ((1, 0, 0, 1), lambda scene: scene),
        ((0, 1, -1, 0), lambda scene: np.rot90(scene, 3)),
        ((-1, 0, 0, -1), lambda scene: np.rot90(scene, 2)),
        ((0, -1, 1, 0), np.rot90),
        ((-1, 0, 0, 1), np.fliplr),
        ((1, 0, 0, -1), np.flipud),
        ((0, 1, 1, 0), lambda scene: scene.swapaxes(0, 1)),
        ((0, -1, -1, 0), lambda scene: np.rot90(scene, 2).swapaxes(0, 1)),
    ],
    ids=["upright", "clockwise", "upside-down", "counterclockwise", "hflip", "vflip", "transposed", "transverse"],
)
def test_a_film_is_turned_and_mirrored_as_it_asks(
    tmp_path: Path, matrix: tuple[int, ...], shown: Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.uint8]]
) -> None:
    """The right column of pixels goes down the matrix' way: (1, 0) to (a, b). NumPy turns counterclockwise."""
    path = turned(film(tmp_path / "a.mp4", [SCENE] * 3), matrix)
    height, width = shown(SCENE).shape[:2]
    assert open_film(path).size == (width, height)
    for picture in [*(picture for _, picture in frames(path)), Index.of(path).frame(1)]:
        assert picture.size == (width, height)
        assert np.abs(quarters(picture) - shown(CORNERS)).max() < 12


def test_films_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("no film")
    (tmp_path / "folder.mp4").mkdir()
    with av.open(str(tmp_path / "sound.mp4"), "w") as container:
        sound = container.add_stream("aac", rate=8000)
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        silence.sample_rate = 8000
        container.mux(sound.encode(silence))
        container.mux(sound.encode())
    for name, reason in [
        ("empty.mp4", "not that of a film"),
        ("text.mp4", "not that of a film"),
        ("folder.mp4", "directory"),
        ("missing.mp4", "No such file"),
        ("sound.mp4", "no pictures"),
    ]:
        for read in (open_film, lambda path: list(frames(path))):
            with pytest.raises(UnreadableFilm, match=rf"(?i){name}: .*{reason}.*leave it out"):
                read(tmp_path / name)


def test_a_film_that_breaks_off_gives_what_it_has(tmp_path: Path) -> None:
    """Header first, as cameras stream it; then two thirds of the file."""
    noisy = [np.random.default_rng(i).integers(0, 256, (48, 64, 3), dtype=np.uint8) for i in range(20)]
    for name, options in [("a.mp4", {"movflags": "faststart"}), ("a.avi", {})]:
        path = film(tmp_path / name, noisy, **options)
        path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
        read = []
        with pytest.raises(UnreadableFilm, match=rf"{name}: it breaks off after \d+ frames") as caught:  # noqa: PT012
            for number, _ in frames(path):
                read.append(number)
        assert caught.value.reason == f"it breaks off after {len(read)} frames"
        assert open_film(path).size == (64, 48)
        assert len(list(frames(path, range(4)))) == 4
    whole = film(tmp_path / "b.mp4", noisy)  # header last
    whole.write_bytes(whole.read_bytes()[:-200])
    with pytest.raises(UnreadableFilm, match="not all of it"):
        open_film(whole)


@pytest.mark.parametrize("size", [(64, 48), (51, 37)], ids=["even", "odd"])
@pytest.mark.parametrize("h264", [True, False], ids=["h264", "mpeg4"])
def test_a_written_film_reads_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int], h264: bool
) -> None:
    if not h264:
        monkeypatch.setattr(av, "codecs_available", av.codecs_available - {"libx264"})
    scene = Image.fromarray(SCENE).resize(size, Image.Resampling.NEAREST)
    write_film(tmp_path / "a.mp4", [scene] * 9, size, RATE)
    known = open_film(tmp_path / "a.mp4")
    assert (known.size, known.rate, known.count) == (size, RATE, 9)
    with av.open(str(tmp_path / "a.mp4")) as container:
        assert container.streams.video[0].codec_context.name == ("h264" if h264 else "mpeg4")
    pictures = [picture for _, picture in frames(tmp_path / "a.mp4")]
    assert len(pictures) == 9
    for picture in pictures:
        assert np.abs(quarters(picture) - quarters(scene)).max() < 12
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_a_film_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    def broken() -> object:
        yield Image.fromarray(SCENE)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_film(tmp_path / "a.mp4", broken(), (64, 48), Fraction(25))  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_without_pyav_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(LeadError, match=r"Run: pip install 'lead-landmarks\[film\]'"):
        open_film(tmp_path / "a.mp4")
