"""How often the dearest tests do what they do: a sample in every run, the whole number with `make thorough`."""

from __future__ import annotations

import os

IS_THOROUGH = bool(os.environ.get("SEGUE_THOROUGH"))


def often(sample: int, *, thorough: int) -> int:
    """So often."""
    return thorough if IS_THOROUGH else sample
