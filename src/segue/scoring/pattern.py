"""Regular expressions that cannot hang a run.

Python's `re` tries alternatives one after the other, so a repeat whose body can read one text in several ways takes time
exponential in the length of the text (`(\\w+\\s*)*$` on thirty letters takes minutes), and nothing can stop it.
Two guards, neither needing another engine:

- such patterns are refused when the workflow is read (`compile_pattern`), and so are those that are not exponential and yet
  take seconds on sixty letters: repeats of what may be empty (`(?:a?)+`), and many in a row that can all read the same text
  (`a*a*a*a*a*`), where time grows with that power of its length;
- what is left is polynomial, and the text it is tried on has a greatest length (`max_characters` of the scorers).

How they are found is in `segue.scoring.pattern_ambiguity`.
"""

from __future__ import annotations

import re
from re import _parser as parser  # type: ignore[attr-defined]  # the only parsed form of a pattern there is

from segue.scoring.pattern_ambiguity import has_long_row, is_ambiguous, repeats_nothing


def compile_pattern(
    pattern: str, *, ignore_case: bool = False, multi_line: bool = False, dot_all: bool = False
) -> re.Pattern[str]:
    """Compile `pattern`. Raises `ValueError` with a sentence where it does not compile or could hang."""
    flags = (re.IGNORECASE if ignore_case else 0) | (re.MULTILINE if multi_line else 0) | (re.DOTALL if dot_all else 0)
    try:
        compiled = re.compile(pattern, flags)
        parsed = parser.parse(pattern, flags)
        why = _why_slow(parsed, compiled.flags)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"the pattern does not compile: {error}") from error
    if why is not None:
        raise ValueError(why)
    return compiled


def _why_slow(parsed: parser.SubPattern, flags: int) -> str | None:
    if is_ambiguous(parsed, flags):
        return (
            "the pattern repeats something that can read the same text in several ways, which may take exponential time;"
            " make the inner repeat possessive (`++`, `*+`) or atomic (`(?>...)`), or put a fixed separator between"
        )
    if repeats_nothing(parsed, flags):
        return (
            "the pattern repeats something that may be empty, which takes far more time than it needs; repeat what is there"
            " (`(?:a|b)*` in the place of `(?:(?:a|b)?)*`)"
        )
    if has_long_row(parsed, flags):
        return (
            "the pattern has five or more repeats in a row that can read the same text, which may take as many powers of its"
            " length; let each read only what the next does not (`[^,]*,` in the place of `.*,`), or make all but the last"
            " possessive (`++`, `*+`) or atomic (`(?>...)`)"
        )
    return None
