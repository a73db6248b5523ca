"""The canary under its plain rule: false rollbacks are rare, harm is found, silence passes nothing."""

from __future__ import annotations

import numpy as np
import pytest

from segue.simulation.canary import HELD, ROLLED_BACK, THROUGH, UNSETTLED
from tests.simulation.builders import ERRORS, QUALITY, a_setting, canary

SLICES = {"task=refund": 0.2, "task=other": 0.7, "lang=de": 0.3}
SIX_IN_300 = 0.05 + 3 * np.sqrt(0.05 * 0.95 / 300)


@pytest.mark.parametrize(
    "text",
    [None, "quality -5pts", "errors +2pts", "slice=refund quality -5pts"],
    ids=["no-change", "quality-at-the-limit", "errors-at-the-limit", "a-slice-at-the-limit"],
)
def test_rolls_back_within_the_limits_at_most_as_often_as_alpha(text: str | None) -> None:
    """Everywhere on the edge of the null, with slices and drift: at most alpha, as far as 300 runs can tell."""
    setting = a_setting(QUALITY, {**ERRORS, "rollback": "2 points", "hold": "1 points"}, slices=SLICES)
    found = canary(setting, text, runs=300, drift=0.03)
    assert np.mean(found.end == ROLLED_BACK) <= SIX_IN_300


def test_a_candidate_that_is_equal_comes_through() -> None:
    """With traffic enough, in the time that was planned."""
    found = canary(a_setting(), None, per_day=40_000)
    assert np.mean(found.end == THROUGH) >= 0.9
    assert np.median(found.end_day[found.end == THROUGH]) == pytest.approx(4.0)


def test_a_large_drop_is_rolled_back_in_the_first_step() -> None:
    """Before many users met it."""
    found = canary(a_setting(), "quality -20pts")
    assert np.mean(found.end == ROLLED_BACK) >= 0.98
    assert np.all(found.end_step[found.end == ROLLED_BACK] == 0)
    assert np.median(found.exposed) < 600


def test_a_drop_between_the_limits_is_held_for_people_and_never_completes() -> None:
    """Four points lie beyond the hold limit of two and within the rollback limit of five."""
    found = canary(a_setting(), "quality -4pts", per_day=40_000)
    assert np.mean(found.end == HELD) >= 0.8
    assert not np.any(found.end == THROUGH)
    assert np.all(~np.isnan(found.hold_day[found.end == HELD]))


@pytest.mark.parametrize(
    "change",
    [{"answered": 0.0}, {"sampled": 1e-9}, {"required": False}],
    ids=["no-answers", "nobody-asked", "nothing-required"],
)
def test_a_dead_measurement_never_advances(change: dict[str, float]) -> None:
    """No label, or no gate that has to be safe: each run waits for a person at the first step's longest length."""
    setting = a_setting({**QUALITY, **change})
    found = canary(setting, None, runs=20)
    assert np.all(found.end == UNSETTLED)
    assert np.all(found.end_step == 0)
    assert np.all(found.end_day == pytest.approx(setting.steps[0].longest))


def test_a_critical_slice_keeps_the_others_waiting() -> None:
    """The total is safe long before a slice of a fiftieth of the traffic is."""
    slices = {"task=refund": 0.02, "task=other": 0.9}
    plain = canary(a_setting(slices=slices), None)
    critical = canary(a_setting(slices=slices, critical=("task=refund",)), None)
    assert np.mean(plain.end == THROUGH) > 0.5
    assert np.mean(critical.end == THROUGH) < 0.25


def test_harm_in_one_slice_is_found_by_its_own_gate() -> None:
    """A gate on a named slice has limits of its own, and nothing of the total."""
    own = {**QUALITY, "only": ("task=refund",), "watch": "slices"}
    setting = a_setting(own, slices={"task=refund": 0.2, "task=other": 0.8})
    assert setting.gates[0].watched == (1,)
    assert np.mean(canary(setting, "slice=refund quality -25pts").end == ROLLED_BACK) > 0.9
    assert not np.any(canary(setting, "slice=other quality -25pts").end == ROLLED_BACK)


def test_a_required_gate_on_slices_alone_blocks_and_can_be_passed() -> None:
    """With no slice critical: beside a gate on the total it keeps an upgrade waiting, and alone it lets a good one through."""
    slices = {"task=refund": 0.5, "task=other": 0.5}
    own = {**ERRORS, "watch": "slices"}
    alone = canary(a_setting(own, slices=slices), None, per_day=100_000, runs=40)
    assert np.mean(alone.end == THROUGH) > 0.8
    total = {**QUALITY, "watch": "total"}
    silent = canary(a_setting(total, {**own, "answered": 0.0, "min_exposed": 0}, slices=slices), None, per_day=100_000, runs=20)
    assert np.all(silent.end == UNSETTLED)


def test_labels_of_other_slices_do_not_count() -> None:
    """A gate on a hundredth of the traffic waits for its own labels, however many the total has."""
    own = {**QUALITY, "only": ("task=refund",), "watch": "slices", "hold": "20 points", "rollback": "30 points"}
    slices = {"task=refund": 0.01, "task=other": 0.9}
    few, many = (canary(a_setting({**own, "min_exposed": n}, slices=slices), None, runs=20) for n in (0, 5_000))
    assert np.mean(few.end == THROUGH) > 0.5
    assert np.all(many.end == UNSETTLED)


@pytest.mark.parametrize(("written", "ends"), [({}, THROUGH), ({"min_exposed": 50}, UNSETTLED)], ids=["left-out", "written"])
def test_a_gate_that_is_only_watched_keeps_nothing_waiting_unless_the_plan_says_so(written: dict[str, int], ends: int) -> None:
    """Nobody answers it: with a number of its own it waits for labels, without one it is passed by."""
    silent = {**ERRORS, "answered": 0.0, "required": False, **written}
    found = canary(a_setting(QUALITY, silent), None, per_day=100_000, runs=20)
    assert np.mean(found.end == ends) > 0.8


def test_outcomes_of_one_user_do_not_count_as_many() -> None:
    """Ten outcomes of a user that are all alike: counted one by one they would alarm, as users they do not."""
    setting = a_setting(unit="user", requests_per_user=10, likeness=0.9)
    found = canary(setting, "quality -5pts", per_day=100_000, runs=200)
    assert np.mean(found.end == ROLLED_BACK) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 200)


def test_late_outcomes_delay_the_decision() -> None:
    """Judged a day after exposure, the same harm is found about a day later, and at the price of a day's users."""
    soon = canary(a_setting(), "quality -20pts")
    late = canary(a_setting({**QUALITY, "age": 1.0}), "quality -20pts")
    assert np.median(late.end_day) - np.median(soon.end_day) == pytest.approx(1.0, abs=0.25)
    assert np.median(late.exposed) > 1.5 * np.median(soon.exposed)


def test_no_step_is_left_before_its_hold() -> None:
    """Nor between two ends of a cycle."""
    setting = a_setting()
    found = canary(setting, None)
    left = found.left_day[found.end == THROUGH]
    assert np.all(left[:, 0] >= setting.steps[0].hold - 1e-9)
    assert np.allclose(left % 1.0, 0.0)


def test_a_step_for_a_segment_exposes_that_segment_alone() -> None:
    """Half of the staff, who are a tenth of the users."""
    steps = ({"share": 0.5, "hold": 2, "segment": "staff"},)
    everyone = canary(a_setting(steps=({"share": 0.5, "hold": 2},)), None, per_day=100_000)
    staff = canary(a_setting(steps=steps, segments={"staff": 0.1}), None, per_day=100_000)
    assert np.median(staff.exposed) == pytest.approx(np.median(everyone.exposed) / 10, rel=0.1)
