"""What is written down of staging: what a replay came to (`staging`), and what somebody accepted (`staging-accepted`).

An acceptance is of two bundles: another candidate has to be looked at anew. Facts hold no words of users.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import Field, ValidationError

from segue.controller.staging_gate import Accepted, IntegrationSeen
from segue.drift.drift_report import DriftReport
from segue.drift.questions import Dimension
from segue.model.base import Frozen, Json
from segue.store.upgrades import Fact, UpgradeStore

STAGING = "staging"
ACCEPTED = "staging-accepted"
DRIFT = "drift"
"""The drift report of a shadow that was passed."""


class StagingResult(Frozen):
    """What the job of one entry found. `source`: production (recorded traffic), suite or none. `broken`: why there is none;
    `limited`: why not all was sent."""

    number: int
    source: str = "none"
    replay: str = ""
    n_sent: int = 0
    n_answered: int = 0
    n_left_out: int = 0
    left_out: dict[str, int] = Field(default_factory=dict)
    report: DriftReport | None = None
    integration: IntegrationSeen | None = None
    broken: str = ""
    limited: str = ""


def write_result(store: UpgradeStore, workflow: str, upgrade: str, result: StagingResult, *, author: str, at: str) -> None:
    """Write down what staging of an upgrade found."""
    report = None if result.report is None else result.report.without_examples()
    seen = result.integration
    if seen is not None:
        # What the command said may quote an answer; how it ended does not.
        seen = seen.model_copy(update={"reason": seen.reason.partition(":")[0]})
    body: Json = result.model_copy(update={"report": report, "integration": seen}).model_dump(mode="json")
    store.add_fact(STAGING, workflow, upgrade, body, author=author, at=at)


def read_result(store: UpgradeStore, workflow: str, upgrade: str, number: int | None = None) -> StagingResult | None:
    """What staging found for the entry of this number (the last one, without); `None` as long as nothing is written."""
    found = find_result(store, workflow, upgrade, number)
    return None if found is None else found[0]


def find_result(
    store: UpgradeStore, workflow: str, upgrade: str, number: int | None = None
) -> tuple[StagingResult, str] | None:
    """The same, with the moment at which it was written down (ISO 8601, UTC)."""
    found: tuple[StagingResult, str] | None = None
    for fact in store.list_facts(workflow, kind=STAGING, subject=upgrade):
        body: Any = fact.body
        if not isinstance(body, dict) or (number is not None and body.get("number") != number):
            continue
        try:
            found = StagingResult.model_validate(body), fact.at
        except ValidationError:
            # Of another version of Segue: it is as if staging had not been run.
            continue
    return found


def accept(
    store: UpgradeStore,
    report: DriftReport,
    dimension: Dimension,
    questions: Sequence[str],
    *,
    reason: str,
    author: str,
    at: str,
) -> None:
    """Write down that somebody takes a dimension as it is."""
    body: Json = {
        "dimension": dimension,
        "questions": list(questions),
        "reason": reason,
        "incumbent": report.incumbent,
        "candidate": report.candidate,
    }
    store.add_fact(ACCEPTED, report.workflow, report.candidate, body, author=author, at=at)


def accepted_of(store: UpgradeStore, workflow: str, incumbent: str, candidate: str) -> tuple[Accepted, ...]:
    """What was accepted between these two bundles."""
    found = []
    for fact in store.list_facts(workflow, kind=ACCEPTED, subject=candidate):
        one = _accepted(fact, incumbent)
        if one is not None:
            found.append(one)
    return tuple(found)


def _accepted(fact: Fact, incumbent: str) -> Accepted | None:
    body: Any = fact.body
    if not isinstance(body, dict) or body.get("incumbent") != incumbent:
        return None
    try:
        return Accepted(
            dimension=body.get("dimension"),
            by=fact.author,
            reason=str(body.get("reason", "")),
            questions=tuple(map(str, body.get("questions") or ())),
        )
    except ValidationError:
        return None
