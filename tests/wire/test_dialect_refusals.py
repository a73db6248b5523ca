"""What one dialect can say and another cannot is refused by name, or becomes what `docs/dialects.md` says."""

from __future__ import annotations

import contextlib
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.wire.dialect_values import DIALECTS, HEAD, HERE, PIXEL, requests
from tests.wire.test_fuzz import JSON

from segue.model import Failure
from segue.wire.dialects import CODECS, answer_bytes, request_bytes
from segue.wire.fields import FIELDS
from segue.wire.neutral.conversation import ConversationRequest, Dialect
from segue.wire.neutral.events import Answer, AnswerBlock, Ended, Failed
from segue.wire.neutral.refusal import RefusedError
from segue.wire.profiles import ANTHROPIC

USER: dict[str, Any] = {"role": "user", "content": "Hi"}
CHAT: dict[str, Any] = {"model": "m", "messages": [USER], "max_tokens": 9}
MESSAGES = CHAT
RESPONSES: dict[str, Any] = {"model": "m", "input": [USER], "max_output_tokens": 9}
CUSTOM: dict[str, Any] = {"type": "custom", "custom": {"name": "write"}}
PDF = {"type": "base64", "media_type": "application/pdf"}
BASES = {"openai_chat": CHAT, "openai_responses": RESPONSES, "anthropic_messages": MESSAGES}


def translate(source: Dialect, target: Dialect, body: dict[str, Any], **given: Any) -> dict[str, Any]:
    """The body for an upstream of another dialect."""
    request = CODECS[source].decode_request({**BASES[source], **body})
    return CODECS[target].encode_request(request, to=HERE, **given).body


def refused(source: Dialect, target: Dialect, body: dict[str, Any], **given: Any) -> list[str]:
    """The fields that are refused on the way."""
    with pytest.raises(RefusedError) as error:
        translate(source, target, body, **given)
    assert all(one.reason and one.remedy for one in error.value.refusals)
    return [one.field for one in error.value.refusals]


def image(url: str, **more: Any) -> dict[str, Any]:
    """A message with an image."""
    return {"role": "user", "content": [{"type": "image_url", "image_url": {"url": url, **more}}]}


@pytest.mark.parametrize(
    ("target", "body", "fields"),
    [
        ("anthropic_messages", {"temperature": 1.5}, ["temperature"]),
        ("anthropic_messages", {"logprobs": True}, ["logprobs"]),
        ("anthropic_messages", {"verbosity": "low"}, ["verbosity"]),
        ("anthropic_messages", {"reasoning_effort": "minimal"}, ["reasoning_effort"]),
        ("anthropic_messages", {"max_tokens": None}, ["max_tokens"]),
        ("anthropic_messages", {"response_format": {"type": "json_object"}}, ["response_format"]),
        ("anthropic_messages", {"tools": [CUSTOM]}, ["tools[0]"]),
        ("anthropic_messages", {"tool_choice": "required"}, ["tool_choice"]),
        ("anthropic_messages", {"messages": [{**USER, "name": "Ada"}]}, ["messages[0].name"]),
        ("anthropic_messages", {"messages": [USER, {"role": "assistant", "content": "Ye"}]}, ["messages[1]"]),
        ("anthropic_messages", {"messages": [image("data:image/png,x")]}, ["messages[0].content[0]"]),
        ("anthropic_messages", {"messages": [image("https://a.test/b.png", detail="low")]}, ["messages[0].content[0]"]),
        ("anthropic_messages", {"messages": [image("data:image/tiff;base64,AAAA")]}, ["messages[0].content[0]"]),
        ("openai_responses", {"stop": ["END"]}, ["stop"]),
        ("openai_responses", {"messages": [{**USER, "name": "Ada"}]}, ["messages[0].name"]),
        ("openai_responses", {"seed": 7, "n": 2}, ["seed", "n"]),
    ],
    ids=str,
)
def test_chat_says_what_others_cannot(target: Dialect, body: dict[str, Any], fields: list[str]) -> None:
    """All that is wrong at once, each with a remedy."""
    assert refused("openai_chat", target, body) == fields


@pytest.mark.parametrize(
    ("target", "body", "fields"),
    [
        ("openai_chat", {"thinking": {"type": "enabled", "budget_tokens": 2000}}, ["thinking"]),
        ("openai_responses", {"thinking": {"type": "adaptive"}}, ["thinking"]),
        ("openai_chat", {"stop_sequences": ["a", "b", "c", "d", "e"]}, ["stop"]),
        ("openai_chat", {"top_k": 5}, ["top_k"]),
        ("openai_chat", {"messages": [USER, {"role": "assistant", "content": "{"}]}, ["messages[1]"]),
        ("openai_chat", {"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, ["tools[0]"]),
        (
            "openai_chat",
            {"messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "file", "file_id": "f"}}]}]},
            ["messages[0].content[0]"],
        ),
    ],
    ids=str,
)
def test_messages_says_what_others_cannot(target: Dialect, body: dict[str, Any], fields: list[str]) -> None:
    """Thinking budgets, begun answers, tools of the provider."""
    assert refused("anthropic_messages", target, body) == fields


@pytest.mark.parametrize(
    ("target", "body", "fields"),
    [
        ("openai_chat", {"previous_response_id": "resp_1"}, ["previous_response_id"]),
        ("openai_chat", {"input": [{"type": "item_reference", "id": "rs_1"}]}, ["input[0]"]),
        ("openai_chat", {"tools": [{"type": "web_search"}]}, ["tools[0]"]),
        (
            "openai_chat",
            {"input": [{"role": "user", "content": [{"type": "input_file", "file_url": "https://a.test/b.pdf"}]}]},
            ["messages[0].content[0]"],
        ),
        ("anthropic_messages", {"truncation": "auto"}, ["truncation"]),
    ],
    ids=str,
)
def test_responses_says_what_others_cannot(target: Dialect, body: dict[str, Any], fields: list[str]) -> None:
    """What is kept at OpenAI, and what OpenAI runs."""
    assert refused("openai_responses", target, body) == fields


def test_the_newer_version_of_messages_has_no_sampling() -> None:
    """By the profile of the server."""
    profile, body = ANTHROPIC["2026-10-21"], {"temperature": 0.5, "top_p": 0.5}
    assert refused("openai_chat", "anthropic_messages", body, profile=profile) == ["temperature", "top_p"]


def test_what_cannot_stand_in_a_turn_is_refused_and_never_left_out() -> None:
    """A call by the user, an image by the assistant, a result in a result as deep as JSON goes."""
    call = {"type": "tool_use", "id": "toolu_1", "name": "find", "input": {}}
    picture = {"type": "image", "source": {"type": "url", "url": "https://a.test/b.png"}}
    nested: dict[str, Any] = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "x"}
    for _ in range(400):
        nested = {"type": "tool_result", "tool_use_id": "toolu_1", "content": [nested]}
    for turns in (
        [{"role": "user", "content": [call]}],
        [USER, {"role": "assistant", "content": [picture]}, USER],
        [{"role": "user", "content": [nested]}],
        [{"role": "system", "content": [picture]}, USER],
    ):
        assert refused("anthropic_messages", "anthropic_messages", {"messages": turns})
    declined = [{"type": "refusal", "refusal": "No."}]
    for role in ("user", "system", "tool"):
        assert refused("openai_chat", "openai_chat", {"messages": [{"role": role, "content": declined, "tool_call_id": "1"}]})
    output = {"type": "function_call_output", "call_id": "1", "output": declined}
    assert refused("openai_responses", "openai_chat", {"input": [output]})


@pytest.mark.parametrize("body", [[], "x", None, {}, {"model": 7}, {"model": "m", "messages": 1, "input": 1}], ids=str)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_malformed_request_is_refused_with_its_place(dialect: Dialect, body: Any) -> None:
    """As the provider itself would."""
    if dialect == "openai_responses" and body == {}:
        return
    with pytest.raises(RefusedError) as error:
        CODECS[dialect].decode_request(body)
    assert error.value.field


def goes_or_is_refused(dialect: Dialect, body: Any) -> None:
    """Nothing but `RefusedError` may be raised, on the way in and on the ways out."""
    try:
        request = CODECS[dialect].decode_request(body)
    except RefusedError:
        return
    for target in DIALECTS:
        with contextlib.suppress(RefusedError):
            assert request_bytes(target, CODECS[target].encode_request(request, to=HERE))


@given(JSON)
def test_any_json_is_a_request_or_refused(value: Any) -> None:
    """As a whole and in every field of a request."""
    for dialect in DIALECTS:
        for body in (value, *({**BASES[dialect], name: value} for name in FIELDS[dialect].places["request"])):
            goes_or_is_refused(dialect, body)


@pytest.mark.parametrize("dialect", DIALECTS)
@given(request_=requests(), value=JSON, steps=st.lists(st.integers(0, 9), min_size=1, max_size=7))
def test_a_request_with_anything_in_it_goes_or_is_refused(
    dialect: Dialect, request_: ConversationRequest, value: Any, steps: list[int]
) -> None:
    """A proper request, but for one value somewhere in it."""
    body = orjson.loads(orjson.dumps(CODECS[dialect].encode_request(request_, to=HERE).body))
    at: Any = body
    for step in steps:
        keys = list(at) if isinstance(at, dict) else list(range(len(at)))
        if not keys:
            break
        key = keys[step % len(keys)]
        if step == steps[-1] or not isinstance(at[key], dict | list):
            at[key] = value
            break
        at = at[key]
    goes_or_is_refused(dialect, body)


@given(st.lists(st.binary(max_size=80) | JSON.map(lambda value: b"data: " + orjson.dumps(value) + b"\n\n"), max_size=8))
def test_any_stream_of_an_upstream_ends_or_fails(chunks: list[bytes]) -> None:
    """Exactly once, and nothing comes after it."""
    for dialect in DIALECTS:
        decoder = CODECS[dialect].answer_decoder(origin=HERE)
        events = [event for chunk in chunks for event in decoder.feed(chunk)]
        events += decoder.finish()
        assert [isinstance(event, Ended | Failed) for event in events].count(True) == 1
        assert isinstance(events[-1], Ended | Failed)
        whole = CODECS[dialect].decode_answer(b"".join(chunks), origin=HERE)
        assert isinstance(whole[-1], Ended | Failed)


def test_json_nested_too_deep_is_refused_or_fails_and_never_raises() -> None:
    """It can be read four times as deep as it can be written."""
    deep = b'{"a":' * 900 + b"1" + b"}" * 900
    function = {"name": "find", "parameters": orjson.loads(deep)}
    request = CODECS["openai_chat"].decode_request({**CHAT, "tools": [{"type": "function", "function": function}]})
    for dialect in DIALECTS:
        with pytest.raises(RefusedError):
            request_bytes(dialect, CODECS[dialect].encode_request(request, to=HERE))
    answer = Answer((AnswerBlock("tool_call", deep.decode(), "call_1", "find"),), "tool_calls")
    assert isinstance(answer_bytes("anthropic_messages", answer, HEAD), Failure)
    assert isinstance(answer_bytes("openai_chat", answer, HEAD), bytes)


def test_a_failed_tool_is_told_as_text_where_there_is_no_field_for_it() -> None:
    """`is_error` changes what the model does next; it is not dropped."""
    use = {"type": "tool_use", "id": "toolu_1", "name": "find", "input": {}}
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "no such order", "is_error": True}
    turns = [USER, {"role": "assistant", "content": [use]}, {"role": "user", "content": [result]}]
    chat = translate("anthropic_messages", "openai_chat", {"messages": turns})["messages"][2]["content"]
    responses = translate("anthropic_messages", "openai_responses", {"messages": turns})["input"][2]["output"]
    assert chat == responses == "Error:\nno such order"


def test_a_refusal_of_earlier_is_text_of_the_assistant_for_anthropic() -> None:
    """The words stay."""
    turns = [USER, {"role": "assistant", "content": None, "refusal": "I cannot."}, USER]
    assert translate("openai_chat", "anthropic_messages", {"messages": turns})["messages"][1]["content"] == [
        {"type": "text", "text": "I cannot."}
    ]


def test_a_plain_text_document_is_a_file_for_openai_and_comes_back() -> None:
    """In base64, with its media type."""
    source = {"type": "text", "media_type": "text/plain", "data": "Grüße"}
    turns = [{"role": "user", "content": [{"type": "document", "source": source, "title": "a.txt"}]}]
    part = translate("anthropic_messages", "openai_chat", {"messages": turns})["messages"][0]["content"][0]
    assert part["file"]["file_data"].startswith("data:text/plain;base64,")
    assert (
        translate("openai_chat", "anthropic_messages", {"messages": [{"role": "user", "content": [part]}]})["messages"] == turns
    )


def test_allowed_tools_are_the_only_ones_anthropic_is_sent() -> None:
    """It has no other way to say so."""
    tools = [{"type": "function", "function": {"name": name}} for name in ("find", "stop")]
    allowed = {"mode": "required", "tools": [{"type": "function", "function": {"name": "stop"}}]}
    body = {"tools": tools, "tool_choice": {"type": "allowed_tools", "allowed_tools": allowed}}
    found = translate("openai_chat", "anthropic_messages", body)
    assert [tool["name"] for tool in found["tools"]] == ["stop"]
    assert found["tool_choice"] == {"type": "any"}
    assert translate("openai_chat", "openai_responses", body)["tool_choice"]["tools"] == [{"type": "function", "name": "stop"}]


def test_hints_and_custom_tools_go_between_openais_dialects() -> None:
    """A grammar, a call of it and its result; the key of the cache, metadata, verbosity."""
    grammar = {"definition": "start: /x/", "syntax": "lark"}
    call = {"id": "call_1", "type": "custom", "custom": {"name": "write", "input": "xx"}}
    body = {
        "messages": [
            USER,
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "call_1", "content": "ok"},
        ],
        "tools": [{"type": "custom", "custom": {"name": "write", "format": {"type": "grammar", "grammar": grammar}}}],
        "tool_choice": {"type": "custom", "custom": {"name": "write"}},
        "prompt_cache_key": "k",
        "metadata": {"team": "a"},
        "verbosity": "low",
        "logprobs": True,
        "top_logprobs": 2,
    }
    found = translate("openai_chat", "openai_responses", body)
    assert [item["type"] for item in found["input"]] == ["message", "custom_tool_call", "custom_tool_call_output"]
    assert found["tools"][0]["format"] == {"type": "grammar", **grammar}
    assert (found["prompt_cache_key"], found["metadata"], found["text"]["verbosity"]) == ("k", {"team": "a"}, "low")
    back = translate("openai_responses", "openai_chat", {name: value for name, value in found.items() if value is not None})
    for name in ("messages", "tools", "tool_choice", "prompt_cache_key", "metadata", "verbosity", "logprobs", "top_logprobs"):
        assert back[name] == body[name], name


def test_images_and_files_keep_their_bytes() -> None:
    """From Anthropic's blocks to OpenAI's parts and back."""
    blocks = [
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}},
        {
            "type": "document",
            "source": {"type": "base64", "media_type": "application/pdf", "data": PIXEL},
            "title": "order.pdf",
        },
    ]
    turns = [{"role": "user", "content": blocks}]
    for target in ("openai_chat", "openai_responses"):
        body = translate("anthropic_messages", target, {"messages": turns})  # type: ignore[arg-type]  # two of the dialects
        request = CODECS[target].decode_request(body)  # type: ignore[index]  # the same
        assert CODECS["anthropic_messages"].encode_request(request, to=HERE).body["messages"] == turns
