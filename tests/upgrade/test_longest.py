"""How long a stage may last before a named person decides: three times its length, or as the plan says."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from segue.model.plan import Plan
from segue.upgrade.event import lengths
from tests.upgrade.builders import began

DAY = 86_400.0
GATES: tuple[dict[str, Any], ...] = ({"metric": "right"},)


def longest_days(stage: Any, **keys: Any) -> float:
    """Of a stage under a plan with these keys."""
    plan = Plan.model_validate({"preset": "1-5-25-100", "gates": GATES, "shadow": {"length": 4}, "soak": 10, **keys})
    return lengths(began(stage=stage), plan)[1] / DAY


@pytest.mark.parametrize(
    ("stage", "keys", "days"),
    [
        ("shadow", {}, 12.0),
        ("shadow", {"shadow": {"length": 4, "longest": "5d"}}, 5.0),
        ("soak", {}, 30.0),
        ("soak", {"soak_longest": "2w"}, 14.0),
        ("soak", {"shadow": {"length": 4, "longest": 5}}, 30.0),
    ],
    ids=["shadow", "shadow-said", "soak", "soak-said", "the-shadow's-is-not-the-soak's"],
)
def test_shadow_and_soak_have_a_longest_length(stage: Any, keys: dict[str, Any], days: float) -> None:
    """Three times their own, unless the plan says otherwise."""
    assert longest_days(stage, **keys) == days


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"soak_longest": 9}, "soak_longest is shorter than soak"),
        ({"shadow": {"length": 4, "longest": 3}}, "longest is shorter than length"),
    ],
    ids=["soak", "shadow"],
)
def test_a_longest_length_that_is_shorter_is_refused(keys: dict[str, Any], told: str) -> None:
    """It would hold before it could end."""
    with pytest.raises(ValidationError, match=told):
        longest_days("soak", **keys)
