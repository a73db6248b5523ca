"""An answer as it passed, read: what it says and what it took. Pure."""

from __future__ import annotations

from segue.gateway.quick_answer import read_text_answer
from segue.gateway.quick_stream import read_text_stream
from segue.providers.dialects import DIALECTS
from segue.wire.base import Decoded


def decode_answer(dialect: str, body: bytes) -> Decoded:
    """Whole or streamed, by the dialect that a provider's entry names."""
    if body.startswith(b"{") or body.lstrip()[:1] == b"{":
        quick = read_text_answer(body) if dialect == "openai" else None
        return quick or DIALECTS[dialect].decode(body, withheld=())
    quick = read_text_stream(body) if dialect == "openai" else None
    if quick is not None:
        return quick
    stream = DIALECTS[dialect].stream(())
    stream.feed(body)
    return stream.finish()
