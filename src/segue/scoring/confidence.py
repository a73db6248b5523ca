"""The confidence scorer: how sure the model says it is, or its token probabilities show it was.

It reads a number between 0 and 1 off an output. Whether that number means what it says is `segue.evidence.calibration`'s
question, and the threshold to act on `segue.evidence.operating_point`'s. An output that states no confidence is unscored.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from itertools import accumulate
from typing import Any, Literal

from pydantic import Field, model_validator

from segue.model import Case, Exchange, Json, Metric, Score, ScorerSpec, TokenLogprob
from segue.scoring.answer import final_text, reply_of
from segue.scoring.context import ScoringContext
from segue.scoring.json_output import read_json
from segue.scoring.pattern import compile_pattern
from segue.scoring.pure import PureScorer
from segue.scoring.regex import extract
from segue.scoring.settings import Settings

ROUNDING = 1e-6
"""Providers round; a log-probability this little above 0 is taken as 0."""


class ConfidenceSettings(Settings):
    """Settings of `confidence`. Exactly one of `pattern`, `json_field` and `logprobs` says where the confidence stands."""

    pattern: str | None = Field(default=None, min_length=1)
    """Regular expression with one group around the number; the last match counts."""
    json_field: str | None = Field(default=None, min_length=1)
    """Field of the JSON output that holds it; dots lead into objects (`meta.confidence`)."""
    logprobs: Literal["mean", "min", "label"] | None = None
    """From token probabilities: their geometric mean, the smallest, or that of the tokens that spell one of `labels`."""
    labels: tuple[str, ...] = ()
    """For `logprobs: label`: the words looked for; the last one in the output counts."""
    percent: bool = False
    """Whether the stated number is in per cent."""
    threshold: float | None = Field(default=None, ge=0, le=1)
    """Where the application acts now: the report works out the threshold that keeps this operating point."""
    keep: Literal["precision", "coverage", "recall"] = "precision"
    """What the new threshold keeps."""
    max_characters: int = Field(default=20_000, ge=1, le=200_000)
    """A longer output is not searched, and is unscored."""

    @model_validator(mode="after")
    def _one_source(self) -> ConfidenceSettings:
        sources = [self.pattern, self.json_field, self.logprobs]
        if sum(source is not None for source in sources) != 1:
            raise ValueError("give exactly one of pattern, json_field and logprobs")
        if self.pattern is not None and compile_pattern(self.pattern).groups != 1:
            raise ValueError("the pattern needs exactly one group, around the number")
        if (self.logprobs == "label") != bool(self.labels):
            raise ValueError("labels go with logprobs: label, and are needed there")
        if any(not label.strip() for label in self.labels):
            raise ValueError("a label is empty")
        if self.logprobs is not None and self.percent:
            raise ValueError("percent is about a stated number; token probabilities need none")
        return self


class ConfidenceScorer(PureScorer[ConfidenceSettings]):
    """The confidence as a score from 0 to 1."""

    type = "confidence"
    version = "1"
    settings_model = ConfidenceSettings

    def __init__(self, spec: ScorerSpec, settings: ConfidenceSettings) -> None:
        super().__init__(spec, settings)
        self._pattern = None if settings.pattern is None else compile_pattern(settings.pattern)
        self._labels = None
        if settings.labels:
            # Longest first, so that "not sure" is not read as "not".
            words = "|".join(re.escape(label.strip()) for label in sorted(settings.labels, key=len, reverse=True))
            self._labels = re.compile(rf"(?<!\w)(?:{words})(?!\w)", re.IGNORECASE)

    @classmethod
    def declare(cls, spec: ScorerSpec, settings: Any) -> tuple[Metric, ...]:  # noqa: ARG003  every scorer declares in this shape
        """One score between 0 and 1. It is no quality: gate on calibration, not on confidence."""
        return (Metric(name=spec.name, unit="score", better=spec.better or "higher"),)

    def score(self, case: Case, exchange: Exchange) -> Sequence[Score]:  # noqa: ARG002  a confidence needs no case
        found = self._from_logprobs(exchange) if self.settings.logprobs else self._from_text(final_text(exchange))
        if isinstance(found, str):
            return self.unscored(found)
        return (Score(self.name, found),)

    def _from_text(self, text: str) -> float | str:
        """The stated confidence, or why there is none."""
        if len(text) > self.settings.max_characters:
            return f"the output is longer than max_characters ({self.settings.max_characters})"
        if self._pattern is not None:
            number = extract(self._pattern, text, 1, "last")
            return "no confidence is stated" if number is None else self._as_share(number)
        value, reason = read_json(text, "fenced")
        if reason:
            return reason
        assert self.settings.json_field is not None
        for key in self.settings.json_field.split("."):
            if not isinstance(value, dict) or key not in value:
                return f"the output has no field '{self.settings.json_field}'"
            value = value[key]
        return self._as_share(value)

    def _as_share(self, stated: Json) -> float | str:
        percent = self.settings.percent
        if isinstance(stated, str):
            stated = stated.strip()
            if stated.endswith("%"):
                percent, stated = True, stated[:-1]
            # A decimal comma, where there is no point.
            stated = stated.replace(",", ".") if "." not in stated else stated
        if isinstance(stated, bool) or not isinstance(stated, (int, float, str)):
            return "the stated confidence is not a number"
        try:
            value = float(stated)
        except (ValueError, OverflowError):
            return "the stated confidence is not a number"
        share = value / 100 if percent else value
        if not 0 <= share <= 1:
            return "the stated confidence is not between 0 and 1 (set percent if it is in per cent)"
        return share

    def _from_logprobs(self, exchange: Exchange) -> float | str:
        """The confidence from token probabilities, or why there is none."""
        tokens = reply_of(exchange).logprobs
        if not tokens:
            return "the reply carries no log-probabilities (set parameters.logprobs on the bundle)"
        if self.settings.logprobs == "label":
            assert self._labels is not None
            spelled = label_tokens(tokens, self._labels)
            if spelled is None:
                return "none of the labels stands in the output"
            tokens = spelled
        values = [one.logprob for one in tokens]
        if any(math.isnan(value) or value > ROUNDING for value in values):
            return "a log-probability is not a number below 0"
        values = [min(0.0, value) for value in values]
        if self.settings.logprobs == "min":
            return math.exp(min(values))
        total = sum(values)
        return math.exp(total / len(values) if self.settings.logprobs == "mean" else total)


def label_tokens(tokens: Sequence[TokenLogprob], labels: re.Pattern[str]) -> tuple[TokenLogprob, ...] | None:
    """The tokens that spell the last match of `labels` in the text they add up to; `None` if there is none."""
    text = "".join(one.token for one in tokens)
    match = None
    for match in labels.finditer(text):  # noqa: B007  the last one is what stays
        pass
    if match is None:
        return None
    ends = list(accumulate(len(one.token) for one in tokens))
    return tuple(
        one
        for one, end in zip(tokens, ends, strict=True)
        if end > match.start() and end - len(one.token) < match.end() and one.token
    )


def build_confidence(spec: ScorerSpec, context: ScoringContext) -> ConfidenceScorer:
    """A confidence scorer from its declaration. Raises `InputError` with all faults of the settings."""
    return ConfidenceScorer.build(spec, context)
