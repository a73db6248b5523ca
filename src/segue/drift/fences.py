"""Markdown fences: the blocks of a text, and the text without the one around it all. Pure text; knows no format inside."""

from __future__ import annotations

import re
from dataclasses import dataclass

_OPEN = re.compile(r"^[ ]{0,3}(?P<mark>`{3,}+|~{3,}+)[ \t]*+(?P<tag>[^\s`]*+)[^`\n]*+$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Fence:
    """One fenced block: `start` and `end` enclose it with its marks; `is_closed` is False where the closing mark is missing."""

    tag: str
    content: str
    start: int
    end: int
    is_closed: bool


def find_fences(text: str, limit: int = 200) -> tuple[Fence, ...]:
    """The fenced blocks of `text` in order, at most `limit`. An unclosed one runs to the end of the text."""
    if "```" not in text and "~~~" not in text:
        return ()
    fences: list[Fence] = []
    position = 0
    while len(fences) < limit:
        opening = _OPEN.search(text, position)
        if opening is None:
            break
        mark = opening["mark"]
        closing = re.compile(rf"^[ ]{{0,3}}{re.escape(mark[0])}{{{len(mark)},}}[ \t]*$", re.MULTILINE).search(
            text, opening.end()
        )
        inner_start = min(opening.end() + 1, len(text))
        if closing is None:
            fences.append(Fence(opening["tag"].lower(), text[inner_start:], opening.start(), len(text), is_closed=False))
            break
        content = text[inner_start : max(inner_start, closing.start() - 1)]
        fences.append(Fence(opening["tag"].lower(), content, opening.start(), closing.end(), is_closed=True))
        position = closing.end()
    return tuple(fences)


def whole_fence(text: str, fences: tuple[Fence, ...] | None = None) -> Fence | None:
    """The fence around all of `text`, blanks aside, or None."""
    found = find_fences(text, limit=2) if fences is None else fences
    if len(found) != 1:
        return None
    (only,) = found
    return only if not text[: only.start].strip() and not text[only.end :].strip() else None


def outside_fences(text: str, fences: tuple[Fence, ...]) -> str:
    """`text` without its fenced blocks."""
    pieces: list[str] = []
    position = 0
    for fence in fences:
        pieces.append(text[position : fence.start])
        position = fence.end
    pieces.append(text[position:])
    return "".join(pieces)
