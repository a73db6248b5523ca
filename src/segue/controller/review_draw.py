"""Draws outputs for people to read: evenly by chance within slices and arms, both answers side by side where there are two.

The same log and seed give the same draw, in whatever order the log is read. Keeps ids, never texts: what the log no longer has
is not shown. What becomes of a draw: `review`.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import blake2b

from pydantic import Field

from segue.exchanges.query import ExchangeLog
from segue.exchanges.record import Logged, ServedExchange
from segue.exchanges.selection import Selection
from segue.model import Frozen

NO_EVIDENCE = ("eval", "probe")
MOST_STRATA = 500
"""Beyond so many combinations of slices, the rest is one stratum."""
_REST = (("", ""),)


class ReviewSide(Frozen):
    """One output: its exchange, and whose it is. Whoever reads it is not told."""

    exchange: str
    bundle: str
    arm: str


class ReviewItem(Frozen):
    """One request with its output, or with both of them in an order drawn by chance."""

    item: str
    slices: dict[str, str] = Field(default_factory=dict)
    sides: tuple[ReviewSide, ...]

    def side_of(self, number: int) -> str:
        """What a side is called: `1-07` where it is alone, `1-07a` and `1-07b` where there are two."""
        return self.item if len(self.sides) == 1 else f"{self.item}{'ab'[number]}"


@dataclass(frozen=True, slots=True)
class Drawn:
    """Items in the order they are read, out of so many outputs that could have been drawn."""

    items: tuple[ReviewItem, ...]
    n_outputs: int


@dataclass(order=True, slots=True)
class _Picked:
    """Kept while its rank is among the lowest of its stratum: a heap's greatest is on top, so ranks are turned round."""

    turned: int
    row: ServedExchange = field(compare=False)


def draw_items(
    log: ExchangeLog, workflow: str, environment: str, *, draw: str, seed: str, since_ns: int, until_ns: int, most: int
) -> Drawn:
    """At most `most` items of a stretch of time. Only whole answers whose text was kept can be drawn."""
    selection = Selection(
        workflow=workflow, environment=environment, since_ns=since_ns, until_ns=until_ns, without_tags=NO_EVIDENCE
    )
    strata: dict[object, list[_Picked]] = {}
    n_outputs = 0
    for row in log.iterate(selection, with_bodies=False):
        one = row.exchange
        if one.arm not in ("incumbent", "candidate") or not _can_be_read(one):
            continue
        n_outputs += 1
        _offer(strata, one, most, seed)
    chosen = []
    for one in _in_turn(strata.values(), seed):
        sides = _sides(log, one, seed)
        if sides:
            chosen.append((one, sides))
        if len(chosen) == most:
            break
    chosen.sort(key=lambda pair: _rank(seed, "order", pair[0].id))
    items = tuple(
        ReviewItem(item=f"{draw}-{number:02d}", slices=dict(one.slices), sides=sides)
        for number, (one, sides) in enumerate(chosen, 1)
    )
    return Drawn(items, n_outputs)


def _offer(strata: dict[object, list[_Picked]], one: ServedExchange, most: int, seed: str) -> None:
    key: object = (one.arm, one.pair is not None, tuple(sorted(one.slices.items())))
    if key not in strata and len(strata) >= MOST_STRATA:
        key = (one.arm, one.pair is not None, _REST)
    heap = strata.setdefault(key, [])
    picked = _Picked(-_rank(seed, "draw", one.id), one)
    if len(heap) < most:
        heapq.heappush(heap, picked)
    else:
        heapq.heappushpop(heap, picked)


def _in_turn(strata: Iterable[list[_Picked]], seed: str) -> Iterator[ServedExchange]:
    """One of each stratum, then the next of each: a rare slice is read as well as a common one."""
    waiting = [sorted(heap, reverse=True) for heap in strata]
    waiting.sort(key=lambda one: _rank(seed, "stratum", one[0].row.id))
    depth = 0
    while any(depth < len(one) for one in waiting):
        yield from (one[depth].row for one in waiting if depth < len(one))
        depth += 1


def _sides(log: ExchangeLog, one: ServedExchange, seed: str) -> tuple[ReviewSide, ...]:
    """The output, and the shadow's where it has one that can be read."""
    own = ReviewSide(exchange=one.id, bundle=one.bundle, arm=one.arm)
    if one.pair is None:
        return (own,)
    # A shadow has the time of its request: so narrow a selection opens few files.
    selection = Selection(workflow=one.workflow, arm="shadow", pair=one.pair, since_ns=one.at_ns, until_ns=one.at_ns + 1)
    found: Logged | None = next(log.iterate(selection, with_bodies=False), None)
    if found is None or not _can_be_read(found.exchange):
        return (own,)
    other = ReviewSide(exchange=found.exchange.id, bundle=found.exchange.bundle, arm="shadow")
    return (own, other) if _rank(seed, "side", one.id) % 2 else (other, own)


def _can_be_read(one: ServedExchange) -> bool:
    return one.failure is None and one.status is not None and one.status < 300 and one.response.kept == "full"


def _rank(seed: str, what: str, name: str) -> int:
    return int.from_bytes(blake2b(f"{seed}\n{what}\n{name}".encode(), digest_size=8).digest())
