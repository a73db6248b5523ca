"""One rehearsal: traffic, then a look of the controller, then people, until the upgrade ends. All of it on virtual time.

The controller is the one that ships, on ports of its own (`ports`). It learns what happened to requests from the exchange log
alone: nothing in here hands it a figure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from segue.controller.controller import Controller
from segue.controller.live import LogEvidence
from segue.controller.live_levels import FactLevels
from segue.controller.moments import iso
from segue.controller.opening import Proposal, open_upgrade
from segue.controller.ports import LiveEvidence
from segue.controller.reading import read_named
from segue.controller.world import World
from segue.gateway.enriching import Enricher
from segue.model.route import Route, RouteRevision
from segue.providers.pricing import PriceBook
from segue.rehearsal.arrivals import Arrivals
from segue.rehearsal.clock import DAY_S, MONDAY, VirtualClock
from segue.rehearsal.course import Course, primary_metric, require_scores
from segue.rehearsal.crowd import Crowd, case_weights
from segue.rehearsal.diary import Diary
from segue.rehearsal.feedback import Feedback, probabilities_of
from segue.rehearsal.log import RehearsalLog
from segue.rehearsal.people import People
from segue.rehearsal.ports import (
    EVAL_S,
    KeptNotices,
    ProbedIncumbent,
    ReadyGateways,
    RehearsedGrounds,
    RehearsedSuites,
    SkippedStaging,
)
from segue.rehearsal.preparing import AUTHOR, Prepared
from segue.rehearsal.result import Ending, Rehearsed
from segue.rehearsal.serving import Counter, sort_troubles
from segue.rehearsal.troubles import FORMS, ArmName, Trouble
from segue.store.base import Store
from segue.upgrade.log import Upgrade
from segue.upgrade.state import OFFLINE

ENVIRONMENT = "production"
STAGING_SKIPPED = "Staging is skipped: its gate is not part of a rehearsal yet."
DAILY_SKIPPED = "The daily eval is not rehearsed: the same models would say the same every day."


@dataclass
class Listener:
    """Where a rehearsal tells how it goes. `looked` hears of every look: the day, the requests so far, where it stands."""

    looked: Callable[[float, int, str], None] = lambda *_: None
    wrote: Callable[[Diary], None] = lambda _: None


MakeLive = Callable[[Store, RehearsalLog, Prepared], LiveEvidence]


def live_evidence(store: Store, log: RehearsalLog, prepared: Prepared) -> LiveEvidence:
    """The one that ships, on the rehearsal's log."""
    workflow = prepared.workflow
    return LogEvidence(
        log.reader, levels=FactLevels(store), report=lambda _: prepared.report, budgets=lambda _: workflow.budgets
    )


@dataclass
class Rehearsal:
    """One run in `folder`, on a store that `prepared.furnish` has filled."""

    prepared: Prepared
    course: Course
    store: Store
    folder: Path
    make_live: MakeLive = live_evidence
    spool: str = "spool"
    archive: str = "exchanges"
    clock: VirtualClock = field(default_factory=VirtualClock)
    _marks: dict[str, float] = field(default_factory=dict)
    _held_since: float | None = None

    def run(self, listener: Listener | None = None) -> Rehearsed:
        """To its end. Ctrl-C ends it with what there is."""
        told, workflow = listener or Listener(), self.prepared.workflow
        # As a gateway ships: by it an exchange gets its slices. Answers are scored already, and their bodies are not there.
        enrich = Enricher(lambda _: None, {}, PriceBook(as_of=date(2026, 1, 5)), slices={workflow.name: workflow.slices})
        log = RehearsalLog(
            self.folder / self.spool,
            self.folder / self.archive,
            clock_ns=self.clock.now_ns,
            run=f"s{self.course.seed}",
            enrich=enrich,
        )
        try:
            return self._run(log, told)
        finally:
            log.close()

    def _run(self, log: RehearsalLog, told: Listener) -> Rehearsed:
        unseen = require_scores(self.prepared, self.course.plan)
        feedback = self._feedback()
        counter, shares = self._counter(log, feedback), self._shares()
        upgrade, controller, people = self._open(log)
        diary = Diary(upgrade, begin=MONDAY)
        ending: Ending | None = None
        try:
            upgrade = self._look(controller, people, upgrade, diary, told)
            while ending is None:
                # While nobody can meet the candidate, looks are for what people and evals do.
                is_offline = upgrade.state.stage in OFFLINE
                begin = self.clock.now
                end = begin + (min(EVAL_S, self.course.look_s) if is_offline else self.course.look_s)
                revision = self._revision()
                on = [one for one in self.course.troubles if one.is_on(begin, MONDAY, self._marks)]
                active, extra = sort_troubles(on, shares), _extra(on, revision.route.share)
                said = [one for one in on if one.kind in ("outcome", "answers")]
                diary.served(begin, counter.serve(begin, end, revision, active, extra, said), revision.route)
                self.clock.now = end
                feedback.tell(self.clock.now_ns(), log.append)
                log.ship()
                upgrade = self._look(controller, people, upgrade, diary, told)
                ending = self._ending(upgrade, people)
        except KeyboardInterrupt:
            ending = "interrupted"
        return diary.close(ending, self.course.seed, self.clock.now, (*self._remarks(), *unseen))

    # parts

    def _feedback(self) -> Feedback:
        plan, prepared = self.course.plan, self.prepared
        share = prepared.answers[prepared.incumbent.bundle.digest].share_right(
            primary_metric(prepared, plan), case_weights(prepared.cases, plan.slices)
        )
        return Feedback(prepared.workflow.name, plan, share, seed=self.course.seed)

    def _counter(self, log: RehearsalLog, feedback: Feedback) -> Counter:
        prepared, course = self.prepared, self.course
        arms: dict[str, ArmName] = {
            prepared.incumbent.bundle.digest: "incumbent",
            prepared.candidate.bundle.digest: "candidate",
        }
        return Counter(
            prepared.workflow.name,
            prepared.cases,
            prepared.answers,
            arms,
            arrivals=Arrivals(course.traffic, begin=MONDAY, seed=course.seed),
            crowd=Crowd(prepared.cases, course.plan, seed=course.seed),
            primary=primary_metric(prepared, course.plan),
            append=log.append,
            seed=course.seed,
            feedback=feedback if feedback.metrics else None,
            sampled=probabilities_of(course.plan),
        )

    def _shares(self) -> Mapping[tuple[str, ArmName], float]:
        """In which part of the requests each change of outputs befalls each arm."""
        prepared = self.prepared
        weights = case_weights(prepared.cases, self.course.plan.slices)
        digests: dict[ArmName, str] = {
            "incumbent": prepared.incumbent.bundle.digest,
            "candidate": prepared.candidate.bundle.digest,
        }
        return {
            (one.text, arm): prepared.answers[digests[arm]].chance(one, weights)
            for one in self.course.troubles
            for arm in one.arms
            if one.kind == "metric" or one.kind in FORMS
        }

    def _open(self, log: RehearsalLog) -> tuple[Upgrade, Controller, People]:
        """The route in force, the upgrade opened, and who leads it."""
        prepared, course, store = self.prepared, self.course, self.store
        name = prepared.workflow.name
        route = Route(
            workflow=name,
            environment=ENVIRONMENT,
            incumbent=prepared.incumbent.bundle.digest,
            salt=f"{course.salt} {course.seed}",
            fallback=None,
        )
        at = iso(self.clock.now)
        store.flip_route(route, follows=None, author=AUTHOR, reason="The incumbent, as it serves now.", at=at)
        proposal = Proposal(
            workflow=name,
            candidate=prepared.candidate.bundle.digest,
            plan=course.plan,
            plan_name=course.plan_name,
            critical=course.critical,
            environment=ENVIRONMENT,
        )
        upgrade = open_upgrade(
            store, proposal, name=f"{name}-rehearsal-{course.seed}", by=AUTHOR, reason="A rehearsal.", at=self.clock.now
        )
        suites = RehearsedSuites(prepared.verdict[0], prepared.report, self.clock)
        world = World(
            store=store,
            clock=self.clock,
            live=self.make_live(store, log, prepared),
            grounds=RehearsedGrounds(),
            suites=suites,
            staging=SkippedStaging(),
            gateways=ReadyGateways(),
            incumbent=ProbedIncumbent(self._incumbent_is_out),
            notices=KeptNotices(),
        )
        controller = Controller(world, holder="rehearsal", environment=ENVIRONMENT, keeps_time=False)
        people = People(store, course.approve_after_s, course.past, lambda: suites.verdict)
        return upgrade, controller, people

    # one look

    def _look(self, controller: Controller, people: People, upgrade: Upgrade, diary: Diary, told: Listener) -> Upgrade:
        """The controller's tick; what people do then; and what the controller makes of that."""
        for _ in range(1 + len(self.course.plan.canary) + 4):
            took = controller.tick()
            assert took is not None, "nobody else has the lease"
            for one in took:
                if one.fault is not None:
                    raise one.fault
            upgrade = read_named(self.store, upgrade.opening.upgrade)
            self._mark(upgrade)
            if not people.act(upgrade, self.clock.now):
                break
            upgrade = read_named(self.store, upgrade.opening.upgrade)
        diary.looked(upgrade)
        told.looked((self.clock.now - MONDAY) / DAY_S, diary.requests, diary.where)
        told.wrote(diary)
        return upgrade

    def _mark(self, upgrade: Upgrade) -> None:
        """Moments that troubles wait for."""
        state, now = upgrade.state, self.clock.now
        self._marks.setdefault(state.stage, now)
        route = self._revision().route
        most = max([route.share, *(one.share for one in route.segments)])
        for one in self.course.troubles:
            mark = one.since.mark
            if mark and mark[0].isdigit() and route.candidate is not None and most >= float(mark) - 1e-9:
                self._marks.setdefault(mark, now)
        is_stuck = state.standing != "going" or state.stage == "retune"
        self._held_since = None if not is_stuck else self._held_since if self._held_since is not None else now

    def _ending(self, upgrade: Upgrade, people: People) -> Ending | None:
        state, now = upgrade.state, self.clock.now
        if state.is_ended:
            endings: dict[str, Ending] = {
                "completed": "completed",
                "rolled_back": "rolled_back",
                "stopped": "stopped",
                "deferred": "deferred",
            }
            return endings[state.stage]
        if (
            self._held_since is not None
            and now - self._held_since >= self.course.patience_s
            and not people.may_still_act(upgrade)
        ):
            return "holding"
        return "unfinished" if now - MONDAY >= self.course.most_days * DAY_S else None

    # troubles

    def _incumbent_is_out(self, now: float) -> bool:
        outages = (one for one in self.course.troubles if one.kind == "outage" and "incumbent" in one.arms and not one.where)
        return any(one.is_on(now, MONDAY, self._marks) for one in outages)

    def _revision(self) -> RouteRevision:
        return self.store.find_route(self.prepared.workflow.name, ENVIRONMENT)

    def _remarks(self) -> tuple[str, ...]:
        never = [
            one.text
            for one in self.course.troubles
            if one.since.at(MONDAY, self._marks) is None or (one.since.at(MONDAY, self._marks) or 0.0) >= self.clock.now
        ]
        said = [
            *self.course.remarks,
            *self.prepared.remarks,
            *([self.course.traffic.remark] if self.course.traffic.remark else []),
        ]
        said += [STAGING_SKIPPED, DAILY_SKIPPED]
        return (*said, *(f"'{one}' never began: the rehearsal was over before." for one in never))


def _extra(troubles: list[Trouble], share: float) -> float:
    """By how much the candidate's share differs from what the route says."""
    factor = 1.0
    for one in troubles:
        if one.kind == "share":
            factor *= 1 + (one.amount if one.is_relative else one.amount / share if share else 0.0)
    return max(0.0, factor)
