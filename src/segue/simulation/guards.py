"""The guards of the comparison, over many runs at once: do units arrive in the planned shares, do labels come back alike?

`Assignment` is `RatioTest` with a row per run, in the same arithmetic; labels are the shipped `ResponseTest`.
What follows from an alarm is the canary's to decide.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import log
from typing import Self

import numpy as np
from numpy.typing import NDArray

from segue.evidence.sequential.betting import Array
from segue.evidence.sequential.combination import holm_log_e, rejects
from segue.evidence.sequential.ratio_test import CONCENTRATIONS, GUARD_ALPHA, ResponseTest
from segue.evidence.special import betaln, xlog1py, xlogy
from segue.simulation.outcomes import MISSING
from segue.simulation.scenario import Scenario
from segue.simulation.selection import take_process
from segue.simulation.setting import Setting

ASSIGNMENT_ALPHA = GUARD_ALPHA
"""As `RatioTest.is_mismatched` has it: an alarm stops everything."""
ANSWERS_ALPHA = GUARD_ALPHA
"""Over all cells that are watched for answers together, so that a long list of slices stops no upgrade by chance."""
_TIGHT = np.array(CONCENTRATIONS)[:, None]


def promised_alpha(setting: Setting) -> float:
    """How often the guards together may raise a false alarm: where all labels come, there is one guard alone."""
    return ASSIGNMENT_ALPHA + (ANSWERS_ALPHA if any(stream.answered < 1 for stream in setting.streams) else 0.0)


@dataclass
class Assignment:
    """Units assigned so far, by run. Shapes: (runs,); `finished` (concentrations, runs). See `RatioTest`."""

    share: Array
    old: Array
    new: Array
    finished: Array

    @classmethod
    def start(cls, share: Array) -> Self:
        """Before the first unit, at the planned share of each run's first step."""
        none = np.zeros(len(share))
        return cls(share, none, none, np.zeros((len(CONCENTRATIONS), len(share))))

    def add(self, share: Array, old: Array, new: Array) -> None:
        """With units newly assigned while the candidate's planned share was `share`."""
        moved = share != self.share
        if moved.any():
            self.finished = np.where(moved, self._factors(), self.finished)
            self.share, self.old, self.new = share, np.where(moved, 0.0, self.old), np.where(moved, 0.0, self.new)
        self.old, self.new = self.old + old, self.new + new

    @property
    def log_e(self) -> Array:
        """Evidence against "assigned as planned", in logarithms. Shape (runs,)."""
        return np.asarray(np.logaddexp.reduce(self._factors(), axis=0) - log(len(CONCENTRATIONS)))

    def _factors(self) -> Array:
        a, b = _TIGHT * self.share, _TIGHT * (1 - self.share)
        marginal = betaln(a + self.new, b + self.old) - betaln(a, b)
        return np.asarray(self.finished + marginal - xlogy(self.new, self.share) - xlog1py(self.old, -self.share))

    def keep(self, runs: NDArray[np.bool_]) -> None:
        """Drop the other runs."""
        self.share, self.old, self.new = self.share[runs], self.old[runs], self.new[runs]
        self.finished = self.finished[:, runs]


@dataclass
class Guards:
    """Both guards. `streams` are those whose answers can be missing: where all come in both arms, nothing can differ.

    `answers` is `None` where there are none. Cells are those that some gate on a stream watches; the others raise no alarm.
    """

    setting: Setting
    assignment: Assignment
    streams: tuple[int, ...]
    answers: ResponseTest | None
    watched: NDArray[np.bool_] = field(repr=False)

    @classmethod
    def start(cls, setting: Setting, scenario: Scenario, runs: int) -> Self:
        """Before the first block of so many runs."""
        troubled = {row for one in scenario.troubles for row in one.streams}
        streams = tuple(row for row, one in enumerate(setting.streams) if one.answered < 1 or row in troubled)
        watched = np.zeros((len(streams), len(setting.slices)), bool)
        for gate in setting.gates:
            if gate.stream in streams:
                watched[streams.index(gate.stream), list(gate.watched)] = True
        answers = ResponseTest.start(len(streams), (runs, len(setting.slices))) if streams else None
        return cls(setting, Assignment.start(np.full(runs, setting.steps[0].share)), streams, answers, watched)

    def heard(self, table: Array) -> None:
        """The labels of a block that has come of age: which were asked for, and which came."""
        if self.answers is None:
            return
        part = table[:, :, list(self.streams)]
        came = part[..., :MISSING].sum(-1)
        asked = came + part[..., MISSING]
        self.answers = self.answers.advance(came[:, 1], asked[:, 1], came[:, 0], asked[:, 0])

    @property
    def mismatched(self) -> NDArray[np.bool_]:
        """By run, whether the planned shares are refuted: nothing can be compared."""
        return np.asarray(rejects(self.assignment.log_e, ASSIGNMENT_ALPHA), bool)

    @property
    def unlike(self) -> NDArray[np.bool_]:
        """By run, gate and cell: whether labels come back differently, so that this cell says nothing."""
        runs = len(self.assignment.share)
        void = np.zeros((runs, len(self.setting.gates), len(self.setting.slices)), bool)
        if self.answers is None:
            return void
        found = self._different(self.answers.log_e)
        for row, gate in enumerate(self.setting.gates):
            if gate.stream in self.streams:
                void[:, row, list(gate.watched)] = found[:, self.streams.index(gate.stream)][:, list(gate.watched)]
        return void

    def _different(self, log_e: Array) -> NDArray[np.bool_]:
        """Which watched cells the shipped rule calls unlike (`ResponseTest.is_unlike`), worked out where one could be."""
        least = -log(ANSWERS_ALPHA)
        seen = np.where(self.watched, log_e, -np.inf)
        found = np.zeros(seen.shape, bool)
        weights = (self.watched / max(int(self.watched.sum()), 1)).ravel()
        for run in np.flatnonzero((seen >= least).any((-1, -2))):
            found[run] = (holm_log_e(seen[run].ravel(), weights, least=least) >= least).reshape(self.watched.shape)
        return found & self.watched

    def keep(self, runs: NDArray[np.bool_]) -> None:
        """Drop the other runs."""
        self.assignment.keep(runs)
        if self.answers is not None:
            self.answers = replace(self.answers, process=take_process(self.answers.process, runs))
