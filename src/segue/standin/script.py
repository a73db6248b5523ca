"""A stand-in that answers like a scripted model: the case is found by the text of the last user message.

That is the case with this text; else the one whose text stands in it, as where a template was put around it; else the one most
like it. A simulated model cannot read, but to a question nobody thought of it can say what it would say to a similar one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from rapidfuzz import fuzz, process

from segue.model import Case, Failure, Message, Parameters, ToolSpec
from segue.model.digest import digest_of
from segue.providers.base import ModelRequest
from segue.providers.draws import Draws
from segue.providers.rendering import case_attributes
from segue.providers.scripted import compose_reply, latency_of
from segue.providers.scripted_config import ScriptedConfig, ScriptedModel
from segue.standin.said import Asked, Call, Refused, Said, counted


class Script:
    """Scripted models by name, and the cases whose references they answer with."""

    def __init__(self, config: ScriptedConfig, cases: Iterable[Case] = (), root: Path | None = None) -> None:
        self._config, self._root = config, root
        self._cases: Mapping[str, Case] = {
            turn.text: case for case in cases for turn in list(case.messages)[::-1][:1] if turn.role == "user"
        }

    def _find(self, text: str) -> Case | None:
        case = self._cases.get(text)
        if case is None and self._cases:
            within = max((one for one in self._cases if one and one in text), key=len, default=None)
            if within is None:
                within = process.extractOne(text, self._cases.keys(), scorer=fuzz.token_set_ratio)[0]
            case = self._cases[within]
        return case

    def _model(self, name: str) -> ScriptedModel | None:
        """As it is declared to be at this moment."""
        model = self._config.models.get(name)
        if model is None or model.changed is None or self._root is None:
            return model
        return model.as_changed() if (self._root / model.changed.while_file).exists() else model

    def say(self, asked: Asked, key: str) -> tuple[Said, float] | Refused:
        """The answer and its latency in seconds. Noise hangs on the idempotency key: a call sent again gets the same answer."""
        model = self._model(asked.model)
        if model is None:
            return Refused(404, "not_found_error", f"The model '{asked.model}' does not exist.", code="model_not_found")
        case = self._find(asked.text)
        case_id = digest_of(asked.text) if case is None else case.case_id
        repeat = int(digest_of(key)[:12], 16)
        request = ModelRequest(
            snapshot=asked.model,
            messages=(Message(role="user", content=asked.text),),
            system="",
            parameters=Parameters(max_output_tokens=asked.limit),
            tools=tuple(ToolSpec(name=name) for name in asked.tools),
            idempotency_key=key,
            case_id=case_id,
            repeat=repeat,
            response_schema=asked.schema,
            attributes={} if case is None else case_attributes(case),
        )
        draws = Draws(self._config.seed, asked.model, case_id, repeat)
        reply = compose_reply(model, request, draws)
        if isinstance(reply, Failure):
            return Refused(400, "invalid_request_error", reply.detail)
        calls = tuple(Call(f"call_{at}", call.name, call.arguments) for at, call in enumerate(reply.tool_calls))
        said = counted(
            Said(reply.text, calls, is_cut=reply.finish_reason == "length", input_tokens=max(1, asked.input_characters // 4)),
            len(reply.text) + sum(len(call.arguments) for call in calls),
        )
        if model.thought is not None and asked.thinks:
            tokens = max(1, len(model.thought) // 4)
            said = replace(said, thought=model.thought, reasoning_tokens=tokens, output_tokens=said.output_tokens + tokens)
        return said, latency_of(model, draws) / 1000 * self._config.realtime
