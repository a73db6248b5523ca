"""One rehearsal: traffic, then a look of the controller, then people, until the upgrade ends. All of it on virtual time.

The controller is the one that ships, on ports of its own (`ports`). It learns what happened to requests from the exchange log
alone: nothing in here hands it a figure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from math import ceil
from pathlib import Path

import msgspec

from segue.controller.controller import Controller
from segue.controller.live import LogEvidence
from segue.controller.live_levels import FactLevels
from segue.controller.moments import iso
from segue.controller.opening import Proposal, open_upgrade
from segue.controller.ports import LiveEvidence
from segue.controller.reading import read_named
from segue.controller.staging import StagingJobs
from segue.controller.suites import EvalJobs
from segue.controller.world import World
from segue.exchanges.record import Logged
from segue.gateway.enriching import Enricher
from segue.model.route import Route, RouteRevision
from segue.providers.pricing import PriceBook
from segue.rehearsal.arrivals import Arrivals
from segue.rehearsal.clock import DAY_S, HOUR_S, MONDAY, VirtualClock
from segue.rehearsal.course import Course, primary_metric, require_scores
from segue.rehearsal.crowd import Crowd, case_weights
from segue.rehearsal.daily import ENDPOINT, DailyEvals, RehearsedDaily
from segue.rehearsal.diary import Diary
from segue.rehearsal.feedback import Feedback, probabilities_of
from segue.rehearsal.jobs import VirtualJobs
from segue.rehearsal.log import RehearsalLog
from segue.rehearsal.people import People
from segue.rehearsal.ports import (
    EVAL_S,
    KeptNotices,
    ProbedIncumbent,
    ReadyGateways,
    RehearsedGrounds,
    RehearsedSuites,
)
from segue.rehearsal.preparing import AUTHOR, Prepared
from segue.rehearsal.result import Ending, Rehearsed
from segue.rehearsal.serving import Active, Counter, sort_troubles
from segue.rehearsal.staging import INTEGRATION_SKIPPED, STAGING_S, RehearsedReplay, recording_hours
from segue.rehearsal.troubles import FORMS, ArmName, Trouble
from segue.store.base import Store
from segue.upgrade.log import Upgrade
from segue.upgrade.state import OFFLINE

ENVIRONMENT = "production"
COMMAND = ("segue",)
_OTHER_SEEDS = 1 << 32
READING_SKIPPED = "Nobody here reads outputs each week; a real soak of a week or more waits until somebody has."


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
    keeps: bool = True
    """Whether the folder is looked at afterwards."""
    clock: VirtualClock = field(default_factory=VirtualClock)
    _active: Mapping[ArmName, Active] = field(default_factory=dict)
    _replay: RehearsedReplay | None = None
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
            enrich=lambda logged: _as_scored(enrich, logged),
        )
        try:
            return self._run(log, told)
        finally:
            log.close(keeps=self.keeps)

    def _run(self, log: RehearsalLog, told: Listener) -> Rehearsed:
        unseen = require_scores(self.prepared, self.course.plan)
        feedback = self._feedback()
        counter, shares = self._counter(log, feedback), self._shares()
        upgrade, controller, people = self._open(log, counter)
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
                self._active = active
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

    def _counter(self, log: RehearsalLog, feedback: Feedback | None, *, mark: str = "", begin: float = MONDAY) -> Counter:
        """Of production; with a `mark` of what is recorded before the upgrade ("r") or replayed in staging ("s")."""
        prepared, course = self.prepared, self.course
        # Draws of their own: what staging sees changes nothing of who comes later.
        seed = course.seed + (_OTHER_SEEDS if mark else 0)
        arms: dict[str, ArmName] = {
            prepared.incumbent.bundle.digest: "incumbent",
            prepared.candidate.bundle.digest: "candidate",
        }
        return Counter(
            prepared.workflow.name,
            prepared.cases,
            prepared.answers,
            arms,
            arrivals=Arrivals(course.traffic, begin=begin, seed=seed),
            crowd=Crowd(prepared.cases, course.plan, seed=seed),
            primary=primary_metric(prepared, course.plan),
            append=log.append,
            seed=seed,
            feedback=feedback if feedback is not None and feedback.metrics else None,
            sampled=probabilities_of(course.plan),
            append_whole=log.append if mark == "s" else None,
            mark=mark,
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

    def _open(self, log: RehearsalLog, counter: Counter) -> tuple[Upgrade, Controller, People]:
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
        revision = store.flip_route(route, follows=None, author=AUTHOR, reason="The incumbent, as it serves now.", at=at)
        jobs = self._jobs(log, counter, revision)
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
        daily = DailyEvals(EvalJobs(store, jobs, self.clock, lambda: ENDPOINT, COMMAND), store)
        suites = RehearsedSuites(prepared.verdict[0], prepared.report, self.clock, daily)
        world = World(
            store=store,
            clock=self.clock,
            live=self.make_live(store, log, prepared),
            grounds=RehearsedGrounds(),
            suites=suites,
            staging=StagingJobs(store, jobs, self.clock, COMMAND),
            gateways=ReadyGateways(),
            incumbent=ProbedIncumbent(self._incumbent_is_out),
            notices=KeptNotices(),
            soak_lacks=daily.lacks,
        )
        controller = Controller(world, holder="rehearsal", environment=ENVIRONMENT, keeps_time=False)
        people = People(store, course.approve_after_s, course.past, lambda: suites.verdict, course.accept_after_s)
        return upgrade, controller, people

    def _jobs(self, log: RehearsalLog, counter: Counter, revision: RouteRevision) -> VirtualJobs:
        """What a controller has done by jobs, with what staging replays recorded by now."""
        course, spec = self.course, self.course.plan.staging
        hours = recording_hours(course.traffic.per_day, spec.length, spec.least)
        begin = MONDAY - hours * HOUR_S
        replay = RehearsedReplay(
            self.prepared,
            log,
            self.store,
            self.clock,
            # Its day begins where Monday's does.
            self._counter(log, None, mark="r", begin=MONDAY - ceil(hours / 24) * DAY_S),
            self._counter(log, None, mark="s"),
            lambda: self._active,
        )
        replay.record(revision, begin)
        self._replay = replay
        daily = RehearsedDaily(
            self.prepared, self.store, self.clock, counter, course.seed, lambda: self._revision().route, lambda: self._active
        )
        return VirtualJobs(self.clock, {"replay": (replay.run, STAGING_S), "daily": (daily.run, 0.0)})

    # one look

    def _look(self, controller: Controller, people: People, upgrade: Upgrade, diary: Diary, told: Listener) -> Upgrade:
        """The controller's tick; what people do then; and what the controller makes of that."""
        for _ in range(1 + len(self.course.plan.canary) + 4):
            took = controller.tick()
            assert took is not None, "nobody else has the lease"
            for one in took:
                if one.fault is not None:
                    raise one.fault
            # An upgrade that has ended is led no further.
            upgrade = next((one.upgrade for one in took), upgrade)
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
        command = " ".join(self.course.plan.staging.integration)
        said += [INTEGRATION_SKIPPED.format(command=command)] if command else []
        said += [self._replay.replayed] if self._replay is not None and self._replay.replayed else []
        said += [READING_SKIPPED]
        return (*said, *(f"'{one}' never began: the rehearsal was over before." for one in never))


def _as_scored(enrich: Enricher, logged: Logged) -> Logged:
    """With its slices. What an answer whose body was kept says and took is known already, and is not read out of it again."""
    exchange = logged.exchange
    if exchange.dialect_out is None:
        return enrich(logged)
    bare = Logged(msgspec.structs.replace(exchange, dialect_out=None), logged.request, logged.response, logged.kept_share)
    found = enrich(bare)
    known = msgspec.structs.replace(found.exchange, dialect_out=exchange.dialect_out)
    return Logged(known, found.request, found.response, found.kept_share)


def _extra(troubles: list[Trouble], share: float) -> float:
    """By how much the candidate's share differs from what the route says."""
    factor = 1.0
    for one in troubles:
        if one.kind == "share":
            factor *= 1 + (one.amount if one.is_relative else one.amount / share if share else 0.0)
    return max(0.0, factor)
