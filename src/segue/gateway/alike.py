"""Frames of one stream that differ in nothing but the text they bring: what holds of one holds of the next.

A provider repeats id, model and all else in each frame. Once a frame was found to tell nothing, another that has the same bytes
before its text and behind it tells nothing either, whatever the text says: without a quotation mark or a line end in it, and
without a backslash at its end, it is the inside of the same JSON string. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping

from segue.wire.neutral.conversation import Dialect

_TRIES = 16
"""Frames that are looked at for what stays the same. In some streams nothing does: each frame has a number, or is padded."""
_TEXTS: Mapping[Dialect, tuple[bytes, ...]] = {
    "openai_chat": (b'"content":"', b'"content": "'),
    "openai_responses": (b'"delta":"', b'"delta": "'),
    "anthropic_messages": (b'"text":"', b'"text": "'),
}


class AlikeFrames:
    """What the frames of one stream have in common. `holds` says yes only to one that is like the last one learnt."""

    __slots__ = ("_after", "_before", "_is_on", "_least", "_n_after", "_n_before", "_texts", "_tries")

    def __init__(self, dialect: Dialect) -> None:
        self._texts = _TEXTS[dialect]
        self._before = self._after = b""
        self._n_before = self._n_after = self._least = 0
        self._tries = _TRIES
        self._is_on = False

    def holds(self, chunk: bytes) -> bool:
        """Whether this is one frame, whole, that differs from the one learnt in its text alone."""
        size = len(chunk)
        if not self._is_on or size < self._least or not chunk.startswith(self._before) or not chunk.endswith(self._after):
            return False
        text = chunk[self._n_before : size - self._n_after]
        # A backslash at its end might take the mark behind it into the text.
        return b'"' not in text and b"\n" not in text and b"\r" not in text and not text.endswith(b"\\")

    def learn(self, chunk: bytes) -> None:
        """A chunk of whole lines that tells nothing."""
        if self._least and chunk.startswith(self._before) and chunk.endswith(self._after):
            self._is_on = True
        elif self._tries > 0:
            self._look(chunk)

    def forget(self) -> None:
        """What came last may tell something: until one that does not, nothing holds."""
        self._is_on = False

    def _look(self, chunk: bytes) -> None:
        if chunk.find(b"\n\n") != len(chunk) - 2:
            return  # not one frame
        for name in self._texts:
            begin = chunk.find(name)
            end = chunk.find(b'"', begin + len(name)) if begin >= 0 else -1
            if end >= 0:
                begin += len(name)
                self._before, self._after = chunk[:begin], chunk[end:]
                self._n_before, self._n_after = begin, len(chunk) - end
                self._least, self._is_on = self._n_before + self._n_after, True
                self._tries -= 1
                return
