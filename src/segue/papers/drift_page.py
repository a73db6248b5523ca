"""A drift report as one self-contained HTML page. Answers in it are strangers' text and escaped; no script, no network."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from segue.drift.drift_report import DriftReport, Shown
from segue.drift.words import Span, word_diff
from segue.papers.drift_view import MovedGroup, view_drift
from segue.papers.printable import printable, printable_name
from segue.papers.templating import asset, environment, policy_digest


@dataclass(frozen=True, slots=True)
class Side:
    """One answer in words that are in both, and words that are in this one alone."""

    name: str
    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class PairCard:
    """Both answers of a pair, or why they are not there."""

    pair: str
    sides: tuple[Side, ...]
    why: str


@dataclass(frozen=True, slots=True)
class MoveCard:
    """One question that moved."""

    title: str
    sentence: str
    slices: str
    is_beyond: bool
    pairs: tuple[PairCard, ...]


def render_drift(report: DriftReport) -> str:
    """The page as text (write it as UTF-8)."""
    view = view_drift(report)
    style = asset("drift.css")
    return (
        environment()
        .get_template("drift.html.j2")
        .render(
            title=f"Drift: {printable_name(report.workflow)}",
            view=view,
            moves=[_card(one) for one in view.groups],
            style=Markup(style),  # noqa: S704  our own file, and its digest is what the page's policy allows
            style_digest=policy_digest(style),
        )
    )


def _card(group: MovedGroup) -> MoveCard:
    return MoveCard(group.title, group.sentence, group.slices, group.is_beyond, tuple(map(_pair, group.examples)))


def _pair(shown: Shown) -> PairCard:
    if shown.old is None or shown.new is None:
        return PairCard(printable_name(shown.pair), (), shown.why)
    spans = word_diff(printable(shown.old), printable(shown.new))
    old = tuple(one for one in spans if one.kind != "added")
    new = tuple(one for one in spans if one.kind != "removed")
    return PairCard(printable_name(shown.pair), (Side("incumbent", old), Side("candidate", new)), "")
