"""Intervals of paired differences at every look, and the number of pairs that would settle a question."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.evidence.sequential.null import Null
from segue.evidence.sequential.outlook import level_growth, paired_growth, settle_pairs
from segue.evidence.sequential.paired import DIFFERENCES, pair_masses, start_paired
from segue.evidence.sequential.paired_sequence import PairedSequence
from segue.evidence.sequential.sequences import Interval
from segue.evidence.sequential.wald import growth_rate

RUNS = 200


@pytest.mark.parametrize(
    ("better", "worse"), [(0.05, 0.05), (0.01, 0.01), (0.02, 0.1), (0.3, 0.05)], ids=["equal", "calm", "worse", "better"]
)
def test_the_true_difference_is_inside_at_every_look(better: float, worse: float) -> None:
    """In 95 of 100 streams, all looks together; and by the end the interval says something."""
    rng = np.random.default_rng(3)
    sequence = PairedSequence.start(RUNS, scale=0.02)
    missed = np.zeros(RUNS, bool)
    for _ in range(12):
        sequence = sequence.advance(rng.multinomial(60, [better, 1 - better - worse, worse], RUNS).astype(float))
        missed |= [not _holds(one, worse - better) for one in sequence.intervals()]
    assert missed.sum() <= 18, "5 % of 200, and 2.6 standard errors"
    widths = [one.high - one.low for one in sequence.intervals() if one.low is not None and one.high is not None]
    assert len(widths) == RUNS
    assert np.mean(widths) < 9 * np.sqrt((better + worse) / 720) + 0.02


def _holds(one: Interval, truth: float) -> bool:
    return (one.low is None or one.low <= truth) and (one.high is None or one.high >= truth)


def test_nothing_seen_bounds_nothing() -> None:
    """Unknown stays unknown at both ends."""
    assert PairedSequence.start(2, scale=0.02).intervals() == (Interval(None, None),) * 2


shares = st.tuples(st.floats(0.0, 0.5), st.floats(0.0, 0.5)).map(lambda one: np.array([one[0], 1 - sum(one), one[1]]))


@given(shares, st.sampled_from(["harm", "safe"]), st.floats(-0.3, 0.3))
def test_no_stake_grows_faster_than_the_growth_that_is_said(parts: np.ndarray, side: str, margin: float) -> None:
    """So that what is said to be needed is never more than the best bet takes."""
    null = Null(side, margin=margin)  # type: ignore[arg-type]
    gains = null.sign * (DIFFERENCES.nodes - (1 + margin) / 2)
    best = max(float(parts @ np.log1p(stake * gains)) for stake in np.linspace(0, 0.999 / -gains.min(), 400))
    found = paired_growth(null, parts)
    assert best - 1e-9 <= found <= best + 2e-3
    assert found == 0 or null.sign * (parts[2] - parts[0] - margin) > -1e-12


def test_what_is_said_to_settle_pairs_is_about_what_it_takes() -> None:
    """Equal bundles of a churn of a tenth, safe within two points: in about half the runs so many pairs, and a third more."""
    nulls = [Null("harm", margin=0.05), Null("harm", margin=0.02), Null("safe", margin=0.02)]
    goal = float(np.log(20))
    told = settle_pairs(np.array([50.0, 900.0, 50.0]), nulls, [0.0] * 3, [goal] * 3, 250.0)
    assert told is not None
    assert told.outcomes is not None
    assert (told.question, told.days) == ("safe", told.outcomes / 250)
    counts = np.random.default_rng(5).multinomial(int(told.outcomes * 1.35 / 40), [0.05, 0.9, 0.05], (40, 400)).astype(float)
    process = start_paired([nulls[2]], 400)
    shown = np.zeros(400, bool)
    for better, same, worse in np.moveaxis(counts, -1, 1):
        process = process.advance(pair_masses(worse[None], same[None], better[None]))
        shown |= process.log_e[0] >= goal
    assert 0.3 < np.mean(shown) < 0.8


def test_pairs_ask_for_the_limit_that_they_seem_to_be_beyond() -> None:
    """And without a pair there is no question to be settled."""
    nulls = [Null("harm", margin=0.05), Null("harm", margin=0.02), Null("safe", margin=0.02)]
    assert settle_pairs(np.zeros(3), nulls, [0.0] * 3, [3.0] * 3) is None
    found = [
        settle_pairs(np.array([50.0, 950.0 - worse, worse]), nulls, [2.0, 1.0, 0.0], [3.0, 3.0, 3.0]) for worse in (150, 85, 60)
    ]
    assert [one.question for one in found if one is not None] == ["harm", "harm", "safe"]


@given(st.floats(0.05, 0.9), st.floats(0.01, 0.99))
def test_a_level_is_a_control_without_end(level: float, candidate: float) -> None:
    """Against very many outcomes of the control, two arms come to the same."""
    null = Null("harm", margin=0.02)
    alone = level_growth(null, level=level, candidate=candidate)
    both = growth_rate(null, control=level, candidate=candidate, ratio=1e9)
    assert alone == pytest.approx(both, rel=1e-3, abs=1e-7)
