"""`make demo-recorded`: the seven things a regression gate has to see on real upgrades, on one screen each."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def run_demo(out: Path, data: Path) -> subprocess.CompletedProcess[str]:
    """Run the script as `make demo-recorded` does, elsewhere."""
    return subprocess.run(
        [sys.executable, str(EXAMPLES / "demo_recorded.py"), "--out", str(out)],
        cwd=out,
        env={**os.environ, "SEGUE_DATA": str(data), "COLUMNS": "100"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        check=False,
    )


def test_says_plainly_that_the_recordings_are_not_there(tmp_path: Path) -> None:
    """Where there is no data it says so, how to name it, and what works without."""
    done = run_demo(tmp_path, tmp_path / "nowhere")
    assert done.returncode == 1
    assert "Traceback" not in done.stdout
    assert "SEGUE_DATA=/path/to/data make demo-recorded" in done.stdout
    assert "make demo" in done.stdout
    assert not (tmp_path / "recorded").exists()


@pytest.mark.thorough  # the statements are in tests/recorded, each by itself
@pytest.mark.recorded
@pytest.mark.slow
@pytest.mark.timeout(400)
def test_shows_what_a_gate_has_to_see_on_real_upgrades(tmp_path: Path, segue_data: Path) -> None:
    """Each of the statements about the recordings is on the screen in numbers, and each step fits one screen."""
    done = run_demo(tmp_path, segue_data)
    shown = done.stdout
    assert done.returncode == 0, shown
    for said in (
        "fell from 84.0 % to 51.1 % on all cases",
        "fell from 97.6 % to 2.4 % on kind=prime",
        "The candidate says 'no' on 99",
        "The format broke, the ability did not",
        "fell from 52.0 % to 10.0 %",
        "fell from 97.6 % to 23.4 %",
        "fell from 88.8 % to 83.8 % on category=relevance",
        "fell from 81.7 % to 72.5 % on category=relevance",
        "The judge may not gate",
        "(up to 2 h 12 min)",
    ):
        # Long lines are folded where the terminal ends.
        assert said in " ".join(shown.split()), said
    for row in (("answered", "21.0", "5.0"), ("category=javascript", "80.0", "34.0"), ("behaves", "40.4", "70.4")):
        assert any(all(word in line for word in row) for line in shown.splitlines()), row
    noise = shown[shown.index("Two trials of one agent") :]
    assert "‖ HOLD" in noise
    assert "FAIL" not in noise[: noise.index("Some calls took hours")]
    steps = shown.split("─" * 100)
    assert max(step.count("\n") for step in steps) <= 60
    assert (tmp_path / "recorded" / "prime.html").stat().st_size > 50_000
