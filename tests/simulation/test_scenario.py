"""Scenarios as they are typed: what they mean, and what is said of those that mean nothing."""

from __future__ import annotations

import pytest

from segue.simulation import ScenarioError, default_scenarios, late_remark, read_scenario
from segue.simulation.scenario import SOAK, Shift, reach, true_shifts
from tests.simulation.builders import ERRORS, QUALITY, a_setting

SETTING = a_setting(
    QUALITY, ERRORS, slices={"task=refund": 0.2, "task=other": 0.5, "lang=de": 0.3, "tier=de": 0.1}, critical=("task=refund",)
)


@pytest.mark.parametrize(
    ("text", "shifts"),
    [
        ("quality -8pts", [Shift(0, 0, 0.08)]),
        ("quality −8pts", [Shift(0, 0, 0.08)]),
        ("quality +8points", [Shift(0, 0, -0.08)]),
        ("errors +3pts", [Shift(1, 0, 0.03)]),
        ("errors +50%", [Shift(1, 0, 0.025)]),
        ("quality -10%", [Shift(0, 0, 0.09)]),
        ("slice=refund quality -8pts", [Shift(0, 1, 0.08)]),
        ("task=refund quality -8pts from day 9", [Shift(0, 1, 0.08, 9.0)]),
        ("quality -8pts from soak", [Shift(0, 0, 0.08, SOAK)]),
        ("quality -3pts, lang=de errors +1pt", [Shift(0, 0, 0.03), Shift(1, 3, 0.01)]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_reads_what_is_typed(text: str, shifts: list[Shift]) -> None:
    """A change has a sign in the metric's own direction; badness is what moves."""
    found = read_scenario(text, SETTING).shifts
    assert [(one.stream, one.cell, one.since) for one in found] == [(one.stream, one.cell, one.since) for one in shifts]
    assert [one.amount for one in found] == pytest.approx([one.amount for one in shifts])


@pytest.mark.parametrize(
    ("text", "says", "likely"),
    [
        ("", "empty", None),
        ("qualty -8pts", "no gate on 'qualty'", "'quality'"),
        ("Qual-ity -8pts", "no gate on 'Qual-ity'", "'quality'"),
        ("error_rate +8pts", "no gate on 'error_rate'", "'errors'"),
        ("quality score -8pts", "3 words are left", "'quality'"),
        ("share +20%", "trouble with the comparison", None),
        ("quality answers -10pts", "trouble with the comparison", None),
        ("slice=refnd quality -8pts", "no slice 'refnd'", "'task=refund'"),
        ("slice=de quality -8pts", "one of several", None),
        ("-8pts quality", "before the metric", "'quality -8pts'"),
        ("quality 8", "needs a sign", None),
        ("quality -8", "and a unit", "'quality -8pts'"),
        ("quality", "1 words are left", None),
        ("quality -95pts", "out of 0 to 100 %", None),
        ("quality -5pts from monday", "no beginning", None),
        ("quality -3pts from day 99", "after the end of the plan: with its soak it lasts 6 days, 14 days if", None),
    ],
    ids=lambda value: value if isinstance(value, str) else "none",
)
def test_says_what_is_wrong_with_the_rest(text: str, says: str, likely: str | None) -> None:
    """The word, what was likely meant, and a remedy."""
    with pytest.raises(ScenarioError) as found:
        read_scenario(text, SETTING)
    assert says in found.value.what
    assert found.value.likely == likely
    assert found.value.fix


def test_remarks_on_a_change_that_most_runs_never_meet() -> None:
    """Six days are planned; only a run that was extended is still under way on the ninth."""
    said = [late_remark(SETTING, read_scenario(f"quality -3pts from {when}", SETTING)) for when in ("day 9", "day 5", "soak")]
    assert "with its soak it lasts 6 days" in (said[0] or "")
    assert said[1:] == [None, None]


def test_a_slice_moves_the_total_and_other_dimensions_by_its_share() -> None:
    """And leaves its neighbours alone."""
    table = true_shifts(SETTING, read_scenario("task=refund quality -10pts", SETTING))
    assert table[0] == pytest.approx([0.02, 0.1, 0.0, 0.02, 0.02])
    assert not table[1].any()


def test_knows_which_limit_a_scenario_is_beyond() -> None:
    """On any watched cell."""
    found = [
        reach(SETTING, read_scenario(text, SETTING)) for text in ("quality -2pts", "quality -3pts", "lang=de quality -6pts")
    ]
    assert found == ["within", "hold", "rollback"]


def test_the_default_scenarios_try_both_limits_a_critical_slice_and_a_late_change() -> None:
    """Each with the reach that its name says."""
    found = {one.name: reach(SETTING, one) for one in default_scenarios(SETTING)}
    assert found == {
        "no change": "within",
        "quality at its hold limit (2 points worse)": "within",
        "quality 1.5 × its rollback limit (7.5 points worse)": "rollback",
        "errors at its hold limit (2 points worse)": "within",
        "errors 1.5 × its rollback limit (7.5 points worse)": "rollback",
        "task=refund quality 2 × its rollback limit (10 points worse)": "rollback",
        "quality 2 × its rollback limit from soak (10 points worse)": "rollback",
    }
