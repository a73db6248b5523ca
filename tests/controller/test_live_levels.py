"""Levels are frozen once, from the incumbent's own traffic; live and suite are held against each other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from segue.controller.live_disagreements import disagreements
from segue.controller.live_levels import KIND, FactLevels
from segue.evidence.sequential.verdicts import Judgement
from segue.exchanges import ServedExchange
from segue.gates.report import Report
from segue.gates.tally import TOTAL
from segue.model.plan import PlanStep
from segue.store import MemoryStore
from segue.upgrade.log import Upgrade
from segue.upgrade.settled import setting_of
from tests.controller.live_builders import DAY, HOUR, QUALITY, T0, Log, a_plan, an_opening, entered, in_canary, served

SLOW = {"metric": "slow", "source": "served", "watch": "total", "factor": 1.5}
COST = {"metric": "cost", "source": "served", "watch": "total"}
MS = 1_000_000


def plainly(since: float, first: int, count: int, **given: Any) -> Iterator[ServedExchange]:
    """Of the incumbent, an hour's worth."""
    for place in range(count):
        yield served(since + place * HOUR / count, first + place, "incumbent", **given)


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    """The incumbent took a second and cost a thousandth before and in shadow, the candidate's shadows took long."""
    found = Log(tmp_path)
    found.write(plainly(T0, 0, 300, latency_ns=1_000 * MS))
    found.write(served(T0 + place, 400 + place, "shadow", latency_ns=9_000 * MS) for place in range(300))
    yield found
    found.close()


def test_levels_are_the_incumbents_in_shadow_and_stay(log: Log) -> None:
    """Written down with the first look at the canary; slower traffic later moves nothing, whoever looks."""
    store = MemoryStore()
    upgrade = entered(Upgrade(an_opening(a_plan(SLOW, COST))), "shadow", T0)
    upgrade = entered(upgrade, "canary", T0 + HOUR)
    log.evidence(levels=FactLevels(store)).look(upgrade, T0 + HOUR)
    log.write(plainly(T0 + HOUR, 1_000, 500, latency_ns=8_000 * MS, cost_microusd=9e6))
    figures = log.evidence(levels=FactLevels(store)).look(upgrade, T0 + 3 * HOUR).figures
    assert figures["levels"] == {"slow": pytest.approx(1_500 * MS), "cost": pytest.approx(10_000.0)}
    assert len(store.list_facts(kind=KIND)) == 1


def test_too_few_values_freeze_nothing(log: Log) -> None:
    """A p99 of a handful is none."""
    upgrade = entered(Upgrade(an_opening(a_plan(SLOW))), "canary", T0 + 10 * HOUR, incumbent="d" * 64)
    opening = upgrade.opening.model_copy(update={"incumbent": "d" * 64})
    seen = log.evidence().look(Upgrade(opening, upgrade.entries), T0 + 12 * HOUR)
    assert seen.figures["levels"] == {}
    assert any("level" in one for one in seen.missing or ())


@pytest.mark.parametrize(
    ("live", "offline", "told"),
    [
        ("harm", "not worse", True),
        ("harm", "better", True),
        ("harm", "worse", False),
        ("safe", "worse", True),
        ("safe", "not worse", False),
        ("harm", "inconclusive", False),
        ("inconclusive", "worse", False),
    ],
)
def test_live_and_suite_that_say_opposite_things_are_told(live: str, offline: str, told: bool) -> None:
    """And what only one of them knows is no disagreement."""
    cells = [SimpleNamespace(metric="quality", slice=name, verdict=live) for name in ("", "task=refund", "task=other")]
    findings = [SimpleNamespace(metric="quality", where=name, verdict=offline) for name in (TOTAL, "task=refund")]
    judgement = cast(Judgement, SimpleNamespace(cells=cells))
    found = list(disagreements(setting_of(an_opening()), judgement, cast(Report, SimpleNamespace(findings=findings))))
    assert len(found) == (2 if told else 0)


def test_limits_of_one_step_are_of_the_suites_metric_too(log: Log) -> None:
    """A gate that the canary adds for a step has a name of its own, and the same metric behind it."""
    step = PlanStep.model_validate(
        {"share": 0.25, "hold": 2, "limits": {"quality": {"hold": "1 point", "rollback": "3 points"}}}
    )
    upgrade = in_canary(a_plan(QUALITY, steps=(step, PlanStep(share=0.5, hold=2))))
    report = cast(Report, SimpleNamespace(findings=[]))
    seen = log.evidence(report=lambda _: report).look(upgrade, T0 + DAY)
    assert seen.judgement is not None
    assert {one.metric for one in seen.judgement.cells} == {"quality in step 1"}
