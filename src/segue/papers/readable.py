"""A report as it is read: remedies completed with what the gate that wrote them does not know, and one sentence put plainly.

The gate knows numbers, not where results came from, nor what the workflow is called on a command line. Every paper starts with
`readable`, so that all of them say the same; the stored report stays as it was judged.
"""

from __future__ import annotations

import dataclasses
import shlex

from segue.gates.findings import Finding
from segue.gates.report import Report, Watch
from segue.gates.verdict import Reason
from segue.gates.wording import percent, points
from segue.papers.outline import finding_at
from segue.papers.printable import printable_name

LOST = frozenset({"unusable", "slice-unusable", "candidate-loses-cases", "incumbent-silent", "candidate-silent"})
"""Reasons that are about cases which could not be compared."""
RECORDED = "recorded"
"""The provider of imported bundles: it replays, and cannot be asked for more."""


def readable(report: Report) -> Report:
    """The same report with its reasons and its watch as papers say them. Applied twice it changes nothing more."""
    return dataclasses.replace(
        report,
        reasons=tuple(_reason(report, one) for one in report.reasons),
        watch=None if report.watch is None else _watch(report, report.watch),
    )


def can_be_asked_for(report: Report, finding: Finding | None) -> bool:
    """Whether another eval could bring what is lacking: calls that failed or were never made, of models that answer."""
    if any(arm.provider == RECORDED for arm in (report.incumbent, report.candidate)):
        return False
    return finding is None or bool(_unasked(finding) or _errored(finding))


def _reason(report: Report, reason: Reason) -> Reason:
    sentence, step = reason.sentence, reason.next_step
    if reason.code in LOST:
        step = _what_to_do(report, finding_at(report, reason.metric, reason.where)) or step
    if reason.code == "thin-suite" and report.outcome == "fail" and THIN_AND_FAILED not in sentence:
        sentence = f"{sentence} {THIN_AND_FAILED}"
    named = f"segue suite stats {shlex.quote(printable_name(report.workflow))}"
    if "segue suite stats" in step and named not in step:
        step = step.replace("segue suite stats", named)
    return dataclasses.replace(reason, sentence=sentence, next_step=step)


THIN_AND_FAILED = "That is no excuse for what failed: it is shown on the cases there are."


def _what_to_do(report: Report, finding: Finding | None) -> str:
    """What helps depends on why cases are lacking: asking again does where nobody was asked, or a call failed in passing."""
    if finding is None:
        return ""
    if _unasked(finding) or _errored(finding):
        if not can_be_asked_for(report, finding):
            return "These are recordings: import the ones that are missing, or judge a part that is complete with --only."
        if not _errored(finding):
            return "Run the eval again: what is finished is kept, and only what is missing is asked for."
        return (
            "Find out why those calls fail. The same eval asks again for them alone, which helps against passing trouble; "
            "what is refused every time needs another request."
        )
    return (
        "These outputs were answered and could not be scored, and asking again would not change that: correct the scorer, "
        "or the cases, then judge again with segue compare."
    )


def _unasked(finding: Finding) -> int:
    return finding.old_unusable.missing + finding.new_unusable.missing


def _errored(finding: Finding) -> int:
    return finding.old_unusable.errored + finding.new_unusable.errored


def _watch(report: Report, watch: Watch) -> Watch:
    """Why this slice: what is seen or not excluded there, and how little of it the total shows."""
    one = finding_at(report, watch.metric, watch.where)
    total = finding_at(report, watch.metric, "")
    if one is None or total is None or not total.n:
        return watch
    share = one.n / total.n
    rates = f"{percent(one.old.mean)} → {percent(one.new.mean)} on {percent(share)} of the cases"
    if one.verdict == "worse" and one.gain is not None:
        told = f"{one.where}: {one.metric} got worse, {rates}; in the total that counts for {points(-one.gain * share)}."
    elif one.harm_excluded is not None:
        told = (
            f"{one.where}: {one.metric} {rates}; a loss of up to {points(one.harm_excluded)} is not excluded there, "
            f"which would be {points(one.harm_excluded * share)} of the total."
        )
    else:
        return watch
    return dataclasses.replace(watch, sentence=told)
