"""The smallest valid records, so that a test shows only what matters to it."""

from __future__ import annotations

import hashlib
from typing import Any

from segue.model import Bundle, Case, Exchange, Failure, Message, ModelRef, Prompt, Reply, Score
from segue.model.route import Route
from segue.store import RecordedLabel, Store
from segue.store.upgrades import Fence

WHO: dict[str, Any] = {"author": "ada", "at": "2024-05-01T12:00:00Z"}


def a_digest(text: str) -> str:
    """A digest of 64 hex digits."""
    return hashlib.sha256(text.encode()).hexdigest()


def a_bundle(system: str = "Be brief.", *, workflow: str = "refunds") -> Bundle:
    """A bundle that differs from others by its system prompt."""
    return Bundle(workflow=workflow, model=ModelRef(provider="p", snapshot="m-1"), prompt=Prompt(system=system))


def a_case(case_id: str = "c1", **changes: Any) -> Case:
    """A case with one message."""
    return Case(case_id=case_id, messages=(Message(role="user", content="Where is my refund?"),), **changes)


def a_reply(case_id: str = "c1", *, behaviour: str = "b", repeat: int = 0, text: str = "Yes.", **changes: Any) -> Exchange:
    """An exchange with a reply."""
    return Exchange(behaviour, case_id, "i", repeat, reply=Reply(text), **changes)


def a_failure(case_id: str = "c1", *, behaviour: str = "b", repeat: int = 0, detail: str = "", **changes: Any) -> Exchange:
    """An exchange that failed."""
    return Exchange(behaviour, case_id, "i", repeat, failure=Failure("timeout", detail), **changes)


def a_score(value: float = 1.0, name: str = "correct") -> Score:
    """A plain score."""
    return Score(name, value)


def a_route(bundle: Bundle, **given: Any) -> Route:
    """A route on which a bundle serves everyone."""
    return Route(workflow=bundle.workflow, incumbent=bundle.digest, **given)


def fill(store: Store) -> None:
    """At least one row in every table there is."""
    store.add_bundle(a_bundle("old"), **WHO)
    store.add_bundle(a_bundle("new"), **WHO)
    store.set_label("refunds", "prod", a_bundle("old").digest, **WHO)
    store.add_suite("refunds", "main", [a_case("a"), a_case("b"), a_case("c")], **WHO)
    store.begin_attempts("r1", [("b", "a", "i", 0)])
    store.add_exchanges([a_reply("a"), a_failure("b")])
    store.add_scores("b", "s", [("a", "i", 0, [Score("correct", 1.0, label="yes")])])
    store.add_labels("b", [RecordedLabel("a", "rule", "yes")])
    store.add_run("r1", "refunds", {"repeats": 1}, **WHO)
    store.finish_run("r1", {"done": 2}, **WHO)
    store.add_verdict(a_digest("v"), "refunds", {"verdict": "hold"}, **WHO)
    store.flip_route(a_route(a_bundle("old")), follows=None, reason="first", **WHO)
    store.append_log("note", "refunds", {"text": "ship it"}, **WHO)
    store.take_lease("controller", "box-1", 30.0)
    store.open_upgrade("refunds-1", "refunds", "production", {"plan": "careful"}, **WHO)
    store.add_upgrade_entry("refunds-1", 1, {"event": "passed"}, ends=False, fence=Fence("controller", 1), **WHO)
    store.add_upgrade_entry("refunds-1", 2, {"event": "abort"}, ends=True, fence=None, **WHO)
    store.add_fact("effect-done", "refunds", "refunds-1", {"number": 1}, **WHO)
