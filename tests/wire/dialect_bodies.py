"""Requests that hold every kind of object a dialect has and a translation carries."""

from __future__ import annotations

from typing import Any

from segue.wire.neutral.conversation import Dialect

_IMAGE = "data:image/png;base64,aGk="
_SCHEMA = {"type": "object", "properties": {}}
_GRAMMAR = {"definition": "start: 'a'", "syntax": "lark"}
_CUSTOM = {"name": "free", "description": "Text in."}


def everything(dialect: Dialect) -> list[dict[str, Any]]:
    """Several requests, for some kinds shut out others."""
    return {"openai_chat": _chat, "openai_responses": _responses, "anthropic_messages": _messages}[dialect]()


def _chat() -> list[dict[str, Any]]:
    calls = [
        {"id": "call_1", "type": "function", "function": {"name": "find", "arguments": "{}"}},
        {"id": "call_2", "type": "custom", "custom": {"name": "free", "input": "x"}},
    ]
    messages: list[Any] = [
        {"role": "system", "content": "Be kind."},
        {"role": "developer", "content": "Be brief."},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Look"},
                {"type": "image_url", "image_url": {"url": _IMAGE}},
                {"type": "file", "file": {"file_data": "aGk=", "filename": "a.pdf"}},
            ],
        },
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]},
        {"role": "assistant", "content": None, "tool_calls": calls},
        *({"role": "tool", "tool_call_id": call["id"], "content": "7"} for call in calls),
    ]
    tools: list[Any] = [
        {"type": "function", "function": {"name": "find", "parameters": _SCHEMA}},
        {"type": "custom", "custom": {**_CUSTOM, "format": {"type": "grammar", "grammar": _GRAMMAR}}},
        {"type": "custom", "custom": {**_CUSTOM, "format": {"type": "text"}}},
    ]
    named = [{"type": "function", "function": {"name": "find"}}]
    choices: list[Any] = [
        named[0],
        {"type": "custom", "custom": {"name": "free"}},
        {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": named}},
    ]
    schema = {"type": "json_schema", "json_schema": {"name": "output", "schema": _SCHEMA}}
    formats: list[Any] = [schema, {"type": "json_object"}, {"type": "text"}]
    more = {"stream": True, "stream_options": {"include_usage": True}}
    return [
        {"model": "m", "messages": messages, "tools": tools, "tool_choice": choice, "response_format": wanted, **more}
        for choice, wanted in zip(choices, formats, strict=True)
    ]


def _responses() -> list[dict[str, Any]]:
    items: list[Any] = [
        {
            "type": "message",
            "role": "user",
            "content": [
                {"type": "input_text", "text": "Look"},
                {"type": "input_image", "image_url": _IMAGE},
                {"type": "input_file", "file_data": "aGk=", "filename": "a.pdf"},
            ],
        },
        {
            "type": "message",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "Well."}, {"type": "refusal", "refusal": "No."}],
        },
        {
            "type": "reasoning",
            "id": "rs_1",
            "summary": [{"type": "summary_text", "text": "Hm."}],
            "content": [{"type": "reasoning_text", "text": "Hm."}],
            "encrypted_content": "hidden",
        },
        {"type": "function_call", "call_id": "call_1", "name": "find", "arguments": "{}"},
        {"type": "custom_tool_call", "call_id": "call_2", "name": "free", "input": "x"},
        {"type": "function_call_output", "call_id": "call_1", "output": "7"},
        {"type": "custom_tool_call_output", "call_id": "call_2", "output": "8"},
    ]
    tools: list[Any] = [
        {"type": "function", "name": "find", "parameters": _SCHEMA, "strict": False},
        {"type": "custom", **_CUSTOM, "format": {"type": "grammar", **_GRAMMAR}},
        {"type": "custom", **_CUSTOM, "format": {"type": "text"}},
    ]
    named = [{"type": "function", "name": "find"}]
    choices: list[Any] = [
        named[0],
        {"type": "custom", "name": "free"},
        {"type": "allowed_tools", "mode": "auto", "tools": named},
    ]
    formats: list[Any] = [
        {"type": "json_schema", "name": "output", "schema": _SCHEMA},
        {"type": "json_object"},
        {"type": "text"},
    ]
    return [
        {
            "model": "m",
            "input": items,
            "tools": tools,
            "tool_choice": choice,
            "text": {"format": wanted},
            "reasoning": {"effort": "low"},
        }
        for choice, wanted in zip(choices, formats, strict=True)
    ]


def _messages() -> list[dict[str, Any]]:
    sources: list[Any] = [
        {"type": "base64", "media_type": "image/png", "data": "aGk="},
        {"type": "url", "url": "https://example.test/cat.png"},
        {"type": "file", "file_id": "file_1"},
    ]
    text = {"type": "text", "media_type": "text/plain", "data": "Hi"}
    messages: list[Any] = [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Look"},
                *({"type": "image", "source": source} for source in sources),
                {"type": "document", "source": text},
            ],
        },
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "Hm.", "signature": "signed"},
                {"type": "redacted_thinking", "data": "hidden"},
                {"type": "tool_use", "id": "toolu_1", "name": "find", "input": {}},
            ],
        },
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "7"}]},
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "And?"},
    ]
    choices: list[Any] = [{"type": "auto"}, {"type": "any"}, {"type": "tool", "name": "find"}, {"type": "none"}]
    thinking: list[Any] = [
        {"type": "enabled", "budget_tokens": 2000},
        {"type": "disabled"},
        {"type": "adaptive"},
        {"type": "between_tools"},
    ]
    return [
        {
            "model": "m",
            "max_tokens": 9,
            "system": "Be kind.",
            "messages": messages,
            "metadata": {"user_id": "ada"},
            "output_config": {"format": {"type": "json_schema", "schema": _SCHEMA}},
            "tools": [{"type": "custom", "name": "find", "input_schema": _SCHEMA}],
            "tool_choice": choice,
            "thinking": thought,
        }
        for choice, thought in zip(choices, thinking, strict=True)
    ]
