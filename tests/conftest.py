"""Fixtures every test may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.recorded.workspace"]

settings.register_profile("fast", max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("thorough", max_examples=1000, deadline=None)
settings.load_profile(os.environ.get("SEGUE_HYPOTHESIS", "fast"))

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def segue_data() -> Path:
    """The folder of recorded upgrades; the test is skipped where it is absent."""
    path = Path(os.environ.get("SEGUE_DATA", ROOT.parent / "shared" / "data"))
    if not (path / "llmdrift" / "cases.jsonl.gz").exists():
        pytest.skip("The recorded upgrades are not here. Set SEGUE_DATA to their folder to run this test.")
    return path
