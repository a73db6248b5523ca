"""Plots: what was known after each block, from the functions that decide. Interval and evidence against n."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from segue.evidence.sequential.betting import Block
from segue.evidence.sequential.combination import ALPHA
from segue.evidence.sequential.grid import LEAST_BLOCK, Rule
from segue.evidence.sequential.null import Questions
from segue.evidence.sequential.process import Process
from segue.evidence.sequential.sequences import DifferenceSequence, Interval


@dataclass(frozen=True, slots=True)
class Point:
    """One cell after one look: the candidate's units asked so far, the difference in the metric's own units (positive is worse)
    with its interval, and the evidence of harm beyond either limit, in nats."""

    n: int
    effect: float | None
    interval: Interval
    rollback_log_e: float
    hold_log_e: float


def iter_points(rule: Rule, blocks: Iterable[Block], *, alpha: float = ALPHA) -> Iterator[Point]:
    """The history of one cell, a point for each block; blocks have the shape (1, 1, …).

    Like a grid's cell, it bets once ten units are there; between bets, interval and evidence stay as they were.
    """
    nodes = rule.scale.nodes
    process = Process.start(Questions.of([rule.rollback, rule.hold]), 1, nodes, rate=rule.rate)
    size = min(max(rule.hold.margin, rule.hold.floor, 0.005), 0.5)
    sequence = DifferenceSequence.start(1, nodes, scale=size, rate=rule.rate)
    waiting = Block.empty((1, 1), len(nodes))
    whole = waiting
    interval = Interval(None, None)
    for block in blocks:
        waiting, whole = waiting + block, whole + block
        if waiting.asked[0, 0] >= LEAST_BLOCK:
            process, sequence = process.advance(waiting), sequence.advance(waiting)
            waiting = Block.empty((1, 1), len(nodes))
            interval = _in_units(sequence.intervals(alpha)[0], rule.scale.width)
        rollback, hold = process.log_e[:, 0].tolist()
        yield Point(int(whole.asked[0, 0]), _effect(rule, whole), interval, rollback, hold)


def _in_units(interval: Interval, width: float) -> Interval:
    return Interval(
        None if interval.low is None else interval.low * width, None if interval.high is None else interval.high * width
    )


def _effect(rule: Rule, whole: Block) -> float | None:
    """The difference of the means of what was labelled; `None` while an arm has nothing."""
    new, old = whole.candidate[0, 0], whole.control[0, 0]
    if not new.sum() or not old.sum():
        return None
    nodes = rule.scale.nodes
    return float(np.dot(new, nodes) / new.sum() - np.dot(old, nodes) / old.sum()) * rule.scale.width
