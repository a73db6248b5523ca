"""With the fast path and without it, a gateway does the same: to the byte, whatever clients and providers do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segue.gateway.fast_shadow import FastShadow
from segue.gateway.shadow import ShadowAnswer
from segue.model.serving import Serving
from tests.gateway.fast.said import ANSWERS, BODIES, HEADS, request
from tests.gateway.fast.twin import (
    ACTS,
    ALL_KEYS,
    ASKS,
    CANDIDATE,
    CLAUDE,
    INCUMBENT,
    LOOKS,
    NEXT_CLAUDE,
    NEXT_OLDER,
    OLDER,
    SILENT,
    Twin,
)

Event = Callable[[Twin], None]

OLD, NEW = INCUMBENT.digest, CANDIDATE.digest
SHADOWED: dict[str, dict[str, Any]] = {
    "whole": {"incumbent": OLD, "candidate": NEW, "shadow": {"share": 1.0}},
    "messages": {"incumbent": CLAUDE.digest, "candidate": NEXT_CLAUDE.digest, "shadow": {"share": 1.0}},
    "responses": {"incumbent": OLDER.digest, "candidate": NEXT_OLDER.digest, "shadow": {"share": 1.0}},
    "other dialect": {"incumbent": OLD, "candidate": CLAUDE.digest, "shadow": {"share": 1.0}},
    "from another dialect": {"incumbent": CLAUDE.digest, "candidate": NEW, "shadow": {"share": 1.0}},
    "variables": {"incumbent": OLD, "candidate": ASKS.digest, "shadow": {"share": 1.0}},
    "tools": {"incumbent": OLD, "candidate": LOOKS.digest, "shadow": {"share": 1.0}},
    "effects": {"incumbent": OLD, "candidate": ACTS.digest, "shadow": {"share": 1.0}},
    "one at once": {"incumbent": OLD, "candidate": NEW, "shadow": {"share": 1.0, "max_in_flight": 1}},
    "one a second": {"incumbent": OLD, "candidate": NEW, "shadow": {"share": 1.0, "per_second": 1.0}},
    "money": {"incumbent": OLD, "candidate": NEW, "shadow": {"share": 1.0, "usd_per_day": 1.0}},
}
ROUTES: tuple[dict[str, Any], ...] = (
    {"incumbent": OLD},
    {"incumbent": OLD, "candidate": NEW, "share": 0.5},
    {"incumbent": OLD, "candidate": NEW, "share": 1.0},
    {
        "incumbent": OLD,
        "candidate": NEW,
        "share": 0.0,
        "segments": [{"segment": "banks", "share": 1.0, "where": {"tier": ["bank"]}}],
    },
    {"incumbent": OLD, "candidate": NEW, "share": 0.2, "shadow": {"share": 0.5}},
    SHADOWED["whole"],
    {"incumbent": OLD, "candidate": NEW, "share": 1.0, "fallback": CLAUDE.digest},
    {"incumbent": SILENT.digest, "candidate": OLD, "share": 0.5},
    {"incumbent": ASKS.digest},
    {"incumbent": CLAUDE.digest, "candidate": OLD, "share": 0.0},
    {"incumbent": OLD, "candidate": NEW, "share": 0.1, "conversations": "drain", "draining": [SILENT.digest, NEW]},
    {"incumbent": OLDER.digest},
)
SERVINGS = (
    Serving(),
    Serving(may_set=("temperature", "max_tokens", "max_completion_tokens", "tools", "n"), keep="digest"),
    Serving(otherwise="ignore", keep="none"),
)
PLAIN = {"messages": "limit", "beta": "limit", "responses": "input", "count": "limit"}
"""A body that an endpoint takes, where another does not."""
WHOLE = {"messages": "message", "beta": "message", "responses": "response"}
"""An answer that one gives, where the provider speaks its dialect."""
LENGTHS = ("Content-Length: 0%d", "content-length: %d", "CONTENT-LENGTH: %d", "Content-Length:%d", "Content-Length: +%d")
USUAL_ANSWERS = ("ok", "utf8", "many fields", "in two", "500", "stream")
USUAL_BODIES = ("plain", "anna", "bert", "stream", "longer")


def ask(client: int, *requests: tuple[str, str], cut: int = 0, **written: Any) -> Event:
    """A client sends these, all at once or cut in two."""

    def happens(twin: Twin) -> None:
        while len(twin.clients) <= client:
            twin.open_client()
        wire = twin.clients[client]
        data = b"".join(request(head, body, **written) for head, body in requests)
        wire.feed(data[: len(data) - cut])
        if cut:
            wire.feed(data[len(data) - cut :])

    return happens


def begin(client: int, head: str = "chat", body: str = "plain") -> Event:
    """A client sends a head; the body is still to come."""

    def happens(twin: Twin) -> None:
        data = request(head, body)
        twin.clients[client].feed(data[: len(data) - len(BODIES[body])])

    return happens


def bring(client: int, body: str = "plain") -> Event:
    """And this is the body."""
    return lambda twin: twin.clients[client].feed(BODIES[body])


def say(number: int, answer: str, *, unasked: bool = False) -> Event:
    """A provider that was asked says this, or one that was not."""

    def happens(twin: Twin) -> None:
        open_ones = [wire for wire in twin.wires if not wire.is_closed]
        found = [wire for wire in open_ones if (wire.protocol._call is None) is unasked]  # type: ignore[attr-defined]
        if found:
            wire = found[number % len(found)]
            for part in ANSWERS[answer]:
                wire.feed(part)

    return happens


def to_wire(number: int, what: str, *, of_clients: bool) -> Event:
    """Something else happens to a connection."""

    def happens(twin: Twin) -> None:
        wires = [wire for wire in (twin.clients if of_clients else twin.wires) if not wire.is_closed]
        if not of_clients:
            wires = [wire for wire in wires if wire.protocol._call is not None] or wires  # type: ignore[attr-defined]
        if not wires:
            return
        wire = wires[number % len(wires)]
        if what == "hang up":
            wire.hang_up()
        elif what == "reset":
            wire.is_closed = True
            wire.protocol.connection_lost(ConnectionResetError())
        elif what == "stuck":
            wire.is_stuck = True
        elif what == "drain":
            wire.is_stuck = False
            wire.drain()

    return happens


def served(client: int, body: str = "plain", head: str = "chat", *, in_two: bool = False) -> Event:
    """One request that is answered, on a connection to the provider that is free or opened for it."""

    def happens(twin: Twin) -> None:
        ask(client, (head, body), cut=len(BODIES[body]) if in_two else 0)(twin)
        twin.dial(0, works=True)
        say(0, WHOLE.get(head, "ok"))(twin)
        say(0, "ok")(twin)

    return happens


CLIENTS, NUMBERS = st.integers(0, 2), st.integers(0, 3)
EVENTS: st.SearchStrategy[Event] = st.one_of(
    st.builds(lambda client, in_two: served(client, in_two=in_two), CLIENTS, st.booleans()),
    st.builds(begin, st.just(0), st.just("chat"), st.sampled_from(USUAL_BODIES)),
    st.builds(bring, st.just(0), st.sampled_from(USUAL_BODIES)),
    st.builds(lambda client, body: ask(client, ("chat", body)), CLIENTS, st.sampled_from(USUAL_BODIES)),
    st.builds(say, NUMBERS, st.sampled_from(USUAL_ANSWERS)),
    st.builds(
        lambda number, works: lambda twin: twin.dial(number, works=works), NUMBERS, st.sampled_from([True] * 4 + [False])
    ),
    st.builds(
        lambda client, head, body, cut: ask(client, (head, body), cut=cut),
        CLIENTS,
        st.sampled_from(sorted(HEADS)),
        st.sampled_from(sorted(BODIES)),
        st.sampled_from([0, 0, 1, 30]),
    ),
    st.builds(lambda client, off: ask(client, ("chat", "plain"), off=off), CLIENTS, st.sampled_from([-20, -1, 1])),
    st.builds(
        lambda client, length: ask(client, ("chat", "plain"), length=length),
        CLIENTS,
        st.sampled_from(LENGTHS),
    ),
    st.builds(
        lambda client, bodies: ask(client, *(("chat", body) for body in bodies)),
        CLIENTS,
        st.lists(st.sampled_from(USUAL_BODIES), min_size=2, max_size=3),
    ),
    st.builds(say, NUMBERS, st.sampled_from(sorted(ANSWERS))),
    st.builds(lambda number: say(number, "ok", unasked=True), NUMBERS),
    st.builds(
        lambda number, what, of_clients: to_wire(number, what, of_clients=of_clients),
        NUMBERS,
        st.sampled_from(["hang up", "reset", "stuck", "drain"]),
        st.booleans(),
    ),
    st.builds(lambda seconds: lambda twin: twin.pass_time(seconds), st.sampled_from([0.01, 0.6, 1.0, 6.0, 31.0, 61.0, 130.0])),
    st.builds(lambda route: lambda twin: twin.flip(route), st.sampled_from([*ROUTES, *SHADOWED.values()])),
    st.builds(lambda keys: lambda twin: twin.set_keys(*keys), st.sampled_from([ALL_KEYS, ALL_KEYS, ALL_KEYS[1:]])),
    st.just(Twin.turn),
)
LAST: st.SearchStrategy[list[Event]] = st.sampled_from([[], [lambda twin: twin.stop()]])


def warm_chats(twin: Twin) -> None:
    """Clients whose head is known, and connections to providers that are free."""
    for client in range(3):
        for _ in range(3):
            served(client)(twin)


def warm(twin: Twin) -> None:
    """The same, with more heads."""
    warm_chats(twin)
    for head in ("bank", "anna", "messages", "responses"):
        for _ in range(3):
            served(0, PLAIN.get(head, "plain"), head)(twin)


def run(
    events: list[Event], serving: Serving, route: dict[str, Any], warm: Event = warm, *, turns: bool = True
) -> tuple[Twin, Twin]:
    """Both do the same, step by step. After each the event loop comes round; without `turns` only where an event says so."""
    fast, slow = Twin(is_fast=True, serving=serving), Twin(is_fast=False, serving=serving)
    for event in (warm, lambda twin: twin.flip(route), *events):
        for twin in (fast, slow):
            twin.step += 1
            event(twin)
            if turns:
                twin.turn()
        assert fast.looks() == slow.looks()
    return fast, slow


@settings(deadline=None)
@given(
    st.lists(EVENTS, max_size=40),
    LAST,
    st.sampled_from(SERVINGS),
    st.sampled_from([*ROUTES, *SHADOWED.values()]),
    st.booleans(),
)
def test_nobody_can_tell_them_apart(
    events: list[Event], last: list[Event], serving: Serving, route: dict[str, Any], turns: bool
) -> None:
    """Any order of anything."""
    run([*events, *last, *events[:5], Twin.turn], serving, route, turns=turns)


def each(head: str, plain: str, *, in_two: bool = False) -> list[Event]:
    """Each body and each answer, on a connection where all is as usual before."""
    found: list[Event] = [served(2, plain, head, in_two=in_two)] * 3
    # Of another head, so that the next request comes on a connection where all is well, whatever becomes of this one's.
    usual = [served(1, plain, head), served(1) if head not in WHOLE else served(1, plain, head)]
    for body in sorted(BODIES):
        found += [
            *usual,
            ask(1, (head, body), cut=len(BODIES[body]) if in_two else 0),
            lambda twin: twin.dial(0, works=True),
            say(0, WHOLE.get(head, "ok")),
            say(0, "stream"),
        ]
    for answer in sorted(ANSWERS):
        found += [
            lambda twin: twin.pass_time(31.0),  # breakers forget
            *usual,
            ask(1, (head, plain)),
            say(0, answer),
            to_wire(0, "hang up", of_clients=False),
            lambda twin: twin.dial(0, works=True),
            say(0, "ok"),
            say(0, "ok"),
        ]
    return found


FIT = ("anna", "bank", "chat", "messages", "responses")
"""Heads that ask for nothing more: the others are kept off the fast path whatever the route."""


@pytest.mark.parametrize(
    ("head", "route"),
    [(head, route) for head in sorted(HEADS) for route in (range(len(ROUTES)) if head in FIT else (1, -2))],
)
def test_each_body_and_each_answer(head: str, route: int) -> None:
    """With any head, and any route."""
    for number, serving in enumerate(SERVINGS):
        run(each(head, PLAIN.get(head, "plain"), in_two=bool(number)), serving, ROUTES[route])


@pytest.mark.parametrize(("head", "route"), [("chat", 0), ("bank", 3), ("anna", 1), ("messages", -3), ("responses", -1)])
def test_the_fast_path_is_taken(head: str, route: int) -> None:
    """Else all this would say nothing."""
    fast, _ = run(each(head, PLAIN.get(head, "plain")), SERVINGS[0], ROUTES[route])
    assert fast.taken > 70


def whole_with_its_shadow(client: int, body: str, head: str) -> list[Event]:
    """One request, answered, and mirrored where it is."""
    return [ask(client, (head, body)), _dial, _dial, *[say(0, WHOLE.get(head, "ok"))] * 2]


@pytest.mark.parametrize("is_first", [True, False], ids=["the shadow first", "the user first"])
@pytest.mark.parametrize("route", sorted(SHADOWED))
def test_each_answer_to_a_shadow(route: str, is_first: bool) -> None:
    """And each body that is mirrored, whoever is answered first."""
    head = route if route in WHOLE else "messages" if route == "from another dialect" else "chat"
    plain = PLAIN.get(head, "plain")
    heard: list[type] = []

    def say_to_shadow(answer: str) -> Event:
        """Of two that are waited for, the one to the candidate, whose provider was dialled last."""

        def happens(twin: Twin) -> None:
            waiting = [wire for wire in twin.wires if not wire.is_closed and wire.protocol._call is not None]  # type: ignore[attr-defined]
            shadows = [at for at, wire in enumerate(waiting) if type(wire.protocol._call.sink) in (FastShadow, ShadowAnswer)]  # type: ignore[attr-defined]
            heard.extend(type(waiting[at].protocol._call.sink) for at in shadows[:1])  # type: ignore[attr-defined]
            say(shadows[0] if shadows else 1, answer)(twin)

        return happens

    usual = [*whole_with_its_shadow(1, plain, head), lambda twin: twin.pass_time(1.5)]
    # Connections to both providers, so that a shadow is not kept off the fast path for want of one.
    events = [lambda twin: twin.flip(SHADOWED["whole"]), *whole_with_its_shadow(1, "plain", "chat") * 2]
    events += [lambda twin: twin.flip(SHADOWED[route]), *usual, *usual]
    for body in sorted(BODIES):
        events += [*usual, *whole_with_its_shadow(1, body, head)]
    for answer in sorted(ANSWERS):
        both = [say_to_shadow(answer), say(0, WHOLE.get(head, "ok"))]
        rest = [to_wire(0, "hang up", of_clients=False), to_wire(0, "hang up", of_clients=False)]
        begun = [*usual, ask(1, (head, plain)), _dial, lambda twin: twin.pass_time(0.25)]
        events += [*begun, *(both if is_first else reversed(both)), *rest, _dial, say(0, "ok")]
    for number, serving in enumerate(SERVINGS):
        run([*events, lambda twin: twin.stop()] if number else events, serving, SHADOWED[route])
    if route in ("whole", "messages", "responses", "tools"):
        assert heard.count(FastShadow) >= len(ANSWERS) * len(SERVINGS) // 2


@pytest.mark.parametrize("route", ["whole", "messages", "responses", "tools"])
def test_shadows_are_asked_on_the_fast_path(route: str) -> None:
    """Else all this would say nothing."""
    head = route if route in WHOLE else "chat"
    seen: list[int] = []
    look = lambda twin: seen.append(sum(type(wire.protocol._call) is FastShadow for wire in twin.wires))  # type: ignore[attr-defined]  # noqa: E731
    plain = PLAIN.get(head, "plain")
    fast, slow = run(
        [*whole_with_its_shadow(1, plain, head) * 2, ask(1, (head, plain)), look, say(1, WHOLE.get(head, "ok"))],
        SERVINGS[0],
        SHADOWED[route],
    )
    assert seen == [1, 0]
    assert fast.shadows.mirrored == slow.shadows.mirrored == {"mail": 3}


@pytest.mark.parametrize("is_fast", [True, False], ids=["on the fast path", "off it"])
@pytest.mark.parametrize("route", ["whole", "other dialect"])
def test_users_are_first(route: str, is_fast: bool) -> None:
    """What they ask in one turn of the loop is sent before any candidate is asked."""
    twin = Twin(is_fast=is_fast)
    twin.flip(SHADOWED[route])
    usual = whole_with_its_shadow(1, "plain", "chat")
    for event in [warm_chats, *usual * 2]:
        event(twin)
        twin.turn()

    def asked() -> int:
        """Requests that were sent to providers, or wait for a connection that is being opened."""
        return sum(wire.written.count(b"POST /") for wire in twin.wires) + len(twin.dialled)

    before = asked()
    for client in (1, 2):
        ask(client, ("chat", "plain"))(twin)
    assert asked() == before + 2
    twin.turn()
    assert asked() == before + 4


@pytest.mark.parametrize("route", ["whole", "other dialect"])
def test_a_fault_of_a_shadows_own_is_no_users(route: str) -> None:
    """It is told, and counted as one that was not mirrored."""
    usual = whole_with_its_shadow(1, "plain", "chat")

    def breaks(twin: Twin) -> None:
        def fails() -> str:
            raise OSError("No numbers left.")

        twin.shadows.new_id = fails

    fast, slow = run([*usual * 2, breaks, *usual, *usual], SERVINGS[0], SHADOWED[route])
    for twin in (fast, slow):
        assert twin.shadows.shed == {("mail", "fault"): 2}
        assert [str(one) for one in twin.faults] == ["No numbers left."] * 2
        assert twin.shadows.in_flight == 0
        assert [record.arm for record, _, _ in twin.log[-2:]] == ["incumbent"] * 2


def _nothing(_: Twin) -> None:
    pass


def _dial(twin: Twin) -> None:
    twin.dial(0, works=True)


MEANWHILE: dict[str, Event] = {
    "the client hangs up": to_wire(1, "hang up", of_clients=True),
    "the client resets": to_wire(1, "reset", of_clients=True),
    "the client asks again": ask(1, ("chat", "anna")),
    "the client asks twice more": ask(1, ("chat", "anna"), ("chat", "stream")),
    "the client begins to ask": ask(1, ("chat", "anna"), off=5),
    "the client talks nonsense": ask(1, ("chat", "anna"), length="Content-Length: -%d"),
    "the client stops reading": to_wire(1, "stuck", of_clients=True),
    "the provider hangs up": to_wire(0, "hang up", of_clients=False),
    "the provider resets": to_wire(0, "reset", of_clients=False),
    "a flip": lambda twin: twin.flip(ROUTES[2]),
    "other keys": lambda twin: twin.set_keys(*ALL_KEYS[1:]),
    "a stop": lambda twin: twin.stop(),
    "a second": lambda twin: twin.pass_time(1.0),
    "half a minute": lambda twin: twin.pass_time(31.0),
}
THEN = ("ok", "big", "in two", "500", "stream", "broken stream", "no json")


@pytest.mark.parametrize("when", ["before the answer", "after it"])
@pytest.mark.parametrize("what", sorted(MEANWHILE))
def test_what_happens_meanwhile(what: str, when: str) -> None:
    """Between a request on the fast path and its answer, or between that and the next request."""
    first, second = (MEANWHILE[what], _nothing) if when == "before the answer" else (_nothing, MEANWHILE[what])
    rest = [_dial, say(0, "ok"), _dial, say(0, "stream"), to_wire(1, "drain", of_clients=True), _dial, say(0, "ok")]
    for route in (1, 2, 5):
        for body in ("plain", "stream"):
            for then in THEN:
                events = [ask(1, ("chat", body)), first, say(0, then), second, ask(1, ("chat", "bert")), *rest]
                run([served(0), served(1), *events, served(1), served(2)], SERVINGS[0], ROUTES[route], warm=warm_chats)


@pytest.mark.parametrize("what", sorted(MEANWHILE))
@pytest.mark.parametrize("head", ["chat", "stranger", "pinned", "last"])
def test_what_happens_between_a_head_and_its_body(what: str, head: str) -> None:
    """As most SDKs send them: one after the other."""
    usual = [served(1, head=head, in_two=True)] * 3 + [served(1, in_two=True)] * 3
    for body in ("plain", "half"):
        rest = [
            bring(1, body),
            _dial,
            say(0, "ok"),
            _dial,
            say(0, "ok"),
            lambda twin: twin.pass_time(40.0),
            served(1),
            served(2),
        ]
        run([*usual, begin(1, head, body), MEANWHILE[what], *rest], SERVINGS[0], ROUTES[0], warm=warm_chats)
        run([*usual, begin(1, head, body), MEANWHILE["half a minute"], MEANWHILE[what], *rest], SERVINGS[0], ROUTES[1])


def test_heads_that_come_alone_are_learnt_too() -> None:
    """And their requests are taken, also where head and body then come together."""
    fast, _ = run([served(1, in_two=True)] * 6 + [served(1)] * 2, SERVINGS[0], ROUTES[0], warm=_nothing_yet)
    assert fast.taken == 6


def _nothing_yet(twin: Twin) -> None:
    for _ in range(3):
        twin.open_client()


@pytest.mark.parametrize("off", [-81, -20, -1, 1, 10])
def test_a_length_that_is_not_the_bodys(off: int) -> None:
    """Too short, and the rest is another request; too long, and there is more to come."""
    run([served(1), ask(1, ("chat", "plain"), off=off), _dial, say(0, "ok"), served(1)], SERVINGS[0], ROUTES[0])


@pytest.mark.parametrize("length", LENGTHS)
def test_a_length_that_is_written_otherwise(length: str) -> None:
    """As numbers should not be, or in other letters."""
    run([served(1), ask(1, ("chat", "plain"), length=length), _dial, say(0, "ok"), served(1)], SERVINGS[0], ROUTES[0])


def test_no_connection_in_time_once_the_one_it_was_sent_on_was_closed() -> None:
    """It is sent again on a fresh one, and that has its own time-out."""
    for dials in ([], [lambda twin: twin.dial(0, works=False)], [lambda twin: twin.dial(0, works=True)]):
        events = [ask(1, ("chat", "plain")), to_wire(0, "hang up", of_clients=False), *dials, lambda twin: twin.pass_time(31.0)]
        fast, _ = run([served(1), *events, say(0, "ok"), served(1)], SERVINGS[0], ROUTES[0])
        assert fast.taken


def test_a_bundle_that_is_cut_off_is_not_asked_on_the_fast_path() -> None:
    """The incumbent answers, and later the candidate is tried."""
    burning = [ask(1, ("chat", "plain")), say(0, "500"), lambda twin: twin.dial(0, works=True), say(0, "ok")]
    events = [served(1), served(1), *(burning * 8), served(1), served(1), lambda twin: twin.pass_time(6.0), *burning, served(1)]
    fast, slow = run(events, SERVINGS[0], ROUTES[2])
    assert (NEW, "open") in fast.moved
    assert fast.moved == slow.moved
