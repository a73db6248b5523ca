"""A shadow pair as a drift report looks at it: one request, answered by incumbent and candidate, and what each question gives.

What is not known is `None` on that side, and then says nothing of the pair either. Where a body was not kept, what was read out
of it when it came stands in (`scores`). Pure; where pairs come from is not known here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import orjson

from segue.drift.fingerprint import FormatFingerprint, fingerprint
from segue.drift.output import output_text
from segue.drift.questions import QUESTIONS
from segue.drift.tone import read_tone
from segue.model import Reply

Values = dict[str, float | None]
MOST_TRAITS_LENGTH = 200_000
"""Characters from which on an answer is only measured, not read."""


@dataclass(frozen=True, slots=True)
class Side:
    """One answer. `failed`: there is none, or an error. `contract`: 1 where the contract that downstream relies on holds."""

    reply: Reply | None = None
    failed: bool | None = None
    contract: float | None = None
    latency_ms: float | None = None
    ttft_ms: float | None = None
    cost_microusd: float | None = None
    output_tokens: float | None = None
    scores: Mapping[str, float | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LivePair:
    """Both answers to one request. `unit` is what pairs are not independent within; without one the pair stands alone."""

    pair: str
    old: Side
    new: Side
    slices: Mapping[str, str] = field(default_factory=dict)
    unit: str | None = None


def values_of(pair: LivePair, slow_ms: float | None) -> tuple[Values, Values]:
    """What both answers give to each question, by its name."""
    before, after = _print_of(pair.old), _print_of(pair.new)
    old, new = _values(pair.old, before, slow_ms), _values(pair.new, after, slow_ms)
    old["other_language"] = old["other_tools"] = None
    if before is not None and after is not None:
        if before.language and after.language:
            old["other_language"], new["other_language"] = 0.0, float(before.language != after.language)
        names = _tools(pair.old), _tools(pair.new)
        if any(names):
            old["other_tools"], new["other_tools"] = 0.0, float(names[0] != names[1])
    return old, new


def _print_of(side: Side) -> FormatFingerprint | None:
    if side.reply is None or side.failed or len(side.reply.text) > MOST_TRAITS_LENGTH:
        return None
    return fingerprint(side.reply)


def _values(side: Side, found: FormatFingerprint | None, slow_ms: float | None) -> Values:
    values: Values = dict.fromkeys(one.name for one in QUESTIONS)
    values["failed"] = None if side.failed is None else float(side.failed)
    if side.failed:
        return values
    values["latency_ms"], values["ttft_ms"] = side.latency_ms, side.ttft_ms
    if slow_ms is not None and side.latency_ms is not None:
        values["slow"] = float(side.latency_ms > slow_ms)
    values["cost_microusd"], values["output_tokens"] = side.cost_microusd, side.output_tokens
    values["contract"] = None if side.contract is None else 1.0 - side.contract
    if side.reply is None or found is None:
        values.update(_scored(side.scores))
        return values
    traits = found.traits()
    for name, has in traits.items():
        if name in values and has is not None:
            values[name] = float(has)
    if side.reply.tool_calls:
        values["arguments"] = float(any(not _is_json(call.arguments) for call in side.reply.tool_calls))
        # Whoever calls a tool says little beside it; its form and tone are not what changed.
        values.update({one.name: None for one in QUESTIONS if one.dimension in ("format", "tone")})
    else:
        values["arguments"] = 0.0
        values.update(read_tone(output_text(side.reply)))
    values["characters"] = float(len(output_text(side.reply)))
    return values


def _scored(scores: Mapping[str, float | None]) -> Values:
    """What the log read out of an answer that it no longer has."""
    found: Values = {}
    for question in QUESTIONS:
        for name in (question.name, f"format.{question.name}"):
            value = scores.get(name)
            if value is not None and question.name != "contract":
                found[question.name] = float(value)
    return found


def _tools(side: Side) -> tuple[str, ...]:
    return () if side.reply is None else tuple(sorted(call.name for call in side.reply.tool_calls))


def _is_json(arguments: str) -> bool:
    try:
        orjson.loads(arguments or "{}")
    except ValueError:
        return False
    return True
