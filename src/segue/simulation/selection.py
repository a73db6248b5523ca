"""Some of the runs of a grid: finished ones are dropped from its arrays, so that they cost nothing more."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from segue.evidence.sequential.betting import Block
from segue.evidence.sequential.grid import Grid, Group
from segue.evidence.sequential.process import FixedProcess, Memory, Process

Chosen = NDArray[np.bool_]


def take_grid(grid: Grid, runs: Chosen) -> Grid:
    """The grid of these runs."""
    return replace(grid, groups=tuple(_take_group(group, runs) for group in grid.groups))


def of_streams(memory: Memory, streams: int) -> Memory:
    """That of the first so many streams."""
    return Memory(memory.n[:, :streams], memory.total[:, :streams], memory.squares[:, :streams])


def take_memory(memory: Memory, runs: Chosen) -> Memory:
    """What is known of the past of these runs."""
    return Memory(memory.n[runs], memory.total[runs], memory.squares[runs])


def take_process(process: Process, runs: Chosen) -> Process:
    """The process of these runs."""
    return replace(process, log_capital=process.log_capital[runs], memory=take_memory(process.memory, runs))


def take_fixed(process: FixedProcess, runs: Chosen) -> FixedProcess:
    """The same of a process against a recorded level."""
    capital, memory = process.log_capital[runs], take_memory(process.memory, runs)
    return replace(process, level=process.level[runs], log_capital=capital, memory=memory)


def _take_group(group: Group, runs: Chosen) -> Group:
    safe = None if group.safe is None else take_process(group.safe, runs)
    waiting, cautious = take_block(group.waiting, runs), take_block(group.cautious, runs)
    return replace(group, harm=take_process(group.harm, runs), safe=safe, waiting=waiting, cautious=cautious)


def take_block(block: Block, runs: Chosen) -> Block:
    """The outcomes of these runs."""
    return Block(
        block.candidate[runs],
        block.control[runs],
        block.candidate_exposed[runs],
        block.control_exposed[runs],
        block.asked[runs],
    )
