"""What gateways say of themselves to the store: what each serves, every few seconds and after each flip.

That is how a flip on one machine learns that the gateways of all others serve it. Signs of life, no records: a row is written
over by the next, goes when its gateway ends, and is nothing that the log vouches for. Age is by the store's own clock, so that
clocks of machines that disagree make nobody silent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Protocol

from segue.model import Json

FORGET_S = 3600.0
"""A gateway that has said nothing for so long is gone, and its row with it."""


@dataclass(frozen=True, slots=True)
class GatewaySaid:
    """What a gateway says. `name` is of one start of it.

    `read` are the revisions it knows of, `revisions` those that its slowest worker serves, both by workflow; `refused` says
    why where a newest one is not served. `breakers` is bundle → workers that have cut it off.
    """

    name: str
    environment: str
    host: str
    pid: int
    workers: int
    read: Mapping[str, int] = field(default_factory=dict)
    revisions: Mapping[str, int] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)
    breakers: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class GatewaySeen:
    """What a gateway said last, and how long ago."""

    said: GatewaySaid
    age_s: float


class GatewayStore(Protocol):
    """Which gateways there are, on whatever machine."""

    def tell_gateway(self, said: GatewaySaid) -> None:
        """In the place of what it said before. Waits for no other writer where the database has more than one."""
        ...

    def list_gateways(self, environment: str | None = None) -> list[GatewaySeen]:
        """All that said something within the hour, by name."""
        ...

    def forget_gateway(self, name: str) -> None:
        """It has ended. No error where it is not known."""
        ...


def said_as_json(said: GatewaySaid) -> Json:
    """As it is stored."""
    return asdict(said)


def said_from_json(body: Json) -> GatewaySaid:
    """What `said_as_json` made. `TypeError` or `ValueError` for anything else."""
    if not isinstance(body, dict):
        raise TypeError("not what a gateway says")
    # What a later version says beside it is left out: machines are upgraded one after the other.
    found = GatewaySaid(**{one.name: body[one.name] for one in fields(GatewaySaid) if one.name in body})
    counted = (found.read, found.revisions, found.breakers)
    if not all(isinstance(number, int) for each in counted for number in each.values()):
        raise ValueError("a revision is a whole number")
    return found
