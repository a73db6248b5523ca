"""The purse: whether one more call may be paid for, and what those under way may come to.

A budget is kept by looking ahead: a call goes out only if the budget would hold even if it, and every call under way, cost as
much as the dearest of their kind so far. A kind is an arm, or a judge. While nothing is known of its price its calls go one at
a time, a few more where they failed, for failures tell no price. It must not know providers, prices or the store.
"""

from __future__ import annotations

import asyncio
from collections import Counter

from segue.model.request import ModelOutcome


class Purse:
    """What a run has spent and may still spend, in millionths of a dollar. Used in one event loop only.

    Without a budget (`None`) every call may go. `spent_microusd` begins with what the same budget has paid for before.
    """

    def __init__(self, budget_microusd: float | None = None, *, spent_microusd: float = 0.0) -> None:
        self.budget_microusd = budget_microusd
        self.spent_microusd = spent_microusd
        self._dearest: dict[str, float] = {}
        self._tried: Counter[str] = Counter()
        self._under_way: Counter[str] = Counter()
        self._refused: str | None = None
        self._turn = asyncio.Lock()
        self._news = asyncio.Event()

    async def reserve(self, kind: str) -> str | None:
        """Keep money back for one call of `kind`, waiting for calls under way where they decide it.

        `None`: it may go, and `settle` has to follow. Otherwise why neither it nor any later call may: `budget`, or `unpriced`
        where a reply came without a price, so that the budget cannot be kept.
        """
        if self.budget_microusd is None:
            self._under_way[kind] += 1
            return None
        async with self._turn:
            while self._refused is None and not self._has_room(kind, self.budget_microusd):
                if not self._under_way.total():
                    self._refused = "budget"
                    break
                self._news.clear()
                await self._news.wait()
            if self._refused is None:
                self._under_way[kind] += 1
            return self._refused

    def settle(self, kind: str, outcome: ModelOutcome | None) -> None:
        """The call has come back with `outcome`, or (`None`) was never made or is lost."""
        self._under_way[kind] -= 1
        if outcome is not None:
            self._book(kind, outcome)
        self._news.set()

    def _book(self, kind: str, outcome: ModelOutcome) -> None:
        cost = outcome.cost_microusd
        if cost is not None:
            self.spent_microusd += cost
            if outcome.reply is not None:
                self._dearest[kind] = max(cost, self._dearest.get(kind, 0.0))
        elif outcome.reply is None:
            self._tried[kind] += 1
        elif kind in self._dearest:
            self.spent_microusd += self._dearest[kind]
        elif self.budget_microusd is not None:
            self._refused = "unpriced"

    def _has_room(self, kind: str, budget: float) -> bool:
        kept_back = sum(count * self._dearest.get(one, 0.0) for one, count in self._under_way.items())
        if kind not in self._dearest:
            return self._under_way[kind] <= self._tried[kind] and self.spent_microusd + kept_back < budget
        return self.spent_microusd + kept_back + self._dearest[kind] <= budget
