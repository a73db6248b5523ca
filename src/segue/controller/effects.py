"""Carrying out what an entry of the log asked for. Each effect may be begun twice and happens once.

A flip names the revision its decision was made on. Where another one is in force by then, and it is not what the state before
asked for, somebody else changed the route meanwhile: nothing is flipped, and the next look finds what they did. Going back is
the exception: it overrides anything.
"""

from __future__ import annotations

from dataclasses import dataclass

from segue.controller.moments import iso
from segue.controller.observing import route_in_force
from segue.controller.world import World
from segue.errors import ConflictError, FencedError
from segue.model import Json
from segue.model.route import RouteRevision
from segue.store.upgrades import Fence
from segue.upgrade.log import Upgrade, UpgradeEntry
from segue.upgrade.state import ENDED
from segue.upgrade.table import LIVE
from segue.upgrade.wanted import wanted_route

DONE = "effect-done"
"""The kind of fact that notes them."""
AUTHOR = "segue"
"""Who decides where evidence does."""


def leaves_shadow(entry: UpgradeEntry) -> bool:
    """Whether users meet the candidate from here on: what moved in shadow is written down."""
    return entry.event in ("passed", "advance") and entry.state.stage == "canary" and entry.state.step == 0


@dataclass(frozen=True, slots=True)
class Effects:
    """Of one holder of the lease."""

    world: World
    fence: Fence

    def carry_out(self, upgrade: Upgrade, entry: UpgradeEntry, now: float) -> None:
        """All effects of an entry, then the note that they were. Raises where one could not be: it is tried again."""
        body: dict[str, Json] = {"number": entry.number, "effects": list(entry.effects)}
        if "flip" in entry.effects:
            flipped = self._flip(upgrade, entry, now)
            body["revision"] = None if flipped is None else flipped.revision
        if "incident" in entry.effects:
            self.world.incident(upgrade, entry)
        if "run_suite" in entry.effects:
            self.world.suites.start(upgrade, entry.number)
        if "run_staging" in entry.effects:
            self.world.staging.start(upgrade, entry.number)
        if leaves_shadow(entry):
            self.world.shadowed(upgrade, entry)
        if "notify" in entry.effects or "ask_approval" in entry.effects:
            self.world.notices.send(upgrade, entry)
        opening = upgrade.opening
        self.world.store.add_fact(DONE, opening.workflow, opening.upgrade, body, author=AUTHOR, at=iso(now), fence=self.fence)

    def _flip(self, upgrade: Upgrade, entry: UpgradeEntry, now: float) -> RouteRevision | None:
        """The revision that serves what the upgrade asks for by now; `None` where somebody else's stands instead."""
        revision = route_in_force(self.world, upgrade)
        if revision is None:
            return None
        state = upgrade.state
        route = wanted_route(state, upgrade.plan, revision.route)
        if route == revision.route:
            self.world.gateways.tell(revision)
            return revision
        decided_on = entry.evidence.get("route")
        goes_back = state.stage in ENDED - {"completed"}
        is_newer = decided_on is not None and decided_on != revision.revision
        if is_newer and not goes_back and not self._is_as_before(upgrade, entry, revision):
            return None
        if not goes_back and revision.route.incumbent != state.incumbent and self._is_kept(entry, revision):
            return None
        reason = f"upgrade {state.upgrade}, entry {entry.number}: {entry.event.replace('_', ' ')}"
        try:
            flipped = self.world.store.flip_route(
                route,
                follows=revision.revision,
                author=entry.by or AUTHOR,
                reason=reason,
                at=iso(now),
                fence=self.fence,
            )
        except FencedError:
            raise
        except ConflictError:
            if goes_back:
                return self._flip(upgrade, entry, now)
            return None
        self.world.gateways.tell(flipped)
        return flipped

    def _is_kept(self, entry: UpgradeEntry, revision: RouteRevision) -> bool:
        """Whether the incumbent that somebody put in another's place stays: evidence takes nobody's hotfix back, and whoever
        resumes goes on with the upgrade's own two bundles or not at all. The next look finds it, and people look.
        """
        return not entry.by or (entry.state.stage in LIVE and revision.route.incumbent != entry.state.candidate)

    def _is_as_before(self, upgrade: Upgrade, entry: UpgradeEntry, revision: RouteRevision) -> bool:
        """Whether a newer route still is what the state before the entry asked for: only what no upgrade owns was changed."""
        before = upgrade.entries[entry.number - 2].state if entry.number > 1 else upgrade.opening.state
        return wanted_route(before, upgrade.plan, revision.route) == revision.route
