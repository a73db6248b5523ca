"""The canary on the real log: exchanges written by the spool, carried by the shipper, judged as the plan says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from segue.controller.live import Timing
from segue.controller.ports import LiveSeen
from segue.exchanges import Outcome, ServedExchange
from segue.model import Budgets
from segue.model.plan import Plan
from segue.upgrade.event import event_of
from segue.upgrade.log import Upgrade
from segue.upgrade.seen import Seen
from tests.controller.live_builders import (
    DAY,
    HOUR,
    NEW,
    OLD,
    QUALITY,
    QUICK,
    T0,
    Log,
    a_plan,
    entered,
    in_canary,
    served,
    traffic,
)

END = T0 + 2 * DAY


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    """Empty."""
    found = Log(tmp_path)
    yield found
    found.close()


def look(log: Log, plan: Plan | None = None, at: float = END, timing: Timing = QUICK, **given: Any) -> LiveSeen:
    """A first look at the first step of the canary."""
    return log.evidence(timing, **given).look(in_canary(plan), at)


def verdict(seen: LiveSeen) -> tuple[str, str | None]:
    """Of the whole."""
    assert seen.judgement is not None
    return seen.judgement.verdict, seen.judgement.limit


def drop(arm: str, task: str) -> float:
    """Thirty points fewer on refunds."""
    return 0.6 if (arm, task) == ("candidate", "refund") else 0.9


def test_a_candidate_that_is_as_good_has_nothing_missing(log: Log) -> None:
    """Harm beyond the first step's rung is excluded within the hold, and no verdict stands against it."""
    log.write(traffic(days=2, per_day=2_000, share=0.25))
    seen = look(log)
    assert verdict(seen)[0] in ("inconclusive", "safe")
    assert seen.missing == ()
    assert seen.judgement is not None
    shown = seen.judgement.evidence("quality").interval
    assert shown.low is not None
    assert shown.high is not None
    assert -0.2 < shown.low < 0 < shown.high < 0.2
    assert seen.quiet_s == pytest.approx(43.2 / 2, abs=0.1)
    assert seen.covered_s == 2 * DAY


def test_a_drop_in_one_slice_rolls_back_and_names_it(log: Log) -> None:
    """Though the total moves by six points alone, mostly hidden by the rest."""
    log.write(traffic(days=2, per_day=2_000, share=0.25, good=drop))
    seen = look(log)
    assert verdict(seen) == ("harm", "rollback")
    assert seen.judgement is not None
    assert ("quality", "task=refund") in seen.judgement.culprits


def test_units_in_other_shares_than_planned_are_no_comparison(log: Log) -> None:
    """As good as the candidate may look."""
    log.write(traffic(days=1, per_day=2_000, share=0.4))
    assert verdict(look(log, at=T0 + DAY))[0] == "invalid"


def test_units_in_other_shares_than_planned_hide_no_harm(log: Log) -> None:
    """It rolls back, and says both; it does not wait for somebody to mend the shares."""
    log.write(traffic(days=1, per_day=2_000, share=0.4, good=drop))
    seen = look(log, at=T0 + DAY)
    assert verdict(seen) == ("harm", "rollback")
    found = event_of(in_canary().state, Seen(T0 + DAY, judgement=seen.judgement), a_plan())
    assert found is not None
    assert found[0] == "harm"
    assert "task=refund" in found[1][0]
    assert "not assigned in the shares" in found[1][-1]


def test_fewer_labels_from_the_candidate_are_no_comparison(log: Log) -> None:
    """Where labels may be missing, who answers has to be alike."""
    draw = Random(3)

    def unanswered(one: ServedExchange) -> ServedExchange:
        rate = 0.3 if one.arm == "candidate" else 0.6
        scores = one.scores if draw.random() < rate else {}
        return served(one.at_ns / 1e9, int(one.id[1:]), one.arm, slices=one.slices, scores=scores)

    log.write(map(unanswered, traffic(days=2, per_day=2_000, share=0.25)))
    plan = a_plan({**QUALITY, "answered": 0.6, "required": False})
    assert verdict(look(log, plan))[0] == "invalid"


@pytest.mark.parametrize("rows", [0, 4], ids=["nothing", "incumbent-alone"])
def test_silence_leaves_no_step(log: Log, rows: int) -> None:
    """Of nothing nothing is known: what is missing is never empty, not even with gates that only watch."""
    log.write(traffic(days=2, per_day=rows, share=0.0))
    for plan in (a_plan(), a_plan({**QUALITY, "required": False, "min_exposed": 0})):
        seen = look(log, plan)
        assert seen.missing
        assert verdict(seen)[0] == "inconclusive"
        assert (seen.quiet_s is None) is (rows == 0)


def test_a_step_is_not_left_on_what_the_one_before_had_shown(log: Log) -> None:
    """The second step needs requests of its own, though the process goes on."""
    log.write(traffic(days=2, per_day=2_000, share=0.25))
    upgrade = entered(in_canary(), "canary", END, step=1)
    evidence = log.evidence()
    assert any("this step" in one for one in evidence.look(upgrade, END + HOUR).missing or ())
    log.write(traffic(days=2, per_day=2_000, share=0.5, since=END, first=4_000, seed=2))
    assert evidence.look(upgrade, END + 2 * DAY).missing == ()


@pytest.mark.parametrize(
    "given",
    [
        {"tags": ("probe",)},
        {"arm": "pinned"},
        {"arm": "fallback"},
        {"arm": "continued"},
        {"environment": "staging"},
        {"bundle": "c" * 64},
        {"segment": "internal"},
        {"workflow": "other"},
    ],
    ids=lambda given: "-".join(given),
)
def test_what_was_not_drawn_for_the_two_bundles_is_no_evidence(log: Log, given: dict[str, Any]) -> None:
    """Probes, pins, other environments and members of a segment at a share of its own."""
    rows = traffic(days=1, per_day=200, share=0.5, good=drop)
    log.write(
        served(one.at_ns / 1e9, int(one.id[1:]), **{"arm": one.arm, "scores": one.scores, "slices": one.slices, **given})
        for one in rows
    )
    assert look(log, at=T0 + DAY).figures["exposed"] == {"incumbent": 0, "candidate": 0}


def test_slices_are_read_from_attributes_where_the_record_has_none(log: Log) -> None:
    """The gateway keeps what the request said of itself."""
    rows = traffic(days=2, per_day=2_000, share=0.25, good=drop)
    log.write(served(one.at_ns / 1e9, int(one.id[1:]), one.arm, attributes=one.slices, scores=one.scores) for one in rows)
    seen = look(log)
    assert seen.judgement is not None
    assert ("quality", "task=refund") in seen.judgement.culprits


NEGATIVE = {"metric": "negative", "source": "outcome", "better": "lower", "baseline": 0.03, "age": 0.25, "watch": "total"}


def thumbs(rows: list[ServedExchange], rates: tuple[float, float], delay_s: float) -> Iterator[Outcome]:
    """Negative feedback on some of them, by arm."""
    draw = Random(5)
    for one in rows:
        if draw.random() < rates[one.arm == "candidate"]:
            at = one.at_ns + int(delay_s * 1e9)
            yield Outcome(exchange=one.id, kind="negative", source="user", key="1", at_ns=at, value=1.0, workflow="reply")


def test_outcomes_count_at_their_age_and_not_before(log: Log) -> None:
    """A day of complaints that nobody has had the time to make is no evidence of anything."""
    rows = list(traffic(days=1, per_day=2_000, share=0.25))
    log.write(rows)
    log.write(thumbs(rows, (0.03, 0.3), 60.0))
    plan = a_plan(NEGATIVE)
    young = look(log, plan, at=T0 + 7 * HOUR - 1)
    assert young.judgement is not None
    assert young.judgement.evidence("negative").labelled == 0
    old = look(log, plan, at=T0 + 7 * HOUR)
    assert old.judgement is not None
    assert old.judgement.evidence("negative").labelled == pytest.approx(2_000 / 24 * 0.25, rel=0.5)
    assert verdict(look(log, plan)) == ("harm", "rollback")


def test_an_outcome_told_after_its_age_is_not_counted(log: Log) -> None:
    """Else the arm whose users are slower would look better."""
    rows = list(traffic(days=1, per_day=2_000, share=0.25))
    log.write(rows)
    log.write(thumbs(rows, (0.03, 0.3), 6.5 * HOUR))
    seen = look(log, a_plan(NEGATIVE))
    assert verdict(seen)[0] != "harm"
    assert any("measured at all" in one for one in seen.missing or ())


def test_an_outcome_from_a_key_of_another_workflow_is_not_heard(log: Log) -> None:
    """As nobody else hears it."""
    rows = list(traffic(days=1, per_day=2_000, share=0.25))
    log.write(rows)
    for one in thumbs(rows, (0.03, 0.3), 60.0):
        log.write([Outcome(one.exchange, one.kind, one.source, one.key, one.at_ns, one.value, scope=("other",))], ship=False)
    log.write([])
    assert verdict(look(log, a_plan(NEGATIVE)))[0] != "harm"


def test_a_confirmed_incident_waits_for_nobody(log: Log) -> None:
    """Not for its block, and not for being shipped; and only what the candidate answered counts."""
    log.write(served(T0 + number, number, "candidate" if number % 2 else "incumbent") for number in range(4))
    for number in (0, 1):
        one = Outcome(f"x{number:07d}", "critical_incident", "reviewer", "1", int((T0 + 9) * 1e9), 1.0, workflow="reply")
        log.write([one], ship=False)
    seen = look(log, at=T0 + 10)
    assert len(seen.incidents) == 1
    assert "x0000001" in seen.incidents[0]


BROKEN: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "error": ({"status": 500, "failure": "server"}, {}),
    "fallback": ({"fallback_from": NEW, "answered_by": OLD}, {}),
    "refusal": ({"scores": {"refusal": 1.0}}, {"scores": {"refusal": 0.0}}),
    "contract_broken": ({"scores": {"contract": 0.0}}, {"scores": {"contract": 1.0}}),
    "slow": ({"latency_ns": 5_000_000_000}, {}),
    "slow_start": ({"ttft_ns": 5_000_000_000}, {"ttft_ns": 400_000_000}),
    "cost": ({"cost_microusd": 4_000.0}, {}),
}


@pytest.mark.parametrize("metric", BROKEN)
def test_what_the_gateway_sees_by_itself_rolls_back(log: Log, metric: str) -> None:
    """A fifth of the candidate's answers broken (cost: all of them four times as dear), the incumbent's sound."""
    bad, fine = BROKEN[metric]
    draw = Random(2)
    number = 0
    for since, days, share in ((T0 - DAY, 1.0, 0.0), (T0, 1.0, 0.25)):
        rows = []
        for place in range(800):
            arm = "candidate" if draw.random() < share else "incumbent"
            is_bad = arm == "candidate" and (metric == "cost" or draw.random() < 0.2)
            rows.append(served(since + (place + 0.5) * DAY * days / 800, number, arm, **(bad if is_bad else fine)))
            number += 1
        log.write(rows)
    gate: dict[str, Any] = {"metric": metric, "source": "served", "watch": "total"}
    if metric not in ("slow", "slow_start", "cost"):
        gate["baseline"] = 0.01
    seen = look(log, a_plan(gate), at=T0 + DAY)
    assert verdict(seen) == ("harm", "rollback")


def test_a_level_that_is_not_known_is_missing(log: Log) -> None:
    """Nothing was served beforehand, so nothing can be called slow; and that is said."""
    log.write(traffic(days=1, per_day=2_000, share=0.25))
    seen = look(log, a_plan({"metric": "slow", "source": "served", "watch": "total"}), at=T0 + DAY)
    assert any("level" in one for one in seen.missing or ())


def test_budgets_are_held_against_what_the_candidate_takes(log: Log) -> None:
    """The workflow's and the plan's own, which goes before; and never on a handful of values."""
    log.write(traffic(days=1, per_day=2_000, share=0.25))
    budgets = Budgets(latency_p99_ms=500, cost_usd_per_request=0.0001)
    plan = a_plan(budgets={"cost_usd_per_request": 1.0, "usd_per_day": 1.0})
    seen = look(log, plan, at=T0 + DAY, budgets=lambda _: budgets)
    said = [(one.budget, "latency" in one.sentence, "a day would cost" in one.sentence) for one in seen.over_budget]
    assert said == [("latency_p99_ms", True, False), ("usd_per_day", False, True)]
    assert not look(log, plan, at=T0 + HOUR, budgets=lambda _: budgets).over_budget


def test_evidence_that_begins_anew_forgets_and_may_spend_a_part(log: Log) -> None:
    """After a comparison that was broken, nothing of it counts."""
    assert look(log).figures["alpha"] == pytest.approx(0.045 * 0.9)
    log.write(traffic(days=1, per_day=2_000, share=0.4, good=drop))
    upgrade = in_canary()
    state = upgrade.state.model_copy(update={"restarts": 1, "evidence_from": T0 + DAY, "periods": (), "number": 3})
    last = upgrade.entries[-1].model_copy(update={"number": 3, "event": "resume", "at": T0 + DAY, "state": state})
    upgrade = entered(Upgrade(upgrade.opening, (*upgrade.entries, last)), "canary", T0 + DAY, restarts=1)
    log.write(traffic(days=1, per_day=2_000, share=0.25, since=T0 + DAY, first=2_000))
    seen = log.evidence().look(upgrade, END)
    assert verdict(seen)[0] in ("inconclusive", "safe")
    assert seen.figures["alpha"] == pytest.approx(0.045 * 0.1 / 2)
    assert seen.figures["exposed"]["candidate"] == pytest.approx(500, rel=0.2)
