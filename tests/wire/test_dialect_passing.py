"""Within one dialect nothing changes but the marks on reasoning: they say where it goes, and are gone when it gets there."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import orjson
import pytest
from hypothesis import given
from tests.wire.dialect_values import ELSEWHERE, HERE, thought
from tests.wire.test_fuzz import JSON

from segue.wire.dialects import CODECS
from segue.wire.neutral.conversation import Dialect, Reasoning
from segue.wire.passing import mark_answer, may_hold_reasoning, settle_turns

DIALECTS: tuple[Dialect, ...] = ("openai_responses", "anthropic_messages")
ALL: tuple[Dialect, ...] = ("openai_chat", *DIALECTS)
SEALED_CHAT = {
    "role": "assistant",
    "content": None,
    "reasoning_content": "Let me see.",
    "reasoning_details": [
        {"type": "reasoning.encrypted", "data": "hidden", "index": 0},
        {"type": "reasoning.text", "text": "Let me see.", "signature": "signed"},
        {"type": "reasoning.summary", "summary": "Looked."},
    ],
    "tool_calls": [
        {
            "id": "call_1",
            "type": "function",
            "function": {"name": "f", "arguments": '{"thought_signature": "no seal"}'},
            "extra_content": {"google": {"thought_signature": "sealed"}, "x": 1},
        }
    ],
}
CALL = {"type": "tool_use", "id": "toolu_1", "name": "find", "input": {"type": "thinking", "signature": "no reasoning"}}
REDACTED = {"type": "redacted_thinking", "data": "hidden"}


def an_answer(dialect: Dialect) -> dict[str, Any]:
    """A provider's whole answer with reasoning in it."""
    item = thought(HERE, dialect).item
    if dialect == "openai_responses":
        return {
            "object": "response",
            "output": [item, {"type": "function_call", "call_id": "1", "arguments": "{}", "name": "f"}],
        }
    return {"type": "message", "role": "assistant", "content": [item, deepcopy(REDACTED), CALL]}


def said_again(dialect: Dialect, answer: dict[str, Any]) -> list[Any]:
    """The turns of the next request of a client that was given this."""
    if dialect == "openai_responses":
        return [{"role": "user", "content": "Hi"}, *answer["output"]]
    return [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": answer["content"]}]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_marked_reasoning_goes_back_to_its_origin_to_the_letter(dialect: Dialect) -> None:
    """And is taken out for any other."""
    answer = an_answer(dialect)
    marked = mark_answer(dialect, deepcopy(answer), HERE)
    assert marked != answer
    assert settle_turns(dialect, said_again(dialect, marked), HERE) == said_again(dialect, answer)
    other = orjson.dumps(settle_turns(dialect, said_again(dialect, marked), ELSEWHERE))
    for word in (b"Let me see.", b"signed", b"hidden", b"segue1.", b"fc_1"):
        assert word not in other
    assert b"toolu_1" in other or b"call_id" in other


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_marked_item_is_known_where_the_conversation_is_translated(dialect: Dialect) -> None:
    """It began within the dialect, and moves on to another one and back."""
    marked = mark_answer(dialect, an_answer(dialect), HERE)
    turns = said_again(dialect, marked)
    if dialect == "anthropic_messages":
        turns[1]["content"].pop()
        turns.append(turns[0])
    body = {"model": "m", "max_tokens": 9, "messages": turns}
    if dialect == "openai_responses":
        body = {"model": "m", "max_output_tokens": 9, "input": turns}
    request = CODECS[dialect].decode_request(body)
    kept = [block for turn in request.turns for block in turn.blocks if isinstance(block, Reasoning)]
    assert kept[0].item == thought(HERE, dialect).item
    assert kept[0].origin == HERE.tag


@pytest.mark.parametrize(
    ("dialect", "frame", "value"),
    [
        ("anthropic_messages", {"type": "content_block_delta", "delta": {"type": "signature_delta", "signature": "s"}}, "s"),
        ("anthropic_messages", {"type": "content_block_start", "content_block": REDACTED}, "hidden"),
        ("openai_responses", {"type": "response.output_item.done", "item": thought(HERE, "openai_responses").item}, "hidden"),
        (
            "openai_responses",
            {"type": "response.completed", "response": {"output": [thought(HERE, "openai_responses").item]}},
            "hidden",
        ),
    ],
    ids=["signature", "redacted", "item", "completed"],
)
def test_each_frame_that_holds_an_opaque_value_is_marked(dialect: Dialect, frame: dict[str, Any], value: str) -> None:
    """A look at the bytes tells which frames they are."""
    data = orjson.dumps(frame)
    assert may_hold_reasoning(dialect, data)
    marked = orjson.dumps(mark_answer(dialect, deepcopy(frame), HERE))
    assert marked.replace(f"segue1.{HERE.tag}.{'m' if dialect == 'anthropic_messages' else 'r'}~".encode(), b"") == data
    assert marked != data


def test_a_frame_without_an_opaque_value_need_not_be_read() -> None:
    """Nearly all of them."""
    frame = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi"}}
    assert not may_hold_reasoning("anthropic_messages", orjson.dumps(frame))
    assert not may_hold_reasoning("openai_chat", b'{"signature": 1, "encrypted_content": 2}')


@pytest.mark.parametrize("where", ["message", "delta"])
def test_what_servers_of_chat_seal_goes_back_to_them_alone(where: str) -> None:
    """Encrypted and signed reasoning, and the signature that a call was made with; what is plain stays."""
    answer = {"choices": [{"index": 0, where: SEALED_CHAT}]}
    assert may_hold_reasoning("openai_chat", orjson.dumps(answer))
    marked = mark_answer("openai_chat", deepcopy(answer), HERE)
    shown = marked["choices"][0][where]
    turns = [{"role": "user", "content": "Hi"}, shown, {"role": "tool", "tool_call_id": "call_1", "content": "3"}]
    assert orjson.dumps(marked).count(b"segue1.") == 3
    assert settle_turns("openai_chat", turns, HERE) == [turns[0], SEALED_CHAT, turns[2]]
    (_, other, _) = settle_turns("openai_chat", turns, ELSEWHERE)
    assert other["reasoning_details"] == [{"type": "reasoning.summary", "summary": "Looked."}]
    assert other["tool_calls"][0]["extra_content"] == {"x": 1}
    assert other["tool_calls"][0]["function"] == SEALED_CHAT["tool_calls"][0]["function"]
    assert other["reasoning_content"] == "Let me see."
    assert settle_turns("openai_chat", [SEALED_CHAT], HERE) == [other], "of what bears no mark nobody knows whose it is"


def test_a_message_of_chat_without_a_seal_is_untouched() -> None:
    """Fields that have the names, and hold something else."""
    for turn in (
        {"role": "assistant", "reasoning_details": "x", "extra_content": 3, "tool_calls": 4},
        {"role": "assistant", "reasoning_details": [1, {"data": 2, "signature": ""}], "tool_calls": [5, {"extra_content": {}}]},
        {"role": "assistant", "extra_content": {"google": {"thought_signature": 6}}},
    ):
        assert settle_turns("openai_chat", [turn], HERE) == [turn]


def test_a_turn_of_foreign_reasoning_alone_is_taken_out() -> None:
    """No provider takes an empty turn."""
    turns = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": [thought(HERE, "anthropic_messages").item]}]
    assert settle_turns("anthropic_messages", turns, HERE) == turns[:1]
    assert settle_turns("anthropic_messages", turns, HERE, assumed=HERE.tag) == turns


def test_an_answer_nested_as_deep_as_json_goes_is_marked() -> None:
    """An upstream may send anything."""
    value: dict[str, Any] = {}
    for _ in range(2000):
        value = {"message": value}
    assert mark_answer("anthropic_messages", value, HERE) is value


@given(JSON)
def test_anything_may_be_marked_and_settled(value: Any) -> None:
    """A body that is none of the dialect is the provider's to refuse."""
    for dialect in ALL:
        mark_answer(dialect, deepcopy(value), HERE)
        mark_answer(dialect, {"choices": [{"message": deepcopy(value)}]}, HERE)
        settle_turns(dialect, value, HERE)
        settle_turns(dialect, [value], HERE)
