"""Progress where there is no terminal, and names of drawings."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lead.cli.console import Lines, Watch
from lead.evaluation.drawings import drawing_names


def lines_of(capsys: pytest.CaptureFixture[str], total: int, seconds_a_step: float) -> list[str]:
    """What a task of ``total`` steps prints when each takes so long."""
    now = 0.0
    watch = Watch(Lines(clock=lambda: now))
    for step in range(1, total + 1):
        now += seconds_a_step
        watch.report("distill", step, total, {"loss": 0.5})
    return capsys.readouterr().err.splitlines()


def test_a_slow_task_prints_a_line_at_least_every_thirty_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    lines = lines_of(capsys, total=1000, seconds_a_step=10)
    assert [line.split(",")[0] for line in lines[:3]] == ["distill 4/1000", "distill 7/1000", "distill 10/1000"]
    assert lines[0] == "distill 4/1000, loss 0.5000, about 2 h 46 min left"
    assert lines[-1] == "distill 1000/1000, loss 0.5000"


def test_a_quicker_one_prints_a_line_every_tenth(capsys: pytest.CaptureFixture[str]) -> None:
    assert len(lines_of(capsys, total=1000, seconds_a_step=0.1)) == 10


def test_a_very_quick_one_prints_its_end_only(capsys: pytest.CaptureFixture[str]) -> None:
    assert lines_of(capsys, total=50, seconds_a_step=0.001) == ["distill 50/50, loss 0.5000"]


def test_a_resumed_task_is_timed_from_where_it_resumed(capsys: pytest.CaptureFixture[str]) -> None:
    now = 0.0
    watch = Watch(Lines(clock=lambda: now))
    counting = watch.counting("decoding")
    counting(800, 1000)
    now = 30.0
    counting(900, 1000)
    assert capsys.readouterr().err == "decoding 900/1000, about 30 s left\n"


def test_a_rate_is_told_from_where_the_work_went_on(capsys: pytest.CaptureFixture[str]) -> None:
    now = 0.0
    watch = Watch(Lines(clock=lambda: now), clock=lambda: now)
    counting = watch.counting("landmarks", rate="pictures")
    counting(800, 1000)
    now = 40.0
    counting(900, 1000)
    assert capsys.readouterr().err == "landmarks 900/1000, 2.5 pictures/s, about 40 s left\n"


def test_features_all_alike_are_warned_of_once(capsys: pytest.CaptureFixture[str]) -> None:
    watch = Watch(Lines())
    for step in (10, 20, 30):
        watch.report("pretrain", step, 30, {"loss": 0.0, "collapsed": 1.0})
    printed = capsys.readouterr().err
    assert printed.count("Warning: at step 10 the features of pretrain are nearly all alike.") == 1
    assert printed.count("Warning") == 1


def test_a_second_training_of_one_name_is_timed_from_its_own_start(capsys: pytest.CaptureFixture[str]) -> None:
    now = [0.0]
    lines = Lines(lambda: now[0])
    for start in (0.0, 5000.0):
        for done in range(10, 101, 10):
            now[0] = start + done
            lines.update("distill", done, 100, "")
    printed = capsys.readouterr().err.splitlines()
    assert printed.count("distill 20/100, about 1 min 20 s left") == 2


names = st.text(st.sampled_from("ab."), min_size=1, max_size=4).filter(lambda name: set(name) != {"."})
paths = st.lists(names, min_size=1, max_size=3).map("/".join)


@given(st.lists(paths, min_size=1, max_size=6, unique=True), st.sampled_from(["", "/", "../"]))
def test_no_two_pictures_share_a_drawing_and_none_leaves_the_folder(files: list[str], start: str) -> None:
    drawings = drawing_names([start + file for file in files])
    assert len(set(drawings)) == len(files)
    for file, drawing in zip(files, drawings, strict=True):
        assert not drawing.is_absolute()
        assert ".." not in drawing.parts
        assert drawing.name == f"{Path(file).name}.png"
