"""The package's names are there, and cost nothing until they are used."""

from __future__ import annotations

import subprocess
import sys

import pytest

import lead


@pytest.mark.parametrize("name", lead.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(lead, name).__name__ == name
    assert name in dir(lead)


def test_a_mistyped_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'tarin'"):
        getattr(lead, "tarin")  # noqa: B009 - mypy would refuse the plain form


def test_importing_the_package_imports_no_torch() -> None:
    code = "import sys, lead; print('torch' in sys.modules); lead.Run; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]
