"""Who comes when, and asks what: shares hold, users stay themselves, and the same seed draws the same."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.errors import InputError
from segue.model import Case
from segue.rehearsal.arrivals import Arrivals
from segue.rehearsal.clock import DAY_S, HOUR_S, MONDAY, NS
from segue.rehearsal.crowd import Crowd, case_weights
from segue.simulation import Traffic
from tests.rehearsal.conftest import a_plan

CASES = [
    Case(case_id=f"c{n}", task="refund" if n % 3 else "delivery", slice={"lang": "de" if n % 2 else "en"}) for n in range(60)
]


def test_a_day_has_about_as_many_requests_as_it_should() -> None:
    """Within six standard deviations of a Poisson number."""
    arrivals = Arrivals(Traffic.daily(10_000), begin=MONDAY, seed=1)
    assert abs(len(arrivals.between(MONDAY, MONDAY + DAY_S)) - 10_000) < 600


def test_requests_come_in_order_and_within_their_stretch() -> None:
    """Whatever the stretch."""
    arrivals = Arrivals(Traffic.daily(5_000), begin=MONDAY, seed=1)
    for begin, end in ((0.0, 1_800.0), (1_800.0, 9_000.0), (9_000.0, 9_060.0)):
        moments = arrivals.between(MONDAY + begin, MONDAY + end)
        assert moments == sorted(moments)
        assert all((MONDAY + begin) * NS <= at < (MONDAY + end) * NS for at in moments)


def test_the_afternoon_is_busier_than_the_night() -> None:
    """The daily cycle of the plan's simulation."""
    arrivals = Arrivals(Traffic.daily(20_000), begin=MONDAY, seed=2)
    hours = Counter(int((at / NS - MONDAY) // HOUR_S) for at in arrivals.between(MONDAY, MONDAY + DAY_S))
    assert hours[14] > 2 * hours[2]


def test_the_same_seed_draws_the_same_and_another_does_not() -> None:
    """Arrivals and askers."""

    def drawn(seed: int) -> tuple[list[int], list[int]]:
        moments = Arrivals(Traffic.daily(500), begin=MONDAY, seed=seed).between(MONDAY, MONDAY + DAY_S)
        return moments, [one.case for one in Crowd(CASES, a_plan(slices={}), seed=seed).draw(100)]

    assert drawn(3) == drawn(3)
    assert drawn(3) != drawn(4)


@given(refund=st.floats(0.05, 0.95), german=st.floats(0.05, 0.95))
def test_weights_meet_the_shares_of_two_dimensions(refund: float, german: float) -> None:
    """Iterative proportional fitting gets there."""
    weights = case_weights(CASES, {"task=refund": refund, "task=delivery": 1 - refund, "lang=de": german})
    for name, value, share in (("task", "refund", refund), ("lang", "de", german)):
        mask = np.array([case.slices[name] == value for case in CASES])
        assert weights[mask].sum() == pytest.approx(share, abs=1e-6)


def test_a_share_of_a_slice_without_cases_is_refused() -> None:
    """It could not be drawn."""
    with pytest.raises(InputError, match="traffic of the rehearsal") as caught:
        case_weights(CASES, {"task=billing": 0.1})
    assert "task=billing" in caught.value.faults[0].what


def test_a_user_stays_within_the_slices_of_the_first_request() -> None:
    """Their outcomes are averaged, and the mean belongs to one slice."""
    plan = a_plan(unit="user", requests_per_user=4.0, slices={})
    askers = Crowd(CASES, plan, seed=5).draw(2_000)
    seen: dict[str | None, set[tuple[tuple[str, str], ...]]] = {}
    for one in askers:
        seen.setdefault(one.unit, set()).add(tuple(sorted(CASES[one.case].slices.items())))
    assert 300 < len(seen) < 800
    assert all(len(slices) == 1 for slices in seen.values())


def test_a_request_without_a_user_is_its_own_unit() -> None:
    """As at the gateway."""
    assert all(one.unit is None for one in Crowd(CASES, a_plan(slices={}), seed=5).draw(50))


def test_segments_have_their_share() -> None:
    """By attributes that the route's predicate meets."""
    plan = a_plan(segments={"internal": {"share": 0.1, "where": {"staff": ["yes"]}}}, slices={})
    askers = Crowd(CASES, plan, seed=5).draw(5_000)
    inside = sum(one.attributes.get("staff") == "yes" for one in askers)
    assert 380 < inside < 620
