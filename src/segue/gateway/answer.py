"""What comes back from one bundle: held until it is known to be an answer, then passed on, as it is or translated.

A sink of a call. It decides when there is an answer; whom to ask instead is for whoever it is told to (`Teller`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

import msgspec

from segue.gateway.alike import AlikeFrames
from segue.gateway.edge import Edge, StreamWatch
from segue.gateway.http import Call, Failure, FailureKind, ResponseHead
from segue.gateway.marked import Marking
from segue.gateway.translated import TranslatedStream, Translation, translate_answer
from segue.gateway.unasked import Unasked
from segue.model import Failure as ProviderFailure
from segue.wire.errors import describe_error, error_from_json, is_too_long, read_error_body
from segue.wire.neutral.client_error import ClientError, ErrorKind

LONGEST_HELD = 8 << 20
"""Bytes of a stream that are held back while nothing in them means anything, or while a line of it does not end."""
LONGEST_KEPT = 16 << 20
"""Bytes of a stream that are kept for the record; what comes after them passes and is counted."""
LONGEST_ANSWER = 64 << 20
"""Bytes of an answer that is held until it is whole."""
CLIENTS_FAULT = frozenset((400, 413, 422))
"""Statuses that say the request itself is wrong: the incumbent's word on that is the client's to hear."""
_PASSING = frozenset((408, 409, 425, 429))
"""Those below 500 after which it may answer the next time. The others say that it is asked with a wrong key, or elsewhere."""
_LASTING = frozenset(("auth", "refused_request"))
"""Kinds of failure that do not pass."""
_BY_STATUS: dict[int, ErrorKind] = {408: "timeout", 429: "rate_limit", 503: "overloaded", 504: "timeout", 529: "overloaded"}
_SLOW = frozenset(("connect_timeout", "first_byte_timeout", "stalled", "too_long"))
_JSON = ResponseHead(200, [(b"content-type", b"application/json")], None)
_STREAM = ResponseHead(200, [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-cache")], None)

_MESSAGE_LIMIT = 300

_decode = msgspec.json.Decoder().decode


class Teller(Protocol):
    """Who is told what became of an answer."""

    def failed(self, why: str, error: ClientError, *, lasts: bool = False) -> None:
        """There is none, and nothing of one was passed on. It `lasts` if asking again would not help."""

    def refused(self, head: ResponseHead, body: bytes) -> None:
        """The provider says that the request is wrong."""

    def answered(self, head: ResponseHead, body: bytes, kept: bytes) -> None:
        """A whole answer; `kept` are the bytes it came as."""

    def stream_begins(self, head: ResponseHead, held: bytes) -> bool:
        """A stream that means something. False: the client cannot keep up."""

    @property
    def stream_goes_on(self) -> Callable[[bytes], bool]:
        """Takes more of it. False: the client cannot keep up."""

    def stream_ends(self, head: ResponseHead, last: bytes, kept: bytes) -> None:
        """It is whole."""

    def stream_breaks(self, head: ResponseHead, why: str, last: bytes, kept: bytes) -> None:
        """It is not; `last` tells the client so."""


class PassingStream:
    """A stream that passes as it is, looked at. Bytes after its end or its failure do not pass."""

    __slots__ = ("_alike", "_edge", "_marking", "_watch", "failure")

    def __init__(self, edge: Edge, marking: Marking | Unasked | None = None, choices: int = 1) -> None:
        self._edge = edge
        self._marking = marking
        self._watch = StreamWatch(edge, choices)
        self._alike = AlikeFrames(edge.codec)
        self.failure: ProviderFailure | None = None

    @property
    def begun(self) -> bool:
        """Whether something of the answer is there."""
        return self._watch.begun

    @property
    def ended(self) -> bool:
        """Whether it says itself that it is whole."""
        return self._watch.ended

    @property
    def closed(self) -> bool:
        """Whether it says that nothing follows."""
        return self._watch.closed

    def passes(self, chunk: bytes) -> bool:
        """Whether a chunk passes whole and tells nothing; `feed` has to see every other one."""
        watch = self._watch
        if watch.runs and self._alike.holds(chunk):
            return True
        marking = self._marking
        if (marking is None or marking.leaves(chunk)) and watch.passes(chunk):
            self._alike.learn(chunk)
            return True
        self._alike.forget()
        return False

    def feed(self, chunk: bytes, *, is_last: bool = False) -> bytes:
        """The same bytes, line by line."""
        watch = self._watch
        passing = watch.feed(chunk, is_last=is_last)
        if watch.failed and self.failure is None:
            told = _decode(watch.failing) if watch.failing else None
            self.failure = describe_error(200, error_from_json(told)) if told else ProviderFailure("bad_reply")
        return passing if self._marking is None else self._marking.mark_lines(passing)

    def end(self) -> bytes:
        """What its last event still needs."""
        return self._watch.gap()

    def error(self, error: ClientError) -> bytes:
        """The last frames of a stream that is not whole."""
        return self._watch.gap() + self._edge.error_frame(error)


class Answer:
    """What comes back from one bundle."""

    __slots__ = (
        "_choices",
        "_edge",
        "_head",
        "_held",
        "_is_over",
        "_is_passing",
        "_marking",
        "_parts",
        "_passes",
        "_quiet",
        "_size",
        "_stream",
        "_teller",
        "_translation",
        "_wants_stream",
        "call",
    )

    def __init__(
        self,
        teller: Teller,
        edge: Edge,
        translation: Translation | Marking | Unasked | None,
        *,
        wants_stream: bool | None = None,
        choices: int = 1,
    ) -> None:
        self._teller = teller
        self._edge = edge
        self._marking = None if isinstance(translation, Translation) else translation
        self._translation = translation if isinstance(translation, Translation) else None
        self._wants_stream = wants_stream
        self._choices = choices
        self._head: ResponseHead | None = None
        self._stream: PassingStream | TranslatedStream | None = None
        self._parts: list[bytes] = []
        self._held: list[bytes] = []
        self._size = self._quiet = 0
        self._is_passing = self._is_over = False
        self._passes: Callable[[bytes], bool] | None = None
        self.call: Call | None = None

    @property
    def passed(self) -> int:
        """Bytes of a stream that came and were passed on; 0 where it was held."""
        return self._size if self._is_passing else 0

    @property
    def whole_head(self) -> ResponseHead | None:
        """The head of a stream that has said that it is whole, and was passed on; `None` as long as it has not."""
        return self._shown_head() if self._is_passing and self._stream is not None and self._stream.ended else None

    @property
    def is_silent(self) -> bool:
        """Nothing that means something has come yet."""
        return not self._is_passing

    def so_far(self) -> bytes:
        """What has come of it."""
        return b"".join(self._parts)

    def on_head(self, head: ResponseHead) -> None:
        """Whether it is a stream says its type. One that nobody asked for is no answer, and will not read as one."""
        self._head = head
        kind = head.header(b"content-type") or b""
        if head.status < 300 and self._wants_stream is not False and kind.lower().startswith(b"text/event-stream"):
            self._stream = self._open_stream()

    def _open_stream(self) -> PassingStream | TranslatedStream:
        if self._translation is not None:
            return TranslatedStream(self._translation)
        return PassingStream(self._edge, self._marking, self._choices)

    def on_body(self, chunk: bytes, is_last: bool) -> None:
        """The next part of it."""
        passes = self._passes
        if passes is not None and not is_last and passes(chunk):
            # Nearly all of a stream comes this way.
            self._size = size = self._size + len(chunk)
            if size <= LONGEST_KEPT:
                self._parts.append(chunk)
            self._quiet = 0
            if not self._teller.stream_goes_on(chunk) and self.call is not None:
                self.call.pause()
            return
        if self._is_over:
            return
        self._size += len(chunk)
        if not self._is_passing or self._size <= LONGEST_KEPT:
            self._parts.append(chunk)
        if self._stream is not None:
            self._pass_on(chunk, self._stream, is_last)
        elif is_last:
            self._whole()
        elif self._size > LONGEST_ANSWER:
            self._give_up("too long", "The provider's answer is too long.")

    def on_failure(self, failure: Failure) -> None:
        """The provider could not be asked, or broke off."""
        if self._is_over:
            return
        kind: ErrorKind = "timeout" if failure.kind.value in _SLOW else "server"
        error = ClientError(kind, tell_failure(failure), code=failure.kind.value)
        if not self._is_passing:
            self._teller.failed(failure.kind.value, error)
        elif self._stream is not None and self._stream.ended:
            self._teller.stream_ends(self._shown_head(), self._stream.end(), self.so_far())
        else:
            self._break(failure.kind.value, error)

    def _whole(self) -> None:
        head, body = self._head, self.so_far()
        assert head is not None, "a head came before"
        if head.status in CLIENTS_FAULT:
            if self._translation is not None:
                body = self._edge.error_body(_refusal(head.status, body))
                head = ResponseHead(head.status, _JSON.headers, None)
            self._teller.refused(head, body)
        elif head.status >= 300:
            kind = _BY_STATUS.get(head.status, "server")
            told = f"The provider failed with status {head.status}."
            error = ClientError(kind, told, retry_after=head.header(b"retry-after"))
            self._teller.failed(f"status {head.status}", error, lasts=head.status < 500 and head.status not in _PASSING)
        elif self._wants_stream:
            told = "The provider sent no stream, which it was asked for."
            self._teller.failed("no stream", ClientError("server", told, code="bad_reply"))
        elif self._translation is None:
            self._check(head, body)
        else:
            found = translate_answer(self._translation, body)
            if isinstance(found, ProviderFailure):
                self._teller.failed(found.kind, ClientError.from_failure(found), lasts=found.kind in _LASTING)
            else:
                self._teller.answered(_JSON, found, body)

    def _check(self, head: ResponseHead, body: bytes) -> None:
        try:
            self._edge.check_answer(body)
            if not body.isascii():
                body.decode()
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            error, why = _why_none(body)
            self._teller.failed(why, error, lasts=why in _LASTING)
        else:
            shown = body if self._marking is None else self._marking.mark_body(body)
            self._teller.answered(_as_json(head), shown, body)

    def _pass_on(self, chunk: bytes, stream: PassingStream | TranslatedStream, is_last: bool) -> None:
        frames = stream.feed(chunk, is_last=is_last)
        self._quiet = 0 if frames else self._quiet + len(chunk)
        if not self._is_passing:
            self._held.append(frames)
            if not stream.begun:
                if stream.failure is not None or stream.closed or is_last or self._size > LONGEST_HELD:
                    self._give_up("stream without an answer", "The provider's stream held no answer.")
                return
            self._is_passing, self._passes = True, stream.passes
            if self.call is not None:
                self.call.streams()
            held, self._held = b"".join(self._held), []
            frames = b""
            self._go(self._teller.stream_begins(self._shown_head(), held))
        if stream.failure is not None and not stream.ended:
            self._teller.stream_goes_on(frames)
            self._break("bad_reply", ClientError.from_failure(stream.failure), cancel=not is_last)
        elif stream.closed or (is_last and stream.ended):
            # Nothing follows: whether the provider closes now is of no concern to the client.
            self._is_over, self._passes = True, None
            self._teller.stream_ends(self._shown_head(), frames + stream.end(), self.so_far())
            if not is_last and self.call is not None:
                self.call.resume()
        elif is_last:
            self._teller.stream_goes_on(frames)
            error = ClientError("server", "The provider's stream ended before the answer did.", code="closed_early")
            self._break("closed_early", error)
        elif frames:
            self._go(self._teller.stream_goes_on(frames))
        elif self._quiet > LONGEST_HELD:
            told = "The provider's stream says nothing in very many words."
            self._break("too long", ClientError("server", told, code="bad_reply"), cancel=True)

    def _shown_head(self) -> ResponseHead:
        assert self._head is not None, "a head came before"
        return self._head if self._translation is None else _STREAM

    def _give_up(self, why: str, told: str) -> None:
        """Nothing of it was passed on: somebody else may be asked."""
        self._is_over = True
        if self.call is not None:
            self.call.cancel()
        self._teller.failed(why, ClientError("server", told, code="bad_reply"))

    def _break(self, why: str, error: ClientError, *, cancel: bool = False) -> None:
        """Something of it was: the client is told within the stream."""
        self._is_over, self._passes = True, None
        if cancel and self.call is not None:
            self.call.cancel()
        assert self._stream is not None, "only a stream is passed on in parts"
        self._teller.stream_breaks(self._shown_head(), why, self._stream.error(error), self.so_far())

    def _go(self, has_room: bool) -> None:
        if not has_room and self.call is not None:
            self.call.pause()


def tell_failure(failure: Failure) -> str:
    """What a client is told of a call that failed: one that ran out of time may have answered, only not to the end."""
    is_cut = failure.kind in (FailureKind.TOO_LONG, FailureKind.STALLED)
    return failure.detail if is_cut and failure.detail else f"The provider did not answer ({failure.kind.value})."


def _why_none(body: bytes) -> tuple[ClientError, str]:
    """What is told of a body that is no answer, and the kind of failure: where it says itself that it failed, how."""
    try:
        told = _decode(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        told = None
    said = told if isinstance(told, dict) else {}
    if said.get("error") is None and said.get("status") != "failed" and said.get("type") != "error":
        not_whole = said.get("status") in ("cancelled", "in_progress", "queued")
        message = f"The provider's answer is not whole ({said['status']})." if not_whole else "The provider's answer was none."
        return ClientError("server", message, code="bad_reply"), "bad_reply"
    error = error_from_json({"error": said.get("error")})
    failure = describe_error(200, error)
    message = "The provider's answer says that it failed"
    shown = " ".join((error.message or "").split())[:_MESSAGE_LIMIT] if failure.kind != "auth" else ""
    return replace(ClientError.from_failure(failure), message=f"{message}: {shown}" if shown else f"{message}."), failure.kind


def _as_json(head: ResponseHead) -> ResponseHead:
    """A body that is JSON is called so: SDKs give their users a text otherwise."""
    kind = head.header(b"content-type") or b""
    if b"json" in kind.lower():
        return head
    fields = [pair for pair in head.headers if pair[0] != b"content-type"]
    return ResponseHead(head.status, [*fields, (b"content-type", b"application/json")], head.length)


def _refusal(status: int, body: bytes) -> ClientError:
    """The provider's word on a wrong request, in whatever dialect it said so: programs know the code, people the sentence."""
    said = read_error_body(body)
    told = f"The provider refused the request (status {status})"
    code = "context_length_exceeded" if is_too_long(said) else said.code or "refused_request"
    return ClientError("invalid_request", f"{told}: {said.message}" if said.message else f"{told}.", code=code)
