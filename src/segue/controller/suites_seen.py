"""What the regression eval of an upgrade came to, from the store: the newest verdict on exactly these two bundles that counts.

A verdict counts if a whole eval gave it: one that was interrupted, ran out of budget or judged a part decides nothing. Reads
the store and starts nothing; `suites.py` does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from segue.controller.moments import iso
from segue.gates.report import Recommendation, Report
from segue.gates.report_reading import report_from_json
from segue.gates.verdict import WORST_FIRST, Outcome
from segue.store.base import Store
from segue.upgrade.log import Upgrade, UpgradeEntry
from segue.upgrade.seen import SuiteSeen

_BY_RECOMMENDATION: Mapping[Recommendation, Outcome] = {"undecided": "hold", "not on these grounds": "fail"}


@dataclass(frozen=True, slots=True)
class Asked:
    """The eval an upgrade asks for. `number` is the entry that names it; verdicts after `since` (ISO 8601, UTC) may count."""

    number: int
    since: str
    is_after: bool = False
    """Only what came strictly after `since`: whoever resumes a held eval has seen all before it."""


def asked_of(upgrade: Upgrade) -> Asked | None:
    """The last entry that asked for an eval, or that resumed one that held; `None` where none was asked for."""
    asked: UpgradeEntry | None = None
    resumed: UpgradeEntry | None = None
    held: UpgradeEntry | None = None
    for entry in upgrade.entries:
        if "run_suite" in entry.effects:
            asked, resumed, held = entry, None, None
        elif entry.state.stage == "eval" and entry.event == "suite_open":
            held = entry
        elif entry.state.stage == "eval" and entry.event == "resume" and held is not None:
            resumed = entry
    if asked is None:
        return None
    if resumed is not None and held is not None:
        return Asked(resumed.number, iso(held.at), is_after=True)
    return Asked(asked.number, iso(asked.at))


def find_verdict(store: Store, upgrade: Upgrade, asked: Asked) -> tuple[str, Report] | None:
    """The newest that counts, with its digest."""
    state = upgrade.state
    for digest, at, body in store.list_verdicts(upgrade.opening.workflow):
        if at < asked.since or (asked.is_after and at <= asked.since):
            return None
        if isinstance(body, dict) and _is_of(body, state.incumbent, state.candidate) and _is_whole(store, body.get("run")):
            return digest, report_from_json(body)
    return None


def stopped_run(store: Store, upgrade: Upgrade, asked: Asked) -> str | None:
    """Why the newest run on these two ended early: `interrupted`, `budget`, `unpriced`, `failing`. `None` where it did not."""
    state = upgrade.state
    for _, at, beginning, end in store.list_runs(upgrade.opening.workflow):
        if at < asked.since:
            return None
        if isinstance(beginning, dict) and isinstance(end, dict) and not beginning.get("only"):
            pair = beginning.get("incumbent"), beginning.get("candidate")
            if pair == (state.incumbent, state.candidate):
                return None if end.get("stopped") is None else str(end["stopped"])
    return None


def suite_seen(digest: str, report: Report) -> SuiteSeen:
    """A verdict as the upgrade takes it: what it says, and whether there is a reason to migrate.

    What the gate lets pass and stage 0 does not is worse than a pass: undecided holds, and "not on these grounds" fails. Merely
    equal passes the gate and is no reason (`suite_equal`).
    """
    outcome: Outcome = report.outcome
    if outcome in ("pass", "caution"):
        outcome = _BY_RECOMMENDATION.get(report.recommendation, outcome)
    reasons = sorted(report.reasons, key=lambda one: WORST_FIRST.index(one.outcome))
    told = [f"{one.sentence} {one.next_step}".strip() for one in reasons if one.outcome != "pass"]
    told.append(report.recommendation_why)
    if report.watch is not None:
        told.append(report.watch.sentence)
    return SuiteSeen(outcome, report.recommendation == "migrate", digest, tuple(dict.fromkeys(filter(None, told))))


def _is_of(body: dict[str, Any], incumbent: str, candidate: str) -> bool:
    arms = body.get("incumbent"), body.get("candidate")
    return all(isinstance(one, dict) for one in arms) and [one["digest"] for one in arms if one] == [incumbent, candidate]


def _is_whole(store: Store, run: Any) -> bool:
    """Whether an eval of the whole suite gave it, and came to its end."""
    if not isinstance(run, str):
        return False
    beginning, end = store.get_run(run)
    is_part = not isinstance(beginning, dict) or bool(beginning.get("only"))
    return not is_part and isinstance(end, dict) and end.get("stopped") is None
