"""What is said of an error that nobody expected: its type and where it happened. Its message may hold what a user sent."""

from __future__ import annotations

import traceback
from pathlib import Path

_FRAMES = 6


def trail_of(error: BaseException) -> str:
    """`KeyError at handler.py:98, serving.py:120`: the last places it came through."""
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
    places = ", ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames)
    return f"{type(error).__name__} at {places}" if places else type(error).__name__
