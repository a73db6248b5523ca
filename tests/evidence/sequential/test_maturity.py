"""Outcomes count by exposure, at a fixed age, once per unit; what came too late or too early is not news."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.evidence.sequential.cells import POOLED, CellKey, CellStats, merge_cells
from segue.evidence.sequential.labels import Label, MetricAge, Rejected
from segue.evidence.sequential.maturity import Counted, Exposure, count_cells
from segue.evidence.sequential.scale import Scale

ASKED = {"quality": 1.0}
DAY = 86_400.0
METRICS = {"quality": MetricAge(Scale(), age=100.0)}


def looked(exposures: list[Exposure], labels: list[Label], **changes: object) -> Counted:
    """Cells of blocks of ten seconds, long after everything matured, and the labels not read."""
    given: dict[str, object] = {"metrics": METRICS, "block": 10.0, "now": 1e9}
    return count_cells("refunds", exposures, labels, **{**given, **changes})  # type: ignore[arg-type]


def counted(exposures: list[Exposure], labels: list[Label], **changes: object) -> dict[CellKey, CellStats]:
    """The cells alone."""
    return looked(exposures, labels, **changes).cells


def served(unit: str, at: float, arm: str = "candidate", **changes: object) -> Exposure:
    """A unit served and asked."""
    return Exposure(unit, arm, at, **{"asked": ASKED, **changes})  # type: ignore[arg-type]


def only(cells: dict[CellKey, CellStats]) -> CellStats:
    """The one cell there is."""
    (stats,) = cells.values()
    return stats


def test_a_unit_belongs_to_the_block_of_its_first_exposure() -> None:
    """Seen in blocks 3 and 5, it is counted in block 3, in whatever order the exposures come."""
    exposures = [served("ann", 55.0), served("ann", 31.0)]
    for order in (exposures, exposures[::-1]):
        assert [key.block for key in counted(order, [])] == [3]


def test_labels_after_their_age_are_not_counted() -> None:
    """The last moment counts, the one after it does not, nor does a label from before the exposure."""
    labels = [Label("ann", "quality", 1.0, at) for at in (130.9, 131.0, 131.1, 30.9)]
    assert only(counted([served("ann", 31.0)], labels)).requests.n == 2


@pytest.mark.parametrize(("now", "matured"), [(139.9, 0), (140.0, 1)])
def test_a_block_is_judged_when_its_youngest_unit_is_old_enough(now: float, matured: int) -> None:
    """The block of 30 to 40 matures at 140, whoever was served first; until then it is exposed and nothing else."""
    stats = only(counted([served("ann", 31.0)], [Label("ann", "quality", 1.0, 32.0)], now=now))
    assert (stats.exposed, stats.matured, stats.labelled) == (1, matured, matured)


def test_silence_is_missing_and_not_well() -> None:
    """Asked without an answer, and never asked, are two things, and neither is good."""
    silent = only(counted([served("ann", 1.0)], []))
    assert (silent.matured, silent.asked, silent.labelled, silent.missing) == (1, 1, 0, 1)
    unasked = only(counted([served("ann", 1.0, asked={})], [Label("ann", "quality", 0.0, 2.0)]))
    assert (unasked.matured, unasked.asked, unasked.labelled, unasked.masses) == (1, 0, 0, ())


def test_a_unit_seen_on_both_arms_while_it_was_judged_is_dropped() -> None:
    """Its outcomes are of neither bundle."""
    crossed = [served("ann", 1.0, "incumbent"), served("ann", 50.0), served("bob", 2.0)]
    cells = counted(crossed, [])
    assert {key.arm: stats.exposed for key, stats in cells.items()} == {"candidate": 1}


def test_a_crossing_after_a_unit_was_judged_changes_nothing() -> None:
    """Served by the candidate long after its outcomes were counted: the past is not rewritten.

    Else the units that come back, who are not like those who stay away, would leave the control at every step of a ramp.
    """
    before = counted([served("ann", 1.0, "incumbent")], [])
    after = counted([served("ann", 1.0, "incumbent"), served("ann", 101.5)], [])
    assert after == before


@given(
    st.lists(
        st.tuples(st.sampled_from("abcdef"), st.sampled_from(["incumbent", "candidate"]), st.integers(0, 400)), max_size=12
    ),
    st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 600), st.sampled_from([0.0, 1.0])), max_size=12),
    st.integers(0, 500),
    st.integers(0, 500),
)
def test_a_matured_cell_never_changes_again(
    exposures: list[tuple[str, str, int]], labels: list[tuple[str, int, float]], first: int, later: int
) -> None:
    """What was bet on is what is found when counting again later: no look sees into the future."""
    shown = [served(unit, float(at), arm) for unit, arm, at in exposures]
    said = [Label(unit, "quality", value, float(at)) for unit, at, value in labels]
    early = counted(shown, said, now=float(first))
    late = counted(shown, said, now=float(first + later))
    for key, stats in early.items():
        if stats.matured:
            assert late[key] == stats
    ready = {key for key, stats in late.items() if (key.block + 1) * 10.0 + 100.0 <= first}
    assert all(late[key] == early[key] for key in ready)


def test_what_lies_in_the_future_is_not_counted() -> None:
    """An exposure after `now` has not happened."""
    assert counted([served("ann", 31.0)], [], now=30.0) == {}


def test_slices_and_the_total_hold_the_same_units() -> None:
    """One unit in two slices is three cells, each with one exposure, and the name of the total is no slice."""
    cells = counted([served("ann", 1.0, slices=frozenset({"lang=de", "task=refund", POOLED}))], [])
    assert {key.slice: stats.exposed for key, stats in cells.items()} == {POOLED: 1, "lang=de": 1, "task=refund": 1}


def test_sampling_probabilities_become_weights() -> None:
    """A unit sampled surely weighs a tenth of one sampled at the least probability, a tenth."""
    metrics = {"quality": MetricAge(Scale(), age=100.0, least_probability=0.1)}
    exposures = [served("ann", 1.0, asked={"quality": 0.1}), served("bob", 2.0, asked={"quality": 1.0})]
    labels = [Label("ann", "quality", 1.0, 3.0), Label("bob", "quality", 0.0, 3.0)]
    stats = only(counted(exposures, labels, metrics=metrics))
    assert stats.masses == pytest.approx((0.1, 1.0))
    assert stats.units.mean == pytest.approx(1 / 1.1)


@pytest.mark.parametrize("probability", [0.05, 0.0, -1.0, 1.5, float("nan")])
def test_a_sampling_probability_outside_its_bounds_is_an_error(probability: float) -> None:
    """Below the least one declared a weight would pass 1; above 1 nothing is a probability."""
    metrics = {"quality": MetricAge(Scale(), age=100.0, least_probability=0.1)}
    with pytest.raises(ValueError, match=r"ann.*quality.*probability"):
        counted([served("ann", 1.0, asked={"quality": probability})], [], metrics=metrics)


@pytest.mark.parametrize(
    "wrong", [{"age": -1.0}, {"age": float("nan")}, {"least_probability": 0.0}, {"least_probability": 1.1}], ids=str
)
def test_an_age_and_a_probability_make_sense(wrong: dict[str, float]) -> None:
    """Errors come where the plan is read."""
    with pytest.raises(ValueError, match=r"age|probability"):
        MetricAge(Scale(), **{"age": 1.0, **wrong})


@pytest.mark.parametrize("block", [0.0, -1.0, float("nan")])
def test_a_block_has_a_length(block: float) -> None:
    """No division of time by nothing."""
    with pytest.raises(ValueError, match="block"):
        counted([], [], block=block)


def test_counting_in_parts_is_counting_at_once() -> None:
    """Units split over two gateways give the same cells."""
    exposures = [served(f"u{i}", float(i), "candidate" if i % 3 else "incumbent") for i in range(40)]
    labels = [Label(f"u{i}", "quality", float(i % 2), i + 5.0) for i in range(40)]
    whole = counted(exposures, labels)
    parts = [counted(exposures[part::2], labels) for part in range(2)]
    assert merge_cells(parts) == whole


def test_a_unit_seen_by_two_gateways_counts_once() -> None:
    """Two exposures of one user, recorded apart: one unit, in the block of the earlier one, with the mean of all it said."""
    gateways = [[served("ann", 55.0), served("bob", 56.0)], [served("ann", 31.0)]]
    labels = [Label("ann", "quality", 1.0, 60.0), Label("ann", "quality", 0.0, 61.0)]
    for order in (gateways, gateways[::-1]):
        cells = counted([one for part in order for one in part], labels)
        assert {key.block: (stats.exposed, stats.labelled) for key, stats in cells.items()} == {3: (1, 1), 5: (1, 0)}
        assert next(stats for key, stats in cells.items() if key.block == 3).units.mean == 0.5


WRONG = [
    (float("nan"), "no number"),
    (float("inf"), "no number"),
    (float("-inf"), "no number"),
    (1.5, "outside the scale"),
    (-0.1, "outside the scale"),
]


@pytest.mark.parametrize(("value", "why"), WRONG, ids=str)
def test_a_label_that_cannot_be_read_is_missing_and_named(value: float, why: str) -> None:
    """It is neither good nor bad, it stops nothing, and what others said counts as ever."""
    exposures = [served("ann", 1.0), served("bob", 2.0)]
    found = looked(exposures, [Label("ann", "quality", value, 3.0)] * 2 + [Label("bob", "quality", 1.0, 3.0)])
    stats = only(found.cells)
    assert (stats.asked, stats.labelled, stats.missing, stats.masses) == (2, 1, 1, (0.0, 1.0))
    (rejected,) = found.rejected
    assert (rejected.unit, rejected.metric, rejected.why, rejected.times) == ("ann", "quality", why, 2)
    assert repr(rejected.value) == repr(value)


def test_a_unit_with_one_good_label_and_one_bad_one_has_the_good_one() -> None:
    """What cannot be read takes nothing away."""
    found = looked([served("ann", 1.0)], [Label("ann", "quality", float("nan"), 3.0), Label("ann", "quality", 1.0, 4.0)])
    assert only(found.cells) == CellStats.of_unit(Scale(), [1.0])
    assert len(found.rejected) == 1


def test_labels_of_nobody_are_named() -> None:
    """Of a unit that was never served, or not yet; those of a metric nobody watches are no concern of this one."""
    labels = [Label("eve", "quality", 1.0, 3.0), Label("late", "quality", 0.0, 4.0), Label("ann", "tone", float("nan"), 3.0)]
    found = looked([served("ann", 1.0), served("late", 600.0)], labels, now=500.0)
    assert found.rejected == (
        Rejected("eve", "quality", 1.0, "unknown unit", 1),
        Rejected("late", "quality", 0.0, "unknown unit", 1),
    )


def test_a_label_delivered_twice_is_read_once() -> None:
    """The same value at the same moment is a repetition; another value or moment is another outcome, and is averaged."""
    labels = [Label("ann", "quality", 1.0, 3.0)] * 3 + [Label("ann", "quality", 0.0, 3.0), Label("ann", "quality", 1.0, 5.0)]
    found = looked([served("ann", 1.0)], labels)
    assert only(found.cells).requests.n == 3
    assert only(found.cells).units.mean == pytest.approx(2 / 3)
    assert found.rejected == (Rejected("ann", "quality", 1.0, "repeated", 2),)


def test_a_label_without_a_time_is_named() -> None:
    """When it became known decides whether it counts, so that has to be a moment; one from the future has not come yet."""
    labels = [Label("ann", "quality", 1.0, float("nan")), Label("ann", "quality", 1.0, 2e9)]
    found = looked([served("ann", 1.0)], labels)
    assert only(found.cells).missing == 1
    assert [one.why for one in found.rejected] == ["no time"]


def test_values_beyond_a_cap_count_as_the_cap_where_the_metric_says_so() -> None:
    """A cost above its cap is real, and so is any value asked whether it is beyond a limit; a time below 0 is not."""
    cost = MetricAge(Scale(high=2.0, size=11), age=100.0, capped=True)
    assert only(counted([served("ann", 1.0)], [Label("ann", "quality", 9.0, 3.0)], metrics={"quality": cost})).units.mean == 1.0
    slow = MetricAge(Scale.beyond(800.0), age=100.0, sketched=True)
    labels = [Label("ann", "quality", 900.0, 3.0), Label("ann", "quality", -1.0, 4.0)]
    found = looked([served("ann", 1.0)], labels, metrics={"quality": slow})
    assert only(found.cells).units.mean == 1.0
    assert [one.why for one in found.rejected] == ["outside the scale"]


def test_bad_news_that_comes_first_gives_no_bias() -> None:
    """Equal arms, bad outcomes known in an hour and good ones in up to two days, the candidate young because it ramps.

    Counted as they arrive, the candidate looks 4 points worse or more; matured, the difference is within three standard errors.
    """
    rng = np.random.default_rng(3)
    units, age = 20_000, 2 * DAY
    at = np.sort(rng.uniform(0.0, 6 * DAY, units))
    young = rng.random(units) < np.where(at > 5 * DAY, 0.5, 0.02)
    bad = rng.random(units) < 0.1
    known = at + np.where(bad, 3_600.0, rng.uniform(3_600.0, age, units))
    arms = np.where(young, "candidate", "incumbent")
    exposures = [served(str(i), float(at[i]), str(arms[i])) for i in range(units)]
    labels = [Label(str(i), "quality", float(bad[i]), float(known[i])) for i in range(units)]

    seen = known <= 6 * DAY
    arrived = bad[seen & young].mean() - bad[seen & ~young].mean()
    assert arrived > 0.04

    cells = counted(exposures, labels, metrics={"quality": MetricAge(Scale(), age=age)}, block=3_600.0, now=8.1 * DAY)
    sums = {"incumbent": CellStats(), "candidate": CellStats()}
    for key, stats in cells.items():
        sums[key.arm] = sums[key.arm] + stats
    new, old = sums["candidate"], sums["incumbent"]
    assert new.labelled == int(young.sum())
    assert new.units.mean is not None
    assert old.units.mean is not None
    error = (0.09 * (1 / new.labelled + 1 / old.labelled)) ** 0.5
    assert abs(new.units.mean - old.units.mean) < 3 * error
