"""The page's own files, as they lie in ``static/``."""

from __future__ import annotations

import hashlib
from importlib import resources
from pathlib import Path, PurePosixPath

from fastapi import Request
from fastapi.responses import Response
from starlette.exceptions import HTTPException

STATIC = Path(str(resources.files("lead.studio") / "static"))
MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/vnd.microsoft.icon",
    ".woff2": "font/woff2",
}
"""Of the page's files. What the machine's own table says of .js is not to be relied on."""


def index(request: Request) -> Response:
    return page_file(request, "index.html")


def page_file(request: Request, name: str) -> Response:
    """A file of the page: one of those that lie in ``static/``, and nothing else whatever the address says."""
    files = {path.relative_to(STATIC).as_posix(): path for path in STATIC.rglob("*") if path.is_file()}
    path = files.get(name)
    media_type = MEDIA_TYPES.get(PurePosixPath(name).suffix)
    if path is None or media_type is None:
        raise HTTPException(404)
    content = path.read_bytes()
    headers = {"ETag": f'"{hashlib.sha256(content).hexdigest()[:32]}"', "Cache-Control": "no-cache"}
    if headers["ETag"] in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(content, media_type=media_type, headers=headers)
