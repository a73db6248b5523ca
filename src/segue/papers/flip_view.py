"""A flip as it is shown: one case, both outputs, and why each scored as it did."""

from __future__ import annotations

import json
from dataclasses import dataclass

MOST_LAID_OUT = 100_000
"""A longer output is compared as it stands."""


@dataclass(frozen=True, slots=True)
class FlipView:
    """A case right on one bundle and wrong on the other, with its texts. Everything in it is untrusted.

    `slices` are written `dimension=value`. `confirmed` says whether a negative flip held when it was run again; `None` where it
    was not run again. `*_reason` is the scorer's own word, if it gave one; `reference` is empty where the case has none.
    """

    case_id: str
    metric: str
    is_negative: bool
    slices: tuple[str, ...]
    prompt: str
    reference: str
    old_text: str
    new_text: str
    old_score: float | None = None
    new_score: float | None = None
    old_reason: str | None = None
    new_reason: str | None = None
    confirmed: bool | None = None
    is_critical: bool = False

    @property
    def direction(self) -> str:
        """`negative` (right before, wrong now) or `positive`."""
        return "negative" if self.is_negative else "positive"

    @property
    def standing(self) -> str:
        """What running it again said, in words; empty for a positive flip."""
        if not self.is_negative:
            return ""
        if self.confirmed is None:
            return "seen once"
        return "confirmed when run again" if self.confirmed else "not confirmed when run again"

    @property
    def shown_texts(self) -> tuple[str, str]:
        """Both outputs as they are compared: where both are JSON objects or lists, a field a line, so that only those differ
        that say something else."""
        old, new = _laid_out(self.old_text), _laid_out(self.new_text)
        return (self.old_text, self.new_text) if old is None or new is None else (old, new)


def _laid_out(text: str) -> str | None:
    """JSON with a field a line, its keys in their own order; `None` for anything else."""
    if not text.lstrip().startswith(("{", "[")) or len(text) > MOST_LAID_OUT:
        return None
    try:
        return json.dumps(json.loads(text), ensure_ascii=False, indent=2)
    except (ValueError, RecursionError):
        return None
