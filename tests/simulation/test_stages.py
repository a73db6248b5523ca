"""Shadow and soak, and how chunks of runs come together."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from segue.evidence.sequential.combination import split_soak
from segue.evidence.sequential.process import Memory
from segue.simulation import Simulator, join, share_out, summarise
from segue.simulation.canary import HELD, THROUGH
from segue.simulation.outcomes import Outcomes
from segue.simulation.scenario import Scenario
from segue.simulation.soak import Soak, SoakRuns
from segue.simulation.wording import result_sentences
from tests.simulation.builders import ERRORS, QUALITY, a_scenario, a_setting, flat, whole

SHADOW = {"length": 3.0}


def test_shadow_stops_what_scorers_see() -> None:
    """Ten points, on mirrored pairs alone; and an equal candidate hardly ever."""
    setting = a_setting(shadow=SHADOW)
    assert np.mean(whole(setting, "quality -10pts").shadow_stopped) > 0.95
    assert np.mean(whole(setting, None).shadow_stopped) < 0.05


def test_shadow_is_blind_to_what_users_say() -> None:
    """An outcome has no value for an answer that nobody saw."""
    setting = a_setting({**QUALITY, "source": "outcome"}, shadow=SHADOW)
    assert not np.any(whole(setting, "quality -10pts", runs=20).shadow_stopped)


@pytest.mark.parametrize("holdback", [0.0, 0.05], ids=["recorded-level", "holdback"])
def test_soak_finds_harm_that_begins_late(holdback: float) -> None:
    """Which the canary could not see; an equal candidate completes."""
    setting = a_setting(holdback=holdback)
    late = whole(setting, "quality -15pts from soak", per_day=40_000)
    through = late.end == THROUGH
    assert np.mean(through) > 0.8
    assert np.mean(late.soak_rolled_back[through]) > 0.95
    calm = whole(setting, None, per_day=40_000)
    assert np.mean(calm.soak_rolled_back) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 100)
    assert np.mean(calm.completed) > 0.8


def soaked(text: str | None, *, runs: int, holdback: float = 0.0, drift: float = 0.0) -> SoakRuns:
    """Two weeks of soak alone, after a canary that recorded 5,000 of the incumbent's outcomes; hold 2 points, rollback 5."""
    slices = {f"task={number}": 0.2 for number in range(5)}
    setting = a_setting(soak=14.0, holdback=holdback, slices=slices)
    rng = np.random.default_rng(7)
    n = np.full((runs, 1, len(setting.slices)), 5_000.0) * np.array(setting.shares)
    bad = rng.binomial(n.astype(int), 0.1).astype(float)
    soak = Soak(setting, Outcomes(setting, a_scenario(setting, text), drift), flat(5_000))
    return soak.run(np.full(runs, 4.0), Memory(n, bad, bad), rng)


@pytest.mark.parametrize("holdback", [0.0, 0.2], ids=["recorded-level", "holdback"])
def test_a_soak_holds_beyond_the_hold_limit_and_short_of_rolling_back(holdback: float) -> None:
    """Four points down with limits of two and five: people are told within days, and an equal candidate hardly ever waits."""
    worse = soaked("quality -4pts from soak", runs=100, holdback=holdback)
    held = ~np.isnan(worse.hold_day)
    assert np.mean(held) > 0.8
    assert np.median(worse.hold_day[held]) <= 7.0
    assert np.mean(worse.rolled_back) < 0.05
    assert not np.any(worse.unseen & held)
    equal = soaked(None, runs=400, holdback=holdback)
    alarms = equal.rolled_back | ~np.isnan(equal.hold_day)
    assert np.sum(alarms) <= 4, "of both limits together at most 0.45 % are promised"


def test_both_limits_of_a_soak_have_what_one_had() -> None:
    """And together no more."""
    setting = a_setting()
    whole_soak = setting.alpha_of("soak")
    rollback, hold = split_soak(whole_soak)
    assert rollback + hold == pytest.approx(whole_soak)
    assert rollback > hold > 0


def test_a_run_that_its_soak_held_is_not_completed() -> None:
    """It waits for people, and the figures say where."""
    setting = a_setting({**QUALITY, "hold": "1 point", "rollback": "60 points"}, soak=3.0)
    runs = whole(setting, "quality -20pts from soak", per_day=40_000, runs=20)
    through = runs.end == THROUGH
    assert through.any()
    assert np.all(runs.soak_held[through])
    assert not runs.completed.any()
    assert np.all(runs.hold_day[through] > runs.end_day[through])
    found = summarise(setting, a_scenario(setting, "quality -20pts from soak"), runs)
    assert found.held_in_soak.share == np.mean(through)
    assert found.stuck_by_step[-1] == np.mean(through)
    assert found.noticed.share is not None
    assert found.noticed.share >= np.mean(through)


@pytest.mark.parametrize("holdback", [0.0, 0.05], ids=["recorded-level", "holdback"])
@pytest.mark.parametrize("gate", [{"age": 2.0}, {"min_exposed": 1_000_000}], ids=["none-of-age", "too-few"])
def test_a_soak_that_saw_too_little_waits_for_a_person(gate: dict[str, Any], holdback: float) -> None:
    """The canary had its outcomes; of the soak's own two days none, or not enough, are old enough to say anything."""
    setting = a_setting({**QUALITY, **gate}, holdback=holdback)
    began, runs = np.full(20, 4.0), 20
    memory = Memory(np.full((runs, 1, 1), 5_000.0), np.full((runs, 1, 1), 500.0), np.full((runs, 1, 1), 500.0))
    soak = Soak(setting, Outcomes(setting, Scenario("no change")), flat(20_000))
    found = soak.run(began, memory, np.random.default_rng(1))
    assert np.all(found.unseen | found.rolled_back)
    assert found.unseen.any()


@pytest.mark.parametrize(("written", "waits"), [({}, False), ({"min_exposed": 1}, True)], ids=["left-out", "written"])
def test_a_soak_waits_for_a_gate_that_is_only_watched_where_the_plan_says_so(written: dict[str, int], waits: bool) -> None:
    """As the canary does."""
    silent = {**ERRORS, "answered": 0.0, "required": False, **written}
    setting = a_setting(QUALITY, silent)
    shape = (20, 2, 1)
    memory = Memory(np.full(shape, 5_000.0), np.full(shape, 500.0), np.full(shape, 500.0))
    soak = Soak(setting, Outcomes(setting, Scenario("no change")), flat(20_000))
    found = soak.run(np.full(20, 4.0), memory, np.random.default_rng(1))
    assert np.all((found.unseen | found.rolled_back) == (waits | found.rolled_back))


def test_a_run_whose_soak_saw_nothing_is_not_completed() -> None:
    """It is counted as waiting, in the shares, the curve and the sentence, even if the plan wants no labels at all."""
    setting = a_setting({**QUALITY, "age": 2.0, "min_exposed": 0})
    runs = whole(setting, None, per_day=40_000, runs=20)
    found = summarise(setting, Scenario("no change"), runs)
    assert np.any(runs.soak_unseen)
    assert found.completed.share == 0.0
    assert found.unsettled.share == np.mean(runs.waits & ~np.isin(runs.end, (HELD,)))
    assert found.stuck_by_step[-1] == np.mean(runs.soak_unseen)
    assert found.curve[-1][3] == np.mean(runs.waits)
    assert "at the end of the soak: too few of its own outcomes" in result_sentences(setting, [found])[-1]


def test_days_and_users_of_rollbacks_are_of_the_runs_rolled_back() -> None:
    """And say of how many."""
    setting = a_setting()
    runs = whole(setting, "quality -7pts", runs=30)
    found = summarise(setting, a_scenario(setting, "quality -7pts"), runs)
    assert found.exposed.runs == found.detect_days.runs == np.sum(runs.rolled_back)


def test_users_of_the_soak_count_as_exposed() -> None:
    """A rollback at full traffic is the dear one."""
    late = whole(a_setting(), "quality -15pts from soak", per_day=40_000)
    back = late.soak_rolled_back
    assert np.all(late.exposed[back] > 40_000 * (2 * 0.05 + 2 * 0.25) * 0.9)


def test_figures_depend_on_the_seed_and_not_on_the_order_of_work() -> None:
    """Every chunk has a seed of its own, spawned from its place."""
    setting = a_setting()
    scenarios = (Scenario("no change"), a_scenario(setting, "quality -9pts"))
    simulator = Simulator(setting, scenarios, flat(20_000), 12)
    work = share_out(2, 260, seed=7)
    forward = {index: simulator.run(one) for index, one in enumerate(work)}
    backward = {index: simulator.run(work[index]) for index in reversed(range(len(work)))}
    for index in forward:
        assert np.array_equal(forward[index].exposed, backward[index].exposed)
        assert np.array_equal(forward[index].end, backward[index].end)
    other = simulator.run(share_out(2, 150, seed=8)[0])
    assert not np.array_equal(forward[0].exposed, other.exposed)


def test_work_is_shared_out_by_scenario_in_turn() -> None:
    """So that an interruption leaves something of each."""
    work = share_out(3, 601, seed=1)
    assert [one.scenario for one in work] == [0, 1, 2] * 3
    assert [one.runs for one in work] == [201] * 3 + [200] * 6


def test_joined_runs_are_all_there() -> None:
    """In the order of their chunks."""
    setting = a_setting(soak=0.0)
    simulator = Simulator(setting, (Scenario("no change"),), flat(2_000), 12)
    parts = [simulator.run(one) for one in share_out(1, 261, seed=3)]
    assert len(join(parts).end) == 261
    assert np.array_equal(join(parts).end[:131], parts[0].end)


def test_drift_in_soak_is_told_from_harm_by_a_holdback_alone() -> None:
    """Against a recorded level a falling baseline looks like the candidate's fault, and the sentence says what mends it."""
    said = {}
    for holdback in (0.0, 0.05):
        setting = a_setting({**QUALITY, "baseline": 0.8}, soak=5.0, holdback=holdback)
        simulator = Simulator(setting, (Scenario("no change"),), flat(40_000), 12, drift=-0.15)
        runs = join([simulator.run(one) for one in share_out(1, 60, 1)])
        said[holdback] = result_sentences(setting, [summarise(setting, Scenario("no change"), runs)])
    assert any("`holdback: 5%` keeps a live comparison" in one for one in said[0.0])
    assert not any("though it is within" in one for one in said[0.05])
