"""Faults with which an upgrade cannot be led on, kept as facts: written when one begins, changes or ends, not at each look.

Status and API show the one that stands, and one that lasts is told to those who want to hear when people are needed. What keeps
whom from what is the controller's to say; here nothing is decided. Next: `notices_troubles.py`, for what is told.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from segue.controller.effects import AUTHOR
from segue.controller.moments import iso
from segue.controller.ports import LedFault, LedFaultTold
from segue.errors import FencedError, SegueError
from segue.model import Json
from segue.store.upgrades import Fence, UpgradeRecord, UpgradeStore
from segue.upgrade.log import Opening, Upgrade, UpgradeEntry

LED_FAULT = "led-fault"
"""The kind of fact. Its subject is the upgrade."""
LASTS_S = 300.0
"""So long one may last before anybody is told: most mend themselves."""
LEAST_APART_S = 60.0
"""So long after the last fact another fault is written down: one that comes and goes at every look fills no log."""


def standing_fault(store: UpgradeStore, upgrade: str) -> LedFault | None:
    """The fault that was written down last, unless it has ended."""
    fact = store.newest_fact(LED_FAULT, upgrade)
    body: Any = None if fact is None else fact.body
    if not isinstance(body, dict) or body.get("standing") == "ended" or not isinstance(body.get("since"), int | float):
        return None
    return LedFault(float(body["since"]), str(body.get("what", "")), str(body.get("fix", "")))


def as_fault(error: SegueError, since: float) -> LedFault:
    """The error's own words, and what it says to do; of several faults the first one's."""
    fix = error.fix or " ".join(one.sentence() for one in error.faults[:1])
    return LedFault(since, error.what, fix)


def as_far_as_readable(record: UpgradeRecord) -> Upgrade | None:
    """What can be read of a record that is damaged, for whom to tell; `None` where not even who that is can be read."""
    try:
        opening = Opening.model_validate(record.opening)
    except ValidationError:
        return None
    entries: list[UpgradeEntry] = []
    for body in record.entries:
        try:
            entries.append(UpgradeEntry.model_validate(body))
        except ValidationError:
            break
    return Upgrade(opening, tuple(entries)) if opening.upgrade == record.upgrade else None


@dataclass
class LedFaults:
    """Of one holder of the lease: what it knows of facts holds as long as nobody else acts."""

    store: UpgradeStore
    told: LedFaultTold
    _known: dict[str, LedFault | None] = field(default_factory=dict)
    _written: dict[str, float] = field(default_factory=dict)
    _told: set[tuple[str, float]] = field(default_factory=set)

    def note(self, name: str, workflow: str, error: SegueError | None, now: float, fence: Fence) -> LedFault | None:
        """What stands by now. A store that takes no fact is tried at the next look; `FencedError` where somebody else acts."""
        try:
            return self._note(name, workflow, error, now, fence)
        except FencedError:
            raise
        except SegueError:
            return None

    def tell(self, upgrade: Upgrade, fault: LedFault, now: float, fence: Fence) -> None:
        """Where it lasts, once. That somebody cannot be told keeps nobody from anything: it is tried at the next look."""
        key = (upgrade.opening.upgrade, fault.since)
        if now - fault.since < LASTS_S or key in self._told:
            return
        try:
            self.told(upgrade, fault, now, fence)
        except FencedError:
            raise
        except SegueError:
            return
        self._told.add(key)

    def _note(self, name: str, workflow: str, error: SegueError | None, now: float, fence: Fence) -> LedFault | None:
        if name not in self._known:
            self._known[name] = standing_fault(self.store, name)
        known = self._known[name]
        if error is None:
            if known is not None:
                self._write(name, workflow, "ended", known, now, fence)
                self._known[name] = None
            return None
        found = as_fault(error, now if known is None else known.since)
        if found != known and not 0 <= now - self._written.get(name, now - LEAST_APART_S) < LEAST_APART_S:
            self._write(name, workflow, "begun" if known is None else "changed", found, now, fence)
            self._known[name] = found
        return self._known[name]

    def _write(self, name: str, workflow: str, standing: str, fault: LedFault, now: float, fence: Fence) -> None:
        body: dict[str, Json] = {"standing": standing, "since": fault.since, "what": fault.what, "fix": fault.fix}
        self.store.add_fact(LED_FAULT, workflow, name, body, author=AUTHOR, at=iso(now), fence=fence)
        self._written[name] = now
