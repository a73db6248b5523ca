"""A `Judgement` of processes that are no grid, shadow's pairs and the soak's detectors: from the same parts as `judge` has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

import numpy as np

from segue.evidence.sequential.betting import Array
from segue.evidence.sequential.cells import CellStats
from segue.evidence.sequential.combination import holm_log_e, union_log_e
from segue.evidence.sequential.sequences import Interval
from segue.evidence.sequential.verdicts import Evidence, Judgement, Limit, Settlement, Verdict
from segue.simulation.setting import Setting

LIMITS: tuple[Limit, Limit] = ("rollback", "hold")
_UNKNOWN = Interval(None, None)
Place = tuple[int, int]
"""Gate and cell, as places in the setting."""


@dataclass(frozen=True, slots=True)
class Shown:
    """Evidence in nats by limit, and perhaps of safety, shapes (gates, cells); the `least` shows it.

    `rows` are the gates of the setting that these are of; `weights` are theirs, adding up to 1. `intervals` and `settlements`
    are for people, and decide nothing: of differences, positive where the candidate is worse, and of what would settle them.
    """

    rows: tuple[int, ...]
    weights: Array
    log_e: Mapping[Limit, Array]
    least: float
    safe: Array | None = None
    mismatched: bool = False
    intervals: Mapping[Place, Interval] = field(default_factory=dict)
    settlements: Mapping[Place, Settlement | None] = field(default_factory=dict)


def conclude(setting: Setting, shown: Shown, cells: Mapping[Place, tuple[CellStats, CellStats]]) -> Judgement:
    """The judgement. `cells` are the incumbent's and the candidate's totals by gate and cell, as places in the setting."""
    flat = shown.weights.ravel()
    # Users in other shares than set forbid to go on; whom the candidate harms is taken back all the same.
    counted = {one: log_e for one, log_e in shown.log_e.items() if one == "rollback" or not shown.mismatched}
    whole = {limit: float(union_log_e(log_e.ravel(), flat)) for limit, log_e in counted.items()}
    adjusted = {
        limit: holm_log_e(log_e.ravel(), flat, least=shown.least).reshape(log_e.shape) for limit, log_e in counted.items()
    }
    found = []
    for row, place in enumerate(shown.rows):
        gate = setting.gates[place]
        for cell in gate.watched:
            at = (row, cell)
            harm = next((one for one in LIMITS if one in adjusted and adjusted[one][at] >= shown.least), None)
            found.append(_evidence(setting, shown, (place, cell), at, harm, adjusted, cells[place, cell]))
    limit = next((one for one in LIMITS if whole.get(one, -np.inf) >= shown.least), None)
    verdict: Verdict = "harm" if limit is not None else "inconclusive"
    if limit is None and found and all(one.verdict == "safe" for one in found):
        verdict = "safe"
    if limit is None and shown.mismatched:
        verdict = "invalid"
    culprits = tuple((one.metric, one.slice) for one in found if one.verdict == "harm")
    return Judgement(verdict, limit, whole["rollback"], whole.get("hold", -np.inf), culprits, tuple(found))


def _evidence(
    setting: Setting,
    shown: Shown,
    place: Place,
    at: tuple[int, int],
    harm: Limit | None,
    adjusted: Mapping[Limit, Array],
    totals: tuple[CellStats, CellStats],
) -> Evidence:
    old, new = totals
    gate, cell = setting.gates[place[0]], place[1]
    verdict: Verdict = "inconclusive"
    log_e, bound, limit = float(shown.log_e["rollback"][at]), None, None
    if harm is not None and new.labelled:
        verdict, limit, log_e = "harm", harm, float(adjusted[harm][at])
        null = gate.rule.rollback if harm == "rollback" else gate.rule.hold
        bound = null.margin if null.ratio == 1.0 else None
    elif shown.mismatched:
        verdict = "invalid"
    elif shown.safe is not None and shown.safe[at] >= shown.least and new.labelled:
        verdict, log_e = "safe", float(shown.safe[at])
    means = (old.units.mean, new.units.mean)
    return Evidence(
        metric=gate.title,
        slice=setting.slices[cell],
        verdict=verdict,
        limit=limit,
        log_e=log_e,
        bound=bound,
        effect=None if None in means else cast(float, means[1]) - cast(float, means[0]),
        interval=shown.intervals.get(place, _UNKNOWN),
        exposed=new.exposed,
        matured=new.matured,
        asked=new.asked,
        labelled=new.labelled,
        incumbent_labelled=old.labelled,
        settlement=shown.settlements.get(place) if verdict == "inconclusive" else None,
        void="assignment" if verdict == "invalid" else None,
        unit=gate.rule.unit,
    )
