"""Process settings that make training on a CPU faster. Measured by ``benchmarks/tuning.py``."""

from __future__ import annotations

import ctypes
import os
import sys

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
