"""A bundle applied to a request: what was measured is what is served, and all that is not the bundle's passes untouched."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.errors import InputError
from segue.gateway.applied import AppliedBundle, read_fields
from segue.model import Bundle, Case, Contract, Message, ModelRef, Parameters, Prompt, ToolSpec
from segue.model.serving import Serving
from segue.providers.dialects import DIALECTS
from segue.providers.rendering import render_request
from segue.wire.profiles import ANTHROPIC, OPENAI, OutputLimitField

PROFILES = {"openai": OPENAI, "anthropic": ANTHROPIC["2023-06-01"]}
TEXTS = st.text(max_size=40).map(lambda text: text.replace("{{", "{"))
HELLO = [{"role": "user", "content": "Hello"}]
DIALECT = pytest.mark.parametrize("dialect", ["openai", "anthropic"])


def a_bundle(**given: Any) -> Bundle:
    """A bundle with what every dialect needs."""
    parameters = Parameters(max_output_tokens=300, **given.pop("parameters", {}))
    return Bundle(workflow="mail", model=ModelRef(provider="p", snapshot="m-1"), parameters=parameters, **given)


def applied(bundle: Bundle, dialect: str = "openai", **serving: Any) -> AppliedBundle:
    """It, made ready for a dialect."""
    return AppliedBundle.of(bundle, dialect, PROFILES[dialect], Serving(**serving))


def sent(bundle: Bundle, body: dict[str, Any], dialect: str = "openai", **serving: Any) -> dict[str, Any]:
    """What the upstream is asked for a request of the application."""
    found: dict[str, Any] = json.loads(applied(bundle, dialect, **serving).apply(read_fields(json.dumps(body).encode())))
    return found


def faults(bundle: Bundle, body: dict[str, Any], dialect: str = "openai", **serving: Any) -> list[str | None]:
    """The fields a refusal names."""
    with pytest.raises(InputError) as caught:
        sent(bundle, body, dialect, **serving)
    assert all(fault.fix for fault in caught.value.faults)
    return [fault.path for fault in caught.value.faults]


@DIALECT
@given(
    system=TEXTS,
    template=st.sampled_from(["", "Answer: {{input}}", "{{topic}} for {{input}} {{{{raw"]),
    asked=st.lists(TEXTS.filter(bool), min_size=1, max_size=3),
    temperature=st.none() | st.floats(0, 1),
    has_tools=st.booleans(),
)
def test_what_is_served_is_what_was_measured(
    dialect: str, system: str, template: str, asked: list[str], temperature: float | None, has_tools: bool
) -> None:
    """The same conversation, asked in an eval and through the gateway, is the same request."""
    tools = (ToolSpec(name="find", description="Finds.", parameters={"type": "object"}),) if has_tools else ()
    bundle = a_bundle(prompt=Prompt(system=system, template=template), tools=tools, parameters={"temperature": temperature})
    turns = [
        Message(role="user" if at % 2 == len(asked) % 2 - 1 or at == len(asked) - 1 else "assistant", content=text)
        for at, text in enumerate(asked)
    ]
    case = Case(case_id="c", messages=tuple(turns), variables={"topic": "tea"})
    in_eval = DIALECTS[dialect].encode(render_request(bundle, case, 0), profile=PROFILES[dialect], stream=False).body
    body = {
        "model": "mail",
        "messages": [{"role": turn.role, "content": turn.content} for turn in turns],
        "segue": {"variables": {"topic": "tea"}},
    }
    assert sent(bundle, body, dialect) == json.loads(json.dumps(in_eval))


@DIALECT
def test_nested_bytes_pass_untouched(dialect: str) -> None:
    """Numbers and texts of the conversation are not read and written again, so nothing of them can change."""
    content = b'[{"type":"text","text":"\\u00e9\\/"},{"type":"x","n":1.10,"m":1E400}]'
    body = b'{"model":"mail","messages": [{"role":"user","content":' + content + b"}]}"
    found = applied(a_bundle(), dialect).apply(read_fields(body))
    assert content in found


@DIALECT
def test_the_bundle_decides_and_the_application_is_told(dialect: str) -> None:
    """A field that the workflow does not give away is refused by name, all of them at once."""
    body = {"model": "mail", "messages": HELLO, "temperature": 1.5, "top_k": 3, "tools": []}
    assert faults(a_bundle(), body, dialect) == ["temperature", "tools", "top_k"]
    found = sent(a_bundle(), body, dialect, otherwise="ignore")
    assert found.keys() == {"model", "messages", "max_tokens" if dialect == "anthropic" else "max_completion_tokens"}


def test_a_field_the_workflow_gives_away_is_the_applications_where_the_bundle_says_nothing() -> None:
    """What the bundle does set stays as it was measured."""
    body = {"model": "mail", "messages": HELLO, "temperature": 0.9, "seed": 7}
    bundle = a_bundle(parameters={"temperature": 0.1})
    found = sent(bundle, body, may_set=["temperature", "seed"])
    assert (found["temperature"], found["seed"], found["model"]) == (0.1, 7, "m-1")


@pytest.mark.parametrize(("own", "other"), [("max_completion_tokens", "max_tokens"), ("max_tokens", "max_completion_tokens")])
def test_two_names_of_one_field_count_as_one(own: OutputLimitField, other: OutputLimitField) -> None:
    """Where the bundle sets a limit, the application's goes no further under either name; where it sets none, it does."""
    body = {"model": "mail", "messages": HELLO, own: 9, other: 9}
    profile = replace(OPENAI, output_limit=own)
    asked = AppliedBundle.of(a_bundle(), "openai", profile, Serving(may_set=(own, other)))
    found = json.loads(asked.apply(read_fields(json.dumps(body).encode())))
    assert {name: found.get(name) for name in (own, other)} == {own: 300, other: None}
    unbounded = a_bundle().model_copy(update={"parameters": Parameters()})
    assert sent(unbounded, {"model": "mail", "messages": HELLO, other: 9}, may_set=[other])[other] == 9


def test_a_limit_that_anthropics_clients_must_send_is_no_fault_and_does_not_count() -> None:
    """Their SDK cannot leave max_tokens out."""
    assert sent(a_bundle(), {"model": "mail", "messages": HELLO, "max_tokens": 9}, "anthropic")["max_tokens"] == 300


@pytest.mark.parametrize(
    ("theirs", "whole"),
    [
        (None, "Be brief."),
        ("", "Be brief."),
        ("I am Ada.", "Be brief.\n\nI am Ada."),
        ([], [{"type": "text", "text": "Be brief."}]),
        ([{"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}], "blocks"),
    ],
    ids=["none", "empty", "text", "no-blocks", "blocks"],
)
def test_the_applications_own_system_text_stands_behind_the_bundles(theirs: Any, whole: Any) -> None:
    """As a case's does in an eval."""
    bundle = a_bundle(prompt=Prompt(system="Be brief."))
    if whole == "blocks":
        whole = [{"type": "text", "text": "Be brief."}, *theirs]
    assert sent(bundle, {"model": "mail", "messages": HELLO, "system": theirs}, "anthropic")["system"] == whole
    chat = [{"role": "system", "content": "I am Ada."}, *HELLO]
    assert sent(bundle, {"model": "mail", "messages": chat})["messages"] == [{"role": "system", "content": "Be brief."}, *chat]


def test_a_template_keeps_the_images_beside_the_text() -> None:
    """And only the last user message is rewritten."""
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}
    messages = [
        *HELLO,
        {"role": "assistant", "content": "Yes?"},
        {"role": "user", "content": [{"type": "text", "text": "this"}, image]},
    ]
    found = sent(a_bundle(prompt=Prompt(template="Look: {{input}}")), {"model": "mail", "messages": messages})["messages"]
    assert found == [*messages[:2], {"role": "user", "content": [{"type": "text", "text": "Look: this"}, image]}]


def test_a_missing_variable_is_named_with_the_way_to_send_it() -> None:
    """Nothing is guessed, and no prompt goes out with a hole in it."""
    bundle = a_bundle(prompt=Prompt(system="For {{tier}} in {{land}}."))
    body = {"model": "mail", "messages": HELLO, "segue": {"variables": {"land": "AT"}}}
    assert faults(bundle, body) == ["segue.variables.tier"]


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"model": "mail"}, "messages"),
        ({"model": "mail", "messages": "Hello"}, "messages"),
        ({"model": "mail", "messages": None}, "messages"),
        ({"model": "mail", "messages": HELLO, "segue": {"variables": {"a": 1}}}, "segue"),
        ({"model": "mail", "messages": HELLO, "segue": "x"}, "segue"),
        ({"model": "mail", "messages": HELLO, "segue": {"variable": {}}}, "segue"),
    ],
    ids=["no-messages", "text", "null", "number", "no-object", "slip"],
)
def test_what_cannot_be_served_is_told_by_field(body: dict[str, Any], path: str) -> None:
    """Before anything is sent or paid."""
    assert faults(a_bundle(prompt=Prompt(system="{{a}}")), body) == [path]


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"{", b'{"a":', b"\xff\xfe{}", b'{"a":1}x', b"[" * 100_000])
def test_a_body_that_is_no_object_is_refused(body: bytes) -> None:
    """Whatever it is instead, and however deep."""
    with pytest.raises(InputError, match="1 fault in the request"):
        read_fields(body)


def test_of_a_key_given_twice_the_last_one_is_sent_and_no_other() -> None:
    """So that no upstream can read another request than the one that was checked."""
    body = b'{"model":"mail","messages":[],"messages":[{"role":"user","content":"b"}],"tem\\u0070erature":2}'
    found = applied(a_bundle(parameters={"temperature": 0.5}), may_set=["temperature"]).apply(read_fields(body))
    assert found.count(b'"messages"') == found.count(b'"temperature"') == 1
    assert json.loads(found)["messages"] == [{"role": "user", "content": "b"}]


def test_a_bundle_that_a_dialect_cannot_be_told_is_refused_when_it_is_loaded() -> None:
    """Not at the first request."""
    with pytest.raises(InputError):
        AppliedBundle.of(
            Bundle(workflow="mail", model=ModelRef(provider="p", snapshot="m")), "anthropic", PROFILES["anthropic"], Serving()
        )


def test_structured_output_holds_the_answer_to_the_contract() -> None:
    """As in an eval."""
    contract = Contract(json_schema={"type": "object"})
    found = sent(a_bundle(contract=contract, parameters={"structured_output": True}), {"model": "mail", "messages": HELLO})
    assert found["response_format"]["json_schema"]["schema"] == {"type": "object"}
