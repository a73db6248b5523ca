"""What an eval has paid: this run's bill, and that of earlier runs of the same eval that were never finished.

The same eval is the same workflow, pair and suite. A budget is for all of it, so that stopping and going on does not double it.
The bill of a run that was killed is read from what it noted before it asked, and from the answers that are stored.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from segue.errors import BudgetError
from segue.evals.forecast import Forecast
from segue.evals.judge_calls import JudgeProgress
from segue.evals.run import Progress
from segue.model import Json
from segue.store.base import Store

SAME_EVAL = ("workflow", "incumbent", "candidate", "suite")
"""Where the beginnings of two runs agree if they belong to one eval."""


@dataclass(frozen=True, slots=True)
class Spent:
    """Calls to the bundles and to judges, and what they cost in millionths of a dollar. `unpriced` have no known cost."""

    calls: int = 0
    calls_microusd: float = 0.0
    judge_calls: int = 0
    judging_microusd: float = 0.0
    unpriced: int = 0

    @property
    def total_microusd(self) -> float:
        """Everything whose cost is known."""
        return self.calls_microusd + self.judging_microusd

    def as_json(self) -> dict[str, Json]:
        """With its total."""
        return {
            "calls": self.calls,
            "calls_microusd": round(self.calls_microusd, 3),
            "judge_calls": self.judge_calls,
            "judging_microusd": round(self.judging_microusd, 3),
            "total_microusd": round(self.total_microusd, 3),
            "unpriced": self.unpriced,
        }


def spent_now(progress: Progress, judging: JudgeProgress) -> Spent:
    """The bill of the run that is ending."""
    return Spent(
        progress.done,
        progress.cost_microusd,
        judging.calls,
        judging.cost_microusd,
        progress.unpriced + judging.unpriced,
    )


def spent_before(store: Store, beginning: Mapping[str, Json], arms: Collection[str]) -> Spent:
    """What runs of this eval paid since the last one that was finished. `arms` are the behaviours of both bundles."""
    keys: set[tuple[str, str, str, int]] = set()
    for run, _, body, ending in store.list_runs(str(beginning["workflow"])):
        if any(body.get(name) != beginning[name] for name in SAME_EVAL):
            continue
        if ending is not None and ending.get("stopped") is None:
            break
        keys |= store.attempts(run)
    calls = judge_calls = unpriced = 0
    calls_cost = judging_cost = 0.0
    for behaviour in sorted({key[0] for key in keys}):
        for row in store.iter_arm(behaviour, ()):
            if (behaviour, row.case_id, row.input_digest, row.repeat) not in keys:
                continue
            unpriced += row.cost_microusd is None and row.status == "reply"
            if behaviour in arms:
                calls, calls_cost = calls + 1, calls_cost + (row.cost_microusd or 0.0)
            else:
                judge_calls, judging_cost = judge_calls + 1, judging_cost + (row.cost_microusd or 0.0)
    return Spent(calls, calls_cost, judge_calls, judging_cost, unpriced)


def check_budget(forecast: Forecast, budget_microusd: float, earlier: Spent) -> None:
    """`BudgetError` where one pass would not fit, or where nobody knows what it costs."""
    arms = [one.arm for one in forecast.arms if one.calls and one.cost_microusd is None]
    unknown = [f"the {' and the '.join(arms)}'s model"] if arms else []
    unknown += [f"the judge '{one.metric}'" for one in forecast.judges if one.calls and one.cost_microusd is None]
    if unknown:
        raise BudgetError(
            f"A budget cannot be kept: the price of {' and '.join(unknown)} is not known.",
            fix="Name its price under prices: in segue.yaml, or leave --budget out.",
        )
    total = forecast.cost_microusd or 0.0
    if total + earlier.total_microusd > budget_microusd:
        spent = ""
        if earlier.total_microusd:
            spent = f" Earlier runs of this eval that were not finished have spent {dollars(earlier.total_microusd)} of it."
        raise BudgetError(
            f"One pass is estimated at {dollars(total)}, the budget is {dollars(budget_microusd)}.{spent}",
            fix="Raise --budget, or ask for fewer cases with --only.",
        )


def dollars(microusd: float) -> str:
    """An amount with as many digits as tell it from a near one."""
    return f"${microusd / 1e6:.2f}" if microusd >= 1e6 else f"${microusd / 1e6:.4f}"
