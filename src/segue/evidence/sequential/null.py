"""The question a process bets against: a straight line through the rates of both arms, and the side it lies on.

`harm`: the null says "the candidate is at most so much worse"; betting against it collects evidence of harm.
`safe`: the null says "the candidate is at least so much worse"; betting against it collects evidence of safety.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, log
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

Side = Literal["harm", "safe"]

EDGE = 1e-6
"""Rates stay this far from 0 and 1, so that no single outcome can end a process."""

HARM_EFFECTS = ((0.4, 0.10), (1.3, 0.44), (3.8, 0.40), (10.0, 0.06))
SAFE_EFFECTS = ((0.5, 0.15), (1.0, 0.65), (2.0, 0.20))
"""Distances from the null, in multiples of its slack, and their weights: what the mixture bets on.

With a margin of 2 points the harms are about 3, 5, 10 and 22 points in all; *equal* is the middle one of the safe effects.
The weights are a prior, fixed before the first look: they buy power where harm is likeliest and cost log(1/weight) elsewhere.
"""


@dataclass(frozen=True, slots=True)
class Null:
    """The boundary "candidate = ratio · control + margin", in badness.

    The slack is the distance between an equal candidate and the boundary, (ratio − 1)·control + margin; `floor` keeps it from
    vanishing where the control's rate is near 0.
    """

    side: Side = "harm"
    margin: float = 0.0
    ratio: float = 1.0
    floor: float = 1e-4
    effects: tuple[tuple[float, float], ...] = ()

    def __post_init__(self) -> None:
        if not (isfinite(self.margin) and -1.0 < self.margin < 1.0):
            raise ValueError(f"A margin lies between −1 and 1, as a share; {self.margin} does not.")
        if not (isfinite(self.ratio) and self.ratio > 0):
            raise ValueError(f"A ratio is above 0; {self.ratio} is not.")
        if not max(EDGE, (EDGE - self.margin) / self.ratio) < min(1 - EDGE, (1 - EDGE - self.margin) / self.ratio):
            raise ValueError(
                f"No rates have candidate = {self.ratio:g} · control {self.margin:+g}; check the margin and the ratio."
            )
        chosen = self.mixture
        if not chosen or any(not (isfinite(size) and size > 0 and weight > 0) for size, weight in chosen):
            raise ValueError("Effects and their weights are above 0.")
        if abs(sum(weight for _, weight in chosen) - 1.0) > 1e-9:
            raise ValueError(f"The weights of the effects add up to 1, not to {sum(weight for _, weight in chosen):g}.")

    @property
    def mixture(self) -> tuple[tuple[float, float], ...]:
        """The effects bet on, with their weights."""
        return self.effects or (HARM_EFFECTS if self.side == "harm" else SAFE_EFFECTS)

    @property
    def sign(self) -> int:
        """+1 where badness of the candidate speaks against the null, −1 where its absence does."""
        return 1 if self.side == "harm" else -1


@dataclass(frozen=True, slots=True)
class Questions:
    """Several nulls as arrays, each asked of one stream of outcomes. Shapes: (questions, 1, 1), or (questions, 1, effects).

    `distance` is what an effect is a multiple of, where it is fixed; NaN where it is the null's slack. Mixtures of unequal
    length are filled up with effects of weight 0. `rounds` go into the projection; validity does not hang on its convergence.
    """

    streams: NDArray[np.intp]
    sign: NDArray[np.float64]
    margin: NDArray[np.float64]
    ratio: NDArray[np.float64]
    floor: NDArray[np.float64]
    distance: NDArray[np.float64]
    sizes: NDArray[np.float64]
    log_weights: NDArray[np.float64]
    rounds: int = 4

    @classmethod
    def of(
        cls, nulls: Sequence[Null], streams: Sequence[int] | None = None, *, distance: float | None = None, rounds: int = 4
    ) -> Self:
        """Each null asked of its stream; by default all of the first."""
        longest = max(len(null.mixture) for null in nulls)
        sizes = np.ones((len(nulls), 1, longest))
        log_weights = np.full((len(nulls), 1, longest), -np.inf)
        for row, null in enumerate(nulls):
            for place, (size, weight) in enumerate(null.mixture):
                sizes[row, 0, place], log_weights[row, 0, place] = size, log(weight)

        def column(values: Sequence[float]) -> NDArray[np.float64]:
            return np.array(values, float)[:, None, None]

        return cls(
            np.array(streams if streams is not None else [0] * len(nulls), np.intp),
            column([null.sign for null in nulls]),
            column([null.margin for null in nulls]),
            column([null.ratio for null in nulls]),
            column([null.floor for null in nulls]),
            column([np.nan if distance is None else distance] * len(nulls)),
            sizes,
            log_weights,
            rounds,
        )

    def apart(self, rows: NDArray[np.intp]) -> Self:
        """The questions of `rows`, in that order and perhaps repeated, each with a stream of its own."""
        return type(self)(
            np.arange(len(rows)),
            self.sign[rows],
            self.margin[rows],
            self.ratio[rows],
            self.floor[rows],
            self.distance[rows],
            self.sizes[rows],
            self.log_weights[rows],
            self.rounds,
        )
