"""What a step can see is said before anybody simulates it, and the simulation agrees."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from segue.model.plan import Limit
from segue.simulation.blindness import sights_of
from segue.simulation.canary import ROLLED_BACK, THROUGH, Canary
from segue.simulation.outcomes import Outcomes
from segue.simulation.scenario import Scenario, Shift
from segue.simulation.wording import blind_sentences
from tests.simulation.builders import ERRORS, QUALITY, a_plan, a_setting, flat


@pytest.mark.parametrize(("baseline", "share"), [(0.9, 0.05), (0.97, 0.05), (0.7, 0.01)])
def test_the_simulation_agrees_with_what_a_step_is_said_to_see(baseline: float, share: float) -> None:
    """At 80 % power: what it excludes is excluded in about so many runs; what it rolls back on, in at least so many."""
    steps = ({"share": share, "hold": 4, "longest": 4},)
    per_day = 500 / share
    gate = {**QUALITY, "baseline": baseline}
    setting = a_setting(gate, steps=steps)
    (sight,) = sights_of(setting, per_day)
    assert sight.rolls_back_on is not None
    assert sight.excludes is not None
    worse = Outcomes(setting, Scenario("worse", (Shift(0, 0, sight.rolls_back_on),)))
    back = Canary(setting, worse, flat(per_day), 4).run(200, np.random.default_rng(3))
    assert 0.75 <= np.mean(back.end == ROLLED_BACK) <= 1.0
    asks = a_setting({**gate, "hold": Limit(amount=sight.excludes)}, steps=steps)
    calm = Canary(asks, Outcomes(asks, Scenario("calm")), flat(per_day), 4).run(200, np.random.default_rng(4))
    assert 0.68 <= np.mean(calm.end == THROUGH) <= 0.92


def test_more_traffic_sees_smaller_drops() -> None:
    """In every step, and later steps more than earlier ones."""
    setting = a_setting()
    few, many = (sights_of(setting, per_day) for per_day in (2_000, 20_000))
    for one, other in zip(few, many, strict=True):
        assert other.excludes < one.excludes
        assert other.rolls_back_on < one.rolls_back_on
    assert many[1].excludes < many[0].excludes


def test_says_plainly_what_a_small_workflow_cannot_see() -> None:
    """With what it would take."""
    setting = a_setting(preset="1-5-25-100", steps=())
    (limit, late) = blind_sentences(setting, 400, sights_of(setting, 400))
    assert limit.startswith("At 400 requests a day this plan cannot see a 2-point drop of quality at 1 %, 5 % or 25 %")
    assert "; it needs " in limit
    assert late.startswith("Step 1 (1 %) is planned for 2 days; to exclude 10 points of quality it takes about ")
    assert late.endswith("longer than the 6 days it may last: a person would have to decide.")


def test_says_nothing_where_every_step_sees_its_limit() -> None:
    """A plan that is not blind is not talked about."""
    setting = a_setting()
    assert blind_sentences(setting, 10_000_000, sights_of(setting, 10_000_000)) == ()


def test_says_when_silence_hides_more_than_a_step_may_exclude() -> None:
    """No traffic mends that; the way out is named."""
    setting = a_setting({**QUALITY, "answered": 0.3})
    said = blind_sentences(setting, 1_000_000, sights_of(setting, 1_000_000))
    assert any("70 % of the labels do not come" in one and "`required: false`" in one for one in said)


def test_a_plan_has_a_sight_of_every_step_and_gate() -> None:
    """On the total, on critical slices, and on the smallest of the others."""
    setting = a_setting(slices={"a=1": 0.1, "a=2": 0.3, "b=1": 0.05}, critical=("a=1",))
    found = [(one.step, one.slice) for one in sights_of(setting, 10_000)]
    assert found == [(step, name) for step in range(len(a_plan().canary)) for name in ("", "a=1", "b=1")]


@pytest.mark.parametrize(("gate", "word"), [(QUALITY, "drop of quality"), (ERRORS, "rise of errors")], ids=["higher", "lower"])
def test_worse_is_a_drop_or_a_rise_as_the_metric_has_it(gate: dict[str, Any], word: str) -> None:
    """More errors are not a drop."""
    setting = a_setting(gate)
    said = blind_sentences(setting, 500, sights_of(setting, 500))
    assert any(f"cannot see a 2-point {word} at" in one for one in said), said


def test_nothing_is_said_to_be_unseen_of_a_gate_that_has_nothing_to_exclude() -> None:
    """One that is only watched keeps nobody waiting; the same gate, required, is told to be blind."""
    silent = {**ERRORS, "answered": 0.3}
    for required, said in ((True, True), (False, False)):
        setting = a_setting(QUALITY, {**silent, "required": required})
        found = blind_sentences(setting, 40_000, sights_of(setting, 40_000))
        assert any("errors" in one for one in found) == said
