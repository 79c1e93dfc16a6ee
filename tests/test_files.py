"""Files written whole or not at all."""

from __future__ import annotations

import errno
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from lead.errors import LeadError
from lead.files import alone, lock_of, replacing


@pytest.mark.skipif(sys.platform == "win32", reason="folders cannot be opened")
def test_content_and_name_are_on_the_disk_in_that_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    seen: list[tuple[str, str]] = []
    real = os.fsync

    def watch(handle: int) -> None:
        kind = "folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else os.pread(handle, 100, 0).decode()
        seen.append((kind, path.read_text()))
        real(handle)

    monkeypatch.setattr(os, "fsync", watch)
    with replacing(path) as partial:
        partial.write_text("new")
    assert seen == [("new", "old"), ("folder", "new")]


@pytest.mark.skipif(sys.platform == "win32", reason="no such permissions")
def test_permissions_are_handed_on(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    path.chmod(0o664)
    with replacing(path) as partial:
        partial.write_text("new")
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("new", 0o664)


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")

    def stop_half_way() -> None:
        with replacing(path) as partial:
            partial.write_text("half")
            raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        stop_half_way()
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("a.txt", "old")]


def holder(lock: Path) -> subprocess.Popen[bytes]:
    """A process that has the lock, until its input ends."""
    code = "import sys; from pathlib import Path; from lead.files import alone\n"
    code += "with alone(Path(sys.argv[1])): print('mine', flush=True); sys.stdin.read()"
    line = [sys.executable, "-c", code, str(lock)]
    process = subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout
    assert process.stdout.readline().strip() == b"mine"
    return process


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, None])
def test_a_lock_goes_with_its_process_in_whatever_way_it_ends(tmp_path: Path, end: signal.Signals | None) -> None:
    lock = lock_of(tmp_path / "mine")
    with holder(lock) as process:
        with pytest.raises(LeadError, match="Busy, wait"), alone(lock, wait_s=0, busy="Busy, wait."):
            pytest.fail("two have it")
        with pytest.raises(LeadError, match=r"Another process holds .*\.mine\.lock"), alone(lock, wait_s=0.1):
            pytest.fail("two have it")
        if end:
            process.send_signal(end)
        process.communicate()
    with alone(lock, wait_s=0):
        assert lock.exists()
    assert list(tmp_path.iterdir()) == []


def test_processes_never_have_a_lock_at_once(tmp_path: Path) -> None:
    """Each adds to a number many times, which loses some where two read it before either has written."""
    count, lock = tmp_path / "count", tmp_path / "lock"
    count.write_text("0")
    code = f"""
from pathlib import Path
from lead.files import alone
count = Path({str(count)!r})
for _ in range(20):
    with alone(Path({str(lock)!r})):
        number = int(count.read_text())
        count.write_text(str(number + 1))
"""
    processes = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(3)]
    assert [process.wait() for process in processes] == [0] * 3
    assert count.read_text() == "60"
    assert not lock.exists()


def test_where_there_are_no_locks_everybody_has_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fcntl = pytest.importorskip("fcntl")

    def none(*_: object) -> None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr(fcntl, "flock", none)
    with alone(tmp_path / "lock", wait_s=0), alone(tmp_path / "lock", wait_s=0):
        pass


def test_a_lock_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"), alone(tmp_path / "file" / "lock"):
        pass
