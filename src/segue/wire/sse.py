"""Server-sent events, taken apart as the bytes come. Knows nothing of any provider.

Source: WHATWG HTML, "Server-sent events", interpreting an event stream. `id` and `retry` are left out, as no LLM provider
has a use for them.
"""

from __future__ import annotations

_BOM = b"\xef\xbb\xbf"


class SseDecoder:
    """Feed it bytes in pieces of any size; it gives whole events as `(name, data)`.

    How the bytes are cut does not change the events. It holds no more than one unfinished event.
    """

    __slots__ = ("_data", "_name", "_rest", "_started")

    def __init__(self) -> None:
        self._rest: list[bytes] = []
        self._name = b""
        self._data: list[bytes] = []
        self._started = False

    def feed(self, chunk: bytes) -> list[tuple[str, bytes]]:
        """The events that `chunk` completes."""
        if not chunk:
            return []
        ends_in_cr = bool(self._rest) and self._rest[-1].endswith(b"\r")
        self._rest.append(chunk)
        if not ends_in_cr and b"\n" not in chunk and b"\r" not in chunk:
            return []
        data = b"".join(self._rest) if len(self._rest) > 1 else chunk
        if not self._started:
            if len(data) < len(_BOM) and _BOM.startswith(data):
                return []
            data = data.removeprefix(_BOM)
            self._started = True
        # A carriage return at the very end is kept: the line feed that belongs to it may still come.
        size = len(data)
        cut = size if data.endswith(b"\n") else max(data.rfind(b"\n"), data.rfind(b"\r", 0, size - 1)) + 1
        self._rest = [data[cut:]] if cut < size else []
        return self._take(data[:cut].splitlines()) if cut else []

    def finish(self) -> list[tuple[str, bytes]]:
        """What is left when the stream has ended, even where the last line or the blank line after it is missing."""
        data = b"".join(self._rest)
        self._rest = []
        if not self._started:
            data = data.removeprefix(_BOM)
        return self._take([*data.splitlines(), b""])

    def _take(self, lines: list[bytes]) -> list[tuple[str, bytes]]:
        events: list[tuple[str, bytes]] = []
        for line in lines:
            if not line:
                if self._data:
                    name = self._name.decode("utf-8", "replace") if self._name else ""
                    events.append((name, b"\n".join(self._data)))
                    self._data = []
                self._name = b""
                continue
            if line.startswith(b"data: "):  # nearly all lines are one of these
                self._data.append(line[6:])
                continue
            field, _, value = line.partition(b":")
            if value.startswith(b" "):
                value = value[1:]
            if field == b"data":
                self._data.append(value)
            elif field == b"event":
                self._name = value
        return events
