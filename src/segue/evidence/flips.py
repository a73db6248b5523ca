"""Answer flips: what a total hides.

Per slice, a = both right, b = only the old right (a negative flip), c = only the new right, d = both wrong.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FlipCounts:
    """The paired 2×2 table. A share with an empty denominator is `None`: undefined, not zero."""

    both_right: int = 0
    only_old: int = 0
    only_new: int = 0
    both_wrong: int = 0

    def __add__(self, other: FlipCounts) -> FlipCounts:
        return FlipCounts(
            self.both_right + other.both_right,
            self.only_old + other.only_old,
            self.only_new + other.only_new,
            self.both_wrong + other.both_wrong,
        )

    def mirrored(self) -> FlipCounts:
        """The same table with right and wrong exchanged: for a metric where less is better, its plain yes and no."""
        return FlipCounts(self.both_wrong, self.only_new, self.only_old, self.both_right)

    @property
    def n(self) -> int:
        """Cases in the table."""
        return self.both_right + self.only_old + self.only_new + self.both_wrong

    @property
    def negative_flip_rate(self) -> float | None:
        """b / n."""
        return self.only_old / self.n if self.n else None

    @property
    def churn(self) -> float | None:
        """(b + c) / n."""
        return (self.only_old + self.only_new) / self.n if self.n else None

    @property
    def backward_trust(self) -> float | None:
        """a / (a + b): of what was right, the share that stayed right (Srivastava et al. 2020)."""
        was_right = self.both_right + self.only_old
        return self.both_right / was_right if was_right else None

    @property
    def backward_error(self) -> float | None:
        """d / (c + d): of what was wrong, the share that stayed wrong (ibid.)."""
        was_wrong = self.only_new + self.both_wrong
        return self.both_wrong / was_wrong if was_wrong else None
