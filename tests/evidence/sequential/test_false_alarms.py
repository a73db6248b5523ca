"""Simulated upgrades at the very edge of the null: with everything that goes on in production, at most 5 % are stopped.

500 runs each, seeded; looked at after every block, from the first to the last, through a ramp of shares.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import betabinom

from segue.evidence.sequential.betting import Block
from segue.evidence.sequential.combination import rejects
from segue.evidence.sequential.grid import Grid, Outcomes, Rule
from segue.evidence.sequential.null import Null
from segue.evidence.sequential.process import Process
from segue.evidence.sequential.scale import Scale
from tests.evidence.sequential.builders import TENTHS, YES_NO, one_question

pytestmark = pytest.mark.slow

RUNS = 500
RAMP = ((990, 30), (190, 60), (30, 90))
"""Control outcomes to ten of the candidate's at 1, 5 and 25 %, and for how many blocks."""
ANSWERS = {"all answer": (1.0, 1.0), "half answer": (0.5, 0.5), "the candidate's users answer less": (0.4, 0.8)}


def steps() -> Iterator[tuple[int, int, float, bool]]:
    """Blocks of the ramp: number, control outcomes, the control's drifting rate, whether the step ends."""
    number = 0
    for old, blocks in RAMP:
        for block in range(blocks):
            yield number, old, 0.10 + 0.06 * np.sin(number / 24 * 2 * np.pi), block == blocks - 1
            number += 1


def arm(
    rng: np.random.Generator, n: int, rate: float, answers: float, clustered: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Masses of the total and of two slices, one 3 points better and one 3 points worse, and how many were asked."""
    asked = rng.multinomial(n, (0.5, 0.5), size=RUNS)
    labelled = rng.binomial(asked, answers)
    rates = np.array([rate - 0.03, rate + 0.03])
    if clustered:
        # Of a user's ten outcomes, beta-binomial with an intra-class correlation of 0.2: 1/(a + b + 1).
        users = betabinom.pmf(np.arange(11), 10, rates[:, None] * 4, (1 - rates[:, None]) * 4)
        slices = rng.multinomial(labelled, users).astype(float)
    else:
        bad = rng.binomial(labelled, rates)
        slices = np.stack([labelled - bad, bad], -1).astype(float)
    return (
        np.concatenate([slices.sum(1, keepdims=True), slices], 1)[:, None],
        np.concatenate([asked.sum(1, keepdims=True), asked], 1)[:, None].astype(float),
    )


def ever_stopped(rule: Rule, lift: float, answers: tuple[float, float], *, clustered: bool, seed: int) -> dict[str, float]:
    """The share of upgrades that ever alarmed beyond either limit, and of those ever called safe."""
    rng = np.random.default_rng(seed)
    grid = Grid.start([rule], ["a", "b"], runs=(RUNS,))
    ever = {name: np.zeros(RUNS, bool) for name in ("rollback", "hold", "safe")}
    for _, old, rate, ends in steps():
        new_masses, new_asked = arm(rng, 10, rate + lift, answers[0], clustered)
        old_masses, old_asked = arm(rng, old, rate, answers[1], clustered)
        blocks = []
        for worst in (False, True):
            masses = [new_masses.copy(), old_masses.copy()]
            if worst:
                masses[0][..., -1] += new_asked - new_masses.sum(-1)
                masses[1][..., 0] += old_asked - old_masses.sum(-1)
            blocks.append(Block(masses[0], masses[1], masses[0].sum(-1), masses[1].sum(-1), new_asked))
        size = rule.scale.size
        grid = grid.advance(Outcomes({size: blocks[0]}, {size: blocks[1]}), close=ends)
        ever["rollback"] |= rejects(grid.union(grid.rollback_log_e))
        ever["hold"] |= rejects(grid.union(grid.hold_log_e))
        ever["safe"] |= rejects(grid.safe_log_e(0, rule.safe[0])[:, 0])
    return {name: float(stopped.mean()) for name, stopped in ever.items()}


def a_rule(scale: Scale) -> Rule:
    """Limits at 2 and 5 points; what is simulated lies exactly on one of them."""
    return Rule("quality", Null("harm", margin=0.05), Null("harm", margin=0.02), (Null("safe", margin=0.02),), scale, rate=0.1)


@pytest.mark.parametrize(
    ("limit", "lift", "answers"),
    [("hold", 0.02, answers) for answers in ANSWERS.values()] + [("rollback", 0.05, ANSWERS["all answer"])],
    ids=[*(f"hold, {answers}" for answers in ANSWERS), "rollback"],
)
def test_upgrades_at_a_limit_are_seldom_stopped_at_it(limit: str, lift: float, answers: tuple[float, float]) -> None:
    """Drift, a ramp, slices and missing labels: a candidate exactly at a limit passes it in 95 % of upgrades and more."""
    found = ever_stopped(a_rule(YES_NO), lift, answers, clustered=False, seed=31)
    assert found[limit] <= 0.05


def test_a_candidate_two_points_worse_is_seldom_called_safe() -> None:
    """At the edge of harm, with every label there or some missing: at most 5 %."""
    for answers in ((1.0, 1.0), (0.9, 0.97)):
        assert ever_stopped(a_rule(YES_NO), 0.02, answers, clustered=False, seed=37)["safe"] <= 0.05


def test_units_that_ask_ten_times_count_once() -> None:
    """Ten outcomes per user with an intra-class correlation of 0.2: one count per user keeps the error rate."""
    assert ever_stopped(a_rule(TENTHS), 0.02, (1.0, 1.0), clustered=True, seed=41)["hold"] <= 0.05


def test_counting_requests_instead_of_users_raises_alarms() -> None:
    """The same users counted ten times each: more than 15 % of candidates at the limit are stopped, so units count."""
    rng = np.random.default_rng(43)
    process = Process.start(one_question(Null("harm", margin=0.02)), (RUNS, 1), YES_NO.nodes, rate=0.1)
    ever = np.zeros(RUNS, bool)
    for _ in range(150):
        block = []
        for users, rate in ((10, 0.12), (90, 0.10)):
            bad = rng.binomial(10, rng.beta(rate * 4, (1 - rate) * 4, size=(RUNS, users))).sum(-1)
            block += [bad[:, None, None].astype(float), np.full((RUNS, 1, 1), 10.0 * users)]
        process = process.advance(Block.of_counts(*block))
        ever |= rejects(process.log_e[:, 0, 0])
    assert ever.mean() > 0.15


def test_equal_candidates_are_nearly_never_stopped_and_harm_is_found() -> None:
    """Inside the null alarms are rarer still; ten points of harm stop every upgrade."""
    calm = ever_stopped(a_rule(YES_NO), 0.0, (1.0, 1.0), clustered=False, seed=47)
    assert calm["hold"] <= 0.01
    assert ever_stopped(a_rule(YES_NO), 0.10, (1.0, 1.0), clustered=False, seed=53)["hold"] == 1.0
