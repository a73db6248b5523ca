"""Limits of single steps: they count where the plan sets them, and nowhere else; and alpha holds over all."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from segue.evidence.sequential.grid import Grid
from segue.evidence.sequential.judgement import Look, judge
from segue.model.plan import PlanStep
from segue.simulation import Simulator, Work, join, share_out
from segue.simulation.blindness import sights_of
from segue.simulation.canary import ROLLED_BACK, THROUGH, Canary
from segue.simulation.outcomes import Outcomes
from segue.simulation.step_limits import for_canary, idle_gates
from tests.simulation.builders import ERRORS, QUALITY, a_scenario, a_setting, flat

LOOSE = {"hold": "20 points", "rollback": "40 points"}
SHIFT = "quality -8pts"


def steps(*limits: dict[str, dict[str, str]]) -> tuple[PlanStep, ...]:
    """A growing step for each."""
    return tuple(
        PlanStep.model_validate({"share": share, "hold": 2, "limits": one})
        for share, one in zip((0.2, 0.4, 0.6), limits, strict=False)
    )


def test_a_plan_without_them_is_left_as_it_is() -> None:
    """Nothing is spread thinner for what nobody asked for."""
    setting = a_setting(QUALITY, ERRORS)
    assert for_canary(setting) is setting
    assert not idle_gates(setting).any()


def test_each_pair_of_limits_is_a_question_of_its_own() -> None:
    """Steps that have the same share it; weights come from the gate's own, and add up to the same."""
    loose = {"quality": LOOSE}
    setting = a_setting(QUALITY, ERRORS, steps=steps(loose, {}, loose))
    found = for_canary(setting)
    assert [gate.title for gate in found.gates] == ["quality", "errors", "quality in step 1 and 3"]
    assert idle_gates(found).tolist() == [[True, False, False], [False, False, True], [True, False, False]]
    assert found.weights.sum() == pytest.approx(1.0)
    assert found.weights[0] + found.weights[2] == pytest.approx(setting.weights[0])
    added = found.gates[2]
    assert (added.required, added.min_exposed) == ((), 0)
    assert (added.rule.hold.margin, added.rule.rollback.margin) == (0.2, 0.4)


def rolled_back(*limits: dict[str, dict[str, str]]) -> np.ndarray:
    """In which step each run that was rolled back was, of so many runs with a drop of 8 points; −1 where it was not."""
    setting = a_setting(QUALITY, steps=steps(*limits))
    found = Canary(for_canary(setting), Outcomes(setting, a_scenario(setting, SHIFT), 0.0), flat(4_000), 6).run(
        40, np.random.default_rng(3)
    )
    return np.where(found.end == ROLLED_BACK, found.end_step, -1)


def test_a_looser_limit_lets_a_step_be_that_would_go_back() -> None:
    """With the gate's own it is rolled back at once; with looser ones in every step, never."""
    own, loose = rolled_back({}, {}), rolled_back({"quality": LOOSE}, {"quality": LOOSE})
    assert (own == 0).mean() > 0.9
    assert (loose == -1).all()


def test_the_gates_own_limit_counts_where_the_step_has_none() -> None:
    """What was let be in the first step goes back in the second, on what both have shown."""
    excluded = PlanStep.model_validate({"share": 0.2, "hold": 2, "excludes": 1.0, "limits": {"quality": LOOSE}})
    setting = a_setting(QUALITY, steps=(excluded, PlanStep(share=0.4, hold=2)))
    found = Canary(for_canary(setting), Outcomes(setting, a_scenario(setting, SHIFT), 0.0), flat(4_000), 6).run(
        40, np.random.default_rng(3)
    )
    back = found.end == ROLLED_BACK
    assert back.mean() > 0.9
    assert set(found.end_step[back]) == {1}


def test_the_soak_goes_on_with_the_gates_own() -> None:
    """What the canary remembered of the incumbent is that of its gates; a whole run comes to its end."""
    setting = a_setting(QUALITY, steps=steps({"quality": LOOSE}, {}))
    simulator = Simulator(setting, (a_scenario(setting, None),), flat(20_000), 6)
    runs = join([simulator.run(Work(one.scenario, one.runs, one.seed)) for one in share_out(1, 20, 1)])
    assert (runs.end == THROUGH).mean() > 0.8


def test_what_is_idle_says_nothing() -> None:
    """A judgement leaves it out, of the union as of the cells."""
    setting = for_canary(a_setting(QUALITY, steps=steps({"quality": LOOSE}, {})))
    grid = Grid.start([gate.rule for gate in setting.gates], setting.slices[1:])
    found = judge(replace(grid, weights=setting.weights), Look({}, idle=frozenset({"quality in step 1"})))
    assert [one.metric for one in found.cells] == ["quality"]


def test_what_a_step_sees_goes_by_its_own_limits() -> None:
    """Where it goes back later, it says so; the other step says what it said before, or a little more for the shared weight."""
    plain = sights_of(a_setting(QUALITY, steps=steps({}, {})), 20_000)
    own = sights_of(a_setting(QUALITY, steps=steps({}, {"quality": LOOSE})), 20_000)
    assert [one.limit for one in own] == [0.02, 0.2]
    first, second = ((one.rolls_back_on or 0.0, other.rolls_back_on or 0.0) for one, other in zip(plain, own, strict=True))
    assert 0 < first[0] <= first[1] < 1.2 * first[0]
    assert second[1] > 0.4 > 2 * second[0] > 0
