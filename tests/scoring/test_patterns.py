"""Patterns that could hang a run are refused when the workflow is read."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from segue.scoring.pattern import compile_pattern

EXPONENTIAL = [
    r"(\w+\s*)*$",
    r"(a+)+$",
    r"(a*)*b",
    r"(?:a|ab|b)*c",
    r"(?:a|ba?)*c",
    r"(?:a*ba*)*c",
    r"(?:\d{1,3},?)*x",
    r"(?:a?b?)*c",
    r"^(?:\s*-\s*\w+\n?)+$",
    r"(?s:(?:.*\n)*)x",
    r"(?>(?:a+)+)b",
    r"(?=(a+)+b)",
    r"(\d+)(?:,?\1)*x",
    r"(?i)(?:K|k+)+x",
]

ROWS = [
    "a*a*a*a*a*c",
    "(?:(?:[ab])*(?:[ab])*(?:[ab])*){1,2}c",
    r"\w+\w*x?\w+a?\w*\w+!",
    "(?:ab)*(?:ab)*(?:ab)*(?:ab)*(?:ab)*c",
    "(?:ab)*c?(?:ab)*(?:ab)*(?:ab)*(?:ab)*e",
    "^(.*),(.*),(.*),(.*),(.*)$",
    "(?=a*a*a*a*a*b)a",
    "(?>a*a*a*a*a*b)",
    "(?:a*b?){5}c",
]
"""Of five loops; of four they are accepted."""

OF_NOTHING = [
    "(?:(?:a|b)?)+a",
    "(?:(?:(?:(?:a|b)?)+){1,2}){1,2}c",
    "(?=(?:a?)*b)a",
    "(?>(?:a?)+b)",
    "(?:a?){9,}",
    "(?:a?)*?b",
]

HARMLESS = [
    "a*a*a*a*c",
    "(?:ab)*(?:ab)*(?:ab)*(?:ab)*c",
    "^(.*),(.*),(.*),(.*)$",
    r"^([^,]*),([^,]*),([^,]*),([^,]*),([^,]*),([^,]*)$",
    r"(\d+)-(\d+)-(\d+) (\d+):(\d+):(\d+)\.(\d+)",
    r"(?s)Name:.*Street:.*Town:.*Date:.*Total:.*Signed:.*",
    r"\s*\w+\s*=\s*\w+\s*;\s*\w+\s*=\s*\w+\s*",
    "a*+a*+a*+a*+a*c",
    ".*?foo.*?bar.*?baz.*?qux.*?",
    "(?:a?){3}b",
    "(?:(?=a))*b",
    r"[+-]?\d+\.?\d*(?:e[+-]?\d+)?",
    r"\{\s*\"label\"\s*:\s*\"(\w+)\"\s*,\s*\"score\"\s*:\s*(\d+\.?\d*)\s*\}",
    r"Answer:\s*(\d+)",
    r"(?s).*Answer:(.*)",
    r"(?:\w+\.)+\w+@",
    r"(?:[A-Z][a-z]+\s?)+",
    r"(?:(?:a+b)+c)*",
    r"(?:a++)+",
    r"(?:\s*\w+\s*,)+",
    r'"(?:[^"\\]|\\.)*"',
    r"\((?:[^()]|\([^()]*\))*\)",
    r"(?:the|then|there)+",
    r"[a-z0-9._%+-]+@[a-z0-9.-]+\.[a-z]{2,}",
    r"^(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}",
    r"(?:[^\w]+\w+)*",
    r"(?:.*\n)*",
    "|".join(f"phrase number {number}" for number in range(300)),
]


@pytest.mark.parametrize("pattern", EXPONENTIAL)
def test_a_pattern_that_can_take_exponential_time_is_refused(pattern):
    """The fault says what to write instead."""
    with pytest.raises(ValueError, match="possessive"):
        compile_pattern(pattern)


@pytest.mark.parametrize("pattern", ROWS)
def test_a_row_of_repeats_that_read_the_same_is_refused(pattern):
    """Each takes one power of the text's length."""
    with pytest.raises(ValueError, match="five or more repeats in a row"):
        compile_pattern(pattern)


@pytest.mark.parametrize("pattern", OF_NOTHING)
def test_a_repeat_of_what_may_be_empty_is_refused(pattern):
    """The fault says what to write instead."""
    with pytest.raises(ValueError, match="may be empty"):
        compile_pattern(pattern)


@pytest.mark.parametrize("pattern", HARMLESS)
def test_an_ordinary_pattern_is_accepted(pattern):
    """Repeats that a separator keeps apart are fine."""
    assert isinstance(compile_pattern(pattern), re.Pattern)


@pytest.mark.parametrize("pattern", ["(", "[a", "(?P<a>x)(?P<a>y)", "a{99999999999}", "(?<=a+)b", "\\"])
def test_a_pattern_that_does_not_compile_is_a_fault(pattern):
    """Whatever Python's compiler says of it is passed on."""
    with pytest.raises(ValueError, match="does not compile"):
        compile_pattern(pattern)


_ATOMS = st.sampled_from(["a", "b", "[ab]", "(?:a|b)", "(?:ab|a)", "(?:a|b)?"])
_PATTERNS = st.recursive(
    _ATOMS,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map("".join),
        st.tuples(inner, st.sampled_from(["*", "+", "?", "{1,2}", "*?"])).map(lambda pair: f"(?:{pair[0]}){pair[1]}"),
    ),
    max_leaves=5,
)


@given(_PATTERNS)
@example("(?:(?:[ab])*(?:[ab])*(?:[ab])*){1,2}")
@example("(?:(?:(?:(?:a|b)?)+){1,2}){1,2}")
def test_an_accepted_pattern_stays_fast_on_the_texts_that_hurt(pattern):
    """Sixty characters are enough to make an exponential pattern run for years; what is accepted takes milliseconds."""
    try:
        compiled = compile_pattern(f"{pattern}c")
    except ValueError:
        return
    began = time.perf_counter()
    for text in ("a" * 60, "ab" * 30, "b" * 60, "ba" * 30, "aab" * 20):
        compiled.match(text)
    assert time.perf_counter() - began < 2
