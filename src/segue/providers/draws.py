"""Chance that can be repeated: numbers drawn from a hash of what they are for. No generator, no state, no order of drawing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import TypeVar

_T = TypeVar("_T")
_SEPARATOR = "\x1f"


@dataclass(frozen=True, slots=True)
class Draws:
    """The luck of one call. The same names give the same numbers, in any process and whatever else was drawn."""

    seed: int
    snapshot: str
    case_id: str
    repeat: int

    def shared(self, purpose: str) -> float:
        """The same for every model and repeat: how hard the case is."""
        return uniform(self.seed, self.case_id, purpose)

    def settled(self, purpose: str) -> float:
        """The same in every repeat: what this model does with this case."""
        return uniform(self.seed, self.snapshot, self.case_id, purpose)

    def fresh(self, purpose: str) -> float:
        """Another one in every repeat: noise."""
        return uniform(self.seed, self.snapshot, self.case_id, self.repeat, purpose)

    def lognormal(self, purpose: str, median: float, sigma: float) -> float:
        """A positive number, another one in every repeat. Source: Box and Muller, 1958."""
        radius = math.sqrt(-2.0 * math.log(1.0 - self.fresh(purpose + ".radius")))
        return median * math.exp(sigma * radius * math.cos(2.0 * math.pi * self.fresh(purpose + ".angle")))


def uniform(*names: object) -> float:
    """A number from 0 up to, not including, 1."""
    text = _SEPARATOR.join(str(name) for name in names)
    digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return (int.from_bytes(digest, "big") >> 11) / 2.0**53


def pick(choices: Sequence[_T], luck: float) -> _T:
    """One of `choices`, all equally likely."""
    return choices[int(luck * len(choices))]
