"""An upgrade as its log: how it was opened, and every decision and action since. Pure; the store keeps both, append-only.

Each entry holds the state it led to, so that reading is cheap; `faults_of` folds the entries anew and says where they disagree.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import Field

from segue.model.base import Frozen, Json
from segue.model.bundle import Digest
from segue.model.plan import Plan
from segue.upgrade.state import UpgradeState
from segue.upgrade.table import Effect, Event


class Opening(Frozen):
    """How an upgrade began. The plan is kept whole, with the rates, directions and slices it left to others filled in: editing
    a file later changes no upgrade under way. `critical` are the workflow's critical slices, as `name=value`. `despite` are the
    ways in which upgrades go wrong that `by` was warned of and went on in spite of, for `reason`.
    """

    upgrade: str = Field(min_length=1)
    workflow: str = Field(min_length=1)
    environment: str = "production"
    incumbent: Digest
    candidate: Digest
    plan: Plan
    plan_name: str = ""
    critical: tuple[str, ...] = ()
    despite: tuple[str, ...] = ()
    by: str = Field(min_length=1)
    reason: str = ""
    at: float

    @property
    def state(self) -> UpgradeState:
        """Before the first entry."""
        return UpgradeState(
            upgrade=self.upgrade,
            workflow=self.workflow,
            environment=self.environment,
            incumbent=self.incumbent,
            candidate=self.candidate,
            entered_at=self.at,
        )


class UpgradeEntry(Frozen):
    """One decision or action. `by` is empty where evidence decided; `evidence` is what it was made on, as far as it is JSON.

    `number` counts from 1 without gaps and is `state.number`. The effects are named by it.
    """

    upgrade: str = Field(min_length=1)
    number: int = Field(ge=1)
    event: Event
    by: str = ""
    at: float
    because: tuple[str, ...] = ()
    effects: tuple[Effect, ...] = ()
    evidence: dict[str, Json] = Field(default_factory=dict)
    state: UpgradeState


@dataclass(frozen=True, slots=True)
class Upgrade:
    """An upgrade as it stands, with its whole log, oldest entry first."""

    opening: Opening
    entries: tuple[UpgradeEntry, ...] = ()

    @property
    def state(self) -> UpgradeState:
        """After the last entry."""
        return self.entries[-1].state if self.entries else self.opening.state

    @property
    def plan(self) -> Plan:
        """As it was when the upgrade was opened."""
        return self.opening.plan

    @property
    def despite(self) -> tuple[str, ...]:
        """The ways in which upgrades go wrong that somebody answers for: at the opening, and for the candidate there is now."""
        replaced = next((one for one in reversed(self.entries) if one.event == "replace"), None)
        given = None if replaced is None else replaced.evidence.get("despite")
        return tuple(str(one) for one in given) if isinstance(given, list) else self.opening.despite


def faults_of(upgrade: Upgrade) -> Sequence[str]:
    """Where the log contradicts itself: numbers with gaps, other people's entries, a time before the one before."""
    faults = []
    for place, entry in enumerate(upgrade.entries, 1):
        if entry.number != place or entry.state.number != place:
            faults.append(f"Entry {place} says that it is number {entry.number}.")
        if entry.upgrade != upgrade.opening.upgrade or entry.state.upgrade != entry.upgrade:
            faults.append(f"Entry {place} is of upgrade {entry.upgrade}.")
    return faults
