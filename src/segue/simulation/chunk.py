"""One chunk of runs of one scenario, from a seed of its own: the piece of work that processes share out.

What comes back are plain arrays. A chunk's size and seed do not depend on who works it, so neither do its results.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.random import SeedSequence
from numpy.typing import NDArray

from segue.evidence.sequential.betting import Array
from segue.simulation.canary import HELD, INVALID, ROLLED_BACK, THROUGH, UNSETTLED, Canary
from segue.simulation.outcomes import Outcomes
from segue.simulation.scenario import Scenario
from segue.simulation.selection import of_streams, take_memory
from segue.simulation.setting import Setting
from segue.simulation.shadow import Shadow
from segue.simulation.soak import Soak
from segue.simulation.step_limits import for_canary
from segue.simulation.traffic import Traffic

CHUNK = 250
"""Runs side by side at most. Of a chunk of 100, half the time goes into handling arrays at all; beyond this little is won."""


@dataclass(frozen=True)
class Work:
    """A chunk to be simulated."""

    scenario: int
    runs: int
    seed: SeedSequence


@dataclass(frozen=True)
class Runs:
    """What became of runs. Days count from the first step; `exposed` are the candidate's units up to the end.

    `end` is that of the canary; a run that came `through` may still be rolled back in soak. Shadow is simulated beside:
    what it would have stopped goes on here all the same. `soak_held` are runs that the soak held, and did not roll back;
    `soak_unseen` others whose soak saw too few outcomes to complete. `hold_day` is of either stage.
    `mismatched` are those of the invalid runs whose shares were refuted.
    """

    end: NDArray[np.int64]
    end_day: Array
    end_step: NDArray[np.int64]
    exposed: Array
    hold_day: Array
    left_day: Array
    soak_rolled_back: NDArray[np.bool_]
    soak_unseen: NDArray[np.bool_]
    soak_day: Array
    shadow_stopped: NDArray[np.bool_]
    shadow_pairs: Array
    shadow_day: Array
    mismatched: NDArray[np.bool_]
    soak_held: NDArray[np.bool_]

    @property
    def invalid(self) -> NDArray[np.bool_]:
        """Ended by a guard: nothing could be compared."""
        return np.asarray(self.end == INVALID)

    @property
    def rolled_back(self) -> NDArray[np.bool_]:
        """In the canary or in soak."""
        return np.asarray((self.end == ROLLED_BACK) | self.soak_rolled_back)

    @property
    def completed(self) -> NDArray[np.bool_]:
        """Through canary and soak."""
        return np.asarray((self.end == THROUGH) & ~self.soak_rolled_back & ~self.soak_held & ~self.soak_unseen)

    @property
    def waits(self) -> NDArray[np.bool_]:
        """For people: held or unsettled in a step, held in soak, or at the end of one that saw too little."""
        return np.asarray(np.isin(self.end, (HELD, UNSETTLED)) | self.soak_held | self.soak_unseen)

    @property
    def last_day(self) -> Array:
        """When it ended, soak included."""
        return self.end_day + np.where(self.end == THROUGH, self.soak_day, 0.0)


@dataclass(frozen=True)
class Simulator:
    """All that a process needs to work on chunks."""

    setting: Setting
    scenarios: tuple[Scenario, ...]
    traffic: Traffic
    hours: int
    drift: float = 0.0

    def run(self, work: Work) -> Runs:
        """Simulate one chunk."""
        scenario = self.scenarios[work.scenario]
        canary_seed, soak_seed, shadow_seed = (child(work.seed, stage) for stage in range(3))
        outcomes = Outcomes(self.setting, scenario, self.drift)
        steps = for_canary(self.setting)
        canary = Canary(steps, outcomes, self.traffic, self.hours).run(work.runs, np.random.default_rng(canary_seed))
        through = canary.end == THROUGH
        soak = Soak(self.setting, outcomes, self.traffic).run(
            canary.end_day[through],
            of_streams(take_memory(canary.memory, through), len(self.setting.gates)),
            np.random.default_rng(soak_seed),
        )
        shadow = Shadow(self.setting, scenario, self.traffic).run(work.runs, np.random.default_rng(shadow_seed))
        exposed, soak_day = canary.exposed.copy(), np.zeros(work.runs)
        soak_back, unseen = np.zeros(work.runs, bool), np.zeros(work.runs, bool)
        exposed[through] += soak.exposed
        soak_day[through], soak_back[through], unseen[through] = soak.day, soak.rolled_back, soak.unseen
        hold_day, held = canary.hold_day.copy(), np.zeros(work.runs, bool)
        hold_day[through] = canary.end_day[through] + soak.hold_day
        held[through] = ~np.isnan(soak.hold_day) & ~soak.rolled_back
        return Runs(
            canary.end,
            canary.end_day,
            canary.end_step,
            exposed,
            hold_day,
            canary.left_day,
            soak_back,
            unseen,
            soak_day,
            shadow.stopped,
            shadow.pairs,
            shadow.day,
            canary.mismatched,
            held,
        )


def share_out(scenarios: int, runs: int, seed: int) -> list[Work]:
    """The chunks of all scenarios, of equal size but for one run, in turn: after an interruption every scenario has some."""
    pieces = ceil(runs / CHUNK)
    sizes = [runs // pieces + (index < runs % pieces) for index in range(pieces)]
    root = SeedSequence(seed)
    return [
        Work(scenario, size, child(child(root, scenario), index))
        for index, size in enumerate(sizes)
        for scenario in range(scenarios)
    ]


def child(seed: SeedSequence, place: int) -> SeedSequence:
    """The seed of a part, however often it is asked for: `SeedSequence.spawn` counts its calls."""
    return SeedSequence(seed.entropy, spawn_key=(*seed.spawn_key, place))


def join(parts: list[Runs]) -> Runs:
    """The runs of several chunks, in the order given."""
    names = list(Runs.__dataclass_fields__)
    return Runs(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})
