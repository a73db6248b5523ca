"""Upgrades as the store has them: what the tests of rollbacks, incidents and notices begin with."""

from __future__ import annotations

from typing import Any

from segue.controller.actions import act_on
from segue.controller.moments import iso
from segue.controller.reading import read_named
from segue.model import Bundle
from segue.model.plan import Plan, PlanStep
from segue.model.plan_gate import PlanGate
from segue.model.route import Route
from segue.store.base import Store
from segue.upgrade.log import Opening, Upgrade, UpgradeEntry
from segue.upgrade.state import Stage
from tests.store.builders import WHO, a_bundle

NOW = 1_800_000_000.0
OLD, NEW = a_bundle("old", workflow="mail"), a_bundle("new", workflow="mail")


def a_plan(**given: Any) -> Plan:
    """Two steps and one gate."""
    steps = (PlanStep(share=0.05, hold=1), PlanStep(share=0.25, hold=2))
    return Plan(**{"steps": steps, "gates": (PlanGate(metric="right"),), **given})


def an_upgrade(
    store: Store,
    *,
    plan: Plan | None = None,
    stage: Stage = "canary",
    name: str = "mail-1",
    bundles: tuple[Bundle, Bundle] = (OLD, NEW),
    share: float = 0.05,
) -> Upgrade:
    """Under way in `stage`, the candidate at `share` where users meet it."""
    old, new = bundles
    for bundle in bundles:
        store.add_bundle(bundle, **WHO)
    met = share if stage in ("canary", "soak") else 0.0
    route = Route(workflow=old.workflow, incumbent=old.digest, candidate=new.digest, share=met)
    history = store.route_history(old.workflow, "production")
    follows = history[0].revision if history else None
    store.flip_route(route, follows=follows, author="segue", reason="a step", at=iso(NOW))
    opening = Opening(
        upgrade=name, workflow=old.workflow, incumbent=old.digest, candidate=new.digest, plan=plan or a_plan(), by="ada", at=NOW
    )
    store.open_upgrade(name, old.workflow, "production", opening.model_dump(mode="json"), author="ada", at=iso(NOW))
    state = opening.state.model_copy(update={"stage": stage, "number": 1})
    entry = UpgradeEntry(upgrade=name, number=1, event="passed", at=NOW, effects=("flip", "notify"), state=state)
    body = entry.model_dump(mode="json")
    store.add_upgrade_entry(name, 1, body, ends=False, fence=None, author="segue", at=iso(NOW))
    return read_named(store, name)


def rolled_back(store: Store, upgrade: Upgrade, *, by: str = "ada", reason: str = "it burns") -> UpgradeEntry:
    """By hand, in the log alone."""
    return act_on(store, upgrade.opening.workflow, "roll_back", by=by, reason=reason, at=NOW + 60)
