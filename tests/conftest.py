"""What every test shares: one thread, and a cache that is thrown away."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

torch.set_num_threads(1)


@pytest.fixture(autouse=True, scope="session")
def _cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Picture stores go to a temporary folder, never to the user's cache."""
    folder = tmp_path_factory.mktemp("cache")
    before = os.environ.get("LEAD_CACHE")
    os.environ["LEAD_CACHE"] = str(folder)
    yield folder
    os.environ.pop("LEAD_CACHE")
    if before is not None:
        os.environ["LEAD_CACHE"] = before
