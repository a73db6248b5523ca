"""Many seeds side by side: processes change nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from segue.rehearsal.preparing import Pair, Prepared
from segue.rehearsal.result import Rehearsed
from segue.rehearsal.running import Order, rehearse_seeds
from tests.rehearsal.test_world import a_course

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("rehearsal")]


def test_two_processes_find_what_one_finds(prepared: Prepared, workspace_root: Path, tmp_path: Path) -> None:
    """By seed, to the last figure; each is told of once."""
    course = a_course("fence +10%", most_days=0.3)
    order = Order(workspace_root, str(tmp_path / "state.db"), Pair("triage", "next"), course, prepared.verdict)
    told: list[Rehearsed] = []
    one, _ = rehearse_seeds(order, prepared, [1, 2], 1, told.append)
    two, is_interrupted = rehearse_seeds(order, prepared, [1, 2], 2, told.append)
    assert one == two
    assert not is_interrupted
    assert sorted(found.seed for found in told) == [1, 1, 2, 2]
