"""Files written whole or not at all."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from lead.files import replacing


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
