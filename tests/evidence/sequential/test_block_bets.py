"""E[e] ≤ 1, worked out and not simulated: for single bets, for mixtures over blocks, and for whole grids."""

from __future__ import annotations

from itertools import product
from math import inf, log, log1p

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.evidence.sequential.betting import Block, Stakes, choose_fixed_stakes, choose_stakes, log_growth
from segue.evidence.sequential.cells import CellStats
from segue.evidence.sequential.combination import union_log_e
from segue.evidence.sequential.grid import Grid, outcomes_of
from segue.evidence.sequential.null import Null, Questions
from segue.evidence.sequential.paired import DIFFERENCES, start_paired
from segue.evidence.sequential.process import FixedProcess, Process
from segue.evidence.sequential.scale import Scale
from tests.evidence.sequential.builders import SIZES, TENTHS, YES_NO, a_grid, a_rule, counts, nulls, one_question, true_rates

NEARLY_NOTHING = 1e-9


def stakes_for(null: Null, rate: float, spread: float, n_new: int, n_old: int) -> tuple[Questions, Stakes]:
    """Stakes of one null, chosen with a guess of the control's rate."""
    questions = one_question(null)
    return questions, choose_stakes(questions, *counts(rate, spread, n_new, n_old))


def log_mean(n: int, gains: np.ndarray) -> np.ndarray:
    """n · log of a mean factor, 1 + gain."""
    return n * np.log1p(gains) if n else np.zeros_like(gains)


@given(st.data(), nulls(), st.floats(0.0, 1.0), st.floats(0.02, 1.0), st.sampled_from(SIZES))
def test_a_bet_on_a_true_null_is_fair_or_worse(
    data: st.DataObject, null: Null, rate: float, spread: float, sizes: tuple[int, int]
) -> None:
    """For every margin, ratio, side, share and guess of the control, and rates at and inside the edge: log E ≤ 1e-9."""
    control, candidate = data.draw(true_rates(null))
    n_new, n_old = sizes
    _, stakes = stakes_for(null, rate, spread, n_new, n_old)
    new = null.sign * stakes.candidate_stake * (candidate - stakes.candidate_null)
    old = -null.sign * stakes.control_stake * (control - stakes.control_null)
    assert np.all(log_mean(n_new, new) + log_mean(n_old, old) <= NEARLY_NOTHING)


@given(nulls(), st.floats(0.0, 1.0), st.floats(0.02, 1.0), st.sampled_from(SIZES))
def test_no_outcome_can_end_a_process(null: Null, rate: float, spread: float, sizes: tuple[int, int]) -> None:
    """Whatever one outcome is, a thousandth of the capital remains, and stakes are finite and not negative."""
    questions, stakes = stakes_for(null, rate, spread, *sizes)
    assert np.all(np.isfinite(stakes.candidate_stake) & (stakes.candidate_stake >= 0))
    assert np.all(np.isfinite(stakes.control_stake) & (stakes.control_stake >= 0))
    for bad_new, bad_old in product((0.0, 1.0), repeat=2):
        one = Block.of_counts(*counts(bad_new, 1, bad_old, 1))
        growth = log_growth(questions, stakes, one, YES_NO.nodes)
        assert np.all(growth >= 2 * log(1e-3) - 1e-6)


@pytest.mark.parametrize("sizes", [(0, 20), (20, 0), (0, 0)])
def test_an_arm_without_outcomes_is_no_bet(sizes: tuple[int, int]) -> None:
    """One arm alone says nothing of a difference."""
    _, stakes = stakes_for(Null(margin=0.02), 0.1, 1.0, *sizes)
    assert np.all(stakes.candidate_stake == 0)
    assert np.all(stakes.control_stake == 0)


@given(
    st.data(),
    st.sampled_from(
        [Null("harm", margin=0.02), Null("safe", margin=0.02), Null("harm", ratio=1.2), Null("safe", margin=-0.05)]
    ),
    st.lists(st.floats(0.0, 1.0), min_size=2, max_size=4),
    st.sampled_from([2, 3, 11]),
)
def test_splitting_a_value_between_nodes_gains_nothing(
    data: st.DataObject, null: Null, support: list[float], size: int
) -> None:
    """Graded outcomes on any support, laid on nodes: the exact mean of the growth stays at or below 1."""
    scale = Scale(size=size)
    weights = np.array(data.draw(st.lists(st.floats(0.05, 1.0), min_size=len(support), max_size=len(support))))
    share = weights / weights.sum()
    mean = float(share @ support)
    edge = null.ratio * mean + null.margin
    shift = min(max(edge, 0.0), 1.0)
    new_support = (shift, shift) if null.sign > 0 and edge >= 0 else (1.0, 1.0) if null.sign < 0 else (0.0, 0.0)
    if null.sign < 0 and edge <= 1.0:
        new_support = (shift, 1.0)
    n_new, n_old = data.draw(st.sampled_from([(1, 1), (10, 190), (40, 3)]))
    questions, stakes = stakes_for(null, data.draw(st.floats(0.0, 1.0)), data.draw(st.floats(0.02, 1.0)), n_new, n_old)
    empty = np.zeros((1, 1, size))

    def factor(value: float, *, candidate: bool) -> np.ndarray:
        masses = np.array(scale.masses(value)).reshape(1, 1, size)
        block = Block(masses if candidate else empty, empty if candidate else masses, *counts(1, 1, 1))
        return np.exp(log_growth(questions, stakes, block, scale.nodes))

    new = np.mean([factor(value, candidate=True) for value in new_support], axis=0)
    old = sum(part * factor(value, candidate=False) for part, value in zip(share, support, strict=True))
    if null.sign > 0 and edge < 0:
        return  # No candidate obeys this null.
    assert np.all(n_new * np.log(new) + n_old * np.log(old) <= NEARLY_NOTHING)


@given(
    st.data(),
    st.sampled_from([Null("harm", margin=0.02), Null("safe", margin=0.02), Null("harm", ratio=1.5)]),
    st.tuples(*[st.floats(0.05, 1.0)] * 4),
    st.floats(0.01, 0.6),
)
def test_sampling_by_what_was_seen_keeps_the_bet_fair(
    data: st.DataObject, null: Null, chances: tuple[float, float, float, float], control: float
) -> None:
    """Units labelled with a probability that depends even on their outcome, weighted by least over own: log E ≤ 1e-9."""
    least = min(chances)
    candidate = null.ratio * control + null.margin
    n_new, n_old = data.draw(st.sampled_from([(1, 1), (10, 190), (40, 3)]))
    questions, stakes = stakes_for(null, data.draw(st.floats(0.0, 1.0)), 1.0, n_new, n_old)
    total = np.zeros(len(null.mixture))
    for n, rate, chance, arm in ((n_new, candidate, chances[:2], 0), (n_old, control, chances[2:], 1)):
        mean = np.zeros(len(null.mixture))
        for bad, (share, own) in enumerate(zip((1 - rate, rate), chance, strict=True)):
            masses = np.zeros((2, 1, 1, 2))
            masses[arm, 0, 0] = YES_NO.masses(float(bad), least / own)
            growth = log_growth(questions, stakes, Block(masses[0], masses[1], *counts(1, 1, 1)), YES_NO.nodes)
            mean += share * ((1 - own) + own * np.exp(growth[0, 0]))
        total += n * np.log(mean)
    assert np.all(total <= NEARLY_NOTHING)


@given(st.data(), nulls(), st.floats(0.02, 1.0), st.integers(1, 1000))
def test_a_bet_against_a_recorded_level_is_fair_or_worse(data: st.DataObject, null: Null, spread: float, n: int) -> None:
    """One arm against a level: log E ≤ 1e-9 for every mean in the null, levels of 0 and 1 included."""
    level, mean = data.draw(true_rates(null))
    stakes = choose_fixed_stakes(one_question(null), *counts(level, spread))
    gain = null.sign * stakes.candidate_stake * (mean - stakes.candidate_null)
    assert np.all(n * np.log1p(gain) <= NEARLY_NOTHING)


def histories(blocks: int, units: int) -> np.ndarray:
    """All yes/no outcomes of so many units in so many blocks. Shape (histories, blocks, units)."""
    return np.array(list(product((0.0, 1.0), repeat=blocks * units))).reshape(-1, blocks, units)


def chance_of(history: np.ndarray, rates: np.ndarray) -> np.ndarray:
    """The probability of each history under independent units. `rates` broadcasts to (blocks, units)."""
    return np.where(history == 1.0, rates, 1.0 - rates).prod((-1, -2))


@pytest.mark.parametrize("null", [Null("harm", margin=0.1), Null("safe", margin=0.1), Null("harm", ratio=1.5)], ids=repr)
def test_a_mixture_over_blocks_keeps_its_mean_below_one(null: Null) -> None:
    """All 4,096 histories of three blocks of two against two: stakes learn from the past, rates drift, E[e] ≤ 1."""
    every = histories(3, 4)
    control = np.array([0.1, 0.4, 0.2])[:, None]
    candidate = null.ratio * control + null.margin
    rates = np.concatenate([candidate, candidate, control, control], axis=1)
    process = Process.start(one_question(null), (len(every), 1), YES_NO.nodes, rate=0.2)
    two = np.full((len(every), 1, 1), 2.0)
    e_values = []
    for block in range(3):
        bad = every[:, block]
        process = process.advance(
            Block.of_counts(bad[:, :2].sum(-1)[:, None, None], two, bad[:, 2:].sum(-1)[:, None, None], two)
        )
        e_values.append(np.exp(process.log_e[:, 0, 0]))
    chances = chance_of(every, rates)
    means = [float(chances @ values) for values in e_values]
    assert max(means) <= 1 + 1e-9
    assert min(means) > 0.5, "the bets are real"


def test_no_past_makes_the_next_bet_better_than_fair() -> None:
    """After each of the 256 pasts of two blocks, the mean of the next e-value is at most the present one."""
    pasts, futures = histories(2, 4), histories(1, 4)
    null, control = Null("harm", margin=0.1), 0.2
    rates = np.array([[0.3, 0.3, control, control]])
    process = Process.start(one_question(null), (len(pasts), 1), YES_NO.nodes, rate=0.2)
    two = np.full((len(pasts), 1, 1), 2.0)
    for block in range(2):
        bad = pasts[:, block]
        process = process.advance(
            Block.of_counts(bad[:, :2].sum(-1)[:, None, None], two, bad[:, 2:].sum(-1)[:, None, None], two)
        )
    after = np.zeros(len(pasts))
    for future, chance in zip(futures, chance_of(futures, rates), strict=True):
        new, old = (np.full((len(pasts), 1, 1), future[0, part].sum()) for part in (slice(2), slice(2, None)))
        after += chance * np.exp(process.advance(Block.of_counts(new, two, old, two)).log_e[:, 0, 0])
    assert np.all(after <= np.exp(process.log_e[:, 0, 0]) * (1 + 1e-9))


def test_the_union_of_a_grid_keeps_its_mean_below_one() -> None:
    """Two blocks, a total and two slices that share their units: the weighted average of e-values has mean ≤ 1."""
    rule = a_rule(rollback=Null("harm", margin=0.1), hold=Null("harm", margin=0.05), safe=(), rate=0.2)
    every = histories(2, 4)
    grid = Grid.start([rule], ["a", "b"], runs=(len(every),))
    # Units 0 and 1 are the candidate's, 2 and 3 the control's; the first of each is of slice a, the second of slice b.
    for block in range(2):
        bad = every[:, block]
        new = np.stack([bad[:, 0] + bad[:, 1], bad[:, 0], bad[:, 1]], -1)[:, None, :]
        old = np.stack([bad[:, 2] + bad[:, 3], bad[:, 2], bad[:, 3]], -1)[:, None, :]
        n = np.broadcast_to(np.array([2.0, 1.0, 1.0]), new.shape)
        counted = Block.of_counts(new, n, old, n)
        grid = grid.advance(type(outcomes_of(a_grid(), {}))({2: counted}, {2: counted}), close=True)
    for edge, log_e in ((0.1, grid.rollback_log_e), (0.05, grid.hold_log_e)):
        rates = np.array([[0.2 + edge, 0.4 + edge, 0.2, 0.4]])
        chances = chance_of(every, rates)
        union = np.exp(grid.union(log_e))
        assert 0.5 < float(chances @ union) <= 1 + 1e-9
        assert np.allclose(union, np.exp(log_e.reshape(len(every), -1)) @ grid.weights.ravel())


def test_missing_labels_at_their_worst_keep_safety_honest() -> None:
    """Candidates whose bad outcomes hide, controls whose good ones do: E[e] of *safe* stays ≤ 1 at the edge of harm."""
    rule = a_rule(safe=(Null("safe", margin=0.1),), rate=0.2)
    control, candidate = 0.2, 0.3
    hides = {("new", 1): 0.6, ("new", 0): 0.1, ("old", 1): 0.0, ("old", 0): 0.3}
    states = list(product((0, 1), (True, False)))
    total = 0.0
    for history in product(states, repeat=4):
        chance, arms = 1.0, {"new": CellStats(), "old": CellStats()}
        for unit, (bad, seen) in enumerate(history):
            arm = "new" if unit < 2 else "old"
            rate = candidate if arm == "new" else control
            chance *= (rate if bad else 1 - rate) * ((1 - hides[arm, bad]) if seen else hides[arm, bad])
            arms[arm] = arms[arm] + CellStats.of_unit(rule.scale, [float(bad)] if seen else [])
        if chance == 0.0:
            continue
        grid = a_grid(rule)
        grid = grid.advance(outcomes_of(grid, {("quality", ""): (arms["old"], arms["new"])}), close=True)
        total += chance * float(np.exp(grid.safe_log_e(0, rule.safe[0])[0]))
    assert 0.5 < total <= 1 + 1e-9


@pytest.mark.parametrize("answering", [(0.3, 1.0), (1.0, 0.3), (0.5, 0.5), (0.05, 1.0)], ids=str)
def test_arms_that_answer_at_different_rates_are_still_compared_fairly(answering: tuple[float, float]) -> None:
    """Labels missing at random, more of them on one arm: both stakes follow the answers, so E[e] of *harm* stays ≤ 1.

    Balanced by exposures instead, a candidate that answers less looks harmed, and one that never answers is rolled back.
    """
    rule = a_rule(rollback=Null("harm", margin=0.1), hold=Null("harm", margin=0.1), safe=(), rate=0.2)
    states = list(product((0, 1), (True, False)))
    total = 0.0
    for history in product(states, repeat=4):
        chance, arms = 1.0, [CellStats(), CellStats()]
        for unit, (bad, seen) in enumerate(history):
            candidate = unit < 2
            rate, answers = (0.3, answering[0]) if candidate else (0.2, answering[1])
            chance *= (rate if bad else 1 - rate) * (answers if seen else 1 - answers)
            arms[candidate] = arms[candidate] + CellStats.of_unit(rule.scale, [float(bad)] if seen else [])
        grid = a_grid(rule)
        grid = grid.advance(outcomes_of(grid, {("quality", ""): (arms[0], arms[1])}), close=True)
        total += chance * float(np.exp(grid.rollback_log_e[0, 0]))
    assert 0.5 < total <= 1 + 1e-9


def test_pairs_and_recorded_levels_keep_their_mean_below_one() -> None:
    """All histories of two blocks of three pairs (better, same, worse), and of six outcomes against a level."""
    shares = np.array([0.1, 0.7, 0.2])  # A mean difference of 0.1, the edge of the null.
    paths = np.array(list(product(range(3), repeat=6))).reshape(-1, 2, 3)
    chances = shares[paths].prod((-1, -2))
    process: FixedProcess = start_paired([Null("harm", margin=0.1)], (len(paths), 1))
    for block in range(2):
        masses = np.stack([(paths[:, block] == node).sum(-1) for node in range(3)], -1).astype(float)
        process = process.advance(masses[:, None, None, :])
    assert 0.5 < float(chances @ np.exp(process.log_e[:, 0, 0])) <= 1 + 1e-9
    assert list(DIFFERENCES.nodes) == [0.0, 0.5, 1.0]

    every = histories(2, 3)
    fixed = FixedProcess.start(one_question(Null("safe", margin=0.1)), np.full((len(every), 1, 1), 0.2), YES_NO.nodes)
    for block in range(2):
        bad = every[:, block].sum(-1)
        fixed = fixed.advance(np.stack([3 - bad, bad], -1)[:, None, None, :])
    assert 0.5 < float(chance_of(every, np.full((2, 3), 0.3)) @ np.exp(fixed.log_e[:, 0, 0])) <= 1 + 1e-9


@pytest.mark.parametrize(
    ("null", "rate", "candidate"),
    [
        (Null("safe", margin=0.02), 0.01, 0.004),
        (Null("harm", margin=0.02), 0.95, 0.99),
        (Null("harm", margin=0.5), 0.1, 0.75),
        (Null("safe", margin=-0.1), 0.15, 0.02),
    ],
    ids=repr,
)
def test_bets_are_on_rates_that_may_be_met(null: Null, rate: float, candidate: float) -> None:
    """Near the ends, every effect of the mixture gains at a plausible alternative: none waits for a rate of 0 or 1."""
    _, stakes = stakes_for(null, rate, 1.0, 10, 190)
    new, at = null.sign * stakes.candidate_stake, stakes.candidate_null
    old, old_at = -null.sign * stakes.control_stake, stakes.control_null
    growth = 10 * (candidate * np.log1p(new * (1 - at)) + (1 - candidate) * np.log1p(-new * at))
    growth += 190 * (rate * np.log1p(old * (1 - old_at)) + (1 - rate) * np.log1p(-old * old_at))
    assert np.all(growth > 0)


@pytest.mark.parametrize("n", [1_000.0, 1e6])
def test_large_blocks_stay_numbers(n: float) -> None:
    """Capital is kept as a logarithm: a million outcomes overflow nothing, on either side."""
    both = Questions.of([Null("harm", margin=0.02), Null("safe", margin=0.02)])
    process = Process.start(both, 1, YES_NO.nodes, rate=0.1)
    for bad in (0.0, n, n / 2):
        process = process.advance(Block.of_counts(*counts(bad, n, n / 10, n)))
        assert np.all(np.isfinite(process.log_e))
    graded = Process.start(both, 1, TENTHS.nodes, rate=0.1)
    masses = np.zeros((1, 1, 11))
    masses[..., 3] = n
    graded = graded.advance(Block(masses, masses, *counts(n, n, n)))
    assert np.all(np.isfinite(graded.log_e))


@pytest.mark.parametrize(("margin", "ratio"), [(0.9999995, 1.0), (-0.9999999, 1.0), (-0.6, 0.5), (-0.2, 0.1), (0.9999999, 3.0)])
def test_a_boundary_outside_the_unit_square_is_refused_by_name(margin: float, ratio: float) -> None:
    """A limit that no two rates can meet is a mistake of the plan, said where it is made."""
    with pytest.raises(ValueError, match="No rates"):
        Null("harm", margin=margin, ratio=ratio)


@pytest.mark.parametrize(
    "wrong",
    [
        {"margin": 1.0},
        {"margin": float("nan")},
        {"ratio": 0.0},
        {"ratio": inf},
        {"effects": ((0.0, 1.0),)},
        {"effects": ((1, 0.4),)},
    ],
    ids=str,
)
def test_a_null_that_means_nothing_is_refused(wrong: dict[str, object]) -> None:
    """Margins are shares, ratios are above 0, the weights of a mixture add up."""
    with pytest.raises(ValueError, match=r"margin|ratio|weights"):
        Null(**wrong)  # type: ignore[arg-type]


def test_counts_that_cannot_be_are_not_bet_on() -> None:
    """More bad outcomes than outcomes would be a negative count of good ones."""
    with pytest.raises(AssertionError):
        Block.of_counts(*counts(3, 2, 0, 1))
    with pytest.raises(AssertionError):
        Block.of_counts(*counts(float("nan"), 2, 0, 1))


def test_fully_certain_harm_and_safety_are_found() -> None:
    """The bets have power: all candidates bad is harm, all good with a bad control is safe."""
    both = Questions.of([Null("harm", margin=0.02), Null("safe", margin=0.02)])
    process = Process.start(both, 1, YES_NO.nodes, rate=0.2)
    harmed = process.advance(Block.of_counts(*counts(10, 10, 20, 100)))
    assert harmed.log_e[0, 0] > log(20)
    safe = process
    for _ in range(10):
        safe = safe.advance(Block.of_counts(*counts(0, 20, 60, 200)))
    assert safe.log_e[1, 0] > log(20)
    assert union_log_e(harmed.log_e[:, 0], np.array([1.0, 0.0])) == pytest.approx(harmed.log_e[0, 0])
    assert log1p(0) == 0
