"""JSON in texts: whole, inside prose, cut off, or written with Python's literals. Pure; knows nothing of schemas.

"JSON" here is an object or an array; a bare number or word is not what anyone means by it.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

import orjson

from segue.model import Json

_STRUCTURE = re.compile(r'["{}\[\]]')
_OPENING = re.compile(r"[{\[]")
_STRING_END = re.compile(r'(?:[^"\\]|\\.)*+"', re.DOTALL)
_ATTEMPT = re.compile(r"\s*(?:\{\s*(?:[\"'}]|\w+\s*:)|\[\s*(?:\{|\"|'|\[|-?\d[\d.\s]*[,\]]|\]|true\b|false\b|null\b))")
_MAX_STARTS = 48
_MAX_LITERAL = 20_000
_MAX_DEPTH = 400


class NotJson:
    """The marker for "this text is no JSON": `None` is a value of JSON."""


NOT_JSON = NotJson()


def parse_json(text: str) -> Json | NotJson:
    """`text` as JSON, strictly (RFC 8259), blanks around it allowed; `NOT_JSON` otherwise."""
    try:
        return orjson.loads(text)
    except (ValueError, RecursionError):
        return NOT_JSON


def is_container(value: Json | NotJson) -> bool:
    """Whether a value is what people mean by JSON: an object or an array."""
    return isinstance(value, dict | list)


def looks_like_json(text: str) -> bool:
    """Whether `text` begins the way JSON, or an attempt at it, begins."""
    return _ATTEMPT.match(text) is not None


@dataclass(frozen=True, slots=True)
class JsonSpan:
    """JSON found inside a text: `text[start:end]` parses to `value`."""

    start: int
    end: int
    value: Json


def _balanced_end(text: str, start: int) -> int | None:
    """Where the bracket at `start` closes (exclusive), strings respected; None if it never does or does so wrongly."""
    stack: list[str] = []
    position = start
    while True:
        mark = _STRUCTURE.search(text, position)
        if mark is None:
            return None
        sign, position = mark.group(), mark.end()
        if sign == '"':
            ended = _STRING_END.match(text, position)
            if ended is None:
                return None
            position = ended.end()
        elif sign in "{[":
            stack.append("}" if sign == "{" else "]")
            if len(stack) > _MAX_DEPTH:
                return None
        else:
            if not stack or stack.pop() != sign:
                return None
            if not stack:
                return position


def _is_telling(value: Json) -> bool:
    if isinstance(value, dict):
        return bool(value)
    return isinstance(value, list) and any(isinstance(item, dict | list | str) for item in value)


def find_json(text: str, *, any_array: bool = False) -> JsonSpan | None:
    """The longest JSON object or array inside `text`, or None.

    Prose and formulas have `{}` and `[1, 2]` too: what is empty never counts, bare numbers only count with `any_array`.
    Looks at no more than 48 opening brackets.
    """
    best: JsonSpan | None = None
    position = 0
    for _ in range(_MAX_STARTS):
        opening = _OPENING.search(text, position)
        if opening is None or (best is not None and len(text) - opening.start() <= best.end - best.start):
            break
        position = opening.start() + 1
        end = _balanced_end(text, opening.start())
        if end is None:
            continue
        value = parse_json(text[opening.start() : end])
        if isinstance(value, NotJson):
            continue
        position = end
        if (_is_telling(value) or (any_array and value)) and (best is None or end - opening.start() > best.end - best.start):
            best = JsonSpan(opening.start(), end, value)
    return best


def close_json(text: str) -> str | None:
    """JSON that was cut off, closed: the open string and brackets are ended, a key without value is dropped.

    None if `text` is not JSON cut off: complete, wrong before its end, or not begun like JSON.
    """
    body = text.strip()
    if not looks_like_json(body):
        return None
    stack: list[str] = []
    position = 0
    in_string = False
    while True:
        mark = _STRUCTURE.search(body, position)
        if mark is None:
            break
        sign, position = mark.group(), mark.end()
        if sign == '"':
            ended = _STRING_END.match(body, position)
            if ended is None:
                in_string = True
                break
            position = ended.end()
        elif sign in "{[":
            stack.append("}" if sign == "{" else "]")
            if len(stack) > _MAX_DEPTH:
                return None
        elif not stack or stack.pop() != sign:
            return None
    if not stack:
        return None
    for candidate in _ways_to_end(body, in_string):
        closed = candidate + "".join(reversed(stack))
        if is_container(parse_json(closed)):
            return closed
    return None


def _ways_to_end(body: str, in_string: bool) -> list[str]:
    if in_string:
        kept = re.sub(r"\\(?:u[0-9a-fA-F]{0,3})?$", "", body)
        ended = kept + '"'
        return [ended, re.sub(r'(?:,\s*|(?<=\{)\s*)"(?:[^"\\]|\\.)*+"$', "", ended, flags=re.DOTALL)]
    trimmed = re.sub(r",\s*$", "", body)
    without_key = re.sub(r'(?:,\s*|(?<=\{)\s*)"(?:[^"\\]|\\.)*+"\s*+:?\s*+[-\w.+]*+$', "", trimmed, flags=re.DOTALL)
    without_word = re.sub(r"(?:,\s*|(?<=\[)\s*)[-\w.+]++$", "", trimmed)
    return [trimmed, without_key, without_word]


def drop_trailing_commas(text: str) -> str | None:
    """`text` without commas before closing brackets, if that makes it JSON; None otherwise."""
    if not looks_like_json(text):
        return None
    pieces = re.split(r'("(?:[^"\\]|\\.)*+")', text)
    dropped = "".join(piece if piece.startswith('"') else re.sub(r",(\s*[}\]])", r"\1", piece) for piece in pieces)
    return dropped if dropped != text and is_container(parse_json(dropped)) else None


def python_literal(text: str) -> Json | NotJson:
    """An object or array written as a Python literal (single quotes, `True`, `None`); `NOT_JSON` for anything else."""
    body = text.strip()
    if len(body) > _MAX_LITERAL or not body.startswith(("{", "[")) or is_container(parse_json(body)):
        return NOT_JSON
    try:
        value = ast.literal_eval(body)
        return parse_json(orjson.dumps(value).decode()) if isinstance(value, dict | list) else NOT_JSON
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        return NOT_JSON


def unescape_json(text: str) -> str | None:
    """JSON that was written as a JSON string, or with its quotes escaped, decoded once; None otherwise."""
    body = text.strip()
    value = parse_json(body)
    if isinstance(value, str) and is_container(parse_json(value)):
        return value
    if '\\"' in body and not is_container(value) and looks_like_json(body.replace("\\", "")):
        inner = parse_json(f'"{body}"')
        if isinstance(inner, str) and is_container(parse_json(inner)):
            return inner
    return None


def write_json(value: Json) -> str:
    """`value` as compact JSON text."""
    return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS).decode()
