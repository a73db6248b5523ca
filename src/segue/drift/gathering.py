"""Shadow pairs, added up as they stream by: what a drift report needs of them, in memory that does not grow with their number.

Per slice and question: sums over blocks of units, discordant pairs, and a few pairs that show a move. Pure; no judgement here
(`moves.py`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from segue.drift.live_pair import LivePair, Values, values_of
from segue.drift.questions import PLACES, QUESTIONS
from segue.evidence.quantiles import Spread

Floats = NDArray[np.float64]
BLOCKS = 256
"""Units are put together into so many blocks: whole units, so that blocks are independent where units are."""
MOST_SLICES = 60
MOST_WITNESSES = 6
MOST_UNITS = 200_000
"""Units that are told apart to see whether any comes twice; beyond, one that was not seen counts as new."""
MOST_RATIO = math.log(1000)
WHOLE = ""
"""The slice that is all pairs."""
_AMOUNTS = np.array([one.kind == "amount" for one in QUESTIONS])
_N = len(QUESTIONS)
_SPREADS = ("latency_ms", "ttft_ms", "cost_microusd", "output_tokens")


@dataclass
class Cell:
    """One slice, all questions: `n` pairs and the sum of their differences by block; sums of both sides; discordant pairs.

    The difference of an amount is the logarithm of its ratio. `witnesses`: question and direction → (draw, pair), drawn evenly.
    """

    n: Floats = field(default_factory=lambda: np.zeros((BLOCKS, _N)))
    moved: Floats = field(default_factory=lambda: np.zeros((BLOCKS, _N)))
    squares: Floats = field(default_factory=lambda: np.zeros(_N))
    old: Floats = field(default_factory=lambda: np.zeros(_N))
    new: Floats = field(default_factory=lambda: np.zeros(_N))
    gained: Floats = field(default_factory=lambda: np.zeros(_N))
    lost: Floats = field(default_factory=lambda: np.zeros(_N))
    n_pairs: int = 0
    witnesses: dict[tuple[int, bool], list[tuple[int, str]]] = field(default_factory=dict)

    def add(self, row: Row, block: int) -> None:
        """One pair."""
        self.n_pairs += 1
        self.n[block] += row.known
        self.moved[block] += row.difference
        self.squares += row.difference**2
        self.old += row.old
        self.new += row.new
        self.gained += row.difference > 0
        self.lost += row.difference < 0
        for place, is_more in row.shows:
            held = self.witnesses.setdefault((place, is_more), [])
            if len(held) < MOST_WITNESSES or row.draw < held[-1][0]:
                held.append((row.draw, row.pair))
                held.sort()
                del held[MOST_WITNESSES:]


@dataclass(frozen=True, slots=True)
class Row:
    """One pair as numbers, a column for each question. `shows`: the questions that it shows a move of, and which way."""

    pair: str
    draw: int
    known: Floats
    old: Floats
    new: Floats
    difference: Floats
    shows: tuple[tuple[int, bool], ...]


@dataclass
class Gathering:
    """All pairs that were added. `slow_ms` says beyond which latency an answer is slow, found beforehand over both arms."""

    slow_ms: float | None = None
    cells: dict[str, Cell] = field(default_factory=lambda: {WHOLE: Cell()})
    spreads: dict[tuple[str, bool], Spread] = field(
        default_factory=lambda: {(name, is_new): Spread() for name in _SPREADS for is_new in (False, True)}
    )
    n_without_body: int = 0
    n_slices_left_out: int = 0
    is_clustered: bool = False
    _units: set[int] = field(default_factory=set)
    _left_out: set[str] = field(default_factory=set)

    @property
    def n_pairs(self) -> int:
        """How many were added."""
        return self.cells[WHOLE].n_pairs

    @property
    def n_units(self) -> int:
        """How many units they are of, up to `MOST_UNITS`; a pair without one is a unit of its own."""
        return len(self._units)

    def add(self, pair: LivePair) -> None:
        """One more pair. What is bounded stays so: a slice beyond the most is counted, and its pairs are in the whole alone."""
        old, new = values_of(pair, self.slow_ms)
        row = _row(pair, old, new)
        unit = _number(pair.unit if pair.unit is not None else f"pair {pair.pair}")
        if unit in self._units:
            self.is_clustered = True
        elif len(self._units) < MOST_UNITS:
            self._units.add(unit)
        self.n_without_body += pair.old.failed is not True and (pair.old.reply is None or pair.new.reply is None)
        for name in _SPREADS:
            both = old[name], new[name]
            if both[0] is not None and both[1] is not None:
                self.spreads[name, False].add(max(0.0, both[0]))
                self.spreads[name, True].add(max(0.0, both[1]))
        for where in (WHOLE, *(f"{name}={value}" for name, value in sorted(pair.slices.items()))):
            cell = self._cell(where)
            if cell is not None:
                cell.add(row, unit % BLOCKS)

    def _cell(self, where: str) -> Cell | None:
        cell = self.cells.get(where)
        if cell is None and len(self.cells) <= MOST_SLICES:
            cell = self.cells[where] = Cell()
        elif cell is None and len(self._left_out) < MOST_UNITS:
            self._left_out.add(where)
            self.n_slices_left_out = len(self._left_out)
        return cell


def gather(pairs: Iterable[LivePair], slow_ms: float | None = None) -> Gathering:
    """All of them, one after the other."""
    gathering = Gathering(slow_ms)
    for pair in pairs:
        gathering.add(pair)
    return gathering


def log_ratio(old: float, new: float) -> float:
    """Of two amounts, bounded: from or to nothing is a thousand times as much."""
    if old <= 0 and new <= 0:
        return 0.0
    if old <= 0 or new <= 0:
        return math.copysign(MOST_RATIO, new - old)
    return max(-MOST_RATIO, min(MOST_RATIO, math.log(new) - math.log(old)))


def _row(pair: LivePair, old: Values, new: Values) -> Row:
    known, before, after, difference = (np.zeros(_N) for _ in range(4))
    shows = []
    for name, place in PLACES.items():
        was, has = old[name], new[name]
        if was is None or has is None:
            continue
        known[place], before[place], after[place] = 1.0, was, has
        moved = log_ratio(was, has) if _AMOUNTS[place] else has - was
        if moved:
            difference[place] = moved
            limit = math.log1p(QUESTIONS[place].limit) if _AMOUNTS[place] else 0.0
            if abs(moved) >= limit:
                shows.append((place, moved > 0))
    return Row(pair.pair, _number(pair.pair), known, before, after, difference, tuple(shows))


def _number(text: str) -> int:
    """The same number for the same text, on any machine and in any run."""
    return int.from_bytes(blake2b(text.encode("utf-8", "replace"), digest_size=8).digest(), "big")
