"""The rules that read a class out of an answer. Each is a pure function from text to a label, or `None` where none is found."""

from __future__ import annotations

import re
from typing import Literal

Which = Literal["first", "last"]

MOST_CHARACTERS = 100
"""A first line longer than this is not taken for a class."""

_LETTER_IN_BRACKETS = re.compile(r"\(([A-Z])\)")
_LETTER_AFTER_ANSWER = re.compile(r"(?i:\b(?:answer|option|choice)\b\**:?\s*(?:is\s*:?\s*)?)\**([A-Z])(?=\s*(?:$|[).:,;*\n]))")
_LETTER_AT_THE_START = re.compile(r"\s*\**([A-Z])(?:\s*$|[).:*])")
_OPTION = re.compile(r"\([A-Z]\)")
_OPTION_REFUSED = re.compile(r"\([A-Z]\)\. Refused")
_AROUND_A_LABEL = " \t\r*_`\"'“”„‘’.,!:;#"


def read_yes_no(text: str) -> str | None:
    """`yes` or `no`: commas and full stops become blanks, each word is put in brackets, `[yes]` is looked for before `[no]`.

    So a bare "Yes" counts like "[Yes]", and an answer that holds both says yes.
    """
    bracketed = "[" + "] [".join(text.replace(",", " ").replace(".", " ").split()).lower() + "]"
    return "yes" if "[yes]" in bracketed else "no" if "[no]" in bracketed else None


def read_survey(text: str) -> str:
    """`answered` where an option such as `(B)` is named, else `not_answered`; `(E). Refused` is no answer."""
    return "answered" if _OPTION.search(text) and not _OPTION_REFUSED.search(text) else "not_answered"


def read_choice(text: str, which: Which = "first") -> str | None:
    """The letter of the option: `(B)`; else what follows "answer" or "option"; else `B.`, `B)` or `B` at the start."""
    letters = _LETTER_IN_BRACKETS.findall(text) or _LETTER_AFTER_ANSWER.findall(text)
    if letters:
        return str(letters[0 if which == "first" else -1])
    start = _LETTER_AT_THE_START.match(text)
    return start[1] if start else None


def read_first_line(text: str) -> str | None:
    """The first line that holds anything, without emphasis, quotes and marks around it; a long line is prose, not a class."""
    for line in text.splitlines():
        label = line.strip(_AROUND_A_LABEL)
        if label:
            return label if len(label) <= MOST_CHARACTERS else None
    return None
