"""A Chat Completions answer of plain text, read into its few fields by one typed decoder: what nearly every answer is.

Whatever is out of the ordinary (tool calls, refusals, errors, wrong types) is `None`: for the dialect's own decoder. That gives
the same for all the rest, but that it stops at a number beyond any double also where nobody reads it. Streams:
`quick_stream.py`. Pure.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from segue.model import Reply, Usage
from segue.wire.base import Decoded
from segue.wire.openai_chat.decode import finish_reason

_Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]


class _Details(msgspec.Struct, gc=False):
    reasoning_tokens: _Count | None = None
    cached_tokens: _Count | None = None
    cache_write_tokens: _Count | None = None


class _Usage(msgspec.Struct, gc=False):
    prompt_tokens: _Count | None = None
    completion_tokens: _Count | None = None
    prompt_tokens_details: _Details | None = None
    completion_tokens_details: _Details | None = None


class _Message(msgspec.Struct, gc=False):
    content: str | None = None
    refusal: Any = None
    tool_calls: Any = None


class _Choice(msgspec.Struct, gc=False):
    message: _Message
    finish_reason: str | None = None
    logprobs: Any = None


class _Answer(msgspec.Struct, gc=False):
    choices: list[_Choice]
    model: str | None = None
    usage: _Usage | None = None
    error: Any = None


_decode = msgspec.json.Decoder(_Answer).decode
_NO_DETAILS = _Details()


def read_text_answer(body: bytes) -> Decoded | None:
    """The reply, if it is one of text alone."""
    if b"\\ud" in body or b"\\uD" in body:  # may be half a character, which a field that is passed over would hide
        return None
    try:
        if not body.isascii():
            body.decode()
        answer = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if answer.error is not None or not answer.choices:
        return None
    choice = answer.choices[0]
    message = choice.message
    if message.tool_calls not in (None, []) or message.refusal is not None or choice.logprobs is not None:
        return None
    reply = Reply(text=message.content or "", finish_reason=finish_reason(choice.finish_reason, None))
    usage = answer.usage
    if usage is None:
        return Decoded(reply, None, Usage(), None, answer.model)
    prompt, completion = usage.prompt_tokens_details or _NO_DETAILS, usage.completion_tokens_details or _NO_DETAILS
    tokens = Usage(usage.prompt_tokens, usage.completion_tokens, completion.reasoning_tokens, prompt.cached_tokens)
    return Decoded(reply, None, tokens, prompt.cache_write_tokens, answer.model)
