"""What compares two outputs of one case: the port, and its answer.

A preference is told from the new arm's side. Who is asked, and how, is `segue.scoring.judge`; how a preference becomes a
metric of either arm is `segue.evals.pair_pass`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, runtime_checkable

from segue.model import Case, Exchange, Json, Metric
from segue.model.exchange import ScoreStatus
from segue.scoring.base import ScorerIdentity
from segue.scoring.when import Condition, limited_identity

Choice = Literal["old", "new", "tie"]


@dataclass(frozen=True, slots=True)
class PairwisePreference:
    """Which arm's answer is better: `value` 1 the new one's, 0 the old one's, ½ neither; `None` unless `scored`.

    `choices` are the verdicts with the old answer shown first, and with the new one first. Where they differ the value is ½ and
    `position_inconsistent`; `favoured_position` says which place won both times, if one did.
    """

    case_id: str
    value: float | None
    status: ScoreStatus = "scored"
    reason: str = ""
    choices: tuple[Choice, ...] = ()
    position_inconsistent: bool = False
    identical: bool = False
    detail: dict[str, Json] = field(default_factory=dict)

    def __post_init__(self) -> None:
        assert (self.value is not None) == (self.status == "scored"), "a preference has a value exactly if it is scored"

    @property
    def favoured_position(self) -> Literal["first", "second"] | None:
        """The place that won in both orders; `None` where none did."""
        if self.choices == ("old", "new"):
            return "first"
        return "second" if self.choices == ("new", "old") else None


@runtime_checkable
class PairScorer(Protocol):
    """Compares the two arms' outputs on one case. Never raises for what a judge or its provider does.

    `metrics` is one score per pair, which the new arm has as it is and the old arm turned round (1 − value).
    """

    @property
    def identity(self) -> ScorerIdentity: ...

    @property
    def metrics(self) -> Sequence[Metric]: ...

    async def prefer(self, case: Case, old: Exchange, new: Exchange) -> PairwisePreference: ...


class LimitedPairScorer:
    """A pair scorer whose identity says which cases it is asked about; whoever asks leaves the others out."""

    def __init__(self, inner: PairScorer, when: Condition) -> None:
        self.inner = inner
        self.identity = limited_identity(inner.identity, when)

    @property
    def metrics(self) -> Sequence[Metric]:
        return self.inner.metrics

    async def prefer(self, case: Case, old: Exchange, new: Exchange) -> PairwisePreference:
        """The preference of the scorer inside."""
        return await self.inner.prefer(case, old, new)
