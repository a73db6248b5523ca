"""Evals that could not be begun, or that stand still: the reason as it is, and no try burnt."""

from __future__ import annotations

from pathlib import Path

import pytest

from segue.controller.daily_facts import daily_seen
from segue.controller.jobs import JobError
from segue.controller.suites import MOST_TRIES
from segue.store.base import Claim
from tests.controller.test_suites import Scene
from tests.controller.undertaken import NOW
from tests.evals.builders import AT


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """At the beginning of the stage."""
    return Scene(tmp_path)


def test_one_that_could_not_be_begun_was_not_killed(scene: Scene) -> None:
    """However often it was tried: the reason is told as it is, and what is begun at last is the first."""
    scene.jobs.refuses = "No space left on device"
    for _ in range(2 * MOST_TRIES):
        with pytest.raises(JobError, match="No space left on device"):
            scene.port.seen(scene.upgrade)
    assert scene.notes() == []
    scene.jobs.refuses = ""
    assert scene.port.seen(scene.upgrade) is None
    assert [name for name, _, _ in scene.jobs.begun] == ["u-1-eval"]


def test_one_begun_by_who_was_killed_before_saying_so_is_not_begun_twice(scene: Scene) -> None:
    """It is found by its name, and counts as a try."""
    name = "u-1-eval"
    scene.jobs.start(name, [])
    assert scene.port.seen(scene.upgrade) is None
    assert len(scene.jobs.begun) == 1
    scene.jobs.ends(137)
    assert scene.port.seen(scene.upgrade) is None
    assert [one for one, _, _ in scene.jobs.begun] == [name, "u-1-eval-2"]


def test_a_daily_eval_that_could_not_be_begun_is_trouble_and_stops_nothing(scene: Scene) -> None:
    """The upgrade is led on without it, and the reason stands beside it."""
    scene.jobs.refuses = "Permission denied"
    scene.port.keep_up(scene.upgrade, NOW)
    assert "could not be begun: Permission denied. Make room." in daily_seen(scene.team.store, scene.upgrade, NOW).trouble[0]
    scene.jobs.refuses = ""
    scene.port.keep_up(scene.upgrade, NOW + 60)
    assert len(scene.jobs.begun) == 1


def test_what_stands_still_is_told_with_how_to_end_it(scene: Scene) -> None:
    """An eval of somebody else's that keeps it waiting, or its own job that says nothing."""
    store = scene.team.store
    assert store.claim("eval mail", Claim("run-x", AT, "bob")) is None
    assert scene.port.seen(scene.upgrade) is None
    waits = scene.port.standstill(scene.upgrade)
    assert waits is not None
    assert f"waits for another eval of 'mail' (run-x, begun {AT} by bob)" in waits.what
    assert waits.moved_at is None
    store.release("eval mail")
    assert scene.port.standstill(scene.upgrade) is None
    assert scene.port.seen(scene.upgrade) is None
    scene.jobs.moved = NOW - 5
    runs = scene.port.standstill(scene.upgrade)
    assert runs is not None
    assert runs.moved_at == NOW - 5
    assert "u-1-eval.log" in runs.what
