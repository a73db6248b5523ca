"""The bundle: one immutable, content-addressed version of the whole behaviour of a workflow."""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from segue.model.base import Frozen, Json
from segue.model.contract import Contract
from segue.model.conversation import ToolSpec
from segue.model.digest import digest_of, short_id

Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]

PARTS = ("model", "prompt", "parameters", "tools", "retrieval", "contract", "suite", "fallback")
"""The parts of a bundle, in the order people are shown them."""


class ModelRef(Frozen):
    """Which model answers. `provider` names an entry of `segue.yaml`; `recording` a recorded release to replay."""

    provider: str = Field(min_length=1)
    snapshot: str = Field(min_length=1)
    recording: str | None = None


class Prompt(Frozen):
    """System instructions and the user template.

    Both may hold `{{variable}}`. Without a template, a case's own messages follow the system instructions as they are.
    """

    system: str = ""
    template: str = ""


class Parameters(Frozen):
    """Sampling parameters and the reasoning dials. What is left out is not sent. `extra` goes to the provider as it is.

    `structured_output` asks the provider to hold its output to the contract's JSON Schema.
    """

    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, gt=0, le=1)
    max_output_tokens: int | None = Field(default=None, gt=0)
    stop: tuple[str, ...] = ()
    seed: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    reasoning_effort: Effort | None = None
    thinking_budget_tokens: int | None = Field(default=None, ge=0)
    logprobs: bool | None = None
    top_logprobs: int | None = Field(default=None, ge=0, le=20)
    tool_choice: str | None = None
    structured_output: bool | None = None
    extra: dict[str, Json] = Field(default_factory=dict)


class Bundle(Frozen):
    """Everything that decides what a workflow answers. Two bundles with the same digest are the same bundle."""

    workflow: str = Field(min_length=1)
    model: ModelRef
    prompt: Prompt = Prompt()
    parameters: Parameters = Parameters()
    tools: tuple[ToolSpec, ...] = ()
    retrieval: dict[str, Json] = Field(default_factory=dict)
    contract: Contract | None = None
    suite: Digest | None = None
    fallback: Digest | None = None

    def body(self) -> dict[str, Json]:
        """The JSON value that is digested and stored. Defaults are left out, so a new optional field keeps old digests."""
        return self.model_dump(mode="json", exclude_defaults=True, by_alias=True)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON of `body()`."""
        return digest_of(self.body())

    @cached_property
    def behaviour(self) -> str:
        """Digest of the parts the model itself sees: `digest` without suite and fallback.

        Results are kept under it, so that a case added to the suite does not buy every other answer again.
        """
        body = self.body()
        for part in ("suite", "fallback"):
            body.pop(part, None)
        return digest_of(body)

    @property
    def short(self) -> str:
        """The short id."""
        return short_id(self.digest)

    def part_digests(self) -> dict[str, str]:
        """Digest of each part, by name: what `diff` compares first."""
        body = self.body()
        return {part: digest_of(body.get(part)) for part in PARTS}
