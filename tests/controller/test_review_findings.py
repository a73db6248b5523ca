"""What a reader with fresh eyes found: sequences of events in which nobody would have looked, or the wrong thing counted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import cast

import pytest

from segue.controller.actions import act_on
from segue.controller.daily_facts import last_trouble
from segue.controller.jobs import Job, Jobs
from segue.controller.suites import EvalJobs
from segue.controller.suites_endpoint import Endpoint
from segue.errors import ConflictError, InputError
from segue.exchanges import Outcome
from segue.model import Budgets, Bundle
from segue.model.plan import Plan, PlanGate, PlanStep, ShadowSpec
from segue.model.plan_people import ApprovalRule
from segue.store.base import Store
from segue.upgrade.decide import act, decide
from segue.upgrade.event import event_of
from segue.upgrade.seen import RouteSeen, Seen
from segue.upgrade.state import Approval, Period, UpgradeState
from tests.controller.live_builders import DAY, NEW, OLD, T0, Log, a_plan, entered, in_canary, served, traffic
from tests.controller.pretend import WORKFLOW, Killed, Stage, Trouble, judged

NOW = 1_800_000_000.0


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    """Empty."""
    found = Log(tmp_path)
    yield found
    found.close()


def in_first_step(stage: Stage) -> None:
    """An upgrade that serves the candidate to some, led by a controller that is gone by now."""
    stage.open()
    controller = stage.controller()
    stage.days(controller, 2)
    controller.leave()
    assert stage.upgrade().state.stage == "canary"
    stage.pretend.verdict, stage.pretend.limit = "harm", "rollback"
    stage.pretend.now += 60.0


def test_a_record_that_cannot_be_read_leaves_the_others_looked_after() -> None:
    """Somebody else's upgrade is damaged, or of another version of Segue: this one is rolled back none the less."""
    stage = Stage()
    in_first_step(stage)
    stage.store.open_upgrade("broken", "other", "production", {"not": "an opening"}, author="ada", at=stage.at)
    took = stage.controller("c2").tick()
    assert stage.upgrade().state.stage == "rolled_back"
    assert stage.route().candidate is None
    assert took is not None


@pytest.mark.parametrize("kind", ["refused", "a fault of ours"])
def test_a_daily_eval_that_cannot_begin_hides_no_harm(kind: str) -> None:
    """The disk is full, or a folder is not ours: the look at live traffic is made none the less."""
    stage = Stage()
    in_first_step(stage)

    def told(when: str, name: str) -> None:
        if (when, name) == ("before", "keep_up"):
            raise InputError("It cannot begin.", fix="Mend it.") if kind == "refused" else OSError("no space left")

    took = stage.controller("c2", told).tick()
    assert stage.upgrade().state.stage == "rolled_back"
    assert stage.route().candidate is None
    assert took is not None


def test_budgets_that_cannot_be_read_hide_no_harm_and_let_nothing_pass(log: Log) -> None:
    """Somebody saves a fault in the workflow's file: harm is seen, and nothing goes on before it is mended."""

    def broken(workflow: str) -> Budgets:
        raise InputError(f"{workflow}/workflow.yaml is no YAML.", fix="Mend it.")

    log.write(traffic(days=2, per_day=1500, share=0.25, good=lambda arm, task: 0.6 if arm == "candidate" else 0.9))
    seen = log.evidence(budgets=broken).look(in_canary(), T0 + 2 * DAY)
    assert seen.judgement is not None
    assert seen.judgement.verdict == "harm"
    assert any("workflow.yaml" in one for one in seen.missing or ())


def test_incidents_on_unknown_exchanges_crowd_out_none(log: Log) -> None:
    """Somebody told of forty exchanges that are in no log: the one that the candidate answered is found all the same."""
    log.write([served(T0 + 1, 7, "candidate")])
    names = [f"a{number:07d}" for number in range(40)] + ["x0000007"]
    told = (Outcome(name, "critical_incident", "reviewer", "1", int((T0 + 9) * 1e9), 1.0, workflow="reply") for name in names)
    log.write(told, ship=False)
    evidence = log.evidence()
    found: list[str] = []
    for look in range(4):
        found += evidence.look(in_canary(), T0 + 10 + look).incidents
    assert any("x0000007" in one for one in found)


def test_the_canary_keeps_nothing_of_what_the_soak_serves(log: Log) -> None:
    """Its blocks are all read: what is served afterwards waits for none of them, and would be kept for weeks."""
    plan = a_plan(soak=2.0)
    log.write(traffic(days=1, per_day=400, share=0.25))
    log.write(traffic(days=1, per_day=400, share=1.0, since=T0 + DAY, first=1000))
    soaking = entered(in_canary(plan), "soak", T0 + DAY)
    evidence = log.evidence()
    evidence.look(soaking, T0 + 2 * DAY)
    pool = evidence._canaries["up"].feed._pool
    assert pool is None or len(pool) == 0


def test_what_the_fallback_answered_says_nothing_of_the_candidate(log: Log) -> None:
    """A candidate that is cut off altogether looks as good as the incumbent, which answers in its place."""
    rows = []
    for one in traffic(days=2, per_day=1500, share=0.25):
        rows.append(
            served(
                one.at_ns / 1e9,
                int(one.id[1:]),
                one.arm,
                slices=dict(one.slices),
                scores=dict(one.scores),
                **({"fallback_from": NEW, "answered_by": OLD} if one.arm == "candidate" else {}),
            )
        )
    log.write(rows)
    seen = log.evidence().look(in_canary(), T0 + 2 * DAY)
    assert seen.judgement is not None
    assert seen.judgement.verdict != "safe"
    assert seen.missing


APPROVED = Plan(
    steps=(PlanStep(share=0.05, hold=1),),
    gates=(PlanGate(metric="right"),),
    shadow=ShadowSpec(length=1),
    approvals=(ApprovalRule(name="owner", who=("ada",)),),
)


def a_state(stage: str = "canary", **given: object) -> UpgradeState:
    """Of an upgrade that has lasted a while."""
    values = {
        "upgrade": "u",
        "workflow": "w",
        "incumbent": "a" * 64,
        "candidate": "b" * 64,
        "stage": stage,
        "entered_at": NOW - 9 * DAY,
        "periods": (Period(begin=NOW - 9 * DAY),),
    }
    return UpgradeState.model_validate({**values, **given})


def test_a_yes_to_evidence_that_was_void_is_asked_for_again() -> None:
    """The comparison was broken, and begins anew: whoever approved it, or took harm upon them, saw nothing."""
    state = a_state(
        standing="holding",
        held_by="invalid",
        approvals=(Approval(by="ada", reason="looks good", at=NOW - DAY),),
        asked_for_approval=True,
        accepted=("harm_hold", "overdue"),
    )
    after = act(state, "resume", APPROVED, by="ada", reason="assignment is mended", at=NOW).state
    assert after.restarts == 1
    assert (after.approvals, after.asked_for_approval, after.accepted) == ((), False, ())


def test_a_shadow_that_is_never_wholly_covered_asks_for_people() -> None:
    """Its time counts at full coverage only, so it could not be overdue, and waited without a word."""
    seen = Seen(
        at=NOW,
        route=RouteSeen("as asked", 3),
        missing=("No pair of answers has come of age yet.",),
        served_s=0.0,
        quiet_s=1.0,
        incumbent_answers=True,
    )
    found = event_of(a_state("shadow"), seen, APPROVED)
    assert found is not None
    assert found[0] == "overdue"


def test_an_effect_that_cannot_be_carried_out_hides_no_harm() -> None:
    """A notice or a report that fails at every look: the look is made none the less."""
    stage = Stage()
    stage.open()

    def told(when: str, name: str) -> None:
        state = stage.upgrade().state
        if (when, name) == ("before", "send") and state.stage == "canary":
            raise InputError("It cannot be sent.", fix="Mend it.")

    stage.days(stage.controller("c1", told), 2)
    assert stage.upgrade().state.stage == "canary"
    stage.pretend.verdict, stage.pretend.limit = "harm", "rollback"
    stage.pretend.now += 60.0
    controller = stage.controller("c1", told)
    controller.tick()
    controller.tick()
    assert stage.upgrade().state.stage == "rolled_back"
    assert stage.route().candidate is None


def test_a_notice_that_cannot_be_sent_keeps_no_rollback_back() -> None:
    """The controller was killed between the decision and its flip, and an older entry's notice fails for ever."""
    stage = Stage()
    stage.open()

    def told(when: str, name: str) -> None:
        if (when, name) == ("before", "send") and stage.upgrade().state.standing == "holding":
            raise InputError("It cannot be sent.", fix="Mend it.")
        if (when, name) == ("before", "flip_route") and stage.upgrade().state.stage == "rolled_back":
            raise Killed

    def unsent(when: str, name: str) -> None:
        if (when, name) == ("before", "send"):
            raise InputError("It cannot be sent.", fix="Mend it.")

    stage.days(stage.controller("c1", told), 2)
    stage.person("hold")
    stage.pretend.verdict, stage.pretend.limit = "harm", "rollback"
    with pytest.raises(Killed):
        stage.controller("c1", told).tick()
    assert stage.route().candidate is not None
    stage.controller("c1", unsent).tick()
    assert stage.route().candidate is None


def test_nobody_takes_upon_them_what_held_it_only_since_they_looked() -> None:
    """It was held by silence; while somebody resumes, it is resumed and held by harm instead."""
    stage = Stage()
    stage.open()
    controller = stage.controller()
    stage.days(controller, 2)
    stage.pretend.is_quiet = True
    stage.days(controller, 1.5)
    assert stage.upgrade().state.held_by == "quiet"
    seen: list[str] = []

    def told(when: str, name: str) -> None:
        if (when, name) == ("before", "add_upgrade_entry") and not seen:
            seen.append(name)
            stage.person("resume")
            stage.pretend.is_quiet = False
            stage.pretend.verdict, stage.pretend.limit = "harm", "hold"
            controller.tick()
            assert stage.upgrade().state.held_by == "harm_hold"

    store = cast(Store, Trouble(stage.store, told))
    with pytest.raises(ConflictError, match="moved on"):
        act_on(store, WORKFLOW, "resume", by="bo", reason="traffic is back", at=stage.pretend.now)
    assert stage.upgrade().state.accepted == ()


def test_a_record_from_a_clock_that_is_wrong_is_no_traffic(log: Log) -> None:
    """One of next year, and nothing else for five days: that is silence."""
    log.write([served(T0 + 1, 1, "candidate"), served(T0 + 365 * DAY, 2, "candidate")])
    seen = log.evidence().look(in_canary(), T0 + 5 * DAY)
    assert seen.quiet_s == 5 * DAY - 1


class Dying:
    """Jobs that are killed as soon as they are begun."""

    def __init__(self) -> None:
        self.begun: list[str] = []

    def look(self, name: str) -> Job:
        return Job(name, "died" if name in self.begun else "absent")

    def start(self, name: str, words: Sequence[str], **environ: str) -> None:
        self.begun.append(name)

    def log_of(self, name: str) -> Path:
        return Path(name)


def test_a_daily_eval_that_is_killed_each_time_is_not_paid_for_without_end() -> None:
    """A few tries a day, and then people are told."""
    stage = Stage()
    stage.open()
    jobs = Dying()
    evals = EvalJobs(stage.store, cast(Jobs, jobs), lambda: stage.pretend.now, lambda: Endpoint("http://there", "key"))
    for _ in range(20):
        stage.pretend.now += 2.0
        evals.keep_up(stage.upgrade(), stage.pretend.now)
    assert len(jobs.begun) == 3
    assert "killed 3 times" in str(last_trouble(stage.store, stage.upgrade()))


def test_whom_somebody_made_the_incumbent_during_the_eval_stays_it() -> None:
    """Evidence brings a candidate in; it takes nobody's hotfix back without a word."""
    stage = Stage()
    stage.open()
    stage.pretend.suite = "hold"
    controller = stage.controller()
    controller.tick()
    assert stage.upgrade().state.stage == "eval"
    bundle = Bundle.model_validate({"workflow": WORKFLOW, "model": {"provider": "p", "snapshot": "hotfix"}})
    stage.store.add_bundle(bundle, author="bo", at=stage.at)
    last = stage.store.find_route(WORKFLOW, "production")
    route = last.route.model_copy(update={"incumbent": bundle.digest}).following(last.route)
    stage.store.flip_route(route, follows=last.revision, author="bo", reason="hotfix", at=stage.at)
    stage.pretend.suite = "pass"
    stage.person("resume")
    stage.days(controller, 0.5)
    assert stage.route().incumbent == bundle.digest
    assert (stage.upgrade().state.stage, stage.upgrade().state.held_by) == ("shadow", "route_changed")


@pytest.mark.parametrize("wrong", ["invalid", "incumbent_silent"])
def test_a_lesser_hold_is_no_way_round_what_nobody_may_pass(wrong: str) -> None:
    """It was held for less, and only then came to be so that nobody may advance."""
    state = a_state(standing="holding", held_by="harm_hold")
    seen = Seen(
        at=NOW,
        route=RouteSeen("as asked", 3),
        judgement=judged("invalid") if wrong == "invalid" else judged("inconclusive"),
        missing=("x",),
        quiet_s=1.0,
        incumbent_answers=wrong != "incumbent_silent",
    )
    decision = decide(state, seen, APPROVED.model_copy(update={"approvals": ()}))
    assert decision is not None
    assert decision.state.held_by == wrong
    with pytest.raises(InputError, match="cannot be left"):
        act(decision.state, "advance", APPROVED.model_copy(update={"approvals": ()}), by="ada", reason="on", at=NOW)


def test_what_is_paused_is_resumed_before_it_is_advanced() -> None:
    """What was seen while it was paused is looked at first."""
    plan = APPROVED.model_copy(update={"approvals": ()})
    with pytest.raises(InputError, match="not possible"):
        act(a_state(standing="paused"), "advance", plan, by="ada", reason="on", at=NOW)
