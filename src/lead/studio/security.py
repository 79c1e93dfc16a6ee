"""Who may talk to the server, and what a browser may do with its answers.

The pictures are nobody's but the user's, while a web page open in another tab can send requests to any port of this
machine. So every request must name this machine (else a page of another site could rename itself to it: DNS
rebinding), must not come from a page of another site, and must bring the token that only the printed address holds.
"""

from __future__ import annotations

import hmac
import ipaddress
import sys
import traceback
from collections.abc import Sequence
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

BODY_LIMIT, IMPORT_LIMIT = 2**20, 64 * 2**20
"""Largest body of a request, and of a label file to import, in bytes."""
IMPORT = "/api/import"

_CONTENT_POLICY = (
    "default-src 'self'; img-src 'self' blob: data:; style-src 'self'; script-src 'self'; frame-ancestors 'none'; "
    "base-uri 'none'; form-action 'self'; object-src 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _CONTENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
# What a form of another site can send without asking first, and what no client of this server has a use for.
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")

_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">{head}
<title>lead studio</title><h1>lead studio</h1><p>{text}</p></html>
"""
_NO_TOKEN = (
    "This page opens with the address that <code>lead studio</code> printed, which ends in <code>?token=…</code>. "
    "Copy all of it into the address bar. After a restart of the program it is a new one."
)


class Refused(Exception):
    """A request that is not answered. The text says what to do instead."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class Guard:
    """ASGI middleware: checks every request, and puts the security headers on every answer.

    An error that nothing else has handled becomes a plain 500 here; its traceback goes to stderr, not to the client.

    Args:
        app: what answers requests that are let in.
        token: the secret of the printed address.
        hosts: names and addresses of this machine, beside those of loopback, that a request may name.
    """

    def __init__(self, app: ASGIApp, *, token: str, hosts: Sequence[str] = ()) -> None:
        self._app = app
        self._token = token
        self._hosts = {_host_name(host) for host in hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        if scope["type"] != "http":  # nor are there web sockets
            return
        answer = _Answer(send, api=_is_api(scope))
        try:
            early = self._welcome(scope)
            await (early or self._app)(scope, _limited(scope, receive), answer)
        except Refused as refused:
            await _refusal(scope, refused)(scope, receive, answer)
        except Exception:
            traceback.print_exc(file=sys.stderr)
            if answer.begun:
                raise
            text = "Something went wrong in the server; the terminal that runs lead studio says more."
            await JSONResponse({"error": text}, 500)(scope, receive, answer)

    def _welcome(self, scope: Scope) -> Response | None:
        """An answer to give before anything else is looked at, or None to go on. Raises :class:`Refused`."""
        headers = Headers(scope=scope)
        host = self._check_host(headers)
        _check_origin(scope, headers, host)
        _check_body(scope, headers)
        cookie = _cookie_name(host)
        if scope["path"] == "/" and (token := _query_token(scope)) is not None:
            if not self._is_token(token):
                raise Refused(403, _NO_TOKEN)
            return _enter(headers, cookie, self._token)
        if not any(self._is_token(token) for token in _credentials(headers, cookie)):
            raise Refused(403, _NO_TOKEN)
        return None

    def _is_token(self, candidate: str) -> bool:
        return hmac.compare_digest(candidate.encode(errors="surrogateescape"), self._token.encode())

    def _check_host(self, headers: Headers) -> str:
        """The request's Host header, if it names this machine."""
        named = headers.getlist("host")
        if len(named) != 1:
            raise Refused(400, "A request must name one host.")
        name = _host_name(named[0])
        if not _is_loopback(name) and name not in self._hosts:
            raise Refused(
                421,
                f"This server does not answer to the name {name!r}. If that is this machine, start lead studio with "
                f"--allow-host {name}",
            )
        return named[0].lower()


class _Answer:
    """Sends on what the application sends, with the security headers added."""

    def __init__(self, send: Send, *, api: bool) -> None:
        self._send = send
        self._api = api
        self.begun = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.begun = True
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers[name] = value
            headers.setdefault("Cache-Control", "no-store" if self._api else "no-cache")
        await self._send(message)


def _is_api(scope: Scope) -> bool:
    path: str = scope["path"]
    return path == "/api" or path.startswith("/api/")


def _host_name(host: str) -> str:
    """The name in a Host header or of an option, in lower case, without a port and without the brackets of IPv6."""
    host = host.strip().lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host if host.count(":") > 1 else host.partition(":")[0]


def _is_loopback(name: str) -> bool:
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _check_origin(scope: Scope, headers: Headers, host: str) -> None:
    """Refuses what a page of another site sends; being opened from one, by a link, is fine."""
    origin = headers.get("origin")
    if origin is not None and origin.lower() not in (f"http://{host}", f"https://{host}"):
        raise Refused(403, f"A page of {origin} may not use this server.")
    if headers.get("sec-fetch-site", "none") in ("none", "same-origin"):
        return
    opened = scope["path"] == "/" and scope["method"] == "GET"
    if not (opened and headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"):
        raise Refused(403, "A page of another site may not use this server.")


def _check_body(scope: Scope, headers: Headers) -> None:
    """Refuses forms, other content than JSON, and a body that says it is too long."""
    if scope["method"] in ("GET", "HEAD"):
        return
    length = headers.get("content-length", "0")
    if not length.isdecimal() or int(length) > _limit(scope):
        raise Refused(413, _too_large(_limit(scope)))
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    empty = length == "0" and "transfer-encoding" not in headers
    allowed = kind not in _FORMS if scope["path"] == IMPORT else kind == "application/json" or (empty and not kind)
    if not allowed:
        raise Refused(415, f"The body must be application/json, not {kind or 'of no stated type'}.")


def _limit(scope: Scope) -> int:
    return IMPORT_LIMIT if scope["path"] == IMPORT else BODY_LIMIT


def _too_large(limit: int) -> str:
    return f"That is too large: at most {limit // 2**20} MB can be sent."


def _limited(scope: Scope, receive: Receive) -> Receive:
    """``receive`` that breaks off a body longer than it may be, whatever its header said."""
    limit, count = _limit(scope), 0

    async def counted() -> Message:
        nonlocal count
        message = await receive()
        count += len(message.get("body", b""))
        if count > limit:
            raise HTTPException(413, _too_large(limit))
        return message

    return counted


def _query_token(scope: Scope) -> str | None:
    tokens = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True).get("token")
    return tokens[0] if tokens else None


def _cookie_name(host: str) -> str:
    """Cookies are shared by all ports of a host; the port in the name keeps two studios apart."""
    port = host.rpartition(":")[2]
    return f"lead-studio-{port if port.isdecimal() else 80}"


def _credentials(headers: Headers, cookie: str) -> list[str]:
    tokens = []
    scheme, _, bearer = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        tokens.append(bearer.strip())
    for line in headers.getlist("cookie"):
        try:
            jar = SimpleCookie(line)
        except CookieError:
            continue
        if cookie in jar:
            tokens.append(jar[cookie].value)
    return tokens


def _enter(headers: Headers, cookie: str, token: str) -> Response:
    """To the page, with the cookie set and the token gone from the address bar."""
    answer: Response
    if headers.get("sec-fetch-site", "none") in ("none", "same-origin"):
        answer = RedirectResponse("/", 303)
    else:  # a strict cookie is not sent along a redirect that began at a link of another site
        answer = HTMLResponse(_PAGE.format(head='<meta http-equiv="refresh" content="0; url=/">', text="One moment …"))
    answer.set_cookie(cookie, token, path="/", httponly=True, samesite="strict")
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _refusal(scope: Scope, refused: Refused) -> Response:
    if _is_api(scope) or refused.status != 403 or str(refused) != _NO_TOKEN:
        return JSONResponse({"error": _plain(str(refused))}, refused.status)
    return HTMLResponse(_PAGE.format(head="", text=_NO_TOKEN), refused.status)


def _plain(text: str) -> str:
    return text.replace("<code>", "").replace("</code>", "")
