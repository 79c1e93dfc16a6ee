"""Environments of other tools, each of its own, so that none of their code comes into ours."""

from __future__ import annotations

import subprocess
import venv
from collections.abc import Sequence
from pathlib import Path

from lead.files import default_cache, write_atomic


def environment(packages: Sequence[str]) -> Path:
    """The programs of an environment with these packages, in the cache; made where there is none.

    Args:
        packages: with their versions, as pip takes them. The first gives the environment its name.
    """
    folder = default_cache() / "peers" / packages[0]
    if not (folder / "installed").exists():
        print(f"Making {folder}", flush=True)
        venv.create(folder, clear=True, with_pip=True)
        subprocess.run([folder / "bin" / "python", "-m", "pip", "install", "--quiet", *packages], check=True)
        write_atomic(folder / "installed", "\n".join(packages) + "\n")
    return folder / "bin"
