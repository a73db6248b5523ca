"""What people do to an upgrade: through the log, against whatever else happens at the same time."""

from __future__ import annotations

from typing import Any

import pytest

from segue.controller.actions import Request, act_on
from segue.controller.moments import iso
from segue.controller.reading import read_record
from segue.errors import ConflictError, InputError, NotFoundError, TamperError
from segue.store.base import Store
from segue.upgrade.decide import act
from segue.upgrade.log import Upgrade, UpgradeEntry
from segue.upgrade.table import Action
from tests.controller.pretend import WORKFLOW, Stage


@pytest.fixture
def stage() -> Stage:
    """An upgrade in shadow, led there by a controller."""
    made = Stage()
    made.open()
    made.controller().tick()
    assert made.upgrade().state.stage == "shadow"
    return made


def do(stage: Stage, action: Action, by: str = "ada", reason: str = "because", **named: Any) -> UpgradeEntry:
    """Now."""
    return act_on(named.pop("store", stage.store), WORKFLOW, action, by=by, reason=reason, at=stage.pretend.now, **named)


class Interrupted:
    """A store in which `first` happens just before the next entry is written."""

    def __init__(self, stage: Stage, action: Action) -> None:
        self._stage, self._action = stage, action

    def __getattr__(self, name: str) -> Any:
        if name == "add_upgrade_entry" and self._action:
            action, self._action = self._action, ""  # type: ignore[assignment]
            do(self._stage, action, by="bo")
        return getattr(self._stage.store, name)


def test_an_action_is_true_by_being_written_and_a_controller_carries_it_out_later(stage: Stage) -> None:
    """Also while none runs: the route follows with the next tick."""
    entry = do(stage, "advance", reason="the evidence is there")
    assert (entry.by, entry.because, entry.state.stage) == ("ada", ("the evidence is there",), "canary")
    assert stage.upgrade().entries[-1] == entry
    assert stage.route().share == 0.0
    stage.controller().tick()
    assert stage.route().share == 0.05


def test_what_stood_before_somebody_acted_is_noted(stage: Stage) -> None:
    """The route in force, the controller's last look, and the key it came with."""
    number = stage.store.add_fact("look", WORKFLOW, "u1", {"at": 1.0}, author="segue", at=stage.at)
    entry = do(stage, "pause", key="ci")
    assert entry.evidence == {"key": "ci", "route": 2, "look": number}
    authors = [one.author for one in stage.store.iter_log() if "u1" in one.subject]
    assert authors[-1] == "ada (key ci)"


def test_what_is_not_possible_here_names_what_is(stage: Stage) -> None:
    """In words, and nothing is written."""
    number = stage.upgrade().state.number
    with pytest.raises(InputError, match="defer is not possible in shadow") as refused:
        do(stage, "defer")
    assert "roll back" in refused.value.fix
    assert "abort" in refused.value.fix
    assert stage.upgrade().state.number == number


@pytest.mark.parametrize(("by", "reason"), [("", "why"), ("ada", ""), ("ada", "  ")], ids=["nobody", "empty", "blank"])
def test_nothing_is_done_by_nobody_or_for_no_reason(stage: Stage, by: str, reason: str) -> None:
    """Whoever reads the log in a year wants to know."""
    with pytest.raises(InputError, match="needs a"):
        do(stage, "hold", by=by, reason=reason)


def test_there_is_nothing_to_act_on_without_an_upgrade() -> None:
    """With the command that opens one."""
    with pytest.raises(NotFoundError) as refused:
        do(Stage(), "hold")
    assert refused.value.fix == "Open one: segue upgrade w --candidate BUNDLE"


@pytest.mark.parametrize("action", ["hold", "abort"])
def test_what_stops_it_stops_it_wherever_it_has_got_to(stage: Stage, action: Action) -> None:
    """Somebody's pause in between is read, and the action stands after it, if it is possible there."""
    store: Any = Interrupted(stage, "pause")
    if action == "hold":
        with pytest.raises(InputError, match=r"not possible in shadow \(paused\)"):
            do(stage, action, store=store)
    else:
        assert do(stage, action, store=store).state.stage == "stopped"
    assert [one.event for one in stage.upgrade().entries][-2 if action == "abort" else -1] == "pause"


def test_a_yes_never_lands_on_a_step_its_author_has_not_seen(stage: Stage) -> None:
    """Two advance at once: one goes on by a step, the other is told where it is now."""
    store: Any = Interrupted(stage, "advance")
    with pytest.raises(ConflictError, match="was in shadow, and is in canary, step 1 now"):
        do(stage, "advance", store=store)
    assert stage.upgrade().state.step == 0


def test_a_request_that_is_sent_again_counts_once(stage: Stage) -> None:
    """And one that bears its name and asks for something else is refused."""
    request = Request("r1", "d1")
    first = do(stage, "advance", request=request)
    assert do(stage, "advance", request=request) == first
    assert stage.upgrade().state.step == 0
    with pytest.raises(ConflictError, match="belongs to another request"):
        do(stage, "advance", request=Request("r1", "d2"))


def test_two_who_send_the_same_request_at_once_get_the_same_entry(stage: Stage) -> None:
    """The one that comes late finds what the other wrote."""
    request = Request("r1", "d1")

    class Twice:
        def __init__(self, inner: Store) -> None:
            self._inner, self._left = inner, 1

        def __getattr__(self, name: str) -> Any:
            if name == "add_upgrade_entry" and self._left:
                self._left = 0
                self.made = do(stage, "advance", request=request)
                stage.pretend.now += 1
            return getattr(self._inner, name)

    store: Any = Twice(stage.store)
    assert do(stage, "advance", store=store, request=request) == store.made


def test_a_record_that_was_changed_is_not_read(stage: Stage) -> None:
    """Every fault is named with its place, and none with its content."""
    record = stage.store.get_upgrade("u1")
    entries = [dict(one) for one in record.entries]
    entries[1] = {**entries[1], "event": "secret-word", "at": None}
    broken = type(record)(**{**{name: getattr(record, name) for name in record.__slots__}, "entries": tuple(entries)})
    with pytest.raises(TamperError, match="'u1' cannot be read") as refused:
        read_record(broken)
    places = {one.path for one in refused.value.faults}
    assert places == {"entry 2.event", "entry 2.at"}
    assert "secret-word" not in str([one.sentence() for one in refused.value.faults])


def test_an_entry_that_is_missing_in_the_middle_is_found(stage: Stage) -> None:
    """Numbers count without gaps."""
    record = stage.store.get_upgrade("u1")
    cut = type(record)(**{**{name: getattr(record, name) for name in record.__slots__}, "entries": record.entries[1:]})
    with pytest.raises(TamperError) as refused:
        read_record(cut)
    assert "Entry 1 says that it is number 2." in [one.what for one in refused.value.faults]


def test_reading_gives_what_was_written(stage: Stage) -> None:
    """An entry with evidence comes back equal."""
    upgrade = stage.upgrade()
    decision = act(upgrade.state, "hold", upgrade.plan, by="ada", reason="x", at=stage.pretend.now)
    entry = UpgradeEntry(
        upgrade="u1",
        number=decision.state.number,
        event="hold",
        by="ada",
        at=stage.pretend.now,
        because=("x",),
        effects=decision.effects,
        evidence={"judgement": {"cells": [1, None, "a"]}},
        state=decision.state,
    )
    stage.store.add_upgrade_entry(
        "u1", entry.number, entry.model_dump(mode="json"), ends=False, fence=None, author="ada", at=iso(entry.at)
    )
    assert stage.upgrade() == Upgrade(upgrade.opening, (*upgrade.entries, entry))
