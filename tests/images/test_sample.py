"""Which frames are taken of a film, and what is written."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from filming import Pixels, film, number_of, numbered
from PIL import Image

from lead.errors import LeadError
from lead.images import sample
from lead.images.sample import Sampled, draw, find_named, open_films


def scenes(lengths: list[int]) -> list[Pixels]:
    """So many frames of each of several scenes: a block that stands elsewhere in each."""
    found = []
    for scene, length in enumerate(lengths):
        pixels = np.full((48, 64, 3), 60, dtype=np.uint8)
        row, column = divmod(scene, 4)
        pixels[16 * row : 16 * row + 16, 16 * column : 16 * column + 16] = 240
        found += [pixels] * length
    return found


def sample_films(paths: list[Path], folder: Path, **how: Any) -> Sampled:
    """What is taken of films that are given by their paths."""
    return sample.sample_films(open_films(find_named(paths))[0], folder, **how)


def numbers(files: tuple[str, ...]) -> list[int]:
    return [int(Path(file).stem) for file in files]


def test_every_scene_is_found_once(tmp_path: Path) -> None:
    """A scene of two frames among hundreds; frames that are alike are left out, however many are asked for."""
    lengths = [90, 2, 40, 3, 60]
    path = film(tmp_path / "a.mp4", scenes(lengths))
    for seed in range(3):
        files, films, skipped = sample_films([path], tmp_path / str(seed), count=30, seed=seed)
        starts = np.cumsum([0, *lengths])
        assert [int(np.searchsorted(starts, n, "right")) - 1 for n in numbers(files)] == list(range(5))
        assert set(films) == {"a.mp4"}
        assert skipped == ()


def test_few_frames_are_unlike_one_another(tmp_path: Path) -> None:
    """Of a block that wanders, four frames are farther apart than four in a row, or four at random."""
    wander = []
    for i in range(80):
        pixels = np.full((48, 64, 3), 60, dtype=np.uint8)
        pixels[16:32, i // 2 : i // 2 + 12] = 240
        wander.append(pixels)
    apart = []
    for seed in range(5):
        files, *_ = sample_films([film(tmp_path / "a.mp4", wander)], tmp_path / str(seed), count=4, seed=seed)
        assert len(files) == 4
        apart.append(min(b - a for a, b in pairwise(numbers(files))))
    draws = np.random.default_rng(0)
    chance = [np.diff(np.sort(draws.choice(80, 4, replace=False))).min() for _ in range(2000)]
    assert np.mean(apart) > 2 * np.mean(chance)


def test_files_are_the_frames_that_their_names_say(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4", numbered(50), "libx264")
    told: list[tuple[int, int]] = []
    files, *_ = sample_films([path], tmp_path / "out", count=7, progress=lambda *done: told.append(done))
    assert files == tuple(f"a.mp4/{number:06}.png" for number in numbers(files))
    for file, number in zip(files, numbers(files), strict=True):
        with Image.open(tmp_path / "out" / file) as picture:
            assert (picture.format, picture.size, number_of(picture)) == ("PNG", (64, 48), number)
    record = json.loads((tmp_path / "out" / "a.mp4" / "frames.json").read_text())
    assert record["frames"] == numbers(files)
    assert (record["of"], record["count"], record["seed"]) == (50, 7, 0)
    assert told[-1] == (100, 100)
    assert all(before <= after for before, after in pairwise(told))
    assert sample_films([path], tmp_path / "again", count=7).files == files
    assert any(sample_films([path], tmp_path / str(s), count=7, seed=s).files != files for s in (1, 2))


def test_it_goes_on_and_overwrites_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, out = film(tmp_path / "a.mp4", numbered(40)), tmp_path / "out"

    def interrupt(*_: int) -> None:
        if len(list((out / "a.mp4").glob("*.png"))) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sample_films([path], out, count=6, progress=interrupt)
    (first, *_) = sorted((out / "a.mp4").glob("*.png"))
    first.write_bytes(b"the user's")

    def never(*_: object) -> None:
        raise AssertionError("the film was looked at again")

    monkeypatch.setattr(sample, "thumbnail", never)
    files, *_ = sample_films([path], out)  # as many as last time
    assert len(files) == 6
    assert first.read_bytes() == b"the user's"
    assert sorted(p.name for p in (out / "a.mp4").iterdir()) == [*(Path(f).name for f in files), "frames.json"]
    for count, seed, said in ((5, 0, "count: 6 there, 5 here"), (6, 3, "seed: 0 there, 3 here")):
        with pytest.raises(LeadError, match=rf"holds frames of a\.mp4 that were drawn otherwise \({said}\)"):
            sample_films([path], out, count=count, seed=seed)
    film(path, numbered(41))
    with pytest.raises(LeadError, match=r"drawn otherwise \(bytes: "):
        sample_films([path], out)
    (out / "a.mp4" / "frames.json").write_text("{")
    with pytest.raises(LeadError, match=r"frames\.json is damaged"):
        sample_films([path], out)
    (out / "a.mp4" / "frames.json").unlink()
    with pytest.raises(LeadError, match=r"a\.mp4 is there, and no frames\.json in it"):
        sample_films([path], out)


def test_films_of_several_folders_and_films_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "in" / "one").mkdir(parents=True)
    (tmp_path / "in" / "two" / "deep").mkdir(parents=True)
    one = film(tmp_path / "in" / "one" / "a.mp4", numbered(9))
    two = film(tmp_path / "in" / "two" / "deep" / "a.MP4", numbered(9))
    bad = tmp_path / "in" / "bad.mp4"
    bad.write_text("no film")
    names = find_named([tmp_path / "in"])
    assert names == find_named([two, one, bad]) == {"bad.mp4": bad, "one/a.mp4": one, "two/deep/a.MP4": two}
    assert find_named([tmp_path / "in" / "one", two]) == {"one/a.mp4": one, "two/deep/a.MP4": two}
    assert find_named([tmp_path / "in" / "two"]) == {"deep/a.MP4": two}
    assert find_named([two]) == {"a.MP4": two}
    known, skipped = open_films(names)
    assert list(known) == ["one/a.mp4", "two/deep/a.MP4"]
    assert skipped == (("bad.mp4", "its content is not that of a film, or not all of it"),)
    files, films, _ = sample.sample_films(known, tmp_path / "out", count=2)
    assert films == ("one/a.mp4",) * 2 + ("two/deep/a.MP4",) * 2
    assert all(file == f"{film}/{Path(file).name}" for file, film in zip(files, films, strict=True))
    with pytest.raises(LeadError, match=r"None of the 1 film can be read; the first, bad\.mp4: its content"):
        sample_films([bad], tmp_path / "out")
    with pytest.raises(LeadError, match="1 frame or more can be taken, not 0"):
        sample_films([one], tmp_path / "out", count=0)
    with pytest.raises(LeadError, match=r"No film in .*out\. Films end in .*\.mp4"):
        find_named([tmp_path / "out"])


def test_a_film_that_breaks_off_is_left_out(tmp_path: Path) -> None:
    noisy = [np.random.default_rng(i).integers(0, 256, (48, 64, 3), dtype=np.uint8) for i in range(20)]
    broken = film(tmp_path / "broken.mp4", noisy, movflags="faststart")
    broken.write_bytes(broken.read_bytes()[: broken.stat().st_size * 2 // 3])
    whole = film(tmp_path / "whole.mp4", numbered(9))
    files, films, skipped = sample_films([broken, whole], tmp_path / "out", count=2)
    assert films == ("whole.mp4",) * 2
    ((name, reason),) = skipped
    assert name == "broken.mp4"
    assert "breaks off after" in reason
    assert sorted(p.relative_to(tmp_path / "out").as_posix() for p in (tmp_path / "out").rglob("*.png")) == list(files)


def test_of_a_long_film_frames_evenly_spaced_are_looked_at(tmp_path: Path) -> None:
    films = [film(tmp_path / "a.mp4", numbered(100))]
    files, *_ = sample_films(films, tmp_path / "out", count=100, candidates=10)
    assert 5 <= len(files) <= 10
    assert all(number % 16 == 0 for number in numbers(files))
    for file, number in zip(files, numbers(files), strict=True):
        assert number_of(Image.open(tmp_path / "out" / file)) == number


def test_a_draw_keeps_none_of_what_is_alike() -> None:
    draws = np.random.default_rng(0)
    kinds = draws.integers(0, 256, (6, 24, 24, 3))
    squares = np.clip(kinds[draws.integers(0, 6, 300)] + draws.integers(-1, 2, (300, 24, 24, 3)), 0, 255)
    kept = draw(squares.astype(np.uint8), 50, seed=0)
    assert len(kept) == 6
    assert draw(squares[:1].astype(np.uint8), 50, seed=0) == [0]
