"""Soak: harm that may begin at any time, long after the first outcome. A detector forgets what was good before.

Mixture e-CUSUM (Shin, Ramdas and Rinaldo, *E-detectors*, 2024): each effect's capital is put back to 1 whenever it has fallen
below, M ← max(M, 1)·e. Since it stays below the Shiryaev–Roberts sum, whose mean after T blocks without harm is at most T,
    P(ever M ≥ T/α within T blocks) ≤ α:
the threshold T/α bounds the false alarms of the whole soak, T blocks planned beforehand.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import log
from typing import Self

import numpy as np

from segue.evidence.sequential.betting import Array, Block
from segue.evidence.sequential.process import FixedProcess, Process, mix


@dataclass(frozen=True, slots=True)
class Detector:
    """A detector over a process with live control (a holdback), or over one against a recorded level.

    `blocks` is the number of blocks planned for the soak; a soak that runs longer needs a new detector.
    """

    process: Process | FixedProcess
    blocks: int
    seen: int = 0

    @classmethod
    def start(cls, process: Process | FixedProcess, *, blocks: int) -> Self:
        """`process` as it starts, or with a memory brought from the canary; its capital is begun anew."""
        if blocks < 1:
            raise ValueError("A soak has at least one block.")
        return cls(replace(process, log_capital=np.zeros_like(process.log_capital)), blocks)

    def advance(self, block: Block) -> Self:
        """The state after one block. `ValueError` once more blocks came than were planned: the bound has run out."""
        if self.seen >= self.blocks:
            raise ValueError(f"This soak was planned for {self.blocks} blocks; start a new detector to go on.")
        rested = replace(self.process, log_capital=np.maximum(self.process.log_capital, 0.0))
        moved = rested.advance(block) if isinstance(rested, Process) else rested.advance(block.candidate)
        return replace(self, process=moved, seen=self.seen + 1)

    @property
    def log_statistic(self) -> Array:
        """The mixture's detector value, in logarithms. Shape (…, questions, cells)."""
        return mix(self.process.questions, self.process.log_capital)

    def log_threshold(self, alpha: float) -> float:
        """log(T/α)."""
        return log(self.blocks / alpha)
