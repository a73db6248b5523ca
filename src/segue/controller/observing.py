"""From the world to a `Seen`: what the pure decision is made on, and the same as JSON for the log.

Asks ports and store, changes nothing. Which part is asked for depends on the stage alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from segue.controller.drilling import is_under_way
from segue.controller.ports import LiveSeen, Staging, Suites, Unheard
from segue.controller.world import World
from segue.errors import NotFoundError
from segue.model import Json
from segue.model.route import RouteRevision
from segue.upgrade.event import STILL_S, still_since
from segue.upgrade.judgement_json import judgement_as_json
from segue.upgrade.log import Upgrade
from segue.upgrade.seen import RouteSeen, RouteStanding, Seen
from segue.upgrade.state import UpgradeState
from segue.upgrade.table import LIVE
from segue.upgrade.wanted import wanted_route


@dataclass(frozen=True, slots=True)
class Observed:
    """One look at an upgrade. `revision` is the route in force, `None` where there is none."""

    seen: Seen
    revision: RouteRevision | None = None
    live: LiveSeen | None = None

    def as_json(self) -> dict[str, Json]:
        """What a decision was made on; only what was looked at."""
        seen = self.seen
        body: dict[str, Json] = {"at": seen.at}
        if self.revision is not None:
            body["route"] = self.revision.revision
        if seen.suite is not None:
            suite = seen.suite
            body["suite"] = {"outcome": suite.outcome, "verdict": suite.verdict, "reasons": list(suite.reasons)}
        if self.live is not None:
            body["served_s"] = seen.served_s
            body["quiet_s"] = seen.quiet_s
            body["figures"] = dict(self.live.figures)
            body["disagreements"] = list(seen.disagreements)
            if seen.judgement is not None:
                body["judgement"] = judgement_as_json(seen.judgement)
        if seen.missing is not None:
            body["missing"] = list(seen.missing)
        if seen.over_budget:
            body["over_budget"] = [one.sentence for one in seen.over_budget]
        for name in ("incidents", "staging_faults"):
            if found := getattr(seen, name):
                body[name] = list(found)
        return body


def observe(world: World, upgrade: Upgrade, now: float) -> Observed:
    """Everything the stage's decision needs. `StoreError` where the store does not answer."""
    state = upgrade.state
    revision = route_in_force(world, upgrade)
    if state.stage == "decide":
        return Observed(Seen(at=now, missing=world.grounds.missing(upgrade)), revision)
    if state.stage == "eval":
        suite = world.suites.seen(upgrade)
        still = _still(world.suites, upgrade, now) if suite is None else {}
        return Observed(Seen(at=now, suite=suite, **still), revision)
    if state.stage == "staging":
        passed, faults = world.staging.seen(upgrade)
        still = _still(world.staging, upgrade, now) if passed is None else {}
        return Observed(Seen(at=now, staging_passed=passed, staging_faults=faults, **still), revision)
    if state.stage not in LIVE:
        return Observed(Seen(at=now), revision)
    live, unheard = world.live.look(upgrade, now), world.incumbent.unheard(upgrade, now)
    missing = live.missing
    if missing is not None and unheard is not None and "incumbent_unheard" not in state.accepted:
        missing = (*missing, _unheard(unheard))
    if missing is not None and state.stage == "soak":
        missing = (*missing, *world.soak_lacks(upgrade, now))
    seen = Seen(
        at=now,
        route=_route_seen(world, upgrade, revision),
        judgement=live.judgement,
        missing=missing,
        served_s=live.covered_s if state.stage == "shadow" else state.counted_s(now),
        quiet_s=live.quiet_s,
        incidents=live.incidents,
        over_budget=live.over_budget,
        disagreements=live.disagreements,
        incumbent_answers=world.incumbent.answers(upgrade, now),
        incumbent_unheard_s=None if unheard is None else unheard.for_s,
        incumbent_unheard="" if unheard is None else unheard.reason,
    )
    return Observed(seen, revision, live)


def _still(port: Suites | Staging, upgrade: Upgrade, now: float) -> dict[str, Any]:
    """What is waited for, where that may be too long by now."""
    found = port.standstill(upgrade) if now - still_since(upgrade.state) > STILL_S else None
    return {} if found is None else {"moved_at": found.moved_at, "waits_for": (found.what,)}


def _unheard(unheard: Unheard) -> str:
    """For whoever asks what it waits for."""
    return "Whether the incumbent answers is not known" + (f": {unheard.reason}." if unheard.reason else " yet.")


def again(world: World, upgrade: Upgrade, found: Observed) -> Observed:
    """The same look with the route as it is by now: gateways confirm within moments, evidence does not grow in them."""
    revision = route_in_force(world, upgrade)
    return Observed(replace(found.seen, route=_route_seen(world, upgrade, revision)), revision, found.live)


def route_in_force(world: World, upgrade: Upgrade) -> RouteRevision | None:
    """`None` where the workflow has no route yet."""
    try:
        return world.store.find_route(upgrade.opening.workflow, upgrade.opening.environment)
    except NotFoundError:
        return None


def _is_other(state: UpgradeState, incumbent: str) -> bool:
    """Whether the incumbent in force is another than the upgrade's, which a flip of its own would not bring back."""
    return incumbent != state.incumbent and (incumbent != state.candidate or not state.is_exposed)


def _route_seen(world: World, upgrade: Upgrade, revision: RouteRevision | None) -> RouteSeen:
    """The route in force beside the one asked for. One that stands as a rollback would leave it *is* one, whoever made it."""
    if revision is None:
        return RouteSeen("changed", 0, "somebody", "there is no route in force")
    said: Any = {"revision": revision.revision, "by": revision.author, "reason": revision.reason}
    route, asked = revision.route, wanted_route(upgrade.state, upgrade.plan, revision.route)
    said["has_other_incumbent"] = is_other = _is_other(upgrade.state, route.incumbent)
    standing: RouteStanding
    if route == asked and not is_other:
        standing = "as asked" if world.gateways.serve(revision) else "unconfirmed"
    elif route.candidate is None and route.incumbent == upgrade.opening.incumbent:
        standing = "rolled back"
    elif is_under_way(world.store, revision, world.clock()):
        # Back in seconds, and nobody meets the candidate who did not before.
        standing = "unconfirmed"
    else:
        standing = "changed"
    return RouteSeen(standing, **said)
