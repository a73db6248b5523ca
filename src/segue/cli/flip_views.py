"""Flips of a comparison with their texts, as the papers show them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

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
    """Flips of one metric on one slice, at most `most`, as `found_flips` orders them."""
    return found_flips(scope, metric, (where,) if where else (), negative=negative, positive=positive, most=most).views


@dataclass(frozen=True)
class FoundFlips:
    """The first flips with their texts, and how many there are in all."""

    views: list[FlipView]
    n_in_all: int


def found_flips(
    scope: Scope, metric: str, where: Sequence[str], *, negative: bool = True, positive: bool = False, most: int = 200
) -> FoundFlips:
    """Flips of one metric on the cases that are in all of these slices.

    Negative before positive; those that held when they were run again first, then those seen once; critical cases first.
    """
    pairs = scope.pairs(metric, where[0] if where else "", most=None)
    if pairs is None:
        return FoundFlips([], 0)
    wanted = [(True, False)] * negative + [(False, True)] * positive

    def flipped(old: bool | None, new: bool | None) -> bool:
        return (old, new) in wanted

    others = [
        frozenset(pair.case.case_id for pair in members.where(flipped)) if members is not None else frozenset()
        for members in (scope.pairs(metric, one, most=None) for one in where[1:])
    ]
    flips = [pair for pair in pairs.where(flipped) if all(pair.case.case_id in members for members in others)]
    standing = _standings(scope, metric, [pair.case for pair in flips if pair.is_newly_failing])
    ranks = {True: 0, None: 1, False: 2}
    flips.sort(
        key=lambda pair: (
            not pair.is_newly_failing,
            ranks[standing.get(pair.case.case_id)],
            not pair.case.critical,
            pair.case.case_id,
        )
    )
    return FoundFlips([_view(scope, metric, pair, standing.get(pair.case.case_id)) for pair in flips[:most]], len(flips))


def _view(scope: Scope, metric: str, pair: JudgedPair, confirmed: bool | None) -> FlipView:
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
        confirmed=confirmed,
        is_critical=case.critical,
    )


def _score(scope: Scope, metric: str, case: Case, exchange: Exchange, *, is_old: bool) -> Score | None:
    """The score with its reason: a pure scorer says it again."""
    scorer = (scope.old if is_old else scope.new).scorer_of(metric)
    if not isinstance(scorer, Scorer):
        return None
    return next((one for one in scorer.score(case, exchange) if one.name == metric), None)


def _standings(scope: Scope, metric: str, cases: Sequence[Case]) -> dict[str, bool | None]:
    """Case → whether its flip held over its re-runs on both arms; `None` where it was not run again."""
    lower = {one.name: one.better == "lower" for one in scope.question.metrics}[metric]
    by_id = {case.case_id: case for case in cases}
    shares: list[dict[str, float]] = []
    for arm, is_old in ((scope.old, True), (scope.new, False)):
        values: dict[str, list[float]] = {}
        for exchange in scope.store.iter_exchanges(arm.behaviour, case_ids=list(by_id)):
            if exchange.repeat >= CONFIRMATION and exchange.reply is not None:
                found = _values(scope, metric, by_id[exchange.case_id], exchange, is_old=is_old)
                values.setdefault(exchange.case_id, []).extend(1 - one if lower else one for one in found)
        shares.append({case_id: sum(some) / len(some) for case_id, some in values.items() if some})
    old, new = shares
    return {case_id: old[case_id] > 0.5 >= new[case_id] if case_id in old and case_id in new else None for case_id in by_id}


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
