"""What benchmarks write: the numbers, with all that it takes to judge them, and a table of them."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lead.files import write_atomic
from lead.provenance import commit, versions


def keep(name: str, found: Mapping[str, Any], table: str, results: Path) -> None:
    """Writes ``benchmarks/NAME.json`` and ``NAME.md`` in a folder of results, and prints the table."""
    machine = {"cores": os.cpu_count(), "processor": platform.processor() or platform.machine()}
    record = {"name": name, "commit": commit(), "versions": versions(), "machine": machine, **found}
    there = results / "benchmarks" / f"{name}.json"
    write_atomic(there, json.dumps(record, indent=2) + "\n", overwrite=True)
    write_atomic(there.with_suffix(".md"), table, overwrite=True)
    print(table)
