"""Rolling back through the store: the route, the log of the upgrade and the incident, once each, without a controller."""

from __future__ import annotations

from typing import Any

import pytest

from segue.controller.actions import act_on
from segue.controller.incidents import INCIDENT, list_incidents
from segue.controller.reading import read_named
from segue.controller.rolling_back import note_rollback, roll_back, take_back
from segue.errors import ConflictError, InputError, NotFoundError, StoreError
from segue.model.route import RouteRevision
from segue.store import MemoryStore
from segue.upgrade.decide import decide
from segue.upgrade.log import UpgradeEntry
from segue.upgrade.seen import Seen, SuiteSeen
from segue.upgrade.state import Stage
from tests.controller.undertaken import NEW, NOW, OLD, a_plan, an_upgrade, rolled_back

LATER = NOW + 60


class Broken:
    """A store that flips routes and writes into no upgrade's log."""

    def __init__(self, inner: MemoryStore) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def add_upgrade_entry(self, *given: object, **named: object) -> None:
        """As where the disk is full."""
        raise StoreError("The disk is full.")


class MovesOn(Broken):
    """A store in which a controller lets the candidate in, just before the first entry of somebody else."""

    _has_moved = False

    def add_upgrade_entry(self, *given: Any, **named: Any) -> None:
        """The controller's, then theirs, which finds its number taken."""
        if not self._has_moved:
            self._has_moved = True
            state = read_named(self._inner, "mail-1").state
            state = state.model_copy(update={"stage": "canary", "number": 2})
            entry = UpgradeEntry(upgrade="mail-1", number=2, event="passed", at=LATER, state=state)
            body = entry.model_dump(mode="json")
            self._inner.add_upgrade_entry("mail-1", 2, body, ends=False, fence=None, author="segue", at="t")
        self._inner.add_upgrade_entry(*given, **named)


@pytest.fixture
def store() -> MemoryStore:
    """An empty one."""
    return MemoryStore()


def test_the_gateways_are_told_before_anything_is_written_down(store: MemoryStore) -> None:
    """Then the entry, then the incident; the route serves the incumbent alone."""
    upgrade = an_upgrade(store)
    seen: list[tuple[RouteRevision, int]] = []

    def tell(revision: RouteRevision) -> None:
        seen.append((revision, len(read_named(store, "mail-1").entries)))

    done = roll_back(store, "mail", by="ada", reason="it burns", at=LATER, tell=tell)
    route = done.revision.route
    assert (route.incumbent, route.candidate, route.share) == (OLD.digest, None, 0.0)
    assert seen == [(done.revision, len(upgrade.entries))]
    assert (done.is_new, done.upgrade, done.incident) == (True, "mail-1", "mail-1-2")
    assert done.entry is not None
    assert (done.entry.event, done.entry.by, done.entry.because) == ("roll_back", "ada", ("it burns",))
    assert read_named(store, "mail-1").state.stage == "rolled_back"


def test_done_twice_it_happened_once(store: MemoryStore) -> None:
    """The second finds it in force; a person's rollback and the controller's finding it meet in one incident."""
    an_upgrade(store)
    first = roll_back(store, "mail", by="ada", reason="it burns", at=LATER)
    again = roll_back(store, "mail", by="bob", reason="too", at=LATER + 1)
    assert (again.is_new, again.revision) == (False, first.revision)
    assert len(list_incidents(store)) == 1
    assert note_rollback(store, first, by="ada", reason="it burns", at=LATER).incident == "mail-1-2"
    assert len(store.list_facts("mail", kind=INCIDENT)) == 1


def test_a_controller_that_was_quicker_has_written_it(store: MemoryStore) -> None:
    """It saw the route taken back between the flip and the entry: nothing is refused, nothing is said twice."""
    an_upgrade(store)
    done = take_back(store, "mail", by="ada", reason="it burns", at=LATER)
    before = read_named(store, "mail-1")
    state = before.state.model_copy(update={"stage": "rolled_back", "number": 2})
    entry = UpgradeEntry(
        upgrade="mail-1", number=2, event="rolled_back_elsewhere", at=LATER, state=state, effects=("incident",)
    )
    body = entry.model_dump(mode="json")
    store.add_upgrade_entry("mail-1", 2, body, ends=True, fence=None, author="segue", at="t")
    noted = note_rollback(store, done, by="ada", reason="it burns", at=LATER)
    assert (noted.entry, noted.notes) == (entry, ())
    assert len(read_named(store, "mail-1").entries) == 2


@pytest.mark.parametrize("stage", ["canary", "soak", "shadow", "eval"])
def test_a_rollback_in_any_stage_leaves_the_incumbent_alone(store: MemoryStore, stage: Stage) -> None:
    """Users met the candidate in canary and soak: there an incident follows. Where there was nobody to take back, a note."""
    an_upgrade(store, stage=stage)
    done = roll_back(store, "mail", by="ada", reason="it burns", at=LATER)
    assert done.revision.route.candidate is None
    assert (done.incident is not None) == (stage in ("canary", "soak"))
    assert bool(done.notes) == (stage == "eval")


@pytest.mark.parametrize("stage", ["decide", "eval", "retune", "staging"])
def test_before_shadow_a_rollback_ends_the_upgrade(store: MemoryStore, stage: Stage) -> None:
    """An operator aborts it, in their name and for their reason: it does not go on towards users behind their back."""
    an_upgrade(store, stage=stage)
    done = roll_back(store, "mail", by="ada", reason="not this week", at=LATER)
    assert done.entry is not None
    assert (done.entry.event, done.entry.by, done.entry.because) == ("abort", "ada", ("not this week",))
    assert (read_named(store, "mail-1").state.stage, done.incident, done.goes_on) == ("stopped", None, False)
    assert done.notes == (
        f"Nobody had met the candidate of upgrade mail-1, in {stage}: there was no one to take back. The upgrade is aborted.",
    )
    again = roll_back(store, "mail", by="ada", reason="again", at=LATER + 1)
    assert (again.is_new, again.notes, again.goes_on) == (False, (), False)


@pytest.mark.parametrize("stage", ["decide", "eval", "staging"])
def test_before_shadow_whoever_may_not_abort_holds_it(store: MemoryStore, stage: Stage) -> None:
    """And is told who may; nothing that is seen lets it go on again, and an operator's resumption does."""
    upgrade = an_upgrade(store, stage=stage, plan=a_plan(operators=("olga", "otto"), roll_back=("rita",)))
    done = roll_back(store, "mail", by="rita", reason="not this week", at=LATER)
    state = read_named(store, "mail-1").state
    assert (state.stage, state.standing, state.because, done.goes_on) == (stage, "holding", ("not this week",), False)
    assert "It is held, and goes on if an operator resumes it." in done.notes[0]
    assert done.notes[0].endswith("To end it is for olga or otto: segue upgrade abort mail --reason '…'")
    passed = Seen(LATER + 1, missing=(), suite=SuiteSeen("pass", may_migrate=True, verdict="v"), staging_passed=True)
    assert decide(state, passed, upgrade.plan) is None
    assert decide(upgrade.state, passed, upgrade.plan) is not None
    assert act_on(store, "mail", "resume", by="olga", reason="after all", at=LATER + 2).state.standing == "going"


def test_what_holds_it_already_holds_it_on(store: MemoryStore) -> None:
    """Whoever rolls back before shadow takes nothing upon them that the evidence holds against it."""
    before = an_upgrade(store, stage="eval", plan=a_plan(operators=("olga",), roll_back=("rita",)))
    state = before.state.model_copy(update={"standing": "holding", "held_by": "suite_open", "number": 2})
    entry = UpgradeEntry(upgrade="mail-1", number=2, event="suite_open", at=LATER, state=state)
    store.add_upgrade_entry("mail-1", 2, entry.model_dump(mode="json"), ends=False, fence=None, author="segue", at="t")
    assert not roll_back(store, "mail", by="rita", reason="it burns", at=LATER).goes_on
    found = read_named(store, "mail-1").state
    assert (found.number, found.standing, found.held_by) == (3, "holding", "suite_open")


@pytest.mark.parametrize(("stage", "goes_on"), [("eval", True), ("canary", False)])
def test_an_upgrade_that_cannot_be_stopped_is_said_to_go_on(store: MemoryStore, stage: Stage, goes_on: bool) -> None:
    """Where users meet the candidate, the route as it is stops it; before, nothing does, and the remedy is named."""
    an_upgrade(store, stage=stage)
    broken: Any = Broken(store)
    done = roll_back(broken, "mail", by="ada", reason="it burns", at=LATER)
    assert (done.goes_on, done.entry) == (goes_on, None)
    assert ("segue upgrade abort mail --reason" in done.notes[-1], " yet: " in done.notes[-1]) == (goes_on, not goes_on)


def test_an_upgrade_that_reached_users_meanwhile_is_rolled_back(store: MemoryStore) -> None:
    """It was in staging when it was read, and in its first step when it was to be aborted."""
    an_upgrade(store, stage="staging")
    moving: Any = MovesOn(store)
    done = roll_back(moving, "mail", by="ada", reason="it burns", at=LATER)
    assert done.entry is not None
    assert (done.entry.event, done.entry.state.stage, done.goes_on) == ("roll_back", "rolled_back", False)
    assert done.notes == ()


def test_only_those_whom_the_plan_names_may(store: MemoryStore) -> None:
    """The refusal names them, and the route stays."""
    an_upgrade(store, plan=a_plan(operators=("olga",), roll_back=("rita", "rolf")))
    before = store.find_route("mail", "production")
    with pytest.raises(InputError, match=r"ada may not roll back 'mail'.*olga or rita or rolf"):
        roll_back(store, "mail", by="ada", reason="it burns", at=LATER)
    assert store.find_route("mail", "production") == before
    assert roll_back(store, "mail", by="rita", reason="it burns", at=LATER).is_new


def test_a_plan_that_cannot_be_read_stops_nobody(store: MemoryStore) -> None:
    """Users come first; it is said so."""
    upgrade = an_upgrade(store)
    rolled_back(store, upgrade)
    opening = {**upgrade.opening.model_dump(mode="json"), "upgrade": "mail-2", "plan": {"gates": "?"}}
    store.open_upgrade("mail-2", "mail", "production", opening, author="ada", at="t")
    done = roll_back(store, "mail", by="anyone", reason="it burns", at=LATER)
    assert done.is_new
    assert "plan of upgrade mail-2 cannot be read, so anyone may" in done.notes[0]
    assert "not in the log of upgrade mail-2 yet" in done.notes[1]


def test_what_the_store_lets_through_too_late_is_not_done(store: MemoryStore) -> None:
    """Nobody waits for it any more, and somebody may have let the candidate in anew since."""
    an_upgrade(store)
    before = store.find_route("mail", "production")
    with pytest.raises(StoreError, match="given up"):
        take_back(store, "mail", by="ada", reason="it burns", at=LATER, is_late=lambda: True)
    assert store.find_route("mail", "production") == before


def test_a_note_that_comes_late_stays_out_of_the_next_upgrade(store: MemoryStore) -> None:
    """What was meant for one is not done to another that was opened since."""
    upgrade = an_upgrade(store)
    rolled_back(store, upgrade)
    opening = {**upgrade.opening.model_dump(mode="json"), "upgrade": "mail-2"}
    store.open_upgrade("mail-2", "mail", "production", opening, author="ada", at="t")
    with pytest.raises(ConflictError, match="meant for mail-1"):
        act_on(store, "mail", "roll_back", by="ada", reason="it burns", at=LATER, of="mail-1")
    assert read_named(store, "mail-2").entries == ()


def test_without_an_upgrade_the_route_is_taken_back_all_the_same(store: MemoryStore) -> None:
    """One that was set by hand; no route at all is an error, and so is nobody."""
    with pytest.raises(NotFoundError):
        roll_back(store, "mail", by="ada", reason="it burns", at=LATER)
    upgrade = an_upgrade(store)
    rolled_back(store, upgrade)
    with pytest.raises(InputError, match="Who rolls back"):
        roll_back(store, "mail", by=" ", reason="it burns", at=LATER)
    done = roll_back(store, "mail", by="ada", reason="it burns", at=LATER)
    assert (done.is_new, done.upgrade, done.entry) == (True, None, None)
    assert NEW.digest not in set(done.revision.route.bundles())
