"""The page's part on confidences: how well they tell right from wrong on either arm, and from where on to act now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from segue.gates.report import ConfidenceFinding
from segue.model import Json
from segue.papers.figures import NONE, count, number, percent
from segue.papers.printable import printable_line, printable_name
from segue.papers.ties import tie

MOST_BINS = 20


@dataclass(frozen=True, slots=True)
class BinLine:
    """One bin of an arm's reliability curve: the mean confidence, the share right with its interval, the answers."""

    confidence: str
    right: str
    n: str


@dataclass(frozen=True, slots=True)
class Curve:
    """The reliability curve of one arm, as a table."""

    role: str
    lines: tuple[BinLine, ...]


@dataclass(frozen=True, slots=True)
class ConfidenceCard:
    """A confidence on both arms."""

    metric: str
    sign: str
    verdict: str
    tone: str
    facts: tuple[tuple[str, str], ...]
    sentences: tuple[str, ...]
    curves: tuple[Curve, ...]


def confidence_card(finding: ConfidenceFinding) -> ConfidenceCard:
    """Calibration error and threshold, old → new, the sentences, and the curves as far as the report has them."""
    facts = [("calibration error", f"{_three(finding.old_ece)} → {_three(finding.new_ece)}")]
    if finding.old_threshold is not None:
        new = NONE if finding.threshold is None else number(finding.threshold)
        facts.append(("threshold that keeps the operating point", f"{number(finding.old_threshold)} → {new}"))
    verdict = ("▼", "tells less than it did", "worse") if finding.brier_worse else ("=", "not shown to tell less", "even")
    shift = _at(finding.figures, "calibration")
    arms = (("Incumbent", "old"), ("Candidate", "new"))
    curves = [Curve(role, lines) for role, arm in arms if (lines := _lines(_at(shift, arm)))]
    return ConfidenceCard(
        printable_name(finding.metric),
        *verdict,
        tuple(facts),
        tuple(tie(printable_line(one)) for one in finding.sentences),
        tuple(curves),
    )


def _lines(arm: Json) -> tuple[BinLine, ...]:
    """The bins of one arm; figures that have another shape, as an older report may, are left out."""
    bins = _at(arm, "bins")
    found = []
    for one in bins[:MOST_BINS] if isinstance(bins, Sequence) and not isinstance(bins, str) else ():
        accuracy = _at(one, "accuracy")
        confidence, right, n = _share(_at(one, "mean_confidence")), _share(_at(accuracy, "value")), _at(one, "n")
        if confidence is None or right is None or not isinstance(n, int):
            continue
        low, high = _share(_at(accuracy, "low")), _share(_at(accuracy, "high"))
        interval = f" ({percent(low)} to {percent(high)})" if low is not None and high is not None else ""
        found.append(BinLine(tie(percent(confidence)), tie(f"{percent(right)}{interval}"), count(n)))
    return tuple(found)


def _at(held: Json, key: str) -> Json:
    return held.get(key) if isinstance(held, Mapping) else None


def _share(value: Json) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _three(value: float | None) -> str:
    return NONE if value is None else f"{value:.3f}"
