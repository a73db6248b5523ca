"""Reads one row of a promptfoo result: the test as a case, what came back, and how it was graded."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import orjson
from pydantic import ValidationError

from segue.imports.failures import failure_from
from segue.imports.layout_output import flaws_of, read_tool_calls
from segue.imports.reading_pass import Flaw
from segue.imports.values import as_text, count_of, kind_of, label_of, micro_usd, number_of, plain_text
from segue.model import Case, Failure, Json, Reply, Usage
from segue.model.exchange import FinishReason

LABELER = "promptfoo"
"""Labels pass (1) and fail (0); the named scores are `promptfoo:<name>`."""

ERRORED = 2
"""`failureReason` of a row that ended in an error, not in a failed assertion."""

_FINISH: Mapping[str, FinishReason] = {
    "stop": "stop",
    "end_turn": "stop",
    "length": "length",
    "max_tokens": "length",
    "tool_calls": "tool_calls",
    "tool_use": "tool_calls",
    "content_filter": "content_filter",
    "refusal": "refusal",
}
_OTHER = re.compile(r"[^a-z0-9]+")
_MODEL_GRADED = frozenset(
    {
        "agent-rubric",
        "answer-relevance",
        "context-faithfulness",
        "context-recall",
        "context-relevance",
        "conversation-relevance",
        "factuality",
        "g-eval",
        "llm-rubric",
        "model-graded-closedqa",
        "model-graded-factuality",
        "pi",
        "search-rubric",
        "select-best",
        "trajectory:goal-success",
    }
)
"""Assertions that ask a model (promptfoo's documentation, "Model-graded metrics")."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came back for one row."""

    reply: Reply | None
    failure: Failure | None
    usage: Usage
    latency_ms: float | None
    cost_microusd: float | None


def case_id_of(row: Mapping[str, Json], flaws: list[Flaw]) -> str | None:
    """The id of the row's test: its description and a digest of what it holds, so it is the same in every file."""
    test = _test_of(row)
    variables = test.get("vars", row.get("vars"))
    if not isinstance(variables, dict):
        flaws.append(Flaw("vars", f"It has to be an object, not {kind_of(variables)}.", "Export the file again."))
        return None
    body = [variables, test.get("description"), test.get("assert"), test.get("threshold")]
    digest = hashlib.sha256(orjson.dumps(body, option=orjson.OPT_SORT_KEYS)).hexdigest()[:12]
    description = test.get("description")
    words = _OTHER.sub("-", description.lower()).strip("-")[:40].rstrip("-") if isinstance(description, str) else ""
    return f"{words or 'test'}-{digest}"


def case_of(row: Mapping[str, Json], case_id: str, slices: Sequence[str] | None, flaws: list[Flaw]) -> Case | None:
    """The row's test as a case."""
    test = _test_of(row)
    variables = test.get("vars", row.get("vars"))
    assert isinstance(variables, dict), "an id was made of them"
    texts = {name: as_text(value) for name, value in variables.items() if value is not None}
    description, asserts = test.get("description"), test.get("assert")
    metadata = test.get("metadata")
    chosen = _slices(metadata if isinstance(metadata, dict) else {}, description, slices)
    kept: dict[str, Json] = {"description": description, "assert": asserts}
    try:
        return Case(
            case_id=case_id,
            task=chosen.pop("task", None) or "default",
            slice=chosen,
            variables=texts,
            reference=_reference(asserts),
            metadata={name: value for name, value in kept.items() if value},
        )
    except ValidationError as error:
        flaws.extend(flaws_of(error))
        return None


def outcome_of(row: Mapping[str, Json], flaws: list[Flaw]) -> Outcome | None:
    """The reply, or the failure of a row without output. An answer that only its grading failed on stays an answer."""
    response = row.get("response")
    response = response if isinstance(response, dict) else {}
    output = response.get("output")
    failure = None
    reply = None
    if output is None:
        failure = failure_from(
            _error_of(row, response), kind=None if row.get("error") or response.get("error") else "bad_reply"
        )
    else:
        reply = _reply_of(output, response, flaws)
    latency = None if response.get("cached") is True else number_of(row.get("latencyMs"), "latencyMs", flaws)
    cost = number_of(response.get("cost"), "response.cost", flaws)
    usage = _usage_of(response.get("tokenUsage"), flaws)
    if flaws:
        return None
    return Outcome(
        reply=reply,
        failure=failure,
        usage=usage,
        latency_ms=None if failure is not None and not latency else latency,
        cost_microusd=micro_usd(cost),
    )


def labels_of(row: Mapping[str, Json]) -> Iterator[tuple[str, str, Json]]:
    """`(labeler, label, detail)` of a graded answer. An errored row, and a row without assertions, was not graded."""
    grading = row.get("gradingResult")
    test = row.get("testCase")
    response = row.get("response")
    has_output = isinstance(response, dict) and response.get("output") is not None
    if not isinstance(grading, dict) or row.get("failureReason") == ERRORED or not has_output:
        return
    is_graded = bool(grading.get("componentResults")) or bool(isinstance(test, dict) and test.get("assert"))
    if isinstance(grading.get("pass"), bool) and is_graded:
        score = grading.get("score")
        detail = {"score": score} if isinstance(score, int | float) and not isinstance(score, bool) else None
        yield LABELER, "1" if grading["pass"] else "0", detail
    named = row.get("namedScores") or grading.get("namedScores")
    for name, value in named.items() if isinstance(named, dict) else ():
        label = label_of(value) if isinstance(value, bool | int | float) else None
        if label is not None:
            yield f"{LABELER}:{name}", label, None


def judged_labelers(row: Mapping[str, Json]) -> Iterator[str]:
    """The labelers of this row behind which a model stood: the verdict as a whole, and the scores of such assertions."""
    grading = row.get("gradingResult")
    results = grading.get("componentResults") if isinstance(grading, dict) else None
    asserts = [result.get("assertion") for result in results if isinstance(result, dict)] if isinstance(results, list) else []
    for one in (*asserts, *_assertions(_test_of(row).get("assert"))):
        kind = one.get("type") if isinstance(one, dict) else None
        if isinstance(one, dict) and isinstance(kind, str) and kind.removeprefix("not-") in _MODEL_GRADED:
            yield LABELER
            metric = one.get("metric")
            if isinstance(metric, str):
                yield f"{LABELER}:{metric}"


def _assertions(asserts: Json) -> Iterator[Json]:
    """The assertions of a test, those of sets among them."""
    for one in asserts if isinstance(asserts, list) else ():
        inner = one.get("assert") if isinstance(one, dict) else None
        yield from inner if isinstance(inner, list) else (one,)


def _test_of(row: Mapping[str, Json]) -> dict[str, Json]:
    test = row.get("testCase")
    return test if isinstance(test, dict) else {}


def _slices(metadata: Mapping[str, Json], description: Json, wanted: Sequence[str] | None) -> dict[str, str]:
    names = [name for name in metadata if not name.startswith("_")] if wanted is None else wanted
    known = {**metadata, "description": description}
    return {name: text for name in names if (text := plain_text(known.get(name))) is not None}


def _reference(asserts: Json) -> Json:
    """What the output has to equal, where the test has exactly one such assertion."""
    values = [one.get("value") for one in asserts or () if isinstance(one, dict) and one.get("type") == "equals"]
    return values[0] if len(values) == 1 else None


def _error_of(row: Mapping[str, Json], response: Mapping[str, Json]) -> str:
    for error in (row.get("error"), response.get("error")):
        if isinstance(error, str) and error:
            return error
    return "no output"


def _reply_of(output: Json, response: Mapping[str, Json], flaws: list[Flaw]) -> Reply | None:
    finish = response.get("finishReason")
    reason = _FINISH.get(finish.lower(), "other") if isinstance(finish, str) else None
    refused = response.get("isRefusal") is True
    if _is_calls(output):
        calls = read_tool_calls(output if isinstance(output, list) else [output], "response.output", flaws)
        return None if calls is None else Reply(tool_calls=calls, finish_reason=reason)
    text = as_text(output)
    return Reply(text=text, finish_reason="refusal" if refused else reason, refusal=text if refused else None)


def _is_calls(output: Json) -> bool:
    """Whether the output is a tool call, or a list of nothing else, as the vendors write them."""
    calls = output if isinstance(output, list) else [output]
    return bool(calls) and all(
        isinstance(one, dict) and (isinstance(one.get("function"), dict) or set(one) == {"name", "arguments"}) for one in calls
    )


def _usage_of(tokens: Json, flaws: list[Flaw]) -> Usage:
    """Zero everywhere is how promptfoo writes "not told"."""
    if not isinstance(tokens, dict):
        return Usage()
    details = tokens.get("completionDetails")
    counts = {
        name: count_of(tokens.get(name), f"response.tokenUsage.{name}", flaws) for name in ("prompt", "completion", "cached")
    }
    reasoning = (
        count_of(details.get("reasoning"), "response.tokenUsage.completionDetails.reasoning", flaws)
        if isinstance(details, dict)
        else None
    )
    if not counts["prompt"] and not counts["completion"]:
        return Usage(cached_tokens=counts["cached"] or None)
    return Usage(
        input_tokens=counts["prompt"],
        output_tokens=counts["completion"],
        reasoning_tokens=reasoning or None,
        cached_tokens=counts["cached"],
    )
