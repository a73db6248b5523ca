"""The memory store's upgrades, leases and facts."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

from segue.model import Json, digest_of
from segue.store import chain
from segue.store.audit import StoredRecord, digest_now, record_now
from segue.store.encoding import decode_json, encode_json
from segue.store.upgrade_rules import (
    check_entry,
    check_fence,
    check_lease,
    check_opening,
    check_record,
    entry_taken,
    no_upgrade,
    pick_upgrade,
)
from segue.store.upgrades import Fact, Fence, Lease, UnderWay, UpgradeRecord


@dataclass(frozen=True)
class _Entry:
    body: Json
    ends: bool
    author: str
    at: str


@dataclass
class _Held:
    """An upgrade as it is kept: how it was opened, and its entries so far."""

    workflow: str
    environment: str
    opening: Json
    author: str
    at: str
    entries: list[_Entry] = field(default_factory=list)

    @property
    def is_ended(self) -> bool:
        return bool(self.entries) and self.entries[-1].ends


@dataclass(frozen=True)
class _Taken:
    """A lease. `until` is `None` once it was dropped."""

    holder: str
    token: int
    until: float | None


class MemoryUpgrades:
    """Bodies are copied when they come in, and shared by those who read. The store that this is a part of has the lock, the
    log and the clock.
    """

    _clock: Callable[[], float]

    def __init__(self) -> None:
        self._upgrades: dict[str, _Held] = {}
        self._leases: dict[str, _Taken] = {}
        self._facts: list[Fact] = []
        self._facts_about: dict[str, list[Fact]] = {}

    @abstractmethod
    def _open(self) -> AbstractContextManager[Any]: ...

    @abstractmethod
    def _vouch(self, kind: str, subject: str, body: dict[str, Json], record: Json, author: str, at: str) -> None: ...

    def open_upgrade(self, upgrade: str, workflow: str, environment: str, opening: Json, *, author: str, at: str) -> None:
        digest = check_record(opening, upgrade=upgrade, workflow=workflow, environment=environment)
        with self._open():
            still = (name for name, one in self._upgrades.items() if not one.is_ended and _is_of(one, workflow, environment))
            check_opening(upgrade, workflow, environment, upgrade in self._upgrades, next(still, None))
            held = _Held(workflow, environment, _copied(opening), author, at)
            body: dict[str, Json] = {"workflow": workflow, "environment": environment}
            record = chain.upgrade_record(upgrade, workflow, environment, digest, author, at)
            self._vouch(chain.UPGRADE_OPENED, upgrade, body, record, author, at)
            self._upgrades[upgrade] = held

    def add_upgrade_entry(
        self, upgrade: str, number: int, entry: Json, *, ends: bool, fence: Fence | None, author: str, at: str
    ) -> None:
        digest = check_record(entry)
        with self._open():
            self._check_fence(fence)
            if upgrade not in self._upgrades:
                raise no_upgrade(upgrade, list(self._upgrades))
            entries = self._upgrades[upgrade].entries
            if 0 < number <= len(entries):
                before = entries[number - 1]
                if before.ends != ends or digest_of(before.body) != digest:
                    raise entry_taken(upgrade, number, len(entries))
                return
            check_entry(upgrade, number, len(entries), self._upgrades[upgrade].is_ended)
            added = _Entry(_copied(entry), ends, author, at)
            body = chain.entry_summary(entry, ends)
            record = chain.entry_record(upgrade, number, digest, ends, author, at)
            self._vouch(chain.UPGRADE_ENTRY, chain.entry_subject(upgrade, number), body, record, author, at)
            entries.append(added)

    def get_upgrade(self, ref: str) -> UpgradeRecord:
        with self._open():
            name = pick_upgrade(ref, list(self._upgrades))
            return _as_record(name, self._upgrades[name])

    def list_upgrades(
        self,
        workflow: str | None = None,
        environment: str | None = None,
        *,
        only_open: bool = False,
        most: int | None = None,
    ) -> list[UpgradeRecord]:
        with self._open():
            held = [(name, one) for name, one in self._upgrades.items() if _is_of(one, workflow, environment)]
            asked = [(name, one) for name, one in reversed(held) if not (only_open and one.is_ended)]
            return [_as_record(name, one) for name, one in asked[:most]]

    def ended_upgrades(self, environment: str) -> list[str]:
        with self._open():
            return [name for name, one in self._upgrades.items() if one.is_ended and one.environment == environment]

    def _under_way(self, workflow: str, environment: str) -> UnderWay | None:
        for name, one in self._upgrades.items():
            if _is_of(one, workflow, environment) and not one.is_ended:
                return UnderWay(name, workflow, one.opening)
        return None

    # leases
    def take_lease(self, name: str, holder: str, seconds: float, *, now: float | None = None) -> Lease | None:
        check_lease(name, holder, seconds, now)
        with self._open():
            now = self._clock() if now is None else now
            held = self._leases.get(name)
            token = 1
            if held is not None:
                runs = held.until is not None and held.until > now
                if runs and held.holder != holder:
                    return None
                token = held.token if runs else held.token + 1
            self._leases[name] = _Taken(holder, token, now + seconds)
            return Lease(name, holder, token, seconds)

    def find_lease(self, name: str, *, now: float | None = None) -> Lease | None:
        with self._open():
            now = self._clock() if now is None else now
            held = self._leases.get(name)
            if held is None or held.until is None or held.until <= now:
                return None
            return Lease(name, held.holder, held.token, held.until - now)

    def drop_lease(self, name: str, token: int) -> None:
        with self._open():
            held = self._leases.get(name)
            if held is not None and held.token == token:
                self._leases[name] = _Taken(held.holder, token, None)

    def _check_fence(self, fence: Fence | None) -> None:
        if fence is not None:
            held = self._leases.get(fence.name)
            check_fence(fence, None if held is None else held.token)

    # facts
    def add_fact(
        self, kind: str, workflow: str, subject: str, body: Json, *, author: str, at: str, fence: Fence | None = None
    ) -> int:
        digest = check_record(body, kind=kind, workflow=workflow, subject=subject)
        with self._open():
            self._check_fence(fence)
            fact = Fact(len(self._facts) + 1, kind, workflow, subject, _copied(body), author, at)
            named = chain.fact_subject(fact.number, kind, subject)
            record = chain.fact_record(fact.number, kind, workflow, subject, digest, author, at)
            self._vouch(chain.FACT_NOTED, named, {"workflow": workflow}, record, author, at)
            self._facts.append(fact)
            self._facts_about.setdefault(subject, []).append(fact)
            return fact.number

    def list_facts(
        self, workflow: str | None = None, *, kind: str | None = None, subject: str | None = None, after: int = 0
    ) -> Sequence[Fact]:
        with self._open():
            facts = self._facts[max(0, after) :] if subject is None else self._facts_about.get(subject, [])
            return [
                one for one in facts if one.number > after and workflow in (None, one.workflow) and kind in (None, one.kind)
            ]

    def newest_fact(self, kind: str, subject: str) -> Fact | None:
        with self._open():
            return next((one for one in reversed(self._facts_about.get(subject, [])) if one.kind == kind), None)

    def _upgrade_records(self) -> Iterator[StoredRecord]:
        """As they are now, for the audit."""
        for name, held in self._upgrades.items():
            digest = digest_now(held.opening)
            record = chain.upgrade_record(name, held.workflow, held.environment, digest, held.author, held.at)
            yield record_now(chain.UPGRADE_OPENED, name, record)
            for number, one in enumerate(held.entries, 1):
                record = chain.entry_record(name, number, digest_now(one.body), one.ends, one.author, one.at)
                yield record_now(chain.UPGRADE_ENTRY, chain.entry_subject(name, number), record)
        for fact in self._facts:
            record = chain.fact_record(
                fact.number, fact.kind, fact.workflow, fact.subject, digest_now(fact.body), fact.author, fact.at
            )
            yield record_now(chain.FACT_NOTED, chain.fact_subject(fact.number, fact.kind, fact.subject), record)


def _is_of(held: _Held, workflow: str | None, environment: str | None) -> bool:
    return workflow in (None, held.workflow) and environment in (None, held.environment)


def _as_record(name: str, held: _Held) -> UpgradeRecord:
    entries = tuple(one.body for one in held.entries)
    return UpgradeRecord(name, held.workflow, held.environment, held.opening, entries, held.author, held.at)


def _copied(body: Json) -> Json:
    return decode_json(encode_json(body))
