"""The port `Staging`: recorded traffic replayed against the candidate as a job, and what its gate says of it.

The job (`segue replay --upgrade`, `staging_job.py`) writes what it found down as the fact `staging`; the gate is judged anew at
each look, so that what somebody accepts counts at once. A job that was killed is begun again and goes on where it stopped; on
another machine it begins anew, unless the fact is there. One that ended too often without a result is written down as broken.
"""

from __future__ import annotations

from dataclasses import dataclass

from segue.controller.effects import AUTHOR
from segue.controller.jobs import SEGUE, Jobs
from segue.controller.moments import iso
from segue.controller.ports import Clock, Standstill
from segue.controller.staging_facts import StagingResult, accepted_of, find_result, read_result, write_result
from segue.controller.staging_gate import judge_staging
from segue.store.upgrades import UpgradeStore
from segue.upgrade.log import Upgrade

MOST_TRIES = 3
"""So often a job that was killed is begun again before people look."""


@dataclass(frozen=True)
class StagingJobs:
    """The port on this workspace's jobs."""

    store: UpgradeStore
    jobs: Jobs
    clock: Clock
    command: tuple[str, ...] = SEGUE

    def start(self, upgrade: Upgrade, number: int) -> None:
        """Begin what entry `number` asked for, unless it is done or runs."""
        if self._result(upgrade, number) is None:
            self._tend(upgrade, number)

    def seen(self, upgrade: Upgrade) -> tuple[bool | None, tuple[str, ...]]:
        """Whether staging was passed, and why not. Looks after the job on the way."""
        number = self._number(upgrade)
        if number is None:
            return None, ()
        result = self._result(upgrade, number) or self._tend(upgrade, number)
        return (None, ()) if result is None else judge_result(self.store, upgrade, result)

    def standstill(self, upgrade: Upgrade) -> Standstill | None:
        """Its job says nothing any more."""
        number = self._number(upgrade)
        for attempt in range(1, MOST_TRIES + 1):
            name = job_name(upgrade.opening.upgrade, number or 0, attempt)
            if self.jobs.look(name).standing == "running":
                told = f"The job of staging runs and shows no progress; {self.jobs.standstill_of(name)}"
                return Standstill(told, self.jobs.moved_at(name))
        return None

    def _number(self, upgrade: Upgrade) -> int | None:
        """The entry whose job counts: the last that asked for staging, or a resumption after one that found too little."""
        opening, number = upgrade.opening, asked_number(upgrade)
        has_failed = False
        for entry in upgrade.entries:
            if number is None or entry.number <= number or entry.state.stage != "staging":
                continue
            has_failed = has_failed or entry.event == "staging_failed"
            if entry.event != "resume":
                continue
            found = find_result(self.store, opening.workflow, opening.upgrade, number)
            # Who resumed before there was anything to see has mended nothing.
            if found is not None and has_too_little(upgrade, found[0]) and (has_failed or iso(entry.at) >= found[1]):
                number, has_failed = entry.number, False
        return number

    def _result(self, upgrade: Upgrade, number: int) -> StagingResult | None:
        return read_result(self.store, upgrade.opening.workflow, upgrade.opening.upgrade, number)

    def _tend(self, upgrade: Upgrade, number: int) -> StagingResult | None:
        """Begin the job, or begin it again; where that has been of no use, that is what staging found."""
        opening = upgrade.opening
        for attempt in range(1, MOST_TRIES + 1):
            name = job_name(opening.upgrade, number, attempt)
            job = self.jobs.look(name)
            if job.standing == "running":
                return None
            if job.standing == "absent":
                words = [*self.command, "replay", opening.workflow, "--upgrade", opening.upgrade, "--entry", str(number)]
                self.jobs.start(name, [*words, "--json"], SEGUE_AUTHOR=AUTHOR)
                return None
        # It may have written its result and ended since that was looked for.
        result = self._result(upgrade, number)
        if result is None:
            last = job_name(opening.upgrade, number, MOST_TRIES)
            said = self.jobs.error_of(last) or f"See {self.jobs.log_of(last)}."
            broken = f"Staging ended {MOST_TRIES} times without a result. {said} Mend it, and resume."
            result = StagingResult(number=number, broken=broken)
            write_result(self.store, opening.workflow, opening.upgrade, result, author=AUTHOR, at=iso(self.clock()))
        return result


def asked_number(upgrade: Upgrade) -> int | None:
    """The last entry that asked for staging."""
    return max((entry.number for entry in upgrade.entries if "run_staging" in entry.effects), default=None)


def job_name(upgrade: str, number: int, attempt: int = 1) -> str:
    """Of the job of an entry; the replay it makes is called like its first attempt, so that the next one goes on with it."""
    return f"{upgrade}-{number}-staging" + ("" if attempt == 1 else f"-{attempt}")


def has_too_little(upgrade: Upgrade, result: StagingResult) -> bool:
    """Whether another try may find more, once somebody has mended what was in its way."""
    return bool(result.broken) or result.report is None or result.report.n_pairs < least_pairs(upgrade, result)


def least_pairs(upgrade: Upgrade, result: StagingResult) -> int:
    """As many as the plan asks for; of a suite that stands in for traffic, as many as it has."""
    least = upgrade.plan.staging.least
    return min(least, max(1, result.n_sent)) if result.source == "suite" else least


def judge_result(store: UpgradeStore, upgrade: Upgrade, result: StagingResult) -> tuple[bool | None, tuple[str, ...]]:
    """The gate's verdict on what a job found, with what was accepted since."""
    opening, state = upgrade.opening, upgrade.state
    if result.broken:
        return False, (result.broken,)
    explained = accepted_of(store, opening.workflow, state.incumbent, state.candidate)
    least = least_pairs(upgrade, result)
    passed, faults = judge_staging(result.report, result.integration, explained, least=least, workflow=opening.workflow)
    if result.limited and result.report is not None and result.report.n_pairs < least:
        faults = (*faults, result.limited)
    return passed, faults
