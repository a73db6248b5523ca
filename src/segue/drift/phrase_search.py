"""Whether a text holds any of many words, or of many phrases (each a pattern). Pure; what they mean is for `refusal.py` to say.

Python's patterns try each alternative at each character. Words are looked for all at once instead, by the engine that pydantic
brings. It knows no look-ahead, so phrases are Python's; but nearly every phrase begins with letters that are fixed, and only
where they stand is the rest of it tried.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from pydantic_core import SchemaValidator, core_schema

_FIXED = re.compile(r"[\w' ]+")
_Search = Callable[[str], re.Match[str] | None]


class WordSearch:
    """Many texts at once, each as it is written; at about the price of looking for four of them one by one."""

    def __init__(self, words: Iterable[str]) -> None:
        self._words = tuple(words)
        pattern = "|".join(map(re.escape, self._words))
        self._is_there = SchemaValidator(core_schema.str_schema(pattern=pattern, regex_engine="rust-regex")).isinstance_python

    def finds(self, text: str) -> bool:
        """Whether any of them stands in `text`."""
        try:
            return self._is_there(text) or (not text.isascii() and not text.encode())
        except UnicodeEncodeError:  # half a character: no text to that engine
            return any(word in text for word in self._words)


class PhraseSearch:
    """The same answer as one pattern of all phrases joined by `|`, sooner."""

    def __init__(self, phrases: Iterable[str]) -> None:
        tries: dict[str, list[_Search]] = {}
        for phrase in phrases:
            for one in _split(phrase):
                for begun in _begun(one):
                    fixed = _fixed(begun.removeprefix("\\b"))
                    tries.setdefault(fixed, []).append(_search(begun, fixed))
        self._tries = list(tries.items())

    def finds(self, text: str) -> bool:
        """Whether any phrase stands in `text`."""
        for fixed, searches in self._tries:
            if fixed in text:
                for search in searches:
                    if search(text) is not None:
                        return True
        return False


def _search(pattern: str, fixed: str) -> _Search:
    if pattern.startswith("^"):
        return re.compile(pattern).match
    if fixed and pattern.startswith("\\b"):
        # The bound is asked for after the letters: a pattern that begins with letters is not tried at every character.
        return re.compile(f"{fixed}(?<=\\b{fixed}){pattern[2 + len(fixed) :]}").search
    return re.compile(pattern).search


def _begun(phrase: str) -> Iterator[str]:
    """`\\b(?:a|b) c` as `\\ba c` and `\\bb c`; any other phrase as it is."""
    if phrase.startswith("\\b(?:"):
        end = next(at for at, sign, depth in _signs(phrase) if sign == ")" and depth == 0)
        if phrase[end + 1 : end + 2] not in ("?", "*", "+", "{"):
            for one in _split(phrase[len("\\b(?:") : end]):
                yield f"\\b{one}{phrase[end + 1 :]}"
            return
    yield phrase


def _fixed(phrase: str) -> str:
    """The letters that a phrase begins with, whatever follows."""
    found = _FIXED.match(phrase)
    if found is None:
        return ""
    return found.group()[: -1 if phrase[found.end() : found.end() + 1] in ("?", "*", "+", "{") else None]


def _split(phrase: str) -> list[str]:
    """The alternatives of a pattern, where it has any outside of groups."""
    cuts = [at for at, sign, depth in _signs(phrase) if sign == "|" and depth == 0]
    return [phrase[begin + 1 : end] for begin, end in zip([-1, *cuts], [*cuts, len(phrase)], strict=True)]


def _signs(phrase: str) -> Iterator[tuple[int, str, int]]:
    """Each bracket and bar that means something: where, which, and how deep inside groups (a closing one: after it)."""
    depth = at = 0
    in_class = False
    while at < len(phrase):
        sign = phrase[at]
        if sign == "\\":
            at += 1
        elif in_class:
            in_class = sign != "]"
        elif sign == "[":
            in_class = True
        elif sign in "()|":
            depth += {"(": 1, ")": -1, "|": 0}[sign]
            yield at, sign, depth
        at += 1
