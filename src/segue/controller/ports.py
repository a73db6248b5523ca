"""What the controller needs of the world, and nothing about how it is had. The rehearsal has the same ports on virtual time.

Each port is asked at every tick and answers at once, from what it knows; whatever takes long goes on elsewhere. What is not
known is `None`. Starting something twice under one name starts it once: names are `upgrade` and the number of the entry.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from segue.evidence.sequential.verdicts import Judgement
from segue.model import Json
from segue.model.route import RouteRevision
from segue.store.upgrades import Fence
from segue.upgrade.log import Upgrade, UpgradeEntry
from segue.upgrade.seen import OverBudget, SuiteSeen

Clock = Callable[[], float]
"""Seconds since the epoch, UTC."""


@dataclass(frozen=True, slots=True)
class LiveSeen:
    """What live traffic shows of the stage an upgrade is in. `None` is unknown.

    `covered_s`: of the time this stage's periods have, how much was at full shadow coverage (shadow), or simply all of it.
    `missing` names, in sentences, what of the stage's evidence is not there yet; empty if all is. `figures` are for people.
    """

    judgement: Judgement | None = None
    missing: tuple[str, ...] | None = None
    quiet_s: float | None = None
    covered_s: float = 0.0
    incidents: tuple[str, ...] = ()
    over_budget: tuple[OverBudget, ...] = ()
    disagreements: tuple[str, ...] = ()
    figures: Mapping[str, Json] = field(default_factory=dict)


class LiveEvidence(Protocol):
    """Reads the exchange log. May remember what it read, and must come to the same result having remembered nothing."""

    def look(self, upgrade: Upgrade, now: float) -> LiveSeen:
        """Of shadow, canary and soak."""
        ...


class Grounds(Protocol):
    """Stage 0: whether there is a reason and a usable suite."""

    def missing(self, upgrade: Upgrade) -> tuple[str, ...] | None:
        """What speaks against beginning, in sentences; empty if nothing does."""
        ...


class Suites(Protocol):
    """The regression eval of both bundles, and the daily one through the production endpoint."""

    def start(self, upgrade: Upgrade, number: int) -> None:
        """Begin the regression eval that entry `number` asked for; once, whatever happens."""
        ...

    def seen(self, upgrade: Upgrade) -> SuiteSeen | None:
        """The verdict on this candidate against this incumbent that was asked for last. A run that broke is a *hold*."""
        ...

    def standstill(self, upgrade: Upgrade) -> Standstill | None:
        """What is waited for while nothing is known; asked only where that has lasted."""
        ...

    def keep_up(self, upgrade: Upgrade, now: float) -> None:
        """Begin today's eval through the production endpoint, where it is due and none runs."""
        ...


class Staging(Protocol):
    """Recorded traffic replayed in staging, the contract and the team's own integration command."""

    def start(self, upgrade: Upgrade, number: int) -> None:
        """Begin what entry `number` asked for; once."""
        ...

    def seen(self, upgrade: Upgrade) -> tuple[bool | None, tuple[str, ...]]:
        """Whether staging was passed, and why not."""
        ...

    def standstill(self, upgrade: Upgrade) -> Standstill | None:
        """What is waited for while nothing is known; asked only where that has lasted."""
        ...


class Gateways(Protocol):
    """The data plane, as far as it says what it serves."""

    def serve(self, revision: RouteRevision) -> bool:
        """Whether every gateway that lives serves this revision. None at all serve nothing."""
        ...

    def tell(self, revision: RouteRevision) -> None:
        """Tell those that can be told at once; the others hear of it from the store."""
        ...


@dataclass(frozen=True, slots=True)
class Unheard:
    """For how long nothing is known of the incumbent, counted from when it was first asked at the earliest; and why."""

    for_s: float
    reason: str = ""


class Incumbent(Protocol):
    """The bundle to go back to."""

    def answers(self, upgrade: Upgrade, now: float) -> bool | None:
        """What the last probe of the incumbent said. Probing goes on elsewhere."""
        ...

    def unheard(self, upgrade: Upgrade, now: float) -> Unheard | None:
        """How long that has been unknown; `None` where it is known."""
        ...


@dataclass(frozen=True, slots=True)
class Standstill:
    """What an offline stage waits for, in a sentence with what to do; and when it last moved, as far as that is known."""

    what: str
    moved_at: float | None = None


@dataclass(frozen=True, slots=True)
class LedFault:
    """Since when an upgrade cannot be led on, why, and what to do. `since` stays where only the reason changes."""

    since: float
    what: str
    fix: str = ""


LedFaultTold = Callable[[Upgrade, LedFault, float, Fence | None], None]
"""Hears of a fault that lasts, perhaps more than once; whoever is told is told once."""


class Notices(Protocol):
    """Whoever wants to hear of it."""

    def send(self, upgrade: Upgrade, entry: UpgradeEntry) -> None:
        """Tell them of an entry; once more after a crash does no harm, for it has a name. Never raises, never waits."""
        ...
