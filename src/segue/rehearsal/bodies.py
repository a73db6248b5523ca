"""What a rehearsed answer looks like on the wire, where a drift report is to read it: as OpenAI's Chat Completions say it.

Ordinary traffic of a rehearsal keeps digests: nobody reads it.
"""

from __future__ import annotations

from typing import Any

import orjson

from segue.exchanges.record import BodyNote, keep_body
from segue.model import Reply

DIALECT = "openai"


def body_of(reply: Reply) -> tuple[BodyNote, bytes]:
    """The body, and the note of one that is kept whole."""
    message: dict[str, Any] = {"role": "assistant", "content": reply.text, "refusal": reply.refusal}
    if reply.tool_calls:
        message["tool_calls"] = [
            {
                "id": call.id or f"call_{place}",
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for place, call in enumerate(reply.tool_calls)
        ]
    choice = {"index": 0, "message": message, "finish_reason": _FINISH.get(reply.finish_reason or "stop", "stop")}
    body = orjson.dumps({"object": "chat.completion", "choices": [choice]}, default=str)
    return keep_body(body, "full")


_FINISH = {"length": "length", "tool_calls": "tool_calls", "content_filter": "content_filter"}
