"""A rendered call, its outcome, and the port that is asked: what a provider is.

Something that can be asked, and answers with an outcome, never with an exception. In the model ring, so that codecs and judges
can speak of a request without knowing who sends it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from segue.model.bundle import Parameters
from segue.model.conversation import Message, ToolSpec
from segue.model.exchange import Failure, Reply, Usage


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """One call, rendered: what the model is shown, and the dials. `idempotency_key` is stable over retries and resumes.

    `case_id`, `repeat` and `attributes` (slices, reference) are for the providers that replay or simulate; a real one
    never sends them.
    """

    snapshot: str
    messages: tuple[Message, ...]
    system: str
    parameters: Parameters
    tools: tuple[ToolSpec, ...]
    idempotency_key: str
    case_id: str = ""
    repeat: int = 0
    recording: str | None = None
    response_schema: dict[str, object] | None = None
    attributes: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ModelOutcome:
    """What came back: a reply or a failure, with what it took. `retry_after_s` is the provider's own word, if it gave one."""

    reply: Reply | None = None
    failure: Failure | None = None
    usage: Usage = field(default_factory=Usage)
    latency_ms: float | None = None
    ttft_ms: float | None = None
    cost_microusd: float | None = None
    cost_source: str | None = None
    retry_after_s: float | None = None

    def __post_init__(self) -> None:
        assert (self.reply is None) != (self.failure is None), "an outcome is a reply or a failure"


class Provider(Protocol):
    """A connection to one provider. `ask` never raises for what the provider does: that is a `Failure`.

    Retrying and pacing are the caller's (`segue.providers.pacing`), so that every provider gets the same manners.
    """

    name: str

    async def ask(self, request: ModelRequest) -> ModelOutcome: ...

    async def close(self) -> None: ...
