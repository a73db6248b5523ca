"""Guards of the comparison itself: did units arrive in the shares that were set, and do labels come back alike from both arms?

Assignment: the sequential multinomial test of Lindon and Malek (*Anytime-valid inference for multinomial count data*, 2022).
The Bayes factor of a Dirichlet around the planned shares against the shares themselves is an e-process, step by step.
Labels: two one-sided block processes on "a label came", in both directions.
A mismatch invalidates every comparison of outcomes: it never says who is better.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf, log
from typing import Self

import numpy as np

from segue.evidence.sequential.betting import Array, Block
from segue.evidence.sequential.combination import ALPHA, holm_log_e
from segue.evidence.sequential.null import HARM_EFFECTS, Null, Questions
from segue.evidence.sequential.process import Process
from segue.evidence.sequential.scale import Scale
from segue.evidence.special import betaln, xlog1py, xlogy

GUARD_ALPHA = 0.01
"""Of a guard. Far below 5 %, since an alarm stops everything; that of the responses is for all their cells together."""
CONCENTRATIONS = (30.0, 1_000.0, 30_000.0)
"""How tightly the alternative lies around the plan, in units seen: from a broken splitter to a slow leak. Evenly mixed."""


@dataclass(frozen=True, slots=True)
class RatioTest:
    """Units assigned so far. Each share of the plan is its own question; the factors of finished ones are kept and multiplied.

    `finished` is the log e-value of earlier shares per concentration; `old` and `new` are units of the share in force.
    """

    share: float | None = None
    old: int = 0
    new: int = 0
    finished: tuple[float, ...] = (0.0,) * len(CONCENTRATIONS)

    def advance(self, share: float, *, old: int, new: int) -> Self:
        """With units newly assigned while the candidate's planned share was `share`. `ValueError` outside 0 < share < 1."""
        if not 0.0 < share < 1.0:
            raise ValueError(f"Assignment is only random at a share between 0 and 1, not at {share}.")
        if old < 0 or new < 0:
            raise ValueError("Counts of units are not negative.")
        if self.share == share:
            return replace(self, old=self.old + old, new=self.new + new)
        return replace(self, share=share, old=old, new=new, finished=self._factors())

    @property
    def log_e(self) -> float:
        """Evidence against "assigned as planned", in logarithms."""
        factors = np.array(self._factors())
        return float(np.logaddexp.reduce(factors) - log(len(factors)))

    def is_mismatched(self, alpha: float = GUARD_ALPHA) -> bool:
        """Whether the plan is refuted."""
        return self.log_e >= -log(alpha)

    def _factors(self) -> tuple[float, ...]:
        if self.share is None:
            return self.finished
        return tuple(
            before + share_log_e(self.old, self.new, self.share, each)
            for before, each in zip(self.finished, CONCENTRATIONS, strict=True)
        )


def share_log_e(old: int, new: int, share: float, concentration: float) -> float:
    """log Bayes factor of Beta(c·share, c·(1 − share)) against the point `share`, for counts in any order of arrival."""
    a, b = concentration * share, concentration * (1 - share)
    marginal = betaln(a + new, b + old) - betaln(a, b)
    return float(marginal - xlogy(new, share) - xlog1py(old, -share))


@dataclass(frozen=True, slots=True)
class ResponseTest:
    """Whether labels come back alike: the rate of labels among units asked may differ by `tolerance` and no more.

    Bad news sends feedback, and so does delight; a candidate that changes who answers makes answers incomparable.
    """

    process: Process

    @classmethod
    def start(cls, streams: int, cells: int | tuple[int, ...], *, tolerance: float = 0.01) -> Self:
        """Before the first block, for so many metrics whose labels are watched."""
        step = max(tolerance, 0.01)
        more = Null("harm", margin=tolerance, floor=step)
        fewer = Null("safe", margin=-tolerance, floor=step, effects=HARM_EFFECTS)
        both = Questions.of([more] * streams + [fewer] * streams, [*range(streams), *range(streams)])
        return cls(Process.start(both, cells, Scale().nodes))

    def advance(self, came_new: Array, asked_new: Array, came_old: Array, asked_old: Array) -> Self:
        """With one block's labels that came, and that were asked for. Shapes (…, streams, cells)."""
        return replace(self, process=self.process.advance(Block.of_counts(came_new, asked_new, came_old, asked_old)))

    @property
    def log_e(self) -> Array:
        """Evidence against "alike", in logarithms. Shape (…, streams, cells)."""
        log_e = self.process.log_e
        streams = log_e.shape[-2] // 2
        return np.asarray(np.logaddexp(log_e[..., :streams, :], log_e[..., streams:, :]) - log(2.0))

    def is_different(self, alpha: float = ALPHA) -> Array:
        """Whether responses differ beyond the tolerance, each cell at α by itself. Shape (…, streams, cells)."""
        return np.asarray(self.log_e >= -log(alpha))

    def adjusted_log_e(self, weights: Array | None = None, *, least: float = -inf) -> Array:
        """The evidence adjusted for all the cells that are watched, by e-Holm. Shape (…, streams, cells).

        `weights` are fixed beforehand and add up to 1, shape (streams, cells); by default all cells weigh the same. Cells
        below `least` stay as they are: they could not be named at that level.
        """
        log_e = self.log_e
        shape, cells = log_e.shape, log_e.shape[-2] * log_e.shape[-1]
        shares = np.full(cells, 1.0 / cells) if weights is None else weights.ravel()
        rows = [holm_log_e(row, shares, least=least) for row in log_e.reshape(-1, cells)]
        return np.array(rows).reshape(shape)

    def is_unlike(self, alpha: float = GUARD_ALPHA, weights: Array | None = None) -> Array:
        """Which cells are void, with a chance of at most α that any of them is so by mistake, over all cells and looks.

        Shape (…, streams, cells).
        """
        return np.asarray(self.adjusted_log_e(weights, least=-log(alpha)) >= -log(alpha))


def unlike_cells(
    test: ResponseTest,
    metrics: Sequence[str],
    slices: Sequence[str],
    *,
    alpha: float = GUARD_ALPHA,
    weights: Array | None = None,
) -> frozenset[tuple[str, str]]:
    """The (metric, slice) that `Guards.unlike` asks for: streams are `metrics`, cells are `slices`, the total among them.

    For all of them together the chance of a false alarm is at most α. `ValueError` where names and cells are not as many.
    """
    found = test.is_unlike(alpha, weights)
    if found.shape != (len(metrics), len(slices)):
        raise ValueError(f"Responses are watched in {found.shape} cells, but {len(metrics)} × {len(slices)} names were given.")
    return frozenset((metrics[row], slices[column]) for row, column in np.argwhere(found).tolist())
