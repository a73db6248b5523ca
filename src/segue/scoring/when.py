"""`when`: a scorer that is asked only about some of the cases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from segue.model import Case, Exchange, Metric, Score
from segue.scoring.base import AsyncScorer, Scorer, ScorerIdentity

KIND = "case_kind"
CRITICAL = "critical"
Condition = Mapping[str, str | tuple[str, ...]]


def applies(when: Condition, case: Case) -> bool:
    """Whether every key of `when` has one of its values in `case`. A slice the case does not have never does."""
    for key, values in when.items():
        if key == KIND:
            value: str | None = case.kind
        elif key == CRITICAL:
            value = "true" if case.critical else "false"
        else:
            value = case.slices.get(key)
        if value is None or (value != values if isinstance(values, str) else value not in values):
            return False
    return True


class LimitedScorer:
    """A scorer that leaves out the cases `when` does not name."""

    def __init__(self, inner: Scorer, when: Condition) -> None:
        self.inner = inner
        self.when = when
        self.identity = limited_identity(inner.identity, when)

    @property
    def metrics(self) -> Sequence[Metric]:
        return self.inner.metrics

    def score(self, case: Case, exchange: Exchange) -> Sequence[Score]:
        return self.inner.score(case, exchange) if applies(self.when, case) else ()


class LimitedAsyncScorer:
    """The same for a scorer with effects: what is left out costs nothing."""

    def __init__(self, inner: AsyncScorer, when: Condition) -> None:
        self.inner = inner
        self.when = when
        self.identity = limited_identity(inner.identity, when)

    @property
    def metrics(self) -> Sequence[Metric]:
        return self.inner.metrics

    async def score_async(self, case: Case, exchange: Exchange) -> Sequence[Score]:
        return await self.inner.score_async(case, exchange) if applies(self.when, case) else ()


def limited_identity(identity: ScorerIdentity, when: Condition) -> ScorerIdentity:
    """The identity with `when` among the settings: it decides which cases have a score."""
    named = {key: [values] if isinstance(values, str) else sorted(values) for key, values in when.items()}
    return ScorerIdentity(
        name=identity.name, type=identity.type, version=identity.version, settings={"scorer": identity.settings, "when": named}
    )


def limit(scorer: Scorer | AsyncScorer, when: Condition) -> Scorer | AsyncScorer:
    """`scorer`, asked only about the cases `when` names; itself where `when` is empty."""
    if not when:
        return scorer
    if isinstance(scorer, AsyncScorer):
        return LimitedAsyncScorer(scorer, when)
    return LimitedScorer(scorer, when)
