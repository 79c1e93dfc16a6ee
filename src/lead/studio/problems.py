"""What the server answers where something is wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.routing import Match

from lead.errors import LeadError, NotThere
from lead.studio import transfer
from lead.studio.labelfile import Conflict, SaveFailed
from lead.studio.messages import Problem

METHODS = ("GET", "PATCH", "POST", "PUT")
PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "description": text}
    for status, text in {
        400: "The request cannot be met; the text says why and what to do.",
        403: "No token, or a request from a page of another site.",
        404: "There is no such thing.",
        409: "What is to be changed has been changed since; the answer holds what it is now.",
        413: "The body is too large.",
        415: "The body is of another type.",
        421: "The server does not answer to this name.",
        422: "The request is not of the form that it should have.",
        507: "It cannot be saved.",
    }.items()
}


def _problem(status: int, problem: Problem, headers: Mapping[str, str] | None = None) -> JSONResponse:
    return JSONResponse(problem.model_dump(mode="json"), status, headers)


async def _mistake(_: Request, error: Exception) -> Response:
    theirs = error.theirs if isinstance(error, transfer.OtherLandmarks) else None
    return _problem(404 if isinstance(error, NotThere) else 400, Problem(error=str(error), theirs=theirs))


async def _conflict(_: Request, error: Exception) -> Response:
    assert isinstance(error, Conflict)
    problem = Problem(error=str(error), labels=error.labels, landmarks=error.landmarks, dropped=error.dropped)
    return _problem(409, problem)


async def _unsaved(_: Request, error: Exception) -> Response:
    return _problem(507, Problem(error=str(error)))


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    text = "There is nothing at this address." if error.status_code == 404 else str(error.detail)
    headers = {"Allow": ", ".join(_allowed(request))} if error.status_code == 405 else error.headers
    return _problem(error.status_code, Problem(error=text), headers)


def _allowed(request: Request) -> list[str]:
    """The methods at a request's address, of all its routes: Starlette names those of the first one alone."""
    routes = request.app.routes
    scopes = ({**request.scope, "method": method} for method in METHODS)
    return [scope["method"] for scope in scopes if any(route.matches(scope)[0] == Match.FULL for route in routes)]


async def _invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    texts = []
    for each in error.errors():
        where = ".".join(str(part) for part in each["loc"][1:]) or str(each["loc"][0])
        texts.append(f"{where}: {each['msg']}")
    return _problem(422, Problem(error=f"This is not a valid request. {'; '.join(texts)}."))


HANDLERS: dict[type[Exception], Callable[[Request, Exception], Any]] = {
    Conflict: _conflict,
    SaveFailed: _unsaved,
    LeadError: _mistake,
    HTTPException: _http_error,
    RequestValidationError: _invalid,
}
