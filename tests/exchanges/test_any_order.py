"""Writers, shippers and readers in any order, with deaths at any moment: the log holds what was kept, each once."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import Counter
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from segue.exchanges import Spool
from segue.exchanges.feedback import Feedback
from segue.exchanges.segment import Segment
from segue.exchanges.shipper import Point, Shipper
from tests.exchanges.builders import HOUR, Clock, a_log, a_shipper, a_spool, an_exchange, an_outcome


class Killed(BaseException):
    """Stands for the death of the process."""


def kill(spool: Spool) -> None:
    """What the kernel does to a dead writer: unmaps, closes, lets go. Nothing is finished."""
    for segment in (*spool._retired, spool._current, spool._next):
        if isinstance(segment, Segment):
            segment.map.close()
            os.close(segment.descriptor)


class Log(RuleBasedStateMachine):
    """Two workers, one shipper at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.clock = Clock()
        self.lives = 0
        self.kept: Counter[str] = Counter()
        self.outcomes: set[str] = set()
        self.spools = [self._new(0), self._new(1)]
        self.shipper: Shipper | None = None
        self.left, self.moment = 0, ""

    def _new(self, worker: int) -> Spool:
        self.lives += 1
        return a_spool(self.folder, worker=f"w{worker}", run=f"r{self.lives}")

    def _reached(self, point: Point) -> None:
        self.left -= point == self.moment
        if self.left == 0 and self.moment:
            self.moment = ""
            raise Killed

    @rule(worker=st.integers(0, 1), count=st.integers(1, 60), length=st.integers(0, 400), tended=st.booleans())
    def append(self, worker: int, count: int, length: int, tended: bool) -> None:
        """Only what was said to be kept counts."""
        spool = self.spools[worker]
        for _ in range(count):
            number = self.kept.total()
            if spool.append(an_exchange(number), b"q" * length, b"a" * length) is not None:
                self.kept[f"x{number:06d}"] += 1
            if tended:
                spool.tend()
        spool.tend()

    @rule(worker=st.integers(0, 1), number=st.integers(0, 50), times=st.integers(1, 3))
    def tell(self, worker: int, number: int, times: int) -> None:
        """An outcome, perhaps more than once, perhaps of an exchange that never was."""
        for _ in range(times):
            if self.spools[worker].append(an_outcome(f"x{number:06d}")) is not None:
                self.outcomes.add(f"x{number:06d}")
        self.spools[worker].tend()

    @rule(worker=st.integers(0, 1))
    def kill_writer(self, worker: int) -> None:
        """And start it again."""
        kill(self.spools[worker])
        self.spools[worker] = self._new(worker)

    @rule(worker=st.integers(0, 1))
    def restart_writer(self, worker: int) -> None:
        """In good order."""
        self.spools[worker].close()
        self.spools[worker] = self._new(worker)

    @precondition(lambda self: self.shipper is None)
    @rule()
    def start_shipper(self) -> None:
        """One at a time."""
        self.shipper = a_shipper(self.folder, self.clock, reached=self._reached, fan_in=2, batch_bytes=8_000)

    @precondition(lambda self: self.shipper is not None)
    @rule(moment=st.sampled_from(["", *get_args(Point)]), left=st.integers(1, 3), tidies=st.booleans())
    def ship(self, moment: str, left: int, tidies: bool) -> None:
        """Perhaps to its death."""
        assert self.shipper is not None
        self.moment, self.left = moment, left
        try:
            self.shipper.step()
            if tidies:
                self.shipper.tidy()
        except Killed:
            self.shipper.close()
            self.shipper = None

    @rule(hours=st.integers(1, 30))
    def wait(self, hours: int) -> None:
        """Time passes."""
        self.clock.now += hours * HOUR

    @invariant()
    def counts_add_up(self) -> None:
        """Without opening a file of the archive."""
        recount = a_log(self.folder).recount()
        assert recount.readable == recount.appended == self.kept.total()

    def teardown(self) -> None:
        """At last, every record is there, and each outcome once."""
        self.moment = ""
        log = a_log(self.folder)
        assert Counter(row.exchange.id for row in log.iterate(with_bodies=False)) == self.kept
        assert Feedback(log).count() == len(self.outcomes)
        if self.shipper is not None:
            self.shipper.close()
        for spool in self.spools:
            spool.close()
        shutil.rmtree(self.folder)


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_in_any_order_nothing_is_lost_and_nothing_is_there_twice() -> None:
    """Sequences that Hypothesis makes up and shortens."""
    from hypothesis.stateful import run_state_machine_as_test

    run_state_machine_as_test(Log, settings=settings(max_examples=40, stateful_step_count=25, deadline=None))
