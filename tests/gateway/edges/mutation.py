"""Random changes to JSON and to server-sent events: some to the bytes, most to what they say."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import orjson

TOKENS = [
    *(b"\n", b"\r", b"\r\n", b"\n\n", b"\r\r", b": ", b":", b" ", b"\0", b"\xff", b"\xef\xbb\xbf", b"\xc3", b"\xed\xa0\x80"),
    *(b"data:", b"data: ", b"event: ", b"event:ping", b"id: 1\n", b"retry: 9\n", b": ping\n\n", b"data: [DONE]\n\n", b"[DONE]"),
    *(b"{", b"}", b"[", b"]", b",", b'"', b"\\", b"\\u0000", b"\\ud800", b"null", b"true", b"1e999", b"-0", b"9" * 25),
    *(b'"finish_reason": "stop"', b'"type":"message_stop"', b'"type":"error"', b'{"error":{"message":"x"}}', b"[" * 300),
]
WORDS = [
    *("", "x", "auto", "none", "required", "any", "tool", "function", "custom", "user", "assistant", "system", "developer"),
    *("text", "image_url", "tool_use", "tool_result", "thinking", "redacted_thinking", "signature_delta", "thinking_delta"),
    *("input_text", "output_text", "reasoning", "function_call", "function_call_output", "message", "refusal", "error"),
    *(
        "stop",
        "length",
        "tool_calls",
        "content_filter",
        "end_turn",
        "max_tokens",
        "refusal",
        "pause_turn",
        "response.completed",
    ),
    *("message_start", "message_delta", "message_stop", "content_block_start", "content_block_delta", "content_block_stop"),
    *("segue1.0123456789abcdef.m.e30", "segue1.0123456789abcdef.r~x", "{}", '{"a":1}', "{", "data: [DONE]", "\u2028", "\ud7ff"),
]
KEYS = [
    *(
        "type",
        "role",
        "content",
        "index",
        "delta",
        "text",
        "id",
        "name",
        "input",
        "arguments",
        "function",
        "tool_calls",
        "usage",
    ),
    *("choices", "message", "messages", "output", "item", "output_index", "response", "status", "error", "model", "stream"),
    *(
        "signature",
        "data",
        "encrypted_content",
        "reasoning_details",
        "summary",
        "thinking",
        "tools",
        "tool_choice",
        "stop_reason",
    ),
    *("finish_reason", "logprobs", "refusal", "stop_details", "incomplete_details", "metadata", "segue", "variables", "system"),
]


def mutate_bytes(data: bytes, others: Sequence[bytes], rng: random.Random) -> bytes:
    """A few changes to the bytes."""
    for _ in range(rng.randint(1, 3)):
        at, kind, size = rng.randint(0, len(data)), rng.randrange(6), rng.randint(1, 12)
        if kind == 0:
            data = data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :]
        elif kind == 1:
            data = data[:at] + rng.choice(TOKENS) + data[at:]
        elif kind == 2:
            data = data[:at] + data[at + size :]
        elif kind == 3:
            data = data[:at] + data[at : at + size] + data[at:]
        elif kind == 4:
            other = rng.choice(others)
            data = data[:at] + other[rng.randint(0, len(other)) :]
        else:
            data = data[:at] + rng.choice(TOKENS) + data[at + size :]
    return data[:8000]


def some_value(rng: random.Random, near: Any = None) -> Any:
    """Any JSON value, small."""
    kind = rng.randrange(12)
    if kind < 4:
        return rng.choice(WORDS)
    if kind == 4:
        return rng.choice((0, 1, -1, 2**31, 2**53, 2**63 - 1, 10**6, 0.5, -2.5, 1e300))
    if kind < 8:
        return (None, True, False)[kind - 5]
    if kind == 8:
        return {rng.choice(KEYS): rng.choice(WORDS)}
    if kind == 9:
        return {"type": rng.choice(WORDS), rng.choice(KEYS): [rng.choice(WORDS)]}
    if kind == 10:
        return [] if rng.random() < 0.5 else [near, near]
    return {} if rng.random() < 0.5 else {rng.choice(KEYS): near}


def mutate_tree(value: Any, rng: random.Random) -> Any:
    """One change somewhere within a JSON value, which is changed in place as far as it can be."""
    held: Any = None
    at: Any = None
    node = value
    while isinstance(node, dict | list) and node and rng.random() < 0.85:
        held, at = node, rng.choice(list(node)) if isinstance(node, dict) else rng.randrange(len(node))
        node = held[at]
    if held is None:
        return some_value(rng, value) if rng.random() < 0.1 else _grown(value, rng)
    kind = rng.randrange(5)
    if kind == 0:
        del held[at]
    elif kind == 1 and isinstance(held, dict):
        held[rng.choice(KEYS)] = held.pop(at)
    elif kind == 1:
        held.insert(rng.randint(0, len(held)), held[at])
    elif kind == 2 and isinstance(node, str):
        held[at] = node[: rng.randint(0, len(node))] + rng.choice(WORDS)
    elif kind == 3:
        held[at] = _grown(node, rng)
    else:
        held[at] = some_value(rng, node)
    return value


def _grown(node: Any, rng: random.Random) -> Any:
    if isinstance(node, dict):
        node[rng.choice(KEYS)] = some_value(rng, None)
    elif isinstance(node, list):
        node.insert(rng.randint(0, len(node)), some_value(rng, None))
    else:
        return some_value(rng, node)
    return node


def mutate_json(data: bytes, others: Sequence[bytes], rng: random.Random) -> bytes:
    """Changes to what a JSON text says, or, sometimes, to its bytes."""
    if rng.random() < 0.2:
        return mutate_bytes(data, others, rng)
    try:
        value = orjson.loads(data)
        for _ in range(rng.randint(1, 4)):
            value = mutate_tree(value, rng)
        return orjson.dumps(value)[:8000]
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        return mutate_bytes(data, others, rng)


def mutate_stream(data: bytes, others: Sequence[bytes], rng: random.Random) -> bytes:
    """Changes to the events of a stream: their order, their JSON, or the bytes."""
    if rng.random() < 0.25:
        return mutate_bytes(data, others, rng)
    frames = data.split(b"\n\n")
    for _ in range(rng.randint(1, 3)):
        at, kind = rng.randrange(len(frames)), rng.randrange(6)
        if kind == 0 and len(frames) > 1:
            del frames[at]
        elif kind == 1:
            frames.insert(rng.randint(0, len(frames)), frames[at])
        elif kind == 2:
            frames = frames[: at + 1]
        elif kind == 3:
            theirs = rng.choice(others).split(b"\n\n")
            frames.insert(at, rng.choice(theirs))
        else:
            head, mark, said = frames[at].partition(b"data: ")
            frames[at] = head + mark + mutate_json(said, others, rng)
    return b"\n\n".join(frames)[:12000]


def pieces(data: bytes, rng: random.Random) -> list[bytes]:
    """Cut at random places, or byte by byte now and then."""
    if len(data) < 400 and rng.random() < 0.02:
        return [data[at : at + 1] for at in range(len(data))]
    cuts = sorted({0, len(data), *(rng.randint(0, len(data)) for _ in range(rng.randint(0, 5)))})
    return [data[one:two] for one, two in pairwise(cuts)]
