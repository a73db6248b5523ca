"""Shadow on the real log: pairs of answers, and how much of what was served they cover."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from segue.controller.ports import LiveSeen
from segue.exchanges import ServedExchange
from segue.model.plan import Plan
from segue.upgrade.log import Upgrade
from tests.controller.live_builders import DAY, HOUR, QUALITY, T0, Log, a_plan, an_opening, entered, served

PAIRS = 600


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    """Empty."""
    found = Log(tmp_path)
    yield found
    found.close()


def mirrored(
    *, worse: float = 0.05, better: float = 0.05, answered: float = 1.0, share: float = 1.0
) -> Iterator[ServedExchange]:
    """A day of served requests, each with its shadow; so many pairs come out worse on the candidate, so many better."""
    draw = Random(4)
    for number in range(PAIRS):
        at, place = T0 + (number + 0.5) * DAY / PAIRS, draw.random()
        old, new = (1.0, 0.0) if place < worse else (0.0, 1.0) if place < worse + better else (0.9, 0.9)
        given: dict[str, Any] = {"slices": {"task": "refund" if number % 5 == 0 else "other"}}
        is_mirrored = draw.random() < share
        pair = {"pair": f"x{number:07d}"} if is_mirrored else {}
        yield served(at, number, "incumbent", scores={"quality": old}, **given, **pair)
        if is_mirrored:
            fine = draw.random() < answered
            said: dict[str, Any] = {"scores": {"quality": new}} if fine else {"status": 503, "failure": "overloaded"}
            yield served(at, PAIRS + number, "shadow", **given, **pair, **said)


def look(log: Log, plan: Plan | None = None, at: float = T0 + DAY) -> LiveSeen:
    """A first look at a shadow since `T0`."""
    given = plan or a_plan(shadow={"length": 1.0})
    return log.evidence().look(entered(Upgrade(an_opening(given)), "shadow", T0), at)


def test_pairs_that_differ_both_ways_alike_are_enough_to_go_on(log: Log) -> None:
    """Churn alone is no harm; all of the day was covered."""
    log.write(mirrored())
    seen = look(log)
    assert seen.judgement is not None
    assert seen.judgement.verdict in ("inconclusive", "safe")
    assert seen.missing == ()
    assert seen.covered_s == DAY
    assert seen.figures["pairs"] == PAIRS


def test_a_candidate_that_is_worse_stops_where_nobody_saw_it(log: Log) -> None:
    """A quarter of the pairs worse, a twentieth better."""
    log.write(mirrored(worse=0.25))
    seen = look(log)
    assert seen.judgement is not None
    assert (seen.judgement.verdict, seen.judgement.limit) == ("harm", "rollback")
    assert seen.judgement.evidence("quality").effect == pytest.approx(0.2, abs=0.05)


@pytest.mark.parametrize(("worse", "question"), [(0.05, "safe"), (0.09, "harm")], ids=["equal", "worse"])
def test_each_gate_has_the_interval_of_its_pairs(log: Log, worse: float, question: str) -> None:
    """Around what was seen, and the count of pairs that would settle what is open."""
    log.write(mirrored(worse=worse))
    narrow = {**QUALITY, "hold": "0.4 points", "rollback": "0.6 points"}
    judgement = look(log, a_plan(narrow, shadow={"length": 1.0})).judgement
    assert judgement is not None
    one = judgement.evidence("quality")
    low, high = one.interval.low, one.interval.high
    assert low is not None
    assert high is not None
    assert low < worse - 0.05 < high
    assert high - low < 0.14
    assert one.verdict == "inconclusive"
    assert one.settlement is not None
    assert one.settlement.question == question
    assert one.settlement.outcomes is not None
    assert one.settlement.days == pytest.approx(one.settlement.outcomes / PAIRS, rel=0.01)
    assert "more would show" in one.sentence


@pytest.mark.parametrize(
    ("given", "share", "covered"),
    [({"answered": 0.9}, 1.0, 0.0), ({"share": 0.5}, 1.0, 0.0), ({"share": 0.5}, 0.5, DAY)],
    ids=["unanswered", "not-mirrored", "half-as-planned"],
)
def test_time_counts_where_all_that_should_be_was_mirrored_and_answered(
    log: Log, given: dict[str, float], share: float, covered: float
) -> None:
    """At a share of one half, half of it is all."""
    log.write(mirrored(**given))
    seen = look(log, a_plan(shadow={"length": 1.0, "share": share}))
    assert seen.covered_s <= 3 * HOUR if not covered else seen.covered_s >= covered - HOUR


def test_hours_without_traffic_do_not_count(log: Log) -> None:
    """Nothing was seen in them."""
    log.write(one for one in mirrored() if one.at_ns / 1e9 < T0 + 6 * HOUR or one.at_ns / 1e9 >= T0 + 12 * HOUR)
    assert look(log).covered_s == DAY - 6 * HOUR


def test_time_counts_from_the_last_gateways_confirmation(log: Log) -> None:
    """Before it some of the traffic was not mirrored, whatever the shares look like."""
    log.write(mirrored())
    upgrade = entered(Upgrade(an_opening(a_plan(shadow={"length": 1.0}))), "shadow", T0)
    state = upgrade.state
    late = upgrade.entries[-1].model_copy(update={"at": T0 + 6 * HOUR, "state": state.model_copy(update={"entered_at": T0})})
    upgrade = Upgrade(upgrade.opening, (*upgrade.entries[:-1], late))
    assert log.evidence().look(upgrade, T0 + DAY).covered_s == 18 * HOUR


def test_silence_leaves_no_shadow(log: Log) -> None:
    """Nor do gates that shadow cannot see."""
    assert look(log).missing
    outcome = {"metric": "negative", "source": "outcome", "better": "lower", "baseline": 0.1, "age": 0.2}
    seen = look(log, a_plan(outcome, shadow={"length": 1.0}))
    assert seen.judgement is None
    assert seen.missing == ("No pair of answers has come of age yet.",)


def test_another_candidates_shadows_are_not_this_ones(log: Log) -> None:
    """After a replacement the pairs begin at none."""
    log.write(mirrored())
    upgrade = entered(Upgrade(an_opening(a_plan(shadow={"length": 1.0}))), "shadow", T0, candidate="c" * 64)
    assert log.evidence().look(upgrade, T0 + DAY).figures["pairs"] == 0


def test_pairs_of_one_user_count_as_one(log: Log) -> None:
    """A single busy user with bad luck stops no upgrade."""
    log.write(
        served(one.at_ns / 1e9, int(one.id[1:]), one.arm, pair=one.pair, slices=one.slices, scores=one.scores, unit="u1")
        for one in mirrored(worse=0.5)
    )
    seen = look(log, a_plan(shadow={"length": 1.0}, unit="user"))
    assert seen.judgement is not None
    assert seen.judgement.verdict == "inconclusive"
    assert seen.judgement.evidence("quality").labelled == 1
