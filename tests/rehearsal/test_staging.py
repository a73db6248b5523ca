"""Staging and the daily eval in a rehearsal: the controller's own replay gate, drift report and daily facts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from segue.controller.daily_facts import list_daily
from segue.controller.reading import PRODUCTION, read_record
from segue.controller.staging_facts import accepted_of, read_result
from segue.exchanges.query import ExchangeLog
from segue.exchanges.selection import Selection
from segue.rehearsal.clock import HOUR_S, MONDAY, NS, VirtualClock
from segue.rehearsal.course import Course
from segue.rehearsal.jobs import VirtualJobs
from segue.rehearsal.preparing import Prepared
from segue.rehearsal.result import Rehearsed
from segue.rehearsal.running import rehearse
from segue.rehearsal.staging import REPLAYED_MOST, RehearsedReplay, recording_hours
from segue.rehearsal.world import Rehearsal
from segue.simulation import Traffic
from segue.store import open_store
from segue.store.base import Store
from segue.upgrade.log import Upgrade
from tests.rehearsal.conftest import a_plan
from tests.rehearsal.test_world import QUICK, a_course

pytestmark = pytest.mark.xdist_group("rehearsal")


@dataclass
class Kept:
    """One rehearsal with what it left behind."""

    done: Rehearsed
    store: Store
    upgrade: Upgrade
    log: ExchangeLog


def keep(prepared: Prepared, course: Course, folder: Path) -> Kept:
    """Run it in `folder`."""
    store = open_store("memory:")
    prepared.furnish(store)
    done = Rehearsal(prepared, course, store, folder).run()
    (record,) = store.list_upgrades()
    return Kept(done, store, read_record(record), ExchangeLog(folder / "spool", folder / "exchanges"))


@pytest.fixture(scope="module")
def kept(prepared: Prepared, tmp_path_factory: pytest.TempPathFactory) -> Kept:
    """As far as the first hours of shadow, with a plan that has tests of its own for staging."""
    plan = a_plan(**QUICK, staging={"integration": ["make", "contract-test"]})
    return keep(prepared, a_course(plan=plan, most_days=0.5), tmp_path_factory.mktemp("staging"))


def test_staging_replays_what_the_log_recorded_before_the_upgrade(kept: Kept) -> None:
    """Each request to both bundles, in the environment of staging; production's evidence begins later."""
    result = read_result(kept.store, "triage", kept.upgrade.opening.upgrade)
    assert result is not None
    assert (result.source, result.n_sent, result.n_left_out) == ("production", REPLAYED_MOST, 0)
    assert result.report is not None
    assert result.report.n_pairs == REPLAYED_MOST
    before = Selection(workflow="triage", environment=PRODUCTION, until_ns=int(MONDAY * NS))
    recorded = {one.exchange.id for one in kept.log.iterate(before, with_bodies=False)}
    replayed = [one.exchange for one in kept.log.iterate(Selection(environment="staging"), with_bodies=False)]
    assert len(replayed) == 2 * REPLAYED_MOST
    assert {one.attributes["segue-replay"].partition(":")[2] for one in replayed} <= recorded
    assert {one.arm for one in replayed} == {"incumbent", "shadow"}


def test_what_moved_is_accepted_by_name_and_then_it_goes_on(kept: Kept) -> None:
    """The controller's own gate held it; a person's acceptance is a fact, and its resumption an entry."""
    events = [one.event for one in kept.done.story]
    held = events.index("staging_failed")
    assert events[held + 1 : held + 3] == ["resume", "passed"]
    state = kept.upgrade.state
    assert [one.dimension for one in accepted_of(kept.store, "triage", state.incumbent, state.candidate)] == ["length"]


def test_what_cannot_be_rehearsed_of_it_is_said(kept: Kept) -> None:
    """The team's own command, the rest of a week's traffic, and people who read."""
    told = "\n".join(kept.done.remarks)
    assert "make contract-test" in told
    assert f"replayed {REPLAYED_MOST} requests" in told
    assert "reads outputs" in told


def test_where_nobody_accepts_it_holds_in_staging(prepared: Prepared) -> None:
    """And nobody meets the candidate."""
    found = rehearse(prepared, a_course(accept_after_s=None))
    assert (found.ending, found.where, found.exposed_units) == ("holding", "staging (holding)", 0)


def test_a_broken_contract_is_accepted_by_nobody(prepared: Prepared) -> None:
    """Whatever else is."""
    found = rehearse(prepared, a_course("fence +50%"))
    assert (found.ending, found.where) == ("holding", "staging (holding)")
    assert any("breaks the contract" in one for one in found.story[-1].because)


def test_gone_past_by_a_person_shadow_sees_it_next(prepared: Prepared) -> None:
    """`--past staging`: by name, in the log."""
    found = rehearse(prepared, a_course("fence +50%", past=frozenset(("staging",)), most_days=0.2))
    assert found.where.startswith("shadow")
    assert any(one.event == "advance" and one.by for one in found.story)


def test_with_nothing_replayed_staging_is_not_passed(prepared: Prepared, monkeypatch: pytest.MonkeyPatch) -> None:
    """So what passes it really comes from the replay."""
    monkeypatch.setattr(RehearsedReplay, "_asker", lambda *_: None)
    found = rehearse(prepared, a_course())
    assert found.ending == "holding"
    assert any("Only 0 pairs" in one for told in found.story for one in told.because)


def test_both_bundles_are_asked_the_suite_each_day(kept: Kept) -> None:
    """By the daily eval that ships: same cases, real scorers, a fact for each bundle."""
    found = list_daily(kept.store, kept.upgrade)
    assert [(one.day, one.role, one.n_answered) for one in found] == [
        ("2026-01-05", "incumbent", 120),
        ("2026-01-05", "candidate", 120),
    ]
    for one in found:
        n, total, _ = one.metrics["right"].cells[""]
        assert (n, total > 90) == (120, True)


def test_a_drop_shows_in_the_daily_eval_and_keeps_the_soak_open(prepared: Prepared, tmp_path: Path) -> None:
    """A gate that sees nothing of it leaves that to the suite."""
    gate = {"metric": "usable", "baseline": 0.99, "better": "higher", "hold": "6 points", "rollback": "7 points", "age": 0.01}
    plan = a_plan(**{**QUICK, "gates": [gate], "shadow": {"length": 0}, "soak": 1.0})
    traffic = Traffic(6_000, tuple([1 / 24] * 24))
    course = a_course("right -60pts from soak", plan=plan, most_days=3.0, traffic=traffic, look_s=43_200.0)
    found = keep(prepared, course, tmp_path)
    assert found.done.where.startswith("soak")
    missing = [one for fact in found.store.list_facts("triage", kind="look") for one in fact.body.get("missing", ())]
    assert any(one.startswith("right got worse") or " got worse, " in one for one in missing)


def test_a_job_is_done_once_and_when_its_time_has_passed() -> None:
    """Looked at as often as one likes."""
    clock, done = VirtualClock(), list[tuple[str, ...]]()
    jobs = VirtualJobs(clock, {"replay": (lambda words: done.append(tuple(words)), HOUR_S)})
    assert jobs.look("a").standing == "absent"
    jobs.start("a", ["segue", "replay", "w"])
    jobs.start("a", ["segue", "replay", "other"])
    assert (jobs.look("a").standing, done) == ("running", [])
    clock.now += HOUR_S
    assert [jobs.look("a").standing for _ in range(2)] == ["ended", "ended"]
    assert done == [("segue", "replay", "w")]


def test_no_more_is_recorded_than_staging_looks_back() -> None:
    """Thin traffic is recorded for as long as the plan replays; thick traffic for an hour."""
    assert recording_hours(10.0, 7.0, 100) == 7 * 24
    assert recording_hours(1e6, 7.0, 100) == 1
    assert recording_hours(3_960.0, 7.0, 100) == 2
