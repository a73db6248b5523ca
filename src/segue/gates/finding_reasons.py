"""From one finding to the reasons it gives: what could not be compared, harm, and what stays open.

`decision` applies this to all gated findings; here is how a slice, a critical slice and the total weigh.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from segue.gates.findings import Finding
from segue.gates.too_few import is_too_small
from segue.gates.verdict import Reason
from segue.gates.wording import p_text, percent, points
from segue.model import GateSettings

MANY = 4
"""From this many slices with the same fate on they are one line, not one each."""


def reasons_of(finding: Finding, settings: GateSettings, *, is_part: bool = False) -> Iterable[Reason]:
    """What one gated finding contributes.

    `is_part`: only a part of the suite was chosen. Its total is then no total: the slices decide, each by its own rules, and of
    the total only counts whether it could be compared.
    """
    yield from _uncompared(finding, settings)
    if is_part and finding.is_total:
        return
    if finding.verdict == "worse":
        yield _worse(finding)
    elif finding.verdict == "inconclusive":
        if not is_too_small(finding, settings):
            yield _inconclusive(finding)
    elif finding.note:
        yield Reason(
            "caution",
            "small-drop",
            f"{finding.metric} on {_place(finding)}: {percent(finding.old.mean)} → {percent(finding.new.mean)} "
            f"(p {p_text(finding.log10_p)}); {finding.note} of {points(finding.margin)}.",
            "Decide whether a drop of this size matters here; if it does, set a smaller margin.",
            finding.metric,
            finding.where,
        )


def _place(finding: Finding) -> str:
    return finding.where or "all cases"


def _uncompared(finding: Finding, settings: GateSettings) -> Iterable[Reason]:
    where = _place(finding)
    lost = (finding.new_unusable.n - finding.old_unusable.n) / finding.n_applicable if finding.n_applicable else 0.0
    decides = finding.is_total or finding.is_critical
    if decides and lost >= finding.margin and lost > 0:
        yield Reason(
            "hold",
            "candidate-loses-cases",
            f"The candidate has no usable answer on {percent(lost)} more of {where} than the incumbent; were they "
            f"all wrong, {finding.metric} would lose more than the {points(finding.margin)} that are allowed.",
            "Find out why it fails there, and run the eval again.",
            finding.metric,
            finding.where,
        )
    elif finding.unusable_share > settings.max_unusable_share and (decides or not is_too_small(finding, settings)):
        told = (
            f"{finding.n_unusable:,} of {finding.n_applicable:,} cases of {finding.metric} on {where} could not be "
            f"compared ({_unusable_words(finding)}); at most {percent(settings.max_unusable_share)} may be."
        )
        step = "Run the eval again: what is finished is kept, and only what is missing is asked for."
        if decides:
            yield Reason("hold", "unusable", told, step, finding.metric, finding.where)
        else:
            yield Reason("caution", "slice-unusable", told, step, finding.metric, finding.where)


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


def _worse(finding: Finding) -> Reason:
    moved, remark = ("fell", "") if finding.better_is == "higher" else ("rose", ", where less is better")
    told = f"{finding.metric} {moved} from {percent(finding.old.mean)} to {percent(finding.new.mean)} on {_place(finding)}"
    told += f"{remark} ({finding.n:,} cases, p {p_text(finding.log10_p)})."
    if finding.is_total:
        step = "Re-tune the prompt for the candidate, or keep the incumbent."
        return Reason("fail", "total-worse", told, step, finding.metric, "")
    if finding.is_critical:
        return Reason("fail", "critical-worse", told, "This slice is critical: it has to hold.", finding.metric, finding.where)
    step = "Re-tune for this slice, and watch it to the end of the upgrade."
    return Reason("caution", "slice-worse", told, step, finding.metric, finding.where)


def _inconclusive(finding: Finding) -> Reason:
    more = "" if finding.needed is None else f" About {finding.needed:,} cases would settle it."
    if not finding.n:
        seen = "no case could be compared"
    else:
        seen = f"{percent(finding.old.mean)} → {percent(finding.new.mean)} on {finding.n:,} cases"
        if finding.harm_excluded is not None and finding.harm_excluded >= finding.margin:
            seen += f"; a loss of up to {points(finding.harm_excluded)} is not excluded, {points(finding.margin)} are allowed"
        seen += f"; {finding.note}" if finding.note else ""
    sentence = f"{finding.metric} on {_place(finding)} is undecided: {seen}.{more}"
    step = "Add cases, or runs of the same cases (--repeats)."
    if finding.is_total and finding.is_primary:
        return Reason("hold", "total-inconclusive", sentence, step, finding.metric, "")
    if finding.is_critical and finding.is_primary:
        return Reason("hold", "critical-inconclusive", sentence, step, finding.metric, finding.where)
    return Reason("caution", "slice-inconclusive", sentence, step, finding.metric, finding.where)


def gather_many(reasons: Sequence[Reason]) -> list[Reason]:
    """Many ordinary slices of one metric with the same fate become one line that counts them."""
    return _gather(_gather(reasons, "slice-worse", _many_worse), "slice-inconclusive", _many_blind)


def _gather(reasons: Sequence[Reason], code: str, summarise: Callable[[str | None, list[str]], Reason]) -> list[Reason]:
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
        f"{metric} is undecided on {len(names)} slices ({_few(names)}).",
        "The table says for each how many cases would settle it.",
        metric,
    )


def _few(names: list[str]) -> str:
    return ", ".join(names[:MANY]) + (f" and {len(names) - MANY} more" if len(names) > MANY else "")
