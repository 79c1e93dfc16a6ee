"""Prints what ``make types`` makes the types of messages from: the server's own OpenAPI document, made more exact.

What the server sends holds every key, those with a default too, so all are required but in what it is sent. A point is
one of its two forms; the page, which sends points too, may leave out what ``OPTIONAL`` names. Answers that are errors
are left out: each has a Problem for its body.
"""

from __future__ import annotations

import json
from typing import Any, cast

from lead.studio.server import create_app
from lead.studio.session import Session

OPTIONAL = {"accepted"}


def document() -> str:
    """The document as JSON."""
    app = create_app(cast(Session, None), "")  # the routes look at their session when asked, and none of them is asked
    described = app.openapi()
    sent = set()
    for path in described["paths"].values():
        for operation in path.values():
            operation["responses"] = {"200": operation["responses"]["200"]}
            sent.add(_body(operation))
    for name, schema in described["components"]["schemas"].items():
        if name not in sent:
            _require(schema)
    return json.dumps(described, indent=2)


def _body(operation: dict[str, Any]) -> str:
    """The name of the schema that an operation is sent; empty where it is sent none."""
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    name: str = content.get("schema", {}).get("$ref", "").rpartition("/")[2]
    return name


def _require(schema: dict[str, Any]) -> None:
    if "anyOf" in schema and schema.pop("properties", None):  # the forms say all of it
        for form in schema["anyOf"]:
            form["required"] = [key for key in form["properties"] if key not in OPTIONAL]
    if "properties" in schema:
        schema["required"] = list(schema["properties"])


if __name__ == "__main__":
    print(document())
