"""Pairwise preferences added up: wins, ties and losses of the new arm, and how much the judge went by position."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Protocol

from segue.evidence.agreement import Estimate, proportion
from segue.evidence.binomial import log_binomial_tail
from segue.evidence.paired import PairedSample, difference_interval


class Preference(Protocol):
    """One case: 1 the new answer is preferred, 0 the old one, ½ neither, `None` not judged."""

    @property
    def value(self) -> float | None: ...

    @property
    def status(self) -> str: ...

    @property
    def position_inconsistent(self) -> bool: ...

    @property
    def favoured_position(self) -> Literal["first", "second"] | None: ...

    @property
    def identical(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class PreferenceSummary:
    """`score` is the mean preference for the new arm (½: no preference); `p` the exact two-sided sign test on wins and losses.

    `inconsistency` is the share of asked pairs whose verdict changed with the order; `position_bias` the share where one place
    won both times, of which `favoured_first` went to the place shown first. Pairs of identical answers are ties and were not
    asked.
    """

    n: int
    wins: int
    ties: int
    losses: int
    n_identical: int
    n_unscored: int
    n_errors: int
    score: Estimate
    p: float
    inconsistency: Estimate
    position_bias: Estimate
    favoured_first: int

    def sentence(self) -> str:
        """The finding in plain words."""
        if self.score.value is None:
            return self.score.reason
        line = (
            f"The new answers win {self.wins}, tie {self.ties} and lose {self.losses} of {self.n} "
            f"(preference {self.score.value:.3f}, where 0.5 is none; p = {self.p:.2g})."
        )
        if self.inconsistency.value:
            line += f" In {100 * self.inconsistency.value:.1f} % the verdict changed with the order, and counts as a tie."
        return line


def summarise_preferences(preferences: Iterable[Preference], level: float = 0.95) -> PreferenceSummary:
    """Add up preferences, one per case. Unjudged pairs are counted apart and enter no rate."""
    all_ = list(preferences)
    judged = [one for one in all_ if one.value is not None]
    asked = [one for one in judged if not one.identical]
    values = [one.value for one in judged if one.value is not None]
    wins, losses = sum(value > 0.5 for value in values), sum(value < 0.5 for value in values)
    placed = [one.favoured_position for one in asked if one.favoured_position is not None]
    empty = "No pair was judged."
    return PreferenceSummary(
        n=len(judged),
        wins=wins,
        ties=len(judged) - wins - losses,
        losses=losses,
        n_identical=len(judged) - len(asked),
        n_unscored=sum(one.status == "unscored" for one in all_),
        n_errors=sum(one.status == "error" for one in all_),
        score=_score(values, level),
        p=min(1.0, 2 * math.exp(log_binomial_tail(min(wins, losses), wins + losses))),
        inconsistency=proportion(sum(one.position_inconsistent for one in asked), len(asked), level, empty),
        position_bias=proportion(len(placed), len(asked), level, empty),
        favoured_first=placed.count("first"),
    )


def _score(values: list[float], level: float) -> Estimate:
    if not values:
        return Estimate.unknown("No pair was judged.")
    low, high = difference_interval(PairedSample.from_pairs((0.5, value) for value in values), level)
    return Estimate(sum(values) / len(values), max(0.0, 0.5 + low), min(1.0, 0.5 + high), len(values))
