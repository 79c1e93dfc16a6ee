"""Seeds and names made of values: the same on every machine, in every process."""

from __future__ import annotations

import hashlib
import json
from typing import Any


def mixed_seed(*parts: int | str) -> int:
    """A 63-bit seed from any numbers and words, the same on every machine."""
    digest = hashlib.sha256(json.dumps(parts).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def run_identity(*parts: Any) -> str:
    """A short digest of settings and pictures, by which a state knows its run."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:16]
