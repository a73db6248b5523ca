"""The job of staging: the route of staging, the replay, the drift report, the integration command, the fact. Run by a child.

Recorded traffic comes first; where nothing was recorded, or no bodies were kept, the suite's inputs are replayed instead, and
the fact says so; where there is neither, staging is not passed, with the remedy.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from segue.controller.drift_report import DriftReader, DriftScope
from segue.controller.moments import iso
from segue.controller.reading import PRODUCTION
from segue.controller.replaying_folder import Head, ReplayFolder
from segue.controller.replaying_run import Replayed, ReplayWork, Source, Watch, log_source, run_replay, suite_source
from segue.controller.staging_facts import StagingResult, write_result
from segue.controller.staging_integration import IntegrationSample
from segue.drift.moves import judge_drift
from segue.errors import InputError, NotFoundError, SegueError
from segue.exchanges.query import ExchangeLog
from segue.exchanges.selection import Selection
from segue.model import Workflow
from segue.model.route import Route, ShadowRule
from segue.store.base import Store
from segue.upgrade.log import Upgrade
from segue.workspace import Workspace

NS = 1_000_000_000
DAY_NS = 86_400 * NS
LOOKED_AT = 1_000
"""Of the newest exchanges, to see whether the log keeps what was asked."""
MOST_CASES = 2_000
"""Of a suite that stands in for traffic."""
UNPRICED = (
    "A reply came without a price, so the plan's budget for mirroring (shadow: usd_per_day) cannot be kept in staging. "
    "Name the model's price under prices: in segue.yaml, and resume."
)


@dataclass(frozen=True)
class StagingWork:
    """What the job works with."""

    workspace: Workspace
    store: Store
    workflow: Workflow
    reader: DriftReader
    clock_ns: Callable[[], int]
    author: str
    environ: Mapping[str, str]

    @property
    def log(self) -> ExchangeLog:
        return self.reader.log


def run_staging(work: StagingWork, upgrade: Upgrade, number: int, folder: ReplayFolder, watch: Watch) -> StagingResult | None:
    """Do all of it and write down what was found; `None` where it was stopped, so that the next attempt goes on."""
    try:
        result = _found(work, upgrade, number, folder, watch)
    except (InputError, NotFoundError) as error:
        # What no second try would mend. Anything else ends the job, and it is begun again.
        result = StagingResult(number=number, broken=_told(error))
    if result is not None:
        at = iso(work.clock_ns() / NS)
        write_result(work.store, work.workflow.name, upgrade.opening.upgrade, result, author=work.author, at=at)
    return result


def _found(work: StagingWork, upgrade: Upgrade, number: int, folder: ReplayFolder, watch: Watch) -> StagingResult | None:
    source = _source(work, upgrade, folder.head)
    if source is None:
        name = work.workflow.name
        return StagingResult(
            number=number,
            broken=f"'{name}' has no recorded traffic and no suite: there is nothing to replay. Record some "
            f"(segue gateway, with serving: keep: full), or write workflows/{name}/suites/{work.workflow.suite}.jsonl.",
        )
    environment = upgrade.plan.staging.environment
    set_staging_route(work.store, upgrade, author=work.author, at=iso(work.clock_ns() / NS))
    usd = upgrade.plan.shadow.usd_per_day
    place = ReplayWork(
        root=work.workspace.root,
        log=work.log,
        workflow=work.workflow.name,
        environment=environment,
        clock_ns=work.clock_ns,
        limit_microusd=None if usd is None else usd * 1e6,
        enrich=work.reader.enrich,
    )
    done = run_replay(place, folder, source, watch)
    if done.is_stopped:
        return None
    if done.money == "unpriced":
        raise InputError(UNPRICED)
    return _judged(work, upgrade, number, environment, done)


def _limited(upgrade: Upgrade, done: Replayed) -> str:
    if not done.money:
        return ""
    sent = len(done.sent.answered)
    return (
        f"The replay ended at the plan's budget for mirroring (shadow: usd_per_day, ${upgrade.plan.shadow.usd_per_day:,.2f}) "
        f"after {sent:,} of {done.head.n:,} requests. Another upgrade may have a larger one, or ask for less (staging: least)."
    )


def _judged(work: StagingWork, upgrade: Upgrade, number: int, environment: str, done: Replayed) -> StagingResult:
    state, head = upgrade.state, done.head
    scope = DriftScope(
        workflow=work.workflow.name,
        environment=environment,
        incumbent=state.incumbent,
        candidate=state.candidate,
        since_ns=head.made_ns,
        slices=frozenset(work.workflow.slices),
        replay=head.name,
    )
    argv = upgrade.plan.staging.integration
    sample = IntegrationSample()
    report = judge_drift(*work.reader.gathered(scope, sample.add if argv else lambda _pair: None))
    folder = work.workspace.folder(work.workflow.name)
    return StagingResult(
        number=number,
        source=head.source,
        replay=head.name,
        n_sent=head.n,
        n_answered=len(done.sent.answered),
        n_left_out=sum(head.left_out.values()),
        left_out=head.left_out,
        limited=_limited(upgrade, done),
        report=report,
        integration=asyncio.run(sample.run(argv, folder, work.environ)) if argv else None,
    )


def set_staging_route(store: Store, upgrade: Upgrade, *, author: str, at: str) -> None:
    """The incumbent answers in staging, and the candidate shadows every request. Nothing, where that is in force."""
    state, environment = upgrade.state, upgrade.plan.staging.environment
    if environment == PRODUCTION:
        raise InputError("The plan's staging is in production.", fix="Name another: staging: environment.")
    try:
        last = store.find_route(state.workflow, environment)
    except NotFoundError:
        last = None
    before = None if last is None else last.route
    route = Route(
        workflow=state.workflow,
        environment=environment,
        incumbent=state.incumbent,
        candidate=state.candidate,
        shadow=ShadowRule(share=1.0),
    ).following(before)
    if before == route:
        return
    reason = f"upgrade {state.upgrade}: staging"
    store.flip_route(route, follows=None if last is None else last.revision, author=author, reason=reason, at=at)


def _source(work: StagingWork, upgrade: Upgrade, head: Head | None) -> Source | None:
    """Recorded traffic of so many days before the upgrade was opened; else the suite."""
    name, suite = work.workflow.name, work.workflow.suite
    since_ns = int(upgrade.opening.at * NS - upgrade.plan.staging.length * DAY_NS)
    asked = f"upgrade {upgrade.opening.upgrade}"
    if head is None:
        selection = Selection(workflow=name, environment=PRODUCTION, since_ns=since_ns)
        has_traffic = any(one.exchange.request.kept == "full" for one in work.log.newest(selection, LOOKED_AT))
    else:
        has_traffic = head.source == "production"
    if has_traffic:
        return log_source(work.log, name, since_ns, upgrade.plan.staging.most, asked)
    if suite in work.workspace.suites(name):
        return suite_source(lambda: work.workspace.iter_suite(name, suite), name, MOST_CASES, asked)
    return None


def _told(error: SegueError) -> str:
    return " ".join(fault.sentence() for fault in error.faults) or error.what
