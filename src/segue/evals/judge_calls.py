"""Questions to judges: each is paid for once, and kept like any other exchange.

A question's key is a digest of everything it holds: who judges, the rubric, the case as the judge sees it, the outputs. What
was answered under a key is never asked again, not by another repeat with the same output, nor for a suite in which other cases
have changed. Like a call to a bundle it is noted before it is sent, so that a later run knows what may have been lost.

It must not know what a verdict means. Costs are kept within the purse that it is given.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field

from segue.evals.purse import Purse
from segue.model import Exchange, Parameters, digest_of
from segue.providers.base import ModelOutcome, ModelRequest, Provider
from segue.store.base import Store

Key = tuple[str, str, str, int]
AskProvider = Callable[[str, ModelRequest], Awaitable[ModelOutcome]]
"""Asks the named provider, with manners."""
GIVE_UP_AFTER_FAILURES = 50


class NotAskedError(Exception):
    """A judge was not asked. `why` is `stored only` where nothing may be asked, else what ends the run."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


@dataclass(slots=True)
class JudgeProgress:
    """What judges were asked in this run. Costs are in millionths of a dollar; `unpriced` calls have no known cost."""

    calls: int = 0
    cost_microusd: float = 0.0
    unpriced: int = 0
    failures: Counter[str] = field(default_factory=Counter)


def judge_behaviour(provider: str, snapshot: str, parameters: Parameters) -> str:
    """Under which a judge model's exchanges are kept: what a bundle's behaviour is for a bundle."""
    dials = parameters.model_dump(mode="json", exclude_defaults=True)
    return digest_of({"judge": provider, "snapshot": snapshot, "parameters": dials})


@dataclass(frozen=True)
class _Paying:
    run: str
    ask: AskProvider
    purse: Purse
    is_stopped: Callable[[], bool]


class JudgeCalls:
    """Judges' providers, with a memory. Until `begin` they answer from memory alone."""

    def __init__(self, store: Store, *, now: Callable[[], str]) -> None:
        self._store, self._now = store, now
        self._paying: _Paying | None = None
        self._known: dict[str, set[tuple[str, str, int]]] = {}
        self._under_way: dict[Key, asyncio.Future[ModelOutcome]] = {}
        self._failures_in_a_row = 0
        self.refused: str | None = None
        """Why nothing more is asked in this run, once that is so: `budget`, `unpriced`, `interrupted`, `failing`."""
        self.progress = JudgeProgress()

    def providers(self, names: Iterable[str]) -> Mapping[str, Provider]:
        """The named providers as judges ask them."""
        return {name: _Remembering(name, self) for name in names}

    def cases_of(self, behaviour: str) -> frozenset[str]:
        """The cases that a judge model was asked about, in any words, for any suite."""
        return frozenset(case_id for case_id, _, _ in self._answered(behaviour))

    def _answered(self, behaviour: str) -> set[tuple[str, str, int]]:
        if behaviour not in self._known:
            self._known[behaviour] = self._store.finished(behaviour)
        return self._known[behaviour]

    def begin(self, run: str, ask: AskProvider, purse: Purse, *, is_stopped: Callable[[], bool]) -> None:
        """From here on what is not remembered is asked, for this run and out of this purse, until it is stopped."""
        self._paying = _Paying(run, ask, purse, is_stopped)
        self._failures_in_a_row = 0

    async def ask(self, name: str, request: ModelRequest) -> ModelOutcome:
        """What is remembered, else what the provider says. `NotAskedError` where it may not be asked.

        Of several that ask the same at the same time, one does.
        """
        behaviour = judge_behaviour(name, request.snapshot, request.parameters)
        key = (behaviour, request.case_id, request.idempotency_key, 0)
        if key in self._under_way:
            return await asyncio.shield(self._under_way[key])
        answer: asyncio.Future[ModelOutcome] = asyncio.get_running_loop().create_future()
        self._under_way[key] = answer
        try:
            outcome = await asyncio.to_thread(self._recall, key) or await self._pay(name, request, key)
        except BaseException as error:
            if isinstance(error, Exception):
                answer.set_exception(error)
                answer.exception()  # told to whoever waits; where nobody does, it is no loss
            else:
                answer.cancel()
            raise
        finally:
            del self._under_way[key]
        answer.set_result(outcome)
        return outcome

    def _recall(self, key: Key) -> ModelOutcome | None:
        behaviour, case_id, question, _ = key
        if key[1:] not in self._answered(behaviour):
            return None
        for found in self._store.iter_exchanges(behaviour, case_ids=[case_id]):
            if found.input_digest == question and found.reply is not None:
                return ModelOutcome(
                    reply=found.reply,
                    usage=found.usage,
                    latency_ms=found.latency_ms,
                    ttft_ms=found.ttft_ms,
                    cost_microusd=found.cost_microusd,
                    cost_source=found.cost_source,
                )
        return None

    async def _pay(self, name: str, request: ModelRequest, key: Key) -> ModelOutcome:
        paying = self._paying
        if paying is None:
            raise NotAskedError("stored only")
        who = f"judge {key[0]}"
        self.refused = self.refused or await self._refusal(paying, who)
        if self.refused is not None:
            raise NotAskedError(self.refused)
        outcome: ModelOutcome | None = None
        try:
            await asyncio.to_thread(self._store.begin_attempts, paying.run, [key])
            outcome = await paying.ask(name, request)
        finally:
            paying.purse.settle(who, outcome)
        await asyncio.to_thread(self._store.add_exchanges, [self._exchange(key, outcome)])
        if outcome.reply is not None:
            self._known[key[0]].add(key[1:])
        self._count(name, outcome)
        return outcome

    async def _refusal(self, paying: _Paying, who: str) -> str | None:
        """Why one more question may not be asked; `None` with its money kept back where it may."""
        if self._failures_in_a_row >= GIVE_UP_AFTER_FAILURES:
            return "failing"
        reason = await paying.purse.reserve(who)
        if reason is None and paying.is_stopped():
            paying.purse.settle(who, None)
            return "interrupted"
        return reason

    def _exchange(self, key: Key, outcome: ModelOutcome) -> Exchange:
        return Exchange(
            *key,
            reply=outcome.reply,
            failure=outcome.failure,
            usage=outcome.usage,
            latency_ms=outcome.latency_ms,
            ttft_ms=outcome.ttft_ms,
            cost_microusd=outcome.cost_microusd,
            cost_source=outcome.cost_source,
            at=self._now(),
        )

    def _count(self, name: str, outcome: ModelOutcome) -> None:
        progress = self.progress
        progress.calls += 1
        if outcome.failure is not None:
            self._failures_in_a_row += 1
            progress.failures[f"{name}: {outcome.failure.kind}: {outcome.failure.detail}"] += 1
        else:
            self._failures_in_a_row = 0
        if outcome.cost_microusd is not None:
            progress.cost_microusd += outcome.cost_microusd
        elif outcome.reply is not None:
            progress.unpriced += 1


class _Remembering:
    """A provider as judges ask it. It is closed by who opened the connection behind it."""

    def __init__(self, name: str, calls: JudgeCalls) -> None:
        self.name = name
        self._calls = calls

    async def ask(self, request: ModelRequest) -> ModelOutcome:
        """Ask, or remember."""
        return await self._calls.ask(self.name, request)

    async def close(self) -> None:
        """Nothing is held open here."""
