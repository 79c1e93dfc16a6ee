"""``lead studio`` in a process of its own that has its imports already: half of what a test of the page would take."""

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
    _METHOD = multiprocessing.get_context("spawn")  # with its imports to make
else:
    _METHOD = multiprocessing.get_context("forkserver")
    # What a studio loads as soon as its first page is there.
    _METHOD.set_forkserver_preload(
        ["lead.studio.server", "lead.studio.session", "lead.studio.fitter", "lead.studio.training", "lead.api"]
    )


def _studio(arguments: Sequence[str], environment: Mapping[str, str], home: Path, said: Connection) -> None:
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(home)
    os.dup2(said.fileno(), 1)
    with (home / "studio.log").open("a") as log:
        os.dup2(log.fileno(), 2)
    sys.stdout, sys.stderr = (os.fdopen(of, "w", buffering=1, encoding="utf-8", closefd=False) for of in (1, 2))
    sys.argv = ["lead", "studio", *arguments]
    from lead.cli import main

    main()


def begin(arguments: Sequence[str], environment: Mapping[str, str], home: Path) -> tuple[BaseProcess, TextIO]:
    """Starts ``lead studio`` in the folder ``home``, to whose ``studio.log`` its errors go; and what it prints."""
    receiver, theirs = _METHOD.Pipe(duplex=False)
    process = _METHOD.Process(target=_studio, args=(arguments, environment, home, theirs))
    process.start()
    theirs.close()
    with receiver:
        return process, os.fdopen(os.dup(receiver.fileno()), encoding="utf-8")
