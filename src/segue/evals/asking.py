"""The asking stage of an eval: runs of every case, as many as the noise asks for, judged in between, flips once more.

What one call is, and how it is kept, is `run`'s; which calls are missing is `plan`'s. The decisions here hang on what is stored
and not on how it came there, so that a run that was cut off decides as an undisturbed one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from segue.evals.arms import metrics_of
from segue.evals.compare import gather
from segue.evals.connections import RECORDED, Connections
from segue.evals.forecast import CONFIRMING, FEW_RUNS
from segue.evals.judge_calls import JudgeCalls
from segue.evals.judging import Judging
from segue.evals.plan import ArmName, missing_calls
from segue.evals.preparing import question_of
from segue.evals.purse import Purse
from segue.evals.request import Listener, Prepared, Request
from segue.evals.run import Limits, Progress, Runner
from segue.evals.scope import Scope
from segue.evals.scoring_pass import ScoringOutcome, score_stored
from segue.gates.repeats import plan_uniform_repeats
from segue.gates.tally import CONFIRMATION
from segue.model import Case, Exchange, Score
from segue.providers.rendering import render_request
from segue.scoring.base import Scorer
from segue.store.base import Store

Wire = Callable[[asyncio.Event], None]
"""Is handed the event that ends the run early when it is set."""


def score_pure(store: Store, prepared: Prepared, on_scored: Callable[[int], None] | None = None) -> ScoringOutcome:
    """Let the pure scorers score what is stored."""
    outcome = ScoringOutcome()
    for _, arm in prepared.arms:
        pure = [(one, arm.key_of(one)) for one in arm.scorers if isinstance(one, Scorer)]
        outcome += score_stored(store, prepared.suite.digest, arm.behaviour, pure, on_scored=on_scored)
    return outcome


def cases_of(store: Store, prepared: Prepared, case_ids: frozenset[str] | None = None) -> Iterator[Case]:
    """The cases that are asked for, or those of them that are named."""
    rows = store.iter_case_rows(prepared.suite.digest)
    for case, row in zip(store.iter_cases(prepared.suite.digest), rows, strict=True):
        if prepared.only.admits(row) and (case_ids is None or case.case_id in case_ids):
            yield case


class Asking:
    """One run: asks what is missing, within a purse, until it is done or stopped."""

    def __init__(
        self,
        store: Store,
        connections: Connections,
        calls: JudgeCalls,
        prepared: Prepared,
        request: Request,
        *,
        run: str,
        purse: Purse,
        now: Callable[[], str],
        listener: Listener,
    ) -> None:
        self._store, self._connections, self._calls = store, connections, calls
        self._prepared, self._request, self._listener = prepared, request, listener
        self._judging = Judging(store, connections, calls, prepared)
        self._run, self._purse, self._now = run, purse, now
        self._limits = Limits(budget_microusd=request.budget_microusd)
        self._runner = self._make_runner()
        self.scored = ScoringOutcome()
        """Outputs that a scorer with effects could not score, in the last pass."""

    async def ask(self, first: int, wire: Wire, *, adaptive: bool) -> Progress:
        """Ask for `first` runs of each case; if `adaptive`, for as many more as the noise asks for."""
        wire(self._limits.stop)
        self._calls.begin(self._run, self._connections.ask_provider, self._purse, is_stopped=self._limits.stop.is_set)
        progress = self._runner.progress
        try:
            repeats = first
            while True:
                await self._perform(f"repeat {repeats}" if repeats > 1 else "first run", range(repeats))
                if progress.stopped or not adaptive:
                    break
                await self._judge()
                planned = repeats if progress.stopped else await asyncio.to_thread(self._plan_repeats, repeats)
                if planned <= repeats:
                    break
                repeats = planned
            if adaptive and repeats < FEW_RUNS and not progress.stopped:
                flipped = await asyncio.to_thread(self._flipped)
                if flipped:
                    await self._perform("flips once more", range(CONFIRMATION, CONFIRMATION + CONFIRMING), flipped)
            if not progress.stopped:
                await self._judge()
        finally:
            await self._connections.close()
        return progress

    async def _perform(self, what: str, repeats: range, case_ids: frozenset[str] | None = None) -> None:
        prepared, store = self._prepared, self._store
        arms = [(name, arm.named.bundle) for name, arm in prepared.arms if arm.named.bundle.model.provider != RECORDED]

        def cases() -> Iterator[Case]:
            return cases_of(store, prepared, case_ids)

        planned = sum(1 for _ in missing_calls(store, arms, cases, repeats))
        self._listener.began(what, planned)
        if planned:
            await self._runner.perform(missing_calls(store, arms, cases, repeats), self._limits, planned=planned)

    async def _judge(self) -> None:
        """Let scorers with effects score what is stored; a judge that may not be asked any more ends the run."""
        progress, listener = self._runner.progress, self._listener

        def may_go_on() -> bool:
            return self._calls.refused is None and not self._limits.stop.is_set()

        outcome = await self._judging.ask_others(listener.scored, may_go_on=may_go_on)
        n_open = await asyncio.to_thread(self._judging.n_open)
        if n_open:
            listener.began("judging", n_open)
        done = 0

        def judged(outputs: int) -> None:
            nonlocal done
            done += outputs
            listener.judged(done, self._calls.progress)

        outcome += await self._judging.ask(may_go_on=may_go_on, on_judged=judged)
        self.scored = outcome
        if self._limits.stop.is_set():
            progress.stopped = "interrupted"
        elif self._calls.refused is not None:
            progress.stopped = self._calls.refused

    def _make_runner(self) -> Runner:
        prepared = self._prepared
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
            run=self._run,
            ask=self._connections.ask,
            render=lambda call: render_request(call.bundle, call.case, call.repeat),
            concurrency=self._connections.concurrency(),
            now=self._now,
            score_now=score_now,
            primary=primary,
            better=better.get(primary or "", "higher"),
            on_progress=self._listener.progressed,
            purse=self._purse,
        )

    def _plan_repeats(self, done: int) -> int:
        score_pure(self._store, self._prepared)
        # A run that was killed may have left some of the repeats that are only decided on here: they must not sway it.
        runs = frozenset(range(done))
        request = replace(self._request, old_repeats=runs, new_repeats=runs)
        found = gather(self._store, question_of(self._prepared, request, self._connections))
        gate = self._prepared.workflow.gate
        return plan_uniform_repeats(found.tally, gate, critical=found.slices.critical, done=done)

    def _flipped(self) -> frozenset[str]:
        """Cases whose first primary metric flips, either way: re-running both kinds keeps the choice blind to who is ahead."""
        question = question_of(self._prepared, self._request, self._connections)
        scope = Scope(self._store, question, self._prepared.old, self._prepared.new)
        flipped: set[str] = set()
        for metric in self._prepared.workflow.gate.primary[:1]:
            pairs = scope.pairs(metric, most=None)
            if pairs is not None:
                flipped.update(
                    pair.case.case_id for pair in pairs.where(lambda old, new: None not in (old, new) and old != new)
                )
        return frozenset(flipped)
