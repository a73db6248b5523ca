"""Trouble with the comparison itself: the candidate gets another share than was set, or its users answer at another rate.

The candidate may be as good as the incumbent: what is tried is whether the guards notice that nobody could tell.
Here is what a trouble does to shares and to answers; how it is typed is `trouble_text`'s, who notices it `guards`'s.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from segue.evidence.sequential.betting import Array

Place = Literal["share", "answers"]
PLACES: tuple[Place, ...] = ("share", "answers")


@dataclass(frozen=True, slots=True)
class Trouble:
    """What the candidate gets differs by `amount` from a day on: added, or as a part of what was planned (`is_relative`).

    `streams` are those whose answers it concerns; a share is that of every step.
    """

    place: Place
    amount: float
    is_relative: bool = False
    streams: tuple[int, ...] = ()
    since: float = 0.0

    def of(self, planned: Array) -> Array:
        """What it makes of what was planned, within 0 and 1."""
        return np.asarray(np.clip(self.unclipped(planned), 0.0, 1.0))

    def unclipped(self, planned: Array) -> Array:
        """The same, whether or not there is such a share."""
        return np.asarray(planned * (1 + self.amount) if self.is_relative else planned + self.amount)


def share_given(troubles: Sequence[Trouble], planned: Array, day: float) -> Array:
    """The candidate's share of new units as they really arrive on a day of the canary."""
    for one in troubles:
        if one.place == "share" and day >= one.since:
            planned = one.of(planned)
    return planned


def answers_given(troubles: Sequence[Trouble], answered: Array, day: Array) -> Array:
    """The candidate's share of answers, from the incumbent's. Shapes (streams,), (runs,) → (runs, streams)."""
    given = np.broadcast_to(answered, (len(day), len(answered)))
    for one in troubles:
        if one.place != "answers":
            continue
        concerned = np.isin(np.arange(len(answered)), one.streams) & (day >= one.since)[:, None]
        given = np.where(concerned, one.of(given), given)
    return given
