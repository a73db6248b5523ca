"""The benchmark of this layer runs, and what it asserts of connections holds."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="It reads processor time from /proc.")
def test_the_bare_proxy_is_measured_and_keeps_its_connections(tmp_path: Path) -> None:
    """As many upstream connections as clients, however many requests; no chunk lost."""
    saved = tmp_path / "figures.json"
    words = ["--rounds", "1", "--seconds", "0.3", "--clients", "4", "--streams", "20", "--json", str(saved)]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "gateway_http", *words], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(saved.read_text())["gateway_http"]
    assert found["upstream_connections"] <= 4
    bare = next(row for row in found["medians"] if row["what"] == "segue, bare")
    assert bare["cpu_us"] > 0
    assert bare["stream_not_arrived"] == 0
