"""The page's distributions: quantiles of both arms on one logarithmic axis, extreme outliers counted."""

from __future__ import annotations

from segue.evidence.quantiles import Quantile
from segue.gates.operations import Amounts, Operation
from segue.gates.report import Report
from segue.papers import outline
from segue.papers.figures import NONE, amount, count
from segue.papers.page import AmountCard, AmountRow, Dot, Whisker
from segue.papers.scale import AmountScale, place_text

MOST_CARDS = 20


def amount_cards(report: Report) -> tuple[AmountCard, ...]:
    """One card per quantity that either arm recorded."""
    return tuple(_card(one) for one in outline.recorded_operations(report)[:MOST_CARDS])


def unrecorded_words(report: Report) -> str:
    """Which quantities nobody recorded: unknown, not zero."""
    there = outline.recorded_operations(report)
    names = [outline.operation_title(one.name).lower() for one in report.operations if not (one.old.n or one.new.n)]
    parts = [f"Not recorded on either bundle: {', '.join(names)}."] if names else []
    if len(there) > MOST_CARDS:
        parts.append(f"{outline.counted(len(there) - MOST_CARDS, 'more quantity')} in the JSON report.")
    return " ".join(parts)


def _card(operation: Operation) -> AmountCard:
    values = [value for arm in (operation.old, operation.new) for value in _values(arm)]
    scale = AmountScale.over(values, operation.unit)
    return AmountCard(
        title=outline.operation_title(operation.name),
        sentence=f"{outline.operation_words(operation)}.",
        extremes=outline.extremes_words(operation),
        ticks=scale.ticks() if scale else (),
        rows=(
            _row("Incumbent", operation.old, operation.unit, scale),
            _row("Candidate", operation.new, operation.unit, scale),
        ),
    )


def _quantiles(arm: Amounts) -> tuple[tuple[str, Quantile | None], ...]:
    return (("p50", arm.p50), ("p95", arm.p95), ("p99", arm.p99))


def _values(arm: Amounts) -> list[float]:
    held = [end for _, one in _quantiles(arm) if one for end in (one.value, one.low, one.high) if end is not None]
    return held if arm.largest is None else [*held, arm.largest]


def _row(role: str, arm: Amounts, unit: str, scale: AmountScale | None) -> AmountRow:
    dots: list[Dot] = []
    whiskers: list[Whisker] = []
    places: list[float] = []
    if scale is not None:
        for kind, one in _quantiles(arm):
            if one is None:
                continue
            places.append(scale.at(one.value))
            dots.append(Dot(place_text(places[-1]), kind))
            if one.low is not None and one.high is not None:
                whiskers.append(Whisker(place_text(scale.at(one.low)), place_text(scale.at(one.high))))
        if arm.largest is not None:
            places.append(scale.at(arm.largest))
            dots.append(Dot(place_text(places[-1]), "max"))
    figures = [amount(None if one is None else one.value, unit) for _, one in _quantiles(arm)]
    extreme = NONE if arm.n_extreme is None else count(arm.n_extreme)
    return AmountRow(
        role=role,
        dots=tuple(reversed(dots)),
        whiskers=tuple(whiskers),
        x1=place_text(min(places)) if places else "",
        x2=place_text(max(places)) if places else "",
        figures=(*figures, amount(arm.largest, unit), amount(arm.mean, unit), extreme, count(arm.n)),
    )
