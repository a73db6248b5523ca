"""What a plan says beside steps and gates: shadow, staging, absolute budgets, notices."""

from __future__ import annotations

from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, model_validator

from segue.model.base import Frozen, Json
from segue.model.plan_text import Days, Part

Usd = Annotated[float, Field(gt=0, le=1e9)]
Occasion = Literal["stage", "hold", "approval", "rollback", "end", "action"]
"""stage: a stage or step was reached. hold: it waits for people. approval: somebody's yes is asked for. rollback: users were
taken back. end: nothing follows any more. action: a person did something."""
LOOPBACK = ("localhost", "127.0.0.1", "::1")


class ShadowSpec(Frozen):
    """How long requests are mirrored to the candidate before any user sees it, how many of them, and for how much a day."""

    length: Days = 7.0
    share: Part = 1.0
    churn: Part = 0.15
    usd_per_day: Usd | None = None
    longest: Days | None = None

    @model_validator(mode="after")
    def _longest_is_longer(self) -> Self:
        if self.longest is not None and self.longest < self.length:
            raise ValueError("longest is shorter than length")
        return self


class StagingSpec(Frozen):
    """How much recorded traffic is replayed in staging, and the team's own integration tests: a command as a list of words.

    Replayed are the requests of `length` before the upgrade and since, oldest first, `most` of them.
    """

    length: Days = 7.0
    least: int = Field(default=100, ge=1)
    most: int = Field(default=20_000, ge=1)
    integration: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    environment: str = Field(default="staging", pattern=r"^[a-z][a-z0-9-]*$")


class PlanBudgets(Frozen):
    """What the workflow can bear at all, whatever the incumbent does. Beyond one of them the upgrade holds."""

    latency_p99_ms: float | None = Field(default=None, gt=0)
    ttft_p95_ms: float | None = Field(default=None, gt=0)
    cost_usd_per_request: Usd | None = None
    usd_per_day: Usd | None = None


EnvName = Annotated[str, StringConstraints(pattern=r"^\$[A-Z_][A-Z0-9_]*$")]
"""A reference to the environment: `$UPGRADE_HOOK_KEY`. Never a value."""


def _read_secret(value: Json) -> Json:
    if not isinstance(value, str) or not value.startswith("$"):
        # Without the value: it may be the secret itself.
        raise ValueError("a secret is a reference to the environment, such as $UPGRADE_HOOK_KEY, and never the value itself")
    return value


def _is_address(value: str) -> str:
    if value.startswith("$"):
        return value
    try:
        parts = urlsplit(value)
        is_safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)
    except ValueError:
        is_safe = False
    if not is_safe or not parts.hostname or parts.username or parts.password:
        raise ValueError("an address begins with https:// and holds no password, or is a reference to the environment, $NAME")
    return value


class NoticeSpec(Frozen):
    """Who wants to hear of it: an address, the key its notices are signed with, and on what occasions (on all, if none)."""

    url: Annotated[str, Field(min_length=2, max_length=2000), AfterValidator(_is_address)]
    secret: Annotated[EnvName, BeforeValidator(_read_secret)]
    on: tuple[Occasion, ...] = ()
