"""Numbers stay with their units: by no-break spaces on pages, by a held place on a terminal."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from segue.papers.screen import clip_middle, lines_of
from segue.papers.ties import NO_BREAK, held, let_go, tie


@pytest.mark.parametrize(
    ("text", "tied"),
    [
        ("fell to 78.3 % on 159 cases", "fell to 78.3_% on 159_cases"),
        ("p ≈ 4.5e-5, p = 0.01", "p_≈_4.5e-5, p_=_0.01"),
        ("0.55 ×, 5.0 points, 58 s", "0.55_×, 5.0_points, 58_s"),
        ("up to 2 people, 3 pointers", "up to 2 people, 3 pointers"),
    ],
)
def test_what_belongs_together_is_tied(text: str, tied: str) -> None:
    """And nothing else."""
    assert tie(text, "_") == tied
    assert tie(text) == tied.replace("_", NO_BREAK)


@given(st.text())
def test_what_is_held_is_let_go(text: str) -> None:
    """The words that are written are those that were given."""
    assert let_go(held(text)) == text.replace("\ue0a0", "\ufffd")


def test_a_terminal_breaks_no_line_between_a_number_and_its_unit() -> None:
    """At any width; what is written has plain spaces, which are searched for."""
    sentence = "right_action fell from 91.8 % to 78.3 % on task=refund (159 cases, p ≈ 4.5e-5)."
    for width in range(20, 80):
        console = Console(file=io.StringIO(), width=width)
        lines = ["".join(one.text for one in line) for line in lines_of(console, Text(held(sentence)))]
        assert " ".join(line.strip() for line in lines) == sentence
        assert not any(line.strip().startswith(("%", "cases", "≈", "4.5e-5")) for line in lines)


@given(st.text(alphabet=st.characters(categories=["L", "N", "P"]), min_size=1), st.integers(8, 60))
def test_a_long_name_keeps_its_beginning_and_its_end(name: str, limit: int) -> None:
    """Within its columns; a name that fits stays."""
    shown = clip_middle(name, limit)
    assert cell_len(shown) <= limit
    if cell_len(name) <= limit:
        assert shown == name
    else:
        assert "…" in shown
        assert name.startswith(shown.split("…")[0][:2])
