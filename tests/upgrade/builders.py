"""The smallest upgrade, judgement and observation, so that a test shows only what matters to it."""

from __future__ import annotations

from typing import Any

from segue.evidence.sequential.grid import POINTS
from segue.evidence.sequential.sequences import Interval
from segue.evidence.sequential.verdicts import Evidence, Judgement
from segue.upgrade.seen import OverBudget, RouteSeen, Seen
from segue.upgrade.state import UpgradeState

OLD, NEW, NEWER, OTHER = (digit * 64 for digit in "abcd")
COST = OverBudget("cost_usd_per_request", "A request costs 2 USD on the candidate, above the budget of 1 USD.")
SLOW = OverBudget("latency_p99_ms", "The candidate's p99 of latency is 900 ms, above the budget of 800 ms.")


def began(**changes: Any) -> UpgradeState:
    """An upgrade that has just been opened."""
    return UpgradeState(upgrade="u1", workflow="w", incumbent=OLD, candidate=NEW, entered_at=0.0).model_copy(update=changes)


def judged(verdict: str, limit: str | None = None) -> Judgement:
    """A judgement without cells."""
    return Judgement(verdict, limit, 0.0, 0.0, (), ())  # type: ignore[arg-type]


def cell(where: str, verdict: str = "harm", limit: str | None = None) -> Evidence:
    """Of `METRIC@SLICE`, or of `METRIC` for everyone."""
    metric, _, name = where.partition("@")
    void = "labels" if verdict == "invalid" else None
    counts = (900, 800, 800, 700, 700)
    return Evidence(metric, name, verdict, limit, 9.0, 0.05, 0.06, Interval(None, None), *counts, None, void, POINTS)  # type: ignore[arg-type]


def harmed(*cells: str, limit: str = "hold", invalid: str = "") -> Judgement:
    """Harm in these cells, and perhaps one beside them that cannot be compared. Without any, of all together."""
    found = (*(cell(one, limit=limit) for one in cells), *([cell(invalid, "invalid")] if invalid else []))
    culprits = tuple((one.metric, one.slice) for one in found if one.verdict == "harm")
    return Judgement("harm", limit, 0.0, 9.0, culprits, found or (cell("right", "inconclusive"),))  # type: ignore[arg-type]


def all_well(at: float, **changes: Any) -> Seen:
    """A look at a live stage that has everything it asks for."""
    given: dict[str, Any] = {
        "route": RouteSeen("as asked", 1),
        "judgement": judged("safe"),
        "missing": (),
        "served_s": 14_000 * 86_400.0,
        "quiet_s": 0.0,
        "incumbent_answers": True,
    }
    return Seen(at, **{**given, **changes})
