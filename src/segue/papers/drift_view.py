"""A drift report as every paper lays it out: the headline, a line for each dimension, and what moved, question by question.

Slices stand with their question; of one dimension so many questions are told and the others counted, for a fence around JSON is
a fence, JSON in a fence and no JSON alone. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from segue.drift.drift_report import DriftReport, Move, Shown, Standing
from segue.drift.drift_words import TITLES
from segue.drift.questions import BY_NAME
from segue.papers.printable import printable_line, printable_name

SIGNS: dict[Standing, str] = {"moved beyond": "✗", "moved within": "~", "not moved": "·", "nothing": "–", "unknown": "?"}
WORDS: dict[Standing, str] = {
    "moved beyond": "moved beyond its limit",
    "moved within": "moved within its limit",
    "not moved": "no move shown",
    "nothing": "nothing to look at",
    "unknown": "unknown",
}
MOST_SLICES = 4
MUCH_FURTHER = 1.25
MOST_QUESTIONS = 3
"""Of one dimension that are told in full; the others are counted."""


@dataclass(frozen=True, slots=True)
class DimensionRow:
    """One dimension in a line."""

    sign: str
    title: str
    standing: str
    sentence: str
    tone: str


@dataclass(frozen=True, slots=True)
class MovedGroup:
    """One question that moved: on all pairs or on slices alone, where most, and answers that show it."""

    title: str
    sentence: str
    slices: str
    is_beyond: bool
    examples: tuple[Shown, ...]


@dataclass(frozen=True, slots=True)
class DriftView:
    """All that a paper shows."""

    headline: str
    about: str
    rows: tuple[DimensionRow, ...]
    groups: tuple[MovedGroup, ...]
    n_more: int
    tails: tuple[tuple[str, str, str], ...]
    remarks: tuple[str, ...]
    footnote: str


def view_drift(report: DriftReport) -> DriftView:
    """Laid out, names made harmless."""
    rows = tuple(
        DimensionRow(SIGNS[one.standing], TITLES[one.name], WORDS[one.standing], printable_line(one.sentence), one.standing)
        for one in report.dimensions
    )
    groups, n_more = _groups(report)
    return DriftView(
        headline=_headline(report),
        about=_about(report),
        rows=rows,
        groups=groups,
        n_more=n_more,
        tails=tuple(_tail(one.name, one.share, one.old, one.new) for one in report.tails),
        remarks=tuple(map(printable_line, report.remarks)),
        footnote=(
            f"{report.n_questions:,} questions were asked, {report.n_counted:,} could have been answered; where nothing moved, "
            "a move is named in at most 5 of 100 reports. All intervals hold together with 95 % confidence. Means beside "
            "ratios are of the same pairs."
        ),
    )


def _headline(report: DriftReport) -> str:
    beyond = [TITLES[one.name] for one in report.dimensions if one.standing == "moved beyond"]
    unknown = [TITLES[one.name] for one in report.dimensions if one.standing == "unknown"]
    said = f"Moved beyond the limit: {', '.join(beyond)}." if beyond else "Nothing moved beyond its limit."
    return said + (f" Not known: {', '.join(unknown)}." if unknown else "")


def _about(report: DriftReport) -> str:
    times = [
        datetime.fromtimestamp(one, UTC).strftime("%Y-%m-%d %H:%M")
        for one in (report.begins_at, report.ends_at)
        if one is not None
    ]
    when = f", {' to '.join(times)} UTC" if times else ""
    return (
        f"{printable_name(report.workflow)} in {report.environment}: {report.incumbent[:10]} → {report.candidate[:10]}, "
        f"{report.n_pairs:,} pairs{when}"
    )


def _groups(report: DriftReport) -> tuple[tuple[MovedGroup, ...], int]:
    """By question, the largest move first; of one dimension only so many are told."""
    by_question: dict[str, list[Move]] = {}
    for move in report.moves:
        by_question.setdefault(move.question, []).append(move)
    told: dict[str, int] = {}
    groups: list[MovedGroup] = []
    n_more = 0
    for moves in by_question.values():
        first = moves[0]
        told[first.dimension] = told.get(first.dimension, 0) + 1
        if told[first.dimension] > MOST_QUESTIONS:
            n_more += 1
            continue
        examples = tuple(example for one in moves for example in one.examples)
        slices = _slices(first, [one for one in moves if one is not first and one.where])
        groups.append(MovedGroup(TITLES[first.dimension], printable_line(first.sentence), slices, first.is_beyond, examples))
    return tuple(groups), n_more


def _slices(first: Move, moves: Sequence[Move]) -> str:
    """`task=product +50 points, lang=de +12 points, and 3 more`: those that moved much further than all pairs together."""
    if not first.where:
        moves = [one for one in moves if abs(one.change) > MUCH_FURTHER * abs(first.change)]
    ordered = sorted(moves, key=lambda one: (-abs(one.change), one.where))
    parts = [f"{printable_name(one.where, 60)} {_change(one)}" for one in ordered[:MOST_SLICES]]
    if len(ordered) > MOST_SLICES:
        parts.append(f"and {len(ordered) - MOST_SLICES} more")
    return ", ".join(parts)


def _change(move: Move) -> str:
    sign = "+" if move.change >= 0 else "−"
    unit = "%" if BY_NAME[move.question].kind == "amount" else "points"
    return f"{sign}{abs(move.change) * 100:.0f} {unit}"


def _tail(name: str, share: float, old: float, new: float) -> tuple[str, str, str]:
    title = {"latency_ms": "latency", "ttft_ms": "first token", "cost_microusd": "cost"}.get(name, name)

    def shown(value: float) -> str:
        return f"${value / 1e6:.4g}" if name == "cost_microusd" else f"{value:,.0f} ms"

    return f"{title} p{share * 100:.0f}", shown(old), shown(new)
