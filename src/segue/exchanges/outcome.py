"""What happened after an exchange: a rating, thumbs, a reviewer's correction, a ticket, any score.

An outcome may come late, twice, and before the exchange it is about. The same (exchange, kind, source, key) is one outcome
however often it is sent; the earliest stays. Knows nothing of files. Reading them back: `feedback.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b

import msgspec

from segue.exchanges.record import ABSENT, BodyNote, TimeNs


class Outcome(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One outcome of the exchange with the id `exchange`. Field order is the format; new fields go to the end.

    `value` is a number (thumbs: 1 or 0), `label` a word; either may be unknown. `text` notes the free text (a correction),
    whose bytes are kept beside it.
    """

    exchange: str
    kind: str
    source: str
    key: str
    at_ns: TimeNs
    value: float | None = None
    label: str | None = None
    workflow: str | None = None
    text: BodyNote = ABSENT

    @property
    def identity(self) -> str:
        """What makes it the same outcome when it is sent again."""
        parts = (self.exchange, self.kind, self.source, self.key)
        return blake2b(msgspec.msgpack.encode(parts), digest_size=16).hexdigest()


class Told(msgspec.Struct, frozen=True):
    """An outcome as it is read back, with its text."""

    outcome: Outcome
    text: bytes = b""


decode_outcome: Callable[[bytes | memoryview], Outcome] = msgspec.msgpack.Decoder(Outcome).decode
