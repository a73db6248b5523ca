"""The purse: whether one more call may be paid for, and what those under way may come to.

A budget is kept by looking ahead: a call goes out only if the budget would hold even if it, and every call under way, cost as
much as the dearest of their arm so far. While nothing is known of an arm's price its calls go one at a time, a few more where
they failed, for failures tell no price. It must not know providers, prices or the store.
"""

from __future__ import annotations

import asyncio
from collections import Counter

from segue.evals.plan import ArmName
from segue.model.request import ModelOutcome


class Purse:
    """What a run has spent and may still spend, in millionths of a dollar. Used in one event loop only.

    Without a budget (`None`) every call may go.
    """

    def __init__(self, budget_microusd: float | None = None) -> None:
        self.budget_microusd = budget_microusd
        self.spent_microusd = 0.0
        self._dearest: dict[ArmName, float] = {}
        self._tried: Counter[ArmName] = Counter()
        self._under_way: Counter[ArmName] = Counter()
        self._refused: str | None = None
        self._turn = asyncio.Lock()
        self._news = asyncio.Event()

    async def reserve(self, arm: ArmName) -> str | None:
        """Keep money back for one call of `arm`, waiting for calls under way where they decide it.

        `None`: it may go, and `settle` has to follow. Otherwise why neither it nor any later call may: `budget`, or `unpriced`
        where a reply came without a price, so that the budget cannot be kept.
        """
        if self.budget_microusd is None:
            self._under_way[arm] += 1
            return None
        async with self._turn:
            while self._refused is None and not self._has_room(arm, self.budget_microusd):
                if not self._under_way.total():
                    self._refused = "budget"
                    break
                self._news.clear()
                await self._news.wait()
            if self._refused is None:
                self._under_way[arm] += 1
            return self._refused

    def settle(self, arm: ArmName, outcome: ModelOutcome | None) -> None:
        """The call has come back with `outcome`, or (`None`) was never made or is lost."""
        self._under_way[arm] -= 1
        if outcome is not None:
            self._book(arm, outcome)
        self._news.set()

    def _book(self, arm: ArmName, outcome: ModelOutcome) -> None:
        cost = outcome.cost_microusd
        if cost is not None:
            self.spent_microusd += cost
            if outcome.reply is not None:
                self._dearest[arm] = max(cost, self._dearest.get(arm, 0.0))
        elif outcome.reply is None:
            self._tried[arm] += 1
        elif arm in self._dearest:
            self.spent_microusd += self._dearest[arm]
        elif self.budget_microusd is not None:
            self._refused = "unpriced"

    def _has_room(self, arm: ArmName, budget: float) -> bool:
        kept_back = sum(count * self._dearest.get(one, 0.0) for one, count in self._under_way.items())
        if arm not in self._dearest:
            return self._under_way[arm] <= self._tried[arm] and self.spent_microusd + kept_back < budget
        return self.spent_microusd + kept_back + self._dearest[arm] <= budget
