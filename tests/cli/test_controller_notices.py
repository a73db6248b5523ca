"""What is said before anything fails: variables that a plan's notices need and nobody has set."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from segue.cli.controller_notices import NoticesBegun
from segue.cli.controller_screen import JsonTelling, TextTelling
from segue.controller.controller import Controller
from segue.controller.notices import Webhooks
from segue.model.plan_parts import NoticeSpec
from tests.cli.conftest import Segue
from tests.cli.test_plan_check import BUDGETS, NAMED, PLAN, planned
from tests.controller.pretend import PLAN as PRETENDED
from tests.controller.pretend import Stage

HOOK = NoticeSpec(url="$NO_SUCH_HOOK", secret="$HOOK_KEY")
TOLD = "$NO_SUCH_HOOK is not set here, so notices to $NO_SUCH_HOOK could not be sent from here."
DESPITE = ("--despite", "aggregate-only", "--reason", "a trial")
__all__ = ["planned"]


class Warned:
    """What was said."""

    def __init__(self) -> None:
        self.said: list[tuple[str, str]] = []

    def warned(self, workflow: str, text: str) -> None:
        self.said.append((workflow, text))


def leading(environ: dict[str, str]) -> Controller:
    """One whose only upgrade tells somebody at an address from the environment; and one that cannot be read."""
    stage = Stage(plan=PRETENDED.model_copy(update={"notify": (HOOK,)}))
    stage.open()
    stage.store.open_upgrade("x1", "x", "production", {"of": "another version"}, author="ada", at=stage.at)
    world = stage.controller().world
    hooks = Webhooks(stage.store, environ, clock=world.clock, post=lambda *_: 200)
    object.__setattr__(world, "notices", hooks)
    return Controller(world, "c1", keeps_time=False)


def test_a_controller_names_what_its_notices_lack_once() -> None:
    """However often it begins to act."""
    controller, told = leading({"HOOK_KEY": "k"}), Warned()
    begun = NoticesBegun(told)
    begun(controller)
    begun(controller)
    assert [(workflow, text.startswith(TOLD)) for workflow, text in told.said] == [("w", True)]


def test_with_all_that_is_needed_it_says_nothing() -> None:
    """An address that is set, whatever it is."""
    told = Warned()
    NoticesBegun(told)(leading({"HOOK_KEY": "k", "NO_SUCH_HOOK": "https://hooks.example"}))
    assert told.said == []


def test_a_warning_is_a_line_for_people_and_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    """With the workflow it is of."""
    TextTelling().warned("w", "Set it.")
    JsonTelling().warned("w", "Set it.")
    said = capsys.readouterr()
    assert said.err == "w: Set it.\n"
    assert json.loads(said.out) == {"workflow": "w", "warning": "Set it."}


def test_the_plan_check_warns_of_it(planned: Path, segue: Segue, monkeypatch: pytest.MonkeyPatch) -> None:
    """And refuses nothing for it: the controller may run elsewhere. Where all is set, it says nothing of it."""
    plan = planned / "workflows/support-reply/plans/careful.yaml"
    plan.write_text(PLAN + BUDGETS + "notify: [{url: $NO_SUCH_HOOK, secret: $HOOK_KEY}]\n", encoding="utf-8")
    monkeypatch.delenv("NO_SUCH_HOOK", raising=False)
    monkeypatch.setenv("HOOK_KEY", "k")
    found = segue(*NAMED)
    assert f"warning {TOLD}" in found.out
    assert found.out.endswith("1 refused, 1 warned of.\n")
    (told,) = segue(*NAMED, "--json").json["warnings"]
    assert told.startswith(TOLD)
    monkeypatch.setenv("NO_SUCH_HOOK", "https://hooks.example/t0ken")
    assert segue(*NAMED, "--json").json["warnings"] == []


def test_whoever_opens_an_upgrade_is_warned_of_it(planned: Path, segue: Segue, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is opened all the same."""
    plan = planned / "workflows/support-reply/plans/careful.yaml"
    text = (PLAN + BUDGETS).replace("90%", "90%, watch: total")
    plan.write_text(text + "notify: [{url: $NO_SUCH_HOOK, secret: $HOOK_KEY}]\n", encoding="utf-8")
    monkeypatch.delenv("NO_SUCH_HOOK", raising=False)
    monkeypatch.setenv("HOOK_KEY", "k")
    assert segue("bundle", "add", "support-reply").code == 0
    assert segue("route", "set", "support-reply", "current").code == 0
    done = segue("upgrade", "support-reply", "--candidate", "candidate", *DESPITE, "--json")
    assert done.code == 0, done.err
    assert [one.startswith(TOLD) for one in done.json["warnings"]].count(True) == 1
