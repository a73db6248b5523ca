"""Text from outside made safe to show: names, outputs and prompts may hold anything a model or a file can hold.

Control characters could drive a terminal, bidirectional overrides could make a name read as another, lone surrogates
cannot be written at all. Each is shown as a visible sign, so that what an output really holds is still seen.
Escaping for HTML or Markdown is the renderer's, not done here.
"""

from __future__ import annotations

REPLACEMENT = "\ufffd"
NAME_LENGTH = 120
"""A name is shown up to this many characters."""
SENTENCE_LENGTH = 2_000
"""A sentence is shown up to this many."""


def _signs() -> dict[int, str]:
    signs = {code: chr(0x2400 + code) for code in range(0x20) if chr(code) not in "\n\t"}
    signs[0x7F] = "\u2421"
    signs.update(dict.fromkeys(range(0x80, 0xA0), REPLACEMENT))
    signs.update(dict.fromkeys(range(0xD800, 0xE000), REPLACEMENT))
    signs.update({code: f"‹U+{code:04X}›" for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))})
    signs.update({0x2028: "\n", 0x2029: "\n", 0xFFFE: REPLACEMENT, 0xFFFF: REPLACEMENT})
    return signs


_SIGNS = _signs()
_IN_ONE_LINE = {**_SIGNS, 0x0A: "\u240a", 0x09: "\u2409"}


def printable(text: str) -> str:
    """`text` with every character that steers rather than shows replaced by a sign; line ends and tabs stay."""
    return text.replace("\r\n", "\n").translate(_SIGNS)


def printable_name(name: str, limit: int = NAME_LENGTH) -> str:
    """A name on one line, at most `limit` characters; what is cut shows as an ellipsis."""
    line = name.translate(_IN_ONE_LINE)
    return line if len(line) <= limit else line[: limit - 1] + "…"


def printable_line(sentence: str, limit: int = SENTENCE_LENGTH) -> str:
    """A sentence on one line; one that names absurdly long things is cut, with an ellipsis."""
    line = " ".join(printable(sentence).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def shorten(text: str, limit: int) -> tuple[str, int]:
    """`text` up to `limit` characters, and how many were left out."""
    return (text, 0) if len(text) <= limit else (text[:limit], len(text) - limit)
