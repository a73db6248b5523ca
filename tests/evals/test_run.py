"""The runner: asks what is missing, keeps what is finished, stops where it is told to."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import pytest

from segue.errors import InputError, StoreError
from segue.evals.plan import Call
from segue.evals.run import Limits, Progress
from segue.model import Exchange, Score
from segue.providers.base import ModelOutcome
from segue.store.memory import MemoryStore
from tests.evals.builders import (
    ARMS,
    NEW,
    OLD,
    Model,
    a_bundle,
    a_runner,
    failure,
    perform,
    reply,
    right_if_yes,
    some_cases,
    stored,
)


async def test_asks_every_case_of_both_arms_once() -> None:
    """Ten cases, two arms, twenty calls, all stored."""
    store, model = MemoryStore(), Model()
    progress = await perform(store, model, some_cases(10))
    assert set(model.asked.values()) == {1}
    assert len(stored(store)) == 20
    assert (progress.planned, progress.done, progress.failed, progress.in_flight, progress.stopped) == (20, 20, 0, 0, None)


async def test_resuming_asks_only_what_is_missing() -> None:
    """A first run over four cases, then one over ten: the four are not asked again."""
    store, model = MemoryStore(), Model()
    await perform(store, model, some_cases(4))
    progress = await perform(store, model, some_cases(10), run="run-2")
    assert set(model.asked.values()) == {1}
    assert (progress.planned, progress.done) == (12, 12)


async def test_nothing_missing_asks_nothing() -> None:
    """The same run again costs nothing."""
    store, model = MemoryStore(), Model()
    await perform(store, model, some_cases(4))
    assert (await perform(store, model, some_cases(4), run="run-2")).done == 0
    assert len(model.calls) == 8


async def test_failures_are_kept_and_asked_again_by_the_next_run() -> None:
    """Two cases fail the first time; the second run asks those two, and their replies take the failures' place."""
    store = MemoryStore()
    broken = {"c0001", "c0003"}
    first = Model(lambda call: failure() if call.case.case_id in broken else reply())
    progress = await perform(store, first, some_cases(5), arms=ARMS[:1])
    assert (progress.done, progress.failed) == (5, 2)
    assert len(store.finished(OLD.behaviour, with_failures=True)) == 5
    second = Model()
    await perform(store, second, some_cases(5), arms=ARMS[:1], run="run-2")
    assert {call.case.case_id for call in second.calls} == broken
    assert len(store.finished(OLD.behaviour)) == 5


async def test_a_provider_that_answers_nothing_stops_the_run_and_everything_is_kept() -> None:
    """After as many failures in a row as the limit says, and those under way, no further call is made."""
    store, model = MemoryStore(), Model(lambda call: reply() if call.case.case_id < "c0003" else failure())
    progress = await perform(store, model, some_cases(60), limits=Limits(give_up_after_failures=10), concurrency=4)
    assert progress.stopped == "failing"
    assert 16 <= progress.done <= 6 + 10 + 4
    assert len(stored(store)) == 6
    kept = sum(len(store.finished(bundle.behaviour, with_failures=True)) for _, bundle in ARMS)
    assert kept == progress.done


async def test_a_few_failures_among_replies_stop_nothing() -> None:
    """Only failures in a row count."""
    model = Model(lambda call: failure() if int(call.case.case_id[1:]) % 3 else reply())
    progress = await perform(MemoryStore(), model, some_cases(30), limits=Limits(give_up_after_failures=5), concurrency=1)
    assert (progress.stopped, progress.done) == (None, 60)


async def test_the_arms_alternate_case_by_case() -> None:
    """Both meet the same hour of the provider."""
    model = Model()
    await perform(MemoryStore(), model, some_cases(6), concurrency=1)
    assert [call.arm for call in model.calls] == ["incumbent", "candidate"] * 6


async def test_no_more_calls_are_under_way_than_allowed_and_as_many_as_allowed() -> None:
    """Seven places, forty calls."""
    model = Model(held=True)
    running = asyncio.create_task(perform(MemoryStore(), model, some_cases(20), concurrency=7))
    await model.wait_for_calls(7)
    for _ in range(20):
        await asyncio.sleep(0)
    assert model.in_flight == 7
    model.let_go.set()
    await running
    assert model.most_in_flight == 7


async def test_stops_before_the_budget_is_exceeded_and_a_later_run_goes_on() -> None:
    """A budget for seven calls of ten; each later run with as much asks the next seven, until all is done."""
    store, model = MemoryStore(), Model(lambda _: reply(cost=10.0))
    stops, costs = [], []
    for run in range(3):
        progress = await perform(store, model, some_cases(10), limits=Limits(budget_microusd=75.0), run=f"run-{run}")
        stops.append(progress.stopped)
        costs.append(progress.cost_microusd)
    assert stops == ["budget", "budget", None]
    assert costs == [70.0, 70.0, 60.0]
    assert set(model.asked.values()) == {1}


async def test_a_budget_that_is_spent_to_the_last_call_is_no_early_stop() -> None:
    """Exactly enough for everything."""
    progress = await perform(
        MemoryStore(), Model(lambda _: reply(cost=10.0)), some_cases(5), limits=Limits(budget_microusd=100.0)
    )
    assert (progress.stopped, progress.done) == (None, 10)


async def test_a_budget_holds_however_many_calls_are_under_way() -> None:
    """A hundred places, money for eleven: the first prices are found out one call an arm at a time."""
    model = Model(lambda _: reply(cost=9.0))
    progress = await perform(MemoryStore(), model, some_cases(100), limits=Limits(budget_microusd=100.0), concurrency=100)
    assert progress.stopped == "budget"
    assert progress.cost_microusd == 99.0


async def test_an_arm_that_is_dearer_than_the_other_is_reckoned_with_its_own_price() -> None:
    """The candidate costs fifty times as much."""
    model = Model(lambda call: reply(cost=1.0 if call.arm == "incumbent" else 50.0))
    progress = await perform(MemoryStore(), model, some_cases(50), limits=Limits(budget_microusd=500.0), concurrency=30)
    assert progress.stopped == "budget"
    assert 400.0 < progress.cost_microusd <= 500.0


async def test_the_stop_event_lets_calls_under_way_finish_and_begins_no_new_one() -> None:
    """Ctrl-C while five calls are under way: five replies are stored, nothing else is asked."""
    store, model, limits = MemoryStore(), Model(held=True), Limits()
    running = asyncio.create_task(perform(store, model, some_cases(20), limits=limits, concurrency=5))
    await model.wait_for_calls(5)
    limits.stop.set()
    model.let_go.set()
    progress = await running
    assert progress.stopped == "interrupted"
    assert len(model.calls) == progress.done == len(stored(store)) == 5


async def test_leaving_at_once_keeps_what_was_finished() -> None:
    """A second Ctrl-C cancels the run: calls under way are lost, what came back is stored."""
    store, first = MemoryStore(), Model(held=True)
    done = 0

    def progressed(progress: Progress) -> None:
        nonlocal done
        done = progress.done

    def answer(call: Call) -> ModelOutcome:
        if len(first.calls) >= 12:
            first.let_go.clear()
        return reply()

    first.answer = answer
    first.let_go.set()
    running = asyncio.create_task(perform(store, first, some_cases(20), on_progress=progressed, concurrency=4))
    await first.wait_for_calls(13)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert len(stored(store)) == done >= 8
    second = Model()
    await perform(store, second, some_cases(20), run="run-2")
    assert len(second.calls) == 40 - done


class FullDisk(MemoryStore):
    """A store whose disk is full after some exchanges."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.room = room

    def add_exchanges(self, exchanges: Iterable[Exchange]) -> int:
        some = list(exchanges)
        if self.room < len(some):
            raise StoreError("The state store cannot grow: the disk is full.", fix="Free space.")
        self.room -= len(some)
        return super().add_exchanges(some)


async def test_a_full_disk_is_a_store_error_and_nothing_acknowledged_is_lost() -> None:
    """Every call that progress counted is in the store, and the run ends with the store's own words."""
    store, model = FullDisk(room=13), Model()
    counted: list[int] = []
    with pytest.raises(StoreError, match="disk is full"):
        await perform(store, model, some_cases(50), on_progress=lambda progress: counted.append(progress.done))
    assert len(stored(store)) == counted[-1] <= 13
    assert len(model.calls) <= counted[-1] + 2 * 4
    store.room = 1000
    await perform(store, Model(), some_cases(50), run="run-2")
    assert len(stored(store)) == 100


class NoNotes(MemoryStore):
    """A store that cannot note which calls are about to be sent."""

    begun = 0

    def begin_attempts(self, run: str, keys: object) -> None:
        self.begun += 1
        if self.begun > 3:
            raise StoreError("The state store cannot be written.", fix="Look at its disk.")
        super().begin_attempts(run, keys)  # type: ignore[arg-type]


async def test_a_call_that_cannot_be_noted_is_not_sent() -> None:
    """Without the note a later run could not say what may have been billed."""
    store, model = NoNotes(), Model()
    with pytest.raises(StoreError, match="cannot be written"):
        await perform(store, model, some_cases(50))
    assert len(model.calls) == len(stored(store)) == 3 * 2


async def test_a_case_that_cannot_be_rendered_ends_the_run_with_its_fault_and_keeps_the_others() -> None:
    """The bundle's template asks for a variable that the case does not have; calls under way come back first."""
    store, model = MemoryStore(), Model()
    asks = a_bundle("old-1").model_copy(update={"prompt": OLD.prompt.model_copy(update={"template": "{{order}}"})})
    cases = [case.model_copy(update={"variables": {"order": "7"}}) for case in some_cases(20)]
    cases[11] = cases[11].model_copy(update={"variables": {}})
    with pytest.raises(InputError) as caught:
        await perform(store, model, cases, arms=[("incumbent", asks)])
    assert "order" in caught.value.faults[0].what
    assert len(store.finished(asks.behaviour)) == len(model.calls) >= 11


async def test_every_call_is_noted_as_begun_before_it_is_sent() -> None:
    """What is under way when the process dies can be told afterwards, with the few that were next."""
    store, model = MemoryStore(), Model(held=True)
    running = asyncio.create_task(perform(store, model, some_cases(30), concurrency=6))
    await model.wait_for_calls(6)
    begun = store.open_attempts("run-1")
    assert {call.key for call in model.calls} <= begun
    assert len(begun) <= 6 + 3
    model.let_go.set()
    await running
    assert store.open_attempts("run-1") == set()


async def test_flips_are_counted_while_they_come_in() -> None:
    """Three cases the candidate gets wrong, two that only it gets right, whichever arm answers first."""
    worse, better = {"c0001", "c0004", "c0007"}, {"c0002", "c0005"}

    def answer(call: Call) -> ModelOutcome:
        wrong = worse if call.arm == "candidate" else better
        return reply("no" if call.case.case_id in wrong else "yes")

    for arms in (ARMS, ARMS[::-1]):
        progress = await perform(MemoryStore(), Model(answer), some_cases(10), arms=arms)
        assert (progress.negative_flips, progress.positive_flips) == (3, 2)


async def test_where_less_is_better_a_rise_is_the_negative_flip() -> None:
    """A rate of unwanted answers."""
    model = Model(lambda call: reply("yes" if call.arm == "candidate" else "no"))
    progress = await perform(MemoryStore(), model, some_cases(4), better="lower")
    assert (progress.negative_flips, progress.positive_flips) == (4, 0)


async def test_repeats_are_not_counted_as_flips_again() -> None:
    """Only first runs are shown as flips so far."""
    model = Model(lambda call: reply("no" if call.arm == "candidate" else "yes"))
    progress = await perform(MemoryStore(), model, some_cases(4), repeats=range(3))
    assert (progress.done, progress.negative_flips) == (24, 4)


async def test_what_has_no_price_is_counted_as_that() -> None:
    """Not as free."""
    model = Model(lambda call: reply(cost=None if call.arm == "candidate" else 3.0))
    progress = await perform(MemoryStore(), model, some_cases(4))
    assert (progress.cost_microusd, progress.unpriced) == (12.0, 4)


async def test_cheap_scores_are_stored_with_the_answers() -> None:
    """So that flips show at once, and are not worked out twice."""
    store = MemoryStore()
    await perform(store, Model(), some_cases(5))
    assert len(store.scored(NEW.behaviour, "digest-of-right")) == 5


async def test_a_scorer_that_broke_is_not_kept_as_an_answer() -> None:
    """It is asked again when the run is scored; another scorer's answer to the same output stays."""
    store = MemoryStore()

    def scores(arm: object, case: object, exchange: Exchange) -> dict[str, list[Score]]:
        assert exchange.reply is not None
        broken = Score("broken", status="error", reason="the function raised KeyError")
        return {"digest-of-right": [Score("right", 1.0)], "digest-of-broken": [broken]}

    await perform(store, Model(), some_cases(5), score_now=scores)
    assert len(store.scored(NEW.behaviour, "digest-of-right")) == 5
    assert store.scored(NEW.behaviour, "digest-of-broken") == set()


async def test_progress_adds_up_over_several_passes_of_one_runner() -> None:
    """A session asks for more repeats with the same runner; what was done before stays counted."""
    store, model = MemoryStore(), Model()
    runner = a_runner(store, model)
    calls = [Call(arm, bundle, case, repeat) for repeat in range(2) for case in some_cases(3) for arm, bundle in ARMS]
    await runner.perform(calls[:6], Limits(), planned=6)
    progress = await runner.perform(calls[6:], Limits(), planned=6)
    assert (progress.planned, progress.done) == (12, 12)


async def test_scoring_follows_the_answer_of_its_own_arm() -> None:
    """Each arm's scorers carry that arm's labels."""
    seen: set[tuple[str, str]] = set()

    def scores(arm: str, case: object, exchange: Exchange) -> dict[str, list[Score]]:
        seen.add((arm, exchange.behaviour))
        return dict(right_if_yes("incumbent", case, exchange))  # type: ignore[arg-type]

    await perform(MemoryStore(), Model(), some_cases(3), score_now=scores)
    assert seen == {("incumbent", OLD.behaviour), ("candidate", NEW.behaviour)}
