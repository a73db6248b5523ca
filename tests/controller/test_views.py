"""What people are shown of an upgrade: where it stands, what each gate knows, what happens next, who has to do what."""

from __future__ import annotations

import io
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console

from segue.controller.actions import act_on
from segue.controller.ports import LiveSeen
from segue.controller.views import history_view, status_view, why_view
from segue.errors import NotFoundError
from segue.evidence.sequential.grid import POINTS
from segue.evidence.sequential.sequences import Interval
from segue.evidence.sequential.verdicts import Evidence, Judgement, Settlement
from segue.model.plan import Plan
from segue.model.plan_people import ApprovalRule
from segue.papers.upgrade_log_terminal import print_history, print_why
from segue.papers.upgrade_terminal import print_status, print_statuses
from segue.papers.upgrade_view import GateView, StatusView, WhyView
from segue.papers.upgrade_words import EVENTS, span
from segue.upgrade.judgement_json import judgement_as_json
from segue.upgrade.table import ROWS, Action
from tests.controller.pretend import DAY, PLAN, WORKFLOW, Stage

DOCS = Path(__file__).parents[2] / "docs" / "controller.md"


def cell(name: str = "", verdict: str = "inconclusive", metric: str = "right", **changes: Any) -> Evidence:
    """A gate on a slice."""
    base: dict[str, Any] = {
        "limit": "hold" if verdict == "harm" else None,
        "log_e": 1.0,
        "bound": 0.05 if verdict in ("safe", "harm") else None,
        "effect": 0.012,
        "interval": Interval(-0.003, 0.026),
        "exposed": 1300,
        "matured": 1250,
        "asked": 1250,
        "labelled": 1204,
        "incumbent_labelled": 22000,
        "settlement": Settlement("safe", 300, 2.0) if verdict == "inconclusive" else None,
        "void": None,
        "unit": POINTS,
    }
    return Evidence(metric=metric, slice=name, verdict=verdict, **{**base, **changes})  # type: ignore[arg-type]


def judged(*cells: Evidence, verdict: str = "inconclusive") -> Judgement:
    """All of them together."""
    return Judgement(verdict, None, 0.0, 0.0, (), cells)  # type: ignore[arg-type]


def led(plan: Plan = PLAN, to: str = "canary", days: float = 0.5) -> Stage:
    """An upgrade that a controller led to the canary's first step (or to shadow), so many days ago."""
    stage = Stage(plan=plan)
    stage.open()
    controller = stage.controller()
    controller.tick()
    if to == "canary":
        stage.pretend.now += 1.01 * DAY
        controller.tick()
    assert stage.upgrade().state.stage == to
    stage.pretend.now += days * DAY
    return stage


def look(stage: Stage, *cells: Evidence, **changes: Any) -> None:
    """Write down what a controller saw."""
    body = {"at": stage.pretend.now, "served_s": 0.5 * DAY, "judgement": judgement_as_json(judged(*cells)), "missing": []}
    stage.store.add_fact("look", WORKFLOW, "u1", {**body, **changes}, author="segue", at=stage.at)


def status(stage: Stage) -> StatusView:
    """As it stands now; the lease is counted on the same clock."""
    return status_view(stage.store, stage.upgrade(), stage.pretend.now, lease_now=stage.pretend.now)


def shown(stage: Stage, width: int = 80, *, whole: bool = False) -> str:
    """The screen, plain."""
    console = Console(file=io.StringIO(), width=width, highlight=False, emoji=False)
    print_status(status(stage), console, whole=whole)
    file: Any = console.file
    return str(file.getvalue())


def do(stage: Stage, action: Action, by: str = "ada") -> None:
    """A person acts."""
    act_on(stage.store, WORKFLOW, action, by=by, reason="to look", at=stage.pretend.now)


def test_a_status_says_where_it_stands_and_how_long_it_takes() -> None:
    """Stage, step, share, the time that counted, the earliest moment of the next step."""
    stage = led()
    look(stage, cell())
    view = status(stage)
    assert (view.stage, view.step, view.steps, view.share) == ("canary", 0, 3, 0.05)
    assert [(one.name, one.standing) for one in view.places][3:6] == [
        ("shadow", "behind"),
        ("step 1", "here"),
        ("step 2", "ahead"),
    ]
    assert view.clock is not None
    assert (view.clock.served_s, view.clock.least_s, view.clock.left_s) == (0.5 * DAY, DAY, 0.5 * DAY)
    assert view.next[0].what.startswith("On to step 2 of 3, 25 %, by itself")
    assert view.next[0].at is not None
    assert view.next[0].at > view.at


def test_a_gate_is_shown_with_its_interval_and_what_would_settle_it() -> None:
    """In its own unit, beside its limits; worst first."""
    stage = led()
    look(stage, cell("task=delivery", "safe"), cell(), cell("task=refund", "harm"), missing=["right on refund is open."])
    text = shown(stage, 120)
    assert "+1.2 [−0.3, +2.6] points" in text
    assert "2 / 5 points" in text
    assert "~300 more, 2 d" in text
    rows = [line for line in text.splitlines() if line.startswith("right")]
    assert [row.split()[1] for row in rows] == ["task=refund", "?", "task=delivery"]
    assert "right on refund is open." in text


@pytest.mark.parametrize(
    ("effect", "shown_as"), [(0.455, "+45.5 [?, ?]"), (-0.1, "−10.0 [?, ?]"), (0.026, "+2.6 [−0.3, +2.6]")]
)
def test_an_interval_that_its_own_estimate_has_left_is_unknown(effect: float, shown_as: str) -> None:
    """A model that was changed under way: what had been excluded before is no bound for what is now."""
    stage = led()
    look(stage, cell("task=refund", "harm", effect=effect))
    assert shown_as in shown(stage, 120)


def test_without_a_controller_the_screen_says_so_and_how_to_start_one() -> None:
    """And that what stands there is old."""
    stage = led(days=3)
    look(stage, cell(), at=stage.pretend.now - 2.5 * DAY)
    assert not status(stage).controller.acts
    text = shown(stage)
    assert "none runs, so nothing moves by itself. Start one: segue controller" in text
    assert "written down 2 d 12 h ago: what stands above is as old" in text


def test_what_waits_for_a_person_comes_first_with_names_and_the_command() -> None:
    """An approval that the plan asks for."""
    plan = PLAN.model_copy(update={"approvals": (ApprovalRule(name="legal", who=("maria", "bo"), before="every step"),)})
    stage = Stage(plan=plan)
    stage.open()
    controller = stage.controller()
    controller.tick()
    stage.pretend.now += 1.5 * DAY
    controller.tick()
    found = status(stage).next[0]
    assert found.what == "legal has to say yes before step 1 of 3, 5 %."
    assert (found.who, found.command) == (("maria", "bo"), "segue upgrade approve w --reason '…'")
    act_on(stage.store, WORKFLOW, "approve", by="bo", reason="reads well", at=stage.pretend.now)
    assert status(stage).approvals == ("bo (reads well)",)
    assert status(stage).next[0].what.startswith("On to step 1 of 3, 5 %, by itself")


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        ("pause", ["segue upgrade resume w --reason '…'"]),
        ("hold", ["segue why w", "resume", "advance", "segue rollback w --reason '…'"]),
        ("roll_back", ["segue incident show w", "segue upgrade learn u1 --about cases '…'"]),
    ],
)
def test_after_what_people_did_the_screen_names_what_can_be_done(action: Action, expected: list[str]) -> None:
    """With the command for it."""
    stage = led()
    do(stage, action)
    commands = [one.command for one in status(stage).next if one.command]
    assert len(commands) == len(expected)
    assert all(part in command for part, command in zip(expected, commands, strict=True))


def test_an_upgrade_that_ended_shows_where() -> None:
    """And no stage ahead."""
    stage = led()
    do(stage, "roll_back")
    view = status(stage)
    assert [(one.name, one.standing) for one in view.places][-2:] == [("step 1", "left"), ("rolled back", "here")]
    assert "5 % ✕  [rolled back]" in shown(stage)
    assert view.clock is None
    assert view.share == 0


def test_nothing_is_wider_than_the_screen_and_no_line_ends_in_blanks() -> None:
    """At 80 columns, with long names; commands alone may be longer."""
    stage = led()
    names = [f"customer_segment=a-rather-long-value-number-{number:02d}" for number in range(30)]
    look(stage, *(cell(name, metric="negative_feedback_of_customers") for name in names), missing=["A sentence. " * 30])
    for width in (60, 80, 100, 140):
        for line in shown(stage, width, whole=True).splitlines():
            assert line == line.rstrip()
            assert cell_len(line) <= width or "segue " in line


def test_more_gates_than_fit_are_counted() -> None:
    """And can be had."""
    stage = led()
    look(stage, *(cell(f"task=t{number:02d}") for number in range(30)))
    assert "and 18 more gates: segue status w --all" in shown(stage)
    assert "task=t29" in shown(stage, whole=True)


def test_names_and_sentences_from_outside_steer_no_terminal() -> None:
    """Escapes are shown as signs."""
    stage = led()
    look(stage, cell("task=\x1b[31mred"), missing=["\x1b]0;title\x07 [bold]x[/]"], incidents=["a\x1bb"])
    text = shown(stage, 100)
    assert "\x1b" not in text
    assert "[bold]x[/]" in text


def test_a_judgement_that_cannot_be_read_is_not_taken_for_one_that_is_fine() -> None:
    """It is said, and stands where missing evidence stands."""
    stage = led()
    look(stage, judgement={"version": 99}, missing=[])
    view = status(stage)
    assert view.look is not None
    assert view.look.missing is not None
    assert "cannot be read" in view.look.missing[0]


def test_a_look_at_the_step_before_says_nothing_of_this_one() -> None:
    """After somebody advanced, until the controller has looked again."""
    stage = led()
    look(stage, cell())
    assert status(stage).look is not None
    stage.pretend.now += 1
    do(stage, "advance")
    assert status(stage).look is None
    look(stage, cell("task=refund"))
    assert "task=refund" in shown(stage)


def test_history_has_everything_from_the_opening_on() -> None:
    """By whom, from where to where, why, and what is not carried out yet."""
    stage = led()
    do(stage, "pause", by="bo")
    view = history_view(stage.store, stage.upgrade())
    assert [one.number for one in view.entries] == list(range(len(stage.upgrade().entries) + 1))
    assert (view.entries[0].event, view.entries[0].by) == ("opened", "ada")
    last = view.entries[-1]
    assert (last.event, last.by, last.came_from, last.place) == ("pause", "bo", "canary, step 1", "canary, step 1 (paused)")
    assert last.undone == ("notify",)
    assert not any(one.undone for one in view.entries[:-1])
    console = Console(file=io.StringIO(), width=80, highlight=False, emoji=False)
    print_history(view, console)
    file: Any = console.file
    text = str(file.getvalue())
    assert "paused, by bo" in text
    assert "not carried out yet: notify" in text
    assert all(cell_len(line) <= 80 for line in text.splitlines())


def test_why_shows_the_evidence_a_decision_was_made_on() -> None:
    """Of a trigger: the gates, worst first, and the sentence."""
    stage = led()
    controller = stage.controller("c2")
    harm = judged(cell("task=refund", "harm", limit="rollback"), cell("", "safe"), verdict="harm")
    seen = LiveSeen(judgement=replace(harm, limit="rollback"))
    stage.pretend.look = lambda upgrade, now: seen  # type: ignore[method-assign]
    controller.tick()
    assert stage.upgrade().state.stage == "rolled_back"
    view = why_view(stage.store, stage.upgrade())
    assert (view.entry.event, view.entry.place) == ("harm", "rolled back")
    assert [(one.where, one.verdict) for one in view.gates] == [("task=refund", "harm"), ("", "safe")]
    assert view.revision == 3
    console = Console(file=io.StringIO(), width=80, highlight=False, emoji=False)
    print_why(view, console)
    file: Any = console.file
    text = str(file.getvalue())
    assert "harm, decided by the evidence" in text
    assert "beyond the limit at which the upgrade rolls back" in text
    assert "▼ harm" in text


def test_why_of_what_a_person_did_shows_what_they_could_have_seen() -> None:
    """The controller's last look before it."""
    stage = led()
    look(stage, cell("task=refund"))
    do(stage, "advance")
    view = why_view(stage.store, stage.upgrade())
    assert view.entry.by == "ada"
    assert [one.where for one in view.gates] == ["task=refund"]


def test_why_without_a_number_is_the_last_decision_that_moved_it() -> None:
    """A confirmation by the gateways moves nothing; one that is not there is named as such."""
    stage = led()
    assert stage.upgrade().entries[-1].event == "confirmed"
    view = why_view(stage.store, stage.upgrade())
    assert (view.entry.event, view.entry.place) == ("passed", "canary, step 1")
    assert why_view(stage.store, stage.upgrade(), 0).entry.event == "opened"
    with pytest.raises(NotFoundError, match="has no entry 99"):
        why_view(stage.store, stage.upgrade(), 99)


def test_every_event_there_is_has_words() -> None:
    """A list of what happened never shows a name of the code."""
    assert {row.event for row in ROWS} <= EVENTS.keys()


def test_json_holds_all_that_is_shown() -> None:
    """Every field of the view, and what is worked out of it."""
    stage = led()
    look(stage, cell())
    view = status(stage)
    body = view.as_json()
    assert is_dataclass(view)
    assert body.keys() == {one.name for one in fields(view)}
    assert body["clock"]["left_s"] == 0.5 * DAY
    assert body["look"]["gates"][0]["effect"] == pytest.approx(1.2)


def test_several_upgrades_are_a_line_each() -> None:
    """With what each waits for."""
    stage = led()
    do(stage, "pause")
    console = Console(file=io.StringIO(), width=80, highlight=False, emoji=False)
    print_statuses([status(stage), status(stage)], console)
    file: Any = console.file
    lines = str(file.getvalue()).splitlines()
    assert len(lines) >= 3
    assert all(cell_len(line) <= 80 for line in lines)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (59.4, "59 s"),
        (60, "1 min"),
        (90, "1 min 30 s"),
        (3600, "1 h"),
        (12_000, "3 h 20 min"),
        (183_600, "2 d 3 h"),
        (None, "unknown"),
    ],
)
def test_lengths_of_time_are_said_in_two_units(seconds: float | None, words: str) -> None:
    """Short enough for a column."""
    assert span(seconds) == words


@pytest.mark.parametrize("kind", [StatusView, GateView, WhyView], ids=lambda kind: kind.__name__)
def test_the_guide_describes_every_field(kind: type[Any]) -> None:
    """`docs/controller.md` has a row for each, in their order, and no other."""
    heads = {StatusView: "Where it stands, as JSON", GateView: "A gate", WhyView: "What happened, and why, as JSON"}
    text = DOCS.read_text(encoding="utf-8").partition(f"# {heads[kind]}\n")[2].partition("\n#")[0]
    rows = [line.split("|")[1].strip().strip("`") for line in text.splitlines() if line.startswith("| `")]
    assert [row for row in rows if not row.startswith("key of")] == [one.name for one in fields(kind)]
