"""What a drift report says: which dimensions moved, by how much, in which slice, how sure that is, and which answers show it.

Values only, the same for terminal, HTML, JSON and the gate of staging; `moves.py` makes one.
"""

from __future__ import annotations

from typing import Literal

from segue.drift.questions import Dimension
from segue.model.base import Frozen, Json

Standing = Literal["moved beyond", "moved within", "not moved", "nothing", "unknown"]
"""Of a dimension. beyond, within: its limit (a move for the better that nobody has to explain is within).

not moved: nothing was shown; the sentence says how large a move could have hidden. nothing: the answers have nothing of the
kind. unknown: it could not be looked at, which passes nothing.
"""


class Shown(Frozen):
    """One pair that shows a move, side by side. Without texts `why` says why there are none."""

    pair: str
    old: str | None = None
    new: str | None = None
    why: str = ""


class Move(Frozen):
    """One question that moved. `where` is a slice as `name=value`, empty for all pairs.

    Shares of answers for traits, means for amounts: `old`, `new`. `change`: points as a share for traits, a relative change for
    amounts; it lies between `low` and `high`, all intervals of the report together with 95 % confidence.
    """

    question: str
    dimension: Dimension
    where: str = ""
    n_pairs: int
    old: float
    new: float
    change: float
    low: float
    high: float
    p_adjusted: float
    limit: float
    is_beyond: bool
    sentence: str
    witnesses: tuple[str, ...] = ()
    examples: tuple[Shown, ...] = ()


class DimensionSeen(Frozen):
    """One dimension: how it stands, over how many pairs that is known, and a sentence."""

    name: Dimension
    standing: Standing
    n_pairs: int
    sentence: str


class Tail(Frozen):
    """An amount of both arms over the pairs: quantiles with 95 % intervals; an end that the pairs cannot bound is `None`."""

    name: str
    share: float
    old: float
    old_low: float | None
    old_high: float | None
    new: float
    new_low: float | None
    new_high: float | None


class DriftReport(Frozen):
    """All of it. Times are seconds since the epoch. `remarks` say what limits it."""

    workflow: str
    environment: str
    incumbent: str
    candidate: str
    begins_at: float | None = None
    ends_at: float | None = None
    n_pairs: int
    n_units: int
    n_questions: int
    n_counted: int
    dimensions: tuple[DimensionSeen, ...]
    moves: tuple[Move, ...] = ()
    tails: tuple[Tail, ...] = ()
    contract_broken: int | None = None
    """Pairs in which the candidate breaks the contract and the incumbent keeps it; `None` where none could be looked at."""
    contract_mended: int | None = None
    remarks: tuple[str, ...] = ()

    def as_json(self, *, with_examples: bool = True) -> dict[str, Json]:
        """For a program, and for the store: which keeps no words of users, so without examples."""
        body = self if with_examples else self.without_examples()
        found: dict[str, Json] = body.model_dump(mode="json")
        return found

    def without_examples(self) -> DriftReport:
        """The same without anybody's words."""
        return self.model_copy(update={"moves": tuple(one.model_copy(update={"examples": ()}) for one in self.moves)})

    def moves_of(self, dimension: Dimension) -> tuple[Move, ...]:
        """What moved of one dimension, worst first."""
        return tuple(one for one in self.moves if one.dimension == dimension)
