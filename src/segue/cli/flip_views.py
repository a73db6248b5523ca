"""Flips of a comparison with their texts, as the papers show them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from segue.drift import JudgedPair
from segue.evals.scope import Scope
from segue.evals.slicing import plan_slices
from segue.gates.tally import CONFIRMATION
from segue.model import Case, Exchange, Reply, Score
from segue.papers.flip_view import FlipView
from segue.scoring.base import Scorer


def flip_views(
    scope: Scope, metric: str, *, where: str = "", negative: bool = True, positive: bool = False, most: int = 200
) -> list[FlipView]:
    """Flips of one metric on one slice, at most `most`: negative before positive, critical cases first, then by case id."""
    pairs = scope.pairs(metric, where, most=None)
    if pairs is None:
        return []
    wanted = [(True, False)] * negative + [(False, True)] * positive
    flips = list(pairs.where(lambda old, new: (old, new) in wanted))
    flips.sort(key=lambda pair: (not pair.is_newly_failing, not pair.case.critical, pair.case.case_id))
    return [_view(scope, metric, pair) for pair in flips[:most]]


def _view(scope: Scope, metric: str, pair: JudgedPair) -> FlipView:
    case = pair.case
    old, new = _score(scope, metric, case, pair.old, is_old=True), _score(scope, metric, case, pair.new, is_old=False)
    names = plan_slices(scope.question.workflow, ()).dimensions or tuple(case.slices)
    return FlipView(
        case_id=case.case_id,
        metric=metric,
        is_negative=pair.is_newly_failing,
        slices=tuple(f"{name}={case.slices[name]}" for name in names if name in case.slices),
        prompt=prompt_text(case),
        reference="" if case.reference is None else text_of(case.reference),
        old_text=reply_text(pair.old.reply),
        new_text=reply_text(pair.new.reply),
        old_score=old.value if old else None,
        new_score=new.value if new else None,
        old_reason=(old.reason or None) if old else None,
        new_reason=(new.reason or None) if new else None,
        confirmed=_confirmed(scope, metric, pair) if pair.is_newly_failing else None,
        is_critical=case.critical,
    )


def _score(scope: Scope, metric: str, case: Case, exchange: Exchange, *, is_old: bool) -> Score | None:
    """The score with its reason: a pure scorer says it again."""
    scorer = (scope.old if is_old else scope.new).scorer_of(metric)
    if not isinstance(scorer, Scorer):
        return None
    return next((one for one in scorer.score(case, exchange) if one.name == metric), None)


def _confirmed(scope: Scope, metric: str, pair: JudgedPair) -> bool | None:
    """Whether the flip held over its re-runs on both arms; `None` if it was not run again."""
    better = {one.name: one.better for one in scope.question.metrics}
    shares = []
    for arm, is_old in ((scope.old, True), (scope.new, False)):
        values = [
            value
            for exchange in scope.store.iter_exchanges(arm.behaviour, case_ids=[pair.case.case_id])
            if exchange.repeat >= CONFIRMATION and exchange.reply is not None
            for value in _values(scope, metric, pair.case, exchange, is_old=is_old)
        ]
        if not values:
            return None
        mean = sum(values) / len(values)
        shares.append(1 - mean if better[metric] == "lower" else mean)
    return shares[0] > 0.5 and shares[1] <= 0.5


def _values(scope: Scope, metric: str, case: Case, exchange: Exchange, *, is_old: bool) -> Iterator[float]:
    score = _score(scope, metric, case, exchange, is_old=is_old)
    if score is not None and score.value is not None:
        yield score.value


def prompt_text(case: Case) -> str:
    """What the case asks: its last user message, or its variables."""
    asked = next((message.text for message in reversed(case.messages) if message.role == "user"), "")
    if asked:
        return asked
    return "\n".join(f"{name}: {value}" for name, value in case.variables.items())


def reply_text(reply: Reply | None) -> str:
    """An output as text: calls as JSON, a conversation turn by turn."""
    if reply is None:
        return ""
    parts: list[str] = []
    if reply.trajectory:
        parts.extend(f"{turn.role}: {turn.text}" + _calls(turn.tool_calls) for turn in reply.trajectory)
    if reply.text:
        parts.append(reply.text)
    if reply.tool_calls:
        parts.append(_calls(reply.tool_calls).strip())
    if reply.refusal:
        parts.append(reply.refusal)
    return "\n".join(parts)


def _calls(calls: Sequence[object]) -> str:
    return "".join(f"\n→ {getattr(call, 'name', '')}({getattr(call, 'arguments', '')})" for call in calls)


def text_of(reference: object) -> str:
    """A reference as text: what is no string, as JSON."""
    return reference if isinstance(reference, str) else json.dumps(reference, ensure_ascii=False, indent=1)
