"""Counts of what a text is made of: lines, paragraphs, sentences, words, bullets, code blocks.

One way of counting for the contract's count rules and for the fingerprint. Fenced blocks are code, so bullets and
headings inside them do not count. Pure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from segue.drift.fences import Fence, find_fences, outside_fences

_BULLET = re.compile(r"^[ \t]*[-*+•–▪◦·][ \t]+\S", re.MULTILINE)
_NUMBERED = re.compile(r"^[ \t]*\(?\d{1,4}[.)][ \t]+\S", re.MULTILINE)
_HEADING = re.compile(r"^[ ]{0,3}(?:#{1,6}[ \t]+\S|\*\*[^*\n]+\*\*:?[ \t]*$)", re.MULTILINE)
_TABLE = re.compile(r"^[ \t]*\|?[ \t]*:?-{2,}:?[ \t]*(?:\|[ \t]*:?-{2,}:?[ \t]*)+\|?[ \t]*$", re.MULTILINE)
_BOLD = re.compile(r"\*\*(?=\S)[^*\n]+\*\*|__(?=\S)[^_\n]+__")
_HTML = re.compile(
    r"</(?:p|div|span|ul|ol|li|table|tr|td|h[1-6]|b|i|strong|em|a|body|html|code|pre)>|<(?:br|hr|img|p|div|li)\b[^<>]{0,200}>",
    re.I,
)
_WORD = re.compile(r"\w")
_ABBREVIATED = 16  # how far back from a full stop an abbreviation may begin
_PARAGRAPH_END = re.compile(r"\n[ \t\r]*\n")
_RULE = re.compile(r"^[ \t]*(?:[-*_][ \t]*){3,}$", re.MULTILINE)
_SENTENCE_END = re.compile(r"(?<=[.!?…])[\"'”’)\]]*(?=\s)|(?<=[。！？])")
_ABBREVIATION = re.compile(
    r"(?:\b(?:e\.g|i\.e|etc|vs|cf|approx|no|nr|dr|mr|mrs|ms|prof|st|inc|ltd|co|z\.b|d\.h|bzw|ca|usw|p\.ej|sr|sra|art|fig|vol)|\b[A-Za-z]|^\s*\(?\d{1,4})\.[\"'”’)\]]*$",
    re.I,
)


@dataclass(frozen=True, slots=True)
class Shape:
    """Counts. `lines` are those with something on them; `characters` are Unicode characters without the blanks around the text.

    `bullets` and `numbered` count every item at any depth; `sentences` is a rule of thumb (full stops of common
    abbreviations and of list numbers end none); `words` are runs of non-blanks that hold a letter or digit.
    """

    bullets: int
    numbered: int
    headings: int
    tables: int
    bold: int
    html: int
    lines: int
    paragraphs: int
    sentences: int
    words: int
    characters: int
    code_blocks: int


def count_sentences(text: str) -> int:
    """Sentences of `text` by a rule of thumb; each bullet, heading or line without a full stop ends one too."""
    count = 0
    for line in text.splitlines():
        if not _WORD.search(line):
            continue
        position = 0
        for end in _SENTENCE_END.finditer(line):
            start = max(position, end.end() - _ABBREVIATED)
            if not line.endswith(("!", "?"), start, end.end()) and _ABBREVIATION.search(line, start, end.end()):
                continue
            if _WORD.search(line, position, end.end()):
                count += 1
            position = end.end()
        if _WORD.search(line, position):
            count += 1
    return count


def measure_shape(text: str, fences: tuple[Fence, ...] | None = None) -> Shape:
    """Count everything in `text`."""
    blocks = find_fences(text) if fences is None else fences
    prose = outside_fences(text, blocks) if blocks else text
    stripped = text.strip()
    # Most texts have none of these: a sign that none can do without is looked for first, for that costs next to nothing.
    has_stars = "**" in prose
    return Shape(
        bullets=_count_bullets(prose),
        numbered=len(_NUMBERED.findall(prose)),
        headings=len(_HEADING.findall(prose)) if has_stars or "#" in prose else 0,
        tables=len(_TABLE.findall(prose)) if "|" in prose and "--" in prose else 0,
        bold=len(_BOLD.findall(prose)) if has_stars or "__" in prose else 0,
        html=len(_HTML.findall(prose)) if "<" in prose else 0,
        lines=sum([1 for line in text.splitlines() if line and not line.isspace()]),
        paragraphs=sum([1 for block in _PARAGRAPH_END.split(stripped) if block and not block.isspace()]),
        sentences=count_sentences(prose),
        words=sum([1 for word in text.split() if word[0].isalnum() or _WORD.search(word)]),
        characters=len(stripped),
        code_blocks=len(blocks),
    )


def _count_bullets(prose: str) -> int:
    """Items of lists; a rule such as `* * *` looks like one."""
    found = len(_BULLET.findall(prose))
    return len(_BULLET.findall(_RULE.sub("", prose))) if found else 0
