"""What was observed of an upgrade at one moment. What is not known is `None`, and passes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from segue.evidence.sequential.verdicts import Judgement
from segue.gates.verdict import Outcome

RouteStanding = Literal["as asked", "unconfirmed", "rolled back", "changed"]
"""unconfirmed: in force, and some gateway has not said that it serves it. rolled back, changed: somebody else flipped it."""


@dataclass(frozen=True, slots=True)
class RouteSeen:
    """The route in force, beside the one this stage asks for. `by` and `reason` are of its revision.

    `has_other_incumbent`: somebody made a bundle the incumbent that this upgrade does not compare with. `unconfirmed_s`: how
    long it has been unconfirmed since it was last seen confirmed; `None` where nobody can say.
    """

    standing: RouteStanding
    revision: int
    by: str = ""
    reason: str = ""
    has_other_incumbent: bool = False
    unconfirmed_s: float | None = None


class OverBudget(NamedTuple):
    """A budget that is exceeded: what the plan calls it, and by how much, in a sentence."""

    budget: str
    sentence: str


@dataclass(frozen=True, slots=True)
class SuiteSeen:
    """The regression gate's verdict on this candidate against this incumbent: what it says, and whether there is a reason."""

    outcome: Outcome
    may_migrate: bool
    verdict: str
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Seen:
    """One observation. `served_s` is time that counts for this stage or step; `quiet_s` is how long nothing has arrived."""

    at: float
    suite: SuiteSeen | None = None
    staging_passed: bool | None = None
    route: RouteSeen | None = None
    judgement: Judgement | None = None
    missing: tuple[str, ...] | None = None
    """What of this stage's evidence is not there yet; empty if it is all there."""
    served_s: float = 0.0
    quiet_s: float | None = None
    incidents: tuple[str, ...] = ()
    over_budget: tuple[OverBudget, ...] = ()
    disagreements: tuple[str, ...] = ()
    """Where live results and the suite's say opposite things."""
    incumbent_answers: bool | None = None
    incumbent_unheard_s: float | None = None
    """How long that has not been known; `None` where it is, or nobody says how long."""
    incumbent_unheard: str = ""
    """Why it is not."""
    moved_at: float | None = None
    """When what an offline stage waits for last moved, where it is still waited for; `None` where nobody can say."""
    waits_for: tuple[str, ...] = ()
    """What that is."""
    staging_faults: tuple[str, ...] = ()
    """Why staging was not passed."""
