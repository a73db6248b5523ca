"""The endpoint that counts the input tokens of a Responses request: what it takes, refuses and answers. Free."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from segue.model import Json
from segue.standin import responses_front
from segue.standin.responses_front import OVERLOADED_STATUS, PROVIDER, check_key, error_body, refuse_turns, trouble, wrong_types
from segue.standin.said import Asked, Refused, Said
from segue.standin.settings import StandInSettings

PATH = "/v1/responses/input_tokens"
IS_FREE = True
_FIELDS = frozenset(
    {
        "conversation",
        "input",
        "instructions",
        "model",
        "parallel_tool_calls",
        "personality",
        "previous_response_id",
        "reasoning",
        "text",
        "tool_choice",
        "tools",
        "truncation",
    }
)

__all__ = [
    "IS_FREE",
    "OVERLOADED_STATUS",
    "PATH",
    "PROVIDER",
    "check_key",
    "error_body",
    "read",
    "refuse_turns",
    "reply_body",
    "trouble",
    "wrong_types",
]


def read(body: dict[str, Any], headers: Mapping[str, str]) -> Asked | Refused:
    """What is to be counted, or why the API would not take it."""
    unknown = sorted(set(body) - _FIELDS)
    if unknown:
        return Refused(400, "invalid_request_error", f"Unknown parameter: '{unknown[0]}'.", unknown[0], "unknown_parameter")
    return responses_front.read(body, headers)


def reply_body(settings: StandInSettings, asked: Asked, said: Said, identifier: str) -> dict[str, Json]:  # noqa: ARG001
    """The count: what an answer to the same request would say it took."""
    return {"object": "response.input_tokens", "input_tokens": said.input_tokens}
