"""Text and tables of Markdown in which nothing from outside can act: no markup, mention, link, formula or broken cell."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence

from segue.papers.printable import NAME_LENGTH, printable_line, printable_name

JOINER = "\u2060"
"""Word joiner: takes no room, and keeps `@name`, `#12` and addresses from being turned into links."""

_SPECIAL = re.compile(r"[\\`*\[\]<>|~$]")
_UNDERSCORE = re.compile(r"(?<![^\W_])_|_(?![^\W_])")
_MENTION = re.compile(r"(?<![\w@])([@#])(?=\w)")
_ISSUE = re.compile(r"(?i)\bgh-(?=\d)")
_ADDRESS = re.compile(r"(?i)(?:\b(?:https?|ftp)|\bmailto|\bxmpp):|\bwww\.|(?<=[\w.+-])@(?=[\w-]+\.)")
_BLOCK_START = re.compile(r"^([-+]|#{1,6}|\d{1,9}[.)])(?=\s|$)|^([-=])(?=[-=]*$)")
_SIMPLE = re.compile(r"[^`|\\\s](?:[^`|\\]*[^`|\\\s])?")
_ACTIVE = re.compile(r"[^ =,\w-]|_")
SENTENCE = 600
"""Sentences are cut here: a pull request shows what matters, and names may be of any length."""
_ENTITIES = {"<": "&lt;", ">": "&gt;", "&": "&amp;"}


def plain(text: str) -> str:
    """Text that shows as it is written, wherever on a line it stands."""
    line = printable_line(text, SENTENCE).replace("&", "&amp;")
    line = _SPECIAL.sub(lambda found: _ENTITIES.get(found.group(), "\\" + found.group()), line)
    line = _UNDERSCORE.sub(r"\\_", line)
    line = _ADDRESS.sub(lambda found: found.group()[:-1] + JOINER + found.group()[-1] + JOINER, line)
    line = _ISSUE.sub(lambda found: found.group() + JOINER, line)
    line = _MENTION.sub(lambda found: found.group(1) + JOINER, line)
    return _BLOCK_START.sub(_defused, line)


def _defused(found: re.Match[str]) -> str:
    marker = found.group()
    return f"{marker[:-1]}\\{marker[-1]}"


def code(name: str, limit: int = NAME_LENGTH) -> str:
    """A name as code; one that backticks cannot hold in a table's cell, in HTML's form."""
    line = printable_name(name, limit)
    if _SIMPLE.fullmatch(line):
        return f"`{line}`"
    # Numeric entities are text to Markdown: what they stand for is no markup any more.
    return f"<code>{_ACTIVE.sub(_as_entity, line)}</code>"


def _as_entity(found: re.Match[str]) -> str:
    sign = found.group()
    return f"&#{ord(sign)};{JOINER if sign == '@' else ''}"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], *, right: Collection[str] = ()) -> str:
    """A table of cells that are Markdown already; columns named in `right` are aligned to the right."""
    rules = ["--:" if head in right else "---" for head in heads]
    lines = [_line(heads), _line(rules), *(_line(row) for row in rows)]
    return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
