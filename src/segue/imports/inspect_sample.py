"""Reads one sample of an Inspect log: the case, what came back, and its scores."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from segue.imports.failures import failure_from
from segue.imports.inspect_file import InspectLog
from segue.imports.inspect_message import message_of, messages_of
from segue.imports.layout_output import flaws_of
from segue.imports.reading_pass import Flaw
from segue.imports.timestamps import read_timestamp
from segue.imports.values import as_text, count_of, label_of, micro_usd, number_of, plain_text
from segue.model import Case, Failure, Json, Message, Reply, TokenLogprob, Usage
from segue.model.exchange import FailureKind, FinishReason

LABELER = "inspect"
"""Labels are called `inspect:<scorer>`, and `inspect:<scorer>/<key>` where a score is an object."""

_FINISH: Mapping[str, FinishReason] = {
    "stop": "stop",
    "max_tokens": "length",
    "model_length": "length",
    "tool_calls": "tool_calls",
    "content_filter": "content_filter",
}
_LIMITS: Mapping[str, FailureKind] = {"time": "timeout", "working": "timeout"}
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came back for one sample."""

    reply: Reply | None
    failure: Failure | None
    usage: Usage
    latency_ms: float | None
    cost_microusd: float | None
    at: str | None


def case_of(sample: Mapping[str, Json], log: InspectLog, slices: Sequence[str] | None, flaws: list[Flaw]) -> Case | None:
    """The sample as a case: its input as messages, its choices as the variable `choices`, its target as the reference."""
    sample_id = sample.get("id")
    if isinstance(sample_id, bool) or not isinstance(sample_id, str | int) or sample_id == "":
        flaws.append(Flaw("id", "The sample has no id.", "Export the log again."))
    given = sample.get("input")
    if isinstance(given, str):
        messages: tuple[Message, ...] | None = (message_of({"role": "user", "content": given}, sample),)
    else:
        messages = messages_of(given, sample, "input", flaws)
    metadata = sample.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    names = [name for name in metadata if not name.startswith("_")] if slices is None else slices
    choices = sample.get("choices")
    texts = [as_text(one) for one in choices] if isinstance(choices, list) else []
    if flaws or messages is None:
        return None
    try:
        return Case(
            case_id=str(sample_id),
            task=log.task,
            slice={name: text for name in names if name != "task" and (text := plain_text(metadata.get(name))) is not None},
            messages=messages,
            variables={"choices": _lettered(texts)} if texts else {},
            reference=sample.get("target"),
            metadata={"choices": texts} if texts else {},
        )
    except ValidationError as error:
        flaws.extend(flaws_of(error))
        return None


def outcome_of(sample: Mapping[str, Json], model: str, flaws: list[Flaw]) -> Outcome | None:
    """The reply, or the failure of a sample with an error or without an answer."""
    output = sample.get("output")
    output = output if isinstance(output, dict) else {}
    choices = output.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else None
    turns = sample.get("messages")
    turns = [one for one in turns if isinstance(one, dict)] if isinstance(turns, list) else []
    failure = _failure_of(sample, output, choice)
    reply = _reply_of(choice, turns, sample, flaws) if failure is None and choice is not None else None
    usage, cost_usd = _usage_of(sample, output, model, flaws)
    latency_s = _latency_of(sample, output, turns, flaws)
    if flaws or (reply is None and failure is None):
        return None
    return Outcome(
        reply=reply,
        failure=failure,
        usage=usage,
        latency_ms=None if latency_s is None else latency_s * 1000,
        cost_microusd=micro_usd(cost_usd),
        at=read_timestamp(sample.get("completed_at")),
    )


def labels_of(sample: Mapping[str, Json]) -> Iterator[tuple[str, str, Json]]:
    """`(labeler, label, detail)` of each score. A sample in error has none, and neither has a score that is not a number."""
    scores = sample.get("scores")
    if sample.get("error") or not isinstance(scores, dict):
        return
    for name, score in scores.items():
        if not isinstance(score, dict):
            continue
        answer = score.get("answer")
        detail = {"answer": answer} if isinstance(answer, str) else None
        value = score.get("value")
        parts = value.items() if isinstance(value, dict) else [(None, value)]
        for part, one in parts:
            label = label_of(one)
            if label:
                yield f"{LABELER}:{name}" if part is None else f"{LABELER}:{name}/{part}", label, detail


def _lettered(choices: Sequence[str]) -> str:
    """One choice per line, `A) first`; beyond Z they are numbered."""
    marks = _LETTERS if len(choices) <= len(_LETTERS) else [str(number) for number in range(1, len(choices) + 1)]
    return "\n".join(f"{mark}) {choice}" for mark, choice in zip(marks, choices, strict=False))


def _failure_of(sample: Mapping[str, Json], output: Mapping[str, Json], choice: Mapping[str, Json] | None) -> Failure | None:
    error = sample.get("error")
    if error:
        message = error.get("message") if isinstance(error, dict) else error
        return failure_from(message if isinstance(message, str) else "")
    if choice is not None:
        return None
    if isinstance(output.get("error"), str) and output["error"]:
        return failure_from(output["error"])
    limit = sample.get("limit")
    if isinstance(limit, dict) and isinstance(limit.get("type"), str):
        return failure_from(f"limit reached: {limit['type']}", kind=_LIMITS.get(limit["type"], "bad_reply"))
    return failure_from("no output", kind="bad_reply")


def _reply_of(
    choice: Mapping[str, Json], turns: Sequence[dict[str, Json]], sample: Mapping[str, Json], flaws: list[Flaw]
) -> Reply | None:
    """The last answer; with the whole conversation behind the input where the model spoke more than once."""
    raw = choice.get("message")
    if not isinstance(raw, dict):
        flaws.append(Flaw("output.choices[0].message", "There is no message.", "Export the log again."))
        return None
    message = message_of({**raw, "role": "assistant"}, sample)
    roles = [turn.get("role") for turn in turns]
    trajectory: tuple[Message, ...] = ()
    if roles.count("assistant") > 1 or "tool" in roles:
        trajectory = (
            messages_of(turns[roles.index("assistant") :] if "assistant" in roles else [], sample, "messages", flaws) or ()
        )
    stop = choice.get("stop_reason")
    return Reply(
        text=message.text,
        tool_calls=message.tool_calls,
        trajectory=trajectory,
        finish_reason=_FINISH.get(stop, "other") if isinstance(stop, str) else None,
        logprobs=_logprobs_of(choice.get("logprobs")),
    )


def _logprobs_of(value: Json) -> tuple[TokenLogprob, ...] | None:
    content = value.get("content") if isinstance(value, dict) else None
    if not isinstance(content, list):
        return None
    read = []
    for one in content:
        logprob = one.get("logprob") if isinstance(one, dict) else None
        if not isinstance(logprob, int | float) or isinstance(logprob, bool) or not math.isfinite(logprob):
            return None
        read.append(TokenLogprob(str(one.get("token")), float(logprob)))
    return tuple(read)


def _usage_of(
    sample: Mapping[str, Json], output: Mapping[str, Json], model: str, flaws: list[Flaw]
) -> tuple[Usage, float | None]:
    """Tokens and dollars of the model under test over the whole sample; those of graders are left out.

    Inspect counts cached input apart from `input_tokens`; here it is part of it.
    """
    by_model = sample.get("model_usage")
    used = by_model.get(model) if isinstance(by_model, dict) else None
    path = f"model_usage.{model}"
    if not isinstance(used, dict):
        used, path = output.get("usage"), "output.usage"
    if not isinstance(used, dict):
        return Usage(), None
    counts = {
        name: count_of(used.get(name), f"{path}.{name}", flaws)
        for name in (
            "input_tokens",
            "input_tokens_cache_read",
            "input_tokens_cache_write",
            "output_tokens",
            "reasoning_tokens",
        )
    }
    fresh, read, written = counts["input_tokens"], counts["input_tokens_cache_read"], counts["input_tokens_cache_write"]
    usage = Usage(
        input_tokens=None if fresh is None else fresh + (read or 0) + (written or 0),
        output_tokens=counts["output_tokens"],
        reasoning_tokens=counts["reasoning_tokens"],
        cached_tokens=read,
    )
    return usage, number_of(used.get("total_cost"), f"{path}.total_cost", flaws)


def _latency_of(
    sample: Mapping[str, Json], output: Mapping[str, Json], turns: Sequence[Mapping[str, Json]], flaws: list[Flaw]
) -> float | None:
    """Seconds: of the one call where there was one; else of the sample without its waits, else with them."""
    if sum(turn.get("role") == "assistant" for turn in turns) == 1 and output.get("time") is not None:
        return number_of(output["time"], "output.time", flaws)
    for name in ("working_time", "total_time"):
        if sample.get(name) is not None:
            return number_of(sample[name], name, flaws)
    return None
