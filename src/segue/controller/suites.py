"""The port `Suites`: the regression eval of an upgrade as a job, and the daily one through the production endpoint.

Both are commands of this program, run as children (`jobs`), so that a controller that is killed loses neither. What they found
is read from the store, never from their output. How a job stands is written down as the fact `suite-run`, so that a controller
on another machine knows what ended here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from segue.controller.daily_facts import TROUBLE, is_measured, last_trouble
from segue.controller.effects import AUTHOR
from segue.controller.jobs import SEGUE, JobError, Jobs
from segue.controller.moments import iso
from segue.controller.ports import Clock, Standstill
from segue.controller.suites_endpoint import ENDPOINT_KEY, Endpoint
from segue.controller.suites_seen import Asked, asked_of, find_verdict, stopped_run, suite_seen
from segue.errors import SegueError
from segue.model import Json
from segue.store.base import Claim, Store
from segue.upgrade.log import Upgrade
from segue.upgrade.seen import SuiteSeen

RUN = "suite-run"
MOST_TRIES = 3
"""So often an eval that was killed, or stopped from outside, is begun again before people look."""
KILLED = 128
"""From this exit code on a signal ended it: Ctrl-C, whoever stops the machine, the kernel where memory ran out."""
_NOWHERE = (
    "No daily eval runs: it is not known where production is reached. Write gateway: {endpoint: URL, endpoint_key_env: "
    "VARIABLE} into segue.yaml, with a key that may call and pin."
)
_STOPPED = {
    "budget": "The regression eval reached its budget and judged only what was finished. Raise eval_usd in a new plan, or run "
    "segue eval {workflow} --candidate {candidate} by hand and resume.",
    "unpriced": "A reply came without its price, so the eval's budget could not be kept. Name the price under prices: in "
    "segue.yaml, and resume.",
    "failing": "The regression eval was stopped: a provider answered nothing but failures. Once it is well again, resume.",
    "interrupted": "The regression eval was interrupted again and again. See why, and resume.",
}


@dataclass(frozen=True)
class EvalJobs:
    """The port on this workspace's jobs. `endpoint` is where production is reached, `None` where nobody has said."""

    store: Store
    jobs: Jobs
    clock: Clock
    endpoint: Callable[[], Endpoint | None] = lambda: None
    command: tuple[str, ...] = SEGUE

    # the regression eval

    def start(self, upgrade: Upgrade, number: int) -> None:
        """Begin the eval that entry `number` asked for. Once it is noted as ended, never again."""
        self._tend(upgrade, number)

    def seen(self, upgrade: Upgrade) -> SuiteSeen | None:
        """What it came to. Looks after the job on the way: one that died is begun again, and pays for nothing twice."""
        asked = asked_of(upgrade)
        if asked is None:
            return None
        found = find_verdict(self.store, upgrade, asked)
        if found is not None:
            return suite_seen(*found)
        return self._without_verdict(upgrade, asked)

    def standstill(self, upgrade: Upgrade) -> Standstill | None:
        """It says nothing any more, or waits for somebody else's."""
        opening, asked = upgrade.opening, asked_of(upgrade)
        if asked is None:
            return None
        name = _job_name(upgrade, asked.number, max(1, self._tries(upgrade, asked.number)))
        if self.jobs.look(name).standing == "running":
            told = f"The regression eval runs and shows no progress; {self.jobs.standstill_of(name)}"
            return Standstill(told, self.jobs.moved_at(name))
        held = self._holder(opening.workflow)
        if held is None:
            return None
        who = f"{held.run or 'a run'}, begun {held.at or 'at an unknown time'} by {held.author or 'somebody'}"
        return Standstill(
            f"The regression eval waits for another eval of '{opening.workflow}' ({who}). See that it goes on, or end it; then "
            "resume, and this one begins."
        )

    def _without_verdict(self, upgrade: Upgrade, asked: Asked) -> SuiteSeen | None:
        """It runs, waits for another eval of the workflow, is begun again, or is broken: then it holds, and says why."""
        ended = self._ended(upgrade, asked.number)
        if ended is None:
            self._tend(upgrade, asked.number)
            ended = self._ended(upgrade, asked.number)
        if ended is None:
            return None
        return SuiteSeen("hold", may_migrate=False, verdict="", reasons=(str(ended["reason"]),))

    def _tend(self, upgrade: Upgrade, number: int) -> None:
        """Bring the job a step further: begin it, begin it again, or note its end."""
        if self._ended(upgrade, number) is not None:
            return
        tried = self._tries(upgrade, number)
        name = _job_name(upgrade, number, max(1, tried))
        job = self.jobs.look(name)
        if job.standing == "running" or self._is_busy(upgrade.opening.workflow):
            return
        if job.standing == "ended":
            self._end(upgrade, number, tried, job.code, name)
        elif tried >= MOST_TRIES:
            self._note(upgrade, number, tried, reason=f"The regression eval was killed {tried} times. {self._where(name)}")
        else:
            self._begin(upgrade, number, tried + 1)

    def _end(self, upgrade: Upgrade, number: int, tried: int, code: int | None, name: str) -> None:
        """It ended without a verdict that counts."""
        asked = asked_of(upgrade)
        why = None if asked is None else stopped_run(self.store, upgrade, asked)
        was_killed = code is None or code >= KILLED
        if (why == "interrupted" or was_killed) and tried < MOST_TRIES:
            self._begin(upgrade, number, tried + 1)
            return
        opening = upgrade.opening
        if why is not None:
            reason = _STOPPED.get(why, why).format(workflow=opening.workflow, candidate=upgrade.state.candidate[:10])
        else:
            said = self.jobs.error_of(name)
            reason = (
                f"The regression eval broke: {said} Mend it, and resume."
                if said
                else (f"The regression eval ended with code {code} and gave no verdict. {self._where(name)}")
            )
        self._note(upgrade, number, tried, reason=reason, code=code)

    def _begin(self, upgrade: Upgrade, number: int, attempt: int) -> None:
        """The fact comes second: what could not be begun was not tried. What began without its fact is found by its name."""
        opening, state = upgrade.opening, upgrade.state
        words = [*self.command, "eval", opening.workflow, "--candidate", state.candidate, "--incumbent", state.incumbent]
        budget = upgrade.plan.eval_usd
        if budget is not None:
            words += ["--budget", f"{budget:g}usd"]
        self.jobs.start(_job_name(upgrade, number, attempt), [*words, "--json"], SEGUE_AUTHOR=AUTHOR)
        body: dict[str, Json] = {"number": number, "attempt": attempt, "standing": "begun"}
        self._fact(upgrade, body)

    def _is_busy(self, workflow: str) -> bool:
        """Whether an eval of the workflow runs anywhere: somebody's own, or ours on another machine. Two would pay twice."""
        return self._holder(workflow) is not None

    def _holder(self, workflow: str) -> Claim | None:
        name = f"eval {workflow}"
        held = self.store.claim(name, Claim("look", iso(self.clock()), AUTHOR))
        if held is None:
            self.store.release(name)
        return held

    def _tries(self, upgrade: Upgrade, number: int) -> int:
        """By the facts; or by the job itself, where it was begun and whoever began it was killed before the fact."""
        tried = max((int(one["attempt"]) for one in self._runs(upgrade, number)), default=0)
        while tried < MOST_TRIES and self.jobs.look(_job_name(upgrade, number, tried + 1)).standing != "absent":
            tried += 1
        return tried

    def _ended(self, upgrade: Upgrade, number: int) -> dict[str, Any] | None:
        return next((one for one in self._runs(upgrade, number) if one["standing"] == "ended"), None)

    def _runs(self, upgrade: Upgrade, number: int) -> list[dict[str, Any]]:
        opening = upgrade.opening
        facts = self.store.list_facts(opening.workflow, kind=RUN, subject=opening.upgrade)
        return [one.body for one in facts if isinstance(one.body, dict) and one.body.get("number") == number]

    def _note(self, upgrade: Upgrade, number: int, attempt: int, *, reason: str, code: int | None = None) -> None:
        body: dict[str, Json] = {"number": number, "attempt": attempt, "standing": "ended", "reason": reason, "code": code}
        self._fact(upgrade, body)

    def _fact(self, upgrade: Upgrade, body: Json) -> None:
        opening = upgrade.opening
        self.store.add_fact(RUN, opening.workflow, opening.upgrade, body, author=AUTHOR, at=iso(self.clock()))

    def _where(self, name: str) -> str:
        return f"See {self.jobs.log_of(name)}, and resume."

    # the daily eval

    def keep_up(self, upgrade: Upgrade, now: float) -> None:
        """Begin today's (UTC), unless it was done, runs, or broke today already; what keeps it from running is written down."""
        day = datetime.fromtimestamp(now, UTC).date()
        if upgrade.state.is_ended or is_measured(self.store, upgrade, day):
            return
        try:
            endpoint = self.endpoint()
        except SegueError as error:
            self._trouble(upgrade, " ".join(one.sentence() for one in error.faults[:1]))
            return
        if endpoint is None:
            self._trouble(upgrade, _NOWHERE)
            return
        try:
            self._begin_daily(upgrade, day.isoformat(), endpoint)
        except JobError as error:
            # Told with what runs beside the upgrade, which is led on without it.
            self._trouble(upgrade, " ".join(one.sentence() for one in error.faults[:1]))

    def _begin_daily(self, upgrade: Upgrade, day: str, endpoint: Endpoint) -> None:
        """Each costs money: one that is killed again and again, for want of memory say, is not begun at every look."""
        for attempt in range(1, MOST_TRIES + 1):
            name = _daily_name(upgrade, day, attempt)
            job = self.jobs.look(name)
            if job.standing == "absent":
                words = [*self.command, "daily", upgrade.opening.workflow, "--environment", upgrade.opening.environment]
                words += ["--endpoint", endpoint.url, "--json"]
                self.jobs.start(name, words, SEGUE_AUTHOR=AUTHOR, **{ENDPOINT_KEY: endpoint.key})
            elif job.standing == "ended":
                said = self.jobs.error_of(name) or f"it ended with code {job.code}; see {self.jobs.log_of(name)}"
                self._trouble(upgrade, f"The daily eval of {day} broke: {said}")
            if job.standing != "died":
                return
        last = self.jobs.log_of(_daily_name(upgrade, day, MOST_TRIES))
        self._trouble(upgrade, f"The daily eval of {day} was killed {MOST_TRIES} times; see {last}")

    def _trouble(self, upgrade: Upgrade, told: str) -> None:
        """Once, however often it is met."""
        if last_trouble(self.store, upgrade) != told:
            opening = upgrade.opening
            body: dict[str, Json] = {"trouble": told}
            self.store.add_fact(TROUBLE, opening.workflow, opening.upgrade, body, author=AUTHOR, at=iso(self.clock()))


def _job_name(upgrade: Upgrade, number: int, attempt: int) -> str:
    return f"{upgrade.opening.upgrade}-{number}-eval" + ("" if attempt == 1 else f"-{attempt}")


def _daily_name(upgrade: Upgrade, day: str, attempt: int) -> str:
    return f"{upgrade.opening.upgrade}-daily-{day}" + ("" if attempt == 1 else f"-{attempt}")
