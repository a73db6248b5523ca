"""Reading tool calls written as text in Python's syntax, `[search(query="tea", limit=3), open(id=7)]`, without running them.

The text is parsed, never evaluated: values are literals; what names something (`user`, `data["sales"]`) stands for itself as
a text, as models leave quotes out.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from keyword import kwlist
from threading import Lock

from segue.model import Json

MOST_CHARACTERS = 100_000
"""A longer text is not parsed."""

_WORDS = {"true": True, "false": False, "null": None, "none": None, "True": True, "False": False, "None": None}
_CALL_BEGINS = re.compile(r"\[?\s*[A-Za-z_][\w.]*\s*\(")
_NAME_BEFORE_BRACKET = re.compile(r"\b([A-Za-z_][\w.]{0,200})\(")
_KEYWORD_ARGUMENT = re.compile(rf"(?<=[(,\s])({'|'.join(kwlist)})(?=\s*=[^=])")
_MARK = "\u01c3"
"""A letter no model writes: put behind an argument's name that is a keyword of Python (`from`), and taken away again."""
_PARSING = Lock()


@dataclass(frozen=True, slots=True)
class WrittenCall:
    """A call: tool name, arguments by name, and those given by position."""

    name: str
    arguments: dict[str, Json]
    positional: tuple[Json, ...] = field(default=())


class NotALiteralError(ValueError):
    """An argument that is no literal: its value is not known without running it."""


def read_calls(text: str) -> tuple[WrittenCall, ...] | None:
    """The calls in `text`: one call, several with commas between, or a list of them; `None` where it is anything else.

    An empty list is no calls, `()`. Prose or a Markdown fence around a call makes it something else.
    """
    stripped = text.strip()
    if stripped in ("[]", "()"):
        return ()
    if len(stripped) > MOST_CHARACTERS or not _CALL_BEGINS.match(stripped):
        return None
    tree = _parse(stripped)
    if tree is None and _KEYWORD_ARGUMENT.search(stripped):
        tree = _parse(_KEYWORD_ARGUMENT.sub(rf"\1{_MARK}", stripped))
    if tree is None:
        return None
    nodes: Sequence[ast.expr] = tree.elts if isinstance(tree, ast.List | ast.Tuple) else [tree]
    try:
        return tuple(_call(node) for node in nodes)
    except (ValueError, RecursionError):
        return None


def names_before_brackets(text: str) -> set[str]:
    """Every name in `text` that an opening bracket follows: how a call that cannot be read is still seen to be one."""
    return set(_NAME_BEFORE_BRACKET.findall(text[:MOST_CHARACTERS]))


def _parse(text: str) -> ast.expr | None:
    # The parser warns of odd escapes in strings that a model wrote; that is nobody's fault here. Filters are shared by threads.
    try:
        with _PARSING, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _call(node: ast.expr) -> WrittenCall:
    if not isinstance(node, ast.Call):
        raise NotALiteralError("not a call")
    arguments: dict[str, Json] = {}
    for keyword in node.keywords:
        name = keyword.arg.replace(_MARK, "") if keyword.arg else None
        if name is None or name in arguments:
            raise NotALiteralError("unpacked or repeated arguments")
        arguments[name] = _literal(keyword.value)
    return WrittenCall(_dotted(node.func), arguments, tuple(_literal(one) for one in node.args))


def _dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    raise NotALiteralError("not a name")


def _literal(node: ast.expr) -> Json:
    match node:
        case ast.Constant(value=value):
            if value is Ellipsis or isinstance(value, bytes | complex):
                raise NotALiteralError("not a JSON value")
            return value.replace(_MARK, "") if isinstance(value, str) else value
        case ast.UnaryOp(op=ast.USub() | ast.UAdd() as sign, operand=operand):
            number = _literal(operand)
            if isinstance(number, bool) or not isinstance(number, int | float):
                raise NotALiteralError("a sign before something that is no number")
            return -number if isinstance(sign, ast.USub) else number
        case ast.List(elts=elements) | ast.Tuple(elts=elements):
            return [_literal(element) for element in elements]
        case ast.Dict(keys=keys, values=values):
            if any(key is None for key in keys):
                raise NotALiteralError("unpacked object")
            return {str(_literal(key)): _literal(value) for key, value in zip(keys, values, strict=True) if key is not None}
        case ast.Name(id=name):
            return _WORDS.get(name, name)
        case ast.Attribute() | ast.Subscript():
            return ast.unparse(node)
    raise NotALiteralError("not a literal")
