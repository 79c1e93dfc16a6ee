"""What made a result."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lead import provenance


def test_commit_is_this_checkout_and_unknown_outside_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def git(*arguments: str) -> None:
        identity = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false")
        subprocess.run(["git", *identity, *arguments], cwd=tmp_path, check=True, capture_output=True)

    module = tmp_path / "module.py"
    module.write_text("1\n")
    monkeypatch.setattr(provenance, "__file__", str(module))
    assert provenance.commit() == "unknown"
    git("init", "--quiet")
    assert provenance.commit() == "unknown"  # a repository around it that does not hold it
    git("add", "module.py")
    git("commit", "--quiet", "-m", "one")
    clean = provenance.commit()
    assert len(clean) == 40
    module.write_text("2\n")
    assert provenance.commit() == f"{clean}-dirty"


def test_versions() -> None:
    found = provenance.versions()
    assert set(found) == {"python", "torch", "torchvision", "timm", "numpy", "lead", "lightning-fabric"}
    assert found["python"] == ".".join(map(str, sys.version_info[:3]))
    assert found["numpy"] == np.__version__
