"""An exchange: one request and its response, with what it took. And the scores given to it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from segue.model.base import Json
from segue.model.conversation import Message, ToolCall

FailureKind = Literal[
    "timeout", "rate_limit", "overloaded", "server", "connection", "refused_request", "bad_reply", "auth", "not_recorded"
]
FinishReason = Literal["stop", "length", "tool_calls", "content_filter", "refusal", "other"]
ScoreStatus = Literal["scored", "unscored", "error"]


@dataclass(frozen=True, slots=True)
class TokenLogprob:
    """One output token with its log-probability (natural logarithm)."""

    token: str
    logprob: float


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call. `None` is unknown, never zero. Reasoning tokens are part of `output_tokens`."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    reasoning_tokens: int | None = None
    cached_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """What the model gave back: text, tool calls, or a whole conversation it led (`trajectory`)."""

    text: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    trajectory: tuple[Message, ...] = ()
    finish_reason: FinishReason | None = None
    refusal: str | None = None
    logprobs: tuple[TokenLogprob, ...] | None = None

    def as_json(self) -> dict[str, Json]:
        """The stored form; empty fields are left out."""
        body: dict[str, Json] = {"text": self.text}
        if self.tool_calls:
            body["tool_calls"] = [call.model_dump(exclude_defaults=True) for call in self.tool_calls]
        if self.trajectory:
            body["trajectory"] = [turn.model_dump(mode="json", exclude_defaults=True) for turn in self.trajectory]
        if self.finish_reason:
            body["finish_reason"] = self.finish_reason
        if self.refusal is not None:
            body["refusal"] = self.refusal
        if self.logprobs is not None:
            body["logprobs"] = [[one.token, one.logprob] for one in self.logprobs]
        return body

    @classmethod
    def from_json(cls, body: dict[str, Json]) -> Reply:
        """Read what `as_json` wrote."""
        logprobs = body.get("logprobs")
        return cls(
            text=body.get("text", ""),
            tool_calls=tuple(ToolCall(**call) for call in body.get("tool_calls", ())),
            trajectory=tuple(Message(**turn) for turn in body.get("trajectory", ())),
            finish_reason=body.get("finish_reason"),
            refusal=body.get("refusal"),
            logprobs=None if logprobs is None else tuple(TokenLogprob(token, value) for token, value in logprobs),
        )


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there is no reply. A provider's failure is never a wrong answer."""

    kind: FailureKind
    detail: str = ""
    attempts: int = 1


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request of a case to a bundle, and what came back: a reply or a failure, never both, never neither.

    `behaviour` is `Bundle.behaviour`; (`behaviour`, `case_id`, `input_digest`, `repeat`) is its key.
    `cost_source` says where the cost came from: the provider, a dated price list, or the recording.
    """

    behaviour: str
    case_id: str
    input_digest: str
    repeat: int = 0
    reply: Reply | None = None
    failure: Failure | None = None
    usage: Usage = field(default_factory=Usage)
    latency_ms: float | None = None
    ttft_ms: float | None = None
    cost_microusd: float | None = None
    cost_source: str | None = None
    at: str | None = None

    def __post_init__(self) -> None:
        assert (self.reply is None) != (self.failure is None), "an exchange has a reply or a failure"


@dataclass(frozen=True, slots=True)
class Score:
    """One named score of one exchange.

    `value` is a number (0 or 1 for pass and fail); `label` is what was read out of the output where that is a class.
    An `unscored` score has a reason and no value: it is neither right nor wrong.
    """

    name: str
    value: float | None = None
    label: str | None = None
    status: ScoreStatus = "scored"
    reason: str = ""
    detail: Json = None

    def __post_init__(self) -> None:
        assert (self.value is not None) == (self.status == "scored"), "a score has a value exactly if it is scored"


@dataclass(frozen=True, slots=True)
class RecordedLabel:
    """A label somebody gave an output: a human, a rule, a judge. `repeat` is `None` where it holds for all repeats."""

    case_id: str
    labeler: str
    label: str
    repeat: int | None = None
    detail: Json = None
