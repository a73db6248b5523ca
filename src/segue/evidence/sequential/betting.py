"""One block of outcomes as a bet against a null: the heart of canary and soak.

The bet of a block with n_b candidate and n_a control outcomes is
    ∏_b (1 + s·λ_b·(x − t_b)) · ∏_a (1 − s·λ_a·(x − t_a)),
with t_b = ratio·t_a + margin on the boundary and n_a·λ_a = ratio·n_b·λ_b. Its expectation is at most
    exp(s·n_b·λ_b·[(μ_b − ratio·μ_a) − (t_b − ratio·t_a)]) ≤ 1
for all means in the null, by 1 + z ≤ exp(z): whatever t_a and λ_b are, as long as they were chosen before the block was seen.
Rates may move inside the block and between blocks; only the block's means have to obey the null.
For yes/no outcomes the best choice is the KL projection of the alternative onto the boundary, and the bet is the likelihood
ratio of Turner, Ly and Grünwald (*Generic E-variables for exact sequential k-sample tests*, 2021, thm. 1), their null moved.
Graded outcomes bet the same way, more boldly as their variance is smaller.

Arrays may carry leading dimensions (runs of a simulation). Outcomes have the shape (…, streams, cells, nodes), bets
(…, questions, cells, effects). It must not know what streams and cells mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from segue.evidence.sequential.null import EDGE, Questions

Array = NDArray[np.float64]

BOLDEST = 0.999
"""A bet keeps at least a thousandth of its stake whatever happens."""


@dataclass(frozen=True, slots=True)
class Block:
    """The outcomes of both arms in one block. Shapes: masses (…, streams, cells, nodes); counts (…, streams, cells).

    `candidate_exposed` and `control_exposed` balance the stakes of the two arms; only their ratio matters. They are how much of
    each arm could speak, known before what it said: the weight of its labels, or its mature units where both arms are
    sampled, and answer, alike. `asked` is how many of the candidate's were sampled for a label: by it a cell's block is full.
    """

    candidate: Array
    control: Array
    candidate_exposed: Array
    control_exposed: Array
    asked: Array

    @classmethod
    def of_counts(cls, bad_new: Array, n_new: Array, bad_old: Array, n_old: Array) -> Self:
        """Yes/no outcomes, all labelled, from counts of shape (…, streams, cells)."""
        new, old = np.asarray(n_new, float), np.asarray(n_old, float)
        assert np.all((bad_new >= 0) & (bad_new <= new) & (bad_old >= 0) & (bad_old <= old)), "more bad outcomes than outcomes"
        return cls(np.stack([new - bad_new, bad_new], -1), np.stack([old - bad_old, bad_old], -1), new, old, new)

    @classmethod
    def empty(cls, shape: tuple[int, ...], nodes: int) -> Self:
        """Nothing seen. `shape` is (…, streams, cells)."""
        masses, counts = np.zeros((*shape, nodes)), np.zeros(shape)
        return cls(masses, masses, counts, counts, counts)

    def __add__(self, other: Self) -> Self:
        return type(self)(
            self.candidate + other.candidate,
            self.control + other.control,
            self.candidate_exposed + other.candidate_exposed,
            self.control_exposed + other.control_exposed,
            self.asked + other.asked,
        )

    def only(self, where: NDArray[np.bool_]) -> Self:
        """The cells chosen; the others empty. Shape of `where`: (…, streams, cells)."""
        if where.all():
            return self
        if not where.any():
            return self.empty(where.shape, self.candidate.shape[-1])
        wide = where[..., None]
        return type(self)(
            np.where(wide, self.candidate, 0.0),
            np.where(wide, self.control, 0.0),
            np.where(where, self.candidate_exposed, 0.0),
            np.where(where, self.control_exposed, 0.0),
            np.where(where, self.asked, 0.0),
        )


@dataclass(frozen=True, slots=True)
class Stakes:
    """What is bet on a block, chosen from the past alone. Shapes (…, questions, cells, effects)."""

    candidate_null: Array
    control_null: Array
    candidate_stake: Array
    control_stake: Array


def choose_stakes(questions: Questions, control_rate: Array, spread: Array | None, n_new: Array, n_old: Array) -> Stakes:
    """Stakes for every question, cell and effect.

    `control_rate` is the past-only estimate of the control's mean badness, `spread` the past-only ratio of its variance to
    that of yes/no outcomes with the same mean (1, or `None`, for yes/no). All of shape (…, streams, cells).
    """
    asked = questions.streams
    rate = _bounded(control_rate)[..., asked, :, None]
    new, old = n_new[..., asked, :, None], n_old[..., asked, :, None]
    ratio, margin = questions.ratio, questions.margin
    target = _alternative(questions, rate)
    with np.errstate(invalid="ignore", divide="ignore"):
        relative = np.where(old > 0, ratio * new / old, 0.0)
    # Written out to the shape of the bets: numpy is several times as slow where the last dimension has to be repeated.
    rate, relative, ratio, margin = (_written_out(one, target.shape) for one in (rate, relative, ratio, margin))
    control = _project(questions, (ratio, margin), rate, target, relative)
    candidate = ratio * control + margin
    new_asks = questions.sign * (target - candidate) / (candidate * (1 - candidate))
    old_asks = questions.sign * (control - rate) / (control * (1 - control))
    worst_new, worst_old = _worst(questions, candidate, control)
    boldest = BOLDEST / np.maximum(worst_new, relative * worst_old)
    with np.errstate(invalid="ignore", divide="ignore"):
        # At the projection both arms ask for the same stake; short of it, the smaller one bets on nothing stranger than meant.
        wanted = np.minimum(new_asks, old_asks / relative)
        if spread is not None:
            wanted = wanted / spread[..., asked, :, None]
    stake = np.where(relative > 0, np.minimum(np.maximum(wanted, 0.0), boldest), 0.0)
    return Stakes(candidate, control, stake, relative * stake)


def _project(questions: Questions, line: tuple[Array, Array], rate: Array, target: Array, relative: Array) -> Array:
    """The control's rate where the boundary, a line of (ratio, margin), is nearest, in KL, to (rate, target). All of one shape.

    Solved as a weighted mean whose weights are the variances there; a step that leaves the bracket is halved instead.
    """
    ratio, margin = line
    low, high = _span(questions)
    beyond = target - margin
    far, start = beyond / ratio, _between(rate, low, high)
    left = _between(np.minimum(rate, far), low, high)
    right = _between(np.maximum(rate, far), low, high)
    control = start
    for _ in range(questions.rounds):
        candidate = ratio * control + margin
        pull = relative * control * (1 - control) / (candidate * (1 - candidate))
        step = (rate + pull * beyond) / (1 + ratio * pull)
        rises = step > control
        left, right = np.where(rises, control, left), np.where(rises, right, control)
        control = np.where((step > left) & (step < right), step, (left + right) / 2)
    return control


def choose_fixed_stakes(questions: Questions, level: Array, spread: Array) -> Stakes:
    """Stakes against a control that is a recorded level and no live arm. Shapes (…, streams, cells)."""
    asked = questions.streams
    control = level[..., asked, :, None]
    boundary = questions.ratio * control + questions.margin
    candidate = np.clip(boundary, EDGE, 1 - EDGE)
    distance = np.maximum(questions.sign * (_alternative(questions, np.clip(control, EDGE, 1 - EDGE)) - candidate), 0.0)
    # Drawn off the ends, the boundary may only move into the alternative; the other way the bet would be better than fair.
    distance = np.where(questions.sign * (candidate - boundary) >= 0, distance, 0.0)
    part = spread[..., asked, :, None]
    # Kelly's stake for a mean `distance` and a second moment of variance + distance²; the likelihood ratio for yes/no outcomes.
    variance = part * candidate * (1 - candidate)
    stake = distance / np.where(part >= 1.0, variance, variance + distance**2)
    stake = np.minimum(stake, BOLDEST / _worst(questions, candidate, control)[0])
    return Stakes(candidate, control, stake, np.zeros_like(stake))


def log_growth(questions: Questions, stakes: Stakes, block: Block, nodes: Array) -> Array:
    """By how much each effect's capital grows over the block, in nats. Shape (…, questions, cells, effects)."""
    growth = np.zeros(stakes.candidate_stake.shape)
    for masses, stake, at, sign in (
        (block.candidate, stakes.candidate_stake, stakes.candidate_null, questions.sign),
        (block.control, stakes.control_stake, stakes.control_null, -questions.sign),
    ):
        signed = sign * stake
        for node, badness in enumerate(nodes):
            here = masses[..., node]
            if here.any():
                growth += here[..., questions.streams, :, None] * np.log1p(signed * (badness - at))
    return growth


def _alternative(questions: Questions, rate: Array) -> Array:
    """The candidate's rates to bet on: so far beyond the boundary, yet no stranger than half-way to an end.

    Half-way from the control on the null's side, for a boundary far away, and from the farther of both on the other.
    """
    slack = np.maximum((questions.ratio - 1.0) * rate + questions.margin, questions.floor)
    step = np.where(np.isnan(questions.distance), slack, questions.distance)
    boundary = questions.ratio * rate + questions.margin
    target = boundary + questions.sign * questions.sizes * step
    harm = questions.sign > 0
    lowest = np.where(harm, rate, np.minimum(rate, boundary)) / 2
    highest = (1 + np.where(harm, np.maximum(rate, boundary), rate)) / 2
    return _bounded(_between(target, lowest, highest))


def _between(values: Array, low: Array | float, high: Array | float) -> Array:
    """Drawn into a range: `np.clip`, without what it costs to call on small arrays."""
    return np.asarray(np.minimum(np.maximum(values, low), high))


def _bounded(rate: Array) -> Array:
    """A rate kept off 0 and 1."""
    return _between(rate, EDGE, 1 - EDGE)


def _written_out(values: Array, shape: tuple[int, ...]) -> Array:
    return np.ascontiguousarray(np.broadcast_to(values, shape))


def _worst(questions: Questions, candidate: Array, control: Array) -> tuple[Array, Array]:
    """How much of a stake one outcome can cost, per unit of stake, in each arm."""
    harm = questions.sign > 0
    return np.where(harm, candidate, 1 - candidate), np.where(harm, 1 - control, control)


def _span(questions: Questions) -> tuple[Array, Array]:
    """Between which control rates both arms' boundary rates stay inside (0, 1)."""
    low = np.maximum(EDGE, (EDGE - questions.margin) / questions.ratio)
    high = np.minimum(1 - EDGE, (1 - EDGE - questions.margin) / questions.ratio)
    assert np.all(low < high), "a boundary crosses the unit square"
    return low, high
