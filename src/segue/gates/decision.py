"""The decision table of stage 1: from findings to one outcome with its reasons.

| what is shown | outcome |
|---|---|
| the total of a gated metric fell | fail: re-tune |
| a critical slice fell | fail |
| another slice fell | caution: re-tune offered, watched to the end |
| a metric rose because outputs stopped parsing or answering | caution |
| a confidence tells less about being right than it did | caution |
| a judge's own errors leave a loss beyond the margin open | hold |
| nearly all outputs give one and the same answer, and did not before | caution |
| too many cases errored, unscored or missing | hold |
| fewer cases than `min_cases` in a task | hold |
| the total, or a critical slice, of a primary metric is inconclusive | hold |
| a judge that is not calibrated is asked to gate | hold |
| a guardrail's total, or another slice, is inconclusive | caution, with what would settle it |
| a gated metric, or a critical slice, that no case was judged by | hold |
| the candidate loses so many cases that, were they wrong, the margin would be broken | hold |
| a drop smaller than the margin is shown; only part of the suite was judged | caution |
| everything else | pass |

The worst wins (`segue.gates.verdict.WORST_FIRST`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from segue.gates.findings import Finding
from segue.gates.operations import Operation
from segue.gates.report import ConfidenceFinding, HollowRise, JudgeStanding, OneAnswer, Recommendation, Watch
from segue.gates.verdict import WORST_FIRST, Outcome, Reason, worst
from segue.model import GateSettings

UNDECIDED = ("slice-inconclusive", "slices-inconclusive")
"""Within an outcome, what is shown comes before what is not known."""
MANY = 4
"""From this many slices with the same fate on they are one line, not one each."""


def decide(
    findings: Sequence[Finding],
    *,
    settings: GateSettings,
    by_task: Mapping[str, int],
    operation_reasons: Iterable[Reason] = (),
    judges: Sequence[JudgeStanding] = (),
    hollow: Sequence[HollowRise] = (),
    one_answers: Sequence[OneAnswer] = (),
    confidence: Sequence[ConfidenceFinding] = (),
    critical: Collection[str] = (),
    only: Mapping[str, Collection[str]] | None = None,
) -> tuple[Outcome, tuple[Reason, ...]]:
    """Apply the table to the gated findings; reasons come worst first."""
    refused = {one.metric for one in judges if not one.may_gate}
    gated = [one for one in findings if one.metric in (*settings.primary, *settings.guardrails)]
    reasons: list[Reason] = []
    if not by_task:
        reasons.append(
            Reason("hold", "no-cases", "There is no case to judge by.", "Write some, or ask for other ones than --only does.")
        )
    elif not gated:
        reasons.append(
            Reason(
                "hold",
                "nothing-gated",
                "No metric gates this workflow, so nothing was judged.",
                "Name one in gate.primary of workflow.yaml.",
            )
        )
    for standing in judges:
        if standing.metric in (*settings.primary, *settings.guardrails) and not standing.may_gate:
            reasons.append(
                Reason(
                    "hold",
                    "judge-refused",
                    f"{standing.metric} comes from a judge that may not gate: {' '.join(standing.sentences)}",
                    "Calibrate it against human labels on both bundles' outputs, or gate on another metric.",
                    standing.metric,
                )
            )
    for finding in gated:
        if finding.metric not in refused:
            reasons.extend(_reasons_of(finding, settings))
    reasons.extend(_never_judged(gated, settings, critical, is_empty=not by_task))
    if only:
        chosen = ", ".join(f"{name}={value}" for name, values in only.items() for value in sorted(values))
        reasons.append(
            Reason("caution", "part-of-the-suite", f"Only {chosen} was judged.", "Judge the whole suite before going on.")
        )
    reasons = _gather(_gather(reasons, "slice-worse", _many_worse), "slice-inconclusive", _many_blind)
    reasons.extend(_thin(by_task, settings))
    reasons.extend(
        Reason("caution", "hollow-rise", one.sentence, "Read those outputs before counting the gain.", one.metric, one.where)
        for one in hollow
    )
    reasons.extend(
        Reason(
            "caution",
            "one-answer",
            one.sentence,
            "Judge the total and every class: a rise in one slice may be the same answer given everywhere.",
            one.metric,
        )
        for one in one_answers
    )
    reasons.extend(_confidence_moved(one) for one in confidence if one.brier_worse)
    reasons.extend(_judge_uncertain(judges, gated))
    reasons.extend(operation_reasons)
    reasons.sort(key=lambda reason: (WORST_FIRST.index(reason.outcome), reason.code in UNDECIDED))
    return worst(reason.outcome for reason in reasons), tuple(reasons)


def _never_judged(
    gated: Sequence[Finding], settings: GateSettings, critical: Collection[str], *, is_empty: bool
) -> Iterable[Reason]:
    """What the gate asks for and no case answers: silence never passes."""
    if is_empty:
        return
    for metric in dict.fromkeys((*settings.primary, *settings.guardrails)):
        own = [one for one in gated if one.metric == metric]
        if not any(one.is_total and one.n_applicable for one in own):
            yield Reason(
                "hold",
                "metric-not-judged",
                f"{metric} gates this workflow, and no case was judged by it.",
                "Add cases that its scorer applies to, or take it out of the gate. Only metrics from 0 to 1 can gate.",
                metric,
            )
            continue
        for where in sorted(set(critical) - {one.where for one in own if one.n_applicable}):
            if metric in settings.primary:
                yield Reason(
                    "hold",
                    "critical-not-judged",
                    f"The critical slice {where} has no case that {metric} was asked of.",
                    "Add cases, or correct the slice in workflow.yaml.",
                    metric,
                    where,
                )


def _confidence_moved(one: ConfidenceFinding) -> Reason:
    step = "Set the threshold anew; the report has the reliability curves."
    if one.threshold is not None and one.old_threshold is not None:
        step = f"Act from {one.threshold:.3g} on instead of {one.old_threshold:g}: that keeps the old operating point."
    return Reason(
        "caution",
        "confidence-moved",
        f"{one.metric} tells less about being right than it did (Brier score worse; calibration error "
        f"{_three(one.old_ece)} → {_three(one.new_ece)}).",
        step,
        one.metric,
    )


def _judge_uncertain(judges: Sequence[JudgeStanding], gated: Sequence[Finding]) -> Iterable[Reason]:
    """A judge that may gate still errs: its errors taken out, a loss beyond the margin has to stay excluded."""
    for standing in judges:
        total = next((one for one in gated if one.metric == standing.metric and one.is_total), None)
        if not standing.may_gate or total is None or not total.is_primary or total.verdict not in ("better", "not worse"):
            continue
        loss = _largest_loss(standing, total)
        if not total.is_binary or (loss is not None and loss < total.margin):
            continue
        size = "a loss of unknown size" if loss is None else f"a loss of {points(loss)}"
        yield Reason(
            "hold",
            "judge-uncertain",
            f"{standing.metric} is judged, and with the judge's own errors taken out {size} is not excluded; "
            f"{points(total.margin)} are allowed.",
            "Let people label more outputs of both arms, or gate on another metric.",
            standing.metric,
            "",
        )


def _largest_loss(standing: JudgeStanding, total: Finding) -> float | None:
    """The loss that the corrected interval still allows; `None` where it could not be worked out."""
    if total.better_is == "higher":
        return None if standing.corrected_low is None else -standing.corrected_low
    return standing.corrected_high


def _three(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _reasons_of(finding: Finding, settings: GateSettings) -> list[Reason]:
    where = finding.where or "all cases"
    reasons: list[Reason] = []
    lost = (finding.new_unusable.n - finding.old_unusable.n) / finding.n_applicable if finding.n_applicable else 0.0
    decides = finding.is_total or finding.is_critical
    if decides and lost >= finding.margin and lost > 0:
        reasons.append(
            Reason(
                "hold",
                "candidate-loses-cases",
                f"The candidate has no usable answer on {percent(lost)} more of {where} than the incumbent; were they "
                f"all wrong, {finding.metric} would lose more than the {points(finding.margin)} that are allowed.",
                "Find out why it fails there, and run the eval again.",
                finding.metric,
                finding.where,
            )
        )
    elif finding.unusable_share > settings.max_unusable_share:
        told = (
            f"{finding.n_unusable:,} of {finding.n_applicable:,} cases of {finding.metric} on {where} could not be "
            f"compared ({_unusable_words(finding)}); at most {percent(settings.max_unusable_share)} may be."
        )
        step = "Run the eval again: what is finished is kept, and only what is missing is asked for."
        if decides:
            reasons.append(Reason("hold", "unusable", told, step, finding.metric, finding.where))
        else:
            reasons.append(Reason("caution", "slice-unusable", told, step, finding.metric, finding.where))
    if finding.verdict == "worse":
        reasons.append(_worse(finding, where))
    elif finding.verdict == "inconclusive":
        reasons.append(_inconclusive(finding, where))
    elif finding.note:
        reasons.append(
            Reason(
                "caution",
                "small-drop",
                f"{finding.metric} on {where}: {percent(finding.old.mean)} → {percent(finding.new.mean)} "
                f"(p {p_text(finding.log10_p)}); {finding.note} of {points(finding.margin)}.",
                "Decide whether a drop of this size matters here; if it does, set a smaller margin.",
                finding.metric,
                finding.where,
            )
        )
    return reasons


def _worse(finding: Finding, where: str) -> Reason:
    moved, remark = ("fell", "") if finding.better_is == "higher" else ("rose", ", where less is better")
    told = f"{finding.metric} {moved} from {percent(finding.old.mean)} to {percent(finding.new.mean)} on {where}{remark}"
    told += f" ({finding.n:,} cases, p {p_text(finding.log10_p)})."
    if finding.is_total:
        return Reason(
            "fail", "total-worse", told, "Re-tune the prompt for the candidate, or keep the incumbent.", finding.metric, ""
        )
    if finding.is_critical:
        return Reason("fail", "critical-worse", told, "This slice is critical: it has to hold.", finding.metric, finding.where)
    return Reason(
        "caution",
        "slice-worse",
        told,
        "Re-tune for this slice, and watch it to the end of the upgrade.",
        finding.metric,
        finding.where,
    )


def _inconclusive(finding: Finding, where: str) -> Reason:
    more = "" if finding.needed is None else f" About {finding.needed:,} cases would settle it."
    seen = (
        "no case could be compared"
        if not finding.n
        else f"{percent(finding.old.mean)} → {percent(finding.new.mean)} on {finding.n:,} cases; "
        f"a loss of up to {points(finding.harm_excluded)} is not excluded, {points(finding.margin)} are allowed"
    )
    shown = f"; {finding.note}" if finding.n and finding.note else ""
    sentence = f"{finding.metric} on {where} is undecided: {seen}{shown}.{more}"
    step = "Add cases, or runs of the same cases (--repeats)."
    if finding.is_total and finding.is_primary:
        return Reason("hold", "total-inconclusive", sentence, step, finding.metric, "")
    if finding.is_critical and finding.is_primary:
        return Reason("hold", "critical-inconclusive", sentence, step, finding.metric, finding.where)
    return Reason("caution", "slice-inconclusive", sentence, step, finding.metric, finding.where)


def _gather(reasons: list[Reason], code: str, summarise: Callable[[str | None, list[str]], Reason]) -> list[Reason]:
    """Many slices of one metric with the same fate become one line that counts them."""
    groups: dict[str | None, list[Reason]] = {}
    for reason in reasons:
        if reason.code == code:
            groups.setdefault(reason.metric, []).append(reason)
    out: list[Reason] = []
    for reason in reasons:
        group = groups.get(reason.metric, []) if reason.code == code else []
        if len(group) < MANY:
            out.append(reason)
        elif reason is group[0]:
            out.append(summarise(reason.metric, [one.where or "all cases" for one in group]))
    return out


def _many_worse(metric: str | None, names: list[str]) -> Reason:
    return Reason(
        "caution",
        "slices-worse",
        f"{metric} got worse on {len(names)} slices ({_few(names)}).",
        "Re-tune for them; the table has each one's numbers.",
        metric,
    )


def _many_blind(metric: str | None, names: list[str]) -> Reason:
    return Reason(
        "caution",
        "slices-inconclusive",
        f"{metric} is undecided on {len(names)} slices ({_few(names)}): too few cases for their margin.",
        "The table says for each how many cases would settle it.",
        metric,
    )


def _few(names: list[str]) -> str:
    return ", ".join(names[:MANY]) + (f" and {len(names) - MANY} more" if len(names) > MANY else "")


def _thin(by_task: Mapping[str, int], settings: GateSettings) -> list[Reason]:
    thin = sorted((task, n) for task, n in by_task.items() if n < settings.min_cases)
    if not thin:
        return []
    listed = ", ".join(f"{task} has {n}" for task, n in thin[:5]) + (" and more" if len(thin) > 5 else "")
    return [
        Reason(
            "hold",
            "thin-suite",
            f"The suite is thin: {listed}; {settings.min_cases} cases per task are asked for.",
            "See what is missing with: segue suite stats.",
        )
    ]


def _unusable_words(finding: Finding) -> str:
    words = []
    for name, arm in (("incumbent", finding.old_unusable), ("candidate", finding.new_unusable)):
        parts = [
            f"{count} {what}"
            for what, count in (("missing", arm.missing), ("errored", arm.errored), ("unscored", arm.unscored))
            if count
        ]
        if parts:
            words.append(f"{name}: {', '.join(parts)}")
    return "; ".join(words)


def choose_watch(findings: Sequence[Finding], settings: GateSettings) -> Watch | None:
    """The slice where harm is likeliest and the total would hide it.

    Ranked by: harm shown first; then the harm not excluded, weighted by how little of the suite the slice is (a small slice
    moves the total least). Slices that hold every case hide nothing and are left out. `None` without slices.
    """
    totals = {one.metric: one.n for one in findings if one.is_total}
    large = [one for one in findings if one.is_total or one.n >= settings.min_slice_cases]
    ranked = []
    for one in large if any(not one.is_total for one in large) else findings:
        if one.is_total or one.metric not in settings.primary or not one.n or one.n >= totals.get(one.metric, 0):
            continue
        share = one.n / totals[one.metric]
        likely = max(0.0, -(one.gain or 0.0))
        harm = one.harm_excluded or 0.0
        ranked.append(((one.verdict == "worse", one.is_critical and likely > 0, (harm + likely) * (1 - share)), one))
    if not ranked:
        return None
    one = max(ranked, key=lambda pair: (pair[0], pair[1].where))[1]
    share = one.n / totals[one.metric]
    if one.verdict == "worse":
        tail = f"harm is shown there, on {percent(share)} of the cases"
    else:
        tail = f"a loss of up to {points(one.harm_excluded)} is not excluded there, on {percent(share)} of the cases"
    return Watch(
        one.metric, one.where, f"{one.where}: {percent(one.old.mean)} → {percent(one.new.mean)} on {one.metric}; {tail}."
    )


def recommend(
    findings: Sequence[Finding],
    operations: Mapping[str, Operation],
    settings: GateSettings,
    *,
    sunset: str | None,
    outcome: Outcome,
    judges: Sequence[JudgeStanding] = (),
) -> tuple[Recommendation, str]:
    """Stage 0: whether there is a good reason for this upgrade at all. What a refused judge says is none."""
    refused = {one.metric for one in judges if not one.may_gate}
    totals = [one for one in findings if one.is_total and one.metric in settings.primary and one.metric not in refused]
    cost, latency = operations.get("cost"), operations.get("latency")
    cheaper = cost is not None and cost.ratio is not None and cost.ratio <= 0.9 and _is_covered(cost)
    faster = latency is not None and latency.ratio is not None and latency.ratio <= 0.9
    saving = " and ".join(
        word
        for word, there in (
            (f"a request costs {1 - (cost.ratio or 0):.0%} less" if cost and cost.ratio else "", cheaper),
            (f"the median call is {1 - (latency.ratio or 0):.0%} faster" if latency and latency.ratio else "", faster),
        )
        if there
    )
    if any(one.verdict == "worse" for one in totals):
        why = "Quality falls in total."
        return "not on these grounds", f"{why} That {saving} does not make up for it." if saving else why
    if not totals or any(one.verdict == "inconclusive" for one in totals):
        return "undecided", "The suite cannot yet say whether quality holds."
    if outcome == "fail":
        return "not on these grounds", "What fails above has to hold first."
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


def _is_covered(operation: Operation) -> bool:
    """Whether the quantity is known for nearly as many calls on either arm: a saving seen on a few is none."""
    fewer, more = sorted((operation.old.n, operation.new.n))
    return more > 0 and fewer >= 0.95 * more


def percent(share: float | None) -> str:
    """A share as people read it; `–` where there is none."""
    return "–" if share is None else f"{share * 100:.1f} %"


def points(share: float | None) -> str:
    """A difference of shares in percentage points."""
    return "–" if share is None else f"{share * 100:.1f} points"


def p_text(log10_p: float) -> str:
    """A p-value from its logarithm."""
    if log10_p >= -3.3:
        return f"= {10**log10_p:.2g}"
    exponent = int(log10_p // 1)
    return f"≈ {10 ** (log10_p - exponent):.1f}e{exponent}"
