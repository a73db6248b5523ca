"""What the log keeps of one request and its answer, as served or shadowed.

Its encoded form is a msgpack array: new fields go to the end of a struct, with a default, and older readers and older frames
still fit. Knows nothing of files, HTTP or dialects. Outcomes come later and apart: `outcome.py`. Bytes on disk: `frame.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from hashlib import blake2b
from typing import Annotated, Any, Literal

import msgspec

Arm = Literal["incumbent", "candidate", "pinned", "continued", "shadow", "fallback"]
Keep = Literal["full", "digest", "none"]
Kept = Literal["full", "cut", "digest", "none", "absent", "sampled_out"]
DIGEST_SIZE = 16
Int64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
TimeNs = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
"""UTC, since 1970."""

# `gc=False` is sound: a record holds strings, numbers and flat mappings, never itself.


class BodyNote(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What was done with a body. `length` is that of the whole body, in bytes; `absent` means that there was none.

    `full`: kept as it was. `cut`: the beginning is kept, the rest was too long. `digest`, `none`: the workflow keeps no
    bodies. `sampled_out`: dropped when it was shipped.
    """

    kept: Kept = "absent"
    length: Int64 | None = None
    digest: str | None = None


ABSENT = BodyNote()


class ServedExchange(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One exchange of live traffic. `None` is unknown, never zero.

    `bundle` is what the route chose, `answered_by` what answered in the end (another one after a fallback). `pair` is the one
    identifier that a served exchange and its shadow share. `probabilities`: what this exchange was drawn for, and how likely
    that was. A score that was tried and could not be given is `None`. `tags` mark traffic that is no evidence (`probe`,
    `eval`). Words of the model (`finish_reason`, `failure`) are plain text here: an older reader must be able to carry newer
    ones. `traceparent` is the client's trace (W3C), where the gateway makes spans.
    """

    id: str
    at_ns: TimeNs
    workflow: str
    environment: str = ""
    route_revision: Int64 | None = None
    arm: str = "incumbent"
    bundle: str = ""
    answered_by: str | None = None
    unit: str | None = None
    segment: str | None = None
    slices: Mapping[str, str] = {}
    attributes: Mapping[str, str] = {}
    dialect_in: str | None = None
    dialect_out: str | None = None
    status: Int64 | None = None
    latency_ns: Int64 | None = None
    ttft_ns: Int64 | None = None
    input_tokens: Int64 | None = None
    output_tokens: Int64 | None = None
    reasoning_tokens: Int64 | None = None
    cached_tokens: Int64 | None = None
    cost_microusd: float | None = None
    finish_reason: str | None = None
    failure: str | None = None
    fallback_from: str | None = None
    fallback_reason: str | None = None
    pair: str | None = None
    probabilities: Mapping[str, float] = {}
    scores: Mapping[str, float | None] = {}
    tags: tuple[str, ...] = ()
    request: BodyNote = ABSENT
    response: BodyNote = ABSENT
    traceparent: str | None = None


class Logged(msgspec.Struct, frozen=True, gc=False):
    """An exchange as it is read back, with as much of its bodies as was kept. `kept_share` is the share of such exchanges
    that the log keeps: one kept in a hundred stands for a hundred."""

    exchange: ServedExchange
    request: bytes = b""
    response: bytes = b""
    kept_share: float = 1.0


def keep_body(body: bytes | None, keep: Keep) -> tuple[BodyNote, bytes]:
    """The note on a body and the bytes to keep. Whoever can guess a body can confirm it by its digest."""
    if body is None:
        return ABSENT, b""
    if keep == "full":
        return BodyNote("full", len(body)), body
    if keep == "none":
        return BodyNote("none", len(body)), b""
    return BodyNote("digest", len(body), blake2b(body, digest_size=DIGEST_SIZE).hexdigest()), b""


encode_exchange: Callable[[Any], bytes] = msgspec.msgpack.Encoder().encode
decode_exchange: Callable[[bytes | memoryview], ServedExchange] = msgspec.msgpack.Decoder(ServedExchange).decode
