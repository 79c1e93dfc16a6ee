"""``lead studio`` as a program: its address, its end, and what it says to mistakes."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from lead.cli import app

module = sys.modules["lead.cli.studio"]


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    root = tmp_path / "pictures"
    root.mkdir()
    for row in range(3):
        Image.fromarray(np.full((20, 30, 3), 80 * row, np.uint8)).save(root / f"{row}.png")
    return root


@contextmanager
def program(*arguments: object, **environment: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The running program, once it has printed its address."""
    known = {key: value for key, value in os.environ.items() if key not in ("DISPLAY", "WAYLAND_DISPLAY")}
    process = subprocess.Popen(
        [sys.executable, "-m", "lead.cli", "studio", *map(str, arguments)],
        env=known | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        yield process, process.stdout.readline().strip()
    finally:
        process.kill()
        process.communicate()


def mistake(*arguments: object, **environment: str) -> str:
    result = CliRunner().invoke(app, ["studio", *map(str, arguments)], env=environment)
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    return " ".join(result.stderr.split())


def test_from_the_address_to_ctrl_c(pictures: Path) -> None:
    with program(pictures, "--no-open") as (process, address):
        found = re.fullmatch(r"(http://127\.0\.0\.1:\d+)/\?token=([\w-]{43})", address)
        assert found is not None, address
        with httpx.Client(base_url=found[1], timeout=60) as web:
            assert web.get("/api/state").status_code == 403
            assert web.get(address, follow_redirects=True).status_code == 200
            assert web.get("/api/state").json()["pictures"] == 3
            with web.stream("GET", "/api/events") as events:
                next(events.iter_lines())
                process.send_signal(signal.SIGINT)
                _, said = process.communicate(timeout=60)
    assert process.returncode == 0
    assert f"Labels: {pictures / 'annotations.json'}" in said
    assert "ssh -L" in said
    assert "Traceback" not in said
    assert "Error" not in said


def test_an_end_by_the_system(pictures: Path) -> None:
    with program(pictures, "--no-open", LEAD_STUDIO_TOKEN="a-fixed-token-0_9") as (process, address):
        assert address.endswith("/?token=a-fixed-token-0_9")
        httpx.get(address, timeout=60)
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM
    assert "Labels:" in said
    assert "Traceback" not in said


def test_the_first_page_needs_no_torch(pictures: Path) -> None:
    code = (
        "import sys; from pathlib import Path; import lead.cli; from lead.studio.server import create_app; "
        "from lead.studio.session import Session; s = Session.open(Path(sys.argv[1])); create_app(s, 't'); "
        "s.state(); s.list_pictures(); s.picture(s.folder.ids[0]); s.pictures.image(s.folder.ids[0], 320); "
        "print('torch' in sys.modules); s.close()"
    )
    done = subprocess.run([sys.executable, "-c", code, str(pictures)], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_a_port_that_is_taken(pictures: Path) -> None:
    with module.listen("127.0.0.1", None) as first, module.listen("127.0.0.1", None) as second:
        ports = [each.getsockname()[1] for each in (first, second)]
        assert module.PORT <= ports[0] < ports[1] < module.PORT + module.TRIES
        assert f"Port {ports[0]} cannot be had" in mistake(pictures, "--port", ports[0], "--no-open")


def test_sockets_that_asyncio_knows_for_tcp() -> None:
    """Else Nagle's algorithm holds every answer back."""
    with module.listen("127.0.0.1", None) as listener:
        assert listener.proto == socket.IPPROTO_TCP


def test_addresses_that_are_not_ours(pictures: Path) -> None:
    assert "--host takes" in mistake(pictures, "--host", "192.0.2.1", "--no-open")
    assert "--host takes" in mistake(pictures, "--host", "no-such-name.invalid", "--no-open")


def test_mistakes(pictures: Path, tmp_path: Path) -> None:
    assert "No folder" in mistake(tmp_path / "none", "--no-open")
    (tmp_path / "empty").mkdir()
    assert "No picture" in mistake(tmp_path / "empty", "--no-open")
    assert "is a file" in mistake(pictures / "0.png", "--no-open")
    assert "settings.yaml" in mistake(pictures, "--run", tmp_path, "--no-open")
    assert "Make the folder first" in mistake(pictures, "--labels", tmp_path / "none" / "l.json", "--no-open")
    for token in ("a token with spaces", "too-short"):
        assert "LEAD_STUDIO_TOKEN must be a secret of 16" in mistake(pictures, "--no-open", LEAD_STUDIO_TOKEN=token)
    (pictures / "annotations.json").write_text("{")
    assert "annotations.json" in mistake(pictures, "--no-open")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="an administrator may write anywhere")
def test_a_folder_that_cannot_be_written_to(pictures: Path) -> None:
    pictures.chmod(0o555)
    try:
        assert "--labels FILE" in mistake(pictures, "--no-open")
    finally:
        pictures.chmod(0o755)


def test_whether_there_is_a_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SSH_CONNECTION", "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    assert not module.has_screen()
    monkeypatch.setenv("DISPLAY", ":0")
    assert module.has_screen()
    monkeypatch.setenv("SSH_CONNECTION", "somewhere")
    assert not module.has_screen()


@pytest.mark.parametrize(
    ("host", "local"), [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False)]
)
def test_a_warning_where_others_can_reach_it(host: str, local: bool) -> None:
    assert module.is_loopback(host) == local


def test_listening_everywhere_warns_and_is_named(pictures: Path) -> None:
    with program(pictures, "--host", "0.0.0.0", "--allow-host", "lab.example", "--no-open") as (process, address):
        at = httpx.URL(address)
        assert at.host == socket.gethostname().lower()
        for name, status in ((at.host, 200), ("lab.example", 200), ("evil.example", 421)):
            headers = {"Host": f"{name}:{at.port}", "Authorization": f"Bearer {at.params['token']}"}
            answer = httpx.get(f"http://127.0.0.1:{at.port}/api/state", headers=headers, timeout=60)
            assert answer.status_code == status
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert "Warning: everyone who can reach" in said
