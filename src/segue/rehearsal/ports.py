"""What else the controller meets in a rehearsal: data plane, eval, staging, incumbent and notices, on virtual time.

Each does what the real one would, as far as there is anything to do: the eval's verdict is that of a real eval on the same
models, the incumbent answers unless a trouble keeps it from it, and notices are kept for the story.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from segue.controller.ports import Standstill, Unheard
from segue.controller.suites_seen import suite_seen
from segue.gates.report import Report
from segue.model.route import RouteRevision
from segue.rehearsal.daily import DailyEvals
from segue.upgrade.log import Upgrade, UpgradeEntry
from segue.upgrade.seen import SuiteSeen

EVAL_S = 3_600.0
"""How long a regression eval takes, in the rehearsal's time."""


class RehearsedGrounds:
    """A rehearsal is its own ground: whether there is a reason to migrate is for people, before they begin for real."""

    def missing(self, upgrade: Upgrade) -> tuple[str, ...]:  # noqa: ARG002  the signature is the port's
        """Nothing."""
        return ()


@dataclass
class RehearsedSuites:
    """The verdict of the eval that was run on the same models, an hour after it was asked for."""

    digest: str
    report: Report
    clock: Callable[[], float]
    daily: DailyEvals
    _begun: dict[str, float] = field(default_factory=dict)

    def start(self, upgrade: Upgrade, number: int) -> None:
        """Once for each entry."""
        self._begun.setdefault(f"{upgrade.opening.upgrade} {number}", self.clock())

    def seen(self, upgrade: Upgrade) -> SuiteSeen | None:
        """`None` while it runs."""
        begun = [at for name, at in self._begun.items() if name.startswith(f"{upgrade.opening.upgrade} ")]
        if not begun or self.clock() < max(begun) + EVAL_S:
            return None
        return self.verdict

    @property
    def verdict(self) -> SuiteSeen:
        """What it will say."""
        return suite_seen(self.digest, self.report)

    def standstill(self, upgrade: Upgrade) -> Standstill | None:
        """It takes an hour."""

    def keep_up(self, upgrade: Upgrade, now: float) -> None:
        """Today's eval of both bundles, through the code that ships."""
        self.daily.keep_up(upgrade, now)


class ReadyGateways:
    """One gateway that serves the route in force at once: the rehearsal's traffic."""

    def serve(self, revision: RouteRevision) -> bool:  # noqa: ARG002  the signature is the port's
        return True

    def tell(self, revision: RouteRevision) -> None:
        """It looks by itself."""


@dataclass
class ProbedIncumbent:
    """Answers unless its provider is out."""

    is_out: Callable[[float], bool]

    def answers(self, upgrade: Upgrade, now: float) -> bool | None:  # noqa: ARG002  the signature is the port's
        return not self.is_out(now)

    def unheard(self, upgrade: Upgrade, now: float) -> Unheard | None:
        """It is always known."""


@dataclass
class KeptNotices:
    """What people would have been told, once for each entry."""

    sent: dict[tuple[str, int], UpgradeEntry] = field(default_factory=dict)

    def send(self, upgrade: Upgrade, entry: UpgradeEntry) -> None:
        self.sent[upgrade.opening.upgrade, entry.number] = entry
