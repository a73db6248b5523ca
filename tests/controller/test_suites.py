"""The regression eval as a job, and which verdict counts for an upgrade."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from segue.controller.daily_facts import TROUBLE, DailyResult, daily_seen, save_daily
from segue.controller.jobs import Job, JobError, Jobs
from segue.controller.moments import iso
from segue.controller.suites import RUN, EvalJobs
from segue.controller.suites_endpoint import ENDPOINT_KEY, Endpoint, find_endpoint
from segue.controller.suites_seen import suite_seen
from segue.evals.catalogue import Catalogue
from segue.gates.report_reading import report_from_json
from segue.model import Bundle, Json, ModelRef, digest_of
from segue.model.serving import GatewaySettings
from segue.store import open_store
from segue.store.base import Claim
from segue.upgrade.log import Opening, Upgrade, UpgradeEntry
from segue.workspace import load_workspace
from tests.controller.test_jobs import until
from tests.controller.undertaken import NOW, a_plan
from tests.evals.builders import AT
from tests.evals.team import Team

DAY_S = 86_400.0


class PretendJobs(Jobs):
    """Jobs that run until a test ends them."""

    def __init__(self) -> None:
        super().__init__(Path("/nowhere"), cwd=Path("/nowhere"), environ={})
        self.standing: dict[str, Job] = {}
        self.begun: list[tuple[str, list[str], Mapping[str, str]]] = []
        self.errors: dict[str, str] = {}
        self.refuses = ""
        self.moved: float | None = None

    def look(self, name: str) -> Job:
        return self.standing.get(name, Job(name, "absent"))

    def start(self, name: str, words: Sequence[str], **environ: str) -> int | None:
        if self.look(name).standing in ("running", "ended"):
            return None
        if self.refuses:
            raise JobError(f"The job {name} could not be begun: {self.refuses}.", fix="Make room.")
        self.begun.append((name, list(words), environ))
        self.standing[name] = Job(name, "running")
        return 1

    def error_of(self, name: str) -> str | None:
        return self.errors.get(name)

    def moved_at(self, name: str) -> float | None:
        return self.moved

    def ends(self, code: int, error: str | None = None) -> None:
        """The last one begun."""
        name = self.begun[-1][0]
        self.standing[name] = Job(name, "ended", code)
        if error is not None:
            self.errors[name] = error

    def dies(self) -> None:
        """The last one begun, without a word."""
        name = self.begun[-1][0]
        self.standing[name] = Job(name, "died")


class Scene:
    """An upgrade in the stage `eval`, a team's store, and jobs that a test ends."""

    def __init__(self, root: Path, **plan: Any) -> None:
        self.team = Team(root)
        store = self.team.store
        bundles = [Bundle(workflow="mail", model=ModelRef(provider="sim", snapshot=one)) for one in ("old-1", "new-2")]
        for one in bundles:
            store.add_bundle(one, author="ada", at=AT)
        self.old, self.new = (one.digest for one in bundles)
        self.jobs = PretendJobs()
        self.now = NOW
        self.port = EvalJobs(store, self.jobs, lambda: self.now, endpoint=lambda: Endpoint("http://prod/v1", "sg-secret"))
        opening = Opening(
            upgrade="u", workflow="mail", incumbent=self.old, candidate=self.new, plan=a_plan(**plan), by="ada", at=NOW
        )
        self.upgrade = Upgrade(opening)
        self.entry("passed", effects=("run_suite",))

    def entry(self, event: Any, *, effects: Any = (), **state: Any) -> None:
        """One more entry of its log, now."""
        number = len(self.upgrade.entries) + 1
        after = self.upgrade.state.model_copy(update={"stage": "eval", "number": number, **state})
        one = UpgradeEntry(upgrade="u", number=number, event=event, at=self.now, effects=effects, state=after)
        self.upgrade = replace(self.upgrade, entries=(*self.upgrade.entries, one))

    def run(self, *, stopped: str | None = None, only: Sequence[str] = (), candidate: str | None = None, **report: Any) -> str:
        """An eval that somebody made of these two now, with its verdict."""
        store, at = self.team.store, iso(self.now)
        run = f"run-{len(store.list_runs('mail')) + 1}"
        pair = {"incumbent": self.old, "candidate": candidate or self.new}
        store.add_run(run, "mail", {**pair, "only": list(only)}, author="ada", at=at)
        body = verdict_body(run, at, pair["incumbent"], pair["candidate"], **report)
        digest = digest_of(body)
        store.add_verdict(digest, "mail", body, author="ada", at=at)
        store.finish_run(run, {"stopped": stopped, "verdict": digest}, author="ada", at=at)
        return digest

    def notes(self) -> list[Json]:
        return [one.body for one in self.team.store.list_facts("mail", kind=RUN)]


_BODY: dict[str, Any] = {}


@pytest.fixture(scope="module", autouse=True)
def _a_verdict(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A real one, whose words the tests change."""
    team = Team(tmp_path_factory.mktemp("verdict"))
    report = team.evaluate().report
    _BODY.update(report.as_json())


def verdict_body(run: str, at: str, old: str, new: str, **given: Any) -> dict[str, Json]:
    arms = {name: {**_BODY[name], "digest": digest} for name, digest in (("incumbent", old), ("candidate", new))}
    return {**_BODY, **arms, "run": run, "at": at, "outcome": "pass", "recommendation": "migrate", "reasons": [], **given}


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """At the beginning of the stage."""
    return Scene(tmp_path)


def test_the_eval_is_begun_once_with_exactly_these_two(scene: Scene) -> None:
    """However often the controller is started, and asks."""
    scene.port.start(scene.upgrade, 1)
    scene.port.start(scene.upgrade, 1)
    assert scene.port.seen(scene.upgrade) is None
    ((name, words, environ),) = scene.jobs.begun
    assert name == "u-1-eval"
    assert words[-7:] == ["eval", "mail", "--candidate", scene.new, "--incumbent", scene.old, "--json"]
    assert environ["SEGUE_AUTHOR"] == "segue"


def test_the_plans_budget_goes_along(tmp_path: Path) -> None:
    """`eval_usd`."""
    scene = Scene(tmp_path, eval_usd=2.5)
    scene.port.start(scene.upgrade, 1)
    words = scene.jobs.begun[0][1]
    assert words[words.index("--budget") + 1] == "2.5usd"


def test_the_newest_verdict_on_these_two_counts(scene: Scene) -> None:
    """Whoever made the eval, and after a better one too."""
    first = scene.run()
    found = scene.port.seen(scene.upgrade)
    assert found is not None
    assert (found.outcome, found.may_migrate, found.verdict) == ("pass", True, first)
    scene.now += 10
    second = scene.run(outcome="fail", recommendation="not on these grounds")
    found = scene.port.seen(scene.upgrade)
    assert found is not None
    assert (found.outcome, found.verdict) == ("fail", second)


@pytest.mark.parametrize(
    "given",
    [{"stopped": "interrupted"}, {"stopped": "budget"}, {"only": ["topic=a"]}, {"candidate": "0" * 64}],
    ids=["interrupted", "budget", "part", "another"],
)
def test_a_verdict_on_less_or_on_others_does_not_count(scene: Scene, given: dict[str, Any]) -> None:
    """Nor does a comparison that no eval made."""
    scene.run(**given)
    assert scene.port.seen(scene.upgrade) is None
    body = verdict_body("", iso(NOW), scene.old, scene.new)
    scene.team.store.add_verdict("c" * 64, "mail", {**body, "run": None}, author="ada", at=iso(NOW))
    assert scene.port.seen(scene.upgrade) is None


def test_a_verdict_from_before_the_stage_does_not_count(scene: Scene) -> None:
    """And after `replace` only the new candidate's does."""
    scene.now = NOW - 60
    scene.run()
    scene.now = NOW
    assert scene.port.seen(scene.upgrade) is None
    scene.run()
    scene.now += 5
    scene.entry("replace", effects=("run_suite",), candidate="1" * 64)
    assert scene.port.seen(scene.upgrade) is None
    mine = scene.run(candidate="1" * 64)
    found = scene.port.seen(scene.upgrade)
    assert found is not None
    assert found.verdict == mine


@pytest.mark.parametrize(
    ("outcome", "recommendation", "taken", "may"),
    [
        ("pass", "migrate", "pass", True),
        ("caution", "migrate", "caution", True),
        ("pass", "defer", "pass", False),
        ("caution", "undecided", "hold", False),
        ("pass", "not on these grounds", "fail", False),
        ("hold", "undecided", "hold", False),
        ("fail", "not on these grounds", "fail", False),
        ("fail", "migrate", "fail", True),
    ],
    ids=lambda value: str(value),
)
def test_what_the_gate_says_and_what_stage_0_says_together(outcome: str, recommendation: str, taken: str, may: bool) -> None:
    """Merely equal passes and is no reason; undecided is never a pass."""
    body = verdict_body("r", AT, "0" * 64, "1" * 64, outcome=outcome, recommendation=recommendation)
    found = suite_seen("d", report_from_json(body))
    assert (found.outcome, found.may_migrate) == (taken, may)
    assert found.reasons


def test_an_eval_that_broke_holds_and_says_why(scene: Scene) -> None:
    """In the words of its own error; and it is not begun again by itself."""
    scene.port.start(scene.upgrade, 1)
    scene.jobs.ends(1, "The environment variable OPENAI_API_KEY is not set. Set it.")
    found = scene.port.seen(scene.upgrade)
    assert found is not None
    assert (found.outcome, found.may_migrate) == ("hold", False)
    assert "OPENAI_API_KEY is not set" in found.reasons[0]
    assert scene.port.seen(scene.upgrade) == found
    scene.port.start(scene.upgrade, 1)
    assert len(scene.jobs.begun) == 1


def test_one_that_broke_without_a_word_names_its_log_and_nothing_of_it(scene: Scene) -> None:
    """A traceback may hold anything."""
    scene.port.start(scene.upgrade, 1)
    scene.jobs.ends(1)
    found = scene.port.seen(scene.upgrade)
    assert found is not None
    assert "ended with code 1" in found.reasons[0]
    assert "u-1-eval.log" in found.reasons[0]


@pytest.mark.parametrize("code", [None, 130, 137, 143], ids=["no word", "ctrl-c", "kill", "term"])
def test_one_that_was_killed_goes_on_by_itself_and_not_for_ever(scene: Scene, code: int | None) -> None:
    """Three times; then people look."""

    def killed() -> None:
        scene.jobs.dies() if code is None else scene.jobs.ends(code)

    scene.port.start(scene.upgrade, 1)
    for _ in range(2):
        killed()
        assert scene.port.seen(scene.upgrade) is None
    assert [name for name, _, _ in scene.jobs.begun] == ["u-1-eval", "u-1-eval-2", "u-1-eval-3"]
    killed()
    found = scene.port.seen(scene.upgrade)
    assert found is not None
    assert found.outcome == "hold"
    assert len(scene.jobs.begun) == 3


@pytest.mark.parametrize(
    ("stopped", "told"), [("budget", "its budget"), ("unpriced", "without its price"), ("failing", "nothing but failures")]
)
def test_one_that_stopped_early_holds_with_what_to_do(scene: Scene, stopped: str, told: str) -> None:
    """Its verdict on what was finished does not count."""
    scene.port.start(scene.upgrade, 1)
    scene.run(stopped=stopped)
    scene.jobs.ends(0)
    found = scene.port.seen(scene.upgrade)
    assert found is not None
    assert (found.outcome, told in found.reasons[0]) == ("hold", True)


def test_it_waits_for_an_eval_that_somebody_else_makes(scene: Scene) -> None:
    """Two at once would pay twice: their own, or ours on another machine."""
    store = scene.team.store
    assert store.claim("eval mail", Claim("run-x", AT, "bob")) is None
    scene.port.start(scene.upgrade, 1)
    assert scene.port.seen(scene.upgrade) is None
    assert scene.jobs.begun == []
    store.release("eval mail")
    assert scene.port.seen(scene.upgrade) is None
    assert len(scene.jobs.begun) == 1


def test_a_controller_elsewhere_knows_what_ended_here(scene: Scene) -> None:
    """By the fact, not by files of this machine."""
    scene.port.start(scene.upgrade, 1)
    scene.jobs.ends(1, "It broke.")
    here = scene.port.seen(scene.upgrade)
    elsewhere = EvalJobs(scene.team.store, PretendJobs(), lambda: NOW)
    assert elsewhere.seen(scene.upgrade) == here
    assert [one["standing"] for one in scene.notes()] == ["begun", "ended"]


def test_resumed_after_a_hold_it_is_made_again(scene: Scene) -> None:
    """The verdict that held has been seen, were it of the same second; until there is another, nothing is known."""
    scene.port.start(scene.upgrade, 1)
    scene.run(outcome="hold", recommendation="undecided")
    scene.jobs.ends(11)
    scene.entry("suite_open", standing="holding")
    scene.now += 3600
    scene.entry("resume")
    assert scene.port.seen(scene.upgrade) is None
    assert scene.jobs.begun[-1][0] == "u-3-eval"
    again = scene.run()
    found = scene.port.seen(scene.upgrade)
    assert found is not None
    assert found.verdict == again


def test_resumed_after_somebody_made_another_eval_that_one_counts(scene: Scene) -> None:
    """With a signature for the cost, for example; nothing is asked again."""
    scene.port.start(scene.upgrade, 1)
    scene.jobs.ends(1, "It broke.")
    scene.now += 5
    scene.entry("suite_open", standing="holding")
    scene.now += 3600
    mine = scene.run()
    scene.now += 5
    scene.entry("resume")
    found = scene.port.seen(scene.upgrade)
    assert found is not None
    assert found.verdict == mine
    assert len(scene.jobs.begun) == 1


def test_the_daily_eval_is_begun_once_a_day_and_its_key_is_in_the_environment(scene: Scene) -> None:
    """Not among the arguments, which everyone on the machine sees."""
    scene.port.keep_up(scene.upgrade, NOW)
    scene.port.keep_up(scene.upgrade, NOW + 60)
    ((name, words, environ),) = scene.jobs.begun
    assert name == f"u-daily-{iso(NOW)[:10]}"
    assert words[-7:] == ["daily", "mail", "--environment", "production", "--endpoint", "http://prod/v1", "--json"]
    assert environ[ENDPOINT_KEY] == "sg-secret"
    scene.jobs.ends(0)
    scene.port.keep_up(scene.upgrade, NOW + 3600)
    assert len(scene.jobs.begun) == 1
    scene.port.keep_up(scene.upgrade, NOW + DAY_S)
    assert len(scene.jobs.begun) == 2


def test_without_an_endpoint_there_is_no_daily_eval_and_it_is_said(scene: Scene) -> None:
    """Silence would look like health."""
    store = scene.team.store
    port = EvalJobs(store, scene.jobs, lambda: NOW)
    for _ in range(3):
        port.keep_up(scene.upgrade, NOW)
    assert scene.jobs.begun == []
    assert "gateway: {endpoint: URL" in daily_seen(store, scene.upgrade, NOW).trouble[0]
    assert len(store.list_facts("mail", kind=TROUBLE)) == 1


def test_a_key_that_is_not_set_is_trouble_and_no_crash_of_the_controller(scene: Scene) -> None:
    """Named by its variable; once a day was measured it is over."""

    def endpoint() -> Endpoint | None:
        return find_endpoint(GatewaySettings(endpoint="http://prod", endpoint_key_env="THE_KEY"), {})

    store = scene.team.store
    EvalJobs(store, scene.jobs, lambda: NOW, endpoint).keep_up(scene.upgrade, NOW)
    assert "THE_KEY is not set" in daily_seen(store, scene.upgrade, NOW).trouble[0]
    result = DailyResult(day=iso(NOW)[:10], bundle=scene.old, role="incumbent", cases="c", n_cases=1, n_answered=1)
    save_daily(store, scene.upgrade, result, author="segue", at=AT)
    assert daily_seen(store, scene.upgrade, NOW).trouble == ()


def test_a_daily_eval_that_broke_is_trouble(scene: Scene) -> None:
    """With its reason."""
    scene.port.keep_up(scene.upgrade, NOW)
    scene.jobs.ends(1, "It is not reached.")
    scene.port.keep_up(scene.upgrade, NOW + 60)
    assert "It is not reached." in daily_seen(scene.team.store, scene.upgrade, NOW).trouble[0]
    assert len(scene.jobs.begun) == 1


@pytest.mark.slow
def test_with_real_processes_a_real_verdict_is_seen(tmp_path: Path) -> None:
    """The command itself, on a workspace whose models are simulated."""
    (tmp_path / ".segue").mkdir()
    store = open_store(f"{tmp_path}/.segue/state.db")
    Team(tmp_path, store=store)
    catalogue = Catalogue(load_workspace(tmp_path, {}), store, author="ada", at=AT)
    old, new = (catalogue.bundle("mail", label).bundle.digest for label in ("now", "next"))
    long_ago = NOW - 1e9
    opening = Opening(upgrade="u", workflow="mail", incumbent=old, candidate=new, plan=a_plan(), by="ada", at=long_ago)
    state = opening.state.model_copy(update={"stage": "eval", "number": 1})
    entry = UpgradeEntry(upgrade="u", number=1, event="passed", at=long_ago, effects=("run_suite",), state=state)
    upgrade = Upgrade(opening, (entry,))
    port = EvalJobs(store, Jobs(tmp_path / ".segue" / "jobs", cwd=tmp_path, environ=os.environ), lambda: NOW)
    port.start(upgrade, 1)
    until(lambda: port.seen(upgrade) is not None)
    found = port.seen(upgrade)
    assert found is not None
    assert store.get_verdict(found.verdict)[0] == found.verdict
    store.close()
