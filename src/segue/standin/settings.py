"""What a stand-in does: how long it takes, what it says, and which trouble it makes."""

from __future__ import annotations

from typing import Literal, get_args

from pydantic import Field

from segue.model import Frozen, Json

Dialect = Literal["openai", "anthropic"]
TroubleKind = Literal[
    "rate_limit",
    "overloaded",
    "server_error",
    "auth",
    "refused",
    "too_long",
    "slow",
    "hang",
    "drop",
    "truncate",
    "malformed",
    "wrong_types",
    "error_in_stream",
    "html",
    "redirect",
    "huge",
]
TROUBLE_KINDS: tuple[str, ...] = get_args(TroubleKind)


class Trouble(Frozen):
    """One kind of trouble, for a share of the idempotency keys and the first `attempts` calls of each (0: all of them).

    `slow` answers after ten times the latency and `hang` never; `drop` cuts the connection in the middle of the reply,
    `truncate` ends it politely but too early; `malformed` sends broken JSON, `wrong_types` JSON of another shape;
    `too_long` says that the conversation is longer than the model can read.
    """

    kind: TroubleKind
    share: float = Field(default=1.0, ge=0, le=1)
    attempts: int = Field(default=0, ge=0)
    retry_after_s: float | None = Field(default=None, ge=0)


class StandInSettings(Frozen):
    """`answers` maps the text of the last user message to the text to answer; others get `text`. In either, `{results}`
    stands for what tools have answered and `{images}` for how many images came: who reads it knows that they arrived.

    `rate_limit_above` answers 429 to calls beyond so many at once. With `key`, calls without it are refused as the real
    API refuses them. `pieces` is how many pieces a streamed text comes in; the first comes after `ttft_share` of the latency.

    With `reasoning_tokens` it reasons, where the dialect and the request let it: `thought` comes sealed, and hidden if so
    wanted. Seals of others and changed ones are refused, as the providers refuse them.
    """

    dialect: Dialect = "openai"
    latency_ms: float = Field(default=0.0, ge=0)
    ttft_share: float = Field(default=0.3, ge=0, le=1)
    pieces: int = Field(default=8, ge=1, le=1000)
    text: str = "Thank you for your message. Your refund was approved and will arrive within five working days."
    answers: dict[str, str] = Field(default_factory=dict)
    reasoning_tokens: int = Field(default=0, ge=0)
    thought: str = Field(default="Let me see.", min_length=1)
    hides_thought: bool = False
    refusal: str | None = None
    troubles: tuple[Trouble, ...] = ()
    rate_limit_above: int | None = Field(default=None, ge=1)
    key: str | None = None
    extra_fields: dict[str, Json] = Field(default_factory=dict)
