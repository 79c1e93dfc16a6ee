"""Landmarks of a folder, the same whether the work was killed, shared, or neither."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from filming import film
from PIL import Image
from typer.testing import CliRunner

import lead
from lead import load_labels
from lead.cli import app
from lead.config import Settings
from lead.errors import LeadError
from lead.features import make_student
from lead.heads import make_head
from lead.images.find import listed
from lead.images.labels import save_labels
from lead.images.store import ImageStore
from lead.inference import Landmarker
from lead.landmarks.model import Labels, Schema
from lead.nn.backbone import Backbone
from lead.prediction import Parts, Work
from lead.reporting import Progress, Say, unsaid
from lead.shards import Shard

COUNT, CHUNK = 23, 4
BAD = ("03.png", "20.png")
Maker = Callable[..., Settings]


def made(settings: Settings, seed: int) -> Landmarker:
    """A model that has learnt nothing, and looks at a few pictures at a time."""
    torch.manual_seed(seed)
    student = make_student(Backbone("test_resnet"), settings.distill, settings.hypercolumn)
    return Landmarker(
        Schema(("a", "b")), settings, student, make_head("softargmax", 16, 2), None, {"seed": seed}, CHUNK
    )


@pytest.fixture
def model(tiny: Maker) -> Landmarker:
    return made(tiny(), 0)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder of noise in a few sizes, and two files that are none."""
    draws = np.random.default_rng(0)
    folder = tmp_path / "pictures"
    folder.mkdir()
    for i in range(COUNT):
        width, height = draws.integers(20, 60, 2).tolist()
        Image.fromarray(draws.integers(0, 256, (height, width, 3), dtype=np.uint8)).save(folder / f"{i:02}.png")
    for name in BAD:
        (folder / name).write_text("no picture")
    return folder


def write(model: Landmarker, pictures: Path, out: Path, shard: str = "1/1", say: Say = unsaid) -> bool:
    """All that a process does; whether it was the one to write ``out``."""
    return not lead.predict(model, pictures, out, shard=Shard.parse(shard), say=say).waiting


def run(model: Landmarker, pictures: Path, out: Path, shard: Shard | None = None, **more: Any) -> Parts:
    """A process that ends before it writes ``out``."""
    parts = Parts(Work(model, listed(pictures)), out, shard or Shard())
    parts.run(**more)
    return parts


@pytest.fixture
def expected(model: Landmarker, pictures: Path, tmp_path: Path) -> bytes:
    """What `predict` finds, in memory and at one go."""
    labels = model.predict(pictures)
    assert len(labels) == COUNT - len(BAD)
    sizes = {image: Image.open(pictures / image).size for image in labels.images}
    save_labels(labels, tmp_path / "expected.json", sizes=sizes)
    return (tmp_path / "expected.json").read_bytes()


def forked(work: Callable[[], object]) -> int:
    """Starts work in a process of its own."""
    child = os.fork()
    if child == 0:
        try:
            work()
            os._exit(0)
        finally:
            os._exit(1)  # never back into pytest
    return child


def test_killed_at_any_moment_it_goes_on_to_the_same_file(
    model: Landmarker, pictures: Path, expected: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, part, draw, told = tmp_path / "out.json", tmp_path / "out.json.part", random.Random(0), list[str]()
    plain, calls = Landmarker.predict_store, list[int]()

    def slow(self: Landmarker, store: ImageStore) -> Labels:
        calls.append(len(store))
        time.sleep(0.03 if len(calls) < 3 else 60)  # no process comes to the end
        return plain(self, store)

    with monkeypatch.context() as patch:
        patch.setattr(Landmarker, "predict_store", slow)
        for _ in range(4):
            before = part.stat().st_size if part.exists() else 0
            child = forked(lambda: write(model, pictures, out))
            while not part.exists() or part.stat().st_size <= before:
                time.sleep(0.001)
            time.sleep(draw.uniform(0.0, 0.06))
            os.kill(child, signal.SIGKILL)
            assert os.waitpid(child, 0)[1] == signal.SIGKILL
            assert not out.exists()
    assert write(model, pictures, out, say=told.append)
    assert "of 23 pictures." in told[0]
    assert out.read_bytes() == expected
    assert sorted(path.name for path in tmp_path.iterdir()) == ["expected.json", "out.json", "pictures"]


def test_a_part_cut_or_damaged_anywhere_is_made_good(
    model: Landmarker, pictures: Path, expected: bytes, tmp_path: Path
) -> None:
    work = run(model, pictures, tmp_path / "out.json")
    whole = work.path.read_bytes()
    draws = random.Random(1)
    for round in range(8):
        at = draws.randrange(len(whole))
        damaged = whole[:at] if round % 2 else whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :]
        work.path.write_bytes(damaged)
        assert write(model, pictures, tmp_path / "out.json")
        assert (tmp_path / "out.json").read_bytes() == expected
        (tmp_path / "out.json").unlink()


def looks(patch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """The pictures that the network is shown, as they come."""
    seen: list[tuple[str, ...]] = []
    plain = Landmarker.predict_store

    def counted(self: Landmarker, store: ImageStore) -> Labels:
        seen.append(store.files)
        return plain(self, store)

    patch.setattr(Landmarker, "predict_store", counted)
    return seen


def test_nothing_is_looked_at_twice(
    model: Landmarker, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = looks(monkeypatch)
    run(model, pictures, tmp_path / "out.json")
    assert sum(map(len, seen)) == COUNT - len(BAD)
    seen.clear()
    done: list[tuple[int, int]] = []
    run(model, pictures, tmp_path / "out.json", counting=lambda _: lambda *told: done.append(told))
    assert (seen, done) == ([], [])
    # A changed number of shards: what stands in any part is done.
    run(model, pictures, tmp_path / "out.json", Shard(2, 3))
    assert seen == []


def test_a_part_of_another_model_is_told_and_begun_anew(
    model: Landmarker, pictures: Path, tmp_path: Path, tiny: Maker
) -> None:
    out = tmp_path / "out.json"
    first = run(model, pictures, out)
    told: list[str] = []
    model = made(tiny(), 1)
    assert write(model, pictures, out, say=told.append)
    assert told == [f"{first.path} is of another model, or its pictures were shown otherwise: begun anew."]
    found, truth = load_labels(out), model.predict(pictures)
    assert found.images == truth.images
    np.testing.assert_array_equal(found.xy, truth.xy)


def change(pictures: Path, what: str) -> None:
    """Changes one picture of a folder, makes a readable one of a bad one, takes one out, or adds one."""
    if what == "gone":
        (pictures / "09.png").unlink()
    else:
        name = {"changed": "09.png", "bad": "03.png", "added": "09b.png"}[what]
        Image.new("RGB", (30, 40), "teal").save(pictures / name)


@pytest.mark.parametrize("shards", [1, 3])
@pytest.mark.parametrize(
    ("what", "again", "told_of"),
    [
        ("changed", ["08.png", "09.png", "10.png", "11.png"], "1 file has changed (09.png): 4 files are done again."),
        ("bad", ["00.png", "01.png", "02.png", "03.png"], "1 file has changed (03.png): 4 files are done again."),
        (
            "gone",
            [f"{i:02}.png" for i in range(8, COUNT) if i not in (9, 20)],
            "1 file is gone (09.png): 14 files are done again.",
        ),
        (
            "added",
            [*(f"{i:02}.png" for i in range(8, COUNT) if i != 20), "09b.png"],
            "1 file is new (09b.png): 15 files are done again.",
        ),
    ],
)
def test_only_batches_that_changed_are_done_again_and_it_is_told_why(
    model: Landmarker,
    pictures: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    shards: int,
    what: str,
    again: list[str],
    told_of: str,
) -> None:
    out, anew = tmp_path / "out.json", tmp_path / "anew.json"
    for number in range(1, shards + 1):
        run(model, pictures, out, Shard(number, shards))
    change(pictures, what)
    assert write(model, pictures, anew)
    seen, told = looks(monkeypatch), list[str]()
    assert any(write(model, pictures, out, f"{k}/{shards}", say=told.append) for k in range(1, shards + 1))
    assert out.read_bytes() == anew.read_bytes()
    assert sorted(file for files in seen for file in files) == sorted(again)
    assert f"Since then {told_of}" == told[1]
    assert not list(tmp_path.glob("*.part"))


def test_what_was_done_again_is_told_once(model: Landmarker, pictures: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    run(model, pictures, out)
    for what in ("changed", "bad", "changed"):
        change(pictures, what)
        told: list[str] = []
        Parts(Work(model, listed(pictures)), out, Shard(), told.append).run()
        assert [text.count(name) for text in told[-1:] for name in ("03.png", "09.png")] == [
            what == "bad",
            what != "bad",
        ]
    Parts(Work(model, listed(pictures)), out, Shard(), told.append).run()
    assert told[-1] == "Done before: 23 of 23 pictures."


def test_shards_that_run_at_once_make_one_file(
    model: Landmarker, pictures: Path, expected: bytes, tmp_path: Path
) -> None:
    out = tmp_path / "out.json"
    children = [forked(lambda k=k: write(model, pictures, out, f"{k}/3")) for k in (1, 2, 3)]  # type: ignore[misc]
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0, 0]
    assert out.read_bytes() == expected
    assert not list(tmp_path.glob("*.part"))


def test_the_last_shard_writes_it_all(model: Landmarker, pictures: Path, expected: bytes, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    for shard in ("2/3", "1/3", "2/3"):  # one of them again
        assert not write(model, pictures, out, shard)
        assert not out.exists()
    assert write(model, pictures, out, "3/3")
    assert out.read_bytes() == expected
    assert not list(tmp_path.glob("*.part"))


def test_two_processes_do_not_share_a_part(model: Landmarker, pictures: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    with (
        Parts(Work(model, listed(pictures)), out, Shard())._part(),
        pytest.raises(LeadError, match=r"Another process.*out\.json\.part"),
    ):
        run(model, pictures, out)


def test_where_nothing_can_be_read_nothing_is_left(model: Landmarker, pictures: Path, tmp_path: Path) -> None:
    bad = [pictures / name for name in BAD]
    with pytest.raises(LeadError, match=r"None of the 2 pictures .*03\.png: its content"):
        lead.predict(model, bad, tmp_path / "out.json")
    assert not list(tmp_path.glob("out.json*"))


def test_what_could_not_be_written_is_not_looked_at_again(
    model: Landmarker, pictures: Path, expected: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out.json"

    def full(*_: object, **__: object) -> None:
        raise LeadError("no room")

    with monkeypatch.context() as patch:
        patch.setattr("lead.prediction.save_labels", full)
        with pytest.raises(LeadError, match="no room"):
            write(model, pictures, out)
    assert (tmp_path / "out.json.part").exists()
    seen = looks(monkeypatch)
    assert write(model, pictures, out)
    assert seen == []
    assert out.read_bytes() == expected


def test_films_are_kept_whole_and_stay_told_of(
    model: Landmarker, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    noisy = [np.random.default_rng(i).integers(0, 256, (48, 64, 3), dtype=np.uint8) for i in range(20)]
    film(pictures / "a.mp4", noisy[:5])
    cut = film(pictures / "cut.mp4", noisy, movflags="faststart")
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size * 2 // 3])
    (pictures / "none.mp4").write_text("no film")
    expected = model.predict([pictures / "00.png", pictures / "a.mp4"])
    run(model, pictures, tmp_path / "out.json")
    monkeypatch.setattr(Landmarker, "predict_store", None)
    found = lead.predict(model, pictures, tmp_path / "out.json")
    assert list(found.films) == ["a.mp4", "cut.mp4"]
    np.testing.assert_allclose(found.films["a.mp4"].xy, expected.xy[1:], atol=1e-3)
    assert found.films["a.mp4"].images == tuple(f"a.mp4#{i}" for i in range(5))
    assert found.sizes["a.mp4#4"] == (64, 48)
    assert 0 < len(found.films["cut.mp4"]) < 20
    assert [("breaks off" in told, "its content" in told) for told in found.broken] == [(True, False), (False, True)]
    assert load_labels(tmp_path / "out.json").images == found.labels.images


def test_in_memory_it_says_the_same_as_in_a_file(model: Landmarker, pictures: Path, tmp_path: Path) -> None:
    model.save(tmp_path / "model.safetensors")
    counts: dict[str, list[tuple[int, int]]] = {}

    def counting(what: str) -> Progress:
        counts[what] = []
        return lambda *done: counts[what].append(done)

    film(pictures / "a.mp4", [np.full((48, 64, 3), i, dtype=np.uint8) for i in range(9)])
    found = lead.predict(tmp_path / "model.safetensors", pictures, counting=counting)
    kept = lead.predict(tmp_path / "model.safetensors", pictures, tmp_path / "out.csv", draw=tmp_path / "drawn")
    assert [name for name, _ in found.skipped] == [name for name, _ in kept.skipped] == list(BAD)
    np.testing.assert_array_equal(found.labels.xy, kept.labels.xy)
    assert counts["pictures"][-1] == (COUNT, COUNT)
    assert counts["a.mp4"][-1] == (9, 9)
    assert len(list((tmp_path / "drawn").iterdir())) == COUNT - len(BAD) + 1
    with pytest.raises(LeadError, match=r"out\.csv is already there"):
        lead.predict(tmp_path / "gone.safetensors", pictures, tmp_path / "out.csv")
    with pytest.raises(LeadError, match="drawn is not empty"):
        lead.predict(model, pictures, draw=tmp_path / "drawn")
    with pytest.raises(LeadError, match="name it"):
        lead.predict(model, pictures, shard=Shard(1, 2))


def test_shards_are_read_from_words_and_from_torchrun() -> None:
    assert Shard.parse("2/4") == Shard(2, 4)
    assert Shard.of_environment({"RANK": "3", "WORLD_SIZE": "4"}) == Shard(4, 4)
    assert Shard.of_environment({"SLURM_PROCID": "1", "SLURM_STEP_NUM_TASKS": "2"}) == Shard(2, 2)
    assert Shard.of_environment({"SLURM_PROCID": "1"}) == Shard.of_environment({}) == Shard(1, 1)
    for wrong in ("0/4", "5/4", "1", "1/0", "a/b", "-1/4"):
        with pytest.raises(LeadError, match="is not a shard"):
            Shard.parse(wrong)


def predict(*arguments: object, **environment: str) -> Any:
    result = CliRunner().invoke(app, ["predict", *map(str, arguments)], env=environment)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def test_the_command_goes_on_and_lists_bad_pictures_all_the_same(
    model: Landmarker, pictures: Path, expected: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, out = tmp_path / "model.safetensors", tmp_path / "out.json"
    model.save(file)
    plain, calls = Landmarker.predict_store, list[int]()

    def stopped(self: Landmarker, store: ImageStore) -> Labels:
        calls.append(len(store))
        if len(calls) == 4:
            raise KeyboardInterrupt  # Ctrl-C, after the chunk that holds the first bad picture
        return plain(self, store)

    monkeypatch.setattr(Landmarker, "batch", CHUNK)  # of the model that the command reads
    with monkeypatch.context() as patch:
        patch.setattr(Landmarker, "predict_store", stopped)
        halted = predict(file, pictures, "--out", out)
    assert halted.exit_code == 130
    assert "run the same command again to go on" in halted.stderr
    (pictures / "99.czi").touch()
    said = predict(file, pictures, "--out", out)
    assert said.exit_code == 0, said.output
    assert "Warning: left out: 1 × .czi (99.czi): a Zeiss microscope's file" in " ".join(said.stderr.split())
    assert "Done before: 12 of 23 pictures." in said.stderr
    assert "Warning: 2 pictures skipped" in said.stderr
    assert all(f"{name}: its content" in said.stderr for name in BAD)
    assert out.read_bytes() == expected
    again = predict(file, pictures, "--out", out)
    assert (again.exit_code, again.stdout) == (2, "")


def test_the_command_under_torchrun(
    model: Landmarker, pictures: Path, expected: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Landmarker, "batch", CHUNK)  # of the model that the command reads
    file, out = tmp_path / "model.safetensors", tmp_path / "out.json"
    model.save(file)
    first = predict(file, pictures, "--out", out, RANK="1", WORLD_SIZE="2")
    assert first.stdout == f"Share 2/2 is done. Whichever share is done last writes {out}.\n"
    assert not out.exists()
    last = predict(file, pictures, "--out", out, RANK="0", WORLD_SIZE="2")
    assert f"Landmarks of 21 pictures: {out}" in last.stdout
    assert out.read_bytes() == expected
    assert json.loads(expected)["images"][0]["width"] > 0
    wrong = predict(file, pictures, "--out", tmp_path / "b.json", "--shard", "3/2")
    assert (wrong.exit_code, wrong.stdout) == (2, "")


def test_what_could_not_be_looked_at_closely_is_named_and_counted(
    model: Landmarker, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = Landmarker.predict_store

    def failing(self: Landmarker, store: ImageStore) -> Labels:
        store.unread.update({file: "gone" for file in ("02.png", "11.png") if file in store.files})
        return plain(self, store)

    monkeypatch.setattr(Landmarker, "predict_store", failing)
    run(model, pictures, tmp_path / "out.json")  # what the parts hold is kept
    monkeypatch.setattr(Landmarker, "predict_store", None)
    found = lead.predict(model, pictures, tmp_path / "out.json")
    assert found.unread == (("02.png", "gone"), ("11.png", "gone"))
    assert found.labels is not None
    assert {"02.png", "11.png"} <= set(found.labels.images)
    monkeypatch.setattr(Landmarker, "predict_store", failing)
    model.save(tmp_path / "model.safetensors")
    said = CliRunner().invoke(
        app, ["predict", str(tmp_path / "model.safetensors"), str(pictures), "--out", str(tmp_path / "more.json")]
    )
    assert said.exit_code == 0, said.stderr
    assert "2 pictures could not be read again to be looked at closely" in said.stderr
    assert "  02.png: gone\n  11.png: gone" in said.stderr
