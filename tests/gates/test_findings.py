"""What is said of one slice."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.evidence.flips import FlipCounts
from segue.gates.tally import CONFIRMATION, Observed, Tally
from segue.model import GateSettings
from tests.gates.builders import SETTINGS, a_run, a_tally, add, findings_of


def test_a_drop_that_is_shown_is_worse() -> None:
    """Thirty right answers turned wrong and two the other way."""
    found = findings_of(a_tally({"lang=de": (150, 30, 2, 18)}))
    assert found["lang=de"].verdict == "worse"
    assert found[""].verdict == "worse"


def test_a_gain_that_is_shown_is_better() -> None:
    """The mirror image."""
    assert findings_of(a_tally({"lang=de": (150, 2, 30, 18)}))["lang=de"].verdict == "better"


def test_enough_cases_without_harm_are_not_worse() -> None:
    """Two thousand cases with little churn exclude a loss of two points."""
    found = findings_of(a_tally({"lang=de": (1900, 20, 20, 60)}))
    assert found[""].verdict == "not worse"
    assert found[""].harm_excluded is not None
    assert found[""].harm_excluded < 0.02


def test_too_few_cases_are_inconclusive_and_say_how_many_would_settle_it() -> None:
    """Twenty cases show nothing; the number needed is more than there are."""
    found = findings_of(a_tally({"lang=de": (16, 1, 1, 2)}))[""]
    assert found.verdict == "inconclusive"
    assert found.needed is not None
    assert found.needed > 20


def test_no_comparable_case_is_inconclusive_and_undefined() -> None:
    """All candidate answers unscored: no rate, no difference, no p — and no pass."""
    tally = Tally(bounded=["correct"], better={"correct": "higher"})
    for _ in range(10):
        add(tally, 1.0, None)
    found = findings_of(tally)[""]
    assert (found.n, found.new.mean, found.difference, found.verdict) == (0, None, None, "inconclusive")
    assert found.n_unusable == 10
    assert found.new_unusable.unscored == 10


def test_error_wrong_unscored_and_missing_are_four_things() -> None:
    """Each is counted as what it is, and only *wrong* enters the rate."""
    tally = Tally(bounded=["correct"], better={"correct": "higher"})
    for new in ([a_run(0.0)], [a_run(None, failed=True)], [a_run(None)], []):
        tally.add(task="t", kind="edge", slices=(), applicable=None, cluster=None, old=[a_run(1.0)], new=new)
    found = findings_of(tally)[""]
    assert (found.n, found.new.mean) == (1, 0.0)
    assert (found.new_unusable.errored, found.new_unusable.unscored, found.new_unusable.missing) == (1, 1, 1)
    assert found.flips == FlipCounts(only_old=1)


def test_less_is_better_turns_the_verdict_round() -> None:
    """A rate of unwanted answers that rises is worse."""
    found = findings_of(a_tally({"lang=de": (20, 2, 40, 138)}, better="lower"))["lang=de"]
    assert found.verdict == "worse"
    assert found.gain is not None
    assert found.gain < 0


def test_repeats_are_averaged_within_a_case() -> None:
    """Two of three runs right is two thirds of a case, and right by majority."""
    tally = Tally(bounded=["correct"], better={"correct": "higher"})
    runs = [a_run(1.0, 0), a_run(1.0, 1), a_run(0.0, 2)]
    tally.add(task="t", kind="edge", slices=(), applicable=None, cluster=None, old=runs, new=[a_run(1.0, k) for k in range(3)])
    found = findings_of(tally)[""]
    assert found.old.mean == pytest.approx(2 / 3)
    assert found.flips == FlipCounts(both_right=1)


def test_reruns_of_flips_say_whether_they_hold_and_never_enter_the_rate() -> None:
    """Three flips, re-run: one holds, one does not, one was not re-run."""
    tally = Tally(bounded=["correct"], better={"correct": "higher"})
    for old_again, new_again in ((1.0, 0.0), (1.0, 1.0), (None, None)):
        old, new = [a_run(1.0)], [a_run(0.0)]
        if old_again is not None:
            old.append(a_run(old_again, CONFIRMATION))
            new.append(a_run(new_again, CONFIRMATION))
        tally.add(task="t", kind="edge", slices=(), applicable=None, cluster=None, old=old, new=new)
    found = findings_of(tally)[""]
    assert (found.rerun, found.confirmed) == (2, 1)
    assert found.new.mean == 0.0


def test_as_many_runs_count_on_either_arm() -> None:
    """Five runs against one are compared one against one; a majority of five would lean."""
    tally = Tally(bounded=["correct"], better={"correct": "higher"})
    old = [a_run(0.0, 0), *(a_run(1.0, repeat) for repeat in range(1, 5))]
    tally.add(task="t", kind="edge", slices=(), applicable=None, cluster=None, old=old, new=[a_run(0.0)])
    assert findings_of(tally)[""].flips == FlipCounts(both_wrong=1)


def test_a_case_that_loses_half_its_runs_is_not_compared() -> None:
    """What is left may be the easy half."""
    tally = Tally(bounded=["correct"], better={"correct": "higher"})
    new = [a_run(1.0, 0), a_run(None, 1, failed=True)]
    tally.add(task="t", kind="edge", slices=(), applicable=None, cluster=None, old=[a_run(1.0, 0), a_run(1.0, 1)], new=new)
    found = findings_of(tally)[""]
    assert (found.n, found.new_unusable.errored) == (0, 1)


def test_flips_that_do_not_hold_when_run_again_are_not_called_worse() -> None:
    """Thirty negative flips, all re-run, none confirmed."""
    tally = Tally(bounded=["correct"], better={"correct": "higher"})
    for index in range(100):
        flipped = index < 30
        new = [a_run(0.0 if flipped else 1.0)] + ([a_run(1.0, CONFIRMATION)] if flipped else [])
        old = [a_run(1.0)] + ([a_run(1.0, CONFIRMATION)] if flipped else [])
        tally.add(task="t", kind="edge", slices=(), applicable=None, cluster=None, old=old, new=new)
    found = findings_of(tally)[""]
    assert found.verdict == "inconclusive"
    assert found.note == "only 0 of 30 flips held when they were run again"


def test_cases_of_one_conversation_count_as_one_block() -> None:
    """Forty flips in four conversations are far weaker evidence than forty flips in forty."""
    alone, together = (
        Tally(bounded=["correct"], better={"correct": "higher"}),
        Tally(bounded=["correct"], better={"correct": "higher"}),
    )
    for index in range(200):
        new = 0.0 if index < 40 else 1.0
        add(alone, 1.0, new)
        add(together, 1.0, new, cluster=f"talk-{index // 10}")
    apart, grouped = findings_of(alone)[""], findings_of(together)[""]
    assert apart.verdict == "worse"
    assert grouped.n_blocks == 20
    assert grouped.p_worse > apart.p_worse
    assert grouped.verdict != "worse"


def test_the_most_particular_margin_holds() -> None:
    """A margin set for a slice beats the one for critical slices."""
    settings = GateSettings(primary=("correct",), margins={"lang=de": 0.2, "correct@lang=fr": 0.3})
    found = findings_of(a_tally({"lang=de": (50, 0, 0, 0), "lang=fr": (50, 0, 0, 0)}), settings, critical=["lang=de"])
    assert (found["lang=de"].margin, found["lang=fr"].margin, found[""].margin) == (0.2, 0.3, 0.02)


def test_many_slices_are_corrected_together() -> None:
    """A drop that one slice alone would show is not shown among thirty."""
    lone = {"s=0": (60, 8, 1, 31)}
    crowd = {**lone, **{f"s={index}": (50, 5, 5, 40) for index in range(1, 30)}}
    settings = GateSettings(primary=("correct",), alpha=0.05)
    assert findings_of(a_tally(lone), settings)["s=0"].verdict == "worse"
    assert findings_of(a_tally(crowd), settings)["s=0"].verdict == "inconclusive"


def test_a_slice_of_every_case_asks_what_the_total_asks() -> None:
    """One question is counted once: where all cases are refunds, the slice and the total are corrected as one."""
    found = findings_of(a_tally({"task=refund": (46, 11, 1, 2)}), GateSettings(primary=("correct",), alpha=0.05))
    assert found["task=refund"].p_worse_adjusted == found[""].p_worse_adjusted == pytest.approx(0.00317, rel=0.01)
    assert found[""].verdict == "worse"


ORDER = {"better": 0, "not worse": 1, "inconclusive": 2, "worse": 3}


@given(table=st.tuples(*[st.integers(0, 80)] * 4), harm=st.integers(1, 40))
def test_more_harm_never_improves_a_verdict(table: tuple[int, int, int, int], harm: int) -> None:
    """Turning cases that both had right into negative flips moves the verdict only towards worse."""
    both, only_old, only_new, neither = table
    harm = min(harm, both)
    before = findings_of(a_tally({"s=a": table}))
    after = findings_of(a_tally({"s=a": (both - harm, only_old + harm, only_new, neither)}))
    if before:
        assert ORDER[after[""].verdict] >= ORDER[before[""].verdict]


@given(st.lists(st.tuples(st.sampled_from([0.0, 1.0, None]), st.sampled_from([0.0, 1.0, None])), max_size=30), st.randoms())
def test_the_order_of_cases_does_not_matter(cases: list[tuple[float | None, float | None]], chance: object) -> None:
    """Any order gives the same findings."""
    shuffled = [*cases]
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    one, two = (
        Tally(bounded=["correct"], better={"correct": "higher"}),
        Tally(bounded=["correct"], better={"correct": "higher"}),
    )
    for old, new in cases:
        add(one, old, new)
    for old, new in shuffled:
        add(two, old, new)
    assert findings_of(one, SETTINGS) == findings_of(two, SETTINGS)


def test_a_metric_that_is_not_asked_of_a_case_is_not_missing_there() -> None:
    """A scorer limited to red-team cases leaves the others alone."""
    tally = Tally(bounded=["correct"], better={"correct": "higher"})
    tally.add(
        task="t",
        kind="edge",
        slices=(),
        applicable={"correct": False},
        cluster=None,
        old=[Observed(0, {})],
        new=[Observed(0, {})],
    )
    add(tally, 1.0, 1.0)
    found = findings_of(tally)[""]
    assert (found.n_applicable, found.n, found.n_unusable) == (1, 1, 0)
