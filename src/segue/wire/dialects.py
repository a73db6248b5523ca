"""The dialects the gateway speaks, each as one value: both directions of requests and answers, and errors.

This is where the gateway enters. A request in its own dialect needs none of this; between dialects it goes
`decode_request` → `ConversationRequest` → `encode_request`, and its answer `answer_decoder` → events → `answer_stream`.
Bodies become bytes by `request_bytes` and `answer_bytes`, which know what to say of JSON that cannot be written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

import orjson

from segue.model import Failure, Json
from segue.wire.anthropic_messages import answer_in as messages_in
from segue.wire.anthropic_messages import answer_out as messages_out
from segue.wire.anthropic_messages import request_in as messages_request_in
from segue.wire.anthropic_messages import request_out as messages_request_out
from segue.wire.base import WireRequest
from segue.wire.neutral.client_error import ClientError
from segue.wire.neutral.conversation import ConversationRequest, Dialect
from segue.wire.neutral.events import Answer, AnswerDecoder, Event
from segue.wire.neutral.head import Head
from segue.wire.neutral.origin import Origin
from segue.wire.neutral.refusal import Refusal, RefusedError
from segue.wire.openai_chat import answer_in as chat_in
from segue.wire.openai_chat import answer_out as chat_out
from segue.wire.openai_chat import request_in as chat_request_in
from segue.wire.openai_chat import request_out as chat_request_out
from segue.wire.openai_responses import answer_in as responses_in
from segue.wire.openai_responses import answer_out as responses_out
from segue.wire.openai_responses import request_in as responses_request_in
from segue.wire.openai_responses import request_out as responses_request_out
from segue.wire.profiles import WireProfile


class AnswerStream(Protocol):
    """Writes the frames of one answer for a client. `failure`: it has ended in a way that the dialect cannot tell as whole."""

    failure: Failure | None

    def encode(self, event: Event) -> bytes:
        """The frames that tell of `event`; often none."""
        ...

    def error(self, error: ClientError) -> bytes:
        """The last frames of a stream that is not whole."""
        ...


class DecodeRequest(Protocol):
    """A client's body as a neutral request. Raises `RefusedError`."""

    def __call__(self, body: Json, *, assumed: str | None = None) -> ConversationRequest: ...


class EncodeRequest(Protocol):
    """A neutral request for an upstream. Raises `RefusedError`."""

    def __call__(self, request: ConversationRequest, *, to: Origin, profile: WireProfile = ...) -> WireRequest: ...


class DecodeAnswer(Protocol):
    """The events of an upstream's whole body. Never raises."""

    def __call__(self, body: bytes, *, origin: Origin, withheld: Iterable[str] = ()) -> list[Event]: ...


class MakeDecoder(Protocol):
    """A decoder of an upstream's stream."""

    def __call__(self, *, origin: Origin, withheld: Iterable[str] = ()) -> AnswerDecoder: ...


@dataclass(frozen=True, slots=True)
class Codec:
    """All there is to one dialect. `error_json` is the body of an error with its HTTP status."""

    dialect: Dialect
    decode_request: DecodeRequest
    encode_request: EncodeRequest
    decode_answer: DecodeAnswer
    answer_decoder: MakeDecoder
    encode_answer: Callable[[Answer, Head], dict[str, Json] | Failure]
    answer_stream: Callable[[Head], AnswerStream]
    error_json: Callable[[ClientError], dict[str, Json]]


CODECS: Mapping[Dialect, Codec] = {
    "openai_chat": Codec(
        "openai_chat",
        chat_request_in.decode_request,
        chat_request_out.encode_request,
        chat_in.decode_answer,
        chat_in.ChatAnswerDecoder,
        chat_out.encode_answer,
        chat_out.ChatAnswerStream,
        chat_out.error_json,
    ),
    "openai_responses": Codec(
        "openai_responses",
        responses_request_in.decode_request,
        responses_request_out.encode_request,
        responses_in.decode_answer,
        responses_in.ResponsesAnswerDecoder,
        responses_out.encode_answer,
        responses_out.ResponsesAnswerStream,
        responses_out.error_json,
    ),
    "anthropic_messages": Codec(
        "anthropic_messages",
        messages_request_in.decode_request,
        messages_request_out.encode_request,
        messages_in.decode_answer,
        messages_in.MessagesAnswerDecoder,
        messages_out.encode_answer,
        messages_out.MessagesAnswerStream,
        messages_out.error_json,
    ),
}

_TOO_DEEP = Failure("bad_reply", "The reply is nested too deep to be written.")


def request_bytes(dialect: Dialect, request: WireRequest) -> bytes:
    """The body for an upstream. Raises `RefusedError` where it is nested too deep to be written."""
    try:
        return orjson.dumps(request.body)
    except orjson.JSONEncodeError:
        refusal = Refusal("body", dialect, "It is nested too deep to be written.", "Flatten schemas and arguments of tools.")
        raise RefusedError([refusal]) from None


def answer_bytes(dialect: Dialect, answer: Answer, head: Head) -> bytes | Failure:
    """The whole body for a client; a failure where the answer is none that the dialect can tell."""
    found = CODECS[dialect].encode_answer(answer, head)
    if isinstance(found, Failure):
        return found
    try:
        return orjson.dumps(found)
    except orjson.JSONEncodeError:
        return _TOO_DEEP
