"""Rolling back, being ready for it, practising it, and what is left to do afterwards, by command."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from segue.controller import rolling_back
from segue.controller.drilling import DRILL
from segue.errors import StoreError
from segue.gateway.last_known import LastKnown, known, save_last_known
from segue.store import open_store
from segue.store.base import Store
from segue.upgrade.state import Stage
from tests.cli.conftest import Segue
from tests.controller.undertaken import a_plan, an_upgrade

NAME = "support-reply"
SET = ("route", "set", NAME, "current", "--candidate", "candidate", "--share", "25%")


@pytest.fixture
def store(workspace: Path, segue: Segue) -> Any:
    """The workspace's, with a route that gives the candidate a quarter."""
    assert segue(*SET).code == 0
    made = open_store(workspace / ".segue" / "state.db")
    yield made
    made.close()


def under_way(store: Store, stage: Stage = "canary", **plan: Any) -> None:
    """An upgrade in canary, on that route, or in another stage."""
    old, new = (store.find_bundle(NAME, label).bundle for label in ("current", "candidate"))
    an_upgrade(store, name="up-1", bundles=(old, new), stage=stage, plan=a_plan(**plan))


def boxes(found: Any) -> dict[str, str]:
    """Name → answer."""
    return {one["name"]: one["answer"] for one in found["boxes"]}


def test_a_rollback_says_what_it_did_and_again_that_it_is_done(store: Store, segue: Segue) -> None:
    """With an upgrade under way: revision, entry and incident, once."""
    under_way(store)
    done = segue("rollback", NAME, "--reason", "it burns", "--json")
    assert (done.code, done.json["new"], done.json["pending"], done.json["revision"]) == (0, True, False, 3)
    assert (done.json["upgrade"], done.json["entry"], done.json["incident"]) == ("up-1", 2, "up-1-2")
    assert (done.json["author"], done.json["reason"], done.json["route"]["candidate"]) == ("ada", "it burns", None)
    again = segue("rollback", NAME)
    assert again.code == 0
    assert "was in force for everyone already" in again.out
    assert len(store.route_history(NAME, "production")) == 3


def test_before_shadow_the_upgrade_is_aborted_and_that_is_said(store: Store, segue: Segue) -> None:
    """The route is as it was; with exit 0, for nothing goes on towards users."""
    under_way(store, "eval")
    done = segue("rollback", NAME, "--reason", "not this week")
    assert done.code == 0
    for told in ("in eval: there was no one to take back. The upgrade is aborted.", "Upgrade up-1, entry 2: stopped."):
        assert told in done.out
    assert segue("upgrade", NAME, "--candidate", "candidate").code == 1, "for the plan check, and not for another under way"
    last = segue("history", NAME, "--json").json["entries"][-1]
    assert (last["event"], last["by"], last["because"]) == ("abort", "ada", ["not this week"])


def test_before_shadow_whoever_may_not_abort_is_told_who_may(store: Store, segue: Segue) -> None:
    """It is held meanwhile, and so goes no further."""
    under_way(store, "staging", operators=("olga",), roll_back=("ada",))
    done = segue("rollback", NAME, "--reason", "not this week")
    assert done.code == 0
    assert f"To end it is for olga: segue upgrade abort {NAME} --reason '…'" in done.out
    assert "Upgrade up-1, entry 2: staging, held." in done.out
    view = segue("status", NAME, "--json").json
    assert (view["stage"], view["standing"]) == ("staging", "holding")
    assert "segue rollback" not in segue("status", NAME).out


def test_an_upgrade_that_goes_on_is_no_rollback(store: Store, segue: Segue, monkeypatch: pytest.MonkeyPatch) -> None:
    """The log could not be written, and the route tells no controller of anything: exit 1, with the remedy."""
    under_way(store, "eval")
    assert store.take_back(NAME, "production", author="bo", reason="before", at="t", may=lambda _: None)[1]

    def fails(*given: object, **named: object) -> Any:
        raise StoreError("The store is locked.")

    monkeypatch.setattr(rolling_back, "note_rollback", fails)
    done = segue("rollback", NAME, "--reason", "not this week")
    assert done.code == 1
    assert f"The store is locked. It may go on towards users. End it: segue upgrade abort {NAME} --reason '…'" in done.out
    assert (segue("rollback", NAME, "--json").code, segue("rollback", NAME, "--json").json["goes_on"]) == (1, True)


@pytest.mark.parametrize("share", [0.0, 0.25])
def test_without_the_store_an_upgrade_before_its_shadow_cannot_be_stopped(
    store: Store, workspace: Path, segue: Segue, share: float
) -> None:
    """By the last known route nobody meets a candidate: then the store alone knows of one on its way. Exit 1, and said so."""
    revision = store.find_route(NAME, "production")
    route = revision.route if share else revision.route.rolled_back()
    bundles = {one: store.get_bundle(one).bundle for one in route.bundles()}
    served = LastKnown(environment="production", revisions=(known(replace(revision, route=route)),), bundles=bundles)
    save_last_known(workspace / ".segue" / "last-known-production.json", served)
    store.close()
    for file in (workspace / ".segue").glob("state.db*"):
        file.unlink()
    (workspace / ".segue" / "state.db").write_bytes(b"no database" * 1000)
    done = segue("rollback", NAME, "--json")
    assert (done.code, done.json["pending"], done.json["goes_on"]) == ((13, True, False) if share else (1, True, True))
    assert any(f"say it again: segue rollback {NAME}" in note for note in done.json["notes"]) is not bool(share)


def test_what_cannot_be_rolled_back_is_said_so(workspace: Path, segue: Segue) -> None:
    """No route, no such environment: with the near ones, and exit 1."""
    missing = segue("rollback", NAME)
    assert (missing.code, "no route" in missing.err.lower()) == (1, True)
    assert segue(*SET).code == 0
    assert segue("rollback", NAME, "--environment", "staging").code == 1
    assert segue("rollback", "").code == 2


def test_an_incident_is_listed_shown_noted_and_then_nothing_is_left(store: Store, workspace: Path, segue: Segue) -> None:
    """A case that is not there is refused; the report is Markdown."""
    assert segue("incident", "list").out == "Nothing was rolled back yet.\n"
    under_way(store)
    segue("rollback", NAME, "--reason", "it burns")
    assert [one["incident"] for one in segue("incident", "list", "--json").json] == ["up-1-2"]
    assert "no root cause" in segue("incident", "list").out
    assert "it burns" in segue("incident", "show", NAME).out
    assert segue("incident", "show", "up-1-2", "--md").out.startswith("# Incident `up-1-2`\n")
    assert segue("incident", "show", "up-1-2", "--json").json["exposed"] is None
    assert segue("incident", "note", "up-1-2").code == 1
    refused = segue("incident", "note", "up-1-2", "--case", "main/new-1")
    assert (refused.code, "There is no case main/new-1" in refused.err) == (1, True)
    assert segue("incident", "note", "up-1-2", "--case", "main").code == 2
    (suite,) = (workspace / "workflows" / NAME / "suites").glob("main.jsonl")
    first = json.loads(suite.read_text().splitlines()[0])
    new = {**first, "case_id": "new-1", "kind": "regression", "messages": [{"role": "user", "content": "It burnt."}]}
    suite.write_text(suite.read_text() + json.dumps(new) + "\n")
    done = segue("incident", "note", NAME, "--root-cause", "r", "--action", "a", "--case", "main/new-1")
    assert (done.code, "Nothing is left to do" in done.out) == (0, True)
    assert segue("incident", "show", NAME, "--json").json["missing"] == []


def test_readiness_is_checked_by_doing(store: Store, workspace: Path, segue: Segue) -> None:
    """Nothing is ready by itself; what is unknown stays so; all five done, it is, and a fact says each."""
    found = segue("ready", NAME, "--json")
    assert found.code == 11
    assert boxes(found.json) == {"answers": "unknown", "prompt": "unknown", "flip": "yes", "drill": "no", "runbook": "no"}
    assert all(one["remedy"] for one in found.json["boxes"] if one["answer"] != "yes")
    revision = store.find_route(NAME, "production")
    bundle = store.get_bundle(revision.route.incumbent).bundle
    served = LastKnown(environment="production", revisions=(known(revision),), bundles={bundle.digest: bundle})
    save_last_known(workspace / ".segue" / "last-known-production.json", served)
    (workspace / "RUNBOOK.md").write_text(f"At night: `segue rollback {NAME} --reason '…'`\n")
    body = {
        "phase": "ended",
        "ok": True,
        "environment": "staging",
        "incumbent": bundle.digest,
        "rollback_ms": 40.0,
        "gateways": 2,
    }
    at = json.loads(segue("log", "--json").out)[-1]["at"]
    store.add_fact(DRILL, NAME, "d1", body, author="ada", at=at)
    ready = segue("ready", NAME, "--burst", "5")
    assert ready.code == 0, ready.out
    assert "5 of 5 at once were answered" in ready.out
    assert "75 %, candidate" in ready.out
    facts = store.list_facts(NAME, kind="readiness")
    assert [fact.body["ready"] for fact in facts if isinstance(fact.body, dict)] == [False, True]


def test_a_drill_that_nobody_confirms_does_not_count(store: Store, segue: Segue) -> None:
    """Without a gateway in staging: exit 13, and the route as it was; production takes --holdback."""
    assert segue("route", "set", NAME, "current", "--environment", "staging").code == 0
    before = store.find_route(NAME, "staging")
    done = segue("drill", NAME, "--candidate", "candidate", "--json")
    assert (done.code, done.json["ok"], done.json["gateways"]) == (13, False, 0)
    assert store.find_route(NAME, "staging").route == before.route
    assert segue("drill", NAME, "--environment", "production").code == 2
    assert segue("drill", NAME, "--holdback", "--candidate", "candidate").code == 2
    assert segue("drill", NAME).code == 1, "no upgrade, no candidate"


def test_a_drill_that_was_cut_off_is_shown_and_put_right(store: Store, segue: Segue) -> None:
    """By the next one, which says so."""
    assert segue("route", "set", NAME, "current", "--environment", "staging").code == 0
    before = store.find_route(NAME, "staging")
    candidate = store.find_bundle(NAME, "candidate").bundle.digest
    body = {
        "drill": "d0",
        "phase": "begun",
        "environment": "staging",
        "kind": "staging",
        "route": before.route.model_dump(mode="json"),
    }
    store.add_fact(DRILL, NAME, "d0", {**body, "began": 1.0}, author="ada", at="t")
    left = before.route.model_copy(update={"candidate": candidate, "share": 1.0})
    store.flip_route(left, follows=before.revision, author="ada", reason="drill d0: flip", at="t")
    assert "was cut off" in segue("route", "show", NAME, "--environment", "staging").out
    done = segue("drill", NAME, "--candidate", "candidate", "--json")
    assert done.json["repaired"] == "d0"
    assert store.find_route(NAME, "staging").route == before.route
    assert "cut off" not in segue("route", "show", NAME, "--environment", "staging").out
