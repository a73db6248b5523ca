"""Every field of the SDKs' request types is carried, refused or listed as dropped; the codecs hold to the same table."""

from __future__ import annotations

import typing
from typing import Any

import pytest
import typing_extensions
from anthropic.types.message_create_params import MessageCreateParamsStreaming
from openai.types.chat.completion_create_params import CompletionCreateParamsStreaming
from openai.types.responses.response_create_params import ResponseCreateParamsStreaming
from tests.wire.dialect_bodies import everything
from tests.wire.dialect_values import DIALECTS
from tests.wire.sdk_types import bare, fields_of, misfit, typed_dicts

from segue.wire.dialects import CODECS
from segue.wire.fields import FIELDS, Fields
from segue.wire.neutral.conversation import Dialect
from segue.wire.neutral.refusal import Refusals, RefusedError

REQUESTS: dict[Dialect, Any] = {
    "openai_chat": CompletionCreateParamsStreaming,
    "openai_responses": ResponseCreateParamsStreaming,
    "anthropic_messages": MessageCreateParamsStreaming,
}
ASKED: dict[Dialect, dict[str, Any]] = {
    "openai_chat": {"model": "m", "messages": [{"role": "user", "content": "Hi"}]},
    "openai_responses": {"model": "m", "input": "Hi"},
    "anthropic_messages": {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]},
}

SCHEMAS = {"InputSchemaTyped"}
"""Objects of the client's own making, which are carried as they are."""


def tags(kind: Any) -> list[str]:
    """The words by which an object says what it is: its `type`, or the `role` of a message."""
    for name in ("type", "role"):
        hint = bare(fields_of(kind).get(name, str))
        if typing.get_origin(hint) in (typing.Union, typing_extensions.Union):
            hint = next(bare(one) for one in typing.get_args(hint) if bare(one) is not type(None))
        if typing.get_origin(hint) in (typing.Literal, typing_extensions.Literal):
            return list(typing.get_args(hint))
    return []


def unlisted(dialect: Dialect) -> tuple[list[str], int]:
    """Fields and kinds of objects that the SDK has and the table has not; and how many places were walked."""
    table = FIELDS[dialect]
    missing: list[str] = []
    waiting: list[tuple[str, Any]] = [("request", REQUESTS[dialect])]
    seen: set[tuple[str, Any]] = set()
    while waiting:
        place, kind = waiting.pop()
        if (place, kind) in seen:
            continue
        seen.add((place, kind))
        for name, hint in fields_of(kind).items():
            field = table.places[place].get(name)
            if field is None:
                missing.append(f"{place}.{name} ({kind.__name__})")
            elif field.treatment == "carried":
                for inside in typed_dicts(hint):
                    if field.holds:
                        waiting += found(table, field.holds, inside, missing)
                    elif inside.__name__ not in SCHEMAS:
                        missing.append(f"{place}.{name} holds {inside.__name__}")
    return missing, len(seen)


def found(table: Any, holds: str, kind: Any, missing: list[str]) -> list[tuple[str, Any]]:
    """Where objects of this kind stand in the table, if they are not refused."""
    if holds in table.places:
        return [(holds, kind)]
    places = []
    for tag in tags(kind) or ["custom"]:
        place = f"{holds}:{tag}"
        if place in table.places:
            places.append((place, kind))
        elif table.refused_kind(holds, tag) is None:
            missing.append(f"{place} ({kind.__name__})")
    return places


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_field_of_the_sdks_request_is_carried_refused_or_listed(dialect: Dialect) -> None:
    """Walked from the SDK's own types, down into every object that is carried."""
    missing, walked = unlisted(dialect)
    assert missing == []
    assert walked > 20


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_table_names_no_field_that_the_sdk_does_not_know(dialect: Dialect) -> None:
    """But those that are known to be older, of compatible servers, or left in a message by the SDK's own helpers."""
    others = {
        "openai_chat": {
            "reasoning_content",
            "reasoning",
            "reasoning_details",
            "extra_content",
            "annotations",
            "parsed",
            "parsed_arguments",
            "index",
        },
        "openai_responses": set(),
        "anthropic_messages": {"temperature", "top_p", "top_k"},
    }[dialect]
    known: set[str] = set()
    waiting: list[Any] = [REQUESTS[dialect]]
    seen: list[Any] = []
    while waiting:
        kind = waiting.pop()
        if kind not in seen:
            seen.append(kind)
            known |= set(fields_of(kind))
            waiting += [inside for hint in fields_of(kind).values() for inside in typed_dicts(hint)]
    named = {name for place in FIELDS[dialect].places.values() for name in place}
    assert named - known - others == set()


@pytest.mark.parametrize(
    ("dialect", "name"),
    [
        (dialect, name)
        for dialect in DIALECTS
        for name, field in FIELDS[dialect].places["request"].items()
        if field.treatment == "refused"
    ],
)
def test_a_refused_field_is_refused_by_name_with_a_remedy(dialect: Dialect, name: str) -> None:
    """Whatever it says."""
    with pytest.raises(RefusedError) as refused:
        CODECS[dialect].decode_request({**ASKED[dialect], name: "anything"})
    (only,) = refused.value.refusals
    assert (only.field, only.dialect) == (name, dialect)
    assert only.reason
    assert only.remedy


@pytest.mark.parametrize(
    ("dialect", "name"),
    [
        (dialect, name)
        for dialect in DIALECTS
        for name, field in FIELDS[dialect].places["request"].items()
        if field.treatment == "dropped"
    ],
)
def test_a_dropped_field_changes_nothing(dialect: Dialect, name: str) -> None:
    """The request is as if it were not there."""
    decode = CODECS[dialect].decode_request
    assert decode({**ASKED[dialect], name: {"any": "thing"}}) == decode(ASKED[dialect])


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_request_is_held_against_the_table_down_to_its_last_object(dialect: Dialect, monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests that hold every kind of object the table has: the decoder looks at each of them, and carries it."""
    seen: set[str] = set()
    check = Fields.check

    def noting(self: Fields, place: str, *given: Any) -> None:
        seen.add(place)
        check(self, place, *given)

    monkeypatch.setattr(Fields, "check", noting)
    for body in everything(dialect):
        CODECS[dialect].decode_request(body)
    assert set(FIELDS[dialect].places) - seen == set()


@pytest.mark.parametrize(("dialect", "place"), [(dialect, place) for dialect in DIALECTS for place in FIELDS[dialect].places])
def test_in_every_place_what_is_refused_is_refused_and_what_is_dropped_is_not(dialect: Dialect, place: str) -> None:
    """And a field that the place does not know is refused, too; what means the same as nothing is taken."""
    for name, known in FIELDS[dialect].places[place].items():
        refusals = Refusals(dialect)
        FIELDS[dialect].check(place, {name: "anything"}, "here", refusals)
        assert [one.field for one in refusals.found] == ([f"here.{name}"] if known.treatment == "refused" else [])
        assert all(one.reason and one.remedy for one in refusals.found)
        for harmless in (None, *known.harmless):
            FIELDS[dialect].check(place, {name: harmless}, "here", none := Refusals(dialect))
            assert none.found == []
    FIELDS[dialect].check(place, {"surprise": 1}, "here", refusals := Refusals(dialect))
    assert [one.field for one in refusals.found] == ["here.surprise"]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_field_that_nobody_knows_is_refused(dialect: Dialect) -> None:
    """At the top and within a message; all at once."""
    body = {**ASKED[dialect], "surprise": 1}
    key = "input" if dialect == "openai_responses" else "messages"
    body[key] = [{"role": "user", "content": "Hi", "wonder": True}]
    with pytest.raises(RefusedError) as refused:
        CODECS[dialect].decode_request(body)
    assert {one.field for one in refused.value.refusals} == {"surprise", f"{key}[0].wonder"}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_null_is_an_absent_field(dialect: Dialect) -> None:
    """SDKs write `null` for what was not given."""
    nulls = {name: None for name in FIELDS[dialect].places["request"] if name not in ASKED[dialect]}
    decode = CODECS[dialect].decode_request
    assert decode({**nulls, **ASKED[dialect]}) == decode(ASKED[dialect])


def test_the_reader_of_sdk_types_sees_what_is_wrong() -> None:
    """It is the judge of the other tests."""
    kind, asked = CompletionCreateParamsStreaming, {**ASKED["openai_chat"], "stream": True}
    assert misfit(asked, kind) is None
    assert misfit({**asked, "messages": [{"role": "user", "content": "Hi", "wonder": 1}]}, kind) is not None
    assert misfit({**asked, "messages": [{"role": "user"}]}, kind) is not None
    assert misfit({**asked, "temperature": "warm"}, kind) is not None
    assert misfit({**asked, "tools": [{"type": "function"}]}, kind) is not None
