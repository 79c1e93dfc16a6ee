"""The local web page: ``studio``."""

from __future__ import annotations

import errno
import ipaddress
import os
import re
import secrets
import signal
import socket
import sys
import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from lead.cli.console import note, show, warn
from lead.errors import LeadError

PORT = 8765
"""Where the page is, unless another port is asked for or this one is taken."""
TRIES = 100
"""Ports from there on that are tried."""
TOKEN = "LEAD_STUDIO_TOKEN"
"""Environment variable that fixes the token."""
EVERYWHERE = ("0.0.0.0", "::")


def studio(
    folder: Annotated[
        Path, typer.Argument(help="Folder of pictures to label, searched to any depth.", metavar="FOLDER")
    ],
    run: Annotated[
        Path | None,
        typer.Option(help="A run whose features to use. Default: the one used here last, if any.", metavar="RUN"),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(
            help="Label file: COCO key points, new or begun. Default: annotations.json in FOLDER.", metavar="FILE"
        ),
    ] = None,
    host: Annotated[
        str,
        typer.Option(help="Address to listen at; with 0.0.0.0 other machines can reach the page.", metavar="HOST"),
    ] = "127.0.0.1",
    port: Annotated[
        int | None,
        typer.Option(help=f"Port to listen at. Default: {PORT}, or the next free one.", min=1, max=65535),
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(help="A further name under which the page may be opened, e.g. a proxy's. Repeatable."),
    ] = None,
    open_browser: Annotated[
        bool | None,
        typer.Option("--open/--no-open", help="Open the page in a browser. Default: where there is a screen."),
    ] = None,
) -> None:
    """Label a folder of pictures in the browser; the more you label, the better its suggestions.

    Prints an address that holds a secret token: whoever has it can use the page. The environment variable
    LEAD_STUDIO_TOKEN fixes the token, else it is a new one each time. Every label is saved at once; Ctrl-C ends the
    program.
    """
    token = _token()
    with listen(host, port) as listener:
        _end_in_order()
        from lead.studio.server import serve
        from lead.studio.session import Session

        session, status = Session.open(folder, labels=labels, run=run), 0
        try:
            if unread := session.folder.listing.unread:
                warn(f"left out: {unread}.")
            for told in session.folder.notes:
                note(told)
            at = listener.getsockname()[1]
            names = [host] if host not in EVERYWHERE else [socket.gethostname()]
            address = f"http://{_in_address(names[0])}:{at}/?token={token}"
            _announce(address, at, local=is_loopback(host))
            if has_screen() if open_browser is None else open_browser:
                webbrowser.open(address)
            serve(session, listener, token, hosts=[*names, *(allow_host or ())])
        except KeyboardInterrupt:
            pass  # the way to end it
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else 1
        finally:
            session.close()
        note(f"Labels: {session.book.file}")
    _leave(status)


def listen(host: str, port: int | None) -> socket.socket:
    """A socket that listens at a port, or without one at the first of ``TRIES`` ports that is free.

    Raises:
        LeadError: the port is taken, all of them are, or there is no such address on this machine.
    """
    for candidate in [port] if port else range(PORT, PORT + TRIES):
        try:
            return _listen(host, candidate)
        except OSError as error:
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise LeadError(
                    f"Cannot listen at {host}: {error.strerror}. --host takes an address of this machine, 127.0.0.1 "
                    "for this machine alone or 0.0.0.0 for all its networks."
                ) from None
    if port:
        raise LeadError(f"Port {port} cannot be had: {_why(port)}. Give another --port, or none to have one found.")
    raise LeadError(f"Ports {PORT} to {PORT + TRIES - 1} are all taken. Give a free one with --port.")


def _listen(host: str, port: int) -> socket.socket:
    family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    # The protocol is named: else asyncio does not know these sockets for TCP, leaves Nagle's algorithm on, and every
    # answer takes 40 ms.
    listener = socket.socket(family, kind, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":  # a port left a moment ago can be had; elsewhere this would share one that is in use
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen()
    except BaseException:
        listener.close()
        raise
    return listener


def _why(port: int) -> str:
    return "ports below 1024 are for the administrator" if port < 1024 else "another program has it"


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a host's address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def has_screen() -> bool:
    """Whether a browser that is opened here would show where the person sits."""
    if "SSH_CONNECTION" in os.environ:
        return False
    return sys.platform in ("darwin", "win32") or any(name in os.environ for name in ("DISPLAY", "WAYLAND_DISPLAY"))


def _token() -> str:
    token = os.environ.get(TOKEN) or secrets.token_urlsafe(32)
    if not re.fullmatch(r"[A-Za-z0-9_-]{16,}", token):
        raise LeadError(f"{TOKEN} must be a secret of 16 or more letters, digits, - and _, as an address can hold.")
    return token


def _in_address(name: str) -> str:
    return f"[{name}]" if ":" in name else name


def _announce(address: str, port: int, *, local: bool) -> None:
    show(address)
    sys.stdout.flush()
    if not local:
        warn("everyone who can reach this machine and has the token can see the pictures and change the labels.")
    elif not has_screen():
        note(
            f"To open it on the machine you sit at: ssh -L {port}:127.0.0.1:{port} {socket.gethostname()}, and the "
            "address above."
        )
    note("Ctrl-C ends it.")


def _leave(status: int) -> None:
    """Ends the process at once: all is saved and closed, and Python would take seconds to tear torch down.

    Nor does that always survive a fit that is still under way in the background.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def _end_in_order() -> None:
    """Makes a polite end by the system, or of the terminal, an exit that closes everything."""
    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            number = getattr(signal, name)
            signal.signal(number, lambda *_, status=128 + number: sys.exit(status))
