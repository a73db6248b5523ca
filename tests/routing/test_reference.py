"""The routing table beside the plainest reading of its words, for any route and request; and places that must never change."""

from __future__ import annotations

from fractions import Fraction
from hashlib import blake2b
from math import sqrt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.model.route import Route
from segue.routing import POINTS, Asked, RoutingTable, point_of, share_limit
from tests.routing.builders import NEW, OLD, OTHER, SHARES, UNITS, a_route

GONE = "d" * 64
NAMES, VALUES = st.sampled_from(["tier", "lang", "staff"]), st.sampled_from(["a", "b", "c"])
EDGES = st.sampled_from([0.0, 1.0, 0.5, 1e-18, 0.01, 0.05])
ATTRIBUTES = st.dictionaries(NAMES, VALUES)


@st.composite
def routes(draw: st.DrawFn) -> Route:
    """Any route that makes sense."""
    has_candidate = draw(st.booleans())
    shares = SHARES | EDGES if has_candidate else st.just(0.0)
    wheres = st.dictionaries(NAMES, st.lists(VALUES, min_size=1, max_size=2, unique=True), max_size=2)
    segments = [
        {"segment": f"s{number}", "where": draw(wheres), "share": draw(shares)} for number in range(draw(st.integers(0, 4)))
    ]
    rule = draw(st.sampled_from(["switch", "drain", "pin"]))
    return a_route(
        candidate=NEW if has_candidate else None,
        share=draw(shares),
        segments=segments,
        shadow={"share": draw(SHARES | EDGES)} if has_candidate and draw(st.booleans()) else None,
        salt=draw(st.text(max_size=4)),
        workflow=draw(st.sampled_from(["mail", "chat"])),
        fallback=draw(st.sampled_from([None, OTHER])),
        conversations=rule,
        draining=() if rule == "switch" else draw(st.sampled_from([(), (GONE,)])),
    )


BUNDLES = st.sampled_from([None, OLD, NEW, OTHER, GONE, "e" * 64])
REQUESTS = st.builds(Asked, UNITS, ATTRIBUTES, BUNDLES, BUNDLES)


def place(route: Route, unit: str) -> Fraction:
    """Of a unit, from 0 to 1, from nothing but the hash."""
    salt = f"{route.workflow}\n{route.salt}"
    text = f"{len(salt)}:{salt}{unit}".encode("utf-8", "surrogatepass")
    return Fraction(int.from_bytes(blake2b(text, digest_size=8).digest(), "big"), 2**64)


def plainly(route: Route, asked: Asked) -> tuple[str, str, str, bool]:
    """Bundle, arm, segment and whether it is mirrored, word for word as the documentation has it."""
    if asked.pin in list(route.bundles()):
        return str(asked.pin), "pinned", "", False
    segment, share = "everyone", route.share
    for rule in route.segments:
        if all(asked.attributes.get(name) in values for name, values in rule.where.items()):
            segment, share = rule.segment, rule.share
            break
    at = place(route, asked.unit)
    is_new = route.candidate is not None and at < Fraction(share)
    drawn = route.candidate if is_new else route.incumbent
    is_served = any((route.share, *(rule.share for rule in route.segments)))
    pinned = [one for one in route.bundles() if one != route.candidate or is_served or one in (route.fallback, *route.draining)]
    stays = {"switch": [], "drain": list(route.draining), "pin": pinned}[route.conversations]
    if asked.began_on in stays and asked.began_on != drawn:
        return str(asked.began_on), "continued", "", False
    mirrored = not is_new and route.shadow is not None and at >= 1 - Fraction(route.shadow.share)
    return str(drawn), "candidate" if is_new else "incumbent", segment, mirrored


@given(routes(), st.lists(REQUESTS, min_size=1, max_size=8))
def test_every_request_is_served_as_the_words_say(route: Route, requests: list[Asked]) -> None:
    """Pins, conversations, segments in their order, shares and shadows, in any mixture."""
    table = RoutingTable(route)
    for asked in requests:
        found = table.assign(asked)
        assert (found.bundle, found.arm, found.segment, found.is_shadowed) == plainly(route, asked)


@given(routes(), REQUESTS, SHARES | EDGES, SHARES | EDGES)
def test_growing_any_one_share_moves_units_to_the_candidate_alone(route: Route, asked: Asked, one: float, other: float) -> None:
    """The route's or a segment's: nobody is moved back, and nobody of another segment is moved at all."""
    if route.candidate is None:
        return
    small, large = sorted((one, other))
    for number in range(-1, len(route.segments)):
        before, after = (RoutingTable(with_share(route, number, share)).assign(asked) for share in (small, large))
        if before.arm == "candidate":
            assert after == before
        elif after != before:
            named = "everyone" if number < 0 else route.segments[number].segment
            stays = after.arm == "continued" and after.bundle == before.bundle
            assert (after.bundle, after.segment) == (NEW, named) or before.arm == "continued" or stays


def with_share(route: Route, number: int, share: float) -> Route:
    """The route with another share: of a segment by its place, of everyone for −1."""
    if number < 0:
        return route.model_copy(update={"share": share})
    segments = list(route.segments)
    segments[number] = segments[number].model_copy(update={"share": share})
    return route.model_copy(update={"segments": tuple(segments)})


@given(SHARES | EDGES, SHARES | EDGES)
def test_limits_are_in_the_order_of_their_shares(one: float, other: float) -> None:
    """And as exact as a share can be written."""
    small, large = sorted((one, other))
    assert 0 <= share_limit(small) <= share_limit(large) <= POINTS
    assert share_limit(small) == int(Fraction(small) * POINTS)


PLACES: list[tuple[str, str, int]] = [
    ("mail\n", "ada", 0x39903E7CBA0F9DDB),
    ("mail\nspring", "ada", 0xD59201320C4C2AF6),
    ("chat\n", "user-1", 0x47FA9940E4EA8BB7),
    ("mail\n", "Grüße ✓", 0x1BE791673D86BC88),
    ("", "", 0x402DB780D8E197F7),
]


@pytest.mark.parametrize(("salt", "unit", "point"), PLACES, ids=["ada", "salted", "another", "letters", "nothing"])
def test_a_unit_has_the_place_it_has_always_had(salt: str, unit: str, point: int) -> None:
    """Another version of Segue must not shuffle the users of an upgrade under way."""
    assert point_of(salt, unit) == point


UNIT_KINDS: dict[str, Any] = {
    "numbers": str,
    "names": lambda n: f"user-{n}",
    "addresses": lambda n: f"{n}@example.com",
    "digests": lambda n: blake2b(str(n).encode(), digest_size=16).hexdigest(),
    "long": lambda n: "x" * 200 + str(n),
}


@pytest.mark.parametrize("kind", UNIT_KINDS)
def test_units_of_any_make_spread_evenly(kind: str) -> None:
    """Fifty parts of the scale, 50,000 units: the sum of squared deviations is that of chance (4.5 sigma on either side)."""
    parts, n = 50, 50_000
    counts = [0] * parts
    for number in range(n):
        counts[point_of("mail\nspring", UNIT_KINDS[kind](number)) * parts >> 64] += 1
    squares = sum((count - n / parts) ** 2 / (n / parts) for count in counts)
    freedom = parts - 1
    assert abs(squares - freedom) < 4.5 * sqrt(2 * freedom)


@pytest.mark.parametrize("share", [0.01, 0.2, 0.5, 0.99])
def test_a_segments_share_is_what_it_says_whatever_the_others_are(share: float) -> None:
    """Within binomial error, over units that meet it; those that do not have the route's share, independent of theirs."""
    rules = [{"segment": "banks", "where": {"tier": ["bank"]}, "share": share}]
    table, n = RoutingTable(a_route(share=0.3, segments=rules)), 20_000
    for attributes, wanted, named in (
        ({"tier": "bank"}, share, "banks"),
        ({"tier": "shop"}, 0.3, "everyone"),
        ({}, 0.3, "everyone"),
    ):
        found = [table.assign(Asked(f"u{number}", attributes)) for number in range(n)]
        assert {one.segment for one in found} == {named}
        got = sum(one.arm == "candidate" for one in found)
        assert abs(got - n * wanted) < 4 * sqrt(n * wanted * (1 - wanted))
