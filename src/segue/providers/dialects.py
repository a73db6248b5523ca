"""The dialects `HttpProvider` speaks, by the name that a provider's entry in segue.yaml gives them (`dialect`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from segue.errors import Fault
from segue.model import Parameters
from segue.providers.base import ModelRequest
from segue.wire import anthropic_messages, openai_chat
from segue.wire.base import Decoded, StreamDecoder, WireRequest
from segue.wire.openai_responses import decode as responses_in
from segue.wire.openai_responses import encode as responses_out
from segue.wire.profiles import WireProfile


class Encode(Protocol):
    """Raises `InputError` naming everything that cannot be sent."""

    def __call__(self, request: ModelRequest, *, profile: WireProfile, stream: bool) -> WireRequest: ...


class Decode(Protocol):
    """Never raises."""

    def __call__(self, body: bytes, *, withheld: Iterable[str]) -> Decoded: ...


@dataclass(frozen=True, slots=True)
class Dialect:
    """How to write a request and read what comes back. `key_header` and `key_prefix` say where the key goes."""

    encode: Encode
    decode: Decode
    stream: Callable[[Iterable[str]], StreamDecoder]
    parameter_faults: Callable[[Parameters, WireProfile], list[Fault]]
    key_header: str
    key_prefix: str = ""


DIALECTS: Mapping[str, Dialect] = {
    "openai": Dialect(
        encode=openai_chat.encode_request,
        decode=openai_chat.decode_reply,
        stream=openai_chat.ChatStreamDecoder,
        parameter_faults=openai_chat.parameter_faults,
        key_header="Authorization",
        key_prefix="Bearer ",
    ),
    "openai_responses": Dialect(
        encode=responses_out.encode_request,
        decode=responses_in.decode_reply,
        stream=responses_in.ResponsesStreamDecoder,
        parameter_faults=responses_out.parameter_faults,
        key_header="Authorization",
        key_prefix="Bearer ",
    ),
    "anthropic": Dialect(
        encode=anthropic_messages.encode_request,
        decode=anthropic_messages.decode_reply,
        stream=anthropic_messages.MessagesStreamDecoder,
        parameter_faults=anthropic_messages.parameter_faults,
        key_header="x-api-key",
    ),
}
