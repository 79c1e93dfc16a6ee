"""The program ``lead`` in a process of its own that has its imports made: they are half of what a short command takes.

That it starts without them is a matter of ``tests/cli/test_studio.py`` and the other tests that call the interpreter.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TextIO

if sys.platform == "win32":
    _PROCESSES = multiprocessing.get_context("spawn")  # with imports to make
else:
    _PROCESSES = multiprocessing.get_context("forkserver")
    _PROCESSES.set_forkserver_preload(
        ["lead.cli", "lead.studio.server", "lead.studio.session", "lead.studio.fitter", "lead.studio.training"]
    )


def _lead(words: Sequence[str], environment: Mapping[str, str], home: Path, said: Connection, errors: Path) -> None:
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(home)
    os.dup2(said.fileno(), 1)
    with errors.open("a") as file:
        os.dup2(file.fileno(), 2)
    sys.stdout = os.fdopen(1, "w", buffering=1, encoding="utf-8", closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)
    sys.argv = ["lead", *words]
    from lead.cli import main

    main()


def begin(words: Sequence[str], environment: Mapping[str, str], home: Path, errors: Path) -> tuple[BaseProcess, TextIO]:
    """Starts a command in the folder ``home``; its errors are added to a file, and what it prints is returned."""
    receiver, theirs = _PROCESSES.Pipe(duplex=False)
    process = _PROCESSES.Process(target=_lead, args=(words, environment, home, theirs, errors), daemon=True)
    process.start()
    theirs.close()
    with receiver:
        return process, os.fdopen(os.dup(receiver.fileno()), encoding="utf-8")
