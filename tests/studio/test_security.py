"""Who is let in, who is not, and the headers on every answer."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient
from serving import BEARER, TOKEN, client, draw, opened, served

from lead.studio.security import BODY_LIMIT, Guard
from lead.studio.server import create_app
from lead.studio.session import Session


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    root = tmp_path_factory.mktemp("pictures")
    draw(root / "a.png")
    with opened(root) as session:
        yield session


def status(web: TestClient, method: str, path: str, **options: Any) -> int:
    return web.request(method, path, **options).status_code


# --- the token -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["/", "/api/state", "/api/pictures", "/api/openapi.json", "/static/app.js", "/nothing"]
)
def test_nothing_without_the_token(session: Session, path: str) -> None:
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": TOKEN}, {"Cookie": "lead-studio-8765=no"}):
        answer = client(session).get(path, headers=headers)
        assert answer.status_code == 403
        assert "lead studio" in answer.text
        assert TOKEN not in answer.text
    assert status(client(session), "GET", path, headers=BEARER) in (200, 404)


def test_the_refusal_says_what_to_do_and_sets_no_cookie(session: Session) -> None:
    answer = client(session).get("/?token=wrong")
    assert answer.status_code == 403
    assert "?token=" in answer.text
    assert "set-cookie" not in answer.headers
    assert client(session).get("/?token=").status_code == 403
    assert client(session).get("/?token=%ff%00é").status_code == 403


def test_the_address_with_the_token_opens_the_page(session: Session) -> None:
    with client(session) as web:
        answer = web.get(f"/?token={TOKEN}")
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        cookie = answer.headers["set-cookie"].lower()
        for part in ("lead-studio-8765=", "httponly", "samesite=strict", "path=/"):
            assert part in cookie
        assert answer.headers["cache-control"] == "no-store"
        assert web.get("/").status_code == 200
        assert web.get("/api/state").status_code == 200
        web.cookies.clear()
        assert web.get("/").status_code == 403


def test_two_studios_on_one_machine_do_not_log_each_other_out(session: Session) -> None:
    with client(session) as first, client(session, base_url="http://127.0.0.1:8766") as second:
        jar = first.get(f"/?token={TOKEN}").headers["set-cookie"].partition(";")[0]
        other = second.get(f"/?token={TOKEN}").headers["set-cookie"].partition(";")[0]
        assert jar.partition("=")[0] != other.partition("=")[0]
        both = {"Cookie": f"{other.partition('=')[0]}=of-another-studio; {jar}; theme=dark"}
        assert first.get("/api/state", headers=both).status_code == 200


def test_a_link_in_another_page_opens_the_page(session: Session) -> None:
    """A strict cookie is not sent along a redirect that began elsewhere; the page itself must go on to ``/``."""
    elsewhere = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    answer = client(session).get(f"/?token={TOKEN}", headers=elsewhere)
    assert answer.status_code == 200
    assert 'http-equiv="refresh" content="0; url=/"' in answer.text
    assert "lead-studio-8765=" in answer.headers["set-cookie"]


# --- the host --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host", ["127.0.0.1:8765", "localhost", "LocalHost:1", "[::1]:9000", "127.8.0.1", "a.localhost"]
)
def test_loopback_by_any_name_and_port(session: Session, host: str) -> None:
    assert status(client(session), "GET", "/api/state", headers={**BEARER, "Host": host}) == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8765",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "192.168.1.5:8765",
        "[::2]",
    ],
)
def test_a_name_of_another_site_is_refused(session: Session, host: str) -> None:
    """DNS rebinding: a page of another site whose name has come to mean this machine."""
    answer = client(session).get("/api/state", headers={**BEARER, "Host": host})
    assert answer.status_code == 421
    assert "--allow-host" in answer.json()["error"]


def test_a_name_that_was_allowed(session: Session) -> None:
    app = create_app(session, TOKEN, hosts=["Lab.example:80", "::2"])
    with TestClient(app, base_url="http://lab.example:9999", headers=BEARER) as web:
        assert web.get("/api/state").status_code == 200
        assert status(web, "GET", "/api/state", headers={"Host": "[::2]:5"}) == 200
        assert status(web, "GET", "/api/state", headers={"Host": "other.example"}) == 421


def test_no_host_or_two(session: Session) -> None:
    token = f"Authorization: Bearer {TOKEN}"
    with served(session) as (_, address):
        at = httpx.URL(address)
        for hosts in ((), ("Host: 127.0.0.1", "Host: evil.example"), ("Host: evil.example", "Host: 127.0.0.1")):
            with socket.create_connection((at.host, at.port or 80)) as connection:
                lines = ("GET /api/state HTTP/1.0", token, *hosts, "", "")
                connection.sendall("\r\n".join(lines).encode())
                assert connection.makefile("rb").readline().split()[1] == b"400"


# --- the origin ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:9999", "http://localhost:8765"])
def test_another_origin_is_refused(session: Session, origin: str) -> None:
    web = client(session, headers=BEARER)
    for method in ("GET", "POST", "PATCH", "OPTIONS"):
        assert status(web, method, "/api/state", headers={"Origin": origin}) == 403


def test_ones_own_origin_is_fine(session: Session) -> None:
    web = client(session, headers=BEARER)
    assert status(web, "GET", "/api/state", headers={"Origin": "http://127.0.0.1:8765"}) == 200
    assert status(web, "GET", "/api/state", headers={"Origin": "https://127.0.0.1:8765"}) == 200  # behind a proxy
    assert status(web, "GET", "/api/state", headers={"Sec-Fetch-Site": "same-origin"}) == 200


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_requests_from_pages_elsewhere_are_refused(session: Session, site: str) -> None:
    web = client(session, headers=BEARER)
    picture = f"/api/pictures/{session.folder.ids[0]}/image"
    navigation = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert status(web, "GET", picture, headers={"Sec-Fetch-Site": site, "Sec-Fetch-Dest": "image"}) == 403
    assert status(web, "GET", "/api/state", headers={"Sec-Fetch-Site": site, **navigation}) == 403
    assert status(web, "GET", "/", headers={"Sec-Fetch-Site": site, **navigation}) == 200
    framed = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}
    assert status(web, "GET", "/", headers={"Sec-Fetch-Site": site, **framed}) == 403


# --- bodies ----------------------------------------------------------------------------------------------------------


def test_forms_are_refused(session: Session) -> None:
    web = client(session, headers=BEARER)
    change = f"/api/pictures/{session.folder.ids[0]}/labels"
    for method, path in (
        ("PATCH", change),
        ("POST", "/api/training/cancel"),
        ("POST", "/api/import"),
        ("POST", "/api/keep"),
    ):
        assert status(web, method, path, data={"base": "0"}) == 415
        assert status(web, method, path, files={"file": b"0"}) == 415
    assert status(web, "PATCH", change, content='{"base": 0}', headers={"Content-Type": "text/plain"}) == 415
    assert status(web, "PATCH", change, content='{"base": 0}') == 415


def test_a_body_that_is_too_long(session: Session) -> None:
    web = client(session, headers={**BEARER, "Content-Type": "application/json"})
    change = f"/api/pictures/{session.folder.ids[0]}/labels"
    answer = web.patch(change, content=b" " * (BODY_LIMIT + 1))
    assert answer.status_code == 413
    assert "1 MB" in answer.json()["error"]
    assert status(web, "PATCH", change, content=b"{}", headers={"Content-Length": "99999999999"}) == 413
    assert status(web, "PATCH", change, content=b"{}", headers={"Content-Length": "-1"}) == 413


def test_a_body_of_no_stated_length_is_not_read_to_its_end(session: Session) -> None:
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        while sent < 100 * BODY_LIMIT:
            sent += 2**16
            yield b" " * 2**16

    web = client(session, headers={**BEARER, "Content-Type": "application/json"})
    answer = web.patch(f"/api/pictures/{session.folder.ids[0]}/labels", content=endless())
    assert answer.status_code == 413


# --- headers ---------------------------------------------------------------------------------------------------------


def check_headers(answer: Any) -> None:
    policy = answer.headers["content-security-policy"].split("; ")
    assert policy[0] == "default-src 'self'"
    assert {"script-src 'self'", "style-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"} <= set(policy)
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cross-origin-opener-policy"] == "same-origin"
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    assert "server" not in answer.headers
    assert "access-control-allow-origin" not in answer.headers


def test_headers_on_every_answer(session: Session) -> None:
    web = client(session, headers=BEARER)
    picture = f"/api/pictures/{session.folder.ids[0]}"
    for path in (
        "/",
        "/static/app.js",
        "/api/state",
        picture,
        f"{picture}/image",
        "/api/nothing",
        "/api/pictures/x",
        "/x",
    ):
        answer = web.get(path)
        check_headers(answer)
        if path.startswith("/api") and not path.endswith("image"):
            assert answer.headers["cache-control"] == "no-store"
    check_headers(web.get("/api/state", headers={"Host": "evil.example"}))
    check_headers(client(session).get("/"))
    check_headers(web.put("/api/landmarks", json={"nonsense": 1}))


def test_an_error_of_ours_tells_the_client_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    async def broken(*_: Any) -> None:
        raise RuntimeError("a secret of the machine")

    web = TestClient(Guard(broken, token=TOKEN), base_url="http://localhost", headers=BEARER)
    answer = web.get("/api/state")
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert list(answer.json()) == ["error"]
    check_headers(answer)
    assert "a secret of the machine" in capsys.readouterr().err
