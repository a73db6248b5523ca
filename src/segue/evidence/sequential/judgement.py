"""From e-values to values people can act on.

It decides nothing about steps: whether to advance, extend, hold or roll back is the controller's, from these.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import log

import numpy as np
from numpy.typing import NDArray

from segue.evidence.sequential.betting import Array
from segue.evidence.sequential.cells import CellStats
from segue.evidence.sequential.combination import ALPHA, holm_log_e
from segue.evidence.sequential.grid import Grid, Rule
from segue.evidence.sequential.null import Null
from segue.evidence.sequential.sequences import Interval
from segue.evidence.sequential.verdicts import WORST_FIRST, Evidence, Guards, Judgement, Limit, Settlement, Verdict
from segue.evidence.sequential.wald import growth_rates, whole_outcomes

Totals = Mapping[tuple[str, str], tuple[CellStats, CellStats]]
"""By metric and slice: all of the incumbent's and of the candidate's cells so far, added up."""

_LIMITS: tuple[Limit, Limit] = ("rollback", "hold")
_NOTHING = CellStats()
_UNKNOWN = Interval(None, None)


@dataclass(frozen=True, slots=True)
class Look:
    """What a look knows beside the grid.

    `intervals` are in the metric's own units; `per_day` is labelled candidate units a day; both by metric and slice.
    """

    totals: Totals
    guards: Guards = field(default_factory=Guards)
    intervals: Mapping[tuple[str, str], Interval] = field(default_factory=dict)
    per_day: Mapping[tuple[str, str], float] = field(default_factory=dict)
    alpha: float = ALPHA


def judge(grid: Grid, look: Look) -> Judgement:
    """Judge every cell of a grid without leading dimensions, and the whole."""
    valid = np.array([[not _is_void(look, rule.metric, name) for name in grid.slices] for rule in grid.rules])
    raw: dict[Limit, Array] = {"rollback": grid.rollback_log_e, "hold": grid.hold_log_e}
    # A cell that means nothing adds nothing: with e = 0 the average stays an e-process.
    counted = {limit: np.where(valid, log_e, -np.inf) for limit, log_e in raw.items()}
    whole = {limit: float(grid.union(log_e)) for limit, log_e in counted.items()}
    adjusted = {limit: _adjust(grid, log_e, look.alpha) for limit, log_e in counted.items()}
    excluded = [{null: grid.safe_log_e(row, null) for null in rule.safe} for row, rule in enumerate(grid.rules)]
    settlements = _settlements(grid, look, raw, excluded)
    cells = []
    for row, rule in enumerate(grid.rules):
        back, hold = (adjusted[limit][row].tolist() for limit in _LIMITS)
        known, settled = raw["rollback"][row].tolist(), settlements[row]
        lines = [(null, log_e.tolist()) for null, log_e in excluded[row].items()]
        for column, name in enumerate(grid.slices):
            kept = [(null, line[column]) for null, line in lines]
            cells.append(_judge_cell(rule, name, look, (back[column], hold[column]), kept, known[column], settled[column]))
    limit: Limit | None = next((one for one in _LIMITS if whole[one] >= -log(look.alpha)), None)
    culprits = tuple((one.metric, one.slice) for one in cells if one.verdict == "harm")
    return Judgement(_overall(limit, look, cells), limit, whole["rollback"], whole["hold"], culprits, tuple(cells))


def _adjust(grid: Grid, log_e: Array, alpha: float) -> Array:
    """Adjusted e-values; as they are where none could name a culprit, for adjusting only lowers them."""
    if log_e.max() < -log(alpha):
        return log_e
    return holm_log_e(log_e.ravel(), grid.weights.ravel()).reshape(log_e.shape)


def _is_void(look: Look, metric: str, name: str) -> bool:
    return look.guards.mismatched or (metric, name) in look.guards.unlike


def _overall(limit: Limit | None, look: Look, cells: list[Evidence]) -> Verdict:
    """A broken comparison is never read as harm or as safety; else the union speaks, then the worst cell."""
    if look.guards.mismatched:
        return "invalid"
    if limit is not None:
        return "harm"
    found = {one.verdict for one in cells}
    return next((one for one in WORST_FIRST if one in found and one != "harm"), "inconclusive")


def _judge_cell(
    rule: Rule,
    name: str,
    look: Look,
    harm: tuple[float, float],
    excluded: Sequence[tuple[Null, float]],
    raw: float,
    settlement: Settlement | None,
) -> Evidence:
    key = (rule.metric, name)
    old, new = look.totals.get(key, (_NOTHING, _NOTHING))
    before, after = old.units.mean, new.units.mean
    interval = look.intervals.get(key, _UNKNOWN)
    least = -log(look.alpha)
    shown: Limit | None = "rollback" if harm[0] >= least else "hold" if harm[1] >= least else None
    rungs = sorted(excluded, key=lambda rung: _slack(rung[0], before))
    kept = next((rung for rung in rungs if rung[1] >= least), None)
    verdict: Verdict = "inconclusive"
    limit, log_e, bound = None, raw, None
    if _is_void(look, *key):
        verdict = "invalid"
    elif shown is not None and new.labelled:
        verdict, limit, log_e = "harm", shown, harm[_LIMITS.index(shown)]
        at_least = _in_units(rule, rule.rollback if shown == "rollback" else rule.hold)
        bound = max(at_least, interval.low) if at_least is not None and interval.low is not None else at_least
    elif kept is not None and new.labelled:
        # Only the tightest margin asked for is safety; a looser one is a step on the way to it.
        verdict = "safe" if kept is rungs[0] else "inconclusive"
        log_e, bound = kept[1], _in_units(rule, kept[0])
    return Evidence(
        metric=rule.metric,
        slice=name,
        verdict=verdict,
        limit=limit,
        log_e=log_e,
        bound=bound,
        effect=None if before is None or after is None else (after - before) * rule.scale.width,
        interval=interval,
        exposed=new.exposed,
        matured=new.matured,
        asked=new.asked,
        labelled=new.labelled,
        settlement=settlement if verdict == "inconclusive" else None,
        void=None if verdict != "invalid" else "assignment" if look.guards.mismatched else "labels",
        unit=rule.unit,
    )


def _in_units(rule: Rule, null: Null) -> float | None:
    """A margin in the metric's own units; a ratio has none."""
    return null.margin * rule.scale.width if null.ratio == 1.0 else None


def _slack(null: Null, control: float | None) -> float:
    """How much worse than the control the boundary lies, in badness; a ratio is taken of the control's rate so far."""
    return (null.ratio - 1.0) * (control or 0.0) + null.margin


def _settlements(
    grid: Grid, look: Look, raw: Mapping[Limit, Array], excluded: list[dict[Null, Array]]
) -> list[list[Settlement | None]]:
    """What would settle each cell at the rates seen: harm beyond the limit it has passed, else safety."""
    shape = grid.weights.shape
    means, labelled = np.full((2, *shape), np.nan), np.zeros((2, *shape))
    for row, rule in enumerate(grid.rules):
        for column, name in enumerate(grid.slices):
            for arm, stats in enumerate(look.totals.get((rule.metric, name), ())):
                means[arm, row, column] = np.nan if stats.units.mean is None else stats.units.mean
                labelled[arm, row, column] = stats.labelled
    control, candidate = means
    nulls, log_e, harmful = _open_questions(grid, raw, control, candidate, excluded, look.alpha)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = labelled[0] / labelled[1]
        growth = growth_rates(nulls[0], nulls[1], nulls[2], control=control, candidate=candidate, ratio=ratio)
        goal = -log(look.alpha) - np.where(harmful, np.log(grid.weights), 0.0)
        needed = np.where(growth > 0, np.maximum(goal - log_e, 0.0) / growth, np.inf)
    known = (np.isfinite(control) & np.isfinite(candidate) & (ratio > 0)).tolist()
    table: list[list[Settlement | None]] = []
    for rule, *lines in zip(grid.rules, known, harmful.tolist(), needed.tolist(), strict=True):
        cells = zip(grid.slices, *lines, strict=True)
        table.append([_settle(look, rule, name, harm, more) if sure else None for name, sure, harm, more in cells])
    return table


def _settle(look: Look, rule: Rule, name: str, harmful: bool, needed: float) -> Settlement:
    more = whole_outcomes(needed)
    daily = look.per_day.get((rule.metric, name))
    return Settlement("harm" if harmful else "safe", more, None if more is None or not daily else more / daily)


def _open_questions(
    grid: Grid,
    raw: Mapping[Limit, Array],
    control: Array,
    candidate: Array,
    excluded: list[dict[Null, Array]],
    alpha: float,
) -> tuple[Array, Array, NDArray[np.bool_]]:
    """The question each cell is nearest to: its null as (sign, margin, ratio), the evidence so far, whether it is of harm."""
    shape = grid.weights.shape
    nulls, log_e, harmful = np.empty((3, *shape)), np.empty(shape), np.ones(shape, bool)
    for row, rule in enumerate(grid.rules):

        def beyond(null: Null, at: int = row) -> NDArray[np.bool_]:
            return np.asarray(candidate[at] > null.ratio * control[at] + null.margin)

        asked = [
            (np.ones(shape[1], bool), rule.hold, raw["hold"][row]),
            (beyond(rule.rollback), rule.rollback, raw["rollback"][row]),
        ]
        if excluded[row]:
            pooled = None if np.isnan(control[row, 0]) else float(control[row, 0])
            rungs = sorted(excluded[row].items(), key=lambda rung: _slack(rung[0], pooled))
            harmful[row] = beyond(rule.hold)
            asked.append((~harmful[row], *rungs[0]))
            # The next step of the ladder: the loosest margin that is not excluded yet.
            asked += [(~harmful[row] & (gathered < -log(alpha)), null, gathered) for null, gathered in rungs[1:]]
        for where, null, evidence in asked:
            nulls[:, row, where] = np.array([null.sign, null.margin, null.ratio])[:, None]
            log_e[row, where] = evidence[where]
    return nulls, log_e, harmful
