"""What happened after an exchange: a rating, thumbs, a reviewer's correction, a ticket, any score.

An outcome may come late, twice, and before the exchange it is about. The same (exchange, kind, source, key) is one outcome
however often it is sent; the earliest stays, also where a later one says something else. Knows nothing of files. Reading them
back: `feedback.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b

import msgspec

from segue.exchanges.record import ABSENT, BodyNote, TimeNs


class Outcome(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One outcome of the exchange with the id `exchange`. Field order is the format; new fields go to the end.

    `value` is a number (thumbs: 1 or 0), `label` a word; either may be unknown. `text` notes the free text (a correction),
    whose bytes are kept beside it. `at_ns` is when it was told, by the clock of who took it; `happened_ns` when it came about,
    if that was said. `lowest` and `highest` are the ends of a rating's scale. `scope`: the workflows that whoever told it may
    tell of, none of them for all.
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
    happened_ns: TimeNs | None = None
    lowest: float | None = None
    highest: float | None = None
    author: str | None = None
    scope: tuple[str, ...] = ()

    @property
    def identity(self) -> str:
        """What makes it the same outcome when it is sent again."""
        parts = (self.exchange, self.kind, self.source, self.key)
        return blake2b(msgspec.msgpack.encode(parts), digest_size=16).hexdigest()

    def holds_of(self, workflow: str) -> bool:
        """Whether it may be told of an exchange of this workflow: by whom it comes from, and by what it says itself."""
        return (not self.scope or workflow in self.scope) and self.workflow in (None, workflow)


class Told(msgspec.Struct, frozen=True, gc=False):
    """An outcome as it is read back, with its text."""

    outcome: Outcome
    text: bytes = b""

    @property
    def content(self) -> str:
        """What it says, whenever it was told: the same identity with another content contradicts the first."""
        one = self.outcome
        said = (one.value, one.label, one.lowest, one.highest, one.author, one.happened_ns, one.text.length, one.text.digest)
        return blake2b(msgspec.msgpack.encode((*said, self.text)), digest_size=8).hexdigest()


decode_outcome: Callable[[bytes | memoryview], Outcome] = msgspec.msgpack.Decoder(Outcome).decode
