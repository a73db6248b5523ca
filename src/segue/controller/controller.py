"""The controller: one tick after the other, it observes every open upgrade, decides, writes down, and carries out.

It remembers nothing that matters: log and route are read anew at each tick. An entry is written before its effects are begun,
under a lease and on its number, so that of two controllers only one decides, and one that slept through its lease writes
nothing. What an entry asked for and no fact says was done is carried out first, whoever wrote the entry.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from segue.controller.effects import AUTHOR, DONE, Effects, iso
from segue.controller.observing import Observed, again, observe
from segue.controller.reading import read_record
from segue.controller.world import World
from segue.errors import ConflictError, FencedError, SegueError
from segue.gateway.telemetry.failing import trail_of
from segue.store.upgrades import Fence
from segue.upgrade.decide import Decision, decide
from segue.upgrade.event import DAY_S
from segue.upgrade.log import Upgrade, UpgradeEntry
from segue.upgrade.table import LIVE

LEASE_S = 15.0
"""So long one acts after its last tick; then another may."""
SCAN_S = 60.0
"""How often ended upgrades are looked through for effects that nobody carried out."""
LOOKS_A_CYCLE = 24
"""How often what was seen is written down where nothing follows from it, for whoever asks how things stand."""
LOOK = "look"
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
    _token: int = 0
    _scanned: float | None = None
    _pending: set[str] = field(default_factory=set)
    _looked: dict[str, float] = field(default_factory=dict)

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
        if is_new or self._scanned is None or not 0 <= now - self._scanned < SCAN_S:
            self._pending |= {one.opening.upgrade for one in self._ended()}
            self._scanned = now
        effects = Effects(self.world, Fence(self.lease, lease.token))
        done = []
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
                fix = "It is tried again at the next look. Report it, with this line; to be safe: segue rollback WORKFLOW."
                done.append(Took(upgrade, fault=SegueError(f"It went wrong inside Segue ({trail_of(error)}).", fix=fix)))
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
            yield read_record(record)
        for name in sorted(self._pending - known):
            yield read_record(self.world.store.get_upgrade(name))
        self._pending |= known

    def _ended(self) -> Iterator[Upgrade]:
        for record in self.world.store.list_upgrades(environment=self.environment):
            upgrade = read_record(record)
            if upgrade.state.is_ended and self._undone(upgrade):
                yield upgrade

    def _lead(self, effects: Effects, upgrade: Upgrade, now: float) -> Took:
        """What is undone, then look, decide and act until nothing more follows."""
        for entry in self._undone(upgrade):
            effects.carry_out(upgrade, entry, now)
        if upgrade.state.is_ended:
            self._pending.discard(upgrade.opening.upgrade)
            return Took(upgrade)
        if upgrade.state.stage in LIVE:
            self.world.suites.keep_up(upgrade, now)
        written: list[UpgradeEntry] = []
        found = observe(self.world, upgrade, now)
        while len(written) < MOST:
            decision = decide(upgrade.state, found.seen, upgrade.plan)
            if decision is None:
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
            found = observe(self.world, upgrade, now) if is_elsewhere else again(self.world, upgrade, found)
        self._note_look(effects.fence, upgrade, found, now)
        return Took(upgrade, tuple(written), found)

    def _note_look(self, fence: Fence, upgrade: Upgrade, found: Observed, now: float) -> None:
        """What was seen, a few times a cycle: for people and screens. No decision reads it."""
        opening = upgrade.opening
        last = self._looked.get(opening.upgrade)
        each = upgrade.plan.cycle * DAY_S / LOOKS_A_CYCLE
        if found.live is None or (last is not None and 0 <= now - last < each):
            return
        body = found.as_json()
        self.world.store.add_fact(LOOK, opening.workflow, opening.upgrade, body, author=AUTHOR, at=iso(now), fence=fence)
        self._looked[opening.upgrade] = now

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
