"""What serving was like, by arm: latency, time to the first token, cost, and how many requests a day. For budgets and screens.

Sums and sketches, fed block by block. Which gates look at it is the plan's; a verdict is never made here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import log

import numpy as np

from segue.controller.live_rows import CANDIDATE, INCUMBENT, Floats, Rows
from segue.evidence.quantiles import GAMMA
from segue.evidence.sequential.cells import Sketch
from segue.model import Budgets, Json
from segue.upgrade.seen import OverBudget

LEAST = {"p99": 200, "p95": 100, "p50": 50, "mean": 50}
"""Measured values before a budget is held against them."""
DAYS_A_MONTH = 30
LEAST_SPAN_S = 3_600.0
"""Of traffic, before a day is projected from it."""
_LOG_GAMMA = log(GAMMA)


@dataclass
class Spread:
    """Positive values in buckets 1 % wide."""

    buckets: Counter[int] = field(default_factory=Counter)
    n: int = 0
    _sketch: Sketch | None = None

    def add(self, values: Floats) -> None:
        """Those that are known; 0 counts as the smallest there is."""
        known = values[~np.isnan(values)]
        if not len(known):
            return
        keys, counts = np.unique(np.ceil(np.log(np.maximum(known, 1e-9)) / _LOG_GAMMA).astype(np.int64), return_counts=True)
        self.buckets.update(dict(zip(keys.tolist(), counts.tolist(), strict=True)))
        self.n, self._sketch = self.n + len(known), None

    def quantile(self, share: float) -> float | None:
        """`None` where nothing is known."""
        if not self.n:
            return None
        if self._sketch is None:
            self._sketch = Sketch(tuple(sorted((key, float(n)) for key, n in self.buckets.items())))
        return self._sketch.value_at(max(1.0, share * self.n))


@dataclass
class Arm:
    """Of one arm."""

    n: int = 0
    latency_ns: Spread = field(default_factory=Spread)
    ttft_ns: Spread = field(default_factory=Spread)
    priced: int = 0
    cost_microusd: float = 0.0

    def add(self, rows: Rows) -> None:
        self.n += len(rows)
        self.latency_ns.add(rows.latency_ns)
        self.ttft_ns.add(rows.ttft_ns)
        known = rows.cost_microusd[~np.isnan(rows.cost_microusd)]
        self.priced += len(known)
        self.cost_microusd += float(known.sum())

    @property
    def cost_usd(self) -> float | None:
        """Per request; `None` where no price is known."""
        return self.cost_microusd / self.priced / 1e6 if self.priced else None


@dataclass
class Operations:
    """Both arms, from `since` on. `until` is the end of the last block."""

    since: float
    until: float
    arms: tuple[Arm, Arm] = field(default_factory=lambda: (Arm(), Arm()))

    def add(self, rows: Rows, until: float) -> None:
        for code, arm in ((INCUMBENT, self.arms[0]), (CANDIDATE, self.arms[1])):
            arm.add(rows.take(rows.arm == code))
        self.until = until

    @property
    def per_day(self) -> float | None:
        """Requests of both arms a day; `None` while too little time has passed."""
        span = self.until - self.since
        return sum(arm.n for arm in self.arms) / span * 86_400 if span >= LEAST_SPAN_S else None

    def usd_per_day(self, arm: Arm) -> float | None:
        """What a day costs if this arm serves everyone."""
        per_day, cost = self.per_day, arm.cost_usd
        return None if per_day is None or cost is None else per_day * cost

    def over(self, budgets: Budgets, usd_per_day: float | None = None) -> Iterator[OverBudget]:
        """The budgets that the candidate goes beyond."""
        new = self.arms[1]
        for name, spread, share, word in (
            ("latency_p50_ms", new.latency_ns, 0.5, "p50"),
            ("latency_p95_ms", new.latency_ns, 0.95, "p95"),
            ("latency_p99_ms", new.latency_ns, 0.99, "p99"),
            ("ttft_p95_ms", new.ttft_ns, 0.95, "p95"),
        ):
            budget, found = getattr(budgets, name, None), spread.quantile(share)
            if budget is not None and found is not None and spread.n >= LEAST[word] and found / 1e6 > budget:
                what = "time to the first token" if spread is new.ttft_ns else "latency"
                yield OverBudget(
                    name, f"The candidate's {word} of {what} is {found / 1e6:,.0f} ms, above the budget of {budget:,.0f} ms."
                )
        cost = new.cost_usd
        if cost is None or new.priced < LEAST["mean"]:
            return
        if budgets.cost_usd_per_request is not None and cost > budgets.cost_usd_per_request:
            limit = budgets.cost_usd_per_request
            what = f"A request costs {cost:.4g} USD on the candidate, above the budget of {limit:.4g} USD."
            yield OverBudget("cost_usd_per_request", what)
        daily = self.usd_per_day(new)
        if usd_per_day is not None and daily is not None and daily > usd_per_day:
            most = f"{usd_per_day:,.2f} USD"
            what = f"With the candidate for everyone a day would cost {daily:,.2f} USD, above the budget of {most}."
            yield OverBudget("usd_per_day", what)

    def as_json(self) -> dict[str, Json]:
        """For people."""
        names = ("incumbent", "candidate")
        return {name: self._arm(arm) for name, arm in zip(names, self.arms, strict=True)} | {"requests_per_day": self.per_day}

    def _arm(self, arm: Arm) -> Json:
        daily = self.usd_per_day(arm)
        return {
            "requests": arm.n,
            "latency_p50_ms": _ms(arm.latency_ns.quantile(0.5)),
            "latency_p99_ms": _ms(arm.latency_ns.quantile(0.99)),
            "ttft_p95_ms": _ms(arm.ttft_ns.quantile(0.95)),
            "cost_usd_per_request": arm.cost_usd,
            "usd_per_month": None if daily is None else daily * DAYS_A_MONTH,
        }


def _ms(value_ns: float | None) -> float | None:
    return None if value_ns is None else value_ns / 1e6
