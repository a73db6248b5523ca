"""A streamed Chat Completions answer of plain text, read at once: what nearly every stream is.

The answer is there as a whole, so nothing is put together piece by piece, and of each piece only the few fields are read that
a text has. Whatever is out of the ordinary (tool calls, refusals, errors, odd lines) is `None`: for the dialect's own decoder,
which gives the same for all the rest, but that it stops at a number beyond any double also where nobody reads it. Pure.
"""

from __future__ import annotations

from typing import Any

import msgspec

from segue.model import Reply
from segue.wire.base import Decoded
from segue.wire.openai_chat.decode import finish_reason, read_usage
from segue.wire.reading import BadReplyError

_DATA = b"data: "


class _Delta(msgspec.Struct, gc=False):
    content: str | None = None
    refusal: str | None = None
    tool_calls: Any = None


class _Choice(msgspec.Struct, gc=False):
    index: int | None = None
    delta: _Delta | None = None
    finish_reason: str | None = None
    logprobs: Any = None


class _Chunk(msgspec.Struct, gc=False):
    choices: list[_Choice] | None = None
    model: str | None = None
    usage: Any = None
    error: Any = None


_decode = msgspec.json.Decoder(_Chunk).decode


def read_text_stream(body: bytes) -> Decoded | None:
    """The reply, if it is a whole one of text alone."""
    if b"\\ud" in body or b"\\uD" in body:  # may be half a character, which a field that is passed over would hide
        return None
    texts: list[str] = []
    finish = model = None
    usage: Any = None
    is_done = has_begun = False
    try:
        if not body.isascii():
            body.decode()
        for event in body.split(b"\n\n"):
            if not event:
                continue
            if not event.startswith(_DATA) or b"\n" in event or b"\r" in event:
                return None
            if event.endswith(b"[DONE]"):
                is_done = event[len(_DATA) :].strip() == b"[DONE]"
                if is_done:
                    break
            chunk = _decode(event[len(_DATA) :])
            if chunk.error is not None:
                return None
            model, usage = chunk.model or model, chunk.usage if chunk.usage is not None else usage
            for choice in chunk.choices or ():
                if choice.index:
                    continue
                if choice.logprobs is not None:
                    return None
                has_begun, delta = True, choice.delta
                if delta is not None:
                    if delta.tool_calls is not None or delta.refusal:
                        return None
                    if delta.content:
                        texts.append(delta.content)
                finish = choice.finish_reason or finish
        if finish is None and not (is_done and has_begun):
            return None
        tokens, written = read_usage(usage)
        return Decoded(Reply(text="".join(texts), finish_reason=finish_reason(finish, None)), None, tokens, written, model)
    except (msgspec.DecodeError, UnicodeDecodeError, BadReplyError):
        return None
