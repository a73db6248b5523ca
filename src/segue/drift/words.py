"""A word-level diff of two texts, for side-by-side views in the terminal and in HTML. Pure and bounded.

The spans of kinds `equal` and `removed` spell the old text, those of `equal` and `added` the new one, to the last blank.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from rapidfuzz.distance import Indel

SpanKind = Literal["equal", "removed", "added"]

MAX_TOKENS = 6_000
"""Texts of up to this many words and signs each are compared by words, of as many lines by lines, longer ones whole."""

_TOKEN = re.compile(r"\w+|\s+|[^\w\s]", re.UNICODE)


@dataclass(frozen=True, slots=True)
class Span:
    """A run of text that is in both, only in the old, or only in the new one."""

    kind: SpanKind
    text: str


def word_diff(old: str, new: str) -> tuple[Span, ...]:
    """Diff two texts by words, blanks and signs. Blanks alone never split a change in two."""
    if old == new:
        return (Span("equal", old),) if old else ()
    head = _common_prefix(old, new)
    tail = _common_suffix(old[head:], new[head:])
    old_middle, new_middle = old[head : len(old) - tail], new[head : len(new) - tail]
    spans = [Span("equal", old[:head]), *_diff(old_middle, new_middle), Span("equal", old[len(old) - tail :] if tail else "")]
    return _merge(spans)


def _common_prefix(old: str, new: str) -> int:
    """Length of the common start, cut back to where a word ends on both sides."""
    limit = min(len(old), len(new))
    low, high = 0, limit
    while low < high:
        middle = (low + high + 1) // 2
        if old[:middle] == new[:middle]:
            low = middle
        else:
            high = middle - 1
    while low and (_splits_word(old, low) or _splits_word(new, low)):
        low -= 1
    return low


def _common_suffix(old: str, new: str) -> int:
    limit = min(len(old), len(new))
    low, high = 0, limit
    while low < high:
        middle = (low + high + 1) // 2
        if old[len(old) - middle :] == new[len(new) - middle :]:
            low = middle
        else:
            high = middle - 1
    while low and (_splits_word(old, len(old) - low) or _splits_word(new, len(new) - low)):
        low -= 1
    return low


def _splits_word(text: str, position: int) -> bool:
    if not 0 < position < len(text):
        return False
    before, after = text[position - 1], text[position]
    return (_is_word(before) and _is_word(after)) or (before.isspace() and after.isspace())


def _is_word(sign: str) -> bool:
    return sign.isalnum() or sign == "_"


def _diff(old: str, new: str) -> list[Span]:
    old_tokens, new_tokens = _TOKEN.findall(old), _TOKEN.findall(new)
    if max(len(old_tokens), len(new_tokens)) > MAX_TOKENS:
        old_tokens, new_tokens = old.splitlines(keepends=True), new.splitlines(keepends=True)
    if max(len(old_tokens), len(new_tokens)) > MAX_TOKENS:
        return [Span("removed", old), Span("added", new)]
    spans: list[Span] = []
    for operation in Indel.opcodes(
        _numbered(old_tokens, old_tokens, new_tokens), _numbered(new_tokens, old_tokens, new_tokens)
    ):
        before = "".join(old_tokens[operation.src_start : operation.src_end])
        after = "".join(new_tokens[operation.dest_start : operation.dest_end])
        if operation.tag == "equal":
            spans.append(Span("equal", before))
        else:
            spans.extend((Span("removed", before), Span("added", after)))
    return _join_over_blanks(spans)


def _numbered(tokens: Sequence[str], old: Sequence[str], new: Sequence[str]) -> list[int]:
    """Tokens as small numbers: equal tokens have equal numbers, which is all that is compared."""
    numbers = {token: number for number, token in enumerate(dict.fromkeys((*old, *new)))}
    return [numbers[token] for token in tokens]


def _join_over_blanks(spans: Sequence[Span]) -> list[Span]:
    """Take a lone blank between two changes into both, so that a changed phrase reads as one."""
    joined: list[Span] = []
    for place, span in enumerate(spans):
        is_between = 0 < place < len(spans) - 1 and span.kind == "equal" and span.text.isspace() and "\n" not in span.text
        if is_between:
            joined.extend((Span("removed", span.text), Span("added", span.text)))
        else:
            joined.append(span)
    return joined


def _merge(spans: Sequence[Span]) -> tuple[Span, ...]:
    """Neighbouring changes as one removed and one added span; empty spans are left out."""
    merged: list[Span] = []
    removed, added = "", ""
    for span in (*spans, Span("equal", "")):
        if span.kind == "removed":
            removed += span.text
        elif span.kind == "added":
            added += span.text
        elif span.text or span is spans[-1]:
            merged.extend(one for one in (Span("removed", removed), Span("added", added)) if one.text)
            removed, added = "", ""
            if span.text and merged and merged[-1].kind == "equal":
                merged[-1] = Span("equal", merged[-1].text + span.text)
            elif span.text:
                merged.append(span)
    merged.extend(one for one in (Span("removed", removed), Span("added", added)) if one.text)
    return tuple(merged)
