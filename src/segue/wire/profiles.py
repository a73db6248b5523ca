"""What an endpoint of a dialect can be told, as data: which field bounds the output, what it refuses and why.

A profile holds for a whole endpoint. What only some of its models refuse, the provider answers with HTTP 400, which is a
`refused_request` naming the parameter: a table of models here would be wrong the day after.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

OutputLimitField = Literal["max_completion_tokens", "max_tokens"]
AnthropicVersion = Literal["2023-06-01", "2026-10-21"]


@dataclass(frozen=True, slots=True)
class WireProfile:
    """`refuses` maps a parameter to the reason it cannot be sent and what to do instead. `stream_usage`: a stream may be asked
    for its tokens (`stream_options`)."""

    name: str
    output_limit: OutputLimitField
    refuses: Mapping[str, str] = field(default_factory=dict)
    refuses_extra: Mapping[str, str] = field(default_factory=dict)
    efforts: frozenset[str] = frozenset()
    max_temperature: float = 2.0
    max_stop: int | None = None
    api_version: str | None = None
    stream_usage: bool = True


_EFFORTS = frozenset({"none", "minimal", "low", "medium", "high", "xhigh", "max"})

_NO_BUDGET = "Chat Completions has no thinking budget. Use reasoning_effort, or the server's own field through extra."

OPENAI = WireProfile(
    name="OpenAI Chat Completions",
    output_limit="max_completion_tokens",
    refuses={"thinking_budget_tokens": _NO_BUDGET},
    efforts=_EFFORTS,
    max_stop=4,
)
"""api.openai.com and Azure. Reasoning models refuse `max_tokens`, and all models take `max_completion_tokens`."""

OPENAI_COMPATIBLE = WireProfile(
    name="an OpenAI-compatible server",
    output_limit="max_tokens",
    refuses={"thinking_budget_tokens": _NO_BUDGET},
    efforts=_EFFORTS,
)
"""vLLM, Ollama and the rest: the older field is the one they all take."""

_NOT_RESPONSES = "Responses has none. Leave it out, or ask this model through Chat Completions (api: chat)."

OPENAI_RESPONSES = WireProfile(
    name="OpenAI Responses",
    output_limit="max_completion_tokens",
    refuses={
        "thinking_budget_tokens": "Responses has no thinking budget. Use reasoning_effort.",
        "seed": "Responses has no seed. Leave it out; measure the noise with repeats.",
        "frequency_penalty": _NOT_RESPONSES,
        "presence_penalty": _NOT_RESPONSES,
        "stop": _NOT_RESPONSES,
    },
    efforts=_EFFORTS,
)
"""The Responses API, which has its own name for the limit and says it itself."""

_ANTHROPIC_REFUSES = {
    "seed": "The Messages API has no seed. Leave it out; measure the noise with repeats.",
    "frequency_penalty": "The Messages API has no penalties. Leave it out.",
    "presence_penalty": "The Messages API has no penalties. Leave it out.",
    "logprobs": "The Messages API gives no log-probabilities. Leave it out; ask the model for a stated confidence.",
    "top_logprobs": "The Messages API gives no log-probabilities. Leave it out; ask the model for a stated confidence.",
}
_NO_SAMPLING = (
    "API version 2026-10-21 has no sampling parameters. Leave it out, or set api_version: '2023-06-01' for this provider "
    "if its model still takes them."
)

_ANTHROPIC_EFFORTS = frozenset({"none", "low", "medium", "high", "xhigh", "max"})

ANTHROPIC: Mapping[AnthropicVersion, WireProfile] = {
    "2023-06-01": WireProfile(
        name="Anthropic Messages (2023-06-01)",
        output_limit="max_tokens",
        refuses=_ANTHROPIC_REFUSES,
        efforts=_ANTHROPIC_EFFORTS,
        max_temperature=1.0,
        api_version="2023-06-01",
    ),
    "2026-10-21": WireProfile(
        name="Anthropic Messages (2026-10-21)",
        output_limit="max_tokens",
        refuses={**_ANTHROPIC_REFUSES, "temperature": _NO_SAMPLING, "top_p": _NO_SAMPLING},
        refuses_extra={"top_k": _NO_SAMPLING, "temperature": _NO_SAMPLING, "top_p": _NO_SAMPLING},
        efforts=_ANTHROPIC_EFFORTS,
        api_version="2026-10-21",
    ),
}
"""By `anthropic-version`. Source: the API's version history, entry 2026-10-21: temperature, top_p and top_k are removed."""
