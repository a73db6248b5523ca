"""A batch of shipped exchanges, added up by series. Pure; a few microseconds for each exchange.

Exchanges that share all labels share a cell, found by the record's own fields; labels are worked out once for each cell.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable

from segue.exchanges.record import ServedExchange
from segue.gateway.telemetry.metrics import SCORES, SECONDS, TOKENS, failure_word, status_class
from segue.gateway.telemetry.models import ModelPlace
from segue.gateway.telemetry.sums import Sums
from segue.model.digest import short_id

_NS = 1e-9
_SECONDS_NS = tuple(round(bound * 1e9) for bound in SECONDS)
_Key = tuple[str, str, str, str | None, int | None, str | None, str | None, str | None]


class _Cell:
    """Everything that is added up of exchanges with the same labels."""

    __slots__ = (
        "cached",
        "chunk",
        "chunk_ns",
        "cost",
        "input",
        "input_sum",
        "n",
        "n_cost",
        "output",
        "output_sum",
        "reasoning",
        "score_unknown",
        "scores",
        "took",
        "took_ns",
    )

    def __init__(self) -> None:
        self.n = self.n_cost = self.took_ns = self.chunk_ns = 0
        self.input_sum = self.output_sum = self.reasoning = self.cached = 0
        self.cost = 0.0
        self.took, self.chunk = [0] * (len(SECONDS) + 1), [0] * (len(SECONDS) + 1)
        self.input, self.output = [0] * (len(TOKENS) + 1), [0] * (len(TOKENS) + 1)
        self.scores: dict[str, list[float]] = {}
        self.score_unknown: dict[str, int] = {}

    def add(self, one: ServedExchange) -> None:
        self.n += 1
        took, chunk = one.latency_ns, one.ttft_ns
        if took is not None:
            self.took[bisect_left(_SECONDS_NS, took)] += 1
            self.took_ns += took
        if chunk is not None:
            self.chunk[bisect_left(_SECONDS_NS, chunk)] += 1
            self.chunk_ns += chunk
        tokens = one.input_tokens
        if tokens is not None:
            self.input[bisect_left(TOKENS, tokens)] += 1
            self.input_sum += tokens
        tokens = one.output_tokens
        if tokens is not None:
            self.output[bisect_left(TOKENS, tokens)] += 1
            self.output_sum += tokens
        if one.reasoning_tokens:
            self.reasoning += one.reasoning_tokens
        if one.cached_tokens:
            self.cached += one.cached_tokens
        if one.cost_microusd is not None:
            self.n_cost += 1
            self.cost += one.cost_microusd
        scores = one.scores
        if scores:
            for name in SCORES:
                if name in scores:
                    self._score(name, scores[name])

    def _score(self, name: str, value: float | None) -> None:
        if value is None:
            self.score_unknown[name] = self.score_unknown.get(name, 0) + 1
            return
        mean = self.scores.get(name)
        if mean is None:
            self.scores[name] = [1, value]
        else:
            mean[0] += 1
            mean[1] += value


def tally(exchanges: Iterable[ServedExchange], place_of: Callable[[str], ModelPlace], now_ns: int) -> Sums:
    """What these exchanges add to the metrics. `place_of` says whose model a bundle is."""
    cells: dict[_Key, _Cell] = {}
    oldest: int | None = None
    for one in exchanges:
        whose, ended_as = (one.workflow, one.bundle, one.arm), (one.answered_by, one.status, one.failure)
        key = (*whose, *ended_as, one.fallback_from, one.fallback_reason)
        cell = cells.get(key)
        if cell is None:
            cell = cells[key] = _Cell()
        cell.add(one)
        ended = one.at_ns + (one.latency_ns or 0)
        if oldest is None or ended < oldest:
            oldest = ended
    found = Sums()
    for key, cell in cells.items():
        _write(found, key, cell, place_of)
    if oldest is not None:
        found.gauges["segue_log_delay_seconds", ()] = max(0.0, (now_ns - oldest) * _NS)
    return found


def _write(found: Sums, key: _Key, cell: _Cell, place_of: Callable[[str], ModelPlace]) -> None:
    workflow, bundle, arm, answered_by, status, failure, fallback_from, fallback_reason = key
    digest = answered_by or bundle
    short, word = short_id(digest), failure_word(failure)
    whose = (workflow, short, arm)
    found.count("segue_exchanges_total", (*whose, status_class(status), word), cell.n)
    if fallback_from is not None:
        found.count("segue_fallbacks_total", (workflow, short_id(fallback_from), short, failure_word(fallback_reason)), cell.n)
    found.count("segue_cost_usd_total", whose, cell.cost / 1e6)
    if status is not None and status < 300:
        found.count("segue_cost_unknown_total", whose, cell.n - cell.n_cost)
    found.count("segue_reasoning_tokens_total", whose, cell.reasoning)
    found.count("segue_cached_tokens_total", whose, cell.cached)
    for name, (n, total) in cell.scores.items():
        found.distribute("segue_score", (*whose, name), [int(n)], total)
    for name, unknown in cell.score_unknown.items():
        found.count("segue_score_unknown_total", (*whose, name), unknown)
    place = place_of(digest)
    gen_ai = ("chat", place.provider, place.model, *whose)
    found.distribute("gen_ai_client_operation_duration_seconds", (*gen_ai, word), cell.took, cell.took_ns * _NS)
    found.distribute("gen_ai_client_operation_time_to_first_chunk_seconds", gen_ai, cell.chunk, cell.chunk_ns * _NS)
    found.distribute("gen_ai_client_token_usage", (*gen_ai, "input"), cell.input, float(cell.input_sum))
    found.distribute("gen_ai_client_token_usage", (*gen_ai, "output"), cell.output, float(cell.output_sum))
