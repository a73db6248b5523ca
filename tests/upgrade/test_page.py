"""The guide to an upgrade is in step with the machine."""

from __future__ import annotations

from typing import get_args

from segue.model.plan_parts import Occasion
from segue.upgrade.state import Stage, Standing
from tests.upgrade.page import PAGE, page


def test_table_and_diagram_are_drawn_from_the_rows() -> None:
    """Draw them again with `python -m tests.upgrade.page`, and read the difference."""
    assert PAGE.read_text(encoding="utf-8") == page()


def test_every_stage_and_standing_is_explained() -> None:
    """By its name, in a table of its own."""
    text = PAGE.read_text(encoding="utf-8")
    for name in (*get_args(Stage), *get_args(Standing)):
        assert f"| **{name.replace('_', ' ')}** |" in text, name


def test_every_occasion_of_a_notice_is_explained() -> None:
    """Those that a plan may name."""
    text = PAGE.read_text(encoding="utf-8")
    for name in get_args(Occasion):
        assert f"| `{name}` |" in text, name
