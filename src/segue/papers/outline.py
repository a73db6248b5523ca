"""What every paper says beside the report's own sentences, said once: order, and words for verdicts, causes and coverage.

The renderers differ in form only; whatever is put into words here reads the same in all of them. No statistics.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from segue.gates.findings import Finding
from segue.gates.operations import Operation
from segue.gates.report import Arm, CauseFinding, JudgeStanding, OneAnswer, Report
from segue.gates.verdict import Outcome, SliceVerdict
from segue.model import short_id
from segue.papers.figures import amount, count, percent, ratio_text
from segue.papers.printable import printable_line, printable_name

OUTCOME_SIGNS: dict[Outcome, str] = {"pass": "✓", "caution": "!", "hold": "‖", "fail": "✕"}
"""One sign per outcome: no paper tells outcomes apart by colour alone."""

VERDICT_SIGNS: dict[SliceVerdict, str] = {"worse": "▼", "inconclusive": "?", "not worse": "=", "better": "▲"}

VERDICTS_WORST_FIRST: tuple[SliceVerdict, ...] = ("worse", "inconclusive", "not worse", "better")

OPERATION_WORDS = {
    "latency": "Latency",
    "ttft": "Time to first token",
    "cost": "Cost per request",
    "input_tokens": "Input tokens",
    "output_tokens": "Output tokens",
    "reasoning_tokens": "Reasoning tokens",
}


def arm_words(arm: Arm) -> str:
    """`gpt-4-0613 (label, a1b2c3d)`: the model first, since that is what changed most often."""
    names = [printable_name(arm.label)] if arm.label else []
    names.append(short_id(arm.digest))
    return f"{printable_name(arm.model)} ({', '.join(dict.fromkeys(names))})"


def arm_remarks(report: Report) -> tuple[str, ...]:
    """What there is to say of the models themselves: retirement, floating names."""
    remarks = []
    for role, arm in (("incumbent", report.incumbent), ("candidate", report.candidate)):
        if arm.retires:
            verb = "retired" if arm.retires <= report.at[: len(arm.retires)] else "retires"
            remarks.append(f"The {role}'s model {verb} on {printable_line(arm.retires)}.")
        if arm.floating:
            remarks.append(f"The {role}'s model name floats: {printable_line(arm.floating)}")
    return tuple(remarks)


def counted(n: int, noun: str) -> str:
    """`1 case`, `2 cases`."""
    return f"{count(n)} {noun}" if n == 1 else f"{count(n)} {noun}s"


def judge_sentence(standing: JudgeStanding) -> str:
    """Whether the judge of a metric may gate, and its figures in its own sentences."""
    may = "may gate" if standing.may_gate else "may not gate"
    return f"The judge of {printable_name(standing.metric)} {may}. {' '.join(map(printable_line, standing.sentences))}".strip()


def where_words(where: str | None) -> str:
    """The slice, or `all cases` for the total."""
    return printable_name(where) if where else "all cases"


def verdict_words(finding: Finding) -> str:
    """The verdict, with the number of cases that would settle it."""
    if finding.verdict == "inconclusive" and finding.needed is not None:
        return f"inconclusive, {count(finding.needed)} would settle it"
    return finding.verdict


def sort_worst_first(findings: Iterable[Finding]) -> list[Finding]:
    """By verdict, then critical slices first, then the largest loss, then by name."""
    return sorted(
        findings,
        key=lambda one: (
            VERDICTS_WORST_FIRST.index(one.verdict),
            not one.is_critical,
            one.gain if one.gain is not None else 0.0,
            one.metric,
            one.where,
        ),
    )


def metrics_of(report: Report) -> tuple[str, ...]:
    """All judged metrics: primary ones, guardrails, then those that are only shown."""
    rank: dict[str, tuple[bool, bool]] = {}
    for one in report.findings:
        rank.setdefault(one.metric, (not one.is_primary, not one.is_gated))
    return tuple(sorted(rank, key=lambda metric: rank[metric]))


def role_of(finding: Finding) -> str:
    """What its metric is for: `primary`, `guardrail`, or `shown only` where it gates nothing."""
    if not finding.is_gated:
        return "shown only"
    return "primary" if finding.is_primary else "guardrail"


def correction_words(report: Report, shown: Iterable[Finding]) -> str:
    """Why a rise whose interval lies above 0 is not called better: one line, where such a row is shown. Else empty."""
    if not any(one.verdict == "not worse" and _lies_above_0(one) for one in shown):
        return ""
    alpha = _alpha(report)
    below = f" below {alpha:g}" if alpha is not None else " small enough"
    return f"A rise is called better once p adj, corrected for looking at all these slices (Holm), is{below}."


def _lies_above_0(one: Finding) -> bool:
    if one.interval is None:
        return False
    low, high = one.interval
    return low > 0 if one.better_is == "higher" else high < 0


def _alpha(report: Report) -> float | None:
    gate = report.settings.get("gate") if isinstance(report.settings, dict) else None
    alpha = gate.get("alpha") if isinstance(gate, dict) else None
    return alpha if isinstance(alpha, float) else None


def note_words(finding: Finding) -> str:
    """What else there is to say of a finding, with its place: empty where there is nothing."""
    if not finding.note or not finding.n:
        return ""  # of a row without cases its figures say as much
    return f"{printable_name(finding.metric)} on {where_words(finding.where)}: {printable_line(finding.note)}"


def left_out_words(left_out: Sequence[Finding], noun: str = "") -> str:
    """`and 12 more not worse`, with the verdicts counted; empty where nothing is left out."""
    if not left_out:
        return ""
    counts = Counter(one.verdict for one in left_out)
    named = f" {noun}" if noun else ""
    if len(counts) == 1:
        return f"and {len(left_out)} more{named} {next(iter(counts))}"
    parts = [f"{counts[verdict]} {verdict}" for verdict in VERDICTS_WORST_FIRST if counts[verdict]]
    return f"and {len(left_out)} more{named}: {', '.join(parts)}"


def coverage_sentences(report: Report) -> tuple[str, ...]:
    """Which cases were compared, and why the others were not."""
    coverage = report.coverage
    runs = f", {coverage.repeats} runs each" if coverage.repeats > 1 else ""
    sentences = [f"{count(coverage.common)} of {count(coverage.suite)} cases have a reply on both bundles{runs}."]
    lacking = [
        f"{count(n)} {words}"
        for n, words in (
            (coverage.only_old, "on the candidate only"),
            (coverage.only_new, "on the incumbent only"),
            (coverage.neither, "on either bundle"),
        )
        if n
    ]
    if lacking:
        sentences.append(f"Without a reply: {', '.join(lacking)}.")
    errored = [
        f"{count(n)} on the {role}"
        for n, role in ((coverage.old_errored, "incumbent"), (coverage.new_errored, "candidate"))
        if n
    ]
    if errored:
        sentences.append(f"Of these, cases where every call errored: {', '.join(errored)}.")
    unscored = [
        f"{count(n)} on the {role} for {printable_name(one.metric)}"
        for one in report.totals()
        for n, role in ((one.old_unusable.unscored, "incumbent"), (one.new_unusable.unscored, "candidate"))
        if n and one.is_gated
    ]
    if unscored:
        sentences.append(f"Answered but not scorable: {', '.join(unscored)}.")
    if coverage.stale:
        sentences.append(f"{count(coverage.stale)} results belong to an earlier text of their case and are not used.")
    return tuple(sentences)


def cause_title(cause: CauseFinding) -> str:
    """Cause before blame: what kind of break this is."""
    if cause.ability_held is True:
        return "The format broke, the ability did not"
    if cause.ability_held is False:
        return "The form changed, and ability is lost too"
    return "A shared cause"


def cause_place(cause: CauseFinding) -> str:
    """`accuracy on task=leetcode`."""
    return f"{printable_name(cause.metric)} on {where_words(cause.where)}"


def cause_repair(cause: CauseFinding, finding: Finding | None) -> str:
    """The rates as they stand and once the cause is repaired; empty where there is no repair, or its sentence says them."""
    if cause.repaired_old is None or cause.repaired_new is None or percent(cause.repaired_new) in cause.sentence:
        return ""
    n = "" if cause.repaired_n is None else f" ({count(cause.repaired_n)} cases)"
    stands = "" if finding is None else f"As it stands {percent(finding.old.mean)} → {percent(finding.new.mean)}. "
    return f"{stands}Repaired {percent(cause.repaired_old)} → {percent(cause.repaired_new)}{n}."


def finding_at(report: Report, metric: str | None, where: str | None) -> Finding | None:
    """The finding of a metric on a slice, if there is one."""
    return next((one for one in report.findings if one.metric == metric and one.where == (where or "")), None)


def operation_title(name: str) -> str:
    """What a quantity is called."""
    return OPERATION_WORDS.get(name) or printable_name(name.replace("_", " ").capitalize())


def recorded_operations(report: Report) -> list[Operation]:
    """The quantities of which either arm recorded something; the usual ones first."""
    order = {name: index for index, name in enumerate(OPERATION_WORDS)}
    there = [one for one in report.operations if one.old.n or one.new.n]
    return sorted(there, key=lambda one: order.get(one.name, len(order)))


def operation_words(operation: Operation) -> str:
    """`p50 1.2 s → 1.4 s (1.2 ×), p95 4.1 s → 9 s (2.2 ×)` for times, the means for costs and tokens."""
    old, new, unit = operation.old, operation.new, operation.unit
    if unit != "ms":
        words = f"mean {amount(old.mean, unit)} → {amount(new.mean, unit)} ({ratio_text(operation.ratio)})"
        return words.replace(" (–)", "")
    parts = []
    for name, before, after, ratio in (
        ("p50", old.p50, new.p50, operation.ratio),
        ("p95", old.p95, new.p95, operation.ratio_p95),
    ):
        change = "" if ratio is None else f" ({ratio_text(ratio)})"
        was, now = (None if one is None else one.value for one in (before, after))
        parts.append(f"{name} {amount(was, unit)} → {amount(now, unit)}{change}")
    return ", ".join(parts)


def extremes_words(operation: Operation) -> str:
    """How many values lie beyond twenty times the median, and the largest of all; empty where there is none."""
    parts = []
    for role, arm in (("incumbent", operation.old), ("candidate", operation.new)):
        if arm.n_extreme:
            parts.append(f"{count(arm.n_extreme)} on the {role} (up to {amount(arm.largest, operation.unit)})")
    return f"Extreme outliers, beyond 20 times the median: {', '.join(parts)}." if parts else ""


def one_answer_words(one: OneAnswer) -> str:
    """`One answer for everything (label)`: the title of such a finding."""
    return f"One answer for everything ({printable_name(one.metric)})"
