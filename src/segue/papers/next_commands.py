"""What to type next: commands that can be pasted, worked out from what a report found."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from segue.gates.findings import Finding
from segue.gates.report import Report
from segue.gates.verdict import Reason
from segue.model import short_id
from segue.papers.outline import finding_at, metrics_of, sort_worst_first, where_words
from segue.papers.printable import printable_name
from segue.papers.readable import LOST, can_be_asked_for


@dataclass(frozen=True, slots=True)
class Command:
    """A command that can be pasted, and what it is for."""

    line: str
    purpose: str


def next_commands(report: Report, *, most: int = 4) -> tuple[Command, ...]:
    """What to type next, from what was found: the flips behind the worst reasons, what is missing, the whole report."""
    workflow = shlex.quote(printable_name(report.workflow))
    commands = _flip_commands(report, workflow)
    codes = {reason.code for reason in report.reasons}
    if codes & {"thin-suite", "slices-inconclusive", "slice-inconclusive"} and report.outcome in ("hold", "caution"):
        commands.append(Command(f"segue suite stats {workflow}", "see which slices are thin"))
    lacking = [finding_at(report, reason.metric, reason.where) for reason in report.reasons if reason.code in LOST]
    lost = any(can_be_asked_for(report, finding) for finding in lacking)
    is_open = bool(codes & {"total-inconclusive", "critical-inconclusive"}) and can_be_asked_for(report, None)
    if lost or is_open:
        candidate = shlex.quote(printable_name(report.candidate.label or short_id(report.candidate.digest)))
        again = "" if lost else f" --repeats {report.coverage.repeats + 1}"
        commands.append(Command(f"segue eval {workflow} --candidate {candidate}{again}", "ask for what is missing"))
    commands = commands[: most - 1]
    commands.append(Command(f"segue report {workflow} --html report.html", "the whole report as one page"))
    return tuple(commands)


def _flip_commands(report: Report, workflow: str) -> list[Command]:
    """Up to two looks at the flips behind the reasons, worst first. The command shows the first primary metric by itself."""
    usual = next(iter(metrics_of(report)), "")
    commands: dict[str, Command] = {}
    for reason in report.reasons:
        finding = _behind(report, reason)
        if finding is None or not finding.flips.only_old:
            continue
        line = f"segue show flips {workflow}"
        purpose = f"read what changed on {where_words(finding.where)}"
        if finding.where:
            line += f" --slice {shlex.quote(printable_name(finding.where, 400))}"
        if finding.metric != usual:
            line += f" --metric {shlex.quote(printable_name(finding.metric, 400))}"
            purpose += f" for {printable_name(finding.metric)}"
        commands.setdefault(line, Command(line, purpose))
        if len(commands) == 2:
            break
    return list(commands.values())


def _behind(report: Report, reason: Reason) -> Finding | None:
    """The finding a reason is about; of a reason about many slices, the worst of them."""
    if reason.where is not None:
        return finding_at(report, reason.metric, reason.where)
    if reason.metric is None or not reason.code.startswith("slices-"):
        return None
    return next(iter(sort_worst_first(report.slices_of(reason.metric))), None)
