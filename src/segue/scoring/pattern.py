"""Regular expressions that cannot hang a run.

Python's `re` tries alternatives one after the other, so a repeat whose body can read one text in several ways takes time
exponential in the length of the text (`(\\w+\\s*)*$` on thirty letters takes minutes), and nothing can stop it.
Two guards, neither needing another engine:

- such patterns are refused when the workflow is read (`compile_pattern`);
- what is left is at worst polynomial, and the text it is tried on has a greatest length (`max_characters` of the scorers).

How they are found is in `segue.scoring.pattern_ambiguity`.
"""

from __future__ import annotations

import re
from re import _parser as parser  # type: ignore[attr-defined]  # the only parsed form of a pattern there is

from segue.scoring.pattern_ambiguity import is_ambiguous


def compile_pattern(
    pattern: str, *, ignore_case: bool = False, multi_line: bool = False, dot_all: bool = False
) -> re.Pattern[str]:
    """Compile `pattern`. Raises `ValueError` with a sentence where it does not compile or could hang."""
    flags = (re.IGNORECASE if ignore_case else 0) | (re.MULTILINE if multi_line else 0) | (re.DOTALL if dot_all else 0)
    try:
        compiled = re.compile(pattern, flags)
        hangs = is_ambiguous(parser.parse(pattern, flags), compiled.flags)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"the pattern does not compile: {error}") from error
    if hangs:
        raise ValueError(
            "the pattern repeats something that can read the same text in several ways, which may take exponential time;"
            " make the inner repeat possessive (`++`, `*+`) or atomic (`(?>...)`), or put a fixed separator between"
        )
    return compiled
