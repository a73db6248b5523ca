"""Who goes first where a worker shares its core with what a gateway does in the background.

Linux (since 6.6) remembers what it owes: a process that waited beside a busy one, or slept while it was owed something, runs
for up to a few milliseconds before a worker that has just been woken, however nice it is. Both sides are told here: the worker
asks for short slices, so that it need not wait for the end of another's; shipping gives up what it is owed, again and again,
while that does not keep it from its work. Elsewhere these change nothing.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
import sys
from collections.abc import Callable

SLICE_NS = 100_000
"""The shortest that the kernel grants (since 6.12; kernels before take no notice)."""
COURTESY_S = 1.0
"""So much of a step may pass in letting others run; after that it is behind, and takes its share."""

_SCHED_SETATTR = {"x86_64": 314, "aarch64": 274, "riscv64": 274}
"""The number of the call, which glibc has had only since 2.41."""
_ATTRIBUTES = struct.Struct("<IIQiIQQQ")
"""The kernel's `struct sched_attr`, first version: size, policy, flags, nice, priority, runtime (slice), deadline, period."""


def ask_for_short_slices() -> bool:
    """For the thread that calls, and those that it starts later. False where there is no such thing, or it is not allowed."""
    number = _SCHED_SETATTR.get(platform.machine())
    if sys.platform != "linux" or number is None or sys.maxsize < 1 << 32:
        return False
    try:
        policy, nice = os.sched_getscheduler(0), os.getpriority(os.PRIO_PROCESS, 0)
    except OSError:
        # musl refuses to say, and so may a container.
        return False
    if policy != os.SCHED_OTHER:
        return False
    asked = _ATTRIBUTES.pack(_ATTRIBUTES.size, os.SCHED_OTHER, 0, nice, 0, SLICE_NS, 0, 0)
    refused: int = ctypes.CDLL(None).syscall(ctypes.c_long(number), 0, asked, 0)
    return not refused


class Courtesy:
    """Lets others run whenever it is called, until a step has lost `COURTESY_S` to them."""

    def __init__(self, let_run: Callable[[], None], clock: Callable[[], float]) -> None:
        self._let_run, self._clock = let_run, clock
        self._left_s = COURTESY_S

    def __call__(self) -> None:
        if self._left_s > 0:
            began = self._clock()
            self._let_run()
            self._left_s -= self._clock() - began

    def told(self, what: object) -> None:
        """Of each step: one that left more to do is followed by one that takes its share from the start."""
        self._left_s = 0.0 if getattr(what, "has_more", False) else COURTESY_S
