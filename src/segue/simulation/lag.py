"""Outcomes are judged at a fixed age: tables wait until they are old enough, each metric for its own time."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from math import ceil
from typing import Self

import numpy as np
from numpy.typing import NDArray

from segue.evidence.sequential.betting import Array


@dataclass
class Waiting:
    """The tables of the last blocks, newest last, with the step that each run was in."""

    lags: tuple[int, ...]
    tables: deque[Array] = field(default_factory=deque)
    steps: deque[NDArray[np.int64]] = field(default_factory=deque)

    @classmethod
    def of_ages(cls, ages: tuple[float, ...], hours: int) -> Self:
        """For metrics judged at these ages in days, in blocks of so many hours."""
        return cls(tuple(ceil(age * 24 / hours - 1e-9) for age in ages))

    def add(self, table: Array, step: NDArray[np.int64]) -> None:
        """A block that has just been served. What everybody has judged goes."""
        self.tables.append(table)
        self.steps.append(step)
        while len(self.tables) > max(self.lags) + 1:
            self.tables.popleft()
            self.steps.popleft()

    def mature(self) -> Array:
        """What has come of age with the last block, of every metric; empty where its first block is still too young."""
        newest = len(self.tables) - 1
        if len(set(self.lags)) == 1 and newest >= self.lags[0]:
            return self.tables[newest - self.lags[0]]
        out = np.zeros_like(self.tables[-1])
        for stream, lag in enumerate(self.lags):
            if newest >= lag:
                out[:, :, stream] = self.tables[newest - lag][:, :, stream]
        return out

    def ends_step(self) -> NDArray[np.bool_]:
        """By run, whether some metric's mature block is the last of its step, as far as the next one has been served."""
        newest = len(self.steps) - 1
        ends = np.zeros(len(self.steps[-1]), bool)
        for lag in set(self.lags):
            if 0 < lag <= newest:
                ends |= self.steps[newest - lag] != self.steps[newest - lag + 1]
        return ends

    def keep(self, runs: NDArray[np.bool_]) -> None:
        """Drop the other runs."""
        self.tables = deque(table[runs] for table in self.tables)
        self.steps = deque(step[runs] for step in self.steps)
