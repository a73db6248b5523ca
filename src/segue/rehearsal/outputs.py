"""What models say, without asking one over a network: scripted models, and outputs that were stored or imported.

Each case has a few draws; one request is one of them. A scripted model makes them as it would in an eval (`providers.scripted`,
a repeat is a draw); of a recorded one the stored repeats are the draws.
"""

from __future__ import annotations

from collections.abc import Coroutine, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol, TypeVar

from segue.errors import InputError, ProviderError
from segue.model import Bundle, Case, Exchange
from segue.providers.base import ModelOutcome, ModelRequest
from segue.providers.clock import ManualClock
from segue.providers.config import parse_provider
from segue.providers.rendering import render_request
from segue.providers.scripted import ScriptedProvider
from segue.providers.scripted_config import ScriptedConfig, SliceShare
from segue.rehearsal.scoring import recorded_behaviour
from segue.store.base import Store
from segue.workspace import Workspace

DRAWS = 8
"""Of a scripted model, for each case: what a repeat changes is among them."""
_T = TypeVar("_T")


class Outputs(Protocol):
    """One bundle's. `None` is a case that it has no output for."""

    bundle: Bundle

    def draws(self, case: Case) -> int:
        """How many draws there are of a case."""
        ...

    def outcome(self, case: Case, draw: int) -> ModelOutcome:
        """One of them; always the same."""
        ...

    def otherwise(self, case: Case) -> Sequence[ModelOutcome]:
        """What else this model might have said, the likeliest first: for troubles. May be empty."""
        ...


class ScriptedOutputs:
    """Of a scripted model."""

    def __init__(self, bundle: Bundle, config: ScriptedConfig) -> None:
        self.bundle = bundle
        self._rendered: tuple[str, ModelRequest] | None = None
        clock = ManualClock()
        self._provider = ScriptedProvider(bundle.model.provider, config.model_copy(update={"realtime": 0.0}), clock=clock)
        model = config.models[bundle.model.snapshot]
        spoilt = model.model_copy(update={"accuracy": SliceShare(default=0.0), "flip_probability": 0.0})
        better = model.model_copy(update={"accuracy": SliceShare(default=1.0), "flip_probability": 0.0})
        snapshot = bundle.model.snapshot
        self._others = [
            ScriptedProvider("", config.model_copy(update={"models": {snapshot: one}, "realtime": 0.0}), clock=clock)
            for one in (spoilt, better)
        ]

    def draws(self, case: Case) -> int:  # noqa: ARG002  the signature is the port's
        return DRAWS

    def outcome(self, case: Case, draw: int) -> ModelOutcome:
        return at_once(self._provider.ask(replace(self._request(case), repeat=draw)))

    def otherwise(self, case: Case) -> Sequence[ModelOutcome]:
        return [at_once(other.ask(replace(self._request(case), repeat=draw))) for other in self._others for draw in range(2)]

    def _request(self, case: Case) -> ModelRequest:
        """Rendered once for all draws of a case."""
        if self._rendered is None or self._rendered[0] != case.case_id:
            self._rendered = (case.case_id, render_request(self.bundle, case, 0))
        return self._rendered[1]


class StoredOutputs:
    """Of a bundle that was evaluated or imported before."""

    def __init__(self, bundle: Bundle, exchanges: Iterable[Exchange]) -> None:
        self.bundle = bundle
        self._by_case: dict[tuple[str, str], list[Exchange]] = {}
        for one in exchanges:
            self._by_case.setdefault((one.case_id, one.input_digest), []).append(one)
        for some in self._by_case.values():
            some.sort(key=lambda one: one.repeat)

    @property
    def is_empty(self) -> bool:
        """Whether there is none at all."""
        return not self._by_case

    def draws(self, case: Case) -> int:
        return len(self._by_case.get((case.case_id, case.input_digest), ()))

    def repeat(self, case: Case, draw: int) -> int:
        """The stored repeat that a draw is: labels are kept by it."""
        return self._by_case[case.case_id, case.input_digest][draw].repeat

    def outcome(self, case: Case, draw: int) -> ModelOutcome:
        one = self._by_case[case.case_id, case.input_digest][draw]
        return ModelOutcome(
            reply=one.reply,
            failure=one.failure,
            usage=one.usage,
            latency_ms=one.latency_ms,
            ttft_ms=one.ttft_ms,
            cost_microusd=one.cost_microusd,
            cost_source=one.cost_source,
        )

    def otherwise(self, case: Case) -> Sequence[ModelOutcome]:
        return [self.outcome(case, draw) for draw in range(self.draws(case))]


def find_outputs(workspace: Workspace, store: Store, bundle: Bundle, workflow: str) -> Outputs:
    """Where a bundle's outputs come from. `InputError` where they would have to be asked for, over a network."""
    name = bundle.model.provider
    entry: Mapping[str, Any] = workspace.config.providers.get(name, {})
    if entry.get("type") == "scripted":
        config = parse_provider(name, entry)
        assert isinstance(config, ScriptedConfig), "its type says so"
        if bundle.model.snapshot not in config.models:
            raise ProviderError(
                f"Provider '{name}' declares no model '{bundle.model.snapshot}', which {bundle.short} asks for.",
                fix=f"It declares {', '.join(config.models)}: add it under providers.{name}.models in segue.yaml.",
            )
        return ScriptedOutputs(bundle, config)
    stored = StoredOutputs(bundle, store.iter_exchanges(recorded_behaviour(store, bundle, workflow)))
    if stored.is_empty:
        raise InputError(
            f"Nothing is stored that {bundle.short} ({bundle.model.snapshot}) has said, and a rehearsal asks no model over a "
            "network.",
            fix=f"Evaluate it first (segue eval {workflow}), or import its outputs (segue import --help).",
        )
    return stored


def at_once(work: Coroutine[Any, Any, _T]) -> _T:
    """The result of a coroutine that waits for nothing."""
    try:
        work.send(None)
    except StopIteration as done:
        result: _T = done.value
        return result
    work.close()
    raise AssertionError("a scripted model that waits for nothing answers at once")
