"""Verdicts and how they combine: the worst wins, in a declared order."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Outcome = Literal["pass", "caution", "hold", "fail"]
"""pass: go on. caution: go on, and watch what is named. hold: not enough is known. fail: harm was shown."""

SliceVerdict = Literal["better", "not worse", "worse", "inconclusive"]

WORST_FIRST: tuple[Outcome, ...] = ("fail", "hold", "caution", "pass")
"""The declared order. `hold` beats `caution`: what is not known may be worse than what is."""

EXIT_CODES: dict[Outcome, int] = {"pass": 0, "caution": 10, "hold": 11, "fail": 12}
"""Exit codes of commands that judge. Errors exit with 1 (Segue could not judge), wrong usage with 2."""


@dataclass(frozen=True, slots=True)
class Reason:
    """One line of a verdict: what it contributes, why in a sentence, and what to do next.

    `code` is stable and documented in `docs/verdicts.md`; `metric` and `where` name what it is about.
    """

    outcome: Outcome
    code: str
    sentence: str
    next_step: str = ""
    metric: str | None = None
    where: str | None = None


def worst(outcomes: Iterable[Outcome]) -> Outcome:
    """The worst of them by `WORST_FIRST`; `pass` if there are none."""
    present = set(outcomes)
    return next((outcome for outcome in WORST_FIRST if outcome in present), "pass")
