"""Process settings that make training on a CPU faster. Measured by ``benchmarks/speed/tuning.py``."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # torch, which it needs, takes seconds to import
    pass


import ctypes

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h of glibc
_LARGE = 2**30


def wait_passively() -> None:
    """Lets OpenMP's idle threads sleep instead of spin, unless the user chose otherwise.

    Spinning threads take the core from whatever else runs. Works only before torch is imported.
    """
    if "torch" not in sys.modules:
        os.environ.setdefault("OMP_WAIT_POLICY", "passive")


def keep_freed_memory() -> None:
    """Makes glibc reuse large blocks instead of returning them to the system; elsewhere does nothing.

    Each step frees and asks for the same buffers of tens of megabytes; by default every one is mapped, zeroed and
    unmapped anew.
    """
    if not sys.platform.startswith("linux"):
        return
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):  # another C library
        return
    mallopt(_M_MMAP_THRESHOLD, _LARGE)
    mallopt(_M_TRIM_THRESHOLD, _LARGE)


def cores(*, shared: bool = True) -> int:
    """Processor cores that this process may use.

    Args:
        shared: whether others that torchrun started on this machine are as busy; each then has an equal part.
    """
    usable = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return max(usable // int(os.environ.get("LOCAL_WORLD_SIZE", "1")), 1) if shared else usable
