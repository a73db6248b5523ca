"""What today's eval through the production endpoint takes, from workspace and store: arms, cases, scorers; and doing it.

Knows no command line; `segue daily` calls it, by hand or as the controller's job.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from segue.controller.daily_eval import MOST_CASES, DailyArm, DailyEval, choose_cases
from segue.controller.daily_facts import DailyResult, list_daily, save_daily
from segue.controller.suites_endpoint import Endpoint
from segue.evals.arms import Bench
from segue.evals.catalogue import Catalogue
from segue.model import Case, ScorerSpec
from segue.scoring.registry import SCORER_TYPES
from segue.store.base import Store
from segue.upgrade.log import Upgrade
from segue.workspace import Workspace

NOT_DAILY = frozenset({"judge", "pairwise", "command", "recorded_label", "latency", "ttft", "tokens", "cost"})
"""Scorers that are paid by the question, run long, know only outputs stored earlier, or measure what is measured anyway."""


@dataclass(frozen=True)
class DailyDesk:
    """Everything one day's eval is made of."""

    arms: tuple[DailyArm, ...]
    cases: tuple[Case, ...]
    suite: str
    n_suite: int
    unscored: tuple[str, ...]


def prepare_daily(
    workspace: Workspace, store: Store, upgrade: Upgrade, *, author: str, at: str, most: int = MOST_CASES
) -> DailyDesk:
    """Both bundles, the candidate's suite, else the workflow's, and the scorers that are asked daily. Errors as of an eval."""
    opening, state = upgrade.opening, upgrade.state
    catalogue = Catalogue(workspace, store, author=author, at=at)
    workflow = catalogue.workflow(opening.workflow)
    old, new = (catalogue.bundle(workflow.name, one) for one in (state.incumbent, state.candidate))
    pinned = new.bundle.suite or old.bundle.suite
    suite = catalogue.suite(workflow) if pinned is None else store.get_suite(pinned)
    asked = tuple(spec for spec in workflow.scorers if _is_daily(spec))
    left = tuple(spec.name for spec in workflow.scorers if not _is_daily(spec))
    bench = Bench(workspace, store, {})
    limited = workflow.model_copy(update={"scorers": asked})
    contract = new.bundle.contract or old.bundle.contract
    pair = (old.bundle.behaviour, new.bundle.behaviour)
    arms = [
        DailyArm(role, bench.prepare(limited, named, suite=suite.digest, contract=contract, pair=pair))
        for role, named in (("incumbent", old), ("candidate", new))
    ]
    ids = choose_cases(store.iter_case_rows(suite.digest), most=most, seed=opening.upgrade)
    cases = tuple(store.iter_cases(suite.digest, case_ids=ids))
    return DailyDesk(tuple(arms), cases, suite.digest, suite.n_cases, left)


def run_daily(
    store: Store, upgrade: Upgrade, desk: DailyDesk, where: Endpoint | DailyEval, *, day: str, author: str, at: str
) -> Sequence[DailyResult]:
    """Ask what has no result of this day yet, and write it down. Gives what was written. `where`: at the endpoint, or as a
    rehearsal has it asked."""
    done = {one.bundle for one in list_daily(store, upgrade) if one.day == day}
    arms = [one for one in desk.arms if one.digest not in done]
    if not arms:
        return ()
    daily = DailyEval(where, upgrade.opening.workflow) if isinstance(where, Endpoint) else where
    found = daily.measure(arms, desk.cases, day=day, suite=desk.suite, n_suite=desk.n_suite)
    results = [one.model_copy(update={"unscored": (*one.unscored, *desk.unscored)}) for one in found]
    for one in results:
        save_daily(store, upgrade, one, author=author, at=at)
    return results


def _is_daily(spec: ScorerSpec) -> bool:
    return spec.type in SCORER_TYPES and spec.type not in NOT_DAILY
