"""How long a training will take here: from those that were done here, or from what it took on two cores elsewhere."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import torch

from lead.config import Settings
from lead.features import default_device
from lead.training.run import FEWEST, Run

TWO_CORES = {"small": (774.0, 2280.0), "short": (363.0, 488.0), "tiny": (300.0, 500.0)}
"""Seconds from the quickest to the slowest training by a preset in ``results/``, each on two cores. Of ``tiny``, one
took 348."""
THEIR_SPEED = 197e9
"""Multiplications and additions a second of such a machine, as :func:`speed` measures them."""
BOUNDS = 0.25, 8.0
"""How much slower or quicker than that machine this one may count: far from it, nothing was measured."""
DONE_HERE = 0.8, 1.4
"""From which share of what a training took here to which another may: a machine has other things to do as well."""
SIDE, TRIES, LONGEST_S = 384, 50, 1.0
READING_S = 0.01
"""A picture's, once."""


def speed() -> float:
    """Multiplications and additions a second of the processor, by the quickest of some products of matrices.

    Takes a tenth of a second, or a second where the machine is busy; the quickest is hardly disturbed by others' work.
    """
    one, other = torch.rand(SIDE, SIDE), torch.rand(SIDE, SIDE)
    quickest, until = float("inf"), time.perf_counter() + LONGEST_S
    for _ in range(TRIES):
        began = time.perf_counter()
        one @ other
        quickest = min(quickest, time.perf_counter() - began)
        if time.perf_counter() > until:
            break
    return 2 * SIDE**3 / quickest


def work(settings: Settings, pictures: int) -> float:
    """Pictures that a training on a folder of ``pictures`` shows the network, one after another."""
    stages = (settings.pretrain, settings.distill)
    return sum(stage.total_steps(pictures) * min(stage.batch, pictures) for stage in stages)


@dataclass
class Pace:
    """What is known of how long trainings take here. Every method may be called from any thread."""

    _done: dict[str, float] = field(default_factory=dict)
    _quicker: float | None = None
    _begun: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def learn(self, runs: Iterable[Run], preset_of: Callable[[Settings], str | None]) -> None:
        """Takes what runs that were trained here say; the last one by a preset counts."""
        for run in runs:
            about, preset = run.provenance, preset_of(run.settings)
            try:
                seconds = float(about["pretrain_seconds"]) + float(about["distill_seconds"])
                shown = work(run.settings, int(about["pictures"]))
            except (KeyError, TypeError, ValueError):  # not to its end, or by another version
                continue
            if preset and run.has_student and shown and seconds > 0:
                self._done[preset] = seconds / shown

    def minutes(self, preset: str, settings: Settings, pictures: int) -> tuple[float, float] | None:
        """From how many minutes to how many a training takes; None as long as nobody knows."""
        if pictures < FEWEST:
            return None
        if preset in self._done:
            seconds = self._done[preset] * work(settings, pictures)
            least, most = (seconds * share for share in DONE_HERE)
        elif preset in TWO_CORES and self._quicker is not None:
            least, most = (seconds / self._quicker for seconds in TWO_CORES[preset])
        else:
            return None
        reading = READING_S * pictures
        return (least + reading) / 60, (most + reading) / 60

    def begin(self, done: Callable[[], None]) -> None:
        """Measures, once, in the background, how quick this machine is; then calls ``done``."""
        with self._lock:
            if self._begun:
                return
            self._begun = True
        if default_device().type == "cpu":  # how trainings fare elsewhere, a product of matrices does not tell
            threading.Thread(target=self._measure, args=(done,), daemon=True).start()

    def _measure(self, done: Callable[[], None]) -> None:
        least, most = BOUNDS
        self._quicker = min(max(speed() / THEIR_SPEED, least), most)
        done()
