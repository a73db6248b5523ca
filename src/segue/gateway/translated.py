"""A request whose client and bundle speak different dialects, and its answer on the way back.

It goes through the neutral conversation; what that or the bundle's dialect has no place for is refused by name, never left out
in silence (`docs/dialects.md`). A provider's opaque reasoning goes back to where it was made, and nowhere else. A request that
stays in its dialect does not come here (`marked`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import msgspec

from segue.gateway.applied import CODEC_OF, OWN_FIELD, AppliedBundle, Fields
from segue.gateway.edge import Edge
from segue.model import Failure
from segue.wire.anthropic_messages.request_out import lacks_own_thinking
from segue.wire.dialects import CODECS, AnswerStream, answer_bytes
from segue.wire.neutral.client_error import ClientError
from segue.wire.neutral.conversation import Dialect
from segue.wire.neutral.events import AnswerDecoder, Ended, Failed, fold, is_meaningful
from segue.wire.neutral.head import Head
from segue.wire.neutral.origin import Origin
from segue.wire.profiles import WireProfile

Raw = msgspec.Raw
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


@dataclass(frozen=True, slots=True)
class Translation:
    """One request between two dialects: what its answer needs to become the client's."""

    body: bytes
    client: Dialect
    target: Dialect
    origin: Origin
    head: Head


def translate_request(
    edge: Edge, applied: AppliedBundle, fields: Fields, origin: Origin, profile: WireProfile, *, answer_id: str, created_s: int
) -> Translation:
    """The body for the bundle's dialect. Raises `InputError` with every field that has no place there."""
    target = CODEC_OF[applied.dialect]
    kept = applied.allow(fields, edge.codec)
    body = {name: _decode(value) for name, value in kept.items() if name != OWN_FIELD}
    asked = CODECS[edge.codec].decode_request(body)
    bundle = applied.bundle
    limit = bundle.parameters.max_output_tokens
    # Usage is always asked for: these frames are written anew, and the client gets to see it only if it asked, too.
    carried = replace(
        asked,
        model=bundle.model.snapshot,
        max_output_tokens=asked.max_output_tokens if limit is None else limit,
        include_usage=asked.stream,
    )
    wire = CODECS[target].encode_request(carried, to=origin, profile=profile)
    raw = {name: Raw(_encode(value)) for name, value in wire.body.items()}
    own = {OWN_FIELD: fields[OWN_FIELD]} if OWN_FIELD in fields else {}
    changed = {}
    if target == "anthropic_messages" and applied.has_thinking_budget(raw) and lacks_own_thinking(wire.body["messages"]):
        changed["thinking"] = Raw(b'{"type":"disabled"}')
    head = Head(answer_id, created_s, bundle.workflow, asked.include_usage, asked)
    return Translation(applied.dress({**raw, **own}, changed), edge.codec, target, origin, head)


def translate_answer(translation: Translation, body: bytes) -> bytes | Failure:
    """A whole answer as the client's dialect has it; the failure where it is none."""
    answer = fold(CODECS[translation.target].decode_answer(body, origin=translation.origin))
    if answer.failure is not None:
        return answer.failure
    return answer_bytes(translation.client, answer, translation.head)


class TranslatedStream:
    """A stream, written anew. `begun` once a client that has these frames has something of the answer."""

    __slots__ = ("_decoder", "_last", "_stream", "begun", "ended", "failure")

    def __init__(self, translation: Translation) -> None:
        self._decoder: AnswerDecoder = CODECS[translation.target].answer_decoder(origin=translation.origin)
        self._stream: AnswerStream = CODECS[translation.client].answer_stream(translation.head)
        self._last: bytes | None = None
        self.begun = self.ended = False
        self.failure: Failure | None = None

    def passes(self, _chunk: bytes) -> bool:
        """Nothing passes as it is."""
        return False

    def feed(self, chunk: bytes, *, is_last: bool = False) -> bytes:
        """The frames that these bytes make; none after the end."""
        events = self._decoder.feed(chunk) if chunk else []
        if is_last:
            events = [*events, *self._decoder.finish()]
        frames = []
        for event in events:
            if isinstance(event, Failed):
                self.failure = event.failure
                break
            told = self._stream.encode(event)
            if self._stream.failure is not None:
                self.failure, self._last = self._stream.failure, told
                break
            frames.append(told)
            self.begun = self.begun or is_meaningful(event)
            self.ended = self.ended or isinstance(event, Ended)
        return b"".join(frames)

    @property
    def closed(self) -> bool:
        """Whether nothing follows."""
        return self.ended

    def end(self) -> bytes:
        """What its last event still needs: nothing, for these frames are whole."""
        return b""

    def error(self, error: ClientError) -> bytes:
        """The last frames of a stream that is not whole."""
        return self._stream.error(error) if self._last is None else self._last
