"""One eval or comparison from a user's words to a stored verdict: names resolved, calls made, arms judged."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from segue.errors import BudgetError, InputError, NotComparableError
from segue.evals.arms import Applicability, Bench, PreparedArm, metrics_of, with_primary
from segue.evals.catalogue import Catalogue, NamedBundle
from segue.evals.comparable import ASKED_TYPES, need_repricing, require_prices, require_same_evidence, require_same_ruler
from segue.evals.compare import CostOf, Findings, Insights, Question, Side, conclude, gather
from segue.evals.connections import RECORDED, Connections
from segue.evals.insights import look_behind
from segue.evals.plan import ArmEstimate, ArmName, Call, estimate, missing_calls
from segue.evals.run import Limits, Progress, Runner
from segue.evals.scope import Scope
from segue.evals.scoring_pass import Asked, ScoringOutcome, ask_scorers, score_stored
from segue.evals.slicing import CaseFilter
from segue.evals.walk import ArmRef
from segue.gates.repeats import plan_uniform_repeats
from segue.gates.report import Report
from segue.gates.tally import CONFIRMATION, TOTAL
from segue.model import Case, Exchange, Json, Score, Usage, Workflow, digest_of
from segue.providers.rendering import render_request
from segue.scoring.base import Scorer
from segue.store.base import Store, SuiteRecord

CONFIRMING = 2
"""Flips seen in a single run are run this many times more on both arms before they are called regressions."""


@dataclass(frozen=True)
class Request:
    """What the user asked for. `repeats` is `None` for the workflow's own setting."""

    workflow: str
    candidate: str
    incumbent: str | None = None
    suite: str | None = None
    only: tuple[str, ...] = ()
    repeats: int | None = None
    old_repeats: frozenset[int] | None = None
    new_repeats: frozenset[int] | None = None
    budget_microusd: float | None = None
    signed_off: str | None = None


@dataclass(frozen=True)
class Prepared:
    """Everything resolved, nothing asked yet."""

    workflow: Workflow
    suite: SuiteRecord
    old: PreparedArm
    new: PreparedArm
    only: CaseFilter
    notes: tuple[str, ...] = ()
    reprice: bool = False

    @property
    def arms(self) -> tuple[tuple[ArmName, PreparedArm], ...]:
        """Both arms by name."""
        return ("incumbent", self.old), ("candidate", self.new)


@dataclass
class Listener:
    """Where a session tells how it goes. Every field may be replaced; the defaults are silent."""

    estimated: Callable[[Sequence[ArmEstimate], int], None] = lambda *_: None
    began: Callable[[str, int], None] = lambda *_: None
    progressed: Callable[[Progress], None] = lambda _: None
    scored: Callable[[int], None] = lambda _: None
    lost: Callable[[int], None] = lambda _: None


@dataclass(frozen=True)
class Outcome:
    """A report and the digest its verdict is stored under; `stopped` says why a run ended early."""

    report: Report
    verdict: str
    stopped: str | None = None
    progress: Progress = field(default_factory=Progress)


class Session:
    """Performs requests against one workspace and store. Clock, randomness and run identifiers come in."""

    def __init__(
        self, catalogue: Catalogue, connections: Connections, *, now: Callable[[], str], author: str, new_run: Callable[[], str]
    ) -> None:
        self._catalogue, self._connections = catalogue, connections
        self._store: Store = catalogue.store
        self._now, self._author, self._new_run = now, author, new_run
        self._asks = False
        self._broken = 0

    def prepare(self, request: Request) -> Prepared:
        """Resolve names, build scorers, check that both arms can be compared. Asks no model."""
        catalogue = self._catalogue
        workflow = catalogue.workflow(request.workflow)
        incumbent = request.incumbent or workflow.incumbent
        if incumbent is None:
            raise InputError(
                f"Which bundle serves {workflow.name} now? No incumbent is named.",
                fix="Add --incumbent LABEL, or write incumbent: LABEL into workflow.yaml.",
            )
        old, new = catalogue.bundle(workflow.name, incumbent), catalogue.bundle(workflow.name, request.candidate)
        if old.bundle.behaviour == new.bundle.behaviour and request.old_repeats == request.new_repeats:
            raise NotComparableError(
                f"Incumbent '{old.label}' and candidate '{new.label}' behave the same to the last byte, "
                "so there is nothing to compare.",
                fix="Name another bundle. To see the noise of one, compare two of its stored runs: "
                f"segue compare {workflow.name} --incumbent {old.label} --candidate {new.label} "
                "--incumbent-repeats 0 --candidate-repeats 1",
            )
        suite = self._suite(workflow, request, old, new)
        only = CaseFilter.parse(request.only)
        only.check(self._store.iter_case_rows(suite.digest))
        notes = []
        if old.bundle.contract != new.bundle.contract:
            notes.append("The two bundles have different contracts; both arms are held to the candidate's.")
        judges = self._connections.open if self._asks else self._connections.unasked
        pairwise = [spec.name for spec in workflow.scorers if spec.type == "pairwise"]
        if pairwise:
            raise InputError(
                f"Pairwise judges ({', '.join(pairwise)}) can be asked from Python, and not yet by segue eval and compare.",
                fix="Take them out of workflow.yaml, or use a judge of single outputs (type: judge).",
            )
        bench = Bench(catalogue.workspace, self._store, judges(_judges(workflow)))
        contract = new.bundle.contract or old.bundle.contract
        before, after = (bench.prepare(workflow, named, suite=suite.digest, contract=contract) for named in (old, new))
        require_same_ruler(before, after)
        require_same_evidence(self._store, workflow, before, after, asks=self._asks)
        if reprice := need_repricing(self._store, before, after):
            require_prices(before, after, self._connections.list_price)
            notes.append(
                "The two arms were paid by different prices; the costs shown are worked out alike, from tokens, by today's."
            )
        workflow = with_primary(workflow, metrics_of(after.scorers))
        self._require_known_metrics(workflow, after)
        return Prepared(workflow, suite, before, after, only, tuple(notes), reprice)

    def _suite(self, workflow: Workflow, request: Request, old: NamedBundle, new: NamedBundle) -> SuiteRecord:
        if request.suite is not None:
            return self._catalogue.suite(workflow, request.suite)
        pinned = {one.bundle.suite for one in (old, new) if one.bundle.suite is not None}
        if len(pinned) == 1:
            return self._store.get_suite(pinned.pop())
        current = self._catalogue.suite(workflow)
        if len(pinned) > 1 and not self._asks:
            before, after = str(old.bundle.suite)[:10], str(new.bundle.suite)[:10]
            raise NotComparableError(
                f"{old.label} was measured on suite {before}, {new.label} on {after}.",
                fix=f"Choose one for both, for example --suite {after}: cases an arm lacks count as missing.",
            )
        return current

    def _require_known_metrics(self, workflow: Workflow, arm: PreparedArm) -> None:
        known = {metric.name for metric in metrics_of(arm.scorers)}
        unknown = [name for name in (*workflow.gate.primary, *workflow.gate.guardrails) if name not in known]
        if unknown:
            raise InputError(
                f"The gate names {', '.join(unknown)}, which no scorer of {workflow.name} gives.",
                fix=f"Its scorers give: {', '.join(sorted(known)) or 'nothing'}. Run segue check.",
            )

    def scope(self, request: Request) -> Scope:
        """Where the pairs of a comparison are read from, for flips and the like."""
        prepared = self.prepare(request)
        return Scope(self._store, self._question(prepared, request), prepared.old, prepared.new)

    def compare(self, request: Request, listener: Listener) -> Outcome:
        """Judge what is stored. Asks no model."""
        prepared = self.prepare(request)
        outcome = self._score(prepared, listener)
        asyncio.run(self._ask_scorers(prepared, listener, ask_models=False))
        return self._judge(prepared, request, outcome, run=None, stopped=None, progress=Progress())

    def evaluate(self, request: Request, listener: Listener, *, stop: Callable[[asyncio.Event], None]) -> Outcome:
        """Ask what is missing, score it and judge. `stop` is handed the event that ends the run early when it is set."""
        self._asks = True
        prepared = self.prepare(request)
        self._connections.open([arm.named.bundle.model.provider for _, arm in prepared.arms])
        run = self._new_run()
        repeats = request.repeats or prepared.workflow.gate.repeats
        first = 1 if repeats == "auto" else repeats
        self._check_budget(prepared, request, first, listener)
        beginning = {
            "workflow": prepared.workflow.name,
            "incumbent": prepared.old.named.bundle.digest,
            "candidate": prepared.new.named.bundle.digest,
            "suite": prepared.suite.digest,
            "only": list(request.only),
            "repeats": repeats,
        }
        self._tell_lost(prepared, listener)
        self._store.add_run(run, prepared.workflow.name, beginning, author=self._author, at=self._now())
        progress = asyncio.run(self._ask(prepared, request, run, first, repeats == "auto", listener, stop))
        scored = self._score(prepared, listener)
        outcome = self._judge(prepared, request, scored, run=run, stopped=progress.stopped, progress=progress)
        ending: Json = {
            "done": progress.done,
            "failed": progress.failed,
            "cost_microusd": round(progress.cost_microusd, 3),
            "judging_microusd": round(self._connections.judging_microusd, 3),
            "stopped": progress.stopped,
            "verdict": outcome.verdict,
        }
        self._store.finish_run(run, ending, author=self._author, at=self._now())
        return outcome

    def _check_budget(self, prepared: Prepared, request: Request, first: int, listener: Listener) -> None:
        estimates = estimate(
            self._store,
            [(name, arm.named.bundle) for name, arm in prepared.arms],
            lambda: self._cases(prepared),
            range(first),
            self._connections.price,
        )
        listener.estimated(estimates, first)
        if request.budget_microusd is None:
            return
        unknown = [one.arm for one in estimates if one.calls and one.cost_microusd is None]
        if unknown:
            raise BudgetError(
                f"A budget cannot be kept: the price of the {' and the '.join(unknown)}'s model is not known.",
                fix="Name its price under prices: in segue.yaml, or leave --budget out.",
            )
        total = sum(one.cost_microusd or 0.0 for one in estimates)
        if total > request.budget_microusd:
            raise BudgetError(
                f"One pass is estimated at {_dollars(total)}, the budget is {_dollars(request.budget_microusd)}.",
                fix="Raise --budget, or ask for fewer cases with --only.",
            )

    def _tell_lost(self, prepared: Prepared, listener: Listener) -> None:
        """Calls that an earlier run of this workflow had begun and never finished: they may have been billed."""
        lost: set[tuple[str, str, str, int]] = set()
        behaviours = {arm.behaviour for _, arm in prepared.arms}
        for run, _, _, ending in self._store.list_runs(prepared.workflow.name):
            if ending is None:
                lost |= {key for key in self._store.open_attempts(run) if key[0] in behaviours}
        if lost:
            listener.lost(len(lost))

    async def _ask(
        self,
        prepared: Prepared,
        request: Request,
        run: str,
        first: int,
        adaptive: bool,
        listener: Listener,
        stop: Callable[[asyncio.Event], None],
    ) -> Progress:
        limits = Limits(budget_microusd=request.budget_microusd)
        stop(limits.stop)
        runner = self._runner(prepared, run, listener)
        try:
            repeats = first
            while True:
                await self._perform(
                    prepared, runner, limits, listener, f"repeat {repeats}" if repeats > 1 else "first run", range(repeats)
                )
                if runner.progress.stopped or not adaptive:
                    break
                await self._ask_scorers(prepared, listener, limits=limits, progress=runner.progress)
                planned = await asyncio.to_thread(self._plan_repeats, prepared, request, repeats)
                if planned <= repeats:
                    break
                repeats = planned
            if adaptive and repeats < 3 and not runner.progress.stopped:
                flipped = await asyncio.to_thread(self._flipped, prepared, request)
                if flipped:
                    again = range(CONFIRMATION, CONFIRMATION + CONFIRMING)
                    await self._perform(prepared, runner, limits, listener, "flips once more", again, flipped)
            if not runner.progress.stopped:
                await self._ask_scorers(prepared, listener, limits=limits, progress=runner.progress)
        finally:
            await self._connections.close()
        return runner.progress

    async def _perform(
        self,
        prepared: Prepared,
        runner: Runner,
        limits: Limits,
        listener: Listener,
        what: str,
        repeats: range,
        case_ids: frozenset[str] | None = None,
    ) -> None:
        arms = [(name, arm.named.bundle) for name, arm in prepared.arms if arm.named.bundle.model.provider != RECORDED]

        def cases() -> Iterator[Case]:
            return self._cases(prepared, case_ids)

        planned = sum(1 for _ in missing_calls(self._store, arms, cases, repeats))
        listener.began(what, planned)
        if planned:
            await runner.perform(missing_calls(self._store, arms, cases, repeats), limits, planned=planned)

    def _runner(self, prepared: Prepared, run: str, listener: Listener) -> Runner:
        primary = prepared.workflow.gate.primary[0] if prepared.workflow.gate.primary else None
        better = {metric.name: metric.better for metric in metrics_of(prepared.new.scorers)}
        by_arm: Mapping[ArmName, Sequence[Scorer]] = {
            name: [one for one in arm.scorers if isinstance(one, Scorer)] for name, arm in prepared.arms
        }

        def score_now(arm: ArmName, case: Case, exchange: Exchange) -> Mapping[str, Sequence[Score]]:
            keys = prepared.old if arm == "incumbent" else prepared.new
            return {keys.key_of(scorer): scorer.score(case, exchange) for scorer in by_arm[arm]}

        return Runner(
            self._store,
            run=run,
            ask=self._connections.ask,
            render=lambda call: render_request(call.bundle, call.case, call.repeat),
            concurrency=self._connections.concurrency(),
            now=self._now,
            score_now=score_now,
            primary=primary,
            better=better.get(primary or "", "higher"),
            on_progress=listener.progressed,
        )

    def _cases(self, prepared: Prepared, case_ids: frozenset[str] | None = None) -> Iterator[Case]:
        rows = self._store.iter_case_rows(prepared.suite.digest)
        for case, row in zip(self._store.iter_cases(prepared.suite.digest), rows, strict=True):
            if prepared.only.admits(row) and (case_ids is None or case.case_id in case_ids):
                yield case

    def _plan_repeats(self, prepared: Prepared, request: Request, done: int) -> int:
        self._score(prepared, Listener())
        # A run that was killed may have left some of the repeats that are only decided on here: they must not sway it.
        runs = frozenset(range(done))
        found = gather(self._store, self._question(prepared, replace(request, old_repeats=runs, new_repeats=runs)))
        return plan_uniform_repeats(found.tally, prepared.workflow.gate, critical=found.slices.critical, done=done)

    def _flipped(self, prepared: Prepared, request: Request) -> frozenset[str]:
        """Cases whose first primary metric flips, either way: re-running both kinds keeps the choice blind to who is ahead."""
        scope = Scope(self._store, self._question(prepared, request), prepared.old, prepared.new)
        flipped: set[str] = set()
        for metric in prepared.workflow.gate.primary[:1]:
            pairs = scope.pairs(metric, most=None)
            if pairs is not None:
                flipped.update(
                    pair.case.case_id for pair in pairs.where(lambda old, new: None not in (old, new) and old != new)
                )
        return frozenset(flipped)

    def _score(self, prepared: Prepared, listener: Listener) -> ScoringOutcome:
        """Let the pure scorers score what is stored."""
        outcome = ScoringOutcome()
        for _, arm in prepared.arms:
            pure = [(one, arm.key_of(one)) for one in arm.scorers if isinstance(one, Scorer)]
            outcome += score_stored(self._store, prepared.suite.digest, arm.behaviour, pure, on_scored=listener.scored)
        return outcome

    async def _ask_scorers(
        self,
        prepared: Prepared,
        listener: Listener,
        *,
        limits: Limits | None = None,
        progress: Progress | None = None,
        ask_models: bool = True,
    ) -> None:
        """Let scorers with effects score what is stored. Without `ask_models`, what judges said before counts."""
        types = {spec.name: spec.type for spec in prepared.workflow.scorers}
        asked = [
            Asked(one, arm.behaviour, arm.key_of(one))
            for _, arm in prepared.arms
            for one in arm.scorers
            if not isinstance(one, Scorer) and (ask_models or types.get(one.identity.name) not in ASKED_TYPES)
        ]
        if not asked:
            return

        def may_go_on() -> bool:
            if limits is None or progress is None:
                return True
            if limits.stop.is_set():
                progress.stopped = "interrupted"
            elif limits.budget_microusd is not None:
                spent = progress.cost_microusd + self._connections.judging_microusd
                if spent >= limits.budget_microusd:
                    progress.stopped = "budget"
            return progress.stopped is None

        outcome = await ask_scorers(self._store, prepared.suite.digest, asked, may_go_on=may_go_on, on_scored=listener.scored)
        self._broken = outcome.broken

    def _question(self, prepared: Prepared, request: Request) -> Question:
        metrics = metrics_of(prepared.new.scorers)
        return Question(
            workflow=prepared.workflow,
            old=Side(prepared.old.arm, ArmRef(prepared.old.behaviour, prepared.old.digests, request.old_repeats)),
            new=Side(prepared.new.arm, ArmRef(prepared.new.behaviour, prepared.new.digests, request.new_repeats)),
            suite=prepared.suite.digest,
            suite_name=prepared.suite.name,
            metrics=metrics,
            scorers={one.identity.name: one.identity.digest for one in prepared.new.scorers},
            applies=Applicability(prepared.workflow, metrics),
            only=prepared.only,
            signed_off=request.signed_off,
            reprice=(self._cost_of(prepared.old), self._cost_of(prepared.new)) if prepared.reprice else None,
        )

    def _cost_of(self, arm: PreparedArm) -> CostOf:
        bundle = arm.named.bundle
        return lambda row: self._connections.list_price(
            bundle, Usage(row.input_tokens, row.output_tokens, row.reasoning_tokens)
        )

    def _judge(
        self,
        prepared: Prepared,
        request: Request,
        scored: ScoringOutcome,
        *,
        run: str | None,
        stopped: str | None,
        progress: Progress,
    ) -> Outcome:
        question = self._question(prepared, request)
        found = gather(self._store, question)
        scope = Scope(self._store, question, prepared.old, prepared.new)
        insights = look_behind(scope, found) if found.coverage.common else Insights()
        notes = [*prepared.notes, *_remarks(found, scored.broken + self._broken, stopped)]
        report = conclude(question, found, insights, at=self._now(), run=run, notes=notes)
        body = report.as_json()
        verdict = digest_of(body)
        self._store.add_verdict(verdict, prepared.workflow.name, body, author=self._author, at=report.at)
        return Outcome(report, verdict, stopped, replace(progress))


def _dollars(microusd: float) -> str:
    """An amount with as many digits as tell it from a near one."""
    return f"${microusd / 1e6:.2f}" if microusd >= 1e6 else f"${microusd / 1e6:.4f}"


def _judges(workflow: Workflow) -> Iterator[str]:
    """The providers that the workflow's judges ask."""
    for spec in workflow.scorers:
        provider = spec.settings().get("provider")
        if spec.type in ("judge", "pairwise") and isinstance(provider, str):
            yield provider


def _remarks(found: Findings, broken: int, stopped: str | None) -> Iterator[str]:
    if broken:
        yield f"A scorer itself broke on {broken} outputs; they count as unscored. Run again to try once more."
    if found.coverage.stale:
        yield f"{found.coverage.stale} stored results belong to an earlier text of their case and were not used."
    total = [one for one in found.findings if one.where == TOTAL and one.rerun]
    for one in total:
        yield f"{one.confirmed} of {one.rerun} negative flips of {one.metric} held when they were run again."
    words = {
        "interrupted": "The run was interrupted; this is judged on what was finished. Run the same command to go on.",
        "budget": "The budget was reached; this is judged on what was finished.",
        "unpriced": "A reply came without its price, so the budget could not be kept; this is judged on what was finished.",
        "failing": "The run was stopped: the provider answered nothing but failures.",
    }
    if stopped is not None:
        yield words[stopped]


__all__ = ["Call", "Listener", "Outcome", "Prepared", "Request", "Session"]
