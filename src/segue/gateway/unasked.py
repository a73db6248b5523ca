"""The tokens of a Chat Completions stream, asked for although the client did not: the log wants to know them, the client not.

A provider tells them in one more chunk at the end, and only if it is asked (`stream_options`). That chunk is taken out of what
the client sees; all else passes as the bytes it is.
"""

from __future__ import annotations

from typing import Any

import msgspec

from segue.gateway.applied import Fields

Raw = msgspec.Raw
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode
_ALONE = Raw(b'{"include_usage":true}')
_EMPTY = (b'"choices":[]', b'"choices": []')


def usage_wanted(fields: Fields) -> Raw | None:
    """`stream_options` that ask for usage; `None` where nothing is streamed, or where the client asks itself."""
    if "stream" not in fields or bytes(fields["stream"]) != b"true":
        return None
    given = fields.get("stream_options")
    if given is None:
        return _ALONE
    options = _decode(given)
    if options is None:
        return _ALONE
    if not isinstance(options, dict) or options.get("include_usage") is True:
        return None
    return Raw(_encode({**options, "include_usage": True}))


class Unasked:
    """Takes the chunk of tokens out of one stream."""

    __slots__ = ("_is_after",)

    def __init__(self) -> None:
        self._is_after = False

    def mark_body(self, body: bytes) -> bytes:
        """A whole answer stays as it is."""
        return body

    def leaves(self, lines: bytes) -> bool:
        """Whether these lines surely stay as they are."""
        return b"[]" not in lines and not self._is_after

    def mark_lines(self, lines: bytes) -> bytes:
        """Whole lines of it, without that chunk and the blank line behind it."""
        if self.leaves(lines):
            return lines
        kept = []
        for line in lines.splitlines(keepends=True):
            if self._is_after and not line.strip():
                self._is_after = False
                continue
            self._is_after = _is_usage(line)
            if not self._is_after:
                kept.append(line)
        return b"".join(kept)


def _is_usage(line: bytes) -> bool:
    """Whether this line is a chunk that says tokens and nothing else."""
    if not line.startswith(b"data:") or not any(one in line for one in _EMPTY):
        return False
    try:
        chunk: Any = _decode(line[5:].strip())
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return False
    return isinstance(chunk, dict) and chunk.get("choices") == [] and isinstance(chunk.get("usage"), dict)
