"""What made a number or a file: versions of the packages, the commit of the code, and the machine."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

_PACKAGES = {
    "lead": "lead-landmarks",
    "torch": "torch",
    "torchvision": "torchvision",
    "timm": "timm",
    "lightning-fabric": "lightning-fabric",
    "numpy": "numpy",
}


def versions() -> dict[str, str]:
    """The versions a result may depend on, by name."""
    return {"python": platform.python_version()} | {name: _version(package) for name, package in _PACKAGES.items()}


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def today() -> str:
    """The day, in UTC, as YYYY-MM-DD."""
    return datetime.now(UTC).date().isoformat()


def machine() -> dict[str, Any]:
    """The hardware a result may depend on.

    Processor and cores; where torch is loaded, also its threads, the vector instructions that it uses, and the device.
    """
    torch = sys.modules.get("torch")  # which takes seconds to import, and counts only where it is used
    found: dict[str, Any] = {"processor": _processor(), "cores": os.cpu_count()}
    if torch is not None:
        cuda = torch.cuda.is_available()
        found |= {
            "threads": torch.get_num_threads(),
            "instructions": torch.backends.cpu.get_cpu_capability(),
            "device": torch.cuda.get_device_name() if cuda else "cpu",
        }
    return found


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def commit() -> str:
    """The commit of the checkout this package runs from, with "-dirty" where a tracked file differs from it.

    "unknown" where the package is installed rather than checked out: a repository that merely surrounds the
    installation says nothing about this code.
    """
    here = Path(__file__)
    try:
        _git(here.parent, "ls-files", "--error-unmatch", here.name)
        return _git(here.parent, "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()
