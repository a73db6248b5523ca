"""What is known before an upgrade of what it will cost, gathered from suite, stored answers, price list and exchange log.

Whatever cannot be found is `None` and is told as unknown (`grounds_cost`); nothing here keeps an upgrade from being opened.
"""

from __future__ import annotations

from dataclasses import dataclass

from segue.controller.daily_eval import MOST_CASES
from segue.controller.effects import AUTHOR
from segue.controller.grounds import suite_of
from segue.controller.grounds_cost import CostFacts, UpgradeCost, estimate_upgrade_cost
from segue.controller.moments import iso
from segue.controller.review_draw import NO_EVIDENCE
from segue.errors import SegueError
from segue.evals.arms import vendor_of_entry
from segue.evals.catalogue import Catalogue
from segue.evals.comparable import ASKED_TYPES
from segue.evals.connections import Connections
from segue.evals.forecast import longest_ways
from segue.evals.plan import estimate, mean_cost
from segue.exchanges.query import ExchangeLog
from segue.exchanges.selection import Selection
from segue.model import Bundle, Workflow
from segue.providers.clock import Clock
from segue.store.base import Store
from segue.upgrade.log import Upgrade
from segue.workspace import Workspace

KIND = "upgrade-cost"
DAYS = 7
DAY_S = 86_400.0
_FREE_TO_KEEP = ("scripted", "recorded")
_TRAFFIC = """
SELECT bundle, count(*) FILTER (arm <> 'shadow'), count(cost_microusd), coalesce(sum(cost_microusd), 0)::DOUBLE, min(at_ns)
FROM exchanges GROUP BY bundle
"""


@dataclass(frozen=True, slots=True)
class Traffic:
    """The last week of a workflow. `requests_per_day` is `None` where nothing was served; costs are by bundle."""

    requests_per_day: float | None
    microusd: dict[str, float]


def cost_of_upgrade(workspace: Workspace, store: Store, log: ExchangeLog | None, upgrade: Upgrade, clock: Clock) -> UpgradeCost:
    """The estimate for an upgrade that is being opened."""
    return estimate_upgrade_cost(upgrade.plan, gather_facts(workspace, store, log, upgrade, clock))


def save_cost(store: Store, upgrade: Upgrade, found: UpgradeCost, *, author: str, at: str) -> None:
    """Write the estimate down, so that the bill can be held against it."""
    opening = upgrade.opening
    store.add_fact(KIND, opening.workflow, opening.upgrade, found.as_json(), author=author, at=at)


def gather_facts(workspace: Workspace, store: Store, log: ExchangeLog | None, upgrade: Upgrade, clock: Clock) -> CostFacts:
    """Never raises for what is missing or broken in the workspace: that is unknown."""
    opening, state = upgrade.opening, upgrade.state
    old, new = (store.get_bundle(one).bundle for one in (state.incumbent, state.candidate))
    traffic = Traffic(None, {}) if log is None else read_traffic(log, opening.workflow, opening.environment, clock.wall())
    try:
        workflow = workspace.load_workflow(opening.workflow)
        catalogue = Catalogue(workspace, store, author=AUTHOR, at=iso(opening.at))
        suite = suite_of(catalogue, store, workflow, old, new)
        eval_microusd, each = _eval_cost(workspace, store, workflow, suite.digest, (old, new), clock)
        daily_cases = min(suite.n_cases, MOST_CASES)
    except SegueError:
        eval_microusd, each, daily_cases = None, (None, None), None
    costs = [traffic.microusd.get(one.digest, guess) for one, guess in zip((old, new), each, strict=True)]
    return CostFacts(
        eval_microusd=eval_microusd,
        requests_per_day=traffic.requests_per_day,
        incumbent_microusd=costs[0],
        candidate_microusd=costs[1],
        daily_cases=daily_cases,
        standing_usd_per_day=0.0 if all(_is_paid_by_the_call(workspace, one) for one in (old, new)) else None,
    )


def read_traffic(log: ExchangeLog, workflow: str, environment: str, now: float) -> Traffic:
    """From the last week, or since the first request if that is less. Hours say little of a day: under one, it is unknown."""
    selection = Selection(
        workflow=workflow,
        environment=environment,
        since_ns=int((now - DAYS * DAY_S) * 1e9),
        until_ns=int(now * 1e9),
        without_tags=NO_EVIDENCE,
    )
    with log.moment() as moment, log.connect() as base:
        log.show_exchanges(base, moment, selection)
        rows = base.execute(_TRAFFIC).fetchall()
    served = sum(int(row[1]) for row in rows)
    span_s = now - min((int(row[4]) for row in rows), default=0) / 1e9
    costs = {str(bundle): total / priced for bundle, _, priced, total, _ in rows if priced}
    return Traffic(served / span_s * DAY_S if served and span_s >= DAY_S else None, costs)


def _eval_cost(
    workspace: Workspace, store: Store, workflow: Workflow, suite: str, bundles: tuple[Bundle, Bundle], clock: Clock
) -> tuple[float | None, tuple[float | None, float | None]]:
    """Of the regression eval's longest way, and of one call to each bundle. Judges are paid besides: then it is unknown."""
    import numpy as np

    old, new = bundles
    connections = Connections(workspace, store, clock=clock, rng=np.random.default_rng(0))
    repeats = workflow.gate.repeats
    first = 1 if repeats == "auto" else repeats
    ways = longest_ways(first, workflow.gate.max_repeats, adaptive=repeats == "auto")
    arms = estimate(
        store,
        [("incumbent", old), ("candidate", new)],
        lambda: store.iter_cases(suite),
        range(first),
        connections.list_price,
        at_most=ways,
    )
    each = [_each(store, one.most_microusd, one.most_calls, bundle) for one, bundle in zip(arms, bundles, strict=True)]
    totals = [one.most_microusd for one in arms]
    has_judge = any(spec.type in ASKED_TYPES for spec in workflow.scorers)
    known = [one for one in totals if one is not None]
    return (sum(known) if len(known) == len(totals) and not has_judge else None), (each[0], each[1])


def _each(store: Store, total: float | None, calls: int, bundle: Bundle) -> float | None:
    found = mean_cost(store, bundle.behaviour)
    if found is not None:
        return found[0]
    return None if total is None or not calls else total / calls


def _is_paid_by_the_call(workspace: Workspace, bundle: Bundle) -> bool:
    """Whether nothing is paid for a bundle that is only kept ready: a vendor's own API, not a server of one's own."""
    entry = workspace.config.providers.get(bundle.model.provider, {"type": bundle.model.provider})
    return entry.get("type") in _FREE_TO_KEEP or vendor_of_entry(entry) is not None
