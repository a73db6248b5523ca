"""The opening of an answer is the same, however little of the text it takes to find it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from segue.drift.refusal import OPENING, _opening, _plain

PIECES = [
    "word ",
    "  ",
    "\n",
    "*",
    "_",
    "`",
    "’",
    "ß",
    "İ",
    "Σ",
    "\t",
    "\x00",
    "\u00a0",
    "\u2028",
    "# ",
    "x" * 50,
    " " * 30,
    "*" * 70,
]


@given(st.lists(st.tuples(st.sampled_from(PIECES), st.integers(1, 40)), max_size=20))
def test_it_is_that_of_all_that_may_be_read(pieces: list[tuple[str, int]]) -> None:
    """Markup and blanks that fall away may push its end far behind where most openings end."""
    text = "".join(piece * times for piece, times in pieces)
    assert _opening(text) == _plain(text.lstrip()[: OPENING * 2])
