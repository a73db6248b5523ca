"""Outputs with their scores, each worked out once: a score is a function of the case and the output, so the real scorer runs on
each output that occurs, and a request that gets the same output has the same scores. Troubles that change outputs do so here,
and what they make of them is scored again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from segue.errors import InputError
from segue.exchanges.record import BodyNote, keep_body
from segue.model import Case, Reply
from segue.providers.base import ModelOutcome
from segue.rehearsal.outputs import Outputs, StoredOutputs
from segue.rehearsal.scoring import CHANGED, Ruler
from segue.rehearsal.troubles import Trouble

MS = 1_000_000
REFUSAL = "I'm sorry, but I can't help with that request."
KEPT_OF_CUT = 0.5
MOST_TRIED = 60
"""Outputs looked through for one that a scorer judges as a trouble wants it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What one request gets: the output's scores, and what it took. A failure has neither."""

    scores: Mapping[str, float | None]
    latency_ns: int | None
    ttft_ns: int | None
    input_tokens: int | None
    output_tokens: int | None
    reasoning_tokens: int | None
    cost_microusd: float | None
    finish_reason: str | None
    failure: str | None
    note: BodyNote
    body: bytes
    outcome: ModelOutcome


class Answers:
    """Of one bundle to all cases; `cases` and draws by their place."""

    def __init__(self, outputs: Outputs, ruler: Ruler, cases: Sequence[Case]) -> None:
        self._outputs, self._ruler, self._cases = outputs, ruler, cases
        self.better = ruler.better
        self.table: list[list[Answer]] = []
        self._changed: dict[tuple[int, int, tuple[str, ...]], Answer] = {}
        self._spoilt: dict[tuple[int, str, bool], ModelOutcome | None] = {}

    def fill(self, told: Callable[[int], None] = lambda _: None) -> None:
        """Work them all out, in the order of the cases."""
        for case in self._cases:
            row = []
            for draw in range(self._outputs.draws(case)):
                outcome = self._outputs.outcome(case, draw)
                row.append(self._answer(case, outcome, self._repeat(case, draw)))
            self.table.append(row)
            told(len(row))

    def _repeat(self, case: Case, draw: int) -> int:
        return self._outputs.repeat(case, draw) if isinstance(self._outputs, StoredOutputs) else draw

    def _answer(self, case: Case, outcome: ModelOutcome, repeat: int) -> Answer:
        reply, usage = outcome.reply, outcome.usage
        body = None if reply is None else reply.text.encode("utf-8", "surrogatepass")
        note, _ = keep_body(body, "digest")
        return Answer(
            scores=self._ruler.score(case, outcome, repeat),
            latency_ns=_ns(outcome.latency_ms),
            ttft_ns=_ns(outcome.ttft_ms),
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            reasoning_tokens=usage.reasoning_tokens,
            cost_microusd=outcome.cost_microusd,
            finish_reason=None if reply is None else reply.finish_reason,
            failure=None if outcome.failure is None else outcome.failure.kind,
            note=note,
            body=body or b"",
            outcome=outcome,
        )

    def changed(self, case: int, draw: int, troubles: tuple[Trouble, ...]) -> Answer:
        """The answer as these troubles leave it, one after the other."""
        key = (case, draw, tuple(one.text for one in troubles))
        found = self._changed.get(key)
        if found is None:
            outcome = self.table[case][draw].outcome
            for one in troubles:
                outcome = self._apply(case, outcome, one)
            if outcome is self.table[case][draw].outcome:
                found = self.table[case][draw]
            else:
                found = self._answer(self._cases[case], outcome, CHANGED)
            self._changed[key] = found
        return found

    def _apply(self, case: int, outcome: ModelOutcome, trouble: Trouble) -> ModelOutcome:
        if trouble.kind == "metric":
            other = self._otherwise(case, trouble.metric, rises=trouble.amount > 0)
            return outcome if other is None or outcome.reply is None else replace(outcome, reply=other.reply)
        if outcome.reply is None:
            return outcome
        text = outcome.reply.text
        if trouble.kind == "fence":
            return _said(outcome, f"```json\n{text}\n```")
        if trouble.kind == "refuse":
            return _said(outcome, REFUSAL)
        return _said(outcome, text[: max(1, int(len(text) * KEPT_OF_CUT))], "length")

    def share_right(self, metric: str, weights: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
        """The mean of a metric over the traffic, as what is right: 1 − it where lower is better."""
        total = known = 0.0
        for row, weight in zip(self.table, weights.tolist(), strict=True):
            values = [value for one in row if (value := one.scores.get(metric)) is not None]
            if values:
                total, known = total + weight * sum(values) / len(values), known + weight
        mean = total / known if known else 0.0
        return 1 - mean if self.better.get(metric) == "lower" else mean

    # what a metric's trouble takes

    def chance(self, trouble: Trouble, weights: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
        """In which share of the requests of its slice the output is another one, so that the metric moves by the amount.

        `InputError` where it cannot: beyond 0 to 100 %, or no output is known that the scorer judges so.
        """
        if trouble.kind != "metric":
            return trouble.amount
        rises = trouble.amount > 0
        mean, total, movable = 0.0, 0.0, 0.0
        for index, case in enumerate(self._cases):
            values = [value for one in self.table[index] if (value := one.scores.get(trouble.metric)) is not None]
            if not values or not trouble.meets(case.slices):
                continue
            own, weight = sum(values) / len(values), float(weights[index])
            mean, total = mean + own * weight, total + weight
            if (other := self._value_otherwise(index, trouble.metric, rises=rises)) is not None:
                movable += weight * (other - own)
        place = f" in {trouble.where}" if trouble.where else ""
        if not total:
            raise InputError(f"'{trouble.text}': {trouble.metric} is scored on no case{place}.", fix="Name another metric.")
        mean, movable = mean / total, movable / total
        wanted = trouble.amount * (mean if trouble.is_relative else 1.0)
        if not 0 <= mean + wanted <= 1:
            raise InputError(
                f"'{trouble.text}' takes {trouble.metric}{place} out of 0 to 100 %: it is at {mean * 100:.3g} %.",
                fix="Write a smaller change.",
            )
        if abs(movable) < abs(wanted) - 1e-9:
            raise InputError(
                f"'{trouble.text}': known outputs move {trouble.metric}{place} by {movable * 100:+.3g} points at most.",
                fix="Write a smaller change, or declare wrong answers for the cases (docs/rehearsal.md).",
            )
        return wanted / movable if movable else 0.0

    def _value_otherwise(self, case: int, metric: str, *, rises: bool) -> float | None:
        found = self._otherwise(case, metric, rises=rises)
        if found is None:
            return None
        return self._ruler.score(self._cases[case], found, CHANGED).get(metric)

    def _otherwise(self, case: int, metric: str, *, rises: bool) -> ModelOutcome | None:
        """An output to this case that the real scorer judges as high, or low, as it can be."""
        key = (case, metric, rises)
        if key not in self._spoilt:
            best, extreme = None, 1.0 if rises else 0.0
            for tried in self._tried(case):
                value = self._ruler.score(self._cases[case], tried, CHANGED).get(metric)
                if value is None:
                    continue
                if best is None or (value > best[0] if rises else value < best[0]):
                    best = (value, tried)
                if best[0] == extreme:
                    break
            self._spoilt[key] = None if best is None else best[1]
        return self._spoilt[key]

    def _tried(self, case: int) -> Iterator[ModelOutcome]:
        """What the model might have said, what it said to other cases, and what no model should say."""
        n = 0
        for one in self._outputs.otherwise(self._cases[case]):
            if one.reply is not None:
                yield one
        own = self.table[case][0].outcome if self.table[case] else None
        if own is None or own.reply is None:
            return
        for place in range(1, len(self.table)):
            row = self.table[(case + place) % len(self.table)]
            if row and row[0].outcome.reply is not None:
                n += 1
                yield replace(own, reply=row[0].outcome.reply)
            if n >= MOST_TRIED:
                break
        for text in (REFUSAL, f"```\n{own.reply.text}\n```", own.reply.text[: len(own.reply.text) // 2], ""):
            yield _said(own, text)


def _said(outcome: ModelOutcome, text: str, finish: str | None = None) -> ModelOutcome:
    assert outcome.reply is not None, "a failure says nothing"
    reason = outcome.reply.finish_reason if finish is None else finish
    return replace(outcome, reply=Reply(text=text, finish_reason=reason))  # type: ignore[arg-type]


def _ns(ms: float | None) -> int | None:
    return None if ms is None else round(ms * MS)
