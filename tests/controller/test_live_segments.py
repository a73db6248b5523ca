"""Steps of segments on the real log: who met the candidate in one of them is watched for harm in those that follow."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from segue.controller.live_feed import beside
from segue.controller.ports import LiveSeen
from segue.model.plan import Plan, PlanStep
from segue.upgrade.log import Upgrade
from tests.controller.live_builders import DAY, HOUR, T0, Log, Rates, a_plan, entered, in_canary, traffic

SECOND = T0 + 2 * DAY
END = SECOND + 2 * DAY
STAFF = PlanStep(segment="internal", share=0.5, hold=2, excludes=5)
SOME = PlanStep(share=0.25, hold=2, excludes=5)


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    """Empty."""
    found = Log(tmp_path)
    yield found
    found.close()


def a_staged(*steps: PlanStep, **fields: Any) -> Plan:
    """Internal users are a tenth."""
    return a_plan(steps=steps, segments={"internal": {"share": 0.1, "where": {"staff": "yes"}}}, **fields)


def in_second_step(plan: Plan) -> Upgrade:
    """Since two days."""
    return entered(in_canary(plan), "canary", SECOND, step=1)


def equal(arm: str, task: str) -> float:
    """As good on both."""
    return 0.9


def worse(arm: str, task: str) -> float:
    """Thirty points on the candidate."""
    return 0.6 if arm == "candidate" else 0.9


def write(log: Log, first: tuple[float, float], second: tuple[float, float], staff: Rates, others: Rates, **given: Any) -> None:
    """Two days of each step: with the shares of the internal and of everyone else, and what the second step's rates are."""
    for place, (since, shares, rates) in enumerate([(T0, first, (equal, equal)), (SECOND, second, (staff, others))]):
        for part, (segment, per_day) in enumerate([("internal", 400), ("everyone", 1_600)]):
            log.write(
                traffic(
                    days=2,
                    per_day=per_day,
                    share=shares[part],
                    good=rates[part],
                    seed=1 + place + 2 * part,
                    since=since,
                    first=10_000 * (1 + place + 2 * part),
                    segment=segment,
                    **given,
                )
            )


def verdict(seen: LiveSeen) -> tuple[str, str | None]:
    """Of the whole."""
    assert seen.judgement is not None
    return seen.judgement.verdict, seen.judgement.limit


def test_harm_among_those_of_an_earlier_step_rolls_back(log: Log) -> None:
    """Internal users stay at half while everyone gets a quarter; what becomes worse for them alone is seen."""
    write(log, (0.5, 0.0), (0.5, 0.25), worse, equal)
    seen = log.evidence().look(in_second_step(a_staged(STAFF, SOME)), END)
    assert verdict(seen) == ("harm", "rollback")
    assert seen.figures["exposed_beside"] == {"internal": pytest.approx(400, rel=0.2)}


def test_harm_among_everyone_rolls_back_while_a_segments_step_goes_on(log: Log) -> None:
    """The other way round."""
    write(log, (0.25, 0.25), (0.5, 0.25), equal, worse)
    seen = log.evidence().look(in_second_step(a_staged(SOME, STAFF)), END)
    assert verdict(seen) == ("harm", "rollback")


def test_harm_among_a_steps_own_is_seen_as_before(log: Log) -> None:
    """Good members take nothing from it: theirs is another evidence."""
    write(log, (0.5, 0.0), (0.5, 0.25), equal, worse)
    seen = log.evidence().look(in_second_step(a_staged(STAFF, SOME)), END)
    assert verdict(seen) == ("harm", "rollback")


def test_members_that_are_served_well_leave_no_step(log: Log) -> None:
    """What they show is not of this step: it stays as silent as it is, and no label of theirs counts for it."""
    write(log, (0.5, 0.0), (0.5, 0.0), equal, equal)
    plan = a_staged(STAFF, SOME)
    seen = log.evidence().look(in_second_step(plan), END)
    assert verdict(seen)[0] != "harm"
    assert any("this step" in one for one in seen.missing or ())
    before = log.evidence().look(in_second_step(plan), SECOND + HOUR)
    assert seen.missing == before.missing


def test_equal_members_and_everyone_go_on(log: Log) -> None:
    """Nothing is missing, and both are counted among those who met the candidate."""
    write(log, (0.5, 0.0), (0.5, 0.25), equal, equal)
    seen = log.evidence().look(in_second_step(a_staged(STAFF, SOME)), END)
    assert verdict(seen)[0] != "harm"
    assert seen.missing == ()
    assert seen.figures["exposed"]["candidate"] == pytest.approx(400 + 400 + 800, rel=0.1)


@pytest.mark.parametrize("unit", ["request", "user"])
def test_who_remembers_members_says_what_one_who_reads_all_says(log: Log, unit: str) -> None:
    """A look every quarter of a day, and one at the end."""
    plan = a_staged(STAFF, SOME, unit=unit)
    write(log, (0.5, 0.0), (0.5, 0.25), worse, equal)
    remembers = log.evidence()
    for quarter in range(1, 8):
        remembers.look(in_canary(plan), T0 + quarter * DAY / 4)
    for quarter in range(8):
        remembers.look(in_second_step(plan), SECOND + quarter * DAY / 4)
    kept, fresh = (one.look(in_second_step(plan), END) for one in (remembers, log.evidence()))
    assert kept.judgement == fresh.judgement
    assert kept.missing == fresh.missing
    assert kept.figures == fresh.figures


def test_whom_the_steps_before_took_along() -> None:
    """A segment's own step has the others beside it; without a change of segment there is nobody."""
    presets = [None, None, None], ["internal", None, None], ["internal", "low-risk", None]
    found = [[beside(segments, step) for step in range(3)] for segments in presets]
    assert found == [
        [(), (), ()],
        [(), ("internal",), ("internal",)],
        [(), ("internal",), ("internal", "low-risk")],
    ]
