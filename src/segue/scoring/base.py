"""What a scorer is: a function from (case, output) to one or more named scores, with an identity.

Two arms are comparable only if the identity of every scorer is the same on both: name, type, version and settings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, runtime_checkable

from segue.model import Case, Exchange, Json, Metric, Score, digest_of


@dataclass(frozen=True)
class ScorerIdentity:
    """Who scored. `settings` holds everything that can change a score: rubric, judge model, pattern, price snapshot."""

    name: str
    type: str
    version: str
    settings: Json

    @cached_property
    def digest(self) -> str:
        """Digest of the identity; scores are stored under it."""
        return digest_of({"name": self.name, "type": self.type, "version": self.version, "settings": self.settings})


@runtime_checkable
class Scorer(Protocol):
    """Pure and synchronous. Never raises for a bad output: that is a score of 0, or `unscored` with a reason.

    `score` is called only for exchanges that have a reply, and returns one score per metric it can give
    (names among `metrics`); a metric that does not apply to the case is left out.
    """

    @property
    def identity(self) -> ScorerIdentity: ...

    @property
    def metrics(self) -> Sequence[Metric]: ...

    def score(self, case: Case, exchange: Exchange) -> Sequence[Score]: ...


@runtime_checkable
class AsyncScorer(Protocol):
    """A scorer with effects (a subprocess, a judge model). Run off the pure path, with its own concurrency bound."""

    @property
    def identity(self) -> ScorerIdentity: ...

    @property
    def metrics(self) -> Sequence[Metric]: ...

    async def score_async(self, case: Case, exchange: Exchange) -> Sequence[Score]: ...
