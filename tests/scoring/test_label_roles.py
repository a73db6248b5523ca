"""Who a labeler is: declared, or by name; and that it changes no score."""

from __future__ import annotations

import pytest

from segue.evals.judge_standing import is_judged
from segue.scoring.label_roles import role_of
from segue.scoring.registry import check_spec
from tests.scoring.builders import a_scorer, a_spec
from tests.scoring.test_recorded_label import context


@pytest.mark.parametrize(
    ("labeler", "role"),
    [
        ("judge:gpt-4", "judge"),
        ("human:final", "human"),
        ("human", "human"),
        ("rule:yes_no", "rule"),
        ("inspect:model_graded_qa", "judge"),
        ("inspect:model_graded_fact/grade", "judge"),
        ("inspect:match", None),
        ("judges:one", None),
        ("ada", None),
    ],
)
def test_a_name_tells_by_convention(labeler: str, role: str | None) -> None:
    """What stands before the colon, or is the whole name; anything else is unknown."""
    assert role_of(labeler) == role


def test_what_is_declared_counts() -> None:
    """Either way: a judge by another name, and people who are called `judge:`."""
    assert role_of("claude", "judge") == "judge"
    assert role_of("judge:kavanagh", "human") == "human"


@pytest.mark.parametrize(
    ("settings", "judged"),
    [
        ({"labeler": "judge:one"}, True),
        ({"labeler": "grader-v2"}, False),
        ({"labeler": "grader-v2", "role": "judge"}, True),
        ({"labeler": "judge:one", "role": "rule"}, False),
    ],
)
def test_a_recorded_judge_is_known_as_one(settings: dict[str, str], judged: bool) -> None:
    """So that it gates nothing before it is calibrated."""
    assert is_judged(a_spec("recorded_label", **settings)) is judged


def test_a_role_is_no_part_of_the_identity() -> None:
    """Declaring it scores nothing anew."""
    plain, declared = (a_scorer("recorded_label", context=context(), labeler="x", **more) for more in ({}, {"role": "judge"}))
    assert plain.identity.digest == declared.identity.digest


def test_another_role_is_a_fault() -> None:
    """At its path."""
    (fault,) = check_spec(a_spec("recorded_label", labeler="x", role="jugde"), path="scorers[0]")
    assert (fault.path, "'human', 'judge' or 'rule'" in fault.what) == ("scorers[0].role", True)
