"""What the store keeps of upgrades: their logs, the lease that says who may act, and facts that are written down beside them.

Upgrades, their entries and facts are append-only, and vouched for by the hash chain. A lease is no record: it is a sign that
somebody acts, with a token that grows whenever it changes hands. A write that carries a `Fence` is refused once a later token
exists (or where its own never did), in the same transaction: whoever slept through a lease can write nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from segue.model import Json


@dataclass(frozen=True, slots=True)
class Lease:
    """`holder` may act under `name` with this token. `seconds` are left when it was given, by the store's own clock."""

    name: str
    holder: str
    token: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Fence:
    """The lease a write is made under."""

    name: str
    token: int


@dataclass(frozen=True, slots=True)
class UpgradeRecord:
    """An upgrade as it is stored: `opening` and `entries` are what `segue.upgrade.log` writes and reads."""

    upgrade: str
    workflow: str
    environment: str
    opening: Json
    entries: tuple[Json, ...]
    author: str
    at: str


@dataclass(frozen=True, slots=True)
class UnderWay:
    """The upgrade of a workflow and environment that has not ended, without its entries.

    `opening` is `None` where what is stored can be decoded no more.
    """

    upgrade: str
    workflow: str
    opening: Json | None


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that was seen or done and is no decision: an effect carried out, an incident, a drill, a reviewer's mark.

    `number` counts all facts of the store from 1. `subject` is what it is about: an upgrade, an incident.
    """

    number: int
    kind: str
    workflow: str
    subject: str
    body: Json
    author: str
    at: str


class UpgradeStore(Protocol):
    """Upgrades, leases and facts. Errors: `NotFoundError`, `ConflictError`, `FencedError`, `StoreError`."""

    def open_upgrade(self, upgrade: str, workflow: str, environment: str, opening: Json, *, author: str, at: str) -> None:
        """Begin an upgrade. `ConflictError` where the workflow has one in this environment that has not been ended.

        An upgrade has ended with the entry that was added with `ends`: the store does not read what entries say.
        """
        ...

    def add_upgrade_entry(
        self, upgrade: str, number: int, entry: Json, *, ends: bool, fence: Fence | None, author: str, at: str
    ) -> None:
        """Append entry `number`, counted from 1; with `ends`, the last one. `ConflictError` unless it follows the last entry.

        The same entry once more under its number is no error and changes nothing, so that a write whose answer was lost can be
        tried again.
        """
        ...

    def get_upgrade(self, ref: str) -> UpgradeRecord:
        """By name or unique prefix."""
        ...

    def list_upgrades(
        self,
        workflow: str | None = None,
        environment: str | None = None,
        *,
        only_open: bool = False,
        most: int | None = None,
    ) -> list[UpgradeRecord]:
        """Newest first, whole; no more than `most`, and none beyond them is read."""
        ...

    def ended_upgrades(self, environment: str) -> list[str]:
        """The names of those that have ended, found without reading any of them."""
        ...

    def take_lease(self, name: str, holder: str, seconds: float, *, now: float | None = None) -> Lease | None:
        """Take it, or renew it where `holder` has it already (the token stays); `None` while somebody else's runs.

        `now` stands in for the store's own clock (virtual time). Whoever takes it after it ran out or was dropped has a token
        greater by one, the holder of before too: no token is given to two takings.
        """
        ...

    def find_lease(self, name: str, *, now: float | None = None) -> Lease | None:
        """Who holds it, with the seconds left; `None` where nobody does, or theirs ran out. Takes nothing."""
        ...

    def drop_lease(self, name: str, token: int) -> None:
        """Let it run out at once; no error where it is another's by now."""
        ...

    def add_fact(
        self, kind: str, workflow: str, subject: str, body: Json, *, author: str, at: str, fence: Fence | None = None
    ) -> int:
        """Write down a fact; gives its number."""
        ...

    def list_facts(
        self, workflow: str | None = None, *, kind: str | None = None, subject: str | None = None, after: int = 0
    ) -> Sequence[Fact]:
        """Oldest first; those numbered after `after`."""
        ...

    def newest_fact(self, kind: str, subject: str) -> Fact | None:
        """The last of its kind on a subject, found without reading the others; `None` where there is none."""
        ...
