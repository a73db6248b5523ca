"""What of the log is kept, and for how long, per workflow. Pure: the same exchange is always decided the same way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b

import msgspec

from segue.exchanges.record import BodyNote, Logged, ServedExchange

DAY_NS = 86_400 * 1_000_000_000


@dataclass(frozen=True)
class Keeping:
    """Days until records are deleted (`None`: never), the share of records kept, and of those that keep their bodies.

    Both halves of a shadow pair are kept or left out together. A body share above the record share has no effect.
    """

    days: int | None = None
    record_share: float = 1.0
    body_share: float = 1.0

    def __post_init__(self) -> None:
        assert 0 <= self.record_share <= 1, "a share runs from 0 to 1"
        assert 0 <= self.body_share <= 1, "a share runs from 0 to 1"
        assert self.days is None or self.days >= 1, "kept for a day at least"


@dataclass(frozen=True)
class KeepingRules:
    """One `Keeping` for all workflows, others for those named."""

    default: Keeping = Keeping()
    workflows: Mapping[str, Keeping] = field(default_factory=dict)

    def of(self, workflow: str) -> Keeping:
        return self.workflows.get(workflow, self.default)


def sample_point(exchange: ServedExchange) -> float:
    """Where in [0, 1) an exchange falls; it is kept if that lies below the share."""
    drawn = (exchange.pair or exchange.id).encode()
    return int.from_bytes(blake2b(drawn, digest_size=7, person=b"segue-log").digest(), "big") / 2**56


def sample(logged: Logged, keeping: Keeping) -> Logged | None:
    """The exchange as it is kept under these shares, or `None`."""
    if keeping.record_share >= 1 and keeping.body_share >= 1:
        return logged
    point = sample_point(logged.exchange)
    if point >= keeping.record_share:
        return None
    if point >= keeping.body_share:
        exchange = msgspec.structs.replace(
            logged.exchange, request=_dropped(logged.exchange.request), response=_dropped(logged.exchange.response)
        )
        return Logged(exchange, kept_share=keeping.record_share)
    return Logged(logged.exchange, logged.request, logged.response, keeping.record_share)


def _dropped(note: BodyNote) -> BodyNote:
    return BodyNote("sampled_out", note.length) if note.kept in ("full", "cut") else note
