"""What made a number or a file: versions of the packages, and the commit of the code."""

from __future__ import annotations

import platform
import subprocess
from importlib import metadata
from pathlib import Path

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
