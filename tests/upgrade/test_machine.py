"""The upgrade's state machine, driven by anything at any time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from segue.errors import InputError
from segue.model.plan import Plan, PlanGate, PlanStep, ShadowSpec
from segue.model.plan_people import ApprovalRule
from segue.model.route import Route
from segue.upgrade.decide import Decision, act, decide, possible
from segue.upgrade.event import lengths
from segue.upgrade.people import missing_approvals, roles_of
from segue.upgrade.seen import RouteSeen, Seen, SuiteSeen
from segue.upgrade.state import ENDED, EXPOSED, ORDER, Period, Stage, Standing, UpgradeState
from segue.upgrade.table import ROWS, Action, Observed, find_row
from segue.upgrade.wanted import most_share, wanted_route
from tests.upgrade.builders import COST, NEWER, OLD, SLOW, all_well, began, harmed, judged

PLANS = [
    Plan(preset="1-5-25-100", gates=(PlanGate(metric="right"),)),
    Plan(steps=(PlanStep(share=0.5, hold=0.5),), gates=(PlanGate(metric="right"),), shadow=ShadowSpec(length=0), soak=0),
    Plan(steps=(PlanStep(share=0.1, hold=2), PlanStep(share=0.5, hold=3)), gates=(PlanGate(metric="right"),), cycle=7),
]
SEGMENTED = Plan(
    preset="internal-5-50-100",
    gates=(PlanGate(metric="right"),),
    segments={"internal": {"share": 0.02, "where": {"staff": "yes"}}},
    holdback=0.02,
)
RULES = (
    ApprovalRule(name="legal", who=("lea", "max"), before="everyone"),
    ApprovalRule(name="owner", who=("olga",), before="every step"),
    ApprovalRule(name="ops", who=("olga", "max"), before="step 2"),
    ApprovalRule(name="close", who=("lea",), before="completion"),
)
WATCHED = PLANS[0].model_copy(update={"approvals": RULES, "operators": ("ada", "bo"), "roll_back": ("rob",)})
HARMED = (harmed("right"), harmed("fluent@lang=de"), harmed("right", "fluent@lang=de"), harmed("right", invalid="fluent"))
JUDGEMENTS = st.sampled_from(
    [
        None,
        judged("safe"),
        judged("inconclusive"),
        judged("invalid"),
        judged("harm", "hold"),
        judged("harm", "rollback"),
        *HARMED,
    ]
)
SEEN = st.builds(
    Seen,
    at=st.floats(0, 1e7),
    suite=st.none() | st.builds(SuiteSeen, st.sampled_from(["pass", "caution", "hold", "fail"]), st.booleans(), st.just("v")),
    staging_passed=st.none() | st.booleans(),
    route=st.none()
    | st.builds(
        RouteSeen, st.sampled_from([*["as asked"] * 9, "unconfirmed", "unconfirmed", "rolled back", "changed"]), st.just(3)
    )
    | st.just(RouteSeen("unconfirmed", 3, unconfirmed_s=20.0)),
    judgement=JUDGEMENTS,
    missing=st.sampled_from([None, (), (), ("right on refund",)]),
    served_s=st.sampled_from([0.0, 1e4, 1e6, 14 * 86_400.0, 14_000 * 86_400.0]),
    quiet_s=st.sampled_from([None, 0.0, 0.0, 1e7]),
    incidents=st.sampled_from([*[()] * 15, ("leaked a name",)]),
    over_budget=st.sampled_from([(), (), (COST,), (SLOW,), (COST, SLOW)]),
    incumbent_answers=st.sampled_from([None, True, True, True, False]),
    incumbent_unheard_s=st.sampled_from([None, 0.0, 1e6]),
)


class AnythingAtAnyTime(RuleBasedStateMachine):
    """Observations and people in any order: what must hold of an upgrade holds after each of them."""

    @initialize(
        plan=st.sampled_from([*PLANS, SEGMENTED, *[one.model_copy(update={"approvals": RULES}) for one in PLANS], WATCHED]),
        stage=st.sampled_from(["decide", "staging", "canary", "canary"]),
    )
    def open(self, plan: Plan, stage: Stage) -> None:
        """Begin; or find it under way, for the way there is long."""
        self.plan, self.state = plan, began(stage=stage)
        self.route = wanted_route(self.state, plan, Route(workflow="w", incumbent=OLD))
        self.named: set[str] = set()
        """What held it in this step, by name."""
        self.patient_from = self.lasts_from = 0.0
        """When its patience with gateways began, and after how much counted time its longest length did."""

    @rule(seen=SEEN)
    def look(self, seen: Seen) -> None:
        """An observation, late, doubled or from a clock that jumped."""
        before, found = self.state, decide(self.state, seen, self.plan)
        self._waited_long_enough(before, seen, found)
        if found is None:
            return
        self._took(before, found)
        after = found.state
        if found.event == "unconfirmed":
            self.patient_from = max(self.patient_from, after.periods[-1].end or 0.0)
        if _place(after, self.plan) > _place(before, self.plan) and before.stage in ("shadow", "canary", "soak"):
            assert found.event == "passed"
            assert before.standing == "going"
            assert missing_approvals(before, self.plan) == ()
            assert seen.missing == ()
            assert seen.incumbent_answers or (seen.incumbent_answers is None and "incumbent_unheard" in before.accepted)
            assert seen.served_s >= lengths(before, self.plan)[0]
            assert seen.judgement is None or seen.judgement.verdict in ("safe", "inconclusive", "harm")
            assert _place(after, self.plan) == _place(before, self.plan) + 1
        if before.is_exposed and seen.judgement == judged("harm", "rollback"):
            assert after.stage == "rolled_back"
        # The same evidence once more changes nothing that it has changed already.
        again = decide(after, seen, self.plan)
        assert again is None or again.event != found.event or found.event in ("passed", "confirmed")

    @rule(
        action=st.sampled_from([*get_args(Action), *["resume"] * 5]),
        by=st.sampled_from(["ada", "bo", "lea", "max", "olga", "rob"]),
        at=st.floats(0, 1e7),
    )
    def person(self, action: Action, by: str, at: float) -> None:
        """A person tries something."""
        before = self.state
        try:
            found = act(before, action, self.plan, by=by, reason="because", at=at, candidate=NEWER)
        except InputError:
            return
        row = find_row(before.stage, before.standing, action, before.held_by)
        assert row is not None
        assert row.who in roles_of(self.plan, by)
        if action == "advance":
            assert missing_approvals(before, self.plan) == ()
            assert before.held_by not in ("invalid", "incumbent_silent")
        self._took(before, found)
        if action == "resume":
            assert set(found.state.accepted) <= {*before.accepted, *self.named, "incumbent_unheard"}
            self.patient_from = at
            if before.held_by == "overdue":
                self.lasts_from = before.counted_s(at)

    @rule(first=SEEN, at=st.floats(0, 1e7), then=SEEN)
    def resume(self, first: Seen, at: float, then: Seen) -> None:
        """What holds it is taken upon somebody at once, and then it is looked at again."""
        self.look(first)
        if self.state.standing == "holding":
            self.person("resume", "ada", at)
            self.look(then)

    def _waited_long_enough(self, before: UpgradeState, seen: Seen, found: Decision | None) -> None:
        """What nobody took upon them lets nobody go on; want of time, and of gateways, is told of in good time."""
        live = before.standing == "going" and before.stage in ("shadow", "canary", "soak")
        stays = found is not None and (found.state.standing != "going" or found.state.is_ended)
        if live and not shown_by(seen) <= set(before.accepted):
            assert stays
        if live and any(one.verdict == "invalid" for one in (() if seen.judgement is None else seen.judgement.cells)):
            assert stays
        if found is not None and found.event == "unserved":
            assert not before.is_counting
            assert seen.at > self.patient_from + self.plan.cycle * 86_400.0
        longest = lengths(before.model_copy(update={"lasts_from_s": None}), self.plan)[1] if live else 0.0
        is_over = max(seen.served_s, before.counted_s(seen.at)) >= self.lasts_from + longest
        assert is_over or found is None or found.event != "overdue"
        if live and is_over and before.is_counting and seen.route is not None and seen.route.standing == "as asked":
            assert found is not None or before.asked_for_approval

    def _took(self, before: UpgradeState, found: Decision) -> None:
        assert not before.is_ended
        assert found.state.number == before.number + 1
        if before.is_exposed and found.state.stage not in EXPOSED:
            assert found.state.stage == "rolled_back" or found.event in ("passed", "advance")
        if before.is_exposed and found.state.stage == "rolled_back" and found.event != "rolled_back_elsewhere":
            assert "flip" in found.effects
        self._kept_what_it_may(before, found)
        self.state = UpgradeState.model_validate_json(found.state.model_dump_json())
        self.named |= set(found.state.held_for)
        if (before.stage, before.step) != (found.state.stage, found.state.step) or "fresh_evidence" in found.effects:
            self.named, self.patient_from, self.lasts_from = set(), found.state.going_since, 0.0
        if "flip" in found.effects or found.event == "rolled_back_elsewhere":
            # Where somebody else rolled back, they have flipped.
            self.route = wanted_route(self.state, self.plan, self.route)

    def _kept_what_it_may(self, before: UpgradeState, found: Decision) -> None:
        """Evidence begins anew where it has to, and nowhere else; what is of one step stays behind with it."""
        after, is_fresh = found.state, "fresh_evidence" in found.effects
        entered = after.stage != before.stage and after.stage in ("shadow", "canary", "soak")
        if not (is_fresh or entered):
            assert (after.evidence_from, after.restarts) == (before.evidence_from, before.restarts)
        assert after.restarts == before.restarts + 1 or after.restarts == (0 if is_fresh or entered else before.restarts)
        if (after.stage, after.step) != (before.stage, before.step) or found.event == "replace":
            assert (after.approvals, after.accepted, after.periods, after.asked_for_approval) == ((), (), (), False)
            assert after.lasts_from_s is None
        assert (after.candidate != before.candidate) == (found.event == "replace" and before.candidate != NEWER)
        assert after.incumbent == before.incumbent

    @invariant()
    def users_can_always_be_taken_back(self) -> None:
        """Wherever users meet the candidate, an operator may roll back, and the trigger fires."""
        if not hasattr(self, "state") or not self.state.is_exposed:
            return
        for by in ("ada", "rob"):
            back = act(self.state, "roll_back", self.plan, by=by, reason="x", at=0.0)
            assert back.state.stage == "rolled_back"
        harm = decide(self.state, Seen(0.0, judgement=judged("harm", "rollback")), self.plan)
        assert harm is not None
        assert harm.state.stage == "rolled_back"

    @invariant()
    def nobody_is_served_more_than_the_plan_allows(self) -> None:
        """The route that was last asked for gives nobody more than this stage and step; a growing one gives no less."""
        if not hasattr(self, "state") or self.state.stage == "completed":
            return
        assert self.route.share <= most_share(self.state, self.plan)
        for one in self.route.segments:
            assert one.share <= most_share(self.state, self.plan, one.segment)

    @invariant()
    def it_is_whole(self) -> None:
        """Steps exist, ended is ended, time runs only while it is going."""
        if not hasattr(self, "state"):
            return
        state = self.state
        assert state.step < max(len(self.plan.canary), 1)
        assert state.stage == "canary" or state.step == 0
        assert not state.is_counting or state.standing == "going"
        assert all(one.end is not None for one in state.periods[:-1])
        assert all(one.end is None or one.end >= one.begin for one in state.periods)
        assert state.stage in ORDER or state.stage in ENDED or state.stage == "retune"
        if state.is_ended:
            assert decide(state, Seen(1.0, incidents=("x",), judgement=judged("harm", "rollback")), self.plan) is None
            assert possible(state, self.plan).startswith("nothing")


def shown_by(seen: Seen) -> set[str]:
    """What a person would have to take upon them before it goes on, by name."""
    names = {f"over_budget:{one.budget}" for one in seen.over_budget}
    if seen.judgement is None or seen.judgement.verdict != "harm":
        return names
    cells = {f"harm_hold:{metric}@{name or 'everyone'}" for metric, name in seen.judgement.culprits}
    return names | (cells or {"harm_hold:together"})


def _place(state: UpgradeState, plan: Plan) -> int:
    """How far it is, in stages and steps; an upgrade that ended badly is nowhere."""
    stages = [
        one for one in ORDER if not (one == "shadow" and not plan.shadow.length) and not (one == "soak" and not plan.soak)
    ]
    if state.stage not in stages:
        return -1
    place = stages.index(state.stage)
    return place + (state.step if state.stage == "canary" else len(plan.canary) - 1 if place > stages.index("canary") else 0)


AnythingAtAnyTime.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestAnythingAtAnyTime = AnythingAtAnyTime.TestCase


def test_no_two_rows_answer_to_the_same() -> None:
    """For each stage, standing and event there is at most one row."""
    for stage in get_args(Stage):
        for standing in get_args(Standing):
            for event in (*get_args(Observed), *get_args(Action)):
                hit = [row for row in ROWS if row.event == event and stage in row.stages and standing in row.standings]
                assert len(hit) == len({row.held_by for row in hit}), (stage, standing, event)
                assert all(row.held_by is not None for row in hit[:-1]), (stage, standing, event)


def test_every_event_leads_somewhere() -> None:
    """No event is only a name."""
    assert {row.event for row in ROWS} == {*get_args(Observed), *get_args(Action)}


def test_people_alone_have_roles() -> None:
    """Evidence needs no role, and a person's action always does."""
    for row in ROWS:
        assert (row.who is not None) == (row.event in get_args(Action))


@pytest.mark.parametrize("plan", PLANS, ids=["preset", "one step", "weeks"])
def test_a_good_candidate_passes_every_stage_in_order(plan: Plan) -> None:
    """With evidence for it at each stage, an upgrade completes, and meets every step on its way."""
    state, met = began(), [("decide", 0)]
    at = 0.0
    for _ in range(40):
        at += 1.0
        seen = replace(all_well(at, suite=SuiteSeen("pass", True, "v")), staging_passed=True)
        found = decide(state, seen, plan)
        if found is None:
            break
        state = found.state
        if met[-1] != (state.stage, state.step):
            met.append((state.stage, state.step))
    assert state.stage == "completed"
    expected: list[tuple[Stage, int]] = [(one, 0) for one in ORDER if one != "canary"]
    expected[4:4] = [("canary", step) for step in range(len(plan.canary))]
    skipped = ({"shadow"} if not plan.shadow.length else set()) | ({"soak"} if not plan.soak else set())
    assert met == [one for one in expected if one[0] not in skipped]


LACKS: dict[str, dict[str, Any]] = {
    "time": {"served_s": 2 * 86_400.0 - 1},
    "evidence": {"missing": ("right on refund",)},
    "any evidence at all": {"missing": None},
    "confirmation": {"route": RouteSeen("unconfirmed", 1)},
    "a route that is known": {"route": None},
    "a comparison": {"judgement": judged("invalid")},
    "an incumbent": {"incumbent_answers": False},
    "word of the incumbent": {"incumbent_answers": None},
    "the end of a cycle": {"served_s": 2.5 * 86_400.0},
    "money": {"over_budget": (COST,)},
    "traffic": {"quiet_s": None},
}


@pytest.mark.parametrize("lack", LACKS)
def test_what_is_lacking_keeps_a_step_waiting(lack: str) -> None:
    """Everything is there but one thing, and that is enough; with it, the step is left."""
    at = 3 * 86_400.0
    whole = all_well(at, served_s=2 * 86_400.0)
    state = began(stage="canary", periods=(Period(begin=0.0),))
    left = decide(state, whole, PLANS[0])
    assert left is not None
    assert (left.event, left.state.step) == ("passed", 1)
    stayed = decide(state, replace(whole, **LACKS[lack]), PLANS[0])
    assert stayed is None or (stayed.state.stage, stayed.state.step) == ("canary", 0)


@given(seen=SEEN, step=st.integers(0, 2), standing=st.sampled_from(get_args(Standing)))
def test_harm_beyond_the_limit_goes_back_while_an_approval_is_pending(seen: Seen, step: int, standing: Standing) -> None:
    """Whatever else is seen, and whoever is waited for."""
    state = began(stage="canary", step=step, standing=standing, asked_for_approval=True)
    found = decide(state, replace(seen, judgement=judged("harm", "rollback")), WATCHED)
    assert found is not None
    assert found.state.stage == "rolled_back"


def test_going_on_needs_a_reason_and_a_role() -> None:
    """Nobody moves an upgrade without saying why, and nobody without the role."""
    state = began(stage="canary")
    with pytest.raises(InputError, match="needs a reason"):
        act(state, "advance", PLANS[0], by="ada", reason=" ", at=0.0)
    with pytest.raises(InputError, match="takes the role operator"):
        act(state, "advance", WATCHED, by="lea", reason="x", at=0.0)
    with pytest.raises(InputError, match="needs a name"):
        act(state, "advance", PLANS[0], by="", reason="x", at=0.0)


def test_one_person_approves_once() -> None:
    """Two approvals are two people."""
    state = act(began(stage="canary"), "approve", WATCHED, by="max", reason="x", at=0.0).state
    with pytest.raises(InputError, match="approved this step already"):
        act(state, "approve", WATCHED, by="max", reason="x", at=0.0)


def test_nobody_advances_past_a_comparison_that_is_none() -> None:
    """Nor past an incumbent that would not be there to go back to."""
    for event in ("invalid", "incumbent_silent"):
        held = began(stage="canary", standing="holding", held_by=event)
        with pytest.raises(InputError, match="cannot be left while it is held"):
            act(held, "advance", PLANS[0], by="ada", reason="x", at=0.0)
    harmed = began(stage="shadow", standing="holding", held_by="harm")
    assert act(harmed, "advance", PLANS[0], by="ada", reason="x", at=0.0).state.stage == "canary"


RANKS = {"rolled_back": 0, "stopped": 0}


def rank(before: UpgradeState, after: UpgradeState, plan: Plan) -> int:
    """Taken back, standing, staying, going on: the higher the better for the candidate."""
    if after.stage in RANKS:
        return 0
    if after.standing != "going":
        return 1
    return 3 if _place(after, plan) > _place(before, plan) else 2


WORSE: dict[str, dict[str, Any]] = {
    "harm to hold for": {"judgement": judged("harm", "hold")},
    "harm to go back for": {"judgement": judged("harm", "rollback")},
    "no comparison": {"judgement": judged("invalid")},
    "an incident": {"incidents": ("leaked a name",)},
    "cost": {"over_budget": (COST,)},
    "silence of the incumbent": {"incumbent_answers": False},
    "no word of the incumbent": {"incumbent_answers": None, "incumbent_unheard_s": 1e6},
    "silence": {"quiet_s": None, "missing": None},
    "missing evidence": {"missing": ("right on refund",)},
}


@pytest.mark.parametrize("worse", WORSE)
@given(
    seen=SEEN,
    stage=st.sampled_from(["shadow", "canary", "soak"]),
    standing=st.sampled_from(get_args(Standing)),
    accepted=st.sampled_from([(), ("harm_hold",), ("over_budget", "overdue")]),
    is_counting=st.booleans(),
    plan=st.sampled_from([PLANS[0], WATCHED]),
)
def test_more_harm_never_improves(
    worse: str, seen: Seen, stage: Stage, standing: Standing, accepted: tuple[str, ...], is_counting: bool, plan: Plan
) -> None:
    """Whatever else is seen: with something worse added, the candidate comes no further."""
    if seen.judgement is not None and seen.judgement.verdict in ("harm", "invalid") and "judgement" in WORSE[worse]:
        # Of two that are bad already neither is the better one, but for harm to go back for.
        seen = replace(seen, judgement=judged("inconclusive"))
    state = began(stage=stage, standing=standing, accepted=accepted)
    if is_counting and standing == "going":
        state = state.model_copy(update={"periods": (Period(begin=0.0),)})

    def came(one: Seen) -> int:
        found = decide(state, one, plan)
        return rank(state, state if found is None else found.state, plan)

    assert came(replace(seen, **WORSE[worse])) <= came(seen)
