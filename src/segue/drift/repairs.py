"""Repairs: named, pure transformations that undo one mechanical break of a reply's format.

A repair never looks at the case or at what would be right: it says what a parser one line longer would have read. Whether
the repaired reply is right is for the scorer to say (`segue.drift.causes`). What has to be learned from pairs is in `renames`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from segue.drift import calls, fences, json_text
from segue.drift.fingerprint import strip_quotes
from segue.drift.output import output_text
from segue.model import Reply

_MAX_LABEL = 80
_LABEL = re.compile(
    r"^[ \t>*_#-]*+(?:(?:the|my|so,? the|therefore,? the)\s+)?(?:(?:final|correct|predicted|best|overall)\s+)?"
    r"(?:answer|label|category|class|classification|intent|"
    r"sentiment|result|verdict|output|prediction)\b[*_ \t]*+(?::|\bis\b:?|=)[*_ \t]*+(?P<label>\S.*)$",
    re.IGNORECASE | re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class Repair:
    """A named repair: `sentence` says what is repaired, `apply` gives the repaired reply, or None if there is nothing to do.

    `is_telling`: whether that there is something to do shows a break by itself. Nearly every output has a label to take out.
    """

    name: str
    sentence: str
    apply: Callable[[Reply], Reply | None]
    is_telling: bool = True


def _on_text(change: Callable[[str], str | None]) -> Callable[[Reply], Reply | None]:
    def apply(reply: Reply) -> Reply | None:
        text = output_text(reply)
        if not text or reply.tool_calls:
            return None
        changed = change(text)
        return None if changed is None or changed == text else replace(reply, text=changed)

    return apply


def remove_fence(text: str) -> str | None:
    """The content of the Markdown fence around the whole text, closed or not."""
    fence = fences.whole_fence(text)
    return None if fence is None else fence.content


def take_fenced_block(text: str) -> str | None:
    """The content of the only fenced block of a text with prose around it."""
    blocks = fences.find_fences(text, limit=2)
    if len(blocks) != 1 or fences.whole_fence(text, blocks) is not None:
        return None
    return blocks[0].content


def strip_prose_around_json(text: str) -> str | None:
    """The JSON inside a text of more than JSON and one fence."""
    inner = remove_fence(text) or text
    if json_text.is_container(json_text.parse_json(inner)) or calls.read_calls(inner) is not None:
        return None
    span = json_text.find_json(inner, any_array=True)
    return None if span is None else inner[span.start : span.end]


def close_truncated_json(text: str) -> str | None:
    """JSON that breaks off, closed; an open fence before it is removed."""
    return json_text.close_json(remove_fence(text) or text)


def rewrite_python_literal(text: str) -> str | None:
    """An object or array in Python's notation, as JSON."""
    value = json_text.python_literal(remove_fence(text) or text)
    return None if isinstance(value, json_text.NotJson) else json_text.write_json(value)


def unwrap_json(text: str) -> str | None:
    """The object inside an object of one key, or inside an array of one item."""
    value = json_text.parse_json(text)
    if isinstance(value, dict) and len(value) == 1:
        (inner,) = value.values()
    elif isinstance(value, list) and len(value) == 1:
        (inner,) = value
    else:
        return None
    return json_text.write_json(inner) if json_text.is_container(inner) else None


def take_label(text: str) -> str | None:
    """The single line that holds the label: after "Answer:" or the like, else a short last line, else a short first one.

    Bold marks, quotes and a full stop around it are removed.
    """
    lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
    if not lines:
        return None
    marked = list(_LABEL.finditer(text))
    if marked:
        line = marked[-1]["label"].strip()
    elif len(lines) > 1:
        line = lines[-1] if len(lines[-1]) <= _MAX_LABEL else lines[0]
    else:
        line = lines[0]
    if len(line) > _MAX_LABEL:
        return None
    bare = re.sub(r"^[\s*_#>-]+|[\s*_]+$", "", line)
    bare = (strip_quotes(bare) or bare).rstrip(".").strip()
    bare = strip_quotes(bare) or bare
    return bare or None


REPAIRS: tuple[Repair, ...] = (
    Repair("remove_fence", "a Markdown fence around the whole output", _on_text(remove_fence)),
    Repair("take_fenced_block", "prose around one fenced block", _on_text(take_fenced_block)),
    Repair("strip_prose_around_json", "prose around JSON", _on_text(strip_prose_around_json)),
    Repair("unquote", "quotation marks around the whole output", _on_text(strip_quotes)),
    Repair("decode_escaped_json", "JSON written as an escaped string", _on_text(json_text.unescape_json)),
    Repair("rewrite_python_literal", "Python literals where JSON is read", _on_text(rewrite_python_literal)),
    Repair("drop_trailing_commas", "trailing commas in JSON", _on_text(json_text.drop_trailing_commas)),
    Repair("close_truncated_json", "JSON that breaks off before its closing brackets", _on_text(close_truncated_json)),
    Repair("unwrap_json", "JSON wrapped in one more layer", _on_text(unwrap_json), is_telling=False),
    Repair("bracket_calls", "calls without their outer brackets", _on_text(calls.bracket_calls)),
    Repair("unquote_calls", "calls written as quoted strings", _on_text(calls.unquote_calls)),
    Repair("take_label", "the label among more words, marks or lines", _on_text(take_label), is_telling=False),
    Repair("strip_blanks", "blanks or line breaks around the output", _on_text(str.strip)),
)
"""The repairs that need no learning, in the order in which `repair_all` applies them."""


def repair_all(reply: Reply, repairs: tuple[Repair, ...]) -> Reply | None:
    """All of `repairs` one after the other, or None if none had anything to do."""
    current = reply
    for repair in repairs:
        current = repair.apply(current) or current
    return None if current is reply else current
