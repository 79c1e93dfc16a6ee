"""A studio served at a port of this machine, from a thread of this process."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

from lead.studio.server import make_server
from lead.studio.session import Session


@contextmanager
def served(session: Session, token: str, **options: Any) -> Iterator[tuple[uvicorn.Server, int]]:
    """The server and its port; options as of ``make_server``. Closing the session is the caller's."""
    server = make_server(session, token, **options)
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            yield server, listener.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join()
