"""The recorded GPT-4 upgrade, rehearsed: stopped at the eval; forced past it, in shadow; past that, in the canary.

A few seeds here; `python -m benchmarks rehearsal --what recorded` has two hundred.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from benchmarks.recorded_traffic import data_folder
from benchmarks.rehearsal import AGAIN, JUNE, MOST_EXPOSED, run_recorded, write_recorded

pytestmark = [
    pytest.mark.recorded,
    pytest.mark.slow,
    pytest.mark.skipif(data_folder() is None, reason="the recorded upgrades are absent: set SEGUE_DATA to their folder"),
    pytest.mark.xdist_group("rehearsal"),
]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recorded prime numbers, imported."""
    return write_recorded(tmp_path_factory.mktemp("recorded") / "workspace")


def test_march_to_june_is_stopped_at_the_eval(root: Path) -> None:
    """Nobody meets it, and nothing is mirrored."""
    (found,) = run_recorded(root, JUNE, (), 3_600.0, [1], 1)
    assert (found.ending, found.where, found.exposed_units, found.shadowed) == ("holding", "retune (holding)", 0, 0)


def test_forced_past_the_eval_it_is_stopped_in_shadow(root: Path) -> None:
    """Before any user meets it."""
    (found,) = run_recorded(root, JUNE, ("eval",), 3_600.0, [1], 1)
    assert (found.ending, found.where, found.exposed_units) == ("holding", "shadow (holding)", 0)


def test_forced_past_shadow_it_is_rolled_back_within_60_units(root: Path) -> None:
    """At a share of 5 %, by itself."""
    done = run_recorded(root, JUNE, ("eval", "shadow"), 900.0, [1, 2, 3], 1)
    assert [one.ending for one in done] == ["rolled_back"] * 3
    assert all(0 < one.exposed_units <= MOST_EXPOSED for one in done)


def test_the_same_release_on_both_sides_completes(root: Path) -> None:
    """Its outputs redrawn; nothing alarms."""
    (found,) = run_recorded(root, AGAIN, ("eval",), 7_200.0, [1], 1)
    assert (found.ending, found.alarms) == ("completed", 0)
