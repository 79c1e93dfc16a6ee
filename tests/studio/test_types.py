"""The types that the page's JavaScript is checked with are those of the server's messages as they are now."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from described import document

ROOT = Path(__file__).parents[2]


def generated(described: str) -> str:
    """What ``make types`` would write."""
    npm = shutil.which("npm")
    if npm is None or not (ROOT / "node_modules" / "openapi-typescript").exists():
        message = "no Node, or nothing in node_modules: `make page` puts it there"
        if os.environ.get("LEAD_REQUIRE_NODE", "0") not in ("", "0"):
            pytest.fail(message)
        pytest.skip(message)
    command = [npm, "run", "--silent", "types"]
    return subprocess.run(command, cwd=ROOT, input=described, capture_output=True, encoding="utf-8", check=True).stdout


def test_the_types_of_messages_are_current() -> None:
    committed = (ROOT / "types" / "messages.d.ts").read_text(encoding="utf-8")
    assert generated(document()) == committed, "a message has changed: run `make types`"


def test_a_changed_message_changes_the_types() -> None:
    described = json.loads(document())
    point: dict[str, Any] = described["components"]["schemas"]["Suggestion"]
    point["properties"]["novel"] = {"type": "number"}
    assert "novel?: number" in generated(json.dumps(described))


def test_what_the_server_sends_holds_every_key() -> None:
    schemas = json.loads(document())["components"]["schemas"]
    assert set(schemas["State"]["required"]) == set(schemas["State"]["properties"])
    assert [form["required"] for form in schemas["Point"]["anyOf"]] == [["state", "x", "y"]] * 2
    assert "checked" not in schemas["LabelsChange"]["required"]
