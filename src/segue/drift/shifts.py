"""Which traits of the format moved between two arms, counted in pairs.

Pure. Whether a move is beyond noise is for `segue.evidence` to say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from segue.drift.fingerprint import TRAITS, FormatFingerprint


@dataclass(frozen=True, slots=True)
class FormatShift:
    """One trait over the pairs in which it is known on both arms.

    `n_old` and `n_new` of `n` outputs have it; `n_gained` have it only now, `n_lost` had it only before.
    """

    trait: str
    n: int
    n_old: int
    n_new: int
    n_gained: int
    n_lost: int

    @property
    def share_change(self) -> float:
        """New share less old share, from −1 to 1; 0.1 is ten points more."""
        return (self.n_new - self.n_old) / self.n


def diff_fingerprints(old: Sequence[FormatFingerprint], new: Sequence[FormatFingerprint]) -> list[FormatShift]:
    """The traits that moved, the largest change of share first, then the most churn.

    `old[i]` and `new[i]` belong to the same case and repeat; unequal lengths raise `ValueError`.
    A trait that moved in no pair is left out.
    """
    counts = {trait: [0, 0, 0, 0, 0] for trait in TRAITS}
    for before, after in zip(old, new, strict=True):
        old_traits, new_traits = before.traits(), after.traits()
        for trait, tally in counts.items():
            had, has = old_traits[trait], new_traits[trait]
            if had is None or has is None:
                continue
            tally[0] += 1
            tally[1] += had
            tally[2] += has
            tally[3] += has and not had
            tally[4] += had and not has
    shifts = [FormatShift(trait, *tally) for trait, tally in counts.items() if tally[3] or tally[4]]
    return sorted(
        shifts, key=lambda shift: (-abs(shift.share_change), -(shift.n_gained + shift.n_lost), TRAITS.index(shift.trait))
    )
