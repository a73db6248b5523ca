"""Where an upgrade stands. The fold of its log: nothing is in here that its entries do not say.

Times are seconds since the epoch, UTC, as they are passed in.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from segue.model.base import Frozen
from segue.model.bundle import Digest

Stage = Literal[
    "decide", "eval", "retune", "staging", "shadow", "canary", "soak", "completed", "rolled_back", "stopped", "deferred"
]
Standing = Literal["going", "holding", "paused"]
"""holding: something is wrong, and people look. paused: a person stopped the clock. Share and stage stay as they are."""
Role = Literal["operator", "approver", "rescuer"]
"""operator: may hold, resume, and advance with a reason. approver: may say yes where the plan asks for it. rescuer: may roll
back."""

ORDER: tuple[Stage, ...] = ("decide", "eval", "staging", "shadow", "canary", "soak", "completed")
"""The way of a good candidate."""
ENDED: frozenset[Stage] = frozenset(("completed", "rolled_back", "stopped", "deferred"))
OFFLINE: frozenset[Stage] = frozenset(("decide", "eval", "retune", "staging"))
"""No live request meets the candidate."""
EXPOSED: frozenset[Stage] = frozenset(("canary", "soak"))
"""Users meet the candidate, so there is something to roll back."""


class Period(Frozen):
    """A stretch in which a stage's time counts: from the last gateway's confirmation until it is held, paused or left, or a
    gateway that lives does not serve the route any more.
    """

    begin: float
    end: float | None = None


class Approval(Frozen):
    """A named person's yes to leaving one step."""

    by: str = Field(min_length=1)
    reason: str = Field(min_length=1)
    at: float


class UpgradeState(Frozen):
    """An upgrade after `number` entries of its log. `step` counts the canary's steps from 0 and stays 0 elsewhere."""

    upgrade: str = Field(min_length=1)
    workflow: str = Field(min_length=1)
    environment: str = "production"
    incumbent: Digest
    candidate: Digest
    stage: Stage = "decide"
    standing: Standing = "going"
    step: int = Field(default=0, ge=0)
    entered_at: float
    periods: tuple[Period, ...] = ()
    approvals: tuple[Approval, ...] = ()
    asked_for_approval: bool = False
    held_by: str = ""
    """The event that holds it; empty where nothing does, or a person."""
    held_for: tuple[str, ...] = ()
    """The parts of that event which a person who resumes takes upon them, by name (`accepting.py`)."""
    because: tuple[str, ...] = ()
    accepted: tuple[str, ...] = ()
    """What somebody with a reason decided to go on in spite of, in this step, by name (`accepting.py`)."""
    going_since: float = 0.0
    """When this stage or step was entered or resumed last: patience begins there."""
    lasts_from_s: float | None = None
    """How much of its time had counted when somebody resumed it at its longest length, which begins anew there."""
    evidence_from: float = 0.0
    """What was served before counts for nothing here: set on entering shadow, canary and soak, and by fresh evidence. The
    canary's steps share one process, so it stays through them."""
    restarts: int = Field(default=0, ge=0)
    """How often this stage's evidence began anew since the stage was entered."""
    number: int = Field(default=0, ge=0)

    @property
    def is_ended(self) -> bool:
        """Nothing follows any more."""
        return self.stage in ENDED

    @property
    def is_exposed(self) -> bool:
        """Users meet the candidate."""
        return self.stage in EXPOSED

    def counted_s(self, now: float, *, since: float = 0.0) -> float:
        """How long the clock of this stage or step has run, perhaps since some moment: its periods, the last of which may run
        still. Seconds.
        """
        return sum(max(0.0, (now if one.end is None else one.end) - max(one.begin, since)) for one in self.periods)

    @property
    def is_counting(self) -> bool:
        """Its time runs."""
        return bool(self.periods) and self.periods[-1].end is None
