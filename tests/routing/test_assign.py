"""Who gets which bundle: sticky, monotone in the share, segments first."""

from __future__ import annotations

from math import sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.routing import POINTS, Asked, RoutingTable, point_of, share_limit
from tests.routing.builders import NEW, OLD, OTHER, SHARES, UNITS, a_route, bundle_of

INTERNAL = {"segment": "internal", "where": {"staff": ["yes"]}, "share": 1.0}


@given(UNITS, SHARES, st.text(max_size=8))
def test_a_unit_always_gets_the_same_bundle(unit: str, share: float, salt: str) -> None:
    """Two gateways with the same route agree, without talking."""
    one, other = (a_route(candidate=NEW, share=share, salt=salt) for _ in range(2))
    assert bundle_of(one, unit) == bundle_of(other, unit)


@given(UNITS, SHARES, SHARES)
def test_growing_a_share_never_moves_a_unit_back(unit: str, one: float, other: float) -> None:
    """And shrinking it to what it was gives everyone what they had."""
    small, large = sorted((one, other))
    if bundle_of(a_route(candidate=NEW, share=small), unit) == NEW:
        assert bundle_of(a_route(candidate=NEW, share=large), unit) == NEW


@given(UNITS)
def test_nobody_at_none_and_everybody_at_all(unit: str) -> None:
    """The ends of the scale have no exceptions."""
    assert bundle_of(a_route(candidate=NEW, share=0.0), unit) == OLD
    assert bundle_of(a_route(candidate=NEW, share=1.0), unit) == NEW


@pytest.mark.parametrize("share", [0.01, 0.05, 0.25, 0.5])
@pytest.mark.parametrize("salt", ["", "spring"])
def test_a_share_is_what_it_says_within_binomial_error(share: float, salt: str) -> None:
    """Over 40,000 users with the most ordinary names."""
    table, n = RoutingTable(a_route(share=share, salt=salt)), 40_000
    got = sum(table.assign(Asked(f"user-{number}")).arm == "candidate" for number in range(n))
    assert abs(got - n * share) < 4 * sqrt(n * share * (1 - share))


def test_salts_and_workflows_draw_apart() -> None:
    """A user who was first in one upgrade is not therefore first in the next, nor in every workflow."""
    first = RoutingTable(a_route(share=0.1, salt="one"))
    for other in (a_route(share=0.1, salt="two"), a_route(share=0.1, salt="one", workflow="chat")):
        table = RoutingTable(other)
        both = sum(
            first.assign(Asked(f"u{n}")).arm == "candidate" and table.assign(Asked(f"u{n}")).arm == "candidate"
            for n in range(20_000)
        )
        assert 120 < both < 280, "about one in a hundred"


@given(st.tuples(st.text(max_size=9), st.text(max_size=9)), st.tuples(st.text(max_size=9), st.text(max_size=9)))
def test_no_salt_runs_into_a_unit(one: tuple[str, str], other: tuple[str, str]) -> None:
    """Salt `ab` and unit `c` are not salt `a` and unit `bc`."""
    assert (point_of(*one) == point_of(*other)) == (one == other)


@given(UNITS, SHARES)
def test_a_segment_comes_before_the_share(unit: str, share: float) -> None:
    """Staff get the candidate whatever everyone's share is, and a segment at none is kept out of it."""
    assert bundle_of(a_route(candidate=NEW, share=share, segments=[INTERNAL]), unit, staff="yes") == NEW
    kept_out = {"segment": "banks", "where": {"tier": ["bank"]}, "share": 0.0}
    assert bundle_of(a_route(candidate=NEW, share=1.0, segments=[kept_out]), unit, tier="bank") == OLD


def test_the_first_segment_that_is_met_decides() -> None:
    """Order is what the reviewer reads from the top."""
    banks = {"segment": "banks", "where": {"tier": ["bank"]}, "share": 0.0}
    who = {"staff": "yes", "tier": "bank"}
    for segments, arm, name in (([INTERNAL, banks], "candidate", "internal"), ([banks, INTERNAL], "incumbent", "banks")):
        found = RoutingTable(a_route(segments=segments)).assign(Asked("ada", who))
        assert (found.arm, found.segment) == (arm, name)


def test_all_attributes_of_a_segment_have_to_fit() -> None:
    """One that is missing fits nothing."""
    rule = {"segment": "german staff", "where": {"staff": ["yes"], "lang": ["de", "at"]}, "share": 1.0}
    route = a_route(segments=[rule])
    assert bundle_of(route, "ada", staff="yes", lang="at") == NEW
    assert bundle_of(route, "ada", staff="yes") == bundle_of(route, "ada", staff="yes", lang="en") == OLD


def test_a_pin_serves_what_the_route_holds_and_is_no_evidence() -> None:
    """A bundle it does not hold is not served by accident."""
    table = RoutingTable(a_route(share=0.0, candidate=NEW, fallback=OTHER))
    for bundle in (NEW, OTHER, OLD):
        assert (table.assign(Asked("ada", pin=bundle)).bundle, table.assign(Asked("ada", pin=bundle)).arm) == (bundle, "pinned")
    assert not table.holds("d" * 64)
    assert table.assign(Asked("ada", pin="d" * 64)).bundle == OLD


def test_a_rollback_reaches_conversations() -> None:
    """By default the next turn of one that began on the candidate is the incumbent's."""
    back = a_route(share=1.0).rolled_back()
    found = RoutingTable(back).assign(Asked("ada", began_on=NEW))
    assert (found.bundle, found.arm, list(back.bundles())) == (OLD, "incumbent", [OLD])


def test_conversations_drain_where_the_workflow_says_so() -> None:
    """Those that began on the candidate end there; everyone else is back."""
    back = a_route(share=1.0, conversations="drain").rolled_back()
    table = RoutingTable(back)
    assert (table.assign(Asked("ada", began_on=NEW)).bundle, table.assign(Asked("ada")).bundle) == (NEW, OLD)
    assert table.assign(Asked("ada", began_on=NEW)).arm == "continued"


def test_a_pinned_conversation_stays_while_a_share_grows() -> None:
    """As evidence it counts only where it is served what was drawn for it."""
    table = RoutingTable(a_route(share=1.0, conversations="pin"))
    assert table.assign(Asked("ada", began_on=OLD)).arm == "continued"
    assert table.assign(Asked("ada", began_on=NEW)).arm == "candidate"


def test_a_candidate_that_serves_nobody_is_nobodys_conversation() -> None:
    """Whoever says that one began on it has to ask for it by a pin, which takes a permission."""
    for route in (a_route(share=0.0, conversations="pin"), a_route(share=0.0, shadow={"share": 1.0}, conversations="pin")):
        assert RoutingTable(route).assign(Asked("ada", began_on=NEW)).bundle == OLD
    drained = a_route(share=1.0, conversations="pin").rolled_back()
    assert RoutingTable(drained).assign(Asked("ada", began_on=NEW)).bundle == NEW


@pytest.mark.parametrize("share", [0.0, 0.1, 1.0])
def test_shadowed_are_only_those_that_the_incumbent_serves(share: float) -> None:
    """In their share, and never a unit that meets the candidate anyway."""
    table, n = RoutingTable(a_route(share=0.3, shadow={"share": share})), 20_000
    found = [table.assign(Asked(f"u{number}")) for number in range(n)]
    assert all(one.arm == "incumbent" for one in found if one.is_shadowed)
    wanted = min(share, 0.7)
    assert abs(sum(one.is_shadowed for one in found) - n * wanted) <= 4 * sqrt(n * wanted * (1 - wanted))


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_a_share_runs_from_none_to_all(share: float) -> None:
    """And nothing else is taken for one."""
    with pytest.raises(ValueError, match="from 0 to 1"):
        share_limit(share)
    assert share_limit(1.0) == POINTS
