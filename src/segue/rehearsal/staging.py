"""Staging on virtual time: what the log recorded before the upgrade is replayed to both bundles, and the controller's own drift
report and gate judge it.

The route of staging, the report, the facts and the gate are those that ship (`controller/staging*`); requests go through the
gateway's routing function to the rehearsal's models in place of a gateway of staging. The team's integration command is not
run: a rehearsal starts no process. Who accepts what moved: `people`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil

from segue.controller.drift_report import REPLAYED, DriftReader, DriftScope
from segue.controller.effects import AUTHOR
from segue.controller.moments import iso
from segue.controller.reading import PRODUCTION, read_named
from segue.controller.staging import job_name
from segue.controller.staging_facts import StagingResult, write_result
from segue.controller.staging_job import set_staging_route
from segue.drift.moves import judge_drift
from segue.exchanges.record import ServedExchange
from segue.exchanges.selection import Selection
from segue.model.route import RouteRevision
from segue.rehearsal.clock import DAY_S, HOUR_S, NS
from segue.rehearsal.crowd import Asker
from segue.rehearsal.log import RehearsalLog
from segue.rehearsal.preparing import Prepared
from segue.rehearsal.serving import Active, Counter
from segue.rehearsal.troubles import ArmName
from segue.store.base import Store
from segue.upgrade.log import Upgrade

STAGING_S = HOUR_S
"""How long a replay takes, in the rehearsal's time."""
REPLAYED_MOST = 300
"""Requests; more where the plan asks for more pairs."""
INTEGRATION_SKIPPED = (
    "The integration command of staging ({command}) was not run: a rehearsal starts no process. A real upgrade waits for what "
    "it says."
)


@dataclass
class RehearsedReplay:
    """The work of a staging job. `recorded` serves what is recorded beforehand, `staged` what is replayed."""

    prepared: Prepared
    log: RehearsalLog
    store: Store
    clock: Callable[[], float]
    recorded: Counter
    staged: Counter
    active: Callable[[], Mapping[ArmName, Active]]
    replayed: str = ""
    """What was replayed, in a sentence; empty before."""

    def record(self, revision: RouteRevision, begin: float) -> None:
        """What the incumbent answered before the upgrade, as production's log has it."""
        self.recorded.serve(begin, self.clock(), revision, {})
        self.log.ship()

    def run(self, words: Sequence[str]) -> None:
        """As `segue replay --upgrade NAME --entry NUMBER` would."""
        upgrade = read_named(self.store, words[words.index("--upgrade") + 1])
        number = int(words[words.index("--entry") + 1])
        result = self._found(upgrade, number)
        workflow, at = self.prepared.workflow.name, iso(self.clock())
        write_result(self.store, workflow, upgrade.opening.upgrade, result, author=AUTHOR, at=at)

    def _found(self, upgrade: Upgrade, number: int) -> StagingResult:
        workflow, spec, now = self.prepared.workflow.name, upgrade.plan.staging, self.clock()
        name = job_name(upgrade.opening.upgrade, number)
        set_staging_route(self.store, upgrade, author=AUTHOR, at=iso(now))
        revision = self.store.find_route(workflow, spec.environment)
        since_ns = int((upgrade.opening.at - spec.length * DAY_S) * NS)
        until_ns = int(upgrade.opening.at * NS)
        selection = Selection(workflow=workflow, environment=PRODUCTION, since_ns=since_ns, until_ns=until_ns)
        rows = sorted((one.exchange for one in self.log.reader.iterate(selection, with_bodies=False)), key=_order)
        rows = rows[: min(spec.most, replayed_at_most(spec.least))]
        askers = [asker for row in rows if (asker := self._asker(row, name)) is not None]
        self.replayed = f"Staging replayed {len(askers):,} requests that were recorded before the upgrade; a real one replays "
        self.replayed += f"up to {spec.most:,} of {spec.length:g} days."
        begin_ns = int(now * NS)
        moments = [begin_ns + place * 1_000_000 for place in range(len(askers))]
        tally = self.staged.answer_all(moments, askers, revision, self.active())
        self.log.ship()
        state = upgrade.state
        scope = DriftScope(
            workflow=workflow,
            environment=spec.environment,
            incumbent=state.incumbent,
            candidate=state.candidate,
            since_ns=begin_ns,
            slices=frozenset(self.prepared.workflow.slices),
            replay=name,
        )
        bundles = {one.digest: one for one in (self.prepared.incumbent.bundle, self.prepared.candidate.bundle)}
        report = judge_drift(*DriftReader(self.log.reader, bundles.get).gathered(scope))
        return StagingResult(
            number=number,
            source="production",
            replay=name,
            n_sent=len(askers),
            n_answered=tally.n - tally.failed,
            n_left_out=len(rows) - len(askers),
            report=report,
        )

    def _asker(self, row: ServedExchange, name: str) -> Asker | None:
        case = self.staged.case_of(row.request.digest)
        return None if case is None else Asker(row.unit, case, {**row.attributes, REPLAYED: f"{name}:{row.id}"})


def recording_hours(per_day: float, days: float, least: int) -> int:
    """So many hours of traffic are recorded before the upgrade: enough to replay, and no more than staging looks back."""
    return max(1, min(ceil(1.1 * replayed_at_most(least) / per_day * 24), int(days * 24)))


def replayed_at_most(least: int) -> int:
    """A rehearsal looks at fewer pairs than a real staging, and at more than the plan's least."""
    return max(REPLAYED_MOST, 2 * least)


def _order(row: ServedExchange) -> tuple[int, str]:
    return row.at_ns, row.id
