"""The benchmarks run: small, without the alternatives, and without a word on how long anything took."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent.parent


def benchmark(tmp_path: Path, *words: str) -> dict[str, Any]:
    """Run one; returns the figures it saved."""
    saved = tmp_path / "figures.json"
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", *words, "--json", saved], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout
    found: dict[str, Any] = json.loads(saved.read_text())[words[0]]
    assert found["machine"]["cores"]
    return found


@pytest.mark.slow
def test_the_runner_is_measured_against_the_ideal(tmp_path: Path) -> None:
    """Sixty calls: all are made once, and no more are in flight than allowed. How many there are is the machine's affair."""
    found = benchmark(tmp_path, "runner", "--only", "segue", "--calls", "60", "--in-flight", "20", "--latency-ms", "50")
    asking, whole = found["rows"]
    assert asking["calls"] == 60
    assert 1 <= asking["in flight, most"] <= 20
    assert 0 < whole["ideal ÷ wall"] <= asking["ideal ÷ wall"] <= 1
    assert found["ideal_s"] == pytest.approx(0.15)


@pytest.mark.slow
def test_import_and_comparison_are_measured_at_two_sizes(tmp_path: Path) -> None:
    """By labels; the growth from one size to the other is told."""
    found = benchmark(tmp_path, "million", "--rows", "400", "800")
    assert [(row["step"], row["rows"]) for row in found["rows"]] == [
        (step, rows) for rows in (400, 800) for step in ("import", "compare, scoring", "compare again")
    ]
    assert [row["rows ×"] for row in found["growth"]] == [2.0, 2.0, 2.0]


@pytest.mark.slow
def test_outputs_can_be_graded_by_a_scorer(tmp_path: Path) -> None:
    """Without labels, at one size."""
    found = benchmark(tmp_path, "million", "--rows", "400", "--graded")
    assert [row["step"] for row in found["rows"]] == ["import", "compare, scoring", "compare again"]


@pytest.mark.slow
def test_start_up_is_measured_beside_a_bare_interpreter(tmp_path: Path) -> None:
    """And what is imported is named."""
    found = benchmark(tmp_path, "startup", "--runs", "1")
    assert [row["command"] for row in found["rows"]] == ["python -c pass", "segue --help", "segue compare, tiny"]
    assert found["rows"][0]["cpu ÷ python"] == 1.0
    assert "click" in {row["package"] for row in found["imports"]["segue --help"]}


@pytest.mark.slow
def test_the_gate_is_simulated_with_standard_errors(tmp_path: Path) -> None:
    """Two seeds of each true loss."""
    found = benchmark(tmp_path, "gate", "--seeds", "2", "--drops", "0", "0.1")
    assert {row["what"] for row in found["rows"]} >= {"blocked", "blocked there", "total cleared"}


def test_without_a_name_the_benchmarks_are_listed() -> None:
    """What there is, and what each is for."""
    done = subprocess.run([sys.executable, "-m", "benchmarks"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert all(name in done.stdout for name in ("runner", "million", "startup", "gate"))
