"""Questions to judges: paid once, remembered, within the purse."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from segue.evals.judge_calls import GIVE_UP_AFTER_FAILURES, JudgeCalls, NotAskedError, judge_behaviour
from segue.evals.purse import Purse
from segue.model import Failure, Parameters, Reply
from segue.providers.base import ModelOutcome, ModelRequest
from segue.store.memory import MemoryStore
from tests.evals.builders import AT

BEHAVIOUR = judge_behaviour("judges", "j-1", Parameters())


def a_question(key: str = "q", case_id: str = "c1") -> ModelRequest:
    """A question about a case, by its key."""
    return ModelRequest("j-1", (), "", Parameters(), (), idempotency_key=key, case_id=case_id)


def pass_at(cost: float | None) -> ModelOutcome:
    """A verdict at this price."""
    return ModelOutcome(reply=Reply("pass"), cost_microusd=cost)


class Judge:
    """A provider's judge that notes what it is asked."""

    def __init__(self, outcome: Callable[[ModelRequest], ModelOutcome] = lambda _: pass_at(5.0)) -> None:
        self.outcome = outcome
        self.asked: list[str] = []

    async def ask(self, name: str, request: ModelRequest) -> ModelOutcome:
        self.asked.append(request.idempotency_key)
        await asyncio.sleep(0)
        return self.outcome(request)


def begun(store: MemoryStore, judge: Judge, **given: Any) -> JudgeCalls:
    """Calls of a run that has begun."""
    calls = JudgeCalls(store, now=lambda: AT)
    stop = given.pop("stop", lambda: False)
    calls.begin("run-1", judge.ask, given.pop("purse", Purse()), is_stopped=stop)
    return calls


async def test_a_question_is_paid_once_and_remembered_by_whoever_comes_later() -> None:
    """With its cost; another question about the same case is another one."""
    store, judge = MemoryStore(), Judge()
    calls = begun(store, judge)
    for key in ("q", "q", "other"):
        assert (await calls.ask("judges", a_question(key))).cost_microusd == 5.0
    assert judge.asked == ["q", "other"]
    assert (calls.progress.calls, calls.progress.cost_microusd) == (2, 10.0)
    later = JudgeCalls(store, now=lambda: AT)
    found = await later.ask("judges", a_question())
    assert (found.reply, found.cost_microusd) == (Reply("pass"), 5.0)
    assert later.cases_of(BEHAVIOUR) == {"c1"}
    with pytest.raises(NotAskedError, match="stored only"):
        await later.ask("judges", a_question("new"))
    assert later.refused is None


async def test_of_many_that_ask_the_same_at_once_one_does() -> None:
    """They all have its answer, or its error."""
    judge = Judge()
    calls = begun(MemoryStore(), judge)
    found = await asyncio.gather(*(calls.ask("judges", a_question()) for _ in range(5)))
    assert (judge.asked, len({id(one.reply) for one in found})) == (["q"], 1)
    stored_only = JudgeCalls(MemoryStore(), now=lambda: AT)
    failed = await asyncio.gather(*(stored_only.ask("judges", a_question()) for _ in range(5)), return_exceptions=True)
    assert [type(one) for one in failed] == [NotAskedError] * 5


async def test_another_provider_model_or_dial_is_another_judge() -> None:
    """Their answers are not each other's."""
    judge = Judge()
    calls = begun(MemoryStore(), judge)
    await calls.ask("judges", a_question())
    await calls.ask("elsewhere", a_question())
    assert judge.asked == ["q", "q"]
    assert (
        len({BEHAVIOUR, judge_behaviour("judges", "j-1", Parameters(temperature=0)), judge_behaviour("j", "j-1", Parameters())})
        == 3
    )


async def test_a_question_is_noted_before_it_is_sent() -> None:
    """What was sent and never answered is known afterwards."""
    store = MemoryStore()

    def dies(_: ModelRequest) -> ModelOutcome:
        assert store.open_attempts("run-1") == {(BEHAVIOUR, "c1", "q", 0)}
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await begun(store, Judge(dies)).ask("judges", a_question())
    assert store.open_attempts("run-1") == {(BEHAVIOUR, "c1", "q", 0)}


async def test_a_failure_is_kept_as_one_and_asked_again() -> None:
    """It is no answer; what was said of it is counted."""
    store = MemoryStore()
    judge = Judge(lambda _: ModelOutcome(failure=Failure("timeout", "too slow")))
    calls = begun(store, judge)
    for _ in range(2):
        assert (await calls.ask("judges", a_question())).failure is not None
    assert judge.asked == ["q", "q"]
    assert calls.progress.failures == {"judges: timeout: too slow": 2}
    assert store.finished(BEHAVIOUR) == set()
    assert store.open_attempts("run-1") == set()


async def test_after_many_failures_in_a_row_nothing_more_is_asked() -> None:
    """One that goes through begins the count anew."""
    judge = Judge(lambda one: ModelOutcome(failure=Failure("server")) if one.idempotency_key != "well" else pass_at(1.0))
    calls = begun(MemoryStore(), judge)
    keys = [*(f"a{n}" for n in range(GIVE_UP_AFTER_FAILURES - 1)), "well", *(f"b{n}" for n in range(GIVE_UP_AFTER_FAILURES))]
    for key in keys:
        await calls.ask("judges", a_question(key))
    with pytest.raises(NotAskedError, match="failing"):
        await calls.ask("judges", a_question("one more"))
    assert calls.refused == "failing"


async def test_questions_are_paid_from_the_purse_of_the_run() -> None:
    """What earlier runs spent is in it; once it is empty, it stays so."""
    purse = Purse(100.0, spent_microusd=60.0)
    judge = Judge(lambda _: pass_at(15.0))
    calls = begun(MemoryStore(), judge, purse=purse)
    for key in ("a", "b"):
        await calls.ask("judges", a_question(key))
    for key in ("c", "d"):
        with pytest.raises(NotAskedError, match="budget"):
            await calls.ask("judges", a_question(key))
    assert (judge.asked, purse.spent_microusd, calls.refused) == (["a", "b"], 90.0, "budget")
    assert (await calls.ask("judges", a_question("a"))).cost_microusd == 15.0


async def test_an_answer_without_a_price_ends_a_run_with_a_budget() -> None:
    """Unknown is not zero."""
    calls = begun(MemoryStore(), Judge(lambda _: pass_at(None)), purse=Purse(100.0))
    await calls.ask("judges", a_question("a"))
    with pytest.raises(NotAskedError, match="unpriced"):
        await calls.ask("judges", a_question("b"))
    assert calls.progress.unpriced == 1


async def test_a_run_that_is_stopped_asks_nothing_more() -> None:
    """And keeps no money back for it."""
    purse, judge = Purse(100.0), Judge()
    calls = begun(MemoryStore(), judge, purse=purse, stop=lambda: True)
    with pytest.raises(NotAskedError, match="interrupted"):
        await calls.ask("judges", a_question())
    assert judge.asked == []
    assert await purse.reserve(f"judge {BEHAVIOUR}") is None
