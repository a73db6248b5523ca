"""What the runs of a scenario came to, in the numbers that people ask for. Unknown is `None`, never 0."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import sqrt
from typing import Any

import numpy as np

from segue.evidence.sequential.betting import Array
from segue.simulation.blindness import Sight, sights_of
from segue.simulation.canary import HELD, ROLLED_BACK, THROUGH, UNSETTLED
from segue.simulation.chunk import Runs
from segue.simulation.guards import promised_alpha
from segue.simulation.scenario import Scenario, reach
from segue.simulation.setting import Reach, Setting
from segue.simulation.traffic import Traffic


@dataclass(frozen=True, slots=True)
class Chance:
    """A share of the runs, with its standard error; no runs, no share."""

    share: float | None
    error: float | None

    @classmethod
    def of(cls, hits: Any) -> Chance:
        """Of an array of truth values."""
        n = len(hits)
        if not n:
            return cls(None, None)
        # One hit and one miss more (Agresti and Coull), so that a share of 0 is not taken for certain.
        near = (float(np.sum(hits)) + 1) / (n + 2)
        return cls(float(np.mean(hits)), sqrt(near * (1 - near) / (n + 2)))


@dataclass(frozen=True, slots=True)
class Spread:
    """Median and 95th percentile over `runs` of the runs; `None` where nothing was counted."""

    median: float | None
    p95: float | None
    runs: int

    @classmethod
    def of(cls, values: Array) -> Spread:
        if not len(values):
            return cls(None, None, 0)
        low, high = np.quantile(values, [0.5, 0.95])
        return cls(float(low), float(high), len(values))


@dataclass(frozen=True, slots=True)
class ScenarioResult:
    """One scenario. `truth` is the limit that the candidate is really beyond; a rollback within the limits is a false one.

    `invalid` are the runs that a guard ended because nothing could be compared, `mismatched` those of them whose shares were
    refuted; where `is_troubled` is false they are false alarms.
    `noticed` counts runs held, rolled back or invalid, in days since the first step; `detect_days` counts from the harm.
    `detect_days` and `exposed` are over the runs that were rolled back, `complete_days` over those completed: not over all.
    `stopped_by_step` is the share of the runs that were rolled back in each step, and last in soak; `stuck_by_step` is the
    share that waited for people there. `unsettled` and `held` have those of the soak too, `waiting` has both. `curve` is the
    share rolled back, completed, waiting and invalid by day.
    """

    name: str
    truth: Reach
    is_troubled: bool
    runs: int
    shadow: Chance | None
    rolled_back: Chance
    in_soak: Chance
    held_in_soak: Chance
    noticed: Chance
    held: Chance
    unsettled: Chance
    waiting: Chance
    invalid: Chance
    mismatched: Chance
    completed: Chance
    noticed_days: Spread
    detect_days: Spread
    exposed: Spread
    complete_days: Spread
    shadow_pairs: Spread
    stopped_by_step: tuple[float, ...]
    stuck_by_step: tuple[float, ...]
    curve: tuple[tuple[float, float, float, float, float], ...]

    @property
    def is_false(self) -> bool:
        """Whether a rollback would be a mistake."""
        return self.truth != "rollback"


@dataclass(frozen=True, slots=True)
class Simulation:
    """All that `segue plan simulate` says: the settings it was run with, the scenarios, and what each step can see.

    `guard_alpha` is how often the guards may end a run whose comparison nothing is wrong with.
    """

    plan: str
    per_day: float
    seed: int
    look_hours: int
    guard_alpha: float
    remarks: tuple[str, ...]
    scenarios: tuple[ScenarioResult, ...]
    sights: tuple[Sight, ...]
    sentences: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """As one JSON document."""
        return asdict(self)


def summarise(setting: Setting, scenario: Scenario, runs: Runs) -> ScenarioResult:
    """The figures of one scenario."""
    n = len(runs.end)
    back, steps = runs.rolled_back, len(setting.steps)
    noticed = back | runs.invalid | ~np.isnan(runs.hold_day)
    has_shadow = bool(setting.plan.shadow.length) and any(one.in_shadow for one in setting.streams)
    by_step = [float(np.mean((runs.end == ROLLED_BACK) & (runs.end_step == step))) if n else 0.0 for step in range(steps)]
    stuck = [
        float(np.mean(np.isin(runs.end, (HELD, UNSETTLED)) & (runs.end_step == step))) if n else 0.0 for step in range(steps)
    ]
    return ScenarioResult(
        name=scenario.name,
        truth=reach(setting, scenario),
        is_troubled=bool(scenario.troubles),
        runs=n,
        shadow=Chance.of(runs.shadow_stopped) if has_shadow else None,
        rolled_back=Chance.of(back),
        in_soak=Chance.of(runs.soak_rolled_back),
        held_in_soak=Chance.of(runs.soak_held),
        noticed=Chance.of(noticed),
        held=Chance.of((runs.end == HELD) | runs.soak_held),
        unsettled=Chance.of((runs.end == UNSETTLED) | runs.soak_unseen),
        waiting=Chance.of(runs.waits),
        invalid=Chance.of(runs.invalid),
        mismatched=Chance.of(runs.mismatched),
        completed=Chance.of(runs.completed),
        noticed_days=Spread.of(np.minimum(np.where(np.isnan(runs.hold_day), np.inf, runs.hold_day), runs.last_day)[noticed]),
        detect_days=Spread.of(_since(scenario, runs)[back]),
        exposed=Spread.of(runs.exposed[back]),
        complete_days=Spread.of(runs.last_day[runs.completed]),
        shadow_pairs=Spread.of(runs.shadow_pairs[runs.shadow_stopped]),
        stopped_by_step=(*by_step, float(np.mean(runs.soak_rolled_back)) if n else 0.0),
        stuck_by_step=(*stuck, float(np.mean(runs.soak_held | runs.soak_unseen)) if n else 0.0),
        curve=_curve(runs),
    )


def _since(scenario: Scenario, runs: Runs) -> Array:
    """Days from the beginning of the harm to the end of the run; from the first step, where it was there all along."""
    if scenario.is_late:
        return np.where(runs.end == THROUGH, runs.soak_day, runs.end_day)
    begins = min((shift.since for shift in scenario.shifts if shift.since > 0), default=0.0)
    always = any(shift.since == 0 for shift in scenario.shifts) or not scenario.shifts
    return np.asarray(np.maximum(runs.last_day - (0.0 if always else begins), 0.0))


def _curve(runs: Runs, points: int = 60) -> tuple[tuple[float, float, float, float, float], ...]:
    """(day, rolled back, completed, waiting for people, invalid), as shares."""
    if not len(runs.end):
        return ()
    days = np.linspace(0.0, float(runs.last_day.max()), points)
    waits = runs.waits
    last = runs.last_day
    return tuple(
        (
            float(day),
            float(np.mean(runs.rolled_back & (last <= day))),
            float(np.mean(runs.completed & (last <= day))),
            float(np.mean(waits & (last <= day))),
            float(np.mean(runs.invalid & (last <= day))),
        )
        for day in days
    )


def conclude(
    setting: Setting,
    traffic: Traffic,
    results: Sequence[ScenarioResult],
    *,
    seed: int,
    look_hours: int,
    remarks: Sequence[str] = (),
) -> Simulation:
    """All figures with what they mean in words."""
    from segue.simulation.wording import sentences_of

    sights = sights_of(setting, traffic.per_day)
    return Simulation(
        setting.name,
        traffic.per_day,
        seed,
        look_hours,
        promised_alpha(setting),
        (*([traffic.remark] if traffic.remark else []), *remarks),
        tuple(results),
        sights,
        sentences_of(setting, traffic.per_day, sights, results),
    )
