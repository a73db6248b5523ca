"""Single keys from a terminal, without losing what was typed ahead; a line where words are wanted."""

from __future__ import annotations

import os
import select
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any

END = "\x04"
_SEQUENCE_S = 0.02
"""The rest of an arrow key's sequence comes at once; a lone escape is somebody who wants to leave."""


class TerminalKeys:
    """The terminal on `descriptor`, a key at a time while this is entered. Ctrl-C interrupts as ever."""

    def __init__(self, descriptor: int = 0) -> None:
        self._descriptor = descriptor
        self._before: list[Any] = []

    def __enter__(self) -> TerminalKeys:
        self._before = termios.tcgetattr(self._descriptor)
        tty.setcbreak(self._descriptor, termios.TCSADRAIN)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        termios.tcsetattr(self._descriptor, termios.TCSADRAIN, self._before)

    def read(self) -> str:
        """The next key; `END` where the terminal is gone. A key that sends a sequence is that sequence."""
        try:
            key = os.read(self._descriptor, 1)
            while key.startswith(b"\x1b") and select.select([self._descriptor], [], [], _SEQUENCE_S)[0]:
                more = os.read(self._descriptor, 1)
                if not more:
                    break
                key += more
        except OSError:
            return END
        return key.decode("utf-8", "replace") or END

    @contextmanager
    def lines(self) -> Iterator[None]:
        """Whole lines for a while, with the terminal's own editing."""
        termios.tcsetattr(self._descriptor, termios.TCSADRAIN, self._before)
        try:
            yield
        finally:
            tty.setcbreak(self._descriptor, termios.TCSADRAIN)
