"""The place of a unit in [0, 1), as one of 2⁶⁴ points: what makes an assignment sticky without any memory of it."""

from __future__ import annotations

from hashlib import blake2b

POINTS = 2**64


def point_of(salt: str, unit: str) -> int:
    """The point of a unit, from 0 to 2⁶⁴ − 1, spread evenly (BLAKE2b, 8 bytes). Another salt, another place."""
    # The length goes first, so that no other salt and unit give the same bytes.
    text = f"{len(salt)}:{salt}{unit}".encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "big")


class Place:
    """The same for many units under one salt."""

    __slots__ = ("_begun",)

    def __init__(self, salt: str) -> None:
        self._begun = blake2b(f"{len(salt)}:{salt}".encode("utf-8", "surrogatepass"), digest_size=8)

    def of(self, unit: str) -> int:
        """The point of a unit."""
        place = self._begun.copy()
        place.update(unit.encode("utf-8", "surrogatepass"))
        return int.from_bytes(place.digest(), "big")


def share_limit(share: float) -> int:
    """Units whose point lies below it belong to the share: none at 0, all at 1, and those of a smaller share always."""
    if not 0.0 <= share <= 1.0:
        raise ValueError(f"A share runs from 0 to 1; {share} does not.")
    return int(share * POINTS)
