"""The guards over many runs: they notice a broken comparison, end it as invalid, and are quiet where nothing is wrong."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.evidence.sequential.ratio_test import RatioTest
from segue.simulation import Setting, read_trouble, summarise
from segue.simulation.canary import HELD, INVALID, ROLLED_BACK, THROUGH, Canary, CanaryRuns
from segue.simulation.chunk import Simulator, join, share_out
from segue.simulation.guards import ANSWERS_ALPHA, ASSIGNMENT_ALPHA, Assignment
from segue.simulation.outcomes import Outcomes
from segue.simulation.scenario import Scenario, read_scenario
from segue.simulation.wording import result_sentences
from tests.simulation.builders import ERRORS, QUALITY, a_setting, canary, flat

ASKED = {**ERRORS, "metric": "thumbs_down", "answered": 0.5, "required": False}
Counts = st.lists(
    st.tuples(st.sampled_from([0.01, 0.05, 0.25]), st.integers(0, 3000), st.integers(0, 900)), min_size=1, max_size=6
)


def troubled(setting: Setting, text: str, *, per_day: float = 20_000, runs: int = 100, worse: str | None = None) -> CanaryRuns:
    """The canary of a trouble, with a regression as well if one is given."""
    shifts = read_scenario(worse, setting).shifts if worse else ()
    scenario = Scenario(text, shifts, read_trouble(text, setting).troubles)
    return Canary(setting, Outcomes(setting, scenario), flat(per_day), 6).run(runs, np.random.default_rng(1))


@given(st.lists(Counts, min_size=1, max_size=4))
def test_assignment_says_what_the_shipped_test_says(runs: list[list[tuple[float, int, int]]]) -> None:
    """Run by run, through steps of other shares, a share that comes back, and blocks without anybody."""
    longest = max(len(one) for one in runs)
    padded = [one + [(one[-1][0], 0, 0)] * (longest - len(one)) for one in runs]
    many = Assignment.start(np.array([one[0][0] for one in padded]))
    single = [RatioTest() for _ in padded]
    for place in range(longest):
        share, old, new = (np.array([one[place][part] for one in padded], float) for part in range(3))
        many.add(share, old, new)
        single = [
            test.advance(one[place][0], old=one[place][1], new=one[place][2]) for test, one in zip(single, padded, strict=True)
        ]
        assert many.log_e == pytest.approx([test.log_e for test in single], abs=1e-6)


def test_another_share_than_planned_ends_as_invalid_and_is_never_promoted() -> None:
    """A fifth more of the traffic; the candidate itself is equal, and would have come through."""
    found = troubled(a_setting(), "share +20%", per_day=40_000)
    assert np.mean(found.end == INVALID) > 0.95
    assert not np.any(found.end == THROUGH)
    assert np.all(found.mismatched == (found.end == INVALID))


def test_a_mismatch_ends_what_harm_has_not_ended() -> None:
    """Shares that are refuted at the first looks end a run before a small harm is shown."""
    found = troubled(a_setting(), "share +60%", per_day=100_000, worse="quality -6pts")
    assert np.mean(found.end == INVALID) > 0.95


def test_a_mismatch_hides_no_harm() -> None:
    """Both are there at one look: users are taken back."""
    found = troubled(a_setting(), "share +60%", per_day=100_000, worse="quality -60pts")
    assert np.mean(found.end == ROLLED_BACK) > 0.95
    assert not np.any(found.mismatched & (found.end == ROLLED_BACK))


@pytest.mark.parametrize("text", ["answers -10pts", "answers +10pts"], ids=["fewer", "more"])
def test_answers_that_come_at_another_rate_end_as_invalid(text: str) -> None:
    """In both directions, and by the labels, not by the shares."""
    found = troubled(a_setting(QUALITY, ASKED), text, per_day=40_000)
    assert np.mean(found.end == INVALID) > 0.95
    assert not np.any(found.end == THROUGH)
    assert np.mean(found.mismatched) <= 0.05


def test_a_cell_that_cannot_be_compared_hides_no_harm_elsewhere() -> None:
    """Thumbs come back differently from the second day; quality is twenty points worse, and rolls back."""
    found = troubled(a_setting(QUALITY, ASKED), "answers -30pts from day 1", worse="quality -20pts")
    assert np.mean(found.end == ROLLED_BACK) > 0.9


def test_a_trouble_that_begins_late_is_noticed_late() -> None:
    """No alarm before it."""
    found = troubled(a_setting(), "share +40% from day 3", per_day=40_000)
    invalid = found.end == INVALID
    assert np.mean(invalid) > 0.9
    assert np.mean(found.end_day[invalid] < 3.0) <= 0.05


@pytest.mark.parametrize(
    "text",
    [None, "quality -2pts", "quality -4pts", "thumbs_down +5pts"],
    ids=["no-change", "at-the-hold-limit", "beyond-the-hold-limit", "users-complain"],
)
def test_guards_raise_a_false_alarm_at_most_as_often_as_they_promise(text: str | None) -> None:
    """Whatever the candidate does to outcomes, with drift and slices: one per cent and five, as far as 300 runs can tell."""
    setting = a_setting(QUALITY, ASKED, slices={"task=refund": 0.2, "task=other": 0.7, "lang=de": 0.3})
    found = canary(setting, text, runs=300, drift=0.03)
    for share, alpha in (
        (np.mean(found.mismatched), ASSIGNMENT_ALPHA),
        (np.mean((found.end == INVALID) & ~found.mismatched), ANSWERS_ALPHA),
    ):
        assert share <= alpha + 3 * np.sqrt(alpha * (1 - alpha) / 300)


def test_labels_that_all_come_are_not_watched() -> None:
    """Nothing can differ there; under a trouble they are."""
    found = canary(a_setting(), "quality -4pts", per_day=40_000)
    assert np.mean(found.end == HELD) > 0.8
    assert np.mean(troubled(a_setting(), "quality answers -10pts", per_day=40_000).end == INVALID) > 0.95


def test_figures_tell_invalid_runs_apart_and_say_what_was_missed() -> None:
    """An ending of its own in shares and curve; at little traffic the guard does not notice, and a sentence says so."""
    setting = a_setting()
    said = {}
    for per_day in (200.0, 40_000.0):
        scenario = read_trouble("share +20%", setting)
        simulator = Simulator(setting, (scenario,), flat(per_day), 6)
        runs = join([simulator.run(one) for one in share_out(1, 40, 1)])
        found = summarise(setting, scenario, runs)
        said[per_day] = result_sentences(setting, [found])
        assert found.is_troubled
        assert found.invalid.share == np.mean(runs.invalid) == found.curve[-1][4]
        assert found.noticed.share == pytest.approx(np.mean(runs.invalid | runs.rolled_back | ~np.isnan(runs.hold_day)))
        ends = (found.invalid, found.rolled_back, found.held, found.unsettled, found.completed)
        assert sum(one.share or 0.0 for one in ends) == pytest.approx(1.0)
    assert any("makes the comparison worth nothing, and the guards said so in" in one for one in said[200.0])
    assert said[40_000.0] == ()
