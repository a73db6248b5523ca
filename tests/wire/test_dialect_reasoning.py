"""Reasoning goes back to where it came from and nowhere else; calls stay with their results, wherever a conversation moves."""

from __future__ import annotations

import string
from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.wire.dialect_values import DIALECTS, ELSEWHERE, HEAD, HERE, thought

from segue.wire.dialects import CODECS
from segue.wire.neutral.conversation import (
    ConversationRequest,
    Dialect,
    Reasoning,
    Text,
    Thinking,
    ToolResult,
    ToolUse,
    Turn,
    foreign_reasoning,
)
from segue.wire.neutral.events import Answer, AnswerBlock
from segue.wire.neutral.origin import LONGEST_ID, Origin, fit_call_id, seal, unseal

REASONING: tuple[Dialect, ...] = ("openai_responses", "anthropic_messages")


def asked(*blocks: Any) -> ConversationRequest:
    """A conversation with one turn of the assistant, a call in it."""
    use = ToolUse("call_1", "find", '{"id":7}')
    turns = (
        Turn("user", (Text("Where is my order?"),)),
        Turn("assistant", (*blocks, use)),
        Turn("tool", (ToolResult("call_1", (Text("Bern"),)),)),
    )
    return ConversationRequest("m", turns, max_output_tokens=9)


def client_says_again(dialect: Dialect, answer: Answer) -> dict[str, Any]:
    """The next request of a client that was given `answer`: what it got comes back as it was, and the results of its calls."""
    body: Any = CODECS[dialect].encode_answer(answer, HEAD)
    calls = [block.id for block in answer.blocks if block.kind == "tool_call"]
    if dialect == "openai_responses":
        results = [{"type": "function_call_output", "call_id": one, "output": "Bern"} for one in calls]
        return {"model": "w", "max_output_tokens": 9, "input": [{"role": "user", "content": "Hi"}, *body["output"], *results]}
    user = {"role": "user", "content": "Hi"}
    if dialect == "openai_chat":
        messages = [{"role": "tool", "tool_call_id": one, "content": "Bern"} for one in calls]
        return {"model": "w", "max_tokens": 9, "messages": [user, body["choices"][0]["message"], *messages]}
    blocks = [{"type": "tool_result", "tool_use_id": one, "content": "Bern"} for one in calls]
    turns = [user, {"role": "assistant", "content": body["content"]}, {"role": "user", "content": blocks}]
    return {"model": "w", "max_tokens": 9, "messages": turns}


@pytest.mark.parametrize("client", DIALECTS)
@pytest.mark.parametrize("upstream", REASONING)
def test_a_client_brings_reasoning_back_to_where_it_came_from(upstream: Dialect, client: Dialect) -> None:
    """Whatever dialect the client speaks, the very item goes back to its origin, and to no other place."""
    own = thought(HERE, upstream)
    blocks = (AnswerBlock("reasoning", own.text, reasoning=own), AnswerBlock("tool_call", "{}", "call_1", "find"))
    request = CODECS[client].decode_request(client_says_again(client, Answer(blocks, "tool_calls")))
    kept = [block for turn in request.turns for block in turn.blocks if isinstance(block, Reasoning)]
    assert [(one.item, one.origin, one.dialect) for one in kept] == [(own.item, HERE.tag, upstream)]
    sent = orjson.dumps(CODECS[upstream].encode_request(request, to=HERE).body)
    assert orjson.dumps(own.item) in sent
    for dialect in DIALECTS:
        other = orjson.dumps(CODECS[dialect].encode_request(request, to=ELSEWHERE).body)
        for word in (b"Let me see.", b"signed", b"hidden", b"segue1."):
            assert word not in other


@pytest.mark.parametrize("field", ["provider", "endpoint", "credentials", "model", "prefix"])
def test_each_part_of_the_origin_counts(field: str) -> None:
    """Another model, address or account cannot read it."""
    other = replace(HERE, **{field: "another"})
    assert other.tag != HERE.tag
    request = asked(thought(HERE, "anthropic_messages"))
    assert foreign_reasoning(request, "anthropic_messages", HERE.tag) == 0
    assert foreign_reasoning(request, "anthropic_messages", other.tag) == 1
    assert b"signed" not in orjson.dumps(CODECS["anthropic_messages"].encode_request(request, to=other).body)


@pytest.mark.parametrize("dialect", REASONING)
def test_reasoning_of_unknown_origin_goes_nowhere_unless_its_origin_is_known_otherwise(dialect: Dialect) -> None:
    """A client that spoke to the provider directly before."""
    item = thought(HERE, dialect).item
    said: dict[str, Any] = {"role": "assistant", "content": "Yes."}
    body: dict[str, Any] = {"model": "w", "max_output_tokens": 9, "input": [{"role": "user", "content": "Hi"}, item, said]}
    if dialect == "anthropic_messages":
        user = {"role": "user", "content": "Hi"}
        said = {"role": "assistant", "content": [item, {"type": "text", "text": "Yes."}]}
        body = {"model": "w", "max_tokens": 9, "messages": [user, said, user]}
    word = b"signed" if dialect == "anthropic_messages" else b"hidden"
    codec = CODECS[dialect]
    assert word not in orjson.dumps(codec.encode_request(codec.decode_request(body), to=HERE).body)
    assert word in orjson.dumps(codec.encode_request(codec.decode_request(body, assumed=HERE.tag), to=HERE).body)


@pytest.mark.parametrize(("origin", "kept"), [(HERE, "enabled"), (ELSEWHERE, "disabled")], ids=["own", "foreign"])
def test_a_thinking_budget_rests_while_calls_of_another_origin_are_answered(origin: Origin, kept: str) -> None:
    """Anthropic refuses calls without the thinking before them; adaptive thinking may be absent."""
    request = replace(asked(thought(origin, "anthropic_messages")), thinking=Thinking("enabled", 2000))
    encode = CODECS["anthropic_messages"].encode_request
    assert encode(request, to=HERE).body["thinking"]["type"] == kept
    said = replace(request, turns=(*request.turns, Turn("assistant", (Text("Bern."),)), Turn("user", (Text("Thanks"),))))
    assert encode(said, to=HERE).body["thinking"]["type"] == "enabled"
    adaptive = replace(request, thinking=Thinking("adaptive"))
    assert encode(adaptive, to=HERE).body["thinking"]["type"] == "adaptive"


def test_a_turn_of_foreign_reasoning_alone_is_left_out() -> None:
    """No dialect takes an empty turn of the assistant."""
    only = Turn("assistant", (thought(ELSEWHERE, "anthropic_messages"),))
    user = Turn("user", (Text("Hi"),))
    request = ConversationRequest("m", (user, only, user), max_output_tokens=9)
    for dialect in DIALECTS:
        body = CODECS[dialect].encode_request(request, to=HERE).body
        assert len(body.get("messages") or body["input"]) == 2


@pytest.mark.parametrize("dialect", REASONING)
def test_an_answer_that_was_cut_while_it_thought_leaves_nothing_that_a_provider_refuses(dialect: Dialect) -> None:
    """No provider takes a turn that ends with its reasoning; what was said before stays."""
    own = thought(HERE, dialect)
    for said, count in (((own,), 2), ((Text("Well."), own), 3)):
        turns = (Turn("user", (Text("Hi"),)), Turn("assistant", said), Turn("user", (Text("Go on"),)))
        body = CODECS[dialect].encode_request(ConversationRequest("m", turns, max_output_tokens=9), to=HERE).body
        assert len(body.get("messages") or body["input"]) == count
        assert not any(word in orjson.dumps(body) for word in (b"signed", b"hidden"))


@given(st.lists(st.none() | st.integers() | st.dictionaries(st.sampled_from(["data", "type"]), st.text()), max_size=3))
def test_reasoning_of_a_server_that_speaks_chat_is_nobodys(details: list[Any]) -> None:
    """What stands in `reasoning_details` and was not sealed here is left out, whatever it is."""
    said = {"role": "assistant", "content": "Yes.", "reasoning_details": details}
    body: dict[str, Any] = {"model": "w", "messages": [{"role": "user", "content": "Hi"}, said]}
    found = CODECS["openai_chat"].decode_request(body)
    assert [block for turn in found.turns for block in turn.blocks] == [Text("Hi"), Text("Yes.")]


@given(st.text())
def test_what_is_no_seal_is_not_read_as_one(text: str) -> None:
    """A provider's own value, whatever it looks like."""
    assert unseal(text) is None
    assert unseal(f"segue1.{'0' * 16}.m.{text}") is None or text.isascii()


@given(st.dictionaries(st.text(), st.text() | st.integers(-(2**53), 2**53)), st.sampled_from(DIALECTS), st.text())
def test_a_seal_gives_back_what_was_sealed(item: dict[str, Any], dialect: Dialect, text: str) -> None:
    """The provider's item, to the letter, in a text that any field can hold."""
    reasoning = Reasoning(dialect, item, HERE.tag, text)
    sealed = seal(reasoning)
    assert sealed is not None
    assert set(sealed) <= set(string.ascii_letters + string.digits + "._-")
    assert unseal(sealed, text) == reasoning


@given(st.text(st.characters(codec="utf-8")), st.sampled_from(DIALECTS))
def test_an_id_of_a_call_is_made_to_fit_once_and_for_all(call_id: str, dialect: Dialect) -> None:
    """What fits stays; what does not is the same each time, and fits."""
    fitted = fit_call_id(call_id, dialect)
    assert 0 < len(fitted) <= LONGEST_ID[dialect]
    assert set(fitted) <= set(string.ascii_letters + string.digits + "_-")
    assert fit_call_id(fitted, dialect) == fitted == fit_call_id(call_id, dialect)


@pytest.mark.parametrize("call_id", ["toolu_01A", "call_1", "functions.find:0", "x" * 90, "ü"])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_call_and_its_result_have_the_same_id_wherever_they_are_sent(dialect: Dialect, call_id: str) -> None:
    """Also where the id has to be made anew."""
    use, result = ToolUse(call_id, "find", "{}"), ToolResult(call_id, (Text("Bern"),))
    user = Turn("user", (Text("Hi"),))
    request = ConversationRequest("m", (user, Turn("assistant", (use,)), Turn("tool", (result,))), max_output_tokens=9)
    codec = CODECS[dialect]
    found = codec.decode_request(codec.encode_request(request, to=HERE).body)
    blocks = [block for turn in found.turns for block in turn.blocks]
    assert [block.id for block in blocks if isinstance(block, ToolUse | ToolResult)] == [fit_call_id(call_id, dialect)] * 2


def test_an_id_in_the_form_of_another_provider_is_made_anew_and_always_the_same() -> None:
    """It is nobody's but that provider's; one that fits stays."""
    for own, other, dialects in (("call_1", "toolu_1", DIALECTS[:2]), ("toolu_1", "call_1", DIALECTS[2:])):
        for dialect in dialects:
            assert fit_call_id(own, dialect) == own
            made = fit_call_id(other, dialect)
            assert made.startswith(own[:-1])
            assert made == fit_call_id(other, dialect)
            assert made != fit_call_id(f"{other}2", dialect)


@pytest.mark.parametrize("client", DIALECTS)
def test_a_conversation_moves_to_another_provider_and_back(client: Dialect) -> None:
    """Incumbent, candidate, incumbent: each sees its own reasoning, all see the calls and their results."""
    first, second = thought(HERE, "anthropic_messages", "Of mine."), thought(ELSEWHERE, "openai_responses", "Of yours.")
    turns = (
        Turn("user", (Text("Hi"),)),
        Turn("assistant", (first, ToolUse("toolu_1", "find", "{}"))),
        Turn("tool", (ToolResult("toolu_1", (Text("Bern"),)),)),
        Turn("assistant", (second, ToolUse("call_2", "find", "{}"))),
        Turn("tool", (ToolResult("call_2", (Text("Thun"),)),)),
    )
    request = ConversationRequest("m", turns, max_output_tokens=9)
    mine = orjson.dumps(CODECS["anthropic_messages"].encode_request(request, to=HERE).body)
    yours = orjson.dumps(CODECS["openai_responses"].encode_request(request, to=ELSEWHERE).body)
    assert (b"signed" in mine, b"hidden" in mine) == (True, False)
    assert (b"signed" in yours, b"hidden" in yours) == (False, True)
    for data in (mine, yours, orjson.dumps(CODECS[client].encode_request(request, to=HERE).body)):
        assert b"Bern" in data
        assert b"Thun" in data
