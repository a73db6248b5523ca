"""The sentences of a drift report, for people who decide and do not calculate. Pure."""

from __future__ import annotations

from segue.drift.questions import BY_NAME, Dimension, Question

TITLES: dict[Dimension, str] = {
    "failures": "answers at all",
    "contract": "contract",
    "refusals": "refusals",
    "tool-calls": "tool calls",
    "format": "format",
    "language": "language",
    "length": "length",
    "tone": "tone",
    "latency": "latency",
    "cost": "cost",
}


def move_sentence(
    question: Question, where: str, old: float, new: float, change: float, low: float, high: float, n_pairs: int
) -> str:
    """`On task=refund, 41 % of the answers are wrapped in a fence, 0 % before (41 points more, 30 to 53; 120 pairs).`"""
    on = f"On {where}, " if where else ""
    pairs = f"{n_pairs:,} pairs"
    if question.kind == "share":
        more = "more" if change > 0 else "fewer"
        span = f"{_points(low)} to {_points(high)}" if change > 0 else f"{_points(-high)} to {_points(-low)}"
        said = f"{_percent(new)} of the answers {question.words}, {_percent(old)} before"
        return _begin(f"{on}{said} ({_points(abs(change))} points {more}, {span}; {pairs}).")
    if question.kind == "differs":
        said = f"the two answers {question.words} in {_percent(new)} of the pairs"
        return _begin(f"{on}{said} ({_percent(low)} to {_percent(high)}; {pairs}).")
    more = "more" if change > 0 else "less"
    span = f"{_relative(low)} to {_relative(high)}"
    means = f"mean {_amount(old, question.unit)} before, {_amount(new, question.unit)} now"
    said = f"the {question.words} is typically {_percent(abs(change))} {more}"
    return _begin(f"{on}{said} ({span}; {means}; {pairs}).")


def hidden_sentence(question: str, low: float, high: float) -> str:
    """How large a move of the question that is known least could have stayed unseen."""
    asked = BY_NAME[question]
    reach = max(abs(low), abs(high))
    size = f"{_percent(reach)}" if asked.kind == "amount" else f"{_points(reach)} points"
    return f"A move of up to {size} could have stayed unseen ({question.replace('_', ' ')})."


def _begin(text: str) -> str:
    return text[:1].upper() + text[1:]


def _percent(share: float) -> str:
    value = share * 100
    return f"{value:.0f} %" if abs(value) >= 10 or abs(value - round(value)) < 0.05 else f"{value:.1f} %"


def _points(share: float) -> str:
    value = share * 100
    return f"{value:.0f}" if abs(value) >= 10 or abs(value - round(value)) < 0.05 else f"{value:.1f}"


def _relative(change: float) -> str:
    return f"{'+' if change >= 0 else '−'}{_percent(abs(change))}"


def _amount(value: float, unit: str) -> str:
    if unit == "µ$":
        return f"${value / 1e6:.3g}"
    return f"{value:,.0f} {unit}" if value >= 100 else f"{value:.3g} {unit}"
