"""What must hold of any bytes at the gateway's SSE and JSON edges, from a client and from an upstream.

Server-sent events: the same events wherever they are cut, and those that the standard's own words give. Streams and whole
answers of an upstream: one ending each, the same bytes for the client wherever they were cut, and nothing that ends like a
whole answer but is none. Requests: a body for the upstream, or `InputError` with a remedy for each fault.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from types import SimpleNamespace
from typing import Any

import orjson

from segue.errors import InputError
from segue.gateway.answer import Answer
from segue.gateway.applied import CODEC_OF, AppliedBundle, read_fields
from segue.gateway.asking import prepare
from segue.gateway.edge import EDGES, Edge
from segue.gateway.http import ResponseHead
from segue.gateway.identity import read_identity
from segue.model import Bundle, ModelRef, Parameters, Prompt
from segue.model.serving import Serving
from segue.providers.dialects import DIALECTS
from segue.wire.dialects import CODECS
from segue.wire.neutral.client_error import ClientError
from segue.wire.neutral.conversation import Dialect
from segue.wire.neutral.events import Ended
from segue.wire.neutral.origin import Origin
from segue.wire.profiles import ANTHROPIC, OPENAI
from segue.wire.sse import SseDecoder

BUNDLES: dict[Dialect, str] = {codec: name for name, codec in CODEC_OF.items()}
"""The types of provider by the dialect they speak."""
CLIENTS: dict[Dialect, Edge] = {edge.codec: edge for edge in EDGES.values()}
MAY_SET = ("tools", "tool_choice", "temperature", "thinking", "top_k", "seed", "stop", "n", "reasoning", "text", "top_p")
HERE = Origin("p", "https://api.example", "KEY", "m-1", "digest")
_HELLO = {"messages": [{"role": "user", "content": "Hi"}], "input": "Hi"}
_JSON, _EVENTS = b"application/json", b"text/event-stream"


@cache
def target(dialect: Dialect) -> Any:
    """A bundle of this dialect, as far as a request and its answer need it."""
    parameters = Parameters(max_output_tokens=3000)
    if dialect == "anthropic_messages":
        parameters = Parameters(max_output_tokens=3000, thinking_budget_tokens=1024)
    bundle = Bundle(
        workflow="mail",
        model=ModelRef(provider="p", snapshot="m-1"),
        prompt=Prompt(system="Be brief.", template="Say: {{input}}"),
        parameters=parameters,
    )
    profile = ANTHROPIC["2023-06-01"] if dialect == "anthropic_messages" else OPENAI
    assert BUNDLES[dialect] in DIALECTS
    applied = AppliedBundle.of(bundle, BUNDLES[dialect], profile, Serving(may_set=MAY_SET))
    return SimpleNamespace(applied=applied, origin=HERE, profile=profile)


def asking(edge: Edge, body: bytes) -> Any:
    """A request that has come in, as far as a bundle is told of it."""
    return SimpleNamespace(edge=edge, fields=read_fields(body), body=body, id="x1", at_ns=1_700_000_000_000_000_000, betas=None)


@cache
def asked(client: Dialect, bundle: Dialect) -> Any:
    """What the answer of such a bundle needs to become this client's."""
    names = ("model", "input", "stream") if client == "openai_responses" else ("model", "messages", "stream")
    known = {"model": "mail", "stream": True, **_HELLO}
    return prepare(asking(CLIENTS[client], orjson.dumps({name: known[name] for name in names})), target(bundle))[1]


@dataclass
class Told:
    """A teller that writes down what it is told, and complains of what is told twice."""

    ending: str = ""
    out: bytes = b""

    def _end(self, ending: str, out: bytes) -> None:
        assert not self.ending, f"{ending} after {self.ending}."
        self.ending = ending
        self.out += out

    def failed(self, why: str, error: ClientError, *, lasts: bool = False) -> None:
        """No answer."""
        assert not self.out, "Told of no answer after a part of one was passed on."
        self._end(f"failed: {why}", b"")
        assert error.message

    def refused(self, head: ResponseHead, body: bytes) -> None:
        """The request is wrong."""
        self._end(f"refused: {head.status}", body)

    def answered(self, head: ResponseHead, body: bytes, kept: bytes) -> None:
        """A whole answer."""
        assert kept
        self._end(f"answered: {head.status}", body)

    def stream_begins(self, head: ResponseHead, held: bytes) -> bool:
        """The first part of a stream."""
        assert not self.out
        assert head.status == 200
        self.out += held
        return True

    def stream_goes_on(self, chunk: bytes) -> bool:
        """More of it."""
        assert not self.ending
        self.out += chunk
        return True

    def stream_ends(self, head: ResponseHead, last: bytes, kept: bytes) -> None:
        """It is whole."""
        assert kept
        self._end(f"ends: {head.status}", last)

    def stream_breaks(self, head: ResponseHead, why: str, last: bytes, kept: bytes) -> None:
        """It is not."""
        assert kept
        self._end(f"breaks: {head.status} {why}", last)


@dataclass
class Call:
    """What a sink may ask of its call."""

    is_cancelled: bool = False

    def cancel(self) -> None:
        """No more of it."""
        self.is_cancelled = True

    def streams(self) -> None:
        """It has begun."""

    def resume(self) -> None:
        """There is room for the rest, which nobody needs."""

    def pause(self) -> None:
        """No room."""
        raise AssertionError("There is room.")


def heard(parts: Sequence[bytes], client: Dialect, bundle: Dialect, kind: bytes, status: int = 200) -> Told:
    """What a client of this dialect is told of these bytes of an upstream."""
    told = Told()
    answer = Answer(told, CLIENTS[client], asked(client, bundle))
    call: Any = Call()
    answer.call = call
    answer.on_head(ResponseHead(status, [(b"content-type", kind)], None))
    parts = parts or [b""]
    for at, part in enumerate(parts):
        if call.is_cancelled:
            break
        answer.on_body(part, at == len(parts) - 1)
    assert told.ending, "It never ended."
    return told


def check_sse(data: bytes, parts: Sequence[bytes]) -> int:
    """The same events in pieces, and those of the standard. Gives how many there are."""
    whole = _events([data])
    assert whole == _events(parts), "Read differently in pieces."
    reference = reference_events(data)
    assert whole == reference, f"{reference} stand there, and {whole} was read."
    return len(whole)


def _events(parts: Sequence[bytes]) -> list[tuple[str, bytes]]:
    decoder = SseDecoder()
    found = [event for part in parts for event in decoder.feed(part)]
    return found + decoder.finish()


def reference_events(data: bytes) -> list[tuple[str, bytes]]:
    """The events of a whole stream, line by line as the standard says, but that its last event needs no blank line."""
    events: list[tuple[str, bytes]] = []
    name, said = "", bytearray()
    if data.startswith(b"\xef\xbb\xbf"):
        data = data[3:]
    for line in [*re.split(rb"\r\n|\r|\n", data), b""]:
        if line == b"":
            if said:
                events.append((name, bytes(said[:-1])))
            name, said = "", bytearray()
        elif not line.startswith(b":"):
            found = re.fullmatch(rb"([^:]*)(?:: ?(.*))?", line, re.DOTALL)
            assert found is not None
            value = found[2] or b""
            if found[1] == b"data":
                said += value + b"\n"
            elif found[1] == b"event":
                name = value.decode("utf-8", "replace")
    return events


def check_stream(data: bytes, parts: Sequence[bytes], client: Dialect, bundle: Dialect) -> int:
    """An upstream's stream for a client. Gives 1 if it was told as whole."""
    whole = heard([data], client, bundle, _EVENTS)
    cut = heard(parts, client, bundle, _EVENTS)
    assert (whole.ending, whole.out) == (cut.ending, cut.out), f"Whole {whole}, in pieces {cut}."
    if client != bundle:
        decoder = CODECS[client].answer_decoder(origin=HERE)
        events = [*decoder.feed(whole.out), *decoder.finish()]
        is_whole = bool(events) and isinstance(events[-1], Ended)
        assert is_whole == whole.ending.startswith("ends"), f"{whole} reads as {events[-1:]}."
    return whole.ending.startswith("ends")


def check_answer(data: bytes, client: Dialect, bundle: Dialect, status: int = 200) -> int:
    """A whole body of an upstream for a client. Gives 1 if it was told as an answer."""
    told = heard([data], client, bundle, _JSON, status)
    if told.ending.startswith("answered") and client != bundle:
        events = CODECS[client].decode_answer(told.out, origin=HERE)
        assert isinstance(events[-1], Ended), f"{told} reads as {events[-1]}."
    return told.ending.startswith("answered")


def check_request(data: bytes, client: Dialect, bundle: Dialect) -> int:
    """A client's body for an upstream. Gives 1 if it was taken."""
    refused: InputError | None = None
    body = b""
    try:
        request = asking(CLIENTS[client], data)
        read_identity({}, request.fields, [])
        body, _ = prepare(request, target(bundle))
    except InputError as error:
        refused = error
    if refused is not None:
        assert refused.faults
        assert all(fault.what and fault.fix for fault in refused.faults), refused
        return 0
    found = json.loads(body.decode("utf-8", "replace"))  # what passes untouched is the provider's to refuse
    assert found["model"] == "m-1"
    assert "segue" not in found
    assert b"segue1." not in body or b"segue1." in data
    return 1
