"""The decision table of stage 1: from findings to one outcome with its reasons.

| what is shown | outcome |
|---|---|
| the total of a gated metric fell | fail: re-tune |
| a critical slice fell | fail |
| another slice fell | caution: re-tune offered, watched to the end |
| a metric rose because outputs stopped parsing or answering | caution |
| a confidence tells less about being right than it did | caution |
| a judge's own errors leave a loss beyond the margin open | hold |
| an arm answered no case at all | hold, and nothing else is said: there is nothing to compare |
| nearly all outputs give one and the same answer, and did not before | caution |
| too many cases errored, unscored or missing | hold |
| fewer cases than `min_cases` in a task | hold |
| the total, or a critical slice, of a primary metric is inconclusive | hold |
| a judge that is not calibrated is asked to gate | hold |
| a guardrail's total, or another slice, is inconclusive | caution, with what would settle it |
| the same, and it has too few cases to be asked for proof | named in a note (`too_few`) |
| a gated metric, or a critical slice, that no case was judged by | hold |
| the candidate loses so many cases that, were they wrong, the margin would be broken | hold |
| a drop smaller than the margin is shown | caution |
| only part of the suite was judged | caution; its total decides nothing, and the suite's size is not asked about |
| everything else | pass |

The worst wins (`segue.gates.verdict.WORST_FIRST`). What a single finding gives is in `finding_reasons`; which slice to watch in
`watch`; whether there is a reason to migrate at all in `recommendation`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from segue.gates.finding_reasons import gather_many, reasons_of
from segue.gates.findings import Finding
from segue.gates.report import ConfidenceFinding, HollowRise, JudgeStanding, OneAnswer
from segue.gates.verdict import WORST_FIRST, Outcome, Reason, worst
from segue.gates.wording import points
from segue.model import GateSettings

UNDECIDED = ("slice-inconclusive", "slices-inconclusive")
"""Within an outcome, what is shown comes before what is not known."""


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
    """Apply the table to the gated findings; reasons come worst first. `only` is what was chosen of the suite, if not all."""
    refused = {one.metric for one in judges if not one.may_gate}
    gated = [one for one in findings if one.metric in (*settings.primary, *settings.guardrails)]
    if silent := _silent(gated):
        return "hold", silent
    of_findings: list[Reason] = []
    for finding in gated:
        if finding.metric not in refused:
            of_findings.extend(reasons_of(finding, settings, is_part=bool(only)))
    reasons = [
        *_nothing_to_judge(gated, by_task),
        *_refused(judges, settings),
        *gather_many(of_findings),
        *(_never_judged(gated, settings, critical, only or {}) if by_task else ()),
        *(_part(only) if only else _thin(by_task, settings)),
        *_hollow(hollow, one_answers),
        *(_confidence_moved(one) for one in confidence if one.brier_worse),
        *_judge_uncertain(judges, gated),
        *operation_reasons,
    ]
    reasons.sort(key=lambda reason: (WORST_FIRST.index(reason.outcome), reason.code in UNDECIDED))
    return worst(reason.outcome for reason in reasons), tuple(reasons)


def _nothing_to_judge(gated: Sequence[Finding], by_task: Mapping[str, int]) -> Iterable[Reason]:
    if not by_task:
        step = "Write some, or ask for other ones than --only does."
        yield Reason("hold", "no-cases", "There is no case to judge by.", step)
    elif not gated:
        told = "No metric gates this workflow, so nothing was judged."
        yield Reason("hold", "nothing-gated", told, "Name one in gate.primary of workflow.yaml.")


def _silent(gated: Sequence[Finding]) -> tuple[Reason, ...]:
    """An arm without a single answer: the one thing to know, where every metric and slice would say it again."""
    totals = [one for one in gated if one.is_total and one.n_applicable]
    reasons = []
    for name in ("incumbent", "candidate"):
        arms = [(one, one.old_unusable if name == "incumbent" else one.new_unusable) for one in totals]
        if arms and all(arm.missing + arm.errored == one.n_applicable for one, arm in arms):
            total, arm = max(arms, key=lambda pair: pair[0].n_applicable)
            parts = [f"{count:,} {what}" for what, count in (("errored", arm.errored), ("not asked", arm.missing)) if count]
            told = (
                f"The {name} answered none of {total.n_applicable:,} cases ({', '.join(parts)}): there is nothing to compare."
            )
            step = "Mend what the calls failed of, and run the eval again: what the other bundle answered is kept."
            reasons.append(Reason("hold", f"{name}-silent", told, step, total.metric, total.where))
    return tuple(reasons)


def _refused(judges: Sequence[JudgeStanding], settings: GateSettings) -> Iterable[Reason]:
    for standing in judges:
        if standing.metric in (*settings.primary, *settings.guardrails) and not standing.may_gate:
            yield Reason(
                "hold",
                "judge-refused",
                f"{standing.metric} comes from a judge that may not gate: {' '.join(standing.sentences)}",
                "Calibrate it against human labels on both bundles' outputs, or gate on another metric.",
                standing.metric,
            )


def _never_judged(
    gated: Sequence[Finding], settings: GateSettings, critical: Collection[str], only: Mapping[str, Collection[str]]
) -> Iterable[Reason]:
    """What the gate asks for and no case answers: silence never passes. What `only` leaves out on purpose is not asked for."""
    if not gated:
        return
    asked = {where for where in critical if not only or _is_chosen(where, only)}
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
        elif metric in settings.primary:
            for where in sorted(asked - {one.where for one in own if one.n_applicable}):
                yield Reason(
                    "hold",
                    "critical-not-judged",
                    f"The critical slice {where} has no case that {metric} was asked of.",
                    "Add cases, or correct the slice in workflow.yaml.",
                    metric,
                    where,
                )


def _is_chosen(where: str, only: Mapping[str, Collection[str]]) -> bool:
    name, _, value = where.partition("=")
    return value in only.get(name, ())


def _part(only: Mapping[str, Collection[str]]) -> Iterable[Reason]:
    chosen = ", ".join(f"{name}={value}" for name, values in only.items() for value in sorted(values))
    yield Reason("caution", "part-of-the-suite", f"Only {chosen} was judged.", "Judge the whole suite before going on.")


def _thin(by_task: Mapping[str, int], settings: GateSettings) -> Iterable[Reason]:
    thin = sorted((task, n) for task, n in by_task.items() if n < settings.min_cases)
    if thin:
        listed = ", ".join(f"{task} has {n}" for task, n in thin[:5]) + (" and more" if len(thin) > 5 else "")
        told = f"The suite is thin: {listed}; {settings.min_cases} cases per task are asked for."
        yield Reason("hold", "thin-suite", told, "See what is missing with: segue suite stats.")


def _hollow(hollow: Sequence[HollowRise], one_answers: Sequence[OneAnswer]) -> Iterable[Reason]:
    for rise in hollow:
        step = "Read those outputs before counting the gain."
        yield Reason("caution", "hollow-rise", rise.sentence, step, rise.metric, rise.where)
    for one in one_answers:
        step = "Judge the total and every class: a rise in one slice may be the same answer given everywhere."
        yield Reason("caution", "one-answer", one.sentence, step, one.metric)


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


def _three(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _judge_uncertain(judges: Sequence[JudgeStanding], gated: Sequence[Finding]) -> Iterable[Reason]:
    """A judge that may gate still errs: its errors taken out, a loss beyond the margin has to stay excluded."""
    for standing in judges:
        total = next((one for one in gated if one.metric == standing.metric and one.is_total), None)
        if not standing.may_gate or total is None or not total.is_primary or total.verdict not in ("better", "not worse"):
            continue
        loss = _largest_loss(standing, total)
        if loss is not None and loss < total.margin:
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
