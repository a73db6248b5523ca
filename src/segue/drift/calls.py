"""Tool calls written as text the way Python writes calls: `[f(a=1), g(b="x")]`. Reads syntax only, runs nothing."""

from __future__ import annotations

import ast
import re
import warnings
from typing import Literal

CallsText = Literal["whole", "bare", "quoted", "broken"]

_ATTEMPT = re.compile(r"\s*\[\s*[\"'{]*\s*[A-Za-z_][\w.]*\s*\(")
_BARE = re.compile(r"\s*[A-Za-z_][\w.]*\((?=.*\)\s*$)", re.DOTALL)
_MAX = 20_000


def _parse(text: str) -> ast.expr | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "invalid escape sequence" is the model's, not ours
            return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _is_call(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute)


def read_calls(text: str) -> CallsText | None:
    """How `text` writes calls, or None if it does not try to.

    `whole`: a list of calls. `bare`: calls without the outer brackets. `quoted`: a list of strings that are calls.
    `broken`: begins as a list of calls but cannot be read, or is longer than 20,000 characters.
    """
    is_list = _ATTEMPT.match(text) is not None
    if not is_list and _BARE.match(text) is None:
        return None
    if len(text) > _MAX:
        return "broken" if is_list else None
    node = _parse(text)
    if is_list:
        if isinstance(node, ast.List) and node.elts:
            if all(_is_call(item) for item in node.elts):
                return "whole"
            strings = [item.value for item in node.elts if isinstance(item, ast.Constant) and isinstance(item.value, str)]
            parsed = [_parse(one) for one in strings]
            if len(strings) == len(node.elts) and all(one is not None and _is_call(one) for one in parsed):
                return "quoted"
        return "broken"
    items = node.elts if isinstance(node, ast.Tuple) else [node] if node is not None else []
    return "bare" if items and all(_is_call(item) for item in items) else None


def count_calls(text: str) -> int:
    """How many calls `text` writes, whole, bare or quoted; 0 where it writes none that can be read."""
    if read_calls(text) not in ("whole", "bare", "quoted"):
        return 0
    node = _parse(text)
    return len(node.elts) if isinstance(node, ast.List | ast.Tuple) else 1


def bracket_calls(text: str) -> str | None:
    """Bare calls with their outer brackets; None where there is nothing to do."""
    return f"[{text.strip()}]" if read_calls(text) == "bare" else None


def unquote_calls(text: str) -> str | None:
    """A list of calls written as strings, with the calls themselves; None where there is nothing to do."""
    if read_calls(text) != "quoted":
        return None
    node = _parse(text)
    assert isinstance(node, ast.List)
    return "[" + ", ".join(str(item.value) for item in node.elts if isinstance(item, ast.Constant)) + "]"
