"""Incidents: opened by every rollback, closed by a root cause, an action, and a case that would have caught it.

An incident is a fact, and so is each note on it; what it stands at is what folding the notes gives. It is named by the entry
that rolled back, so that opening it twice opens one. `may_reopen` is what a new upgrade to the same model is asked. As a paper:
`incident_paper`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from segue.controller.moments import iso
from segue.errors import InputError, NotFoundError, SegueError
from segue.model import Case, Json
from segue.store.base import Store
from segue.store.upgrades import Fact
from segue.upgrade.log import Upgrade, UpgradeEntry
from segue.upgrade.wanted import most_share

INCIDENT, NOTE = "incident", "incident-note"
"""The kinds of facts. An incident's subject is its upgrade, a note's the incident."""
AUTHOR = "segue"
SuiteReader = Callable[[str, str], Case | None]
"""`(suite, case id)` → the case as the workspace has it now."""


@dataclass(frozen=True, slots=True)
class NotedCase:
    """A regression case that somebody added because of an incident."""

    suite: str
    case_id: str


@dataclass(frozen=True, slots=True)
class Incident:
    """`body` is what was written when it was opened; the rest are the last notes on it."""

    name: str
    workflow: str
    at: str
    body: Mapping[str, Any]
    root_cause: str = ""
    action: str = ""
    cases: tuple[NotedCase, ...] = ()
    notes: tuple[Fact, ...] = field(default=(), repr=False)

    @property
    def model(self) -> str:
        """The snapshot that was rolled back."""
        return str(self.body.get("model", ""))

    def missing(self, cases: SuiteReader | None = None) -> tuple[str, ...]:
        """What is left to record, in sentences. With `cases`, whether a noted case is still there."""
        found = []
        if not self.root_cause:
            found.append("no root cause is recorded")
        if not self.action:
            found.append("no action is recorded")
        if not self.cases:
            found.append("no new regression case is recorded")
        elif cases is not None and not any(_is_regression(cases, one) for one in self.cases):
            gone = ", ".join(f"{one.suite}/{one.case_id}" for one in self.cases)
            found.append(f"its regression case is not in the suite any more ({gone})")
        return tuple(found)

    def as_json(self) -> dict[str, Any]:
        """For a program."""
        noted = {
            "root_cause": self.root_cause,
            "action": self.action,
            "cases": [f"{one.suite}/{one.case_id}" for one in self.cases],
        }
        return {**self.body, "opened_at": self.at, **noted, "missing": list(self.missing())}


def open_incident(store: Store, upgrade: Upgrade, entry: UpgradeEntry, now: float) -> str:
    """Open the incident of an entry that rolled back, unless it was; gives its name."""
    known = incident_of(store, upgrade, entry)
    if known is not None:
        return known
    body = _body(store, upgrade, entry)
    opening = upgrade.opening
    store.add_fact(INCIDENT, opening.workflow, opening.upgrade, body, author=entry.by or AUTHOR, at=iso(now))
    return _name(upgrade, entry)


def incident_of(store: Store, upgrade: Upgrade, entry: UpgradeEntry) -> str | None:
    """The name of the incident of an entry, if it was opened."""
    name = _name(upgrade, entry)
    facts = store.list_facts(upgrade.opening.workflow, kind=INCIDENT, subject=upgrade.opening.upgrade)
    return name if any(isinstance(one.body, dict) and one.body.get("incident") == name for one in facts) else None


def list_incidents(store: Store, workflow: str | None = None) -> list[Incident]:
    """Newest first. One that two controllers opened counts once."""
    notes: dict[str, list[Fact]] = {}
    for fact in store.list_facts(workflow, kind=NOTE):
        notes.setdefault(fact.subject, []).append(fact)
    found: dict[str, Incident] = {}
    for fact in store.list_facts(workflow, kind=INCIDENT):
        body = fact.body
        if isinstance(body, dict) and isinstance(name := body.get("incident"), str) and name not in found:
            found[name] = _folded(Incident(name, fact.workflow, fact.at, body), notes.get(name, ()))
    return list(reversed(found.values()))


def get_incident(store: Store, ref: str) -> Incident:
    """By name or unique prefix, or a workflow's last one. `NotFoundError`; `InputError` for an ambiguous one."""
    every = list_incidents(store)
    found = [one for one in every if one.name == ref] or [one for one in every if one.workflow == ref][:1]
    found = found or [one for one in every if one.name.startswith(ref)]
    if not found:
        raise NotFoundError.naming("incident", ref, [one.name for one in every], fix="See them: segue incident list")
    if len(found) > 1:
        raise InputError(f"'{ref}' begins the names of {len(found)} incidents.", fix="Write more of it: segue incident list")
    return found[0]


def note_incident(
    store: Store,
    incident: Incident,
    *,
    root_cause: str = "",
    action: str = "",
    case: NotedCase | None = None,
    cases: SuiteReader,
    by: str,
    now: float,
) -> Incident:
    """Record what was found out, and done. `InputError` for a case that is no new regression case."""
    body: dict[str, Json] = {}
    if root_cause.strip():
        body["root_cause"] = root_cause.strip()
    if action.strip():
        body["action"] = action.strip()
    if case is not None:
        digest = _check_new(store, incident, case, cases)
        body["case"] = {"suite": case.suite, "case_id": case.case_id, "digest": digest}
    if not body:
        raise InputError("There is nothing to note.", fix="Say --root-cause '…', --action '…' or --case SUITE/CASE_ID.")
    store.add_fact(NOTE, incident.workflow, incident.name, body, author=by, at=iso(now))
    return get_incident(store, incident.name)


def may_reopen(store: Store, cases: SuiteReader, workflow: str, model: str) -> tuple[str, ...]:
    """What stands against a new upgrade of the workflow to this model (its snapshot), in sentences; empty if nothing does."""
    found = []
    for one in list_incidents(store, workflow):
        missing = one.missing(cases) if one.model == model else ()
        if missing:
            said = "; ".join(missing)
            found.append(f"Of incident {one.name} ({one.at[:10]}), {said}. Record it: segue incident note {one.name} --help")
    return tuple(found)


def _name(upgrade: Upgrade, entry: UpgradeEntry) -> str:
    return f"{upgrade.opening.upgrade}-{entry.number}"


def _body(store: Store, upgrade: Upgrade, entry: UpgradeEntry) -> dict[str, Json]:
    opening = upgrade.opening
    before = upgrade.entries[entry.number - 2].state if entry.number > 1 else opening.state
    evidence = _evidence(store, upgrade, entry)
    exposed, unit = _exposed(evidence)
    model, provider = _model(store, before.candidate)
    return {
        "incident": _name(upgrade, entry),
        "upgrade": opening.upgrade,
        "number": entry.number,
        "workflow": opening.workflow,
        "environment": opening.environment,
        "incumbent": before.incumbent,
        "candidate": before.candidate,
        "model": model,
        "provider": provider,
        "event": entry.event,
        "by": entry.by,
        "because": list(entry.because),
        "decided_at": entry.at,
        "stage": before.stage,
        "step": before.step,
        "share": most_share(before, upgrade.plan),
        "timeline": _timeline(store, upgrade, entry),
        "evidence": evidence,
        "exposed": exposed,
        "unit": unit,
        "suites": [one.digest for one in store.list_suites(opening.workflow)],
    }


def _evidence(store: Store, upgrade: Upgrade, entry: UpgradeEntry) -> dict[str, Json]:
    """What stood when it was decided. Where a person decided, what the controller saw last."""
    if "judgement" in entry.evidence or "figures" in entry.evidence:
        return entry.evidence
    look = store.newest_fact("look", upgrade.opening.upgrade)
    if look is None or not isinstance(look.body, dict):
        return entry.evidence
    return {**look.body, **entry.evidence}


def _exposed(evidence: Mapping[str, Json]) -> tuple[int | None, str]:
    """How many met the candidate in this step, as the judgement counted them; `None` is unknown."""
    judgement = evidence.get("judgement")
    cells = judgement.get("cells") if isinstance(judgement, dict) else None
    counts = [cell for cell in cells or [] if isinstance(cell, dict) and isinstance(cell.get("exposed"), int)] if cells else []
    if not counts:
        return None, ""
    most = max(counts, key=lambda cell: cell["exposed"])
    return most["exposed"], str(most.get("unit", ""))


def _timeline(store: Store, upgrade: Upgrade, entry: UpgradeEntry) -> list[Json]:
    """Entries of the log and flips of the route since the upgrade was opened, oldest first."""
    opening = upgrade.opening
    found: list[tuple[str, dict[str, Json]]] = [
        (iso(opening.at), {"what": "opened", "by": opening.by, "why": opening.reason, "stage": "decide"})
    ]
    for one in upgrade.entries[: entry.number]:
        why = " ".join(one.because)
        found.append((iso(one.at), {"what": one.event, "by": one.by or AUTHOR, "why": why, "stage": one.state.stage}))
    for revision in reversed(store.route_history(opening.workflow, opening.environment)):
        if revision.at >= iso(opening.at):
            what = f"route revision {revision.revision}"
            found.append((revision.at, {"what": what, "by": revision.author, "why": revision.reason, "stage": ""}))
    return [{"at": at, **said} for at, said in sorted(found, key=lambda one: one[0])]


def _model(store: Store, digest: str) -> tuple[str, str]:
    try:
        model = store.get_bundle(digest).bundle.model
    except SegueError:
        return "", ""
    return model.snapshot, model.provider


def _folded(incident: Incident, notes: Sequence[Fact]) -> Incident:
    root_cause, action, cases = "", "", dict[NotedCase, None]()
    for fact in notes:
        body = fact.body if isinstance(fact.body, dict) else {}
        root_cause = str(body.get("root_cause") or root_cause)
        action = str(body.get("action") or action)
        if isinstance(case := body.get("case"), dict):
            cases[NotedCase(str(case.get("suite")), str(case.get("case_id")))] = None
    return Incident(
        incident.name, incident.workflow, incident.at, incident.body, root_cause, action, tuple(cases), tuple(notes)
    )


def _is_regression(cases: SuiteReader, noted: NotedCase) -> bool:
    case = cases(noted.suite, noted.case_id)
    return case is not None and case.kind == "regression"


def _check_new(store: Store, incident: Incident, noted: NotedCase, cases: SuiteReader) -> str:
    """The digest of a regression case that no suite had when the incident was opened."""
    where = f"{noted.suite}/{noted.case_id}"
    case = cases(noted.suite, noted.case_id)
    if case is None:
        fix = f"Add it to workflows/{incident.workflow}/suites/{noted.suite}.jsonl with kind: regression."
        raise InputError(f"There is no case {where} in the workspace.", fix=fix)
    if case.kind != "regression":
        raise InputError(f"{where} is a {case.kind} case.", fix='Write "kind": "regression" in it, if it failed and is fixed.')
    for digest in incident.body.get("suites", ()):
        try:
            rows = list(store.iter_case_rows(digest))
        except NotFoundError:
            continue
        if any(row.case_id == noted.case_id or row.input_digest == case.input_digest for row in rows):
            raise InputError(
                f"{where} was in the suite before {incident.name} was opened, and did not catch it.",
                fix="Add a case that would have.",
            )
    return case.digest
