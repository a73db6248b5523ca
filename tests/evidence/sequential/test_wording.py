"""The sentences, word by word: they are what most people read."""

from __future__ import annotations

import re

import pytest

from segue.evidence.sequential.cells import CellStats
from segue.evidence.sequential.grid import POINTS, Unit
from segue.evidence.sequential.judgement import Look, judge
from segue.evidence.sequential.null import Null
from segue.evidence.sequential.sequences import Interval
from segue.evidence.sequential.verdicts import Evidence, Guards, Settlement
from tests.evidence.sequential.builders import a_grid, a_rule, some_stats, watched


def found(**changes: object) -> Evidence:
    """An open question about quality, 412 outcomes in."""
    given: dict[str, object] = {
        "metric": "quality", "slice": "", "verdict": "inconclusive", "limit": None, "log_e": 0.0, "bound": None, "effect": None,
        "interval": Interval(None, None), "exposed": 500, "matured": 450, "asked": 420, "labelled": 412,
        "incumbent_labelled": 8_000, "settlement": None, "void": None, "unit": POINTS,
    }  # fmt: skip
    return Evidence(**{**given, **changes})  # type: ignore[arg-type]


def settled(question: str, outcomes: int | None, days: float | None = None) -> Settlement:
    """What would settle it."""
    return Settlement(question, outcomes, days)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("evidence", "sentence"),
    [
        (
            found(verdict="harm", limit="rollback", bound=0.05),
            "quality: the candidate is worse, by at least 5 points: beyond the limit at which the upgrade rolls back "
            "(412 outcomes on the candidate).",
        ),
        (
            found(verdict="harm", limit="hold", bound=0.01, slice="task=refund", labelled=1),
            "quality on task=refund: the candidate is worse, by at least 1 point: beyond the limit at which the upgrade holds "
            "and people look (1 outcome on the candidate).",
        ),
        (
            found(verdict="harm", limit="rollback"),
            "quality: the candidate is worse: beyond the limit at which the upgrade rolls back "
            "(412 outcomes on the candidate).",
        ),
        (
            found(verdict="safe", bound=0.02, labelled=12_000),
            "quality: harm beyond 2 points is excluded (12,000 outcomes on the candidate).",
        ),
        (found(verdict="safe"), "quality: harm beyond its limit is excluded (412 outcomes on the candidate)."),
        (
            found(effect=0.012, settlement=settled("safe", 1_300, 8.6)),
            "quality: not settled by 412 outcomes on the candidate; so far 1.2 points worse. "
            "About 1,300 more would show that it is safe, 9 days at the present rate.",
        ),
        (
            found(effect=-0.034, settlement=settled("harm", 1, 0.2)),
            "quality: not settled by 412 outcomes on the candidate; so far 3.4 points better. "
            "About 1 more would show harm beyond the limit, less than a day at the present rate.",
        ),
        (
            found(effect=0.0, settlement=settled("safe", 90, 1.2)),
            "quality: not settled by 412 outcomes on the candidate; so far no difference. "
            "About 90 more would show that it is safe, a day at the present rate.",
        ),
        (
            found(effect=0.02, settlement=settled("safe", None)),
            "quality: not settled by 412 outcomes on the candidate; so far 2 points worse. "
            "At these rates no number of outcomes would show that it is safe.",
        ),
        (
            found(effect=0.001, settlement=settled("harm", None)),
            "quality: not settled by 412 outcomes on the candidate; so far 0.1 points worse. "
            "At these rates no number of outcomes would show harm beyond the limit.",
        ),
        (
            found(),
            "quality: not settled by 412 outcomes on the candidate. How many more outcomes would settle it is not known yet.",
        ),
        (
            found(incumbent_labelled=0),
            "quality: not settled: 412 outcomes on the candidate, but none on the incumbent, so there is nothing to compare "
            "with.",
        ),
        (
            found(exposed=0, matured=0, asked=0, labelled=0),
            "quality: nothing is known yet. No user of it has been served by the candidate.",
        ),
        (
            found(matured=0, asked=0, labelled=0),
            "quality: nothing is known yet. 500 users were served, none long enough ago to be judged.",
        ),
        (
            found(exposed=1, matured=0, asked=0, labelled=0),
            "quality: nothing is known yet. 1 user was served, not long enough ago to be judged.",
        ),
        (
            found(asked=0, labelled=0),
            "quality: nothing is known yet. 450 users are old enough to be judged, but none was asked for a label.",
        ),
        (
            found(matured=1, asked=0, labelled=0),
            "quality: nothing is known yet. 1 user is old enough to be judged, but was not asked for a label.",
        ),
        (
            found(labelled=0),
            "quality: nothing is known yet. 420 labels were asked for and none came: silence is not health.",
        ),
        (
            found(asked=1, labelled=0),
            "quality: nothing is known yet. 1 label was asked for and did not come: silence is not health.",
        ),
        (
            found(verdict="invalid", void="assignment"),
            "quality: cannot be compared, for users were not assigned in the shares that were set. "
            "Nothing moves until that is mended.",
        ),
        (
            found(verdict="invalid", void="labels", labelled=0),
            "quality: cannot be compared, for labels come back from the candidate's users at another rate than from the "
            "incumbent's. Nothing moves until that is mended.",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_every_state_has_a_sentence(evidence: Evidence, sentence: str) -> None:
    """As a product manager reads it."""
    assert evidence.sentence == sentence


@pytest.mark.parametrize(
    ("effect", "unit", "amount"),
    [
        (1_234.0, Unit("ms"), "1,230 ms"),
        (1_234_567.0, Unit("tokens"), "1,230,000 tokens"),
        (0.0000123, Unit("dollars", 1_000.0), "0.0123 dollars"),
        (0.00000042, Unit("", 10_000.0), "0.0042"),
        (1.0, Unit("ms"), "1 ms"),
        (0.01, POINTS, "1 point"),
        (0.0101, POINTS, "1.01 points"),
    ],
    ids=str,
)
def test_amounts_are_written_out(effect: float, unit: Unit, amount: str) -> None:
    """Three digits, no exponents, and one point is one point."""
    assert f"so far {amount} worse" in found(effect=effect, unit=unit).sentence


def test_sentences_of_a_real_grid_read_as_sentences() -> None:
    """Whatever the verdict: a name, a colon, a full stop, and no number that is none."""
    states = [
        some_stats(0, 0),
        some_stats(0, 0, immature=3),
        some_stats(1, 12),
        some_stats(9, 12),
        some_stats(60, 600),
        some_stats(90, 600, missing=100),
    ]
    rule = a_rule(safe=(Null("safe", margin=0.1), Null("safe", margin=0.02)))
    for new in states:
        for guards in (Guards(), Guards(mismatched=True), Guards(unlike=frozenset({("quality", "")}))):
            grid, look = watched(a_grid(rule), [{("quality", ""): (some_stats(50, 500), new)}] * 4, guards=guards)
            for one in judge(grid, look).cells:
                assert re.fullmatch(r"quality: .*\.", one.sentence)
                assert not re.search(r"nan|inf\b|None|e[+-]\d", one.sentence)
    assert judge(a_grid(rule), Look({})).cells[0].sentence.startswith("quality: nothing is known yet.")
    assert CellStats().units.mean is None
