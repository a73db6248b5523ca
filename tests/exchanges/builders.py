"""The smallest records, spools and shippers, and a clock that is told the time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from segue.exchanges import Outcome, ServedExchange, Spool, SpoolSettings
from segue.exchanges.query import ExchangeLog
from segue.exchanges.reading import open_segments
from segue.exchanges.record import BodyNote
from segue.exchanges.shipper import Shipper, ShipSettings

NOON = 1_767_268_800_000_000_000
"""1 January 2026, 12:00 UTC."""
HOUR, DAY = 3_600_000_000_000, 86_400_000_000_000
SMALL = 16 * 1024


class Clock:
    """Says what it is set to."""

    def __init__(self, now: int = NOON) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now


def an_exchange(number: int = 0, **given: Any) -> ServedExchange:
    """Exchange `number`, with bodies noted as kept in full."""
    values: dict[str, Any] = {
        "id": f"x{number:06d}",
        "at_ns": NOON + number,
        "workflow": "reply",
        "request": BodyNote("full", 3),
        "response": BodyNote("full", 3),
    }
    return ServedExchange(**{**values, **given})


def an_outcome(exchange: str = "x000000", **given: Any) -> Outcome:
    """A thumb up."""
    return Outcome(
        **{"exchange": exchange, "kind": "thumbs", "source": "user", "key": "1", "at_ns": NOON, "value": 1.0, **given}
    )


def settings(folder: Path, *, worker: str = "w0", run: str = "r0", **given: Any) -> SpoolSettings:
    """A spool of small segments that does not care how full the disk is."""
    values: dict[str, Any] = {"segment_bytes": SMALL, "spare_bytes": 0, "ahead_bytes": 4096}
    return SpoolSettings(folder / "spool", worker, run, **{**values, **given})


def a_spool(folder: Path, **given: Any) -> Spool:
    """Tended by the test, not by a thread; time stands still."""
    return Spool(settings(folder, **given), monotonic=lambda: 0)


def fill(spool: Spool, numbers: range, **given: Any) -> None:
    """Append these exchanges, tending all the while."""
    for number in numbers:
        assert spool.append(an_exchange(number, **given), b"ask", b"say") is not None
        spool.tend()


def a_shipper(folder: Path, clock: Callable[[], int] | None = None, **given: Any) -> Shipper:
    """With batches of a few records."""
    kinds = {name: given.pop(name) for name in ("reached",) if name in given}
    chosen = ShipSettings(**{"batch_bytes": 4096, "grace_ns": HOUR, **given})
    return Shipper(folder / "spool", folder / "archive", clock=clock or Clock(), settings=chosen, **kinds)


def drain(shipper: Shipper) -> None:
    """Step until nothing is left."""
    while shipper.step().has_more:
        pass


def a_log(folder: Path) -> ExchangeLog:
    return ExchangeLog(folder / "spool", folder / "archive")


def spooled(folder: Path) -> list[bytes]:
    """The heads of all frames in the spool."""
    heads = []
    for reader in open_segments(folder / "spool"):
        with reader:
            heads += [bytes(frame.head) for frame in reader.frames()]
    return heads
