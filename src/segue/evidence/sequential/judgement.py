"""From e-values to values people can act on.

It decides nothing about steps: whether to advance, extend, hold or roll back is the controller's, from these.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isnan, log

import numpy as np
from numpy.typing import NDArray

from segue.evidence.sequential.betting import Array
from segue.evidence.sequential.cells import CellStats
from segue.evidence.sequential.combination import ALPHA, holm_log_e
from segue.evidence.sequential.grid import Grid, Rule
from segue.evidence.sequential.ladder import Ladder, Rung
from segue.evidence.sequential.null import Null
from segue.evidence.sequential.sequences import Interval
from segue.evidence.sequential.settling import Rates, settle
from segue.evidence.sequential.verdicts import WORST_FIRST, Evidence, Guards, Judgement, Limit, Settlement, Verdict

Totals = Mapping[tuple[str, str], tuple[CellStats, CellStats]]
"""By metric and slice: all of the incumbent's and of the candidate's cells so far, added up."""

_LIMITS: tuple[Limit, Limit] = ("rollback", "hold")
_NOTHING = (CellStats(), CellStats())
_UNKNOWN = Interval(None, None)


@dataclass(frozen=True, slots=True)
class Look:
    """What a look knows beside the grid.

    `idle` are metrics whose limits do not count at this look: they say nothing, and are not shown. `intervals` are in the
    metric's own units; `per_day` is labelled candidate units a day; both by metric and slice. `harm` is the evidence of harm
    beyond each limit where not only the grid has some.
    """

    totals: Totals
    guards: Guards = field(default_factory=Guards)
    intervals: Mapping[tuple[str, str], Interval] = field(default_factory=dict)
    per_day: Mapping[tuple[str, str], float] = field(default_factory=dict)
    alpha: float = ALPHA
    idle: frozenset[str] = frozenset()
    harm: tuple[Array, Array] | None = None


def judge(grid: Grid, look: Look) -> Judgement:
    """Judge every cell of a grid without leading dimensions, and the whole."""
    least, shape = -log(look.alpha), grid.weights.shape
    unlike = _unlike(grid, look.guards)
    void = unlike | look.guards.mismatched
    raw: dict[Limit, Array] = dict(zip(_LIMITS, look.harm or grid.harm_log_e, strict=True))
    # A cell that means nothing adds nothing: with e = 0 the average stays an e-process.
    silent = unlike | np.array([[rule.metric in look.idle] for rule in grid.rules])
    counted = {limit: np.where(silent, -np.inf, log_e) for limit, log_e in raw.items()} if silent.any() else dict(raw)
    if look.guards.mismatched:
        # Users in other shares than set forbid to go on; whom the candidate harms is taken back all the same.
        counted["hold"] = np.full(shape, -np.inf)
    whole = dict(zip(_LIMITS, grid.union(np.stack([counted[limit] for limit in _LIMITS])).tolist(), strict=True))
    adjusted = {
        limit: holm_log_e(log_e.ravel(), grid.weights.ravel(), least=least).reshape(shape) for limit, log_e in counted.items()
    }
    totals = [look.totals.get((rule.metric, name), _NOTHING) for rule in grid.rules for name in grid.slices]
    rates = Rates.of(totals, shape)
    ladders = [
        Ladder.of(rule.safe, log_e, control) if rule.safe else None
        for rule, log_e, control in zip(grid.rules, grid.ladders_log_e, rates.control, strict=True)
    ]
    unsettled = ~void & (adjusted["rollback"] < least) & (adjusted["hold"] < least)
    settlements = settle(grid, rates, raw, ladders, look.alpha, unsettled, look.per_day)
    cells: list[Evidence] = []
    columns = len(grid.slices)
    for row, rule in enumerate(grid.rules):
        if rule.metric in look.idle:
            continue
        ladder = ladders[row]
        found = _Found(
            rule,
            grid.slices,
            totals[row * columns : (row + 1) * columns],
            ((rates.candidate[row] - rates.control[row]) * rule.scale.width).tolist(),
            void[row].tolist(),
            raw["rollback"][row].tolist(),
            adjusted["rollback"][row].tolist(),
            adjusted["hold"][row].tolist(),
            (None,) * columns if ladder is None else ladder.excluded(least),
            settlements[row],
        )
        cells += [found.evidence(column, look, least) for column in range(columns)]
    limit: Limit | None = next((one for one in _LIMITS if whole[one] >= least), None)
    culprits = tuple((one.metric, one.slice) for one in cells if one.verdict == "harm")
    return Judgement(_overall(limit, look, cells), limit, whole["rollback"], whole["hold"], culprits, tuple(cells))


def _unlike(grid: Grid, guards: Guards) -> NDArray[np.bool_]:
    """Of which cells the labels come back differently. Shape (metrics, 1 + slices)."""
    if not guards.unlike:
        return np.zeros(grid.weights.shape, bool)
    return np.array([[(rule.metric, name) in guards.unlike for name in grid.slices] for rule in grid.rules])


def _overall(limit: Limit | None, look: Look, cells: list[Evidence]) -> Verdict:
    """The union speaks; then a broken comparison, which is never read as safety; then the worst cell."""
    if limit is not None:
        return "harm"
    if look.guards.mismatched:
        return "invalid"
    found = {one.verdict for one in cells}
    return next((one for one in WORST_FIRST if one in found and one != "harm"), "inconclusive")


@dataclass(frozen=True, slots=True)
class _Found:
    """One metric: what was found in each of its cells, as lists, which are quicker to walk than arrays.

    `raw` is evidence of harm beyond the rollback limit in a cell by itself; `rollback` and `hold` are adjusted for all cells.
    """

    rule: Rule
    slices: tuple[str, ...]
    totals: list[tuple[CellStats, CellStats]]
    effects: list[float]
    void: list[bool]
    raw: list[float]
    rollback: list[float]
    hold: list[float]
    rungs: tuple[Rung | None, ...]
    settlements: list[Settlement | None]

    def evidence(self, column: int, look: Look, least: float) -> Evidence:
        """Of one cell."""
        rule, name, rung = self.rule, self.slices[column], self.rungs[column]
        old, new = self.totals[column]
        verdict: Verdict = "inconclusive"
        limit, log_e, bound = None, self.raw[column], None
        shown: Limit | None = "rollback" if self.rollback[column] >= least else "hold" if self.hold[column] >= least else None
        if shown is not None and new.labelled:
            verdict, limit, log_e = "harm", shown, (self.rollback if shown == "rollback" else self.hold)[column]
            # The limit itself, for it is what was shown with all cells corrected for; an end of an interval is not.
            bound = _in_units(rule, rule.rollback if shown == "rollback" else rule.hold)
        elif self.void[column]:
            verdict = "invalid"
        elif rung is not None and new.labelled and old.labelled:
            # Only the tightest margin asked for is safety; a looser one is a step on the way to it.
            verdict = "safe" if rung.is_last else "inconclusive"
            log_e, bound = rung.log_e, _in_units(rule, rung.null)
        effect = self.effects[column]
        return Evidence(
            metric=rule.metric,
            slice=name,
            verdict=verdict,
            limit=limit,
            log_e=log_e,
            bound=bound,
            effect=None if isnan(effect) else effect,
            interval=look.intervals.get((rule.metric, name), _UNKNOWN) if look.intervals else _UNKNOWN,
            exposed=new.exposed,
            matured=new.matured,
            asked=new.asked,
            labelled=new.labelled,
            incumbent_labelled=old.labelled,
            settlement=self.settlements[column] if verdict == "inconclusive" else None,
            void=None if verdict != "invalid" else "assignment" if look.guards.mismatched else "labels",
            unit=rule.unit,
        )


def _in_units(rule: Rule, null: Null) -> float | None:
    """A margin in the metric's own units; a ratio has none."""
    return null.margin * rule.scale.width if null.ratio == 1.0 else None
