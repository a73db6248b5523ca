"""Which judges may gate, and what is said of those that may not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.errors import InputError
from segue.evidence.judge_calibration import CalibrationRule, LabelPair, calibrate_judge
from tests.judge.builders import labelled

PERFECT: list[LabelPair] = [(1, 1), (0, 0)] * 100


def codes(old: list[LabelPair], new: list[LabelPair], rule: CalibrationRule | None = None) -> set[str]:
    """The objections to a judge."""
    return {one.code for one in calibrate_judge(old, new, rule=rule).objections}


def allowed_share(seeds: int, n: int, yes: float, old: tuple[float, float], new: tuple[float, float]) -> float:
    """Share of seeds in which a judge with these (sensitivity, specificity) may gate."""
    rng = np.random.default_rng(20_240_607)
    found = [calibrate_judge(labelled(rng, n, yes, *old), labelled(rng, n, yes, *new)).may_gate for _ in range(seeds)]
    return sum(found) / seeds


@pytest.mark.slow
@pytest.mark.parametrize("yes", [0.5, 0.7, 0.85])
def test_a_good_judge_may_gate(yes: float) -> None:
    """Sensitivity and specificity 0.97 on both arms with 300 labels each: allowed in at least 90 % of seeds."""
    assert allowed_share(300, 300, yes, (0.97, 0.97), (0.97, 0.97)) >= 0.90


@pytest.mark.slow
@pytest.mark.parametrize("yes", [0.5, 0.7, 0.9])
def test_a_judge_that_misses_more_on_one_arm_is_refused(yes: float) -> None:
    """Sensitivity 0.80 on the new arm and 0.97 on the old one: refused in at least 95 % of seeds."""
    assert allowed_share(300, 300, yes, (0.97, 0.97), (0.80, 0.97)) <= 0.05


@pytest.mark.slow
@pytest.mark.parametrize("yes", [0.3, 0.5, 0.7])
def test_a_judge_that_lets_more_pass_on_one_arm_is_refused(yes: float) -> None:
    """The same with specificity."""
    assert allowed_share(300, 300, yes, (0.97, 0.97), (0.97, 0.80)) <= 0.05


def test_a_judge_that_errs_alike_on_both_arms_is_not_tilted_by_a_true_change() -> None:
    """The arms may differ in quality: only unequal errors count, not the shrinking that equal errors cause."""
    rng = np.random.default_rng(7)
    found = [
        calibrate_judge(labelled(rng, 400, 0.5, 0.96, 0.96), labelled(rng, 400, 0.8, 0.96, 0.96)).gaps.tilt.numbers[0]
        for _ in range(200)
    ]
    assert abs(float(np.mean(found))) < 0.003


def test_a_perfect_judge_with_enough_labels_may_gate() -> None:
    """It says so in its first sentence, and has no objection."""
    found = calibrate_judge(PERFECT, PERFECT)
    assert found.may_gate
    assert found.sentences()[0].startswith("The judge may gate")
    assert found.labels_wanted is None


def test_too_few_labels_on_either_arm_refuse() -> None:
    """A hundred labels are needed on both models' outputs, not on one."""
    assert "too-few-labels" in codes(PERFECT, PERFECT[:98])
    found = calibrate_judge(PERFECT, [])
    assert not found.may_gate
    assert any("new: 0 outputs" in one.sentence for one in found.objections)
    assert any("100 more" in one.next_step for one in found.objections)


def test_labels_of_one_kind_only_refuse() -> None:
    """Where people say yes to everything, specificity and kappa are undefined: no neutral number stands in."""
    found = calibrate_judge([(1, 1)] * 200, [(1, 1)] * 200)
    assert found.old.specificity.value is None
    assert found.old.kappa.value is None
    assert {"one-sided-labels", "kappa-undefined", "specificity-unknown"} <= {one.code for one in found.objections}


def test_too_many_unusable_verdicts_refuse() -> None:
    """What a judge will not judge is no random sample; up to 5 % is allowed."""
    assert "invalid-verdicts" in codes(PERFECT, [*PERFECT, *[(0, None)] * 11])
    assert codes(PERFECT, [*PERFECT, *[(0, None)] * 10]) == set()
    assert calibrate_judge(PERFECT, [*PERFECT, (1, None)]).new.n_invalid == 1


def test_a_judge_no_better_than_chance_is_refused_for_every_reason() -> None:
    """A coin agrees half of the time; kappa and Youden's index see through it."""
    rng = np.random.default_rng(1)
    found = codes(labelled(rng, 300, 0.5, 0.5, 0.5), labelled(rng, 300, 0.5, 0.5, 0.5))
    assert {"low-kappa", "weak-judge"} <= found


def test_an_uncertain_judge_is_told_how_many_labels_would_show_it() -> None:
    """Right on 93 and 94 of 100 outputs, a judge is not shown to err alike; the number wanted is more than it has."""
    old: list[LabelPair] = [(1, 1)] * 46 + [(1, 0)] * 4 + [(0, 0)] * 47 + [(0, 1)] * 3
    new: list[LabelPair] = [(1, 1)] * 48 + [(1, 0)] * 2 + [(0, 0)] * 46 + [(0, 1)] * 4
    found = calibrate_judge(old, new)
    assert {one.code for one in found.objections} == {"tilt"}
    assert found.labels_wanted is not None
    assert found.labels_wanted > 100
    assert f"About {found.labels_wanted} labels" in found.sentences()[-1]


def test_gaps_and_tilt_are_computed_by_hand() -> None:
    """Sensitivity 0.9 → 0.8, specificity 0.8 → 0.9 at an even mix: tilt ½ · (−0.1) − ½ · 0.1 = −0.1."""
    old: list[LabelPair] = [(1, 1)] * 90 + [(1, 0)] * 10 + [(0, 0)] * 80 + [(0, 1)] * 20
    new: list[LabelPair] = [(1, 1)] * 80 + [(1, 0)] * 20 + [(0, 0)] * 90 + [(0, 1)] * 10
    found = calibrate_judge(old, new)
    assert found.gaps.sensitivity.value == pytest.approx(-0.1)
    assert found.gaps.specificity.value == pytest.approx(0.1)
    assert found.gaps.tilt.value == pytest.approx(-0.1)
    assert found.pooled.counts == found.old.counts + found.new.counts


def test_the_rule_can_be_set() -> None:
    """Thresholds are data."""
    assert codes(PERFECT, PERFECT, replace(CalibrationRule(), min_labels=500)) == {"too-few-labels"}


@pytest.mark.parametrize("pair", [(2, 1), (None, 1), (1, 2), ("1", 1), (1, -1), (0.5, 0)])
def test_wrong_labels_are_faults(pair: tuple[object, object]) -> None:
    """Every wrong pair is named by its place."""
    with pytest.raises(InputError) as caught:
        calibrate_judge(PERFECT, [(1, 1), pair, pair])  # type: ignore[list-item]
    assert [fault.path for fault in caught.value.faults] == ["new[1]", "new[2]"]


@given(st.lists(st.tuples(st.integers(0, 1), st.sampled_from([0, 1, None])), max_size=80), st.integers(0, 3))
def test_more_wrong_verdicts_never_lift_a_refusal(pairs: list[LabelPair], shift: int) -> None:
    """Turning right verdicts on both arms into wrong ones removes no objection about kappa."""
    base = [*PERFECT[: 40 * shift], *pairs]
    worse = [(human, 1 - human if judge == human and index % 2 else judge) for index, (human, judge) in enumerate(base)]
    before, after = calibrate_judge(base, base), calibrate_judge(worse, worse)
    if not before.may_gate:
        assert not after.may_gate
