"""Somebody puts another incumbent in place while an upgrade is under way: nobody takes it back without being asked to."""

from __future__ import annotations

from typing import Any

import pytest

from segue.controller.actions import Admitted, act_on
from segue.controller.controller import Controller
from segue.model import Bundle
from segue.upgrade.event import event_of
from segue.upgrade.seen import RouteSeen, Seen
from segue.upgrade.state import Stage as StageName
from tests.controller.pretend import DAY, PLAN, WORKFLOW, Stage
from tests.upgrade.builders import NEWER, began


def a_bundle(stage: Stage, name: str) -> str:
    """Stored."""
    bundle = Bundle.model_validate({"workflow": WORKFLOW, "model": {"provider": "p", "snapshot": name}})
    stage.store.add_bundle(bundle, author="bo", at=stage.at)
    return bundle.digest


def make_incumbent(stage: Stage, digest: str, reason: str = "hotfix") -> None:
    """By hand; everything else of the route stays."""
    last = stage.store.find_route(WORKFLOW, "production")
    route = last.route.model_copy(update={"incumbent": digest}).following(last.route)
    stage.store.flip_route(route, follows=last.revision, author="bo", reason=reason, at=stage.at)


def with_hotfix(where: StageName) -> tuple[Stage, Controller, str]:
    """An upgrade in shadow or in the first step, held because of the hotfix that is in force."""
    stage = Stage()
    stage.open()
    controller = stage.controller()
    stage.days(controller, 0.5 if where == "shadow" else 1.5)
    assert stage.upgrade().state.stage == where
    digest = a_bundle(stage, "hotfix")
    make_incumbent(stage, digest)
    stage.days(controller, 0.25)
    assert (stage.upgrade().state.standing, stage.upgrade().state.held_by) == ("holding", "route_changed")
    assert "another from the one in force" in stage.upgrade().state.because[-1]
    return stage, controller, digest


@pytest.mark.parametrize("where", ["shadow", "canary"])
@pytest.mark.parametrize("action", ["resume", "advance"])
def test_whoever_goes_on_takes_no_hotfix_back(where: StageName, action: str) -> None:
    """It stays in force and the upgrade is held again; nobody more than before meets the candidate."""
    stage, controller, digest = with_hotfix(where)
    share = stage.route().share
    stage.person("resume" if action == "resume" else "advance")
    stage.days(controller, 0.25)
    assert stage.route().incumbent == digest
    assert stage.route().share == share
    assert (stage.upgrade().state.standing, stage.upgrade().state.held_by) == ("holding", "route_changed")


def test_another_candidate_takes_no_hotfix_back() -> None:
    """It begins again from the eval; users keep what somebody gave them, and the old candidate's shadow ends."""
    stage, controller, digest = with_hotfix("shadow")
    newer = a_bundle(stage, "newer")
    named: dict[str, Any] = {"by": "ada", "reason": "re-tuned", "at": stage.pretend.now}
    act_on(stage.store, WORKFLOW, "replace", **named, candidate=newer, admission=lambda *_: Admitted())
    stage.pretend.suite = "hold"
    stage.days(controller, 0.25)
    assert stage.upgrade().state.stage == "eval"
    route = stage.route()
    assert (route.incumbent, route.candidate, route.shadow) == (digest, None, None)


def test_with_the_incumbent_back_in_place_it_goes_on() -> None:
    """Whoever made the hotfix takes it back, and somebody resumes."""
    stage, controller, _ = with_hotfix("shadow")
    make_incumbent(stage, stage.old, "the fix is in the model now")
    stage.person("resume")
    stage.days(controller, 1.25)
    assert (stage.upgrade().state.stage, stage.route().incumbent) == ("canary", stage.old)


def test_rolling_back_still_overrides_it() -> None:
    """Once users meet the candidate, harm takes them to the incumbent that the upgrade knows."""
    stage, controller, _ = with_hotfix("canary")
    stage.pretend.verdict, stage.pretend.limit = "harm", "rollback"
    stage.days(controller, 0.25)
    assert stage.upgrade().state.stage == "rolled_back"
    assert (stage.route().incumbent, stage.route().candidate) == (stage.old, None)


def test_a_candidate_that_somebody_made_the_incumbent_in_shadow_is_not_shadowed() -> None:
    """There would be nothing to compare it with; that is said, and nothing is flipped back by itself."""
    stage = Stage()
    stage.open()
    controller = stage.controller()
    stage.days(controller, 0.5)
    last = stage.store.find_route(WORKFLOW, "production")
    route = last.route.model_copy(update={"incumbent": stage.new, "candidate": None, "shadow": None}).following(last.route)
    stage.store.flip_route(route, follows=last.revision, author="bo", reason="could not wait", at=stage.at)
    stage.days(controller, 0.25)
    stage.person("resume")
    stage.days(controller, 0.25)
    assert stage.route().incumbent == stage.new
    assert stage.upgrade().state.held_by == "route_changed"


def test_a_changed_share_is_said_without_the_incumbent() -> None:
    """Only what is so is said."""
    seen = Seen(DAY, route=RouteSeen("changed", 3, "bo", "more of it"))
    found = event_of(began(stage="canary", candidate=NEWER), seen, PLAN)
    assert found == ("route_changed", ("bo changed the route to revision 3: more of it",))
