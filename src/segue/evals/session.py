"""One eval or comparison from a user's words to a stored verdict: prepared, asked, judged, concluded.

The stages are in modules of their own (`preparing`, `asking`, `judging`, `spending`); here they are put in order, and what is
recorded of a run is written.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace

from segue.errors import ConflictError
from segue.evals.asking import Asking, Wire, cases_of, score_pure
from segue.evals.catalogue import Catalogue
from segue.evals.compare import Findings, Insights, conclude, gather
from segue.evals.connections import Connections
from segue.evals.forecast import Forecast, estimate_judges, longest_ways
from segue.evals.insights import look_behind
from segue.evals.judge_calls import JudgeCalls
from segue.evals.judgements import judging_of, preference_notes
from segue.evals.judging import Judging
from segue.evals.plan import Call, estimate
from segue.evals.preparing import Preparing, question_of
from segue.evals.purse import Purse
from segue.evals.request import Listener, Outcome, Prepared, Request
from segue.evals.scope import Scope
from segue.evals.scoring_pass import ScoringOutcome
from segue.evals.spending import Spent, check_budget, spent_before, spent_now
from segue.model import Json, digest_of
from segue.store.base import Claim, Store


class Session:
    """Performs requests against one workspace and store. Clock, randomness and run identifiers come in."""

    def __init__(
        self, catalogue: Catalogue, connections: Connections, *, now: Callable[[], str], author: str, new_run: Callable[[], str]
    ) -> None:
        self._catalogue, self._connections = catalogue, connections
        self._store: Store = catalogue.store
        self._now, self._author, self._new_run = now, author, new_run
        self._calls = JudgeCalls(self._store, now=now)

    def prepare(self, request: Request) -> Prepared:
        """Resolve names, build scorers, check that both arms can be compared. Asks no model."""
        return self._prepare(request, asks=False)

    def _prepare(self, request: Request, *, asks: bool) -> Prepared:
        return Preparing(self._catalogue, self._connections, self._calls, asks=asks).prepare(request)

    def scope(self, request: Request) -> Scope:
        """Where the pairs of a comparison are read from, for flips and the like."""
        prepared = self.prepare(request)
        return Scope(self._store, question_of(prepared, request, self._connections), prepared.old, prepared.new)

    def compare(self, request: Request, listener: Listener) -> Outcome:
        """Judge what is stored. Asks no model."""
        prepared = self.prepare(request)
        scored = score_pure(self._store, prepared, listener.scored)
        judging = Judging(self._store, self._connections, self._calls, prepared)
        scored += asyncio.run(judging.ask_others(listener.scored))
        return self._judge(prepared, request, scored)

    def evaluate(self, request: Request, listener: Listener, *, stop: Wire) -> Outcome:
        """Ask what is missing, score it and judge. `stop` is handed the event that ends the run early when it is set.

        `ConflictError` while another eval of the same workflow is under way: both would ask and pay for the same.
        """
        prepared = self._prepare(request, asks=True)
        self._connections.open([arm.named.bundle.model.provider for _, arm in prepared.arms])
        run, name = self._new_run(), f"eval {prepared.workflow.name}"
        holder = self._store.claim(name, Claim(run, self._now(), self._author))
        if holder is not None:
            raise _running(prepared.workflow.name, holder)
        try:
            return self._evaluate(prepared, request, run, listener, stop)
        finally:
            self._store.release(name)

    def _evaluate(self, prepared: Prepared, request: Request, run: str, listener: Listener, stop: Wire) -> Outcome:
        repeats = request.repeats or prepared.workflow.gate.repeats
        first = 1 if repeats == "auto" else repeats
        beginning = {
            "workflow": prepared.workflow.name,
            "incumbent": prepared.old.named.bundle.digest,
            "candidate": prepared.new.named.bundle.digest,
            "suite": prepared.suite.digest,
            "only": list(request.only),
            "repeats": repeats,
        }
        forecast = self._forecast(prepared, first, adaptive=repeats == "auto")
        listener.estimated(forecast)
        earlier = Spent()
        if request.budget_microusd is not None:
            earlier = spent_before(self._store, beginning, [arm.behaviour for _, arm in prepared.arms])
            if earlier.total_microusd:
                listener.counted_before(earlier, request.budget_microusd)
            check_budget(forecast, request.budget_microusd, earlier)
        self._tell_lost(prepared, listener)
        self._store.add_run(run, prepared.workflow.name, beginning, author=self._author, at=self._now())
        purse = Purse(request.budget_microusd, spent_microusd=earlier.total_microusd)
        asking = Asking(
            self._store,
            self._connections,
            self._calls,
            prepared,
            request,
            run=run,
            purse=purse,
            now=self._now,
            listener=listener,
        )
        progress = asyncio.run(asking.ask(first, stop, adaptive=repeats == "auto"))
        scored = score_pure(self._store, prepared, listener.scored) + asking.scored
        outcome = self._judge(prepared, request, scored, run=run, stopped=progress.stopped)
        spent = spent_now(progress, self._calls.progress)
        ending: Json = {
            "done": progress.done,
            "failed": progress.failed,
            "cost_microusd": round(progress.cost_microusd, 3),
            "judge_calls": spent.judge_calls,
            "judging_microusd": round(spent.judging_microusd, 3),
            "stopped": progress.stopped,
            "verdict": outcome.verdict,
        }
        self._store.finish_run(run, ending, author=self._author, at=self._now())
        return replace(outcome, progress=replace(progress), judging=self._calls.progress, spent=spent, earlier=earlier)

    def _forecast(self, prepared: Prepared, first: int, *, adaptive: bool) -> Forecast:
        ways = longest_ways(first, prepared.workflow.gate.max_repeats, adaptive=adaptive)
        needs = Judging(self._store, self._connections, self._calls, prepared).needs(
            self._catalogue.workspace.folder(prepared.workflow.name)
        )
        arms = estimate(
            self._store,
            [(name, arm.named.bundle) for name, arm in prepared.arms],
            lambda: cases_of(self._store, prepared),
            range(first),
            self._connections.price,
            at_most=ways,
        )
        judges = estimate_judges(
            self._store,
            needs,
            lambda: cases_of(self._store, prepared),
            (range(first), *ways),
            self._connections.price_of,
        )
        return Forecast(arms, judges, first)

    def _tell_lost(self, prepared: Prepared, listener: Listener) -> None:
        """Calls that an earlier run of this workflow had begun and never finished: they may have been billed."""
        lost: set[tuple[str, str, str, int]] = set()
        judges = Judging(self._store, self._connections, self._calls, prepared).behaviours()
        behaviours = {*(arm.behaviour for _, arm in prepared.arms), *judges}
        for run, _, _, ending in self._store.list_runs(prepared.workflow.name):
            if ending is None:
                lost |= {key for key in self._store.open_attempts(run) if key[0] in behaviours}
        if lost:
            listener.lost(len(lost))

    def _judge(
        self,
        prepared: Prepared,
        request: Request,
        scored: ScoringOutcome,
        *,
        run: str | None = None,
        stopped: str | None = None,
    ) -> Outcome:
        question = question_of(prepared, request, self._connections)
        found = gather(self._store, question)
        scope = Scope(self._store, question, prepared.old, prepared.new)
        insights = look_behind(scope, found) if found.coverage.common else Insights()
        judging = judging_of(scope)
        notes = [*prepared.notes, *preference_notes(judging), *_remarks(found, scored, stopped)]
        report = conclude(question, found, insights, at=self._now(), run=run, notes=notes)
        report = replace(report, judging=judging)
        body = report.as_json()
        verdict = digest_of(body)
        self._store.add_verdict(verdict, prepared.workflow.name, body, author=self._author, at=report.at)
        return Outcome(report, verdict, stopped)


def _running(workflow: str, holder: Claim) -> ConflictError:
    who = f"{holder.author or 'somebody'} began it at {holder.at}" if holder.at else "it has just begun"
    return ConflictError(
        f"An eval of {workflow} is running already ({holder.run or 'a run'}; {who}), and two would pay twice for the same.",
        fix="Wait for it to end, or stop it there with Ctrl-C: what it has finished is kept, and is not asked again.",
    )


def _remarks(found: Findings, scored: ScoringOutcome, stopped: str | None) -> Iterator[str]:
    if scored.broken:
        outputs = "1 output; it counts" if scored.broken == 1 else f"{scored.broken:,} outputs; they count"
        such = f" For example: {'; '.join(scored.examples)}." if scored.examples else ""
        yield f"A scorer itself broke on {outputs} as unscored.{such} Run again to try once more."
    if found.coverage.stale:
        yield f"{found.coverage.stale} stored results belong to an earlier text of their case and were not used."
    words = {
        "interrupted": "The run was interrupted; this is judged on what was finished. Run the same command to go on.",
        "budget": "The budget was reached; this is judged on what was finished.",
        "unpriced": "A reply came without its price, so the budget could not be kept; this is judged on what was finished.",
        "failing": "The run was stopped: the provider answered nothing but failures.",
    }
    if stopped is not None:
        yield words[stopped]


__all__ = ["Call", "Listener", "Outcome", "Prepared", "Request", "Session"]
