from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from lead.errors import LeadError
from lead.files import alone, default_cache
from lead.geometry import resize_points
from lead.images import build as build_module
from lead.images import rows as rows_module
from lead.images import store as store_module
from lead.images.build import open_store
from lead.images.store import ImageStore, read_rows, store_of, stored_pictures


def picture(path: Path, width: int, height: int, seed: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    colours = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    Image.fromarray(colours).save(path)


def of_sizes(sizes: list[tuple[int, int]], side: int) -> ImageStore:
    """A store of pictures of these sizes, without pixels worth looking at."""
    files = tuple(str(i) for i in range(len(sizes)))
    return ImageStore(files, np.zeros((len(sizes), side, side, 3), np.uint8), np.array(sizes), (), "")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    picture(tmp_path / "in" / "c.png", 8, 8, seed=1)
    picture(tmp_path / "in" / "sub" / "a.png", 8, 4, seed=2)
    picture(tmp_path / "in" / "b.png", 3, 8, seed=3)
    return tmp_path / "in"


FILES = ["c.png", "sub/a.png", "b.png"]


def test_rows_hold_the_pictures_in_the_order_asked_for(folder: Path, tmp_path: Path) -> None:
    store = open_store(folder, FILES, 8, tmp_path / "cache")
    assert store.files == tuple(FILES)
    assert store.sizes.tolist() == [[8, 8], [8, 4], [3, 8]]
    assert store.pixels.shape == (3, 8, 8, 3)
    whole, wide, tall = (np.asarray(Image.open(folder / f)) for f in FILES)
    np.testing.assert_array_equal(store.pixels[0], whole)
    np.testing.assert_array_equal(store.pixels[1, 2:6], wide)
    assert (store.pixels[1, :2] == wide[0]).all()
    assert (store.pixels[1, 6:] == wide[-1]).all()
    np.testing.assert_array_equal(store.pixels[2, :, 2:5], tall)
    assert (store.pixels[2, :, 5:] == tall[:, -1:]).all()
    assert [store.index(f) for f in FILES] == [0, 1, 2]


def test_a_marked_spot_is_found_where_the_map_says(tmp_path: Path) -> None:
    """The brightest store pixel lies at the mapped position of a bright square's centre, within half a pixel."""
    grey = np.zeros((300, 517), dtype=np.uint8)
    grey[200:221, 400:421] = 255  # centred on (410, 210)
    Image.fromarray(grey).save(tmp_path / "spot.png")
    store = open_store(tmp_path, ["spot.png"], 64, tmp_path / "cache")
    weight = store.pixels[0, ..., 0].astype(float)
    y, x = np.mgrid[0:64, 0:64]
    centre = [(weight * x).sum() / weight.sum(), (weight * y).sum() / weight.sum()]
    expected = store.to_store([0], np.array([[[410.0, 210.0]]]))
    np.testing.assert_allclose(centre, expected[0, 0], atol=0.05)


@given(
    sizes=st.lists(st.tuples(st.integers(1, 5000), st.integers(1, 5000)), min_size=1, max_size=4),
    side=st.integers(1, 512),
    xy=st.tuples(st.floats(-1e4, 1e4), st.floats(-1e4, 1e4)),
)
def test_points_come_back(sizes: list[tuple[int, int]], side: int, xy: tuple[float, float]) -> None:
    store = of_sizes(sizes, side)
    rows = np.arange(len(sizes))
    points = np.broadcast_to(np.array(xy), (len(sizes), 2, 2))
    np.testing.assert_allclose(store.to_original(rows, store.to_store(rows, points)), points, atol=1e-6)


@given(width=st.integers(1, 3000), height=st.integers(1, 3000), side=st.integers(1, 300))
def test_the_map_is_a_resize_and_a_shift_that_keeps_the_picture_inside(width: int, height: int, side: int) -> None:
    store = of_sizes([(width, height)], side)
    corners = np.array([[[-0.5, -0.5], [width - 0.5, height - 0.5]]])
    (left, top), (right, bottom) = store.to_store([0], corners)[0]
    fitted = (round(right - left), round(bottom - top))
    assert max(fitted) == side
    assert min(fitted) >= 1
    assert abs(fitted[0] * height - fitted[1] * width) <= max(width, height)  # shape kept to within a pixel
    np.testing.assert_allclose([left, top], np.round(np.array([left, top]) + 0.5) - 0.5, atol=1e-9)
    assert abs((left + 0.5) - (side - 0.5 - right)) <= 1 + 1e-9
    assert abs((top + 0.5) - (side - 0.5 - bottom)) <= 1 + 1e-9
    expected = resize_points(corners, (width, height), fitted) + store.offset[0]
    np.testing.assert_allclose(store.to_store([0], corners), expected, atol=1e-9)


def test_missing_points_stay_missing() -> None:
    store = of_sizes([(10, 20)], 16)
    assert np.isnan(store.to_store([0], np.full((1, 1, 2), np.nan))).all()


def test_a_box_is_cut_out_stretched_and_black_beyond_the_picture(tmp_path: Path) -> None:
    """Each store pixel is one original pixel, or two side by side: nothing is interpolated, all can be compared."""
    picture(tmp_path / "a.png", 8, 6)
    picture(tmp_path / "b.png", 8, 6, seed=1)
    picture(tmp_path / "c.png", 8, 6, seed=2)
    a, b, _ = (np.asarray(Image.open(tmp_path / f"{name}.png")).astype(float) for name in "abc")
    boxes = [(2, 1, 4, 4), (-2, 4, 4, 4), (0, 0, np.inf, np.inf)]
    store = open_store(tmp_path, ["a.png", "b.png", "c.png"], 4, tmp_path / "cache", boxes=boxes)
    np.testing.assert_array_equal(store.pixels[0], a[1:5, 2:6])
    assert not store.pixels[1, :, :2].any()
    assert not store.pixels[1, 2:].any()
    np.testing.assert_array_equal(store.pixels[1, :2, 2:], b[4:6, :2])
    assert store.boxes is not None
    assert store.boxes.tolist() == [[2, 1, 4, 4], [-2, 4, 4, 4], [0, 0, 8, 6]]
    assert store.sizes.tolist() == [[8, 6]] * 3
    corners = np.array([[[-0.5, -0.5], [7.5, 5.5]]])
    np.testing.assert_allclose(store.to_store([2], corners), [[[-0.5, -0.5], [3.5, 3.5]]])
    np.testing.assert_allclose(store.to_store([0], np.array([[[2.0, 1.0], [5.0, 4.0]]])), [[[0, 0], [3, 3]]])


def test_a_marked_spot_in_a_fractional_box_is_found_where_the_map_says(tmp_path: Path) -> None:
    grey = np.zeros((300, 517), dtype=np.uint8)
    grey[200:221, 400:421] = 255  # centred on (410, 210)
    Image.fromarray(grey).save(tmp_path / "spot.png")
    store = open_store(tmp_path, ["spot.png"], 64, tmp_path / "cache", boxes=[(333.3, 120.7, 250.5, 201.9)])
    weight = store.pixels[0, ..., 0].astype(float)
    y, x = np.mgrid[0:64, 0:64]
    centre = [(weight * x).sum() / weight.sum(), (weight * y).sum() / weight.sum()]
    expected = store.to_store([0], np.array([[[410.0, 210.0]]]))
    np.testing.assert_allclose(centre, expected[0, 0], atol=0.05)
    np.testing.assert_allclose(expected[0, 0, 0], (410.5 - 333.3) * 64 / 250.5 - 0.5)


@given(
    box=st.tuples(st.floats(-500, 500), st.floats(-500, 500), st.floats(0.5, 900), st.floats(0.5, 900)),
    xy=st.tuples(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3)),
)
def test_points_in_a_box_come_back(box: tuple[float, float, float, float], xy: tuple[float, float]) -> None:
    store = ImageStore(("a",), np.zeros((1, 96, 96, 3), np.uint8), np.array([[300, 200]]), (), "", np.array([box]))
    points = np.array([[xy]])
    np.testing.assert_allclose(store.to_original([0], store.to_store([0], points)), points, atol=1e-6)


def test_another_box_is_another_store(folder: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    stores = [open_store(folder, FILES, 8, cache, boxes=boxes) for boxes in (None, [(0, 0, 3, 3)] * 3)]
    moved = open_store(folder, FILES, 8, cache, boxes=[(0, 0, 3, 3), (0, 0, 3, 3), (0, 0, 3, 2.5)])
    assert len({store.digest for store in (*stores, moved)}) == 3
    assert stores[0].boxes is None
    again = open_store(folder, FILES, 8, cache, boxes=[(0, 0, 3, 3)] * 3)
    assert again.digest == stores[1].digest
    assert len(list(cache.iterdir())) == 3


def test_boxes_stay_with_their_pictures_when_one_is_skipped(folder: Path, tmp_path: Path) -> None:
    asked = [FILES[0], "missing.png", FILES[1]]
    boxes = [(0, 0, 2, 2), (1, 0, 2, 2), (2, 0, 2, 2)]
    store = open_store(folder, asked, 4, tmp_path / "cache", boxes=boxes)
    assert store.boxes is not None
    assert store.boxes.tolist() == [[0, 0, 2, 2], [2, 0, 2, 2]]


def test_a_box_is_of_the_upright_picture(tmp_path: Path) -> None:
    """Stored 2 wide and 4 high but to be turned: the lower half of what is seen is 4 wide and 1 high."""
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = np.arange(8, dtype=np.uint8).reshape(4, 2) * 30
    Image.fromarray(stored).save(tmp_path / "a.png", exif=exif)
    upright = np.rot90(stored, k=-1)
    store = open_store(tmp_path, ["a.png"], 2, tmp_path / "cache", boxes=[(2, 0, 2, 2)])
    assert store.sizes.tolist() == [[4, 2]]
    np.testing.assert_array_equal(store.pixels[0, ..., 0], upright[:, 2:])


@pytest.mark.parametrize(
    ("boxes", "message"),
    [
        ([(0, 0, 1, 1)], "3 pictures need as many boxes"),
        ([(0, 0, 1, 1), (0, 0, 0, 1), (0, 0, 1, -1)], r"sub/a\.png: the box 0, 0, 0, 1 .* is empty \(2 such"),
        ([(0, 0, 1, 1), (np.nan, 0, 1, 1), (0, 0, 1, 1)], r"sub/a\.png: the box nan"),
        ([(9, 0, np.inf, 1)] * 3, r"the first, c\.png: its box begins at \(9, 0\), beyond its 8 × 8 pixels"),
    ],
)
def test_wrong_boxes(folder: Path, tmp_path: Path, boxes: list[tuple[float, ...]], message: str) -> None:
    with pytest.raises(LeadError, match=message):
        open_store(folder, FILES, 8, tmp_path / "cache", boxes=boxes)


def test_a_second_opening_decodes_nothing(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = open_store(folder, FILES, 8, tmp_path / "cache")
    monkeypatch.setattr(rows_module, "decode_fitted", None)
    second = open_store(folder, FILES, 8, tmp_path / "cache")
    assert isinstance(second.pixels, np.memmap)
    assert not second.pixels.flags.writeable
    np.testing.assert_array_equal(first.pixels, second.pixels)
    assert (first.files, first.skipped, first.digest) == (second.files, second.skipped, second.digest)
    np.testing.assert_array_equal(first.sizes, second.sizes)


def test_a_changed_picture_or_size_is_another_store(folder: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    first = open_store(folder, FILES, 8, cache)
    picture(folder / "c.png", 8, 8, seed=9)
    os.utime(folder / "c.png", ns=(1, 1))
    second = open_store(folder, FILES, 8, cache)
    assert first.digest != second.digest
    assert (first.pixels[0] != second.pixels[0]).any()
    assert open_store(folder, FILES, 16, cache).side == 16


def test_the_digest_is_of_content_not_of_place(folder: Path, tmp_path: Path) -> None:
    digest = open_store(folder, FILES, 8, tmp_path / "cache").digest
    folder.rename(tmp_path / "moved")
    assert open_store(tmp_path / "moved", FILES, 8, tmp_path / "cache").digest == digest


def test_unreadable_pictures_are_skipped_with_their_reason(folder: Path, tmp_path: Path) -> None:
    (folder / "bad.png").write_text("no picture")
    asked = ["bad.png", FILES[0], "missing.png", *FILES[1:]]
    store = open_store(folder, asked, 8, tmp_path / "cache")
    assert store.files == tuple(FILES)
    assert len(store) == len(store.pixels) == len(store.sizes) == 3
    assert [file for file, _ in store.skipped] == ["bad.png", "missing.png"]
    assert "known format" in store.skipped[0][1]
    np.testing.assert_array_equal(store.pixels[0], np.asarray(Image.open(folder / "c.png")))
    np.testing.assert_array_equal(store.pixels[2, :, 2:5], np.asarray(Image.open(folder / "b.png")))
    with pytest.raises(LeadError, match=r"bad\.png.*known format"):
        store.index("bad.png")


def test_no_readable_picture_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_text("no picture")
    with pytest.raises(LeadError, match=r"None of the 1 picture.*bad\.png"):
        open_store(tmp_path, ["bad.png"], 8, tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


@pytest.mark.parametrize(("files", "size"), [([], 8), (["a.png"], 0)])
def test_nothing_to_store(tmp_path: Path, files: list[str], size: int) -> None:
    with pytest.raises(LeadError):
        open_store(tmp_path, files, size, tmp_path / "cache")


def test_many_pictures_keep_their_order_and_report_progress(tmp_path: Path) -> None:
    files = [f"{i:03d}.png" for i in range(60)]
    for i, file in enumerate(files):
        Image.new("L", (4, 4), i).save(tmp_path / file)
    seen: list[tuple[int, int]] = []
    store = open_store(tmp_path, files, 4, tmp_path / "c", workers=3, progress=lambda done, of: seen.append((done, of)))
    assert store.pixels[:, 0, 0, 0].tolist() == list(range(60))
    assert seen == [(i, 60) for i in range(1, 61)]


def content(cache: Path) -> dict[str, bytes]:
    """Every file of a cache, without the name of its store, which depends on where the pictures are."""
    return {path.name: path.read_bytes() for path in cache.rglob("*") if path.is_file()}


def killed(folder: Path, cache: Path, after: int) -> None:
    """Builds a store in a process that is killed after so many pictures."""

    def progress(done: int, _of: int) -> None:
        if done == after:
            os.kill(os.getpid(), signal.SIGKILL)

    child = os.fork()
    if child == 0:
        try:
            open_store(folder, many(folder), 8, cache, progress=progress, chunk=4)
        finally:
            os._exit(1)  # not killed: never back into pytest
    assert os.waitpid(child, 0)[1] == signal.SIGKILL


def many(folder: Path, count: int = 30) -> list[str]:
    """Pictures of a few sizes, and some files that are none."""
    files = [f"{i:02}.png" for i in range(count)]
    for i, file in enumerate(files):
        if (folder / file).exists():
            continue
        if i % 7 == 2:
            (folder / file).write_text("no picture")
        else:
            picture(folder / file, 5 + i % 4, 8, seed=i)
    return files


@pytest.mark.parametrize("boxed", [False, True], ids=["whole", "boxed"])
def test_a_killed_build_is_gone_on_with_to_the_same_bytes(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, boxed: bool
) -> None:
    files, cache = many(folder), tmp_path / "cache"
    boxes = [(0.0, 0.0, 4.0, np.inf)] * len(files) if boxed else None
    whole = open_store(folder, files, 8, tmp_path / "whole", boxes=boxes)
    decoded: list[Path] = []
    plain = rows_module.decode_row

    def counted(path: Path, *rest: Any) -> Any:
        decoded.append(path)
        return plain(path, *rest)

    for last in (7, 22):

        def stop(done: int, _of: int, last: int = last) -> None:
            if done == last:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            open_store(folder, files, 8, cache, boxes=boxes, progress=stop, chunk=4)
        assert [path.suffix for path in cache.iterdir()] == [".partial"]
    monkeypatch.setattr(build_module, "decode_row", counted)
    told: list[int] = []
    store = open_store(folder, files, 8, cache, boxes=boxes, progress=lambda done, _: told.append(done))
    assert told == list(range(20, 31))
    assert len(decoded) == 10
    assert content(cache) == content(tmp_path / "whole")
    assert (store.digest, store.skipped) == (whole.digest, whole.skipped)


def test_killed_anywhere_it_comes_to_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    open_store(folder, many(folder), 8, tmp_path / "whole")
    draws = np.random.default_rng(0)
    for round in range(3):
        cache = tmp_path / str(round)
        for after in sorted(draws.choice(np.arange(1, 31), 3, replace=False).tolist()):
            killed(folder, cache, after)
        open_store(folder, many(folder), 8, cache)
        assert content(cache) == content(tmp_path / "whole")


@pytest.mark.parametrize("lost", ["pixels", "rows"])
def test_what_a_power_cut_took_of_a_build_is_made_again(folder: Path, tmp_path: Path, lost: str) -> None:
    open_store(folder, many(folder), 8, tmp_path / "whole")
    killed(folder, tmp_path / "cache", 25)
    (partial,) = (tmp_path / "cache").glob("*.partial")
    file = partial / {"pixels": "pixels.npy", "rows": "rows.jsonl"}[lost]
    data = file.read_bytes()
    file.write_bytes(data[: len(data) // 2] + bytes(len(data) - len(data) // 2))
    open_store(folder, many(folder), 8, tmp_path / "cache")
    assert content(tmp_path / "cache") == content(tmp_path / "whole")


def test_a_build_that_nobody_goes_on_with_is_removed_in_time(folder: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    killed(folder, cache, 5)
    (left,) = cache.glob("*.partial")
    open_store(folder, FILES, 8, cache)
    assert left.exists()  # somebody may go on with it
    past = time.time() - build_module.ABANDONED_AFTER_S - 60
    for path in (*left.iterdir(), left):
        os.utime(path, (past, past))
    open_store(folder, FILES, 16, cache)
    assert not left.exists()


def test_a_clock_that_jumps_removes_no_build_that_is_under_way(folder: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    killed(folder, cache, 5)
    (left,) = cache.glob("*.partial")
    past = time.time() - build_module.ABANDONED_AFTER_S - 60
    for path in (*left.iterdir(), left):
        os.utime(path, (past, past))
    with alone(left.with_suffix(".lock")):  # as whoever builds it has it
        open_store(folder, FILES, 16, cache)
        assert left.exists()
    open_store(folder, FILES, 4, cache)
    assert not left.exists()


def test_of_two_builds_at_once_one_waits_for_the_other(folder: Path, tmp_path: Path) -> None:
    """Each in a process of its own; the lock's file may be removed by one while another waits for it."""
    files = many(folder)
    children = []
    for _ in range(4):
        child = os.fork()
        if child == 0:
            told: list[int] = []
            try:
                open_store(folder, files, 8, tmp_path / "cache", progress=lambda done, _: told.append(done))  # noqa: B023
                os._exit(2 if told else 3)
            finally:
                os._exit(1)
        children.append(child)
    ends = sorted(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children)
    assert ends == [2, 3, 3, 3]
    assert len(list((tmp_path / "cache").iterdir())) == 1


def test_room_is_asked_for_before_the_work(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(total=10**12, free=575))
    with pytest.raises(LeadError, match=r"GB are needed and .* GB are free.*LEAD_CACHE"):
        open_store(folder, FILES, 8, tmp_path / "cache")  # of 3 * 8 * 8 * 3 bytes
    assert list((tmp_path / "cache").iterdir()) == []
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(total=10**12, free=576))
    open_store(folder, FILES, 8, tmp_path / "cache")


def test_a_full_disk_is_named(folder: Path, tmp_path: Path) -> None:
    def full(*_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(LeadError, match=r"disk is full.*LEAD_CACHE"):
        open_store(folder, FILES, 8, tmp_path / "cache", progress=full)
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_cache_that_is_a_file(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").touch()
    with pytest.raises(LeadError, match="LEAD_CACHE"):
        open_store(folder, FILES, 8, tmp_path / "cache")


def test_a_damaged_store_says_what_to_delete(folder: Path, tmp_path: Path) -> None:
    open_store(folder, FILES, 8, tmp_path / "cache")
    (made,) = (tmp_path / "cache").iterdir()
    (made / "index.json").write_text("{")
    with pytest.raises(LeadError, match=rf"{made.name}.*Delete"):
        open_store(folder, FILES, 8, tmp_path / "cache")


@pytest.mark.parametrize("row", [0, 24], ids=["first", "last"])
def test_a_changed_byte_is_found(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, row: int) -> None:
    files = many(folder)
    kept = open_store(folder, files, 8, tmp_path / "cache").files
    (made,) = (tmp_path / "cache").iterdir()
    with (made / "pixels.npy").open("r+b") as file:
        at = file.seek(-(len(files) - row) * 8 * 8 * 3 + 77, os.SEEK_END)
        (byte,) = file.read(1)
        file.seek(at)
        file.write(bytes([byte ^ 1]))
    message = (
        rf"{made.name} is damaged \(1 picture is not as it was stored, the first is {kept[row]}\). Delete that folder"
    )
    if row:  # the last are always looked at
        with pytest.raises(LeadError, match=message):
            open_store(folder, files, 8, tmp_path / "cache")
    else:
        open_store(folder, files, 8, tmp_path / "cache")
    monkeypatch.setenv("LEAD_CHECK_STORES", "1")
    with pytest.raises(LeadError, match=message):
        open_store(folder, files, 8, tmp_path / "cache")


@pytest.mark.parametrize("name", ["pixels.npy", "index.json"])
def test_a_store_that_was_cut_short_is_found(folder: Path, tmp_path: Path, name: str) -> None:
    open_store(folder, FILES, 8, tmp_path / "cache")
    (made,) = (tmp_path / "cache").iterdir()
    data = (made / name).read_bytes()
    (made / name).write_bytes(data[:-20])
    with pytest.raises(LeadError, match=r"is damaged .* Delete that folder"):
        open_store(folder, FILES, 8, tmp_path / "cache")


def test_a_store_without_checksums_is_opened(folder: Path, tmp_path: Path) -> None:
    """Such as were made before there were any."""
    open_store(folder, FILES, 8, tmp_path / "cache")
    (index,) = (tmp_path / "cache").glob("*/index.json")
    known = json.loads(index.read_text())
    del known["checksums"]
    index.write_text(json.dumps(known))
    assert len(open_store(folder, FILES, 8, tmp_path / "cache")) == 3


def test_where_the_cache_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("LEAD_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert default_cache() == tmp_path / ".cache" / "lead"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert default_cache() == tmp_path / "xdg" / "lead"
    monkeypatch.setenv("LEAD_CACHE", "~/mine")
    assert default_cache() == tmp_path / "mine"


def test_pictures_in_memory_are_stored_as_their_files_are(tmp_path: Path) -> None:
    draws = np.random.default_rng(0)
    pictures = [
        Image.fromarray(draws.integers(0, 256, (height, width, 3), dtype=np.uint8))
        for width, height in ((90, 61), (20, 33), (40, 40), (1, 7))
    ]
    for i, picture in enumerate(pictures):
        picture.save(tmp_path / f"{i}.png")
    expected = open_store(tmp_path, [f"{i}.png" for i in range(4)], 40, tmp_path / "cache")
    found = store_of(pictures, ["a", "b", "c", "d"], 40)
    np.testing.assert_array_equal(found.pixels, expected.pixels)
    np.testing.assert_array_equal(found.sizes, expected.sizes)
    np.testing.assert_array_equal(found.scale, expected.scale)
    assert found.index("c") == 2
    for row, picture in enumerate(pictures):
        mine, other = (store.original(row).part((0, 0, *picture.size), 1) for store in (found, expected))
        np.testing.assert_array_equal(np.asarray(mine.pixels), np.asarray(other.pixels))
        np.testing.assert_array_equal(np.asarray(mine.pixels), np.asarray(picture))
    assert found.digest != store_of(pictures[::-1], ["a", "b", "c", "d"], 40).digest


def test_rows_are_asked_for_before_they_are_waited_for(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(folder, many(folder), 8, tmp_path / "cache")
    rows = np.array([7, 0, 24, 7, 13])
    asked: list[bytes] = []
    monkeypatch.setattr(os, "posix_fadvise", lambda file, start, size, _: asked.append(os.pread(file, size, start)))
    found = read_rows(store.pixels, rows)
    assert asked == [pixels.tobytes() for pixels in found]
    np.testing.assert_array_equal(found, np.array(store.pixels)[rows])
    np.testing.assert_array_equal(read_rows(np.array(store.pixels), rows), found)
    assert len(asked) == len(rows)  # of what is in memory, nothing


def test_pictures_come_as_they_would_be_stored_and_no_further_ahead_than_is_said(folder: Path, tmp_path: Path) -> None:
    files = many(folder)
    whole = open_store(folder, files, 8, tmp_path / "cache")
    begun: list[int] = []

    def chunks() -> Iterator[list[str]]:
        for start in range(0, len(files), 4):
            begun.append(start)
            yield files[start : start + 4]

    stores = []
    for number, store in enumerate(stored_pictures(folder, chunks(), 8), start=1):
        assert len(begun) <= number + store_module.AHEAD
        stores.append(store)
    assert tuple(file for store in stores for file in store.files) == whole.files
    assert tuple(item for store in stores for item in store.skipped) == whole.skipped
    np.testing.assert_array_equal(np.concatenate([store.pixels for store in stores]), whole.pixels)
    np.testing.assert_array_equal(np.concatenate([store.sizes for store in stores]), whole.sizes)
    (nothing,) = stored_pictures(folder, [["02.png"]], 8)
    assert (len(nothing), nothing.pixels.shape) == (0, (0, 8, 8, 3))
