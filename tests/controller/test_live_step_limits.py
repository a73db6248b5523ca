"""Limits of single steps on the real log: a step judges by its own, and only there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from segue.model.plan import PlanStep
from tests.controller.live_builders import DAY, QUALITY, T0, Log, a_plan, in_canary, traffic

WIDE = {"hold": "40 points", "rollback": "60 points"}
NARROW = {"hold": "2 points", "rollback": "5 points"}


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    """Thirty points fewer on refunds, for two days."""
    found = Log(tmp_path)
    rate = {("candidate", "refund"): 0.6}
    found.write(traffic(days=2, per_day=2_000, share=0.25, good=lambda arm, task: rate.get((arm, task), 0.9)))
    yield found
    found.close()


def looked(log: Log, gate: dict[str, str], first: dict[str, str]) -> Any:
    """The judgement in step 1 of a gate with its own limits and others in that step."""
    limits = {"quality": first} if first else {}
    steps = (
        PlanStep.model_validate({"share": 0.25, "hold": 2, "excludes": 5, "limits": limits}),
        PlanStep(share=0.5, hold=2, excludes=4),
    )
    seen = log.evidence().look(in_canary(a_plan({**QUALITY, **gate}, steps=steps)), T0 + 2 * DAY)
    assert seen.judgement is not None
    return seen.judgement


def test_a_step_with_wider_limits_lets_be_what_the_gate_would_not(log: Log) -> None:
    """And what is shown of it is the step's own question."""
    assert looked(log, NARROW, {}).limit == "rollback"
    found = looked(log, NARROW, WIDE)
    assert found.verdict != "harm"
    assert {one.metric for one in found.cells} == {"quality in step 1"}


def test_a_step_with_narrower_limits_goes_back_where_the_gate_would_not(log: Log) -> None:
    """Named as what it is."""
    assert looked(log, WIDE, {}).verdict != "harm"
    found = looked(log, WIDE, NARROW)
    assert found.limit == "rollback"
    assert ("quality in step 1", "task=refund") in found.culprits
