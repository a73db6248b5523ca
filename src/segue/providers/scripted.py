"""A simulated model with declared behaviours, for demos, tests and rehearsals.

It answers as `scripted_config.ScriptedModel` says, and always the same for one (seed, snapshot, case, repeat).
It is a real provider to everything above it; only its words are made up.
"""

from __future__ import annotations

import math

from segue.errors import NotFoundError
from segue.model import Failure, Reply, Usage
from segue.model.exchange import FinishReason
from segue.providers.base import ModelOutcome, ModelRequest
from segue.providers.clock import Clock
from segue.providers.draws import Draws, pick
from segue.providers.rendering import prompt_variables, substitute
from segue.providers.scripted_answers import Answer, look_up, right_answer, wrong_answer
from segue.providers.scripted_config import ScriptedConfig, ScriptedModel
from segue.providers.scripted_judge import give_verdict, verdicts_asked

PRICE_SOURCE = "declared by the scripted model"
_KEPT_OF_TRUNCATED = (0.35, 0.8)


class ScriptedProvider:
    """Answers for every snapshot its configuration declares; another one is a `refused_request`."""

    def __init__(self, name: str, config: ScriptedConfig, *, clock: Clock) -> None:
        self.name = name
        self._config = config
        self._clock = clock
        self._tries: dict[tuple[str, str, int], int] = {}

    async def ask(self, request: ModelRequest) -> ModelOutcome:
        """Answer, or fail as declared."""
        model = self._config.models.get(request.snapshot)
        if model is None:
            error = NotFoundError.naming("scripted model", request.snapshot, self._config.models)
            return ModelOutcome(failure=Failure("refused_request", error.what))
        draws = Draws(self._config.seed, request.snapshot, request.case_id, request.repeat)
        latency_ms = latency_of(model, draws)
        if self._config.realtime:
            await self._clock.sleep(latency_ms / 1000 * self._config.realtime)
        failure = self._failure(model, request, draws)
        if failure is not None:
            wait = model.failures.retry_after_s if failure.kind in ("rate_limit", "overloaded") else None
            return ModelOutcome(failure=failure, latency_ms=latency_ms, retry_after_s=wait)
        reply = compose_reply(model, request, draws)
        if isinstance(reply, Failure):
            return ModelOutcome(failure=reply)
        usage = _usage(model, request, reply, draws)
        price = model.price
        cost = None
        if price is not None:
            assert usage.input_tokens is not None
            assert usage.output_tokens is not None
            cost = price.card().cost(usage.input_tokens, 0, 0, usage.output_tokens)
        return ModelOutcome(
            reply=reply,
            usage=usage,
            latency_ms=latency_ms,
            ttft_ms=latency_ms * model.latency.ttft_share,
            cost_microusd=cost,
            cost_source=None if price is None else PRICE_SOURCE,
        )

    async def close(self) -> None:
        """Nothing is held open."""

    def _failure(self, model: ScriptedModel, request: ModelRequest, draws: Draws) -> Failure | None:
        luck = draws.fresh("failure")
        for kind, share in model.failures.shares.items():
            if luck >= share:
                luck -= share
                continue
            key = (request.snapshot, request.case_id, request.repeat)
            tries = self._tries[key] = self._tries.get(key, 0) + 1
            if model.failures.attempts and tries > model.failures.attempts:
                del self._tries[key]
                return None
            return Failure(kind, "As the scripted model declares.")
        return None


def compose_reply(model: ScriptedModel, request: ModelRequest, draws: Draws) -> Reply | Failure:
    """The reply of `model`; a failure where the case lacks what the model is declared to answer with."""
    labels = _labels(request)
    allowed = verdicts_asked(request.response_schema) if model.likes is not None else []
    if model.likes is not None and allowed:
        is_right = draws.settled(f"judging {request.idempotency_key}") < model.accuracy.of(labels)
        text = give_verdict(request.messages[-1].text, allowed, model.likes, is_right=is_right)
        return Reply(text=text, finish_reason="stop")
    if draws.settled("refuse") < model.refuse_share.of(labels):
        text = pick(model.refusals, draws.settled("refusal"))
        return Reply(text=text, finish_reason="stop")
    reference = look_up(request.attributes, model.right)
    right = right_answer(reference, request.tools)
    if right is None:
        detail = f"Case '{request.case_id}' has no {model.right}, which the scripted model takes its right answers from."
        return Failure("refused_request", detail)
    answer = right
    if not _is_right(model, labels, draws):
        listed = look_up(request.attributes, model.wrong)
        answer = wrong_answer(right, reference, listed, model.wrong_answers, request.tools, draws.settled("wrong"))
    if answer.calls:
        return Reply(tool_calls=answer.calls, finish_reason="tool_calls")
    return _dress(model, request, labels, answer, draws)


def _is_right(model: ScriptedModel, labels: dict[str, str], draws: Draws) -> bool:
    is_shared = draws.settled("shares difficulty") < model.shared_difficulty
    difficulty = draws.shared("difficulty") if is_shared else draws.settled("difficulty")
    flip = model.flip_probability
    chance = flip if isinstance(flip, float) else flip[0] + (flip[1] - flip[0]) * draws.shared("flip probability")
    return (difficulty < model.accuracy.of(labels)) != (draws.fresh("flip") < chance)


def _dress(
    model: ScriptedModel, request: ModelRequest, labels: dict[str, str], answer: Answer, draws: Draws
) -> Reply | Failure:
    template = pick(model.templates, draws.settled("template"))
    values = _values(request, answer.text)
    missing = sorted(prompt_variables(template) - values.keys())
    if missing:
        return Failure(
            "refused_request", f"A template of the scripted model asks for {{{{{missing[0]}}}}}, which the case lacks."
        )
    text = substitute(template, values)
    if draws.settled("fence") < model.fence_share.of(labels):
        text = f"```{model.fence_language}\n{text}\n```"
    if draws.settled("prose before") < model.prose_before_share.of(labels):
        text = f"{pick(model.prose_before, draws.settled('prose'))}\n\n{text}"
    finish: FinishReason = "stop"
    if draws.settled("truncate") < model.truncate_share.of(labels):
        low, high = _KEPT_OF_TRUNCATED
        text = text[: max(1, int(len(text) * (low + (high - low) * draws.settled("kept"))))]
        finish = "length"
    limit = request.parameters.max_output_tokens
    if limit is not None and len(text) > limit * model.characters_per_token:
        text = text[: max(1, int(limit * model.characters_per_token))]
        finish = "length"
    return Reply(text=text, finish_reason=finish)


def _labels(request: ModelRequest) -> dict[str, str]:
    """The slices of the case, and its kind and whether it is critical."""
    found = request.attributes.get("slices")
    labels = {str(name): str(value) for name, value in found.items()} if isinstance(found, dict) else {}
    labels.setdefault("kind", str(request.attributes.get("kind", "representative")))
    labels.setdefault("critical", "true" if request.attributes.get("critical") else "false")
    return labels


def _values(request: ModelRequest, answer: str) -> dict[str, str]:
    values = {"answer": answer, "input": next((turn.text for turn in reversed(request.messages) if turn.role == "user"), "")}
    for prefix, name in (("", "variables"), ("slice.", "slices"), ("metadata.", "metadata")):
        found = request.attributes.get(name)
        if isinstance(found, dict):
            values |= {f"{prefix}{key}": str(value) for key, value in found.items() if isinstance(value, str | int | float)}
    return values


def latency_of(model: ScriptedModel, draws: Draws) -> float:
    """Milliseconds to the whole reply."""
    latency = model.latency
    if draws.fresh("outlier") < latency.outlier_share:
        return draws.lognormal("outlier latency", latency.outlier_ms, latency.sigma)
    return draws.lognormal("latency", latency.median_ms, latency.sigma)


def _usage(model: ScriptedModel, request: ModelRequest, reply: Reply, draws: Draws) -> Usage:
    """Tokens by length, and reasoning tokens as declared."""
    shown = len(request.system) + sum(len(turn.text) for turn in request.messages)
    said = len(reply.text) + sum(len(call.name) + len(call.arguments) for call in reply.tool_calls)
    thought = 0
    if model.reasoning_tokens_median:
        thought = round(draws.lognormal("reasoning", model.reasoning_tokens_median, model.reasoning_tokens_sigma))
    return Usage(
        input_tokens=math.ceil(shown / model.characters_per_token),
        output_tokens=math.ceil(said / model.characters_per_token) + thought,
        reasoning_tokens=thought if model.reasoning_tokens_median else None,
    )
