"""What people are shown of an upgrade, as typed values: the same for terminal, JSON, API and dashboard.

Built by `segue.controller.views`, rendered by `upgrade_terminal` and `upgrade_log_terminal`. `as_json` gives the shape that
`docs/controller.md` describes, and a test compares the two. Moments are UTC, ISO 8601; lengths are seconds; unknown is `None`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from segue.gates.report import plain
from segue.model import Json

ANYBODY = "whoever may run the command"
"""Who has to do something where the plan names nobody for it."""
PlaceStanding = Literal["behind", "here", "ahead", "left"]
"""left: it ended there, and did not pass."""


@dataclass(frozen=True, slots=True)
class BundleView:
    """A bundle: its digest, the label that points to it, and the model it asks. Empty where the store does not say."""

    digest: str
    label: str = ""
    model: str = ""

    @property
    def name(self) -> str:
        """As people call it."""
        return self.label or self.digest[:10]


@dataclass(frozen=True, slots=True)
class PlaceView:
    """A stage or step of the way. `share` is the most of everyone that it gives the candidate; `segment` whom alone."""

    name: str
    standing: PlaceStanding
    share: float | None = None
    segment: str | None = None


@dataclass(frozen=True, slots=True)
class ClockView:
    """The stage's own time: how much has counted, how much it needs, after how much a person has to decide."""

    served_s: float
    least_s: float
    longest_s: float
    counts: bool

    @property
    def left_s(self) -> float:
        """Until it may be left."""
        return max(0.0, self.least_s - self.served_s)


@dataclass(frozen=True, slots=True)
class GateView:
    """One metric on one slice (empty: everyone) as it was judged last.

    `effect`, `low` and `high` are how much worse the candidate is, in `unit`. `settled_by` is what would settle an open one.
    """

    metric: str
    where: str
    verdict: str
    sentence: str
    hold: str = ""
    rollback: str = ""
    is_required: bool = True
    is_critical: bool = False
    unit: str = ""
    effect: float | None = None
    low: float | None = None
    high: float | None = None
    exposed: int = 0
    labelled: int = 0
    settled_by: int | None = None
    settled_in_days: float | None = None


@dataclass(frozen=True, slots=True)
class LookView:
    """What the controller saw last, and when. `is_old`: longer ago than looks are apart while one acts."""

    at: str
    age_s: float
    is_old: bool
    gates: tuple[GateView, ...] = ()
    missing: tuple[str, ...] | None = None
    over_budget: tuple[str, ...] = ()
    disagreements: tuple[str, ...] = ()
    incidents: tuple[str, ...] = ()
    quiet_s: float | None = None
    figures: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NextView:
    """One thing that happens next: what, when at the earliest, who has to do it, and the command that does it."""

    what: str
    at: str | None = None
    who: tuple[str, ...] = ()
    command: str = ""


@dataclass(frozen=True, slots=True)
class ControllerView:
    """Who holds the lease of the environment; empty where nobody does. `looked_s` ago it looked at this upgrade."""

    holder: str = ""
    seconds_left: float | None = None

    @property
    def acts(self) -> bool:
        """Whether anybody does."""
        return bool(self.holder)


@dataclass(frozen=True, slots=True)
class GatewayView:
    """A gateway of the environment, and the revision of this workflow's route that its slowest worker serves."""

    name: str
    revision: int | None
    age_s: float
    fault: str = ""


@dataclass(frozen=True, slots=True)
class SoakFactView:
    """One thing known beside the gates: daily evals, probes, reading, tickets, cost. `figures` are for programs."""

    name: str
    sentence: str
    is_trouble: bool = False
    figures: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FaultView:
    """Why it cannot be led on at present, since when, and what to do."""

    since: str
    what: str
    fix: str = ""


@dataclass(frozen=True, slots=True)
class StatusView:
    """One screen."""

    upgrade: str
    workflow: str
    environment: str
    at: str
    incumbent: BundleView
    candidate: BundleView
    plan: str
    opened_by: str
    opened_at: str
    reason: str
    despite: tuple[str, ...]
    stage: str
    standing: str
    step: int | None
    steps: int
    share: float
    entered_at: str
    entries: int
    because: tuple[str, ...]
    places: tuple[PlaceView, ...]
    clock: ClockView | None
    approvals: tuple[str, ...]
    look: LookView | None
    next: tuple[NextView, ...]
    controller: ControllerView
    revision: int | None
    gateways: tuple[GatewayView, ...]
    beside: tuple[SoakFactView, ...] = ()
    fault: FaultView | None = None

    def as_json(self) -> dict[str, Any]:
        """For a program."""
        found: dict[str, Any] = plain(self)
        if self.clock is not None:
            found["clock"]["left_s"] = self.clock.left_s
        return found


@dataclass(frozen=True, slots=True)
class EntryView:
    """One entry of the log. Number 0 is the opening. `by` is empty where evidence decided."""

    number: int
    at: str
    event: str
    by: str
    place: str
    came_from: str
    because: tuple[str, ...]
    effects: tuple[str, ...] = ()
    undone: tuple[str, ...] = ()
    """Effects that nothing says were carried out yet."""


@dataclass(frozen=True, slots=True)
class LearningView:
    """What somebody says the upgrade taught, and about what."""

    at: str
    by: str
    about: str
    text: str


@dataclass(frozen=True, slots=True)
class HistoryView:
    """The whole log of an upgrade, oldest first."""

    upgrade: str
    workflow: str
    environment: str
    entries: tuple[EntryView, ...]
    learnings: tuple[LearningView, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """For a program."""
        found: dict[str, Any] = plain(self)
        return found


@dataclass(frozen=True, slots=True)
class SuiteView:
    """The regression gate's verdict a decision rests on."""

    outcome: str
    verdict: str
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WhyView:
    """One decision with its evidence: numbers, limits, sentences. `evidence` is what the log has, as it has it."""

    upgrade: str
    workflow: str
    environment: str
    entry: EntryView
    seen_at: str | None
    gates: tuple[GateView, ...]
    suite: SuiteView | None
    missing: tuple[str, ...] | None
    others: tuple[str, ...]
    revision: int | None
    served_s: float | None
    key: str
    evidence: Mapping[str, Json]

    def as_json(self) -> dict[str, Any]:
        """For a program."""
        found: dict[str, Any] = plain(self)
        return found
