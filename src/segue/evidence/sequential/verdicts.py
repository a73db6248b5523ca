"""The values that leave this package: `Evidence` of a cell, `Judgement` of an upgrade, and the guards that can void both.

They carry numbers, limits and the sentence together, so that command line, dashboard and papers say the same.
What each cell has at every look is a named tuple: hundreds are made at a time, and a frozen dataclass takes five times as long.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, inf
from typing import Literal, NamedTuple

from segue.evidence.sequential.cells import POOLED
from segue.evidence.sequential.grid import Unit
from segue.evidence.sequential.sequences import Interval
from segue.evidence.sequential.wording import sentence_of

Verdict = Literal["invalid", "harm", "inconclusive", "safe"]
Limit = Literal["rollback", "hold"]
WORST_FIRST: tuple[Verdict, ...] = ("harm", "invalid", "inconclusive", "safe")


class Settlement(NamedTuple):
    """What would settle an open question: so many more mature outcomes of the candidate, in so many days at the present rate.

    `None` stands for "not known", or never: at these rates nothing would.
    """

    question: Literal["harm", "safe"]
    outcomes: int | None
    days: float | None


class Evidence(NamedTuple):
    """What is known of one metric on one slice, at this look and valid at every other.

    `log_e` is the evidence for the verdict, in nats (of harm beyond the rollback limit while nothing is shown).
    `effect`, `interval` and `bound` are in the metric's own units, positive where the candidate is worse. `bound` is the harm
    that is shown (at least) or excluded (at most), and holds at the verdict's own error rate: it is the limit or the margin
    that was tested, never an end of `interval`, which knows nothing of the other cells.
    Counts are the candidate's units; without any labelled unit of the incumbent there is nothing to compare with.
    `void` says what makes it invalid.
    """

    metric: str
    slice: str
    verdict: Verdict
    limit: Limit | None
    log_e: float
    bound: float | None
    effect: float | None
    interval: Interval
    exposed: int
    matured: int
    asked: int
    labelled: int
    incumbent_labelled: int
    settlement: Settlement | None
    void: Literal["assignment", "labels"] | None
    unit: Unit

    @property
    def sentence(self) -> str:
        """What a product manager should know of it."""
        return sentence_of(self)

    @property
    def e_value(self) -> float:
        """Evidence as a factor; ∞ beyond what a float holds."""
        return exp(self.log_e) if self.log_e < 700 else inf


@dataclass(frozen=True, slots=True)
class Guards:
    """What would void a comparison. `unlike` are the (metric, slice) whose labels come back differently from the two arms."""

    mismatched: bool = False
    unlike: frozenset[tuple[str, str]] = frozenset()


@dataclass(frozen=True, slots=True)
class Judgement:
    """The upgrade's evidence: the worst verdict, the two unions that were tested, the culprits, and every cell."""

    verdict: Verdict
    limit: Limit | None
    rollback_log_e: float
    hold_log_e: float
    culprits: tuple[tuple[str, str], ...]
    cells: tuple[Evidence, ...]

    def evidence(self, metric: str, name: str = POOLED) -> Evidence:
        """Of one cell. `KeyError` for one that is not watched."""
        for one in self.cells:
            if (one.metric, one.slice) == (metric, name):
                return one
        raise KeyError((metric, name))
