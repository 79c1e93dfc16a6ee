"""Process settings are given only where they can still help, and never against the user's."""

from __future__ import annotations

import os
import sys

import pytest

from lead.tuning import keep_freed_memory, wait_passively

VARIABLE = "OMP_WAIT_POLICY"


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "")  # remembered, so that whatever a test sets is undone
    monkeypatch.delenv(VARIABLE)


def test_threads_wait_passively_if_torch_is_yet_to_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    wait_passively()
    assert os.environ[VARIABLE] == "passive"


def test_a_loaded_torch_would_not_notice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", sys)
    wait_passively()
    assert VARIABLE not in os.environ


def test_the_users_own_choice_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    monkeypatch.setenv(VARIABLE, "active")
    wait_passively()
    assert os.environ[VARIABLE] == "active"


class Library:
    """Stands for the C library: remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, int]] = []

    def mallopt(self, option: int, value: int) -> int:
        self.asked.append((option, value))
        return 1


def test_large_blocks_are_kept_however_often_it_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    library = Library()
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr("ctypes.CDLL", lambda name: {"libc.so.6": library}[name])
    keep_freed_memory()
    keep_freed_memory()
    trim, mmap = -1, -3  # malloc.h
    assert set(library.asked) == {(mmap, 2**30), (trim, 2**30)}
    assert len(library.asked) == 4


def test_other_systems_and_other_c_libraries_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise OSError(name)

    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr("ctypes.CDLL", absent)
    keep_freed_memory()
    monkeypatch.setattr("ctypes.CDLL", lambda _: object())  # a library without mallopt
    keep_freed_memory()
    library = Library()
    monkeypatch.setattr("ctypes.CDLL", lambda _: library)
    monkeypatch.setattr(sys, "platform", "darwin")
    keep_freed_memory()
    assert library.asked == []
