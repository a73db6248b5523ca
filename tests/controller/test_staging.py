"""The port `Staging`: begun once, begun again after a kill, found by whoever looks next, and judged anew at each look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
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

    def look(self, name: str) -> Job:
        return Job(name, self.standings.get(name, "absent"))

    def start(self, name: str, words: Sequence[str], **_environ: str) -> int | None:
        self.begun.append((name, words))
        self.standings[name] = "running"
        return 1

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
    return InStaging(stage, jobs, StagingJobs(stage.store, cast(Jobs, jobs), ("segue",)))


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


def test_a_job_that_was_killed_is_begun_again_and_not_for_ever(staged: InStaging) -> None:
    """After that people look, and are told where."""
    staged.jobs.error = "The gateway for the replay did not start. See why in gateway.log."
    for attempt in range(1, MOST_TRIES + 1):
        assert staged.seen() == (None, ())
        staged.jobs.standings[staged.name(attempt)] = "died"
    passed, faults = staged.seen()
    assert passed is None
    assert "did not start" in faults[0]
    assert len(staged.jobs.begun) == MOST_TRIES


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
