"""Who goes first where a worker shares its core: asked of a real kernel, and counted with a clock of our own."""

from __future__ import annotations

import ctypes
import os
import platform
import struct
import subprocess
import sys
from functools import cache

import pytest

from segue.exchanges.shipper import Shipped
from segue.gateway.scheduling import COURTESY_S, SLICE_NS, Courtesy, ask_for_short_slices

GETATTR = {"x86_64": 315, "aarch64": 275, "riscv64": 275}
ATTRIBUTES = struct.Struct("<IIQiIQQQ")

ATTEMPT = """
import ctypes, struct, sys
libc, number = ctypes.CDLL(None), int(sys.argv[1])
held = ctypes.create_string_buffer(48)
assert libc.syscall(ctypes.c_long(number), 0, held, 48, 0) == 0
assert libc.syscall(ctypes.c_long(number - 1), 0, held, 0) == 0
"""
"""Says of itself again what the kernel says of it."""


@cache
def is_possible() -> bool:
    """Whether this system takes such attributes at all; found out without the code that is tested."""
    number = GETATTR.get(platform.machine())
    if sys.platform != "linux" or number is None:
        return False
    return subprocess.run([sys.executable, "-c", ATTEMPT, str(number)], capture_output=True).returncode == 0


def skip_where_refused() -> None:
    """To be called by tests that ask the kernel."""
    if not is_possible():
        pytest.skip("this system takes no attributes of scheduling, or refuses them")


def attributes_of(pid: int) -> tuple[int, int, int]:
    """Policy, nice and slice (ns; a kernel before 6.12 says 0)."""
    held = ctypes.create_string_buffer(ATTRIBUTES.size)
    number, libc = ctypes.c_long(GETATTR[platform.machine()]), ctypes.CDLL(None, use_errno=True)
    assert libc.syscall(number, pid, held, ATTRIBUTES.size, 0) == 0, os.strerror(ctypes.get_errno())
    _, policy, _, nice, _, slice_ns, _, _ = ATTRIBUTES.unpack(held.raw)
    return policy, nice, slice_ns


def asked_in_a_process(before: str) -> list[str]:
    """What a process says that does this, asks, and looks at itself."""
    code = f"""
import os
from segue.gateway.scheduling import ask_for_short_slices
from tests.gateway.test_scheduling import attributes_of
{before}
print(ask_for_short_slices(), *attributes_of(0), sep="\\n")
"""
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()


def test_a_worker_asks_for_short_slices_and_stays_as_nice_as_it_was() -> None:
    """Somebody may have started the gateway with `nice`: that stands."""
    skip_where_refused()
    asked, policy, nice, slice_ns = asked_in_a_process("os.nice(3)")
    assert (asked, policy, nice) == ("True", str(os.SCHED_OTHER), str(min(19, 3 + os.getpriority(os.PRIO_PROCESS, 0))))
    assert int(slice_ns) in (SLICE_NS, 0), "a kernel before 6.12 takes no notice"


def test_another_policy_that_somebody_has_chosen_stands() -> None:
    """A batch job, say."""
    skip_where_refused()
    asked, policy, *_ = asked_in_a_process("os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))")
    assert (asked, policy) == ("False", str(os.SCHED_BATCH))


def test_where_there_is_no_such_thing_nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another system, or a machine whose number for the call is not known."""
    monkeypatch.setattr("segue.gateway.scheduling.platform.machine", lambda: "vax")
    assert not ask_for_short_slices()


def test_a_system_that_does_not_say_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """musl has the function, and it always refuses: a worker starts all the same."""

    def refuse(_: int) -> int:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr("segue.gateway.scheduling.os.sched_getscheduler", refuse, raising=False)
    assert not ask_for_short_slices()


class Others:
    """Take so long whenever they are let."""

    def __init__(self, each_s: float) -> None:
        self.each_s, self.now, self.n_let = each_s, 0.0, 0

    def run(self) -> None:
        self.now += self.each_s
        self.n_let += 1

    def clock(self) -> float:
        return self.now


def test_others_are_let_run_until_a_step_has_lost_too_much_to_them() -> None:
    """Where nobody wants the core that is for ever; on a busy one shipping would never end."""
    others = Others(COURTESY_S / 4)
    courtesy = Courtesy(others.run, others.clock)
    for _ in range(10):
        courtesy()
    assert others.n_let == 4
    courtesy.told(Shipped(n_rows=1))
    courtesy()
    assert others.n_let == 5, "the next step begins anew"
    nobody = Others(0.0)
    alone = Courtesy(nobody.run, nobody.clock)
    for _ in range(10_000):
        alone()
    assert nobody.n_let == 10_000


def test_a_shipper_that_is_behind_takes_its_share() -> None:
    """Until a step ends with nothing left."""
    others = Others(0.0)
    courtesy = Courtesy(others.run, others.clock)
    courtesy.told(Shipped(has_more=True))
    courtesy()
    assert others.n_let == 0
    courtesy.told(OSError("no room"))
    courtesy()
    assert others.n_let == 1
