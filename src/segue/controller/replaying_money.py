"""What a replay may cost: so many requests may be begun until what was answered is counted anew, and none beyond the limit.

The cost is read from the log, both arms, at the prices that it has; what is not in it yet counts as much as the others did on
average. An answer without a known price ends the replay: a limit that cannot be kept is none.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Literal

from segue.controller.drift_report import REPLAYED
from segue.exchanges.query import ExchangeLog
from segue.exchanges.record import Logged
from segue.exchanges.selection import Selection

Stopped = Literal["", "limit", "unpriced"]
LOOK_S = 0.2
PATIENCE_S = 10.0
"""So long it waits for the shadow of what was answered, and for its price, which some answers have once they are shipped. A
shadow that has not come by then was not mirrored."""


@dataclass
class ArmSpent:
    """Of one arm: answers whose cost is known, what they cost in millionths of a dollar, and answers without a price. What
    failed is billed by nobody, and says nothing of what an answer costs."""

    n: int = 0
    microusd: float = 0.0
    unpriced: int = 0
    failed: int = 0

    @property
    def is_there(self) -> bool:
        """Whether anything has come of it."""
        return bool(self.n or self.failed)

    def missing(self, begun: int) -> int:
        """Of so many requests begun, those that are not in the log."""
        return max(0, begun - self.n - self.failed)

    @property
    def mean(self) -> float:
        return self.microusd / self.n if self.n else 0.0


@dataclass
class Spent:
    """What a replay has cost, as far as the log has it."""

    served: ArmSpent = field(default_factory=ArmSpent)
    shadow: ArmSpent = field(default_factory=ArmSpent)

    @property
    def is_unpriced(self) -> bool:
        return bool(self.served.unpriced or self.shadow.unpriced)

    @property
    def microusd(self) -> float:
        """Of both arms, as far as it is known."""
        return self.served.microusd + self.shadow.microusd

    @property
    def mean(self) -> float:
        """Of a request, with its shadow."""
        return self.served.mean + self.shadow.mean

    def total(self, begun: int) -> float:
        """Of so many requests begun: what is not in the log costs as much as what is. What was refused has no shadow."""
        missing = self.served.missing(begun), self.shadow.missing(begun - self.served.failed)
        return self.microusd + missing[0] * self.served.mean + missing[1] * self.shadow.mean


def count_spent(rows: Iterable[Logged], replay: str, enrich: Callable[[Logged], Logged]) -> Spent:
    """What the exchanges of one replay cost."""
    spent = Spent()
    for row in rows:
        exchange = row.exchange
        if exchange.attributes.get(REPLAYED, "").rpartition(":")[0] != replay:
            continue
        arm = spent.shadow if exchange.arm == "shadow" else spent.served
        if exchange.failure is not None or exchange.status is None or exchange.status >= 300:
            arm.failed += 1
            continue
        if exchange.cost_microusd is None:
            exchange = enrich(row).exchange
        if exchange.cost_microusd is None:
            arm.unpriced += 1
        else:
            arm.n += 1
            arm.microusd += exchange.cost_microusd
    return spent


def spent_in_log(
    log: ExchangeLog, enrich: Callable[[Logged], Logged], *, workflow: str, environment: str, replay: str, since_ns: int
) -> Callable[[], Spent]:
    """Counts anew whenever it is called."""
    selection = Selection(workflow=workflow, environment=environment, since_ns=since_ns)
    return lambda: count_spent(log.iterate(selection), replay, enrich)


class ReplayMoney:
    """The limit of one replay, over all its runs. `begun` is how many were sent before this run."""

    def __init__(
        self,
        limit_microusd: float,
        count: Callable[[], Spent],
        *,
        begun: int,
        at_once: int,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._patience_s = patience_s
        self._limit, self._count, self._begun, self._at_once = limit_microusd, count, begun, at_once
        # Before anything was answered nobody knows what a request costs: as many as are under way at once.
        self._allowed = begun if begun else at_once
        self._asking = asyncio.Lock()
        self.stopped: Stopped = ""
        self.spent = Spent()

    async def may_begin(self, is_stopped: Callable[[], bool]) -> bool:
        """Whether one more request may be sent; counted as begun if so."""
        async with self._asking:
            while not self.stopped and not is_stopped():
                if self._begun < self._allowed:
                    self._begun += 1
                    return True
                await self._look(is_stopped)
            return False

    async def _look(self, is_stopped: Callable[[], bool]) -> None:
        """Count, once something of both arms is there, and allow half of what is left: then count again."""
        loop = asyncio.get_running_loop()
        since = loop.time()
        while True:
            self.spent = spent = await asyncio.to_thread(self._count)
            waited = loop.time() - since > self._patience_s
            if spent.is_unpriced and waited:
                self.stopped = "unpriced"
                return
            # What is refused is not mirrored: while nothing else has come, there is no shadow to wait for.
            is_mirrored = spent.shadow.is_there or not spent.served.n
            is_told = spent.served.is_there and is_mirrored and not spent.is_unpriced
            if is_told or waited or is_stopped():
                break
            await asyncio.sleep(LOOK_S)
        left = self._limit - spent.total(self._begun)
        if left < spent.mean or left <= 0:
            self.stopped = "limit"
        elif not spent.mean:
            # Free so far, or failed so far: what comes next may cost.
            self._allowed = self._begun + max(self._at_once, spent.served.n)
        else:
            self._allowed = self._begun + max(1, int(left / spent.mean / 2))
