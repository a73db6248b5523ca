"""Incidents: what they hold when they are opened, and what a new attempt waits for."""

from __future__ import annotations

from typing import Any

import pytest

from segue.controller.incident_paper import incident_markdown
from segue.controller.incidents import (
    INCIDENT,
    Incident,
    NotedCase,
    get_incident,
    list_incidents,
    may_reopen,
    note_incident,
    open_incident,
)
from segue.controller.reading import read_named
from segue.errors import InputError, NotFoundError
from segue.model import Case
from segue.store import MemoryStore
from segue.upgrade.log import UpgradeEntry
from tests.controller.undertaken import NEW, NOW, OLD, an_upgrade, rolled_back
from tests.store.builders import WHO, a_case

MODEL = NEW.model.snapshot
KNOWN = a_case("old-case")
FRESH = a_case("caught", kind="regression", variables={"what": "burnt"})
CELL = {
    "metric": "right",
    "slice": "task=refund",
    "verdict": "harm",
    "effect": 0.07,
    "exposed": 412,
    "labelled": 400,
    "unit": "user",
}


def suite(*cases: Case) -> Any:
    """The workspace's suite `main`, as it is now."""
    by_id = {one.case_id: one for one in cases}
    return lambda name, case_id: by_id.get(case_id) if name == "main" else None


@pytest.fixture
def store() -> MemoryStore:
    """With a suite that did not catch it."""
    made = MemoryStore()
    made.add_suite("mail", "main", [KNOWN], **WHO)
    return made


def harmed(store: MemoryStore) -> UpgradeEntry:
    """An upgrade that rolled itself back, with a judgement."""
    upgrade = an_upgrade(store)
    state = upgrade.state.model_copy(update={"stage": "rolled_back", "number": 2})
    evidence = {"route": 1, "judgement": {"verdict": "harm", "cells": [CELL, {**CELL, "slice": "", "exposed": 3000}]}}
    entry = UpgradeEntry(
        upgrade="mail-1",
        number=2,
        event="harm",
        at=NOW + 60,
        because=("right is 7 points worse on task=refund.",),
        effects=("flip", "incident", "notify"),
        evidence=evidence,
        state=state,
    )
    body = entry.model_dump(mode="json")
    store.add_upgrade_entry("mail-1", 2, body, ends=True, fence=None, author="segue", at="t")
    return entry


def opened(store: MemoryStore) -> Incident:
    """Its incident."""
    entry = harmed(store)
    return get_incident(store, open_incident(store, read_named(store, "mail-1"), entry, NOW + 61))


def test_an_incident_holds_what_stood_at_the_decision(store: MemoryStore) -> None:
    """Trigger, timeline with the route's revisions, the candidate's model and share, and how many users met it."""
    body = opened(store).body
    assert (body["event"], body["by"], body["stage"], body["share"]) == ("harm", "", "canary", 0.05)
    assert (body["candidate"], body["incumbent"], body["model"]) == (NEW.digest, OLD.digest, MODEL)
    assert (body["exposed"], body["unit"]) == (3000, "user")
    assert [one["what"] for one in body["timeline"]] == ["opened", "passed", "route revision 1", "harm"]
    assert body["evidence"]["judgement"]["verdict"] == "harm"
    assert body["because"] == ["right is 7 points worse on task=refund."]


def test_it_is_opened_once_for_each_entry(store: MemoryStore) -> None:
    """Whoever tries again is given its name; two that were written by two controllers count as one."""
    first = opened(store)
    upgrade = read_named(store, "mail-1")
    assert open_incident(store, upgrade, upgrade.entries[-1], NOW + 99) == first.name
    assert len(store.list_facts(kind=INCIDENT)) == 1
    store.add_fact(INCIDENT, "mail", "mail-1", dict(first.body), author="segue", at="t")
    assert [one.name for one in list_incidents(store)] == [first.name]


def test_where_a_person_decided_the_last_look_stands_as_evidence(store: MemoryStore) -> None:
    """Unknown where there was none."""
    upgrade = an_upgrade(store)
    store.add_fact("look", "mail", "mail-1", {"judgement": {"cells": [CELL]}}, author="segue", at="t")
    entry = rolled_back(store, upgrade)
    found = get_incident(store, open_incident(store, read_named(store, "mail-1"), entry, NOW))
    assert (found.body["by"], found.body["exposed"]) == ("ada", 412)
    bare = MemoryStore()
    entry = rolled_back(bare, an_upgrade(bare))
    assert get_incident(bare, open_incident(bare, read_named(bare, "mail-1"), entry, NOW)).body["exposed"] is None


def test_a_new_attempt_waits_for_cause_action_and_a_new_case(store: MemoryStore) -> None:
    """Each note takes one obstacle away; another model, or another workflow, is not kept waiting."""
    incident, cases = opened(store), suite(KNOWN, FRESH)

    def ask() -> tuple[str, ...]:
        return may_reopen(store, cases, "mail", MODEL)

    assert ["root cause" in one and "action" in one and "regression case" in one for one in ask()] == [True]
    assert incident.name in ask()[0]
    note: Any = {"cases": cases, "by": "ada", "now": NOW}
    note_incident(store, incident, root_cause="The prompt lacked dates.", **note)
    assert "root cause" not in ask()[0]
    note_incident(store, incident, action="They are in it.", **note)
    assert "no action" not in ask()[0]
    found = note_incident(store, incident, case=NotedCase("main", "caught"), **note)
    assert ask() == ()
    assert (found.root_cause, found.action, found.cases) == (
        "The prompt lacked dates.",
        "They are in it.",
        (NotedCase("main", "caught"),),
    )
    assert may_reopen(store, suite(KNOWN), "mail", MODEL) != (), "it was taken out of the suite again"
    assert may_reopen(store, suite(), "mail", "another-1") == ()
    assert may_reopen(store, suite(), "chat", MODEL) == ()


@pytest.mark.parametrize(
    ("case", "told"),
    [
        (None, "There is no case main/caught"),
        (FRESH.model_copy(update={"kind": "edge"}), "is a edge case"),
        (KNOWN.model_copy(update={"case_id": "caught", "kind": "regression"}), "did not catch it"),
    ],
    ids=["absent", "another-kind", "same-input"],
)
def test_a_case_that_would_not_have_caught_it_is_refused(store: MemoryStore, case: Case | None, told: str) -> None:
    """It has to be there, a regression case, and new, under whatever name."""
    incident = opened(store)
    cases = suite(*(() if case is None else (case,)))
    with pytest.raises(InputError, match=told):
        note_incident(store, incident, case=NotedCase("main", "caught"), cases=cases, by="ada", now=NOW)
    with pytest.raises(InputError, match="nothing to note"):
        note_incident(store, incident, root_cause=" ", cases=cases, by="ada", now=NOW)


def test_a_case_that_was_there_before_is_refused_by_its_id(store: MemoryStore) -> None:
    """Also with other words in it: what the suite had did not catch it."""
    incident = opened(store)
    changed = FRESH.model_copy(update={"case_id": "old-case"})
    with pytest.raises(InputError, match="did not catch it"):
        note_incident(store, incident, case=NotedCase("main", "old-case"), cases=suite(changed), by="ada", now=NOW)


def test_an_incident_is_found_by_name_prefix_or_workflow(store: MemoryStore) -> None:
    """Or not at all, with those there are."""
    incident = opened(store)
    assert {get_incident(store, ref).name for ref in (incident.name, "mail", "mail-1")} == {incident.name}
    with pytest.raises(NotFoundError, match="mail-1-2"):
        get_incident(store, "mail-1-3")


def test_the_report_says_all_of_it_and_nothing_from_outside_acts_in_it(store: MemoryStore) -> None:
    """Timeline, figures, what is missing; a reason that is markup stays text; what nobody counted is unknown."""
    incident = opened(store)
    note_incident(store, incident, root_cause="<script>x</script> | [a](b)", cases=suite(), by="ada", now=NOW)
    text = incident_markdown(get_incident(store, "mail"))
    for part in (
        "`mail-1-2`",
        "canary, step 1, candidate at 5 %",
        "right is 7 points worse",
        "3,000 users",
        "0.07",
        "route revision 1",
    ):
        assert part in text, part
    assert "no action is recorded" in text
    assert "<script>" not in text
    bare = MemoryStore()
    entry = rolled_back(bare, an_upgrade(bare))
    text = incident_markdown(get_incident(bare, open_incident(bare, read_named(bare, "mail-1"), entry, NOW)))
    assert "| Met the candidate | unknown |" in text
    assert "these figures are unknown" in text
