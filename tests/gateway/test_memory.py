"""A process of the gateway does not ask the kernel for the same memory again and again."""

from __future__ import annotations

import ctypes
import subprocess
import sys

import pytest

FAULTS = """
import gc, resource, sys
from segue.gateway.memory import keep_memory
if sys.argv[1] == "kept":
    keep_memory(20_000)
    assert gc.get_threshold()[0] == 20_000
    assert gc.get_freeze_count() > 0
bodies = [bytes(300_000) for _ in range(8)]
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(100):
    bodies = None
    bodies = [bytes(300_000) for _ in range(8)]
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def page_faults(how: str) -> int:
    """Pages that the kernel gave to a process that makes 800 bodies, eight at a time."""
    command = [sys.executable, "-c", FAULTS, how]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="glibc's malloc alone can be told so")
def test_large_bodies_come_from_memory_that_stays() -> None:
    """Each body would be 73 pages from the kernel."""
    assert page_faults("kept") < 2_000 < 20_000 < page_faults("given back")
