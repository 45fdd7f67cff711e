"""Freed memory is kept for the next step."""

from __future__ import annotations

import ctypes
import sys

__all__ = ["keep_freed_memory"]

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # mallopt(3)
_LARGEST = 32 << 20  # what glibc takes at most as its threshold for mapping memory
_NEVER = 2**31 - 1


def keep_freed_memory() -> None:
    """Ask glibc not to give memory back to the system between steps.

    A step's tables of some megabytes are otherwise mapped and cleared anew each time, which takes up to a tenth of it.
    Other allocators are left as they are.
    """
    if sys.platform != "linux":
        return
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return
    mallopt(_MMAP_THRESHOLD, _LARGEST)
    mallopt(_TRIM_THRESHOLD, _NEVER)
