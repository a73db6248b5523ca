"""Troubles with the comparison as they are typed, and what they do to shares and answers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.simulation import ScenarioError, default_troubles, late_remark, read_scenario, read_trouble
from segue.simulation.scenario import reach
from segue.simulation.trouble import PLACES, Trouble, answers_given, share_given
from tests.simulation.builders import ERRORS, QUALITY, a_setting

THUMBS = {**ERRORS, "metric": "thumbs_down", "answered": 0.4}
SETTING = a_setting(QUALITY, THUMBS, slices={"task=refund": 0.2, "task=other": 0.5})


@pytest.mark.parametrize(
    ("text", "troubles"),
    [
        ("share +20%", [Trouble("share", 0.2, is_relative=True)]),
        ("share −1pt", [Trouble("share", -0.01)]),
        ("share +1pts from day 3", [Trouble("share", 0.01, since=3.0)]),
        ("answers -10pts", [Trouble("answers", -0.1, streams=(1,))]),
        ("quality answers -50%", [Trouble("answers", -0.5, is_relative=True, streams=(0,))]),
        ("share +5%, answers -2pts", [Trouble("share", 0.05, is_relative=True), Trouble("answers", -0.02, streams=(1,))]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_reads_what_is_typed(text: str, troubles: list[Trouble]) -> None:
    """Answers without a metric are those that people are asked for; nothing is wrong with the candidate itself."""
    found = read_trouble(text, SETTING)
    assert found.shifts == ()
    assert reach(SETTING, found) == "within"
    assert found.name == f"trouble: {text.replace('−', '-')}"
    assert [(one.place, one.is_relative, one.streams, one.since) for one in found.troubles] == [
        (one.place, one.is_relative, one.streams, one.since) for one in troubles
    ]
    assert [one.amount for one in found.troubles] == pytest.approx([one.amount for one in troubles])


@pytest.mark.parametrize(
    ("text", "says", "likely"),
    [
        ("", "empty", None),
        ("from day 3", "empty", None),
        ("share +5%, ", "empty", None),
        ("share 5% -> 6%", "two shares, not a change", "'share +20%'"),
        ("+20% share", "not a change", "'share +20%'"),
        ("share 20", "needs a sign", None),
        ("answers -10", "and a unit", "'answers -10pts'"),
        ("anwers -10pts", "neither share nor answers", "'answers'"),
        ("+20%", "neither share nor answers", None),
        ("thumbs answers -10pts", "no gate on 'thumbs'", "'thumbs_down'"),
        ("quality -8pts", "a change of the candidate", None),
        ("quality share +1pt", "stands before share", None),
        ("slice=refund answers -10pts", "names a slice", None),
        ("share -6pts", "in step 1 from 5 % to -1 %", None),
        ("share +300%", "in step 2 from 25 % to 100 %", None),
        ("answers -50pts", "the answers of thumbs_down out of 0 to 100 %: 40 % are planned", None),
        ("share +1pt from soak", "no beginning", None),
        ("share +1pt from day 99", "after the last step, and nothing is compared then", None),
    ],
    ids=lambda value: value if isinstance(value, str) else "none",
)
def test_says_what_is_wrong_with_the_rest(text: str, says: str, likely: str | None) -> None:
    """The word, what was likely meant, and a remedy."""
    with pytest.raises(ScenarioError) as found:
        read_trouble(text, SETTING)
    assert says in found.value.what
    assert found.value.likely == likely
    assert found.value.fix


def test_a_share_changes_in_every_step_from_its_day_on() -> None:
    """And stays one."""
    planned = np.array([0.05, 0.25])
    late = (Trouble("share", 0.2, is_relative=True, since=2.0),)
    assert share_given(late, planned, 1.9) == pytest.approx(planned)
    assert share_given(late, planned, 2.0) == pytest.approx([0.06, 0.3])
    assert share_given((Trouble("share", -0.2),), planned, 0.0) == pytest.approx([0.0, 0.05])


def test_answers_change_for_the_candidate_on_the_metrics_named() -> None:
    """By run, since runs of a soak began on different days."""
    found = answers_given((Trouble("answers", -0.1, streams=(1,), since=2.0),), np.array([1.0, 0.4]), np.array([0.0, 2.0]))
    assert found == pytest.approx(np.array([[1.0, 0.4], [1.0, 0.3]]))


def test_by_default_a_share_is_tried_and_answers_where_people_are_asked() -> None:
    """A scorer's labels all come."""
    assert [one.name for one in default_troubles(SETTING)] == ["trouble: share +20%", "trouble: answers -20%"]
    assert [one.name for one in default_troubles(a_setting())] == ["trouble: share +20%"]


def test_remarks_on_a_trouble_that_only_extended_runs_meet() -> None:
    """Four days of steps are planned."""
    assert "only extended runs" in (late_remark(SETTING, read_trouble("share +20% from day 5", SETTING)) or "")
    assert late_remark(SETTING, read_trouble("share +20% from day 3", SETTING)) is None


WORDS = [*PLACES, "quality", "thumbs_down", "from", "day", "3", "soak", "->", "=", "+20%", "-1pt", "5%", "+5", "x", ","]


@given(st.lists(st.sampled_from(WORDS), max_size=6))
def test_whatever_is_typed_is_read_or_refused_with_a_remedy(words: list[str]) -> None:
    """In any order; nothing else is raised, of either option."""
    for read in (read_trouble, read_scenario):
        remedy = None
        try:
            found = read(" ".join(words), SETTING)
        except ScenarioError as error:
            remedy = error.fix
        assert remedy or found.troubles or found.shifts
