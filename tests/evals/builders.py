"""The smallest runs, so that a test shows only what matters to it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from segue.evals.plan import ArmName, Call, missing_calls
from segue.evals.run import Limits, Progress, Runner
from segue.model import Bundle, Case, Exchange, Failure, Message, ModelRef, Prompt, Reply, Score
from segue.providers.base import ModelOutcome, ModelRequest
from segue.providers.rendering import render_request
from segue.store import Store

AT = "2026-03-01T12:00:00Z"
WHO = {"author": "ada", "at": AT}


def a_case(case_id: str, **fields: Any) -> Case:
    """A case with one message of its own."""
    return Case(case_id=case_id, messages=(Message(role="user", content=f"Where is {case_id}?"),), **fields)


def some_cases(n: int) -> list[Case]:
    """`n` cases, in order of their ids."""
    return [a_case(f"c{number:04}") for number in range(n)]


def a_bundle(snapshot: str, *, workflow: str = "mail", system: str = "") -> Bundle:
    """A bundle of one model."""
    return Bundle(workflow=workflow, model=ModelRef(provider="p", snapshot=snapshot), prompt=Prompt(system=system))


OLD, NEW = a_bundle("old-1"), a_bundle("new-2")
ARMS: tuple[tuple[ArmName, Bundle], ...] = (("incumbent", OLD), ("candidate", NEW))

Answer = Callable[[Call], ModelOutcome]


def reply(text: str = "yes", cost: float | None = 10.0) -> ModelOutcome:
    """A reply with its cost."""
    return ModelOutcome(reply=Reply(text), latency_ms=5.0, cost_microusd=cost)


def failure(kind: str = "server") -> ModelOutcome:
    """A failure, which costs nothing."""
    return ModelOutcome(failure=Failure(kind))  # type: ignore[arg-type]


class Model:
    """Answers calls as it is told, notes every one, and can hold them until it is let go."""

    def __init__(self, answer: Answer = lambda _: reply(), *, held: bool = False) -> None:
        self.answer = answer
        self.calls: list[Call] = []
        self.in_flight = self.most_in_flight = 0
        self.let_go = asyncio.Event()
        self.changed = asyncio.Event()
        if not held:
            self.let_go.set()

    @property
    def asked(self) -> Counter[tuple[str, str, int]]:
        """How often each `(arm, case, repeat)` was asked."""
        return Counter((call.arm, call.case.case_id, call.repeat) for call in self.calls)

    async def ask(self, call: Call, request: ModelRequest) -> ModelOutcome:
        """One call."""
        self.calls.append(call)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        self.changed.set()
        try:
            await self.let_go.wait()
            await asyncio.sleep(0)
            return self.answer(call)
        finally:
            self.in_flight -= 1

    async def wait_for_calls(self, n: int) -> None:
        """Until `n` calls have come."""
        while len(self.calls) < n:
            self.changed.clear()
            await self.changed.wait()


def right_if_yes(arm: ArmName, case: Case, exchange: Exchange) -> Mapping[str, Sequence[Score]]:
    """Right exactly if the answer is yes."""
    assert exchange.reply is not None
    return {"digest-of-right": [Score("right", float(exchange.reply.text == "yes"))]}


def a_runner(store: Store, model: Model, *, run: str = "run-1", concurrency: int = 4, **fields: Any) -> Runner:
    """A runner of the metric `right`."""
    given: dict[str, Any] = {"score_now": right_if_yes, "primary": "right", **fields}
    return Runner(
        store,
        run=run,
        ask=model.ask,
        render=lambda call: render_request(call.bundle, call.case, call.repeat),
        concurrency=concurrency,
        now=lambda: AT,
        **given,
    )


async def perform(
    store: Store,
    model: Model,
    cases: Sequence[Case],
    *,
    limits: Limits | None = None,
    repeats: Iterable[int] = (0,),
    arms: Sequence[tuple[ArmName, Bundle]] = ARMS,
    **fields: Any,
) -> Progress:
    """Ask what is missing, once."""
    wanted = tuple(repeats)
    planned = sum(1 for _ in missing_calls(store, arms, lambda: cases, wanted))
    runner = a_runner(store, model, **fields)
    return await runner.perform(missing_calls(store, arms, lambda: cases, wanted), limits or Limits(), planned=planned)


def stored(store: Store) -> set[tuple[str, str, int]]:
    """`(arm, case, repeat)` of every stored reply."""
    return {(arm, case_id, repeat) for arm, bundle in ARMS for case_id, _, repeat in store.finished(bundle.behaviour)}
