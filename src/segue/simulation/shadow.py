"""Shadow: each request on both bundles, answers that nobody sees. What scorers can see is stopped here at no user's cost.

How far the candidate differs from the incumbent request by request is the plan's `churn`: pairs that are equal say nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from segue.evidence.sequential.betting import Array
from segue.evidence.sequential.combination import rejects, union_log_e
from segue.evidence.sequential.null import Null
from segue.evidence.sequential.paired import pair_masses, start_paired
from segue.simulation.scenario import Scenario, true_shifts
from segue.simulation.selection import take_fixed
from segue.simulation.setting import GateSetting, Setting
from segue.simulation.traffic import Traffic

LOOKS_A_DAY = 4


@dataclass
class ShadowRuns:
    """By run: whether shadow stopped the upgrade, and after how many days and mirrored pairs."""

    stopped: NDArray[np.bool_]
    day: Array
    pairs: Array


@dataclass(frozen=True)
class Shadow:
    """The shadow of a setting. Slices are drawn independently of each other: only their own counts matter here."""

    setting: Setting
    scenario: Scenario
    traffic: Traffic

    @property
    def gates(self) -> tuple[int, ...]:
        """The gates that scorers feed."""
        return tuple(row for row, gate in enumerate(self.setting.gates) if self.setting.streams[gate.stream].in_shadow)

    def run(self, runs: int, rng: Generator) -> ShadowRuns:
        """Simulate shadow for so many runs."""
        setting, plan = self.setting, self.setting.plan
        done = ShadowRuns(np.zeros(runs, bool), np.full(runs, plan.shadow.length), np.zeros(runs))
        if not self.gates or not plan.shadow.length or not plan.shadow.share:
            return done
        gates = [setting.gates[row] for row in self.gates]
        streams = [setting.streams[gate.stream] for gate in gates]
        cells = len(setting.slices)
        process = start_paired([paired_null(gate, setting) for gate in gates], (runs, cells), streams=list(range(len(gates))))
        chances = self._chances(gates)
        weights = setting.weights[list(self.gates)]
        weights = (weights / weights.sum()).ravel()
        asked = np.array([stream.sampled for stream in streams])[:, None] * np.array(setting.shares)
        per_block = self.traffic.per_block(24 // LOOKS_A_DAY) * plan.shadow.share
        which, pairs, alpha = np.arange(runs), np.zeros(runs), setting.alpha_of("shadow")
        for block in range(ceil(plan.shadow.length * LOOKS_A_DAY)):
            mean = per_block[block % len(per_block)]
            pairs += rng.poisson(mean, len(which))
            counts = rng.poisson(mean * asked[None, :, :, None] * chances, (len(which), *chances.shape)).astype(float)
            masses = pair_masses(counts[..., 0], counts[..., 1], counts[..., 2])
            process = process.advance(masses)
            found = np.asarray(rejects(union_log_e(process.log_e.reshape(len(which), -1), weights), alpha), bool)
            if found.any():
                gone = which[found]
                done.stopped[gone], done.day[gone], done.pairs[gone] = True, (block + 1) / LOOKS_A_DAY, pairs[found]
                which, pairs = which[~found], pairs[~found]
                process = take_fixed(process, ~found)
            if not len(which):
                break
        done.pairs[which] = pairs
        return done

    def _chances(self, gates: list[GateSetting]) -> Array:
        """Of a pair to come out worse, the same, or better on the candidate, by gate and cell."""
        now = Scenario("now", tuple(shift for shift in self.scenario.shifts if not shift.since))
        shifts = true_shifts(self.setting, now)[[gate.stream for gate in gates]]
        rates = np.array([self.setting.streams[gate.stream].rate for gate in gates])[:, None]
        # Two equal bundles cannot differ more often than either is wrong or right.
        churn = np.minimum(self.setting.plan.shadow.churn, 2 * np.minimum(rates, 1 - rates))
        worse = np.maximum((churn + shifts) / 2, np.maximum(shifts, 0.0))
        better = np.maximum(worse - shifts, 0.0)
        return np.stack([worse, np.maximum(1 - worse - better, 0.0), better], -1)


def paired_null(gate: GateSetting, setting: Setting, null: Null | None = None) -> Null:
    """A limit as a difference (without one: that of rollback): a ratio is taken at the incumbent's own rate, since pairs have
    no rates.
    """
    limit = gate.rule.rollback if null is None else null
    rate = setting.streams[gate.stream].rate
    return Null(limit.side, margin=min((limit.ratio - 1) * rate + limit.margin, 0.99))
