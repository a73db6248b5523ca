"""Stage 0: whether there is a good reason for an upgrade at all, beside whether it does harm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from segue.gates.findings import Finding
from segue.gates.operations import Operation
from segue.gates.report import JudgeStanding, Recommendation
from segue.gates.verdict import Outcome
from segue.model import GateSettings

SAVING = 0.9
"""Cheaper or faster means at most this many times what it was."""
COVERED = 0.95
"""A saving counts where the quantity is known for nearly as many calls on either arm: one seen on a few is none."""


def recommend(
    findings: Sequence[Finding],
    operations: Mapping[str, Operation],
    settings: GateSettings,
    *,
    sunset: str | None,
    outcome: Outcome,
    judges: Sequence[JudgeStanding] = (),
    is_part: bool = False,
) -> tuple[Recommendation, str]:
    """The recommendation and why. What a judge says that may not gate is no reason. `is_part`: of the suite, by `--only`."""
    refused = {one.metric for one in judges if not one.may_gate}
    totals = [one for one in findings if one.is_total and one.metric in settings.primary and one.metric not in refused]
    saving = _saving(operations)
    if any(one.verdict == "worse" for one in totals):
        why = "Quality falls on what was judged." if is_part else "Quality falls in total."
        return "not on these grounds", f"{why} That {saving} does not make up for it." if saving else why
    if not totals or any(one.verdict == "inconclusive" for one in totals):
        return "undecided", "The suite cannot yet say whether quality holds."
    if outcome == "fail":
        return "not on these grounds", "What fails above has to hold first."
    if outcome == "hold":
        return "undecided", "What holds above has to be settled first."
    open_slices = [one.where for one in findings if one.is_critical and one.is_primary and one.verdict == "inconclusive"]
    if open_slices:
        return "undecided", f"Whether {', '.join(open_slices[:3])} holds is not known yet."
    if sunset is not None:
        return "migrate", f"The incumbent's model retires on {sunset}, and quality holds."
    fell = [one.where for one in findings if one.verdict == "worse" and one.metric in settings.primary]
    but = f" Re-tune for {', '.join(fell[:3])} first: it got worse there." if fell else ""
    if any(one.verdict == "better" for one in totals):
        return "migrate", f"The candidate is better on this workflow's own suite.{but}"
    if saving:
        return "migrate", f"Quality holds, and {saving}.{but}"
    if any(one.note for one in totals):
        return "defer", "A small drop is shown, and no gain, no saving and no sunset."
    return "defer", "The candidate is merely equal: no gain, no saving and no sunset was shown."


def _saving(operations: Mapping[str, Operation]) -> str:
    """What the candidate saves, in words; empty where it saves nothing that is known well enough."""
    cost, latency = operations.get("cost"), operations.get("latency")
    savings = []
    if cost is not None and cost.ratio is not None and cost.ratio <= SAVING and _is_covered(cost):
        savings.append(f"a request costs {1 - cost.ratio:.0%} less")
    if latency is not None and latency.ratio is not None and latency.ratio <= SAVING:
        savings.append(f"the median call is {1 - latency.ratio:.0%} faster")
    return " and ".join(savings)


def _is_covered(operation: Operation) -> bool:
    fewer, more = sorted((operation.old.n, operation.new.n))
    return more > 0 and fewer >= COVERED * more
