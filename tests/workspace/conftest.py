"""Fixtures of the workspace's tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.workspace.builders import Team


@pytest.fixture
def team(tmp_path: Path) -> Team:
    """A small workspace without faults."""
    return Team(tmp_path)
