"""Feedback as it is sent: what is understood, what is refused, and what counts once."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.errors import Fault, InputError
from segue.exchanges.outcome import Outcome
from segue.exchanges.record import BodyNote
from segue.gateway.told import HEADER, MOST, MOST_SCORES, Feedback, Teller, read_feedback, read_header

NOW = 1_800_000_000_000_000_000
TELLER = Teller("app", ("mail", "chat"), NOW, lambda _: "full")


def read(key: str | None = None, teller: Teller = TELLER, **body: Any) -> list[Feedback]:
    """One item about exchange x1."""
    return read_feedback(json.dumps({"exchange": "x1", **body}).encode(), teller, key)[1]


def outcomes(**body: Any) -> list[Outcome]:
    """What one item says."""
    return [outcome for one in read(**body) for outcome, _ in one.outcomes]


def faults(raw: bytes | Any) -> list[Fault]:
    """What is wrong with a body."""
    with pytest.raises(InputError) as found:
        read_feedback(raw if isinstance(raw, bytes) else json.dumps(raw).encode(), TELLER)
    return list(found.value.faults)


def test_one_item_may_say_several_things() -> None:
    """Each becomes an outcome of its own under the item's id, with who told it, and of which workflows that one may tell."""
    found = outcomes(
        thumbs="down",
        rating=4,
        scale=5,
        scores={"tone": 0.25},
        ticket="ZD-7",
        comment="Too long",
        author="ada",
        feedback_id="f1",
    )
    assert [(one.kind, one.value, one.label) for one in found] == [
        ("thumbs", 0.0, "down"),
        ("rating", 4.0, None),
        ("tone", 0.25, None),
        ("ticket", None, "ZD-7"),
        ("comment", None, None),
    ]
    assert {(one.exchange, one.key, one.source, one.author, one.scope, one.at_ns) for one in found} == {
        ("x1", "f1", "app", "ada", ("mail", "chat"), NOW)
    }
    assert (found[1].lowest, found[1].highest) == (1, 5)


@pytest.mark.parametrize(
    ("correction", "label", "kept"),
    [("Grüezi", "text", "Grüezi".encode()), ({"total": 12.50, "vat": [1]}, "json", b'{"total": 12.5, "vat": [1]}')],
    ids=["text", "json"],
)
def test_a_correction_is_text_or_json_and_kept_as_it_came(correction: Any, label: str, kept: bytes) -> None:
    """JSON as the bytes that were sent."""
    ((outcome, text),) = read(correction=correction)[0].outcomes
    assert (outcome.kind, outcome.label, text, outcome.text) == ("correction", label, kept, BodyNote("full", len(kept)))


@pytest.mark.parametrize(("keep", "kept"), [("digest", "digest"), ("none", "none")])
def test_a_workflow_that_keeps_no_bodies_keeps_no_corrections_either(keep: Any, kept: str) -> None:
    """They are the users' content just as well."""
    teller = Teller("app", (), NOW, lambda _: keep)
    ((outcome, text),) = read(teller=teller, correction="secret")[0].outcomes
    assert (text, outcome.text.kept, outcome.text.length) == (b"", kept, 6)


@pytest.mark.parametrize(
    ("scale", "rating", "ends"), [(5, 5, (1, 5)), ([0, 10], 0, (0, 10)), ([-1, 1], -0.5, (-1, 1))], ids=str
)
def test_a_rating_comes_with_its_scale(scale: Any, rating: float, ends: tuple[int, int]) -> None:
    """The number as it was given, and both ends."""
    (one,) = outcomes(rating=rating, scale=scale)
    assert (one.value, one.lowest, one.highest) == (rating, *ends)


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"thumbs": "sideways"}, "thumbs"),
        ({"thumbs": 1}, "thumbs"),
        ({"rating": 4}, "scale"),
        ({"rating": 6, "scale": 5}, "rating"),
        ({"rating": 0, "scale": 5}, "rating"),
        ({"rating": True, "scale": 5}, "rating"),
        ({"rating": "4", "scale": 5}, "rating"),
        ({"rating": 4, "scale": [5]}, "scale"),
        ({"rating": 4, "scale": [5, 1]}, "scale"),
        ({"rating": 4, "scale": "5"}, "scale"),
        ({"scale": 5}, "scale"),
        ({"scores": 3}, "scores"),
        ({"scores": {"tone": None}}, "scores.tone"),
        ({"scores": {"tone": "good"}}, "scores.tone"),
        ({"scores": {"rating": 3}}, "scores.rating"),
        ({"scores": {"": 3}}, "scores."),
        ({"scores": {f"s{n}": n for n in range(MOST_SCORES + 1)}}, "scores"),
        ({"ticket": ""}, "ticket"),
        ({"ticket": "x" * 600}, "ticket"),
        ({"ticket": 7}, "ticket"),
        ({"comment": ["x"]}, "comment"),
        ({"thumbs": "up", "author": {}}, "author"),
        ({"thumbs": "up", "feedback_id": " "}, "feedback_id"),
        ({"thumbs": "up", "at": "yesterday"}, "at"),
        ({"thumbs": "up", "at": "2026-11-21T09:00:00"}, "at"),
        ({"thumbs": "up", "at": "1815-12-10T00:00:00Z"}, "at"),
        ({"thumbs": "up", "at": "2999-01-01T00:00:00Z"}, "at"),
        ({"thumbs": "up", "at": 7}, "at"),
        ({"thumb": "up"}, "thumb"),
        ({"kind": "thumbs", "value": 1}, "kind"),
        ({}, None),
        ({"thumbs": None}, None),
        ({"exchange": "x 1", "thumbs": "up"}, "exchange"),
        ({"exchange": "", "thumbs": "up"}, "exchange"),
        ({"exchange": "x" * 65, "thumbs": "up"}, "exchange"),
        ({"exchange": 7, "thumbs": "up"}, "exchange"),
        ({"exchange": None, "thumbs": "up"}, "exchange"),
    ],
    ids=lambda value: json.dumps(value)[:40] if isinstance(value, dict) else str(value),
)
def test_what_is_wrong_is_told_with_its_place_and_remedy(body: dict[str, Any], path: str | None) -> None:
    """By field, and never by what stands in it."""
    found = faults({"exchange": "x1", **body})
    assert found[0].path == path
    assert all(fault.what and fault.fix for fault in found)


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b"thumbs=up", "not JSON that can be read"),
        (b'{"exchange": "x1", "rating": NaN, "scale": 5}', "not JSON that can be read"),
        (b'{"exchange": "x1"', "not JSON that can be read"),
        (b'"x1"', "Expected"),
        (b"7", "Expected"),
        (b"null", "Expected"),
        (b"[]", "0 items"),
        (b"[7]", "Expected"),
        (b"[" + b",".join([b"{}"] * (MOST + 1)) + b"]", f"{MOST + 1} items"),
        (b"\xff\xfe", "not JSON that can be read"),
        (b'{"exchange": "x1", "scores": {"a": 1e999}}', "can be read"),
        (b'{"exchange": "x1", "comment": "\\ud83d"}', "JSON that can be read"),
        (b'{"exchange": "x1", "correction": ' + b"[" * 5000 + b"]" * 5000 + b"}", "can be read"),
    ],
    ids=[
        "nothing",
        "blank",
        "form",
        "nan",
        "half",
        "text",
        "number",
        "null",
        "empty-list",
        "list-of-numbers",
        "too-many",
        "no-utf8",
        "infinite",
        "half-a-character",
        "too-deep",
    ],
)
def test_what_is_no_feedback_at_all_is_told_too(raw: bytes, told: str) -> None:
    """Whatever was sent."""
    found = faults(raw)
    assert any(told in fault.what for fault in found), found
    assert all(fault.fix for fault in found)


def test_all_faults_of_a_list_at_once_each_with_its_number() -> None:
    """Nothing of it is taken."""
    found = faults([{"exchange": "x1", "thumbs": "up"}, {"exchange": "x 2", "thumbs": "up"}, {"exchange": "x3", "tumbs": "up"}])
    assert [(fault.path, fault.likely) for fault in found] == [("[1].exchange", None), ("[2].tumbs", "thumbs")]


def test_a_workflow_that_cannot_be_told_of_is_told() -> None:
    """Who decides which those are is asked with the name."""
    asked: list[str | None] = []

    def find(workflow: str | None) -> Any:
        asked.append(workflow)
        return Fault(what="No such.", fix="Another.")

    with pytest.raises(InputError) as found:
        read(teller=Teller("app", (), NOW, find), thumbs="up", workflow="other")
    assert (asked, found.value.faults[0].path) == (["other"], "workflow")


@pytest.mark.parametrize(
    ("scope", "named", "workflow"), [(("mail",), {}, "mail"), (("mail", "chat"), {}, None), ((), {}, None)]
)
def test_the_workflow_is_known_where_the_key_has_but_one(scope: tuple[str, ...], named: Any, workflow: str | None) -> None:
    """So that its days of keeping hold for it."""
    (feedback,) = read(teller=Teller("app", scope, NOW, lambda _: "full"), thumbs="up")
    assert feedback.outcomes[0][0].workflow == workflow


def test_the_same_words_are_the_same_feedback() -> None:
    """Sent again, without an id of its own, it has the same identity; anything else it says makes it another."""
    first, again = outcomes(thumbs="up"), outcomes(thumbs="up")
    assert first[0].identity == again[0].identity
    others = [
        outcomes(thumbs="down"),
        outcomes(thumbs="up", author="bo"),
        outcomes(thumbs="up", comment="!"),
        outcomes(thumbs="up", at="2026-11-21T09:00:00Z"),
        outcomes(thumbs="up", exchange="x2"),
    ]
    assert len({first[0].identity, *(one[0].identity for one in others)}) == 6


def test_an_id_of_the_items_own_comes_before_that_of_the_request() -> None:
    """Of a list each item has the request's with its number, so that a list sent again is the same list."""
    assert [read(key="k", thumbs="up")[0].id, read(key="k", thumbs="up", feedback_id="f")[0].id] == ["k", "f"]
    body = json.dumps([{"exchange": "x1", "thumbs": "up"}, {"exchange": "x1", "thumbs": "down"}]).encode()
    assert [one.id for one in read_feedback(body, TELLER, "k")[1]] == ["k.0", "k.1"]


def test_late_is_fine() -> None:
    """When it came about stands beside when it was told."""
    (one,) = outcomes(thumbs="up", at="2026-10-01T12:00:00+02:00")
    assert (one.at_ns, one.happened_ns) == (NOW, 1_790_848_800_000_000_000)


def test_a_header_says_it_in_one_line() -> None:
    """The same words as a body, for one exchange or several; values percent-encoded."""
    line = b"x1; thumbs=up; rating=7/0..10; score.tone=0.3; comment=so%2C%20so; author=J%C3%BCrgen; id=f1, x2;rating=4/5"
    found, wrong = read_header(line, TELLER)
    assert not wrong
    first = [(one.kind, one.value, one.highest) for one, _ in found[0].outcomes]
    assert first == [("thumbs", 1, None), ("rating", 7, 10), ("tone", 0.3, None), ("comment", None, None)]
    assert (found[0].id, found[0].outcomes[3][1], found[0].outcomes[0][0].author) == ("f1", b"so, so", "Jürgen")
    assert [(one.exchange, one.outcomes[-1][0].kind, one.outcomes[-1][0].highest) for one in found[1:]] == [("x2", "rating", 5)]


def test_a_header_and_a_body_that_say_the_same_are_the_same() -> None:
    """Whichever way it comes first."""
    (told,), _ = read_header(b"x1; thumbs=up", TELLER)
    assert told.outcomes[0][0].identity == outcomes(thumbs="up")[0].identity


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b" , ",
        b"x1",
        b"x1; thumbs",
        b"x1; thumbs=left",
        b"; thumbs=up",
        b"x1; rating=4",
        b"x1; rating=four/5",
        b"x1; rating=4/1..2..5",
        b"x1; rating=nan/5",
        b"x1; score.a=inf",
        b"x1; score.=1",
        b"x1; scores=1",
        b"x1; thumbs=up; thumbs=up",
        b"x1; exchange=x2; thumbs=up",
        b"x1; tumbs=up",
        b"x1; thumbs=up; at=now",
        b"x1; thumbs=up, x 2; thumbs=up",
    ],
    ids=str,
)
def test_a_header_that_cannot_be_read_is_told(line: bytes) -> None:
    """By the header's name, with the form that is meant."""
    _, wrong = read_header(line, TELLER)
    assert wrong
    assert all((fault.path or "").startswith(HEADER.decode()) and fault.fix for fault in wrong)


@given(st.binary(max_size=200))
def test_no_bytes_break_the_header(line: bytes) -> None:
    """Headers come from anybody."""
    found, wrong = read_header(line, TELLER)
    assert found or wrong


def taken_or_refused(raw: bytes) -> tuple[list[Feedback], tuple[Fault, ...]]:
    """What a body says, or what is wrong with it."""
    try:
        return read_feedback(raw, TELLER)[1], ()
    except InputError as refused:
        return [], refused.faults


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
FIELDS = st.sampled_from(
    ["exchange", "thumbs", "rating", "scale", "scores", "correction", "ticket", "comment", "author", "at", "feedback_id", "x"]
)


@given(st.dictionaries(FIELDS, JSON_VALUES | st.sampled_from(["up", "x1", 4, 5, "2026-01-01T00:00:00Z"]), max_size=6))
def test_whatever_an_item_holds_it_is_taken_or_refused(item: dict[str, Any]) -> None:
    """And what is taken can be kept: every text fits the log's encoding."""
    from segue.exchanges.record import encode_exchange

    found, wrong = taken_or_refused(json.dumps({"exchange": "x1", "thumbs": "up", **item}).encode())
    assert all(encode_exchange(outcome) for one in found for outcome, _ in one.outcomes)
    assert found or all(fault.what for fault in wrong)


@given(st.binary(max_size=300))
def test_no_bytes_break_the_body(raw: bytes) -> None:
    """Nor do bodies."""
    found, wrong = taken_or_refused(raw)
    assert found or wrong


def test_the_page_lists_every_field() -> None:
    """And no other."""
    import re
    from pathlib import Path

    from segue.gateway.told import _KNOWN

    page = (Path(__file__).parent.parent.parent / "docs" / "gateway.md").read_text(encoding="utf-8")
    table = page.split("## Feedback\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (`.+?`) \| ", table, re.MULTILINE)
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row)} == set(_KNOWN)
