"""From e-values to verdicts: what is said of a cell, of an upgrade, and what voids both."""

from __future__ import annotations

from math import exp, inf, log

import numpy as np
import pytest

from segue.evidence.sequential.cells import CellStats
from segue.evidence.sequential.combination import union_log_e
from segue.evidence.sequential.grid import Grid, Rule, Unit, outcomes_of
from segue.evidence.sequential.judgement import Look, judge
from segue.evidence.sequential.null import Null
from segue.evidence.sequential.scale import Scale
from segue.evidence.sequential.sequences import Interval
from segue.evidence.sequential.verdicts import Evidence, Guards, Judgement
from tests.evidence.sequential.builders import Pair, a_grid, a_rule, some_stats, watched

CALM: Pair = (some_stats(10, 100), some_stats(2, 20))
HARMED: Pair = (some_stats(10, 100), some_stats(12, 20))
GENTLY: Pair = (some_stats(10, 100), some_stats(3, 20))
NOTHING: Pair = (CellStats(), CellStats())


def judged(pair: Pair, times: int, *, slices: tuple[str, ...] = (), **look: object) -> Judgement:
    """The total of one metric after the same block so many times; slices stay without data."""
    grid, seen = watched(a_grid(slices=slices), [{("quality", ""): pair}] * times, **look)
    return judge(grid, seen)


@pytest.mark.parametrize(
    ("pair", "times", "verdict", "limit"),
    [
        (CALM, 3, "inconclusive", None),
        (CALM, 120, "safe", None),
        (HARMED, 3, "harm", "rollback"),
        (GENTLY, 100, "harm", "hold"),
        (NOTHING, 50, "inconclusive", None),
    ],
    ids=["too little", "equal for long", "much worse", "a little worse for long", "nothing"],
)
def test_verdicts(pair: Pair, times: int, verdict: str, limit: str | None) -> None:
    """Harm beyond the second limit, beyond the first, safety, and what is not settled."""
    found = judged(pair, times)
    assert (found.verdict, found.limit) == (verdict, limit)
    assert (found.evidence("quality").verdict, found.evidence("quality").limit) == (verdict, limit)


@pytest.mark.parametrize(
    "new",
    [
        CellStats(),
        some_stats(0, 0, immature=500),
        some_stats(0, 0, unasked=500),
        some_stats(0, 0, missing=500),
        some_stats(0, 2, missing=498),
    ],
    ids=["empty", "immature", "never asked", "every label missing", "nearly every label missing"],
)
@pytest.mark.parametrize(
    "old", [CellStats(), some_stats(10, 100), some_stats(0, 0, missing=100)], ids=["none", "some", "silent"]
)
def test_a_measurement_that_failed_is_never_safe(new: CellStats, old: CellStats) -> None:
    """Whatever the control says, silence about the candidate shows nothing, and its sentence says so."""
    found = judged((old, new), 50)
    assert found.verdict == "inconclusive"
    assert found.evidence("quality").verdict == "inconclusive"
    if not new.labelled:
        assert "nothing is known yet" in found.evidence("quality").sentence
        assert found.evidence("quality").settlement is None


def test_a_candidate_without_a_control_is_not_safe() -> None:
    """There is nothing to be as good as, and the sentence says so."""
    for old in (CellStats(), some_stats(0, 0, missing=500)):
        found = judged((old, some_stats(0, 500)), 50)
        assert found.verdict == "inconclusive"
        assert found.evidence("quality").settlement is None
        assert "nothing to compare with" in found.evidence("quality").sentence


def test_a_broken_assignment_hides_no_harm_beyond_the_rollback_limit() -> None:
    """It forbids to go on; users who are harmed are taken back whatever the shares are."""
    found = judged(HARMED, 50, guards=Guards(mismatched=True))
    assert (found.verdict, found.limit, found.culprits) == ("harm", "rollback", (("quality", ""),))
    assert found.evidence("quality").void is None
    assert found.hold_log_e == -inf


@pytest.mark.parametrize(("pair", "times"), [(CALM, 120), (GENTLY, 100), (NOTHING, 5)], ids=["safe", "a little worse", "empty"])
def test_a_broken_assignment_lets_nothing_else_be_read(pair: Pair, times: int) -> None:
    """Neither safety, nor harm that people would only look at: they look at the broken comparison first."""
    found = judged(pair, times, slices=("a",), guards=Guards(mismatched=True))
    assert (found.verdict, found.limit, found.culprits) == ("invalid", None, ())
    assert {(one.verdict, one.void) for one in found.cells} == {("invalid", "assignment")}


def test_labels_that_come_back_unlike_void_their_own_cell() -> None:
    """The cell counts nothing towards the union; harm elsewhere is still harm; without it the upgrade is invalid."""
    slices = ("a",)
    unlike = Guards(unlike=frozenset({("quality", "")}))
    both = [{("quality", ""): HARMED, ("quality", "a"): CALM}] * 20
    grid, look = watched(a_grid(slices=slices), both, guards=unlike)
    found = judge(grid, look)
    assert found.verdict == "invalid"
    assert found.evidence("quality").verdict == "invalid"
    assert found.evidence("quality", "a").verdict != "invalid"
    assert found.rollback_log_e < log(20)

    other = [{("quality", ""): CALM, ("quality", "a"): HARMED}] * 20
    grid, look = watched(a_grid(slices=slices), other, guards=unlike)
    assert judge(grid, look).verdict == "harm"
    assert judge(grid, look).culprits == (("quality", "a"),)


def test_a_culprit_is_named_by_slice() -> None:
    """Harm in one slice that the total hardly shows."""
    blocks = [{("quality", ""): CALM, ("quality", "a"): CALM, ("quality", "b"): HARMED}] * 120
    grid, look = watched(a_grid(slices=("a", "b")), blocks)
    found = judge(grid, look)
    assert (found.verdict, found.culprits) == ("harm", (("quality", "b"),))
    assert found.evidence("quality", "a").verdict == "safe"


@pytest.mark.parametrize("seed", range(12))
def test_a_culprit_named_means_the_union_alarmed(seed: int) -> None:
    """Over random grids: no cell is called harmed while the upgrade is not."""
    rng = np.random.default_rng(seed)
    slices = tuple("abcd")
    grid = a_grid(a_rule("quality"), a_rule("refusals"), slices=slices)
    blocks = []
    for _ in range(6):
        cells = {}
        for metric in ("quality", "refusals"):
            for name in ("", *slices):
                worse = 0.1 + 0.4 * (rng.random() < 0.15)
                cells[metric, name] = (
                    some_stats(int(rng.binomial(100, 0.1)), 100),
                    some_stats(int(rng.binomial(20, worse)), 20),
                )
        blocks.append(cells)
    grid, look = watched(grid, blocks)
    found = judge(grid, look)
    if found.culprits:
        assert found.verdict == "harm"
        assert max(found.rollback_log_e, found.hold_log_e) >= log(20)
    for one in found.cells:
        if one.verdict == "harm":
            assert (one.metric, one.slice) in found.culprits


def test_the_bound_is_in_the_metrics_own_units() -> None:
    """On a scale of 1 to 5 a margin of a tenth is 0.4 of a grade.

    An interval beyond it says more of this cell alone; but the cell was found among many, and only the limit is corrected.
    """
    scale = Scale(1.0, 5.0, "lower", 11)
    grades = a_rule(
        "grade", rollback=Null("harm", margin=0.1), hold=Null("harm", margin=0.05), scale=scale, unit=Unit("grades")
    )
    old, new = (sum_of(scale, value, n) for value, n in ((4.6, 100), (2.0, 20)))
    grid, look = watched(a_grid(grades), [{("grade", ""): (old, new)}] * 5)
    found = judge(grid, look).evidence("grade")
    assert (found.verdict, found.bound) == ("harm", pytest.approx(0.4))
    assert found.effect == pytest.approx(2.6)
    tight = Look(look.totals, intervals={("grade", ""): Interval(2.1, 3.0)})
    assert judge(grid, tight).evidence("grade").bound == pytest.approx(0.4)
    assert judge(grid, tight).evidence("grade").interval == Interval(2.1, 3.0)
    assert "by at least 0.4 grades" in found.sentence


def sum_of(scale: Scale, value: float, n: int) -> CellStats:
    """So many units that all said the same."""
    whole = CellStats()
    for _ in range(n):
        whole = whole + CellStats.of_unit(scale, [value])
    return whole


def test_the_ladder_names_the_tightest_margin_excluded() -> None:
    """Harm beyond 10 points is excluded early, beyond 2 points later."""
    ladder = tuple(Null("safe", margin=margin) for margin in (0.1, 0.05, 0.02))
    bounds = []
    for times in (2, 15, 40, 150):
        grid, look = watched(a_grid(a_rule(safe=ladder)), [{("quality", ""): CALM}] * times)
        bounds.append(judge(grid, look).evidence("quality").bound)
    assert bounds == [None, 0.1, 0.05, 0.02]


def test_a_ratio_limit_has_a_verdict_and_no_bound_in_points() -> None:
    """20 % more negative feedback, said without a number that it does not have."""
    rule = a_rule("complaints", rollback=Null("harm", ratio=1.2), hold=Null("harm", ratio=1.1), safe=())
    grid, look = watched(a_grid(rule), [{("complaints", ""): HARMED}] * 5)
    found = judge(grid, look).evidence("complaints")
    assert (found.verdict, found.bound) == ("harm", None)
    assert found.sentence == (
        "complaints: the candidate is worse: beyond the limit at which the upgrade rolls back (100 outcomes on the candidate)."
    )


def test_what_would_settle_it_is_asked_of_the_nearest_limit() -> None:
    """Between hold and rollback the hold limit can still be shown; equal arms head for safety; the rest is never."""
    between = judged((some_stats(100, 1000), some_stats(7, 50)), 2).evidence("quality").settlement
    assert between is not None
    assert between.question == "harm"
    assert between.outcomes is not None
    equal = (
        judged((some_stats(100, 1000), some_stats(5, 50)), 2, per_day={("quality", ""): 100.0}).evidence("quality").settlement
    )
    assert equal is not None
    assert (equal.question, equal.outcomes is not None) == ("safe", True)
    assert equal.days == pytest.approx((equal.outcomes or 0) / 100, abs=0.01)
    at_edge = judged((some_stats(100, 1000), some_stats(6, 50)), 2).evidence("quality").settlement
    assert at_edge is not None
    assert at_edge.outcomes is None


def test_the_outlook_is_roughly_kept() -> None:
    """From half-way, equal arms are safe within twice the outcomes foretold and not before half of them."""
    grid, look = watched(a_grid(), [{("quality", ""): CALM}] * 40)
    told = judge(grid, look).evidence("quality").settlement
    assert told is not None
    assert told.outcomes is not None
    more = 0
    while judge(grid, look).verdict != "safe":
        grid = grid.advance(outcomes_of(grid, {("quality", ""): CALM}), close=True)
        more += 20
        assert more < 10_000
    assert told.outcomes / 2 < more < told.outcomes * 2


def test_cells_wait_for_ten_units_and_no_step_forgets_them() -> None:
    """Nine bad outcomes wait; the tenth, or the end of a step, makes them count, once."""
    grid = a_grid()
    nine = {("quality", ""): (some_stats(10, 100), some_stats(9, 9))}
    waiting = grid.advance(outcomes_of(grid, nine))
    assert waiting.rollback_log_e[0, 0] == pytest.approx(0.0, abs=1e-12)
    tenth = {("quality", ""): (CellStats(), some_stats(1, 1))}
    full = waiting.advance(outcomes_of(grid, tenth))
    closed = waiting.advance(outcomes_of(grid, {}), close=True)
    assert full.rollback_log_e[0, 0] > closed.rollback_log_e[0, 0] > 1.0
    again = full.advance(outcomes_of(grid, {}), close=True)
    assert np.array_equal(again.rollback_log_e, full.rollback_log_e)


def test_a_wide_grid_bets_like_its_cells_alone() -> None:
    """Where few of many cells have data, each gets what it would have got in a grid of its own."""
    slices = tuple(f"s{i}" for i in range(20))
    rules = [a_rule("quality"), a_rule("refusals")]
    wide = a_grid(*rules, slices=slices)
    alone = a_grid(a_rule("refusals"))
    for pair in (GENTLY, HARMED, CALM, (some_stats(0, 0, missing=20), some_stats(1, 12, missing=2))):
        wide = wide.advance(outcomes_of(wide, {("refusals", "s7"): pair}))
        alone = alone.advance(outcomes_of(alone, {("refusals", ""): pair}))
    assert wide.rollback_log_e[1, 8] == pytest.approx(alone.rollback_log_e[0, 0])
    assert wide.hold_log_e[1, 8] == pytest.approx(alone.hold_log_e[0, 0])
    null = wide.rules[1].safe[0]
    assert wide.safe_log_e(1, null)[8] == pytest.approx(alone.safe_log_e(0, null)[0])
    assert np.count_nonzero(np.abs(wide.rollback_log_e) > 1e-12) == 1


def test_metrics_of_different_scales_share_a_grid() -> None:
    """Each keeps its own evidence and its own questions of safety, whatever the order of the rules."""
    graded = a_rule("grade", scale=Scale(size=11), safe=(Null("safe", margin=0.1), Null("safe", margin=0.05)))
    yes_no = a_rule("quality", safe=(Null("safe", margin=0.03),))
    pairs = {("quality", ""): CALM, ("grade", ""): (sum_of(graded.scale, 0.1, 50), sum_of(graded.scale, 0.4, 20))}
    for rules in ((graded, yes_no), (yes_no, graded)):
        grid, _ = watched(a_grid(*rules), [pairs] * 3)
        for row, rule in enumerate(rules):
            alone, _ = watched(a_grid(rule), [pairs] * 3)
            assert grid.rollback_log_e[row, 0] == pytest.approx(alone.rollback_log_e[0, 0])
            assert grid.hold_log_e[row, 0] == pytest.approx(alone.hold_log_e[0, 0])
            for null in rule.safe:
                assert grid.safe_log_e(row, null)[0] == pytest.approx(alone.safe_log_e(0, null)[0])
    assert union_log_e(grid.rollback_log_e.ravel(), grid.weights.ravel()) == pytest.approx(
        float(grid.union(grid.rollback_log_e))
    )


def test_a_grid_refuses_what_it_cannot_keep_apart() -> None:
    """A metric or a slice given twice, and limits of the wrong side."""
    with pytest.raises(ValueError, match="metric quality"):
        Grid.start([a_rule(), a_rule()], [])
    with pytest.raises(ValueError, match="slice a"):
        Grid.start([a_rule()], ["a", "a"])
    with pytest.raises(ValueError, match="Given twice"):
        Grid.start([a_rule()], [""])
    with pytest.raises(ValueError, match="side"):
        a_rule(rollback=Null("safe", margin=0.05))
    with pytest.raises(ValueError, match="metric"):
        Grid.start([], [])


def test_evidence_is_found_by_name() -> None:
    """And a cell that is not watched is an error."""
    found = judged(CALM, 1, slices=("a",))
    assert found.evidence("quality", "a").slice == "a"
    with pytest.raises(KeyError):
        found.evidence("quality", "b")


def test_an_e_value_never_overflows() -> None:
    """Beyond what a float holds it is infinite, and the logarithm stays."""
    found: Evidence = judged(HARMED, 200).evidence("quality")
    assert found.log_e > 700
    assert found.e_value == inf
    assert judged(CALM, 1).evidence("quality").e_value == pytest.approx(exp(judged(CALM, 1).evidence("quality").log_e))


def test_a_looser_margin_excluded_is_a_step_and_not_yet_safety() -> None:
    """Harm beyond 10 points excluded says nothing of the 2 points that were asked for."""
    rule = a_rule("quality", safe=(Null("safe", margin=0.10), Null("safe", margin=0.02)))
    pair = (some_stats(60, 600), some_stats(3, 30))
    found = judged_by(rule, pair, 4)
    assert (found.verdict, found.bound) == ("inconclusive", 0.10)
    assert "harm beyond 10 points is excluded" in found.sentence
    assert found.settlement is not None
    assert found.settlement.question == "safe"
    assert judged_by(rule, pair, 90).verdict == "safe"


def test_ratios_are_ordered_by_what_they_allow() -> None:
    """Twice the feedback excluded is not a fifth more excluded."""
    rule = a_rule(
        "complaints",
        rollback=Null("harm", ratio=1.5),
        hold=Null("harm", ratio=1.2),
        safe=(Null("safe", ratio=2.0), Null("safe", ratio=1.2)),
    )
    found = judged_by(rule, (some_stats(300, 3000), some_stats(17, 150)), 2)
    assert found.verdict == "inconclusive"


def judged_by(rule: Rule, pair: tuple[CellStats, CellStats], times: int) -> Evidence:
    """The total of a metric after so many like blocks."""
    grid, look = watched(a_grid(rule), [{(rule.metric, ""): pair}] * times)
    return judge(grid, look).evidence(rule.metric)
