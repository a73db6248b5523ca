"""A request and an answer that stay in their dialect, and the reasoning in them, which belongs to whoever made it.

Nothing is translated. What a provider sealed is marked on its way to the client with where it came from; on its way back it
goes to just there as it was, and is taken out for any other bundle. All else passes as the bytes it is. See `wire.passing`.
"""

from __future__ import annotations

import msgspec

from segue.gateway.applied import CODEC_OF, TURNS, AppliedBundle, Fields, plain_turns
from segue.gateway.unasked import Unasked, usage_wanted
from segue.wire.anthropic_messages.request_out import lacks_own_thinking
from segue.wire.neutral.conversation import Dialect
from segue.wire.neutral.origin import Origin
from segue.wire.passing import mark_answer, may_hold_reasoning, settle_turns

Raw = msgspec.Raw
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode
_THINKS_NOT = Raw(b'{"type":"disabled"}')


class Marking(msgspec.Struct, frozen=True, eq=False, gc=False):
    """What an answer of this dialect needs on its way to a client that speaks it, too: marks, and nothing `unasked`."""

    dialect: Dialect
    origin: Origin
    unasked: Unasked | None = None

    def mark_body(self, body: bytes) -> bytes:
        """A whole answer. What is no JSON stays as it is."""
        return self._mark(body) if may_hold_reasoning(self.dialect, body) else body

    def leaves(self, lines: bytes) -> bool:
        """Whether these lines stay as they are."""
        return not may_hold_reasoning(self.dialect, lines) and (self.unasked is None or self.unasked.leaves(lines))

    def mark_lines(self, lines: bytes) -> bytes:
        """Whole lines of a stream."""
        if may_hold_reasoning(self.dialect, lines):
            lines = b"".join(self._line(line) for line in lines.splitlines(keepends=True))
        return lines if self.unasked is None else self.unasked.mark_lines(lines)

    def _line(self, line: bytes) -> bytes:
        if not line.startswith(b"data:") or not may_hold_reasoning(self.dialect, line):
            return line
        said = line.rstrip(b"\r\n")
        return b"data: " + self._mark(said[5:].strip()) + line[len(said) :]

    def _mark(self, data: bytes) -> bytes:
        try:
            said = _decode(data)
            plain = _encode(said)
            marked = _encode(mark_answer(self.dialect, said, self.origin))
            # Where only a text has such a word there is nothing to mark, and the bytes stay the provider's.
            return data if marked == plain else marked
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return data


def prepare_own(applied: AppliedBundle, fields: Fields, body: bytes, origin: Origin) -> tuple[bytes, Marking]:
    """The body for a bundle of the client's own dialect, and what its answer needs. Raises `InputError`, as `apply` does."""
    codec = CODEC_OF[applied.dialect]
    plain = applied.dress_plainly(fields, plain_turns(fields)) if codec == "openai_chat" else None
    if plain is not None:
        return plain, Marking(codec, origin)
    kept = applied.allow(fields, codec)
    changed: dict[str, Raw] = {}
    if may_hold_reasoning(codec, body):
        name = TURNS[codec]
        turns = _decode(kept.get(name, b"null"))
        settled = settle_turns(codec, turns, origin)
        if settled != turns:
            kept = {**kept, name: Raw(_encode(settled))}
    if codec == "anthropic_messages" and b"tool_use" in body and applied.has_thinking_budget(kept):
        turns = _decode(kept.get("messages", b"null"))
        if isinstance(turns, list) and lacks_own_thinking(turns):
            changed["thinking"] = _THINKS_NOT
    if applied.asks_usage and (wanted := usage_wanted(kept)) is not None:
        changed["stream_options"] = wanted
        return applied.dress(kept, changed), Marking(codec, origin, Unasked())
    return applied.dress(kept, changed), Marking(codec, origin)
