"""A training in a process of its own, so that the page stays quick and neither's crash takes the other along.

    python -P -m lead.studio.worker FOLDER RUN PRESET [WINDOWS]

WINDOWS is what :mod:`lead.studio.windows` noted for it, where pictures show several specimens.

It reports on stdout, a JSON object a line (:data:`Line`), and stops cleanly, with its state saved, when its stdin is
closed: by whoever asks it to, or by the end of the process that began it, however that ended.
"""

from __future__ import annotations

import _thread
import json
import os
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

from lead.errors import LeadError
from lead.files import alone, lock_of
from lead.tuning import wait_passively

STOPPED = 130
"""Exit status after a stop that was asked for."""
WAIT_S = 60.0
"""How long to wait for a training whose page was killed to save its state and let go of the run."""

Line = Mapping[str, Any]
"""Either ``task``, ``done``, ``total`` and, of a stage, ``loss``; or ``error``, why the training failed."""


def say(**line: Any) -> None:
    """Reports; whether anyone still listens does not matter to the training."""
    with suppress(OSError):
        print(json.dumps(line), flush=True)


def report(stage: str, step: int, total: int, values: Mapping[str, float]) -> None:
    say(task=stage, done=step, total=total, loss=values["loss"])


def decoding(done: int, total: int) -> None:
    say(task="decoding", done=done, total=total)


class Stop:
    """Interrupts the main thread, as Ctrl-C does, once stdin is closed."""

    def __init__(self, stdin: TextIO) -> None:
        self.asked = False
        # Where the page was begun in the background (nohup, a script's &), interrupts are ignored, here too.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        self._file = stdin.fileno()  # a thread within a buffered read would be in the way of the interpreter's end
        threading.Thread(target=self._wait, daemon=True).start()

    def _wait(self) -> None:
        with suppress(OSError):
            while os.read(self._file, 1024):
                pass
        self.asked = True
        _thread.interrupt_main()


@contextmanager
def own(run: Path, *, wait_s: float = WAIT_S) -> Iterator[None]:
    """Holds the run's lock.

    Raises:
        LeadError: another process trains into this run, and goes on doing so.
    """
    with alone(lock_of(run), wait_s=wait_s, busy=f"Another training into {run} is under way. Wait for its end."):
        yield


def main() -> None:
    """Trains; exits with 0 at the end, ``STOPPED`` after a stop, and 2 after an error that the user can mend."""
    folder, run, preset = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    stop = Stop(sys.stdin)
    try:
        if hasattr(os, "nice"):
            os.nice(10)  # labelling comes first
        wait_passively()
        from lead import api
        from lead.config import load_preset
        from lead.datasets import folder as plain  # labels that come in must not change what is trained on
        from lead.studio import windows

        settings = load_preset(preset)
        what = windows.options(Path(sys.argv[4])) if sys.argv[4:] else {}
        if stop.asked:  # while something was imported that lets no interrupt through
            sys.exit(STOPPED)
        with own(run):
            api.train(plain.load(folder), run, settings=settings, report=report, decoding=decoding, **what)
    except KeyboardInterrupt:
        sys.exit(STOPPED)
    except LeadError as error:
        if stop.asked:
            sys.exit(STOPPED)
        say(error=str(error))
        sys.exit(2)


if __name__ == "__main__":
    main()
