"""Writes the first inputs of the corpus: what providers say, and what clients ask. `python -m tests.gateway.edges.seeds`."""

from __future__ import annotations

from typing import Any

import orjson

from segue.wire.dialects import CODECS
from segue.wire.neutral.conversation import Dialect
from segue.wire.neutral.events import Answer, AnswerBlock, Tokens, unfold
from tests.gateway.edges.fuzz import CORPUS
from tests.wire.dialect_values import DIALECTS, ELSEWHERE, HEAD, HERE, thought
from tests.wire.test_dialect_upstreams import EVENTS, responses_stream

TOOL: dict[str, Any] = {"name": "find", "description": "Finds.", "parameters": {"type": "object", "properties": {}}}
IMAGE = "data:image/png;base64,aGk="
TOKENS = Tokens(9, 4, 2, 0, 0)
CALLS = (AnswerBlock("tool_call", '{"id":7}', "call_1", "find"), AnswerBlock("tool_call", "{}", "call_2", "stop"))
SAID = AnswerBlock("text", "Let me look. Grüße.")
REQUESTS: dict[Dialect, dict[str, dict[str, Any]]] = {
    "openai_chat": {
        "plain": {"model": "mail", "messages": [{"role": "user", "content": "Hi"}], "user": "ada"},
        "tools": {
            "model": "mail",
            "stream": True,
            "stream_options": {"include_usage": True},
            "temperature": 0.5,
            "tools": [{"type": "function", "function": {**TOOL, "strict": True}}],
            "tool_choice": {"type": "function", "function": {"name": "find"}},
            "messages": [
                {"role": "system", "content": "Be kind."},
                {
                    "role": "user",
                    "content": [{"type": "text", "text": "Look"}, {"type": "image_url", "image_url": {"url": IMAGE}}],
                },
                {
                    "role": "assistant",
                    "content": None,
                    "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "find", "arguments": '{"id":7}'}}],
                },
                {"role": "tool", "tool_call_id": "call_1", "content": "7 found"},
            ],
        },
    },
    "openai_responses": {
        "plain": {"model": "mail", "input": "Hi", "instructions": "Be kind.", "store": False},
        "tools": {
            "model": "mail",
            "stream": True,
            "tools": [{"type": "function", **TOOL, "strict": False}],
            "tool_choice": "required",
            "include": ["reasoning.encrypted_content"],
            "input": [
                {
                    "role": "user",
                    "content": [{"type": "input_text", "text": "Look"}, {"type": "input_image", "image_url": IMAGE}],
                },
                {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "segue1.0123456789abcdef.r~hidden"},
                {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "find", "arguments": '{"id":7}'},
                {"type": "function_call_output", "call_id": "call_1", "output": "7 found"},
            ],
        },
    },
    "anthropic_messages": {
        "plain": {
            "model": "mail",
            "max_tokens": 9,
            "messages": [{"role": "user", "content": "Hi"}],
            "metadata": {"user_id": "a"},
        },
        "tools": {
            "model": "mail",
            "max_tokens": 2000,
            "stream": True,
            "system": [{"type": "text", "text": "Be kind.", "cache_control": {"type": "ephemeral"}}],
            "tools": [{"name": "find", "description": "Finds.", "input_schema": {"type": "object"}}],
            "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "Look"},
                        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}},
                    ],
                },
                {
                    "role": "assistant",
                    "content": [
                        {"type": "thinking", "thinking": "Hm.", "signature": "segue1.0123456789abcdef.m~signed"},
                        {"type": "redacted_thinking", "data": "segue1.0123456789abcdef.m~hidden"},
                        {"type": "tool_use", "id": "toolu_1", "name": "find", "input": {"id": 7}},
                    ],
                },
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "7 found"}]},
            ],
        },
    },
}


def answers(dialect: Dialect) -> dict[str, Answer]:
    """What a provider of this dialect says."""
    own, theirs = thought(HERE, dialect), thought(ELSEWHERE, "anthropic_messages")
    return {
        "text": Answer((SAID,), "stop", TOKENS),
        "cut": Answer((AnswerBlock("text", "As I was"),), "length", TOKENS),
        "tools": Answer((SAID, *CALLS), "tool_calls", TOKENS),
        "refusal": Answer((AnswerBlock("refusal", "No."),), "refusal", TOKENS),
        "thinking": Answer((AnswerBlock("reasoning", own.text, reasoning=theirs), *CALLS), "tool_calls", TOKENS),
    }


def main() -> None:
    """Write them all."""
    CORPUS.mkdir(exist_ok=True)
    for dialect in DIALECTS:
        short = dialect.split("_")[1]
        for name, answer in answers(dialect).items():
            stream = CODECS[dialect].answer_stream(HEAD)
            (CORPUS / f"stream-{short}-{name}").write_bytes(b"".join(stream.encode(event) for event in unfold(answer)))
            (CORPUS / f"answer-{short}-{name}").write_bytes(orjson.dumps(CODECS[dialect].encode_answer(answer, HEAD)))
        for name, body in REQUESTS[dialect].items():
            (CORPUS / f"request-{short}-{name}").write_bytes(orjson.dumps(body))
    (CORPUS / "stream-responses-documented").write_bytes(responses_stream(EVENTS))
    (CORPUS / "sse-line-ends-of-two-bytes").write_bytes(b"event: e\r\ndata: a\r\ndata: b\r\n\r\ndata: c\r\ndata: d\r\n\r\n")
    (CORPUS / "sse-odd").write_bytes(b"\xef\xbb\xbf: c\r\nevent: e\rdata:  a\ndata\r\n\r\ndata: b\n\rid: 7\n\n\ndata: c")


if __name__ == "__main__":
    main()
