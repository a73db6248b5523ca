"""The controller: one tick after the other, it observes every open upgrade, decides, writes down, and carries out.

It remembers nothing that matters: log and route are read anew at each tick. An entry is written before its effects are begun,
under a lease and on its number, so that of two controllers only one decides, and one that slept through its lease writes
nothing. What an entry asked for and no fact says was done is carried out first, whoever wrote the entry.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import ParamSpec

from segue.controller.confirming import Confirmations
from segue.controller.effects import AUTHOR, DONE, Effects
from segue.controller.led_faults import LedFaults, as_far_as_readable
from segue.controller.moments import iso
from segue.controller.observing import Observed, again, observe
from segue.controller.reading import read_record
from segue.controller.world import World
from segue.errors import ConflictError, FencedError, SegueError, TamperError
from segue.gateway.telemetry.failing import trail_of
from segue.store.upgrades import Fence, UpgradeRecord
from segue.upgrade.decide import Decision, decide
from segue.upgrade.event import DAY_S
from segue.upgrade.log import Upgrade, UpgradeEntry
from segue.upgrade.table import LIVE

P = ParamSpec("P")
LEASE_S = 15.0
"""So long one acts after its last tick; then another may."""
SCAN_S = 60.0
"""How often ended upgrades are looked through for effects that nobody carried out."""
LOOKS_A_CYCLE = 24
"""How often what was seen is written down where nothing follows from it, for whoever asks how things stand."""
LOOK = "look"
TAKES_BACK = frozenset(("critical_incident", "harm"))
"""What is decided even while an earlier effect cannot be carried out: nothing may stand between harm and its end."""
MOST = 12
"""Decisions of one upgrade in one tick: a flip, its confirmation and what follows need a few."""


@dataclass(frozen=True, slots=True)
class Took:
    """What a tick did with one upgrade: the entries it wrote, or why it could not."""

    upgrade: Upgrade
    entries: tuple[UpgradeEntry, ...] = ()
    observed: Observed | None = None
    fault: SegueError | None = None


@dataclass
class Controller:
    """Of one environment. `holder` names this start of it. `tick` as often as looks are wanted."""

    world: World
    holder: str
    environment: str = "production"
    lease_s: float = LEASE_S
    keeps_time: bool = True
    """Whether the store's own clock counts the lease; else the world's does (virtual time)."""
    unreadable: dict[str, SegueError] = field(default_factory=dict)
    """By workflow, upgrades whose record could not be read at the last tick: nothing can be decided on them."""
    _token: int = 0
    _scanned: float | None = None
    _pending: set[str] = field(default_factory=set)
    _settled: set[str] = field(default_factory=set)
    """Upgrades that have ended with nothing left to do: nobody adds to one, so it need not be read again."""
    _looked: dict[str, float] = field(default_factory=dict)
    _confirmations: Confirmations = field(default_factory=Confirmations)
    _broken: list[tuple[UpgradeRecord, SegueError]] = field(default_factory=list)
    _faults: LedFaults | None = None

    @property
    def lease(self) -> str:
        """The name of the lease: one controller acts for an environment."""
        return f"controller/{self.environment}"

    def tick(self) -> list[Took] | None:
        """Everything that is due now; `None` while another controller acts. `StoreError` where the store does not answer."""
        now = self.world.clock()
        lease = self.world.store.take_lease(self.lease, self.holder, self.lease_s, now=None if self.keeps_time else now)
        if lease is None:
            self._token = 0
            return None
        is_new, self._token = lease.token != self._token, lease.token
        if is_new or self._faults is None:
            self._faults = LedFaults(self.world.store, self.world.led_fault)
        if is_new or self._scanned is None or not 0 <= now - self._scanned < SCAN_S:
            self._scan()
            self._scanned = now
        effects = Effects(self.world, Fence(self.lease, lease.token))
        done, self.unreadable, self._broken = [], {}, []
        for upgrade in self._due():
            try:
                done.append(self._lead(effects, upgrade, now))
            except FencedError:
                self._token = 0
                return None
            except SegueError as error:
                done.append(Took(upgrade, fault=error))
            except Exception as error:
                # A fault of ours on one upgrade must not leave the users of all others with nobody looking.
                done.append(Took(upgrade, fault=_as_fault(error)))
        try:
            self._note_faults(self._faults, done, effects.fence)
        except FencedError:
            # What was done was done under the lease.
            self._token = 0
        return done

    def leave(self) -> None:
        """Let somebody else act at once."""
        if self._token:
            self.world.store.drop_lease(self.lease, self._token)
            self._token = 0

    def _due(self) -> Iterator[Upgrade]:
        """The open upgrades, and those that have ended with something left to do."""
        known = set()
        for record in self.world.store.list_upgrades(environment=self.environment, only_open=True):
            known.add(record.upgrade)
            yield from self._read(record)
        for name in sorted(self._pending - known):
            yield from self._read(self.world.store.get_upgrade(name))
        self._pending |= known

    def _scan(self) -> None:
        """Ended upgrades, each read once: those that leave something to do are looked after until it is done."""
        store = self.world.store
        for name in store.ended_upgrades(self.environment):
            if name in self._settled or name in self._pending:
                continue
            try:
                upgrade = read_record(store.get_upgrade(name))
            except TamperError:
                # Tried again at the next scan: it may be mended from a backup.
                continue
            (self._pending if self._undone(upgrade) else self._settled).add(name)

    def _read(self, record: UpgradeRecord) -> Iterator[Upgrade]:
        """It, or nothing: one that was damaged, or is of another version of Segue, must not blind those who lead the others."""
        try:
            yield read_record(record)
        except TamperError as error:
            self.unreadable[record.workflow] = error
            self._broken.append((record, error))

    def _note_faults(self, faults: LedFaults, done: list[Took], fence: Fence) -> None:
        """What cannot be led on is written down, and told where it lasts; what can be again, too."""
        now = self.world.clock()
        found: list[tuple[str, str, SegueError | None, Upgrade | None]] = [
            (one.upgrade.opening.upgrade, one.upgrade.opening.workflow, one.fault, one.upgrade) for one in done
        ]
        found += [(one.upgrade, one.workflow, error, as_far_as_readable(one)) for one, error in self._broken]
        for name, workflow, error, upgrade in found:
            fault = faults.note(name, workflow, error, now, fence)
            if fault is not None and upgrade is not None:
                faults.tell(upgrade, fault, now, fence)

    def _lead(self, effects: Effects, upgrade: Upgrade, now: float) -> Took:
        """What is undone, then look, decide and act until nothing more follows."""
        fault = self._catch_up(effects, upgrade, now)
        if upgrade.state.is_ended:
            if fault is None:
                self._pending.discard(upgrade.opening.upgrade)
            return Took(upgrade, fault=fault)
        is_live = upgrade.state.stage in LIVE
        written: list[UpgradeEntry] = []
        found, now = self._timed(upgrade, observe(self.world, upgrade, now), now)
        while len(written) < MOST:
            decision = decide(upgrade.state, found.seen, upgrade.plan)
            if decision is None or (fault is not None and decision.event not in TAKES_BACK):
                break
            place = (upgrade.state.stage, upgrade.state.step)
            try:
                upgrade = self._write(effects.fence, upgrade, decision, found, now)
            except FencedError:
                raise
            except ConflictError:
                # A person acted meanwhile: their entry is read at the next tick.
                break
            written.append(upgrade.entries[-1])
            effects.carry_out(upgrade, upgrade.entries[-1], now)
            if upgrade.state.is_ended:
                self._pending.discard(upgrade.opening.upgrade)
                break
            is_elsewhere = (upgrade.state.stage, upgrade.state.step) != place
            seen = observe(self.world, upgrade, now) if is_elsewhere else again(self.world, upgrade, found)
            found, now = self._timed(upgrade, seen, now)
        has_noted = self._note_look(effects.fence, upgrade, found, now)
        if is_live and not upgrade.state.is_ended:
            if has_noted:
                fault = _attempt(self.world.troubles, upgrade, found.seen, now, effects.fence) or fault
            # After the look: a daily eval that cannot begin must not keep anybody from seeing harm.
            fault = _attempt(self.world.suites.keep_up, upgrade, now) or fault
        return Took(upgrade, tuple(written), found, fault)

    def _timed(self, upgrade: Upgrade, found: Observed, before: float) -> tuple[Observed, float]:
        """What was seen, with the moment after it was: a share that was confirmed meanwhile did not hold before."""
        now = max(before, self.world.clock())
        route = self._confirmations.timed(upgrade.opening.upgrade, found.seen.route, now)
        return replace(found, seen=replace(found.seen, at=now, route=route)), now

    def _catch_up(self, effects: Effects, upgrade: Upgrade, now: float) -> SegueError | None:
        """Carry out what entries asked for and no fact says was done; the first that could not be keeps back none after it."""
        faults = [_attempt(effects.carry_out, upgrade, entry, now) for entry in self._undone(upgrade)]
        return next((one for one in faults if one is not None), None)

    def _note_look(self, fence: Fence, upgrade: Upgrade, found: Observed, now: float) -> bool:
        """What was seen, a few times a cycle: for people and screens. No decision reads it. Whether it was time for one."""
        opening = upgrade.opening
        last = self._looked.get(opening.upgrade)
        each = upgrade.plan.cycle * DAY_S / LOOKS_A_CYCLE
        if found.live is None or (last is not None and 0 <= now - last < each):
            return False
        body = found.as_json()
        self.world.store.add_fact(LOOK, opening.workflow, opening.upgrade, body, author=AUTHOR, at=iso(now), fence=fence)
        self._looked[opening.upgrade] = now
        return True

    def _write(self, fence: Fence, upgrade: Upgrade, decision: Decision, found: Observed, now: float) -> Upgrade:
        opening = upgrade.opening
        entry = UpgradeEntry(
            upgrade=opening.upgrade,
            number=decision.state.number,
            event=decision.event,
            at=now,
            because=decision.because,
            effects=decision.effects,
            evidence=found.as_json(),
            state=decision.state,
        )
        self.world.store.add_upgrade_entry(
            opening.upgrade,
            entry.number,
            entry.model_dump(mode="json"),
            ends=entry.state.is_ended,
            fence=fence,
            author=AUTHOR,
            at=iso(now),
        )
        return Upgrade(opening, (*upgrade.entries, entry))

    def _undone(self, upgrade: Upgrade) -> list[UpgradeEntry]:
        """Entries with effects that no fact says were carried out."""
        if not upgrade.entries:
            return []
        facts = self.world.store.list_facts(upgrade.opening.workflow, kind=DONE, subject=upgrade.opening.upgrade)
        done = {one.body["number"] for one in facts if isinstance(one.body, dict)}
        return [one for one in upgrade.entries if one.effects and one.number not in done]


def _attempt(work: Callable[P, None], *given: P.args, **named: P.kwargs) -> SegueError | None:
    """Why it could not be done, `None` where it was. `FencedError` where another controller acts by now."""
    try:
        work(*given, **named)
    except FencedError:
        raise
    except SegueError as error:
        return error
    except Exception as error:
        return _as_fault(error)
    return None


def _as_fault(error: Exception) -> SegueError:
    """A fault of ours, as people are told of it."""
    fix = "It is tried again at the next look. Report it, with this line; to be safe: segue rollback WORKFLOW."
    return SegueError(f"It went wrong inside Segue ({trail_of(error)}).", fix=fix)
