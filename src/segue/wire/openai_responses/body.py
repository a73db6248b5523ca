"""The parts of a Responses answer: the response, its items and its usage. Used by the whole body and by the frames."""

from __future__ import annotations

from segue.model import Json
from segue.model.exchange import FinishReason
from segue.wire.neutral.conversation import ConversationRequest
from segue.wire.neutral.events import AnswerBlock, Tokens
from segue.wire.neutral.giving import tool_kinds
from segue.wire.neutral.head import Head
from segue.wire.neutral.origin import seal
from segue.wire.openai_responses.request_out import text_json, tool_choice_json, tool_json

_PREFIXES = {"text": "msg", "refusal": "msg", "reasoning": "rs"}


def item_id(head: Head, index: int, block: AnswerBlock) -> str:
    """The id of the item that stands at `index`."""
    prefix = _PREFIXES.get(block.kind) or ("fc" if block.tool == "function" else "ctc")
    return f"{prefix}_{head.id}_{index}"


def item_json(head: Head, index: int, block: AnswerBlock, status: str) -> dict[str, Json]:
    """One block as an item."""
    item: dict[str, Json] = {"id": item_id(head, index, block)}
    if block.kind == "reasoning":
        item |= {"type": "reasoning", "summary": [{"type": "summary_text", "text": block.text}] if block.text else []}
        sealed = None if block.reasoning is None else seal(block.reasoning)
        return item if sealed is None else {**item, "encrypted_content": sealed}
    item["status"] = status
    if block.kind == "tool_call":
        kind, field = ("function_call", "arguments") if block.tool == "function" else ("custom_tool_call", "input")
        return {**item, "type": kind, "call_id": block.id, "name": block.name, field: block.text}
    return {**item, "type": "message", "role": "assistant", "content": [part_json(block)]}


def part_json(block: AnswerBlock) -> dict[str, Json]:
    """The content part of a message."""
    if block.kind == "refusal":
        return {"type": "refusal", "refusal": block.text}
    return {"type": "output_text", "text": block.text, "annotations": [], "logprobs": whole_logprobs(block.logprobs)}


def whole_logprobs(found: tuple[Json, ...]) -> list[Json]:
    """Log-probabilities with their bytes, which other dialects may leave out."""
    return [{**_with_bytes(one), "top_logprobs": [_with_bytes(top) for top in one.get("top_logprobs") or ()]} for one in found]


def _with_bytes(one: dict[str, Json]) -> dict[str, Json]:
    given = one.get("bytes")
    return {**one, "bytes": list(one["token"].encode("utf-8", "replace")) if given is None else given}


def response_json(head: Head, status: str, output: list[Json], tokens: Tokens | None = None) -> dict[str, Json]:
    """The response. The client's own request is echoed, never what the bundle made of it.

    Where it left a setting out the API's default stands, as in an echo of OpenAI's own: the schema wants numbers there.
    """
    request = head.request or ConversationRequest(head.model, ())
    choice = request.tool_choice
    return {
        "id": f"resp_{head.id}",
        "object": "response",
        "created_at": head.created_s,
        "completed_at": None,
        "status": status,
        "background": False,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": dict(request.metadata),
        "model": head.model,
        "output": output,
        "parallel_tool_calls": request.parallel_tool_calls is not False,
        "temperature": 1.0 if request.temperature is None else request.temperature,
        "top_p": 1.0 if request.top_p is None else request.top_p,
        "top_logprobs": request.top_logprobs or 0,
        "presence_penalty": 0.0,
        "frequency_penalty": 0.0,
        "max_output_tokens": request.max_output_tokens,
        "max_tool_calls": None,
        "previous_response_id": None,
        "reasoning": {"effort": request.effort, "summary": request.summary},
        "store": False,
        "service_tier": "auto",
        "safety_identifier": None,
        "prompt_cache_key": None,
        "text": {"format": {"type": "text"}, **text_json(request)},
        "tool_choice": "auto" if choice is None else tool_choice_json(choice, tool_kinds(request)),
        "tools": [tool_json(tool) for tool in request.tools],
        "truncation": "disabled",
        "usage": None if tokens is None else usage_json(tokens),
        "user": request.user,
    }


def end_of(finish: FinishReason | None, declined: bool) -> tuple[str, Json] | None:
    """Status and details of an answer that ended; nothing where the dialect has no word for it."""
    if finish in ("stop", "tool_calls") or (finish == "refusal" and declined):
        return "completed", None
    if finish == "length":
        return "incomplete", {"reason": "max_output_tokens"}
    return ("incomplete", {"reason": "content_filter"}) if finish in ("content_filter", "refusal") else None


def usage_json(tokens: Tokens) -> dict[str, Json] | None:
    """Usage; nothing where the provider did not say what it took. The SDK wants numbers in the details: unknown reads 0."""
    if tokens.input is None or tokens.output is None:
        return None
    return {
        "input_tokens": tokens.input,
        "input_tokens_details": {"cached_tokens": tokens.cached or 0, "cache_write_tokens": tokens.cache_written or 0},
        "output_tokens": tokens.output,
        "output_tokens_details": {"reasoning_tokens": tokens.reasoning or 0},
        "total_tokens": tokens.input + tokens.output,
    }
