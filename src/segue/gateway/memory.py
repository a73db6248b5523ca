"""Memory that a process of the gateway needs again and again stays with it, instead of going back to the kernel each time.

Pages that come anew have to be zeroed. Without this, to split and join a body of 90 KB takes four times as long, one of 200 KB
ten times, and shipping spends twice as long in the kernel. Linux with glibc; elsewhere only the collector is told.
"""

from __future__ import annotations

import ctypes
import gc
import sys

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Of glibc's `malloc.h`; Python has no names for them."""
KEPT_BYTES = 128 << 20
"""So much may lie free before any of it goes back."""
LARGEST_BYTES = 32 << 20
"""Whatever is smaller comes from memory that stays. glibc takes no more than this."""


def keep_memory(collect_after: int) -> None:
    """What is there now stays, so the collector need not look at it again; it looks at new things after so many of them."""
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "mallopt"):
        libc.mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)
        libc.mallopt(M_MMAP_THRESHOLD, LARGEST_BYTES)
    gc.collect()
    gc.freeze()
    gc.set_threshold(collect_after)
