"""The drift report of a shadow stage: from when it began, with the candidate as it is, written down without anybody's words."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest

from segue.controller.drift_report import DriftReader, DriftScope
from segue.controller.drift_report_shadow import read_drift, shadow_began, shadow_report, start_drift, write_drift
from segue.controller.effects import leaves_shadow
from segue.controller.jobs import Jobs
from segue.upgrade.log import Upgrade, UpgradeEntry
from tests.controller.drifting import NEW, OLD, a_kept_log, fence_on_product, named
from tests.controller.pretend import Stage
from tests.controller.test_staging import ToldJobs
from tests.exchanges.builders import NOON

BEGAN = NOON / 1e9


def in_shadow(*entered: float, candidate: str = NEW) -> Upgrade:
    """An upgrade that came to shadow at these times."""
    stage = Stage()
    stage.open()
    opening = stage.upgrade().opening.model_copy(update={"workflow": "mail", "incumbent": OLD, "candidate": candidate})
    entries = []
    for number, at in enumerate(entered, 1):
        state = opening.state.model_copy(update={"stage": "shadow", "entered_at": at, "number": number})
        entries.append(UpgradeEntry(upgrade="u1", number=number, event="passed", at=at, state=state))
    return Upgrade(opening.model_copy(update={"environment": "staging"}), tuple(entries))


def test_shadow_counts_from_when_it_was_entered_last(tmp_path: Path) -> None:
    """Pairs from before, and from after now, are none of it."""
    log = a_kept_log(tmp_path, 120, fence_on_product)
    upgrade = in_shadow(BEGAN - 100.0, BEGAN)
    assert shadow_began(upgrade) == BEGAN
    state = upgrade.state.model_copy(update={"environment": "staging"})
    entries = (*upgrade.entries[:-1], upgrade.entries[-1].model_copy(update={"state": state}))
    found = shadow_report(DriftReader(log), Upgrade(upgrade.opening, entries), BEGAN + 10, frozenset(("task",)))
    assert found is not None
    assert found.n_pairs == 120
    assert ("whole_fence", "task=product") in named(found)
    late = shadow_report(DriftReader(log), Upgrade(upgrade.opening, entries), BEGAN)
    assert late is not None
    assert late.n_pairs == 0


def test_before_shadow_there_is_no_report(tmp_path: Path) -> None:
    """And nothing that looks like a calm one."""
    assert shadow_report(DriftReader(a_kept_log(tmp_path, 1)), in_shadow(), BEGAN) is None


def test_it_is_written_down_by_a_job_of_its_own() -> None:
    """Named by upgrade and candidate, so that it is begun once for each."""
    jobs, stage = ToldJobs(), Stage()
    stage.open()
    start_drift(cast(Jobs, jobs), stage.upgrade(), ("segue",))
    ((name, words),) = jobs.begun
    assert name == f"u1-drift-{stage.new[:10]}"
    assert words == ["segue", "drift", "w", "--environment", "production", "--keep", "--json"]


def test_the_entry_that_brings_users_to_the_candidate_leaves_shadow() -> None:
    """That one, and no resumption of the first step."""
    stage = Stage()
    stage.open()
    controller = stage.controller()
    stage.days(controller, 4)
    left = [entry for entry in stage.upgrade().entries if leaves_shadow(entry)]
    assert [(entry.event, entry.state.stage, entry.state.step) for entry in left] == [("passed", "canary", 0)]
    again = left[0].model_copy(update={"event": "resume"})
    assert not leaves_shadow(again)


@pytest.mark.parametrize("times", [1, 3])
def test_a_report_is_written_down_once_for_each_candidate(tmp_path: Path, times: int) -> None:
    """However often a controller comes by."""
    stage = Stage()
    stage.open()
    upgrade = stage.upgrade()
    report = DriftReader(a_kept_log(tmp_path, 20)).report(DriftScope("mail", "staging", OLD, NEW))
    for _ in range(times):
        write_drift(stage.store, upgrade, report, author="segue", at=stage.at)
    assert len(stage.store.list_facts("w", kind="drift")) == 1
    assert read_drift(stage.store, upgrade) == report
