"""E-processes over many cells at once: capital that can only grow by luck under the null, whenever one looks.

`Process` bets candidate against concurrent control; `FixedProcess` bets a single stream against a recorded level, and with it
paired differences (`paired`) and a soak without holdback. States are frozen values: advance them block by block, in the order
of exposure; a state and the blocks that made it say the same. What e-values mean is left to `combination` and `judgement`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from segue.evidence.sequential.betting import Array, Block, choose_fixed_stakes, choose_stakes, log_growth
from segue.evidence.sequential.null import Questions

LONGEST_MEMORY = 5_000.0
"""Outcomes after which the memory of a rate fades, so that bets follow a drifting baseline. Costs power only."""
LEAST_MEMORY = 10.0
"""Nothing is bet before so much is known of the control."""
SPARSE = 0.25
"""Below this share of cells that bet, they are taken out one by one."""
PRIOR_WEIGHT = 20.0
"""What a rate known beforehand is worth, in outcomes."""


@dataclass(frozen=True, slots=True)
class Memory:
    """What the past tells of streams: fading count, sum and squares of badness. Shapes (…, streams, cells)."""

    n: Array
    total: Array
    squares: Array

    @classmethod
    def of_prior(cls, shape: tuple[int, ...], rate: Array | float | None) -> Self:
        """`rate` as known before (offline eval, last week), broadcast to `shape`; NaN or `None` where nothing is known."""
        mean = np.broadcast_to(np.array(np.nan if rate is None else rate, float), shape)
        n = np.where(np.isnan(mean), 0.0, PRIOR_WEIGHT)
        total = np.where(np.isnan(mean), 0.0, n * mean)
        return cls(n, total, total)

    def after(self, masses: Array, nodes: Array) -> Self:
        """With the outcomes of one block, masses of shape (…, streams, cells, nodes)."""
        n, total, squares = self.n + masses.sum(-1), self.total + masses @ nodes, self.squares + masses @ nodes**2
        keep = np.minimum(1.0, LONGEST_MEMORY / np.maximum(n, 1.0))
        return type(self)(n * keep, total * keep, squares * keep)

    @property
    def rate(self) -> Array:
        """The mean, drawn by one outcome's weight to ½ so that it is never 0 or 1."""
        return np.asarray((self.total + 0.5) / (self.n + 1.0))

    @property
    def spread(self) -> Array:
        """The variance over that of yes/no outcomes with the same mean; near 1 while little is known."""
        mean, n = self.rate, np.maximum(self.n, 1e-9)
        variance = np.maximum(self.squares / n - (self.total / n) ** 2, 0.0)
        share = np.minimum(variance / (mean * (1 - mean)), 1.0)
        return np.asarray(np.clip((self.n * share + LEAST_MEMORY) / (self.n + LEAST_MEMORY), 0.02, 1.0))


@dataclass(frozen=True, slots=True)
class Process:
    """Two-sample block betting: questions asked of streams that share a row of nodes, each stream in many cells.

    `log_capital` has the shape (…, questions, cells, effects): the capital of each bet of the mixtures, all starting at 1.
    """

    questions: Questions
    nodes: Array
    log_capital: Array
    memory: Memory

    @classmethod
    def start(
        cls,
        questions: Questions,
        cells: int | tuple[int, ...],
        nodes: Array,
        *,
        rate: Array | float | None = None,
        streams: int | None = None,
    ) -> Self:
        """Before the first block. `cells` may carry runs in front; `rate` is the control's badness as known beforehand.

        `streams` is how many there are, where the last of them are not asked anything.
        """
        *runs, last = (cells,) if isinstance(cells, int) else cells
        capital = np.zeros((*runs, len(questions.streams), last, questions.sizes.shape[-1]))
        there = int(questions.streams.max()) + 1 if streams is None else streams
        return cls(questions, nodes, capital, Memory.of_prior((*runs, there, last), rate))

    def advance(self, block: Block) -> Self:
        """The state after a block: bet first, then learn. An empty arm is no bet."""
        bets = (self.memory.n >= LEAST_MEMORY) & (block.candidate_exposed > 0) & (block.control_exposed > 0)
        grown = self._bet_on_few(block, bets) if bets.mean() < SPARSE else self._bet_on_all(block, bets)
        return replace(self, log_capital=grown, memory=self.memory.after(block.control, self.nodes))

    def _bet_on_all(self, block: Block, bets: NDArray[np.bool_]) -> Array:
        n_new = np.where(bets, block.candidate_exposed, 0.0)
        spread = None if len(self.nodes) == 2 else self.memory.spread
        stakes = choose_stakes(self.questions, self.memory.rate, spread, n_new, block.control_exposed)
        return np.asarray(self.log_capital + log_growth(self.questions, stakes, block, self.nodes))

    def _bet_on_few(self, block: Block, bets: NDArray[np.bool_]) -> Array:
        """The same, each cell that bets taken out by itself: most blocks of a wide grid touch few of its cells."""
        chosen = bets[..., self.questions.streams, :]
        *runs, rows, cells = np.nonzero(chosen)
        at = (*runs, self.questions.streams[rows], cells)
        few = Block(
            block.candidate[at][:, None],
            block.control[at][:, None],
            block.candidate_exposed[at][:, None],
            block.control_exposed[at][:, None],
            block.asked[at][:, None],
        )
        spread = None if len(self.nodes) == 2 else self.memory.spread[at][:, None]
        questions = self.questions.apart(rows)
        stakes = choose_stakes(questions, self.memory.rate[at][:, None], spread, few.candidate_exposed, few.control_exposed)
        grown = self.log_capital.copy()
        grown[chosen] += log_growth(questions, stakes, few, self.nodes)[:, 0]
        return grown

    @property
    def log_e(self) -> Array:
        """Natural logarithm of the current e-values. Shape (…, questions, cells)."""
        return mix(self.questions, self.log_capital)


@dataclass(frozen=True, slots=True)
class FixedProcess:
    """Streams against recorded levels, in badness. `level` has shape (…, streams, cells), frozen before the first block."""

    questions: Questions
    nodes: Array
    level: Array
    log_capital: Array
    memory: Memory

    @classmethod
    def start(cls, questions: Questions, level: Array, nodes: Array) -> Self:
        """Before the first block."""
        *runs, _, cells = level.shape
        capital = np.zeros((*runs, len(questions.streams), cells, questions.sizes.shape[-1]))
        return cls(questions, nodes, level, capital, Memory.of_prior(level.shape, None))

    def advance(self, masses: Array) -> Self:
        """The state after a block of outcomes, masses of shape (…, streams, cells, nodes)."""
        stakes = choose_fixed_stakes(self.questions, self.level, _spread(self.memory, self.nodes))
        exposed = masses.sum(-1)
        alone = Block(masses, np.zeros_like(masses), exposed, exposed, exposed)
        grown = self.log_capital + log_growth(self.questions, stakes, alone, self.nodes)
        return replace(self, log_capital=grown, memory=self.memory.after(masses, self.nodes))

    @property
    def log_e(self) -> Array:
        """Natural logarithm of the current e-values. Shape (…, questions, cells)."""
        return mix(self.questions, self.log_capital)


def mix(questions: Questions, log_capital: Array, rows: slice = slice(None)) -> Array:
    """The mixture over effects: capital summed by the weights they began with. Shape (…, questions, cells).

    `rows` chooses questions. Effects are few, so they are gone through one by one, which is several times as fast.
    """
    weighed = [
        log_capital[..., rows, :, effect] + questions.log_weights[rows, :, effect] for effect in range(log_capital.shape[-1])
    ]
    top = weighed[0]
    for one in weighed[1:]:
        top = np.maximum(top, one)
    total = np.zeros(top.shape)
    for one in weighed:
        total += np.exp(one - top)
    return np.asarray(top + np.log(total))


def _spread(memory: Memory, nodes: Array) -> Array:
    """Yes/no outcomes have no variance of their own to learn."""
    return np.ones(memory.n.shape) if len(nodes) == 2 else memory.spread
