"""When exchanges were served that no block waits for any more: what is told of one of them late enough changes nothing.

Sixteen bytes for each, for there may be a million. Names are kept as hashes of 64 bits; of two with one hash one is found.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from segue.controller.live_rows import Floats, Rows

_Hashes = NDArray[np.int64]


@dataclass
class Served:
    """Stretches of hashes in order with their times, each at least twice as long as the next: a look-up is a few searches."""

    _parts: list[tuple[_Hashes, Floats]] = field(default_factory=list)

    def add(self, rows: Rows) -> None:
        """These were let go."""
        if not len(rows):
            return
        new = (_hashes(rows.ids.tolist()), rows.at)
        while self._parts and len(self._parts[-1][0]) < 2 * len(new[0]):
            old = self._parts.pop()
            new = (np.concatenate([old[0], new[0]]), np.concatenate([old[1], new[1]]))
        order = np.argsort(new[0], kind="stable")
        self._parts.append((new[0][order], new[1][order]))

    def find(self, names: Iterable[str]) -> dict[str, float]:
        """Those among these names that were let go, with the time at which each was served."""
        asked = list(names)
        hashes, found = _hashes(asked), dict[str, float]()
        for held, at in self._parts:
            places = np.minimum(np.searchsorted(held, hashes), len(held) - 1)
            for place in np.flatnonzero(held[places] == hashes).tolist():
                found.setdefault(asked[place], float(at[places[place]]))
        return found


def _hashes(names: list[str]) -> _Hashes:
    # Python's own: fast, and of this process alone, which is as long as they are kept.
    return np.fromiter(map(hash, names), np.int64, len(names))
