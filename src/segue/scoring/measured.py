"""What an exchange took, as scorers: latency, time to first token, tokens, cost. What was not measured is unscored."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

from segue.model import Case, Exchange, Metric, Score, ScorerSpec
from segue.model.workflow import Unit
from segue.scoring.pure import PureScorer, S
from segue.scoring.settings import Settings


class NoSettings(Settings):
    """`latency`, `ttft` and `cost` have no settings."""


class TokensSettings(Settings):
    """Settings of `tokens`."""

    of: Literal["in", "out", "reasoning"] = "out"
    """Which tokens are counted. Reasoning tokens are part of those that go out."""


class _Measured(PureScorer[S]):
    """One number of the exchange; lower is better."""

    unit: ClassVar[Unit]

    @classmethod
    def declare(cls, spec: ScorerSpec, settings: Any) -> tuple[Metric, ...]:  # noqa: ARG003  one metric whatever the settings
        return (Metric(name=spec.name, unit=cls.unit, better=spec.better or "lower"),)

    def measure(self, value: float | None, what: str) -> Sequence[Score]:
        """The score of a measurement; unscored where there is none, or no sensible one."""
        if value is None:
            return self.unscored(f"the {what} is not known")
        if not math.isfinite(value) or value < 0:
            return self.unscored(f"the {what} is no number from 0")
        return (Score(self.name, float(value)),)


class LatencyScorer(_Measured[NoSettings]):
    """Time from request to the whole answer, in milliseconds."""

    type = "latency"
    version = "1"
    settings_model = NoSettings
    unit = "ms"

    def score(self, case: Case, exchange: Exchange) -> Sequence[Score]:  # noqa: ARG002  the case has no say in it
        return self.measure(exchange.latency_ms, "latency")


class TtftScorer(_Measured[NoSettings]):
    """Time from request to the first token, in milliseconds."""

    type = "ttft"
    version = "1"
    settings_model = NoSettings
    unit = "ms"

    def score(self, case: Case, exchange: Exchange) -> Sequence[Score]:  # noqa: ARG002  the case has no say in it
        return self.measure(exchange.ttft_ms, "time to first token")


class TokensScorer(_Measured[TokensSettings]):
    """Tokens of the exchange."""

    type = "tokens"
    version = "1"
    settings_model = TokensSettings
    unit = "tokens"

    def score(self, case: Case, exchange: Exchange) -> Sequence[Score]:  # noqa: ARG002  the case has no say in it
        usage = exchange.usage
        counts = {"in": usage.input_tokens, "out": usage.output_tokens, "reasoning": usage.reasoning_tokens}
        return self.measure(counts[self.settings.of], f"number of tokens ({self.settings.of})")


class CostScorer(_Measured[NoSettings]):
    """Cost of the exchange in millionths of a US dollar, from whatever source the exchange names."""

    type = "cost"
    version = "1"
    settings_model = NoSettings
    unit = "microusd"

    def score(self, case: Case, exchange: Exchange) -> Sequence[Score]:  # noqa: ARG002  the case has no say in it
        return self.measure(exchange.cost_microusd, "cost")
