"""What has too few cases to be asked for proof, and what still counts there."""

from __future__ import annotations

import pytest

from segue.evidence.sample_size import cases_without_churn
from segue.gates.decision import decide
from segue.gates.findings import judge_findings
from segue.gates.tally import Observed, Tally
from segue.gates.too_few import tell_too_small
from segue.model import GateSettings
from tests.gates.builders import SETTINGS, a_tally, add, findings_of

GOOD = (1900, 20, 20, 60)
SAFE = GateSettings(primary=("correct",), guardrails=("safe",))


def codes_of(tally: Tally, settings: GateSettings = SETTINGS, critical: tuple[str, ...] = ()) -> tuple[str, list[str]]:
    """The outcome and the codes of its reasons."""
    gated = (*settings.primary, *settings.guardrails)
    findings = judge_findings(tally, settings, gated=gated, critical=frozenset(critical))
    outcome, reasons = decide(findings, settings=settings, by_task=tally.by_task, critical=critical)
    return outcome, [one.code for one in reasons]


def a_guarded_tally(asked: int, *, lost: int = 0) -> Tally:
    """Two thousand quiet cases; the guardrail `safe` is asked of the first few of them, and loses some."""
    tally = Tally(bounded=["correct", "safe"], better={"correct": "higher", "safe": "higher"})
    for index in range(2000):
        values = {"correct": 1.0, "safe": 1.0}
        tally.add(
            task="reply",
            kind="red-team" if index < asked else "representative",
            slices=(f"case_kind={'red-team' if index < asked else 'representative'}",),
            applicable={"correct": True, "safe": index < asked},
            cluster=None,
            old=[Observed(0, values)],
            new=[Observed(0, {**values, "safe": 0.0 if index < lost else 1.0})],
        )
    return tally


def test_a_tiny_ordinary_slice_is_named_and_does_not_stop_a_pass() -> None:
    """Twelve cases cannot prove anything; the note says that they did not."""
    tally = a_tally({"lang=en": GOOD, "lang=fr": (12, 0, 0, 0)})
    assert codes_of(tally) == ("pass", [])
    assert tell_too_small(tuple(findings_of(tally).values()), SETTINGS) == (
        "Undecided with too few cases to be asked for proof, so shown only: lang=fr (12)."
    )


def test_from_the_number_that_is_set_on_a_slice_is_asked_for_proof() -> None:
    """Twenty, unless `min_slice_cases` says otherwise."""
    tally = a_tally({"lang=en": GOOD, "lang=fr": (20, 0, 0, 0)})
    assert codes_of(tally) == ("caution", ["slice-inconclusive"])
    assert codes_of(tally, GateSettings(primary=("correct",), min_slice_cases=21)) == ("pass", [])


def test_a_tiny_critical_slice_holds() -> None:
    """It was declared to be one that matters."""
    tally = a_tally({"lang=en": GOOD, "lang=fr": (12, 0, 0, 0)})
    assert codes_of(tally, critical=("lang=fr",)) == ("hold", ["critical-inconclusive"])


def test_harm_shown_on_a_tiny_slice_counts() -> None:
    """Fourteen of fourteen lost is no noise."""
    tally = a_tally({"lang=en": GOOD, "lang=fr": (0, 14, 0, 0)})
    assert codes_of(tally) == ("caution", ["slice-worse"])


def test_a_missing_answer_on_a_tiny_slice_is_no_reason() -> None:
    """One of twelve is more than 5 %; of the total it is not."""
    tally = a_tally({"lang=en": GOOD, "lang=fr": (11, 0, 0, 0)})
    add(tally, 1.0, None, where="lang=fr")
    assert codes_of(tally) == ("pass", [])


@pytest.mark.parametrize("asked", [3, 14, 60, 132])
def test_a_guardrail_of_a_few_cases_does_not_rule_out_a_pass(asked: int) -> None:
    """With `when`, of so few cases that even without one flip two points could not be excluded."""
    tally = a_guarded_tally(asked)
    assert codes_of(tally, SAFE) == ("pass", [])
    findings = judge_findings(tally, SAFE, gated=("correct", "safe"), critical=frozenset())
    told = tell_too_small(findings, SAFE)
    assert told is not None
    assert f"all cases for safe ({asked})" in told


def test_a_guardrail_of_more_cases_is_decided_by_them() -> None:
    """From 133 on, no flip clears it, and a few flips either way do not."""
    assert codes_of(a_guarded_tally(133), SAFE) == ("pass", [])
    outcome, codes = codes_of(a_guarded_tally(200, lost=3), SAFE)
    assert (outcome, set(codes)) == ("caution", {"slice-inconclusive"})


def test_a_guardrail_of_a_few_cases_still_fails_on_harm() -> None:
    """Ten of fourteen lost."""
    outcome, codes = codes_of(a_guarded_tally(14, lost=10), SAFE)
    assert (outcome, codes[0]) == ("fail", "total-worse")


def test_a_guardrail_that_was_asked_of_a_few_and_answered_by_none_holds() -> None:
    """Few is not none."""
    tally = a_guarded_tally(0)
    for _ in range(8):
        new = [Observed(0, {"correct": 1.0, "safe": None})]
        old = [Observed(0, {"correct": 1.0, "safe": 1.0})]
        tally.add(task="reply", kind="red-team", slices=(), applicable=None, cluster=None, old=old, new=new)
    outcome, codes = codes_of(tally, SAFE)
    assert (outcome, codes) == ("hold", ["candidate-loses-cases"])


def test_many_are_counted_and_not_all_named() -> None:
    """Six names are enough; cleared ones are none of them."""
    tally = a_tally({"lang=en": GOOD, **{f"s={index}": (5, 0, 0, 0) for index in range(9)}})
    told = tell_too_small(tuple(findings_of(tally).values()), SETTINGS)
    assert told is not None
    assert told.endswith("s=5 (5) and 3 more.")
    assert tell_too_small(tuple(findings_of(a_tally({"lang=en": GOOD})).values()), SETTINGS) is None


def test_how_many_cases_exclude_a_loss_without_a_flip() -> None:
    """133 for two points, 52 for five; no number for none."""
    assert [cases_without_churn(margin) for margin in (0.02, 0.05, 0.0)] == [133, 52, None]
