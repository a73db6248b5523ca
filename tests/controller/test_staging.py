"""The port `Staging`: begun once, begun again after a kill, found by whoever looks next, and judged anew at each look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import pytest

from segue.controller.effects import AUTHOR
from segue.controller.jobs import Job, Jobs, JobStanding
from segue.controller.staging import MOST_TRIES, StagingJobs, asked_number, job_name
from segue.controller.staging_facts import StagingResult, accept, write_result
from segue.controller.staging_gate import moved_questions
from segue.controller.staging_job import set_staging_route
from segue.drift.drift_report import DriftReport
from tests.controller.drifting import fence_on_product, pairs, report_of
from tests.controller.pretend import Jobs as PretendJobs
from tests.controller.pretend import Stage


@dataclass
class ToldJobs:
    """Jobs that stand as they are told to; nothing is run."""

    standings: dict[str, JobStanding] = field(default_factory=dict)
    begun: list[tuple[str, Sequence[str]]] = field(default_factory=list)
    error: str | None = None
    moved: dict[str, float] = field(default_factory=dict)

    def look(self, name: str) -> Job:
        return Job(name, self.standings.get(name, "absent"))

    def start(self, name: str, words: Sequence[str], **_environ: str) -> int | None:
        self.begun.append((name, words))
        self.standings[name] = "running"
        return 1

    def moved_at(self, name: str) -> float | None:
        return self.moved.get(name)

    def standstill_of(self, name: str) -> str:
        return f"see {name}.log."

    def log_of(self, name: str) -> Path:
        return Path(f"{name}.log")

    def error_of(self, name: str) -> str | None:
        return self.error


@dataclass
class InStaging:
    """An upgrade that has come to staging, and the port."""

    stage: Stage
    jobs: ToldJobs
    port: StagingJobs

    @property
    def number(self) -> int:
        found = asked_number(self.stage.upgrade())
        assert found is not None
        return found

    def name(self, attempt: int = 1) -> str:
        return job_name("u1", self.number, attempt)

    def found(self, **given: Any) -> None:
        """The job writes down what it found."""
        result = StagingResult(**{"number": self.number, "source": "production", "n_sent": 200, **given})
        write_result(self.stage.store, "w", "u1", result, author=AUTHOR, at=self.stage.at)

    def seen(self) -> tuple[bool | None, tuple[str, ...]]:
        return self.port.seen(self.stage.upgrade())


@pytest.fixture
def staged(monkeypatch: pytest.MonkeyPatch) -> InStaging:
    """As the controller brings it there, where nothing is known of staging yet."""
    seen = PretendJobs.seen
    monkeypatch.setattr(PretendJobs, "seen", lambda self, one: (None, ()) if self.what == "staging" else seen(self, one))
    stage = Stage()
    stage.open()
    controller = stage.controller()
    for _ in range(3):
        stage.pretend.now += 60
        controller.tick()
    assert stage.upgrade().state.stage == "staging"
    jobs = ToldJobs()
    return InStaging(stage, jobs, StagingJobs(stage.store, cast(Jobs, jobs), lambda: stage.pretend.now, ("segue",)))


@pytest.fixture(scope="module")
def fenced() -> DriftReport:
    """A format that moved."""
    return report_of(pairs(200, fence_on_product))


def of_upgrade(staged: InStaging, report: DriftReport) -> DriftReport:
    """The same between this upgrade's bundles."""
    return report.model_copy(update={"workflow": "w", "incumbent": staged.stage.old, "candidate": staged.stage.new})


def test_a_job_is_begun_once_however_often_it_is_asked_for(staged: InStaging) -> None:
    """By the entry's number; while it runs nothing is known."""
    for _ in range(3):
        staged.port.start(staged.stage.upgrade(), staged.number)
        assert staged.seen() == (None, ())
    ((name, words),) = staged.jobs.begun
    assert name == staged.name()
    assert words == ["segue", "replay", "w", "--upgrade", "u1", "--entry", str(staged.number), "--json"]


def die(staged: InStaging) -> None:
    """The job ends without a result, as often as it is begun."""
    for _ in range(MOST_TRIES):
        assert staged.seen() == (None, ())
        staged.jobs.standings[staged.jobs.begun[-1][0]] = "died"


def test_a_job_that_was_killed_is_begun_again_and_not_for_ever(staged: InStaging) -> None:
    """After that people look, and are told why; wherever the controller runs by then."""
    staged.jobs.error = "The gateway for the replay did not start. See why in gateway.log."
    die(staged)
    assert len(staged.jobs.begun) == MOST_TRIES
    passed, faults = staged.seen()
    assert passed is False
    assert "did not start" in faults[0]
    elsewhere = StagingJobs(staged.stage.store, cast(Jobs, ToldJobs()), lambda: staged.stage.pretend.now)
    assert elsewhere.seen(staged.stage.upgrade()) == (passed, faults)


def test_one_that_was_killed_too_often_is_begun_anew_once_somebody_resumes(staged: InStaging) -> None:
    """Three new tries, however it was held or paused meanwhile; and one that resumed before has mended nothing."""
    staged.stage.person("pause")
    staged.stage.pretend.now += 60
    staged.stage.person("resume")
    staged.stage.pretend.now += 60
    for n_asked in range(1, 3):
        die(staged)
        assert staged.seen()[0] is False
        assert len(staged.jobs.begun) == n_asked * MOST_TRIES
        staged.stage.person("pause")
        staged.stage.person("resume")
    assert staged.seen() == (None, ())
    assert len({name for name, _ in staged.jobs.begun}) == 2 * MOST_TRIES + 1


def test_a_job_that_hangs_holds_the_upgrade_after_a_day_without_a_sign(staged: InStaging) -> None:
    """One that goes on is waited for, however long it takes."""
    stage = staged.stage
    controller = stage.controller()
    controller.world = replace(controller.world, staging=staged.port)
    for look in range(4):
        stage.days(controller, 0.75)
        staged.jobs.moved[staged.name()] = stage.pretend.now
        assert stage.upgrade().state.standing == "going", f"look {look}"
    stage.days(controller, 1.25)
    held = stage.upgrade().entries[-1]
    assert (held.event, held.state.stage, held.state.standing) == ("overdue", "staging", "holding")
    assert f"see {staged.name()}.log." in held.because[1]
    assert ("u1", held.number) in stage.pretend.sent
    stage.person("resume")
    stage.days(controller, 0.75)
    assert stage.upgrade().state.standing == "going"
    assert len(staged.jobs.begun) == 1


def test_the_upgrade_holds_where_staging_comes_to_nothing_and_goes_on_once_it_is_mended(staged: InStaging) -> None:
    """By the controller itself: people are told, and a resumption begins three new tries."""
    stage = staged.stage
    controller = stage.controller()
    controller.world = replace(controller.world, staging=staged.port)
    staged.jobs.error = "There is no room on the disk."
    for attempt in range(1, MOST_TRIES + 2):
        stage.pretend.now += 60
        controller.tick()
        staged.jobs.standings[staged.name(min(attempt, MOST_TRIES))] = "died"
    assert len(staged.jobs.begun) == MOST_TRIES
    held = stage.upgrade().entries[-1]
    assert (held.event, held.state.standing) == ("staging_failed", "holding")
    assert "no room on the disk" in held.because[0]
    assert ("u1", held.number) in stage.pretend.sent
    stage.person("resume")
    controller.tick()
    staged.found(number=stage.upgrade().entries[-1].number, report=of_upgrade(staged, report_of(pairs(200, seed=3))))
    controller.tick()
    assert stage.upgrade().state.stage == "shadow"


def test_a_controller_elsewhere_finds_the_fact_and_begins_nothing(staged: InStaging, fenced: DriftReport) -> None:
    """Jobs are one machine's, facts everybody's."""
    calm = report_of(pairs(200, seed=3))
    staged.found(report=of_upgrade(staged, calm))
    assert staged.seen() == (True, ())
    staged.port.start(staged.stage.upgrade(), staged.number)
    assert staged.jobs.begun == []


def test_what_somebody_accepts_counts_at_the_next_look(staged: InStaging, fenced: DriftReport) -> None:
    """Nothing is replayed again for it."""
    report = of_upgrade(staged, fenced)
    staged.found(report=report)
    assert staged.seen()[0] is False
    for one in report.dimensions:
        if one.standing == "moved beyond":
            asked = moved_questions(report, one.name)
            accept(staged.stage.store, report, one.name, asked, reason="wanted", author="ada", at=staged.stage.at)
    assert staged.seen() == (True, ())
    assert staged.jobs.begun == []


def test_a_result_that_found_nothing_is_tried_again_once_somebody_resumes(staged: InStaging) -> None:
    """They mended what was in its way."""
    staged.found(broken="'w' has no recorded traffic and no suite: there is nothing to replay.")
    passed, faults = staged.seen()
    assert passed is False
    assert "no recorded traffic" in faults[0]
    staged.stage.person("hold")
    staged.stage.person("resume")
    assert staged.seen() == (None, ())
    assert len(staged.jobs.begun) == 1
    assert staged.jobs.begun[0][0] != staged.name()


def test_a_suite_that_stands_in_for_traffic_is_enough_as_long_as_it_is(staged: InStaging) -> None:
    """The plan asks for a hundred recorded requests; a suite of sixty cases gives sixty."""
    few = of_upgrade(staged, report_of(pairs(60, seed=3)))
    staged.found(source="suite", n_sent=60, report=few)
    assert staged.seen() == (True, ())


def test_recorded_traffic_below_what_the_plan_asks_for_does_not_pass(staged: InStaging) -> None:
    """Silence passes no gate."""
    staged.found(n_sent=60, report=of_upgrade(staged, report_of(pairs(60, seed=3))))
    passed, faults = staged.seen()
    assert passed is False
    assert "Only 60 pairs" in faults[0]


def test_a_replay_that_ended_at_the_plans_budget_says_so_where_too_little_was_compared(staged: InStaging) -> None:
    """What was compared is judged as it is, and is enough or not by the plan's least."""
    limited = "The replay ended at the plan's budget."
    staged.found(report=of_upgrade(staged, report_of(pairs(120))), limited=limited)
    assert staged.seen() == (True, ())
    staged.found(report=of_upgrade(staged, report_of(pairs(60))), limited=limited)
    passed, faults = staged.seen()
    assert (passed, faults[-1]) == (False, limited)


def test_the_route_of_staging_has_the_incumbent_serve_and_the_candidate_shadow_everything(staged: InStaging) -> None:
    """Set once; production's stays as it is."""
    for _ in range(2):
        set_staging_route(staged.stage.store, staged.stage.upgrade(), author=AUTHOR, at=staged.stage.at)
    found = staged.stage.store.find_route("w", "staging")
    assert found.revision == 1
    assert (found.route.incumbent, found.route.candidate, found.route.share) == (staged.stage.old, staged.stage.new, 0.0)
    assert found.route.shadow is not None
    assert found.route.shadow.share == 1.0
    assert staged.stage.route().candidate is None
