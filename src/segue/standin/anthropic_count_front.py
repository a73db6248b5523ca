"""The endpoint that counts the tokens of a Messages request: what it takes, refuses and answers. Free, as the real one is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from segue.model import Json
from segue.standin import anthropic_front
from segue.standin.anthropic_front import check_key, error_body, refuse_turns, trouble, wrong_types
from segue.standin.said import Asked, Refused, Said
from segue.standin.settings import StandInSettings

PATH = "/v1/messages/count_tokens"
PROVIDER = anthropic_front.PROVIDER
OVERLOADED_STATUS = anthropic_front.OVERLOADED_STATUS
IS_FREE = True
_FIELDS = frozenset(
    {
        "messages",
        "model",
        "cache_control",
        "output_config",
        "speed",
        "system",
        "thinking",
        "tool_choice",
        "tools",
        "user_profile_id",
        "workspace_id",
    }
)
_LARGEST = 1 << 30

__all__ = ["check_key", "error_body", "read", "refuse_turns", "reply_body", "trouble", "wrong_types"]


def read(body: dict[str, Any], headers: Mapping[str, str]) -> Asked | Refused:
    """What is to be counted, or why the API would not take it. It has no place for the limits of an answer."""
    unknown = sorted(set(body) - _FIELDS)
    if unknown:
        return Refused(400, "invalid_request_error", f"{unknown[0]}: Extra inputs are not permitted")
    return anthropic_front.read({**body, "max_tokens": _LARGEST}, headers)


def reply_body(settings: StandInSettings, asked: Asked, said: Said, identifier: str) -> dict[str, Json]:  # noqa: ARG001
    """The count: what a message of the same request would say it took."""
    return {"input_tokens": said.input_tokens}
