"""What a look at live traffic needs, worked out in the log: counts, quantiles and sums by arm, bundle and slice; shadow pairs.

Numbers only; what they mean for an upgrade is for gates to say. A group's slice `""` is all of its exchanges. Records that wait
in the spool have no tokens, cost and scores yet: those are unknown, and counted as such.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from segue.exchanges.query import EVERYTHING, ExchangeLog
from segue.exchanges.record import Logged
from segue.exchanges.selection import Selection

PAIRS = 500
"""Rows in hand at once while pairs are put together."""


@dataclass(frozen=True, slots=True)
class Quantiles:
    """Of the `n` exchanges whose value is known; exact."""

    n: int
    p50: float | None
    p95: float | None
    p99: float | None


@dataclass(frozen=True, slots=True)
class Sum:
    """Of the `n` exchanges whose value is known: sum, and sum of squares."""

    n: int
    total: float
    squares: float

    @property
    def mean(self) -> float | None:
        return self.total / self.n if self.n else None


@dataclass(frozen=True, slots=True)
class Measures:
    """The exchanges of one arm and bundle in one slice. `bundle` is what the route chose, whatever answered in the end.

    `stands_for`: how many there were before sampling. `n_failed`: no answer, or a status from 400. `n_unended`: neither an
    answer nor a failure is known. Refusals and broken contracts are counted over the exchanges where that is known.
    """

    arm: str
    bundle: str
    slice: str
    value: str
    n: int
    stands_for: float
    n_units: int
    n_failed: int
    n_unended: int
    n_fallbacks: int
    refusals: Sum
    contract_broken: Sum
    latency_ns: Quantiles
    ttft_ns: Quantiles
    input_tokens: Sum
    output_tokens: Sum
    reasoning_tokens: Sum
    cost_microusd: Sum

    @property
    def fallback_share(self) -> float:
        return self.n_fallbacks / self.n

    @property
    def failed_share(self) -> float:
        return self.n_failed / self.n


@dataclass(frozen=True, slots=True)
class ScoreSum:
    """One score over one group and one block of time. `n_unknown`: it was tried and could not be given, or not tried yet."""

    name: str
    block_ns: int
    arm: str
    bundle: str
    slice: str
    value: str
    n_unknown: int
    sum: Sum


@dataclass(frozen=True, slots=True)
class Pair:
    """A request as it was served, and the same as the candidate answered it in shadow."""

    served: Logged
    shadow: Logged


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of what was served has a shadow that was answered. `share` is `None` where nothing was served."""

    n_served: int
    n_shadowed: int
    n_answered: int

    @property
    def share(self) -> float | None:
        return self.n_answered / self.n_served if self.n_served else None


def measure(log: ExchangeLog, selection: Selection = EVERYTHING) -> list[Measures]:
    """One row per arm, bundle and slice, the whole first."""
    rows: list[tuple[Any, ...]] = []
    with log.moment() as moment, log.connect() as base:
        log.show_exchanges(base, moment, selection)
        names = base.execute("SELECT DISTINCT unnest(map_keys(slices)) AS name FROM exchanges ORDER BY name").fetchall()
        for (name,) in (("",), *names):
            # One after the other: exact quantiles hold all values of a question in memory.
            rows += base.execute(_MEASURES, {"name": name}).fetchall()
    return [
        Measures(
            *row[:10],
            *(Sum(*row[at : at + 3]) for at in (10, 13)),
            *(Quantiles(row[at], *(row[at + 1] or (None, None, None))) for at in (16, 18)),
            *(Sum(*row[at : at + 3]) for at in range(20, 32, 3)),
        )
        for row in rows
    ]


def sum_scores(log: ExchangeLog, names: Sequence[str], selection: Selection = EVERYTHING, *, block_ns: int) -> list[ScoreSum]:
    """Scores by name in blocks of `block_ns` from the epoch on: what a sequential look at each slice adds up."""
    assert block_ns > 0, "a block of time has a length"
    if not names:
        return []
    with log.moment() as moment, log.connect() as base:
        log.show_exchanges(base, moment, selection)
        rows = base.execute(_SCORES, {"names": list(names), "block": block_ns}).fetchall()
    return [
        ScoreSum(name, begin, arm, bundle, key, value, n_unknown, Sum(*sums))
        for name, begin, arm, bundle, key, value, n_unknown, *sums in rows
    ]


def iterate_pairs(log: ExchangeLog, selection: Selection = EVERYTHING, *, with_bodies: bool = True) -> Iterator[Pair]:
    """Served exchanges that the selection takes, each with its shadow, by their pair; those that lack one are passed over."""
    from segue.exchanges.columns import EXCHANGES, read_exchanges

    with log.moment() as moment, log.connect() as base:
        log.show_exchanges(base, moment, _both_halves(selection), with_bodies=with_bodies)
        names = ", ".join(f'"{name}"' for name in EXCHANGES.names if with_bodies or not name.endswith("_body"))
        waiting: Logged | None = None
        for batch in base.sql(_PAIRS.format(names=names)).to_arrow_reader(PAIRS):
            for row in read_exchanges(batch):
                if waiting is None or waiting.exchange.pair != row.exchange.pair:
                    waiting = row
                    continue
                served, shadow = (row, waiting) if waiting.exchange.arm == "shadow" else (waiting, row)
                waiting = None
                if selection.takes(served.exchange):
                    yield Pair(served, shadow)


def measure_coverage(log: ExchangeLog, selection: Selection = EVERYTHING) -> Coverage:
    """Over the served exchanges that the selection takes."""
    with log.moment() as moment, log.connect() as base:
        log.show_exchanges(base, moment, _both_halves(selection))
        condition = log.condition(base, selection, "s")
        row = base.execute(_COVERAGE.format(condition=condition)).fetchone()
    return Coverage(*(int(one) for one in row or (0, 0, 0)))


def _both_halves(selection: Selection) -> Selection:
    """Wide enough for both halves of each pair: the shadow has another arm and bundle, and may come later."""
    return Selection(workflow=selection.workflow, environment=selection.environment, since_ns=selection.since_ns)


def _sum(value: str) -> str:
    return f"count({value}), coalesce(sum({value}), 0)::DOUBLE, coalesce(sum({value} * {value}), 0)::DOUBLE"


_SLICED = "unnest(list_concat([{'key': '', 'value': ''}], map_entries(slices))) AS slice"
_MEASURES = f"""
WITH sliced AS (
    SELECT arm, bundle, $name AS name, CASE WHEN $name = '' THEN '' ELSE slices[$name] END AS value, kept_share, unit,
        latency_ns, ttft_ns, fallback_from IS NOT NULL AS fell_back,
        (failure IS NOT NULL OR coalesce(status >= 400, false)) AS failed, status IS NULL AND failure IS NULL AS unended,
        scores['refusal'] AS refused, 1 - scores['contract'] AS broken, input_tokens::DOUBLE AS input_tokens,
        output_tokens::DOUBLE AS output_tokens, reasoning_tokens::DOUBLE AS reasoning_tokens, cost_microusd
    FROM exchanges)
SELECT arm, bundle, name, value, count(*), sum(1 / coalesce(kept_share, 1)), count(DISTINCT unit),
    count(*) FILTER (failed), count(*) FILTER (unended), count(*) FILTER (fell_back), {_sum("refused")}, {_sum("broken")},
    count(latency_ns), quantile_cont(latency_ns, [0.5, 0.95, 0.99]), count(ttft_ns), quantile_cont(ttft_ns, [0.5, 0.95, 0.99]),
    {_sum("input_tokens")}, {_sum("output_tokens")}, {_sum("reasoning_tokens")}, {_sum("cost_microusd")}
FROM sliced WHERE value IS NOT NULL GROUP BY ALL ORDER BY value, arm, bundle
"""  # noqa: S608 - our own names
_SCORES = f"""
WITH named AS (
    SELECT arm, bundle, at_ns // $block * $block AS block_ns, slices, scores, unnest($names) AS score FROM exchanges),
sliced AS (
    SELECT score, block_ns, arm, bundle, {_SLICED}, scores[score] AS score_value FROM named)
SELECT score, block_ns, arm, bundle, slice.key AS name, slice.value AS value, count(*) - count(score_value),
    {_sum("score_value")}
FROM sliced GROUP BY ALL ORDER BY score, block_ns, name, value, arm, bundle
"""  # noqa: S608 - our own names
_PAIRS = """
SELECT {names} FROM exchanges WHERE pair IN (
    SELECT pair FROM exchanges WHERE pair IS NOT NULL
    GROUP BY pair HAVING count(*) = 2 AND count(*) FILTER (arm = 'shadow') = 1)
ORDER BY pair
"""
_COVERAGE = """
SELECT count(*), count(shadows.pair), count(*) FILTER (shadows.answered)
FROM (SELECT pair FROM exchanges WHERE arm <> 'shadow' AND {condition}) AS served
LEFT JOIN (SELECT pair, bool_or(failure IS NULL AND coalesce(status < 300, false)) AS answered
    FROM exchanges WHERE arm = 'shadow' AND pair IS NOT NULL GROUP BY pair) AS shadows USING (pair)
"""
