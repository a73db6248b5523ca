"""What a route may say."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from segue.cli.route_commands import _promoted
from segue.model.route import MOST_DRAINING, Route, RouteRevision
from tests.routing.builders import NEW, OLD, OTHER, a_route


@pytest.mark.parametrize(
    ("given_fields", "told"),
    [
        ({"share": 0.1, "candidate": None}, "needs a candidate"),
        ({"shadow": {}, "candidate": None}, "needs a candidate"),
        ({"segments": [{"segment": "all", "share": 1}], "candidate": None}, "needs a candidate"),
        ({"candidate": OLD}, "the same bundle"),
        ({"segments": [{"segment": "x", "share": 0}] * 2}, "named twice: x"),
        ({"segments": [{"segment": "x", "share": 0, "where": {"lang": []}}]}, "no value to be met"),
        ({"share": 1.5}, "less than or equal to 1"),
        ({"share": float("nan")}, "less than or equal to 1"),
        ({"incumbent": "current"}, "should match pattern"),
        ({"draining": [OTHER]}, "leave no bundle draining"),
        ({"environment": "Prod 1"}, "should match pattern"),
        ({"shadow": {"max_in_flight": 0}}, "greater than or equal to 1"),
        ({"shares": 0.1}, "Extra inputs"),
    ],
    ids=lambda value: "" if isinstance(value, dict) else value.replace(" ", "-"),
)
def test_a_route_that_makes_no_sense_is_refused(given_fields: dict[str, Any], told: str) -> None:
    """Before it is a revision, so that no gateway ever sees it."""
    with pytest.raises(ValidationError) as caught:
        a_route(**given_fields)
    assert told in str(caught.value)


def test_rolled_back_is_one_value_whatever_was_before() -> None:
    """Nothing is left of shares, segments and shadow."""
    before = a_route(share=0.25, segments=[{"segment": "all", "share": 1}], shadow={}, salt="s", fallback=OTHER)
    assert before.rolled_back() == a_route(salt="s", fallback=OTHER)
    assert before.rolled_back().rolled_back() == before.rolled_back()


@given(st.sampled_from(["switch", "drain", "pin"]), st.floats(0, 1), st.booleans())
def test_a_route_survives_being_written_down(rule: str, share: float, has_shadow: bool) -> None:
    """The last known route is a file."""
    route = a_route(candidate=NEW, conversations=rule, share=share, shadow={"share": 0.5} if has_shadow else None)
    for one in (route, route.rolled_back()):
        assert Route.model_validate_json(one.model_dump_json()) == one


def test_a_revision_is_known_by_what_it_serves() -> None:
    """Two revisions with the same route have the same digest; another share has another."""
    one, again = (RouteRevision(number, a_route(share=0.1), "ada", "step 1", "2026-11-21T00:00:00Z") for number in (1, 2))
    other = RouteRevision(3, a_route(share=0.2), "ada", "step 2", "2026-11-21T00:00:00Z")
    assert one.digest == again.digest != other.digest


@pytest.mark.parametrize(("rule", "draining"), [("switch", ()), ("drain", (NEW, OLD)), ("pin", (NEW, OLD))])
def test_a_promotion_leaves_conversations_their_bundle(rule: str, draining: tuple[str, ...]) -> None:
    """Those that began on the old incumbent end there, where the workflow says so."""
    route = a_route(candidate=NEW, share=0.5, conversations=rule)
    promoted = Route.model_validate(_promoted(route, OTHER))
    assert (promoted.incumbent, promoted.candidate, promoted.draining) == (OTHER, None, draining)
    assert NEW not in Route.model_validate(_promoted(route, NEW)).draining


@given(st.lists(st.tuples(st.integers(0, 15), st.integers(0, 15)), min_size=1, max_size=40), st.sampled_from(["drain", "pin"]))
def test_what_no_longer_serves_is_left_to_its_conversations(steps: list[tuple[int, int]], rule: str) -> None:
    """Whatever comes after: the bundles that served last are there, those that serve are not, and there is a bound."""
    last: Route | None = None
    for one, other in steps:
        incumbent, candidate = f"{one:064x}", f"{other:064x}"
        given_fields = {"candidate": candidate} if candidate != incumbent else {}
        route = a_route(incumbent=incumbent, conversations=rule, **given_fields).following(last)
        assert Route.model_validate(route.model_dump()) == route
        assert len(set(route.draining)) == len(route.draining) <= MOST_DRAINING
        assert not {route.incumbent, route.candidate} & set(route.draining)
        if last is not None:
            assert {one for one in (last.incumbent, last.candidate) if one} <= {*route.draining, incumbent, candidate}
        last = route


def test_of_many_bundles_the_oldest_leaves_its_conversations_first() -> None:
    """One that serves again is new again; where conversations switch there are none."""
    route = a_route(incumbent=f"{0:064x}", conversations="drain")
    for number in range(1, MOST_DRAINING + 1):
        route = a_route(incumbent=f"{number:064x}", conversations="drain").following(route)
    assert route.draining[0] == f"{0:064x}"
    again = a_route(incumbent=f"{0:064x}", conversations="drain").following(route)
    later = a_route(incumbent=f"{99:064x}", conversations="drain").following(again)
    assert later.draining[0] == f"{2:064x}"
    assert later.draining[-1] == f"{0:064x}"
    assert a_route(incumbent=f"{5:064x}").following(later).draining == ()
