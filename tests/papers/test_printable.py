"""Text from outside, made safe to show."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from segue.papers.printable import printable, printable_line, printable_name, shorten


@given(st.text(st.characters()))
def test_nothing_that_steers_a_terminal_is_left(text: str) -> None:
    """No control character but line ends and tabs, no bidirectional override, nothing that cannot be written as UTF-8."""
    shown = printable(text)
    shown.encode("utf-8")
    assert not [sign for sign in shown if unicodedata.category(sign) == "Cc" and sign not in "\n\t"]
    assert not set(shown) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def test_controls_are_shown_not_dropped() -> None:
    """Whoever reads a flip sees that an escape was in the output."""
    assert printable("\x1b[31mred\x07") == "␛[31mred␇"
    assert printable("a\r\nb\tc\u2028d") == "a\nb\tc\nd"
    assert printable("gnp.\u202eexe") == "gnp.‹U+202E›exe"


def test_names_from_right_to_left_are_left_alone() -> None:
    """Letters are letters; only overrides are signs."""
    assert printable_name("لغة=العربية") == "لغة=العربية"


def test_a_name_is_one_short_line() -> None:
    """A slice named after a whole document cannot push everything else away."""
    assert printable_name("two\nlines") == "two␊lines"
    assert printable_name("x" * 500) == "x" * 119 + "…"
    assert len(printable_line("word " * 10_000)) == 2_000


def test_shortening_says_how_much_is_gone() -> None:
    """So that a paper can say it too."""
    assert shorten("abcdef", 4) == ("abcd", 2)
    assert shorten("abc", 4) == ("abc", 0)
