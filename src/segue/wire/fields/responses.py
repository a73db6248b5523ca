"""The fields of a Responses request. Source: `openai.types.responses.response_create_params`, walked by the tests."""

from __future__ import annotations

from segue.wire.fields.chat import CACHE_POINT
from segue.wire.fields.table import Fields, carried, dropped, refused

_HINT = "Carried between OpenAI's dialects, dropped towards Anthropic: "
_TEXT = {"type": carried(), "text": carried(), "prompt_cache_breakpoint": CACHE_POINT}
_ID = dropped("Names an item kept at OpenAI; the item itself is here.")
_STATUS = dropped("Says that an item is whole.")
_STATE = "The conversation would be kept at OpenAI."
_WHOLE = "Send the whole conversation as input."
_CALL_ID = carried("Made anew where the form differs.")
_CALLER = refused("Only direct calls are translated.", harmless=({"type": "direct"},))
_NAMESPACE = refused("Other dialects have no namespaces of tools.")
_ASYNC = refused("Other dialects wait for results.", harmless=(False,))
_CALLERS = refused("Only direct calls are translated.", harmless=(["direct"],))
_DEFER = refused("Other dialects are shown all tools at once.", harmless=(False,))
_SERVER = "The provider runs it, and another one does not."

NEVER_SERVED = frozenset({"background", "conversation", "previous_response_id"})
"""Fields of a request that are refused within this dialect, too: the gateway sends whole conversations, and stores nothing."""

RESPONSES = Fields(
    "openai_responses",
    {
        "request": {
            "access_programs": refused("A programme of this provider."),
            "background": refused(_STATE, remedy="Leave it out, and wait for the answer.", harmless=(False,)),
            "context_management": refused("Other providers do not shorten conversations.", harmless=([],)),
            "conversation": refused(_STATE, remedy=_WHOLE),
            "image": refused("Other dialects do not compress images.", harmless=({"context_compression": "auto"},)),
            "include": carried("Log-probabilities and encrypted reasoning; the rest belongs to tools that are refused."),
            "input": carried(holds="item"),
            "instructions": carried(),
            "max_output_tokens": carried(),
            "max_tool_calls": dropped("It counts calls of the provider's own tools, which are refused."),
            "metadata": carried(_HINT + "labels for the provider's dashboard."),
            "model": carried("Names the workflow; the bundle's snapshot is sent."),
            "moderation": refused("Moderation by the provider has no place in the answer of another."),
            "parallel_tool_calls": carried(),
            "previous_response_id": refused(_STATE, remedy=_WHOLE),
            "prompt": refused("The template is kept at OpenAI.", remedy="Put it in the bundle."),
            "prompt_cache_key": carried(_HINT + "it changes the cost."),
            "prompt_cache_options": dropped("It changes the cost, not the answer."),
            "prompt_cache_retention": carried(_HINT + "it changes the cost."),
            "reasoning": carried(holds="reasoning"),
            "safety_identifier": carried(_HINT + "see `user`."),
            "service_tier": carried(_HINT + "it changes cost and latency. Chat has no `ultrafast`; it is dropped there."),
            "store": dropped("The gateway keeps its own log; nothing is kept at another provider on its behalf."),
            "stream": carried(),
            "stream_options": dropped("Padding against eavesdroppers is not made; the gateway's frames carry none."),
            "temperature": carried("Anthropic takes 0 to 1, its version 2026-10-21 none."),
            "text": carried(holds="text"),
            "tool_choice": carried(holds="tool_choice"),
            "tools": carried(holds="tool"),
            "top_logprobs": carried("Refused by Anthropic."),
            "top_p": carried("Anthropic's version 2026-10-21 has none."),
            "truncation": refused("Other providers do not shorten conversations.", harmless=("disabled",)),
            "user": carried("Anthropic's `metadata.user_id`."),
        },
        "item:message": {
            "type": carried(),
            "role": carried(),
            "content": carried(holds="part"),
            "id": _ID,
            "status": _STATUS,
            "phase": dropped("Tells comments from the final answer; both are text of the assistant."),
        },
        "item:function_call": {
            "type": carried(),
            "call_id": _CALL_ID,
            "name": carried(),
            "arguments": carried("Anthropic takes a JSON object only."),
            "id": _ID,
            "status": _STATUS,
            "async": _ASYNC,
            "caller": _CALLER,
            "namespace": _NAMESPACE,
        },
        "item:function_call_output": {
            "type": carried(),
            "call_id": _CALL_ID,
            "output": carried(holds="part"),
            "id": _ID,
            "status": _STATUS,
            "caller": _CALLER,
            "name": dropped("The call says it already."),
            "namespace": _NAMESPACE,
        },
        "item:custom_tool_call": {
            "type": carried("Refused by Anthropic."),
            "call_id": _CALL_ID,
            "name": carried(),
            "input": carried(),
            "id": _ID,
            "status": _STATUS,
            "async": _ASYNC,
            "caller": _CALLER,
            "namespace": _NAMESPACE,
        },
        "item:custom_tool_call_output": {
            "type": carried("Refused by Anthropic."),
            "call_id": _CALL_ID,
            "output": carried(holds="part"),
            "id": _ID,
            "caller": _CALLER,
        },
        "item:reasoning": {
            "type": carried("Replayed only where it came from."),
            "id": carried(),
            "summary": carried(holds="summary"),
            "content": carried(holds="content"),
            "encrypted_content": carried(),
            "status": _STATUS,
        },
        "summary:summary_text": {"type": carried(), "text": carried()},
        "content:reasoning_text": {"type": carried(), "text": carried()},
        "part:input_text": _TEXT,
        "part:output_text": {
            "type": carried(),
            "text": carried(),
            "annotations": dropped("Where an earlier answer found its facts; the text says what was said."),
            "logprobs": dropped("How likely an earlier answer was."),
        },
        "part:refusal": {"type": carried(), "refusal": carried("Towards Anthropic it becomes text of the assistant.")},
        "part:input_image": {
            "type": carried(),
            "detail": carried("Anthropic looks closely at all images and refuses `low`."),
            "file_id": carried("Refused by Anthropic, which does not hold the file."),
            "image_url": carried(),
            "prompt_cache_breakpoint": CACHE_POINT,
        },
        "part:input_file": {
            "type": carried(),
            "detail": refused("Other dialects have no detail of a file.", harmless=("auto",)),
            "file_data": carried(),
            "file_id": carried("Refused by Anthropic, which does not hold the file."),
            "file_url": carried("Refused by Chat."),
            "filename": carried(),
            "prompt_cache_breakpoint": CACHE_POINT,
        },
        "reasoning": {
            "effort": carried("Anthropic has no `minimal`."),
            "summary": carried("Dropped elsewhere: other dialects show reasoning or not by themselves."),
            "generate_summary": carried("The older name of `summary`."),
            "context": refused("Other dialects have no such choice.", harmless=("auto",)),
            "mode": refused("Other dialects have no modes of reasoning.", harmless=("standard",)),
        },
        "text": {"format": carried(holds="format"), "verbosity": carried("Refused by Anthropic, but for `medium`.")},
        "format:text": {"type": carried()},
        "format:json_object": {"type": carried("Refused by Anthropic, which wants a schema.")},
        "format:json_schema": {
            "type": carried(),
            "name": carried("Anthropic has none; it is left out there."),
            "schema": carried(),
            "description": carried("Refused by Anthropic."),
            "strict": carried("Anthropic is always strict."),
        },
        "tool_choice:function": {"type": carried(), "name": carried()},
        "tool_choice:custom": {"type": carried(), "name": carried()},
        "tool_choice:allowed_tools": {
            "type": carried(),
            "mode": carried(),
            "tools": carried("Anthropic is sent these tools only."),
        },
        "tool:function": {
            "type": carried(),
            "name": carried(),
            "description": carried(),
            "parameters": carried(),
            "strict": carried(),
            "async": _ASYNC,
            "allowed_callers": _CALLERS,
            "defer_loading": _DEFER,
            "output_schema": refused("Other dialects have no schema of results.", remedy="Write it in the description."),
        },
        "tool:custom": {
            "type": carried("Refused by Anthropic."),
            "name": carried(),
            "description": carried(),
            "format": carried(holds="custom_format"),
            "async": _ASYNC,
            "allowed_callers": _CALLERS,
            "defer_loading": _DEFER,
        },
        "custom_format:text": {"type": carried()},
        "custom_format:grammar": {"type": carried(), "definition": carried(), "syntax": carried()},
    },
    {
        "item:item_reference": "The item is kept at OpenAI; with `store: false` clients send it whole.",
        "item:compaction": "A compacted conversation can be read by OpenAI only.",
        "item:compaction_trigger": "Other providers do not shorten conversations.",
        "item:configuration_update": "Other dialects do not change their settings within a conversation.",
        "item:additional_tools": "Other dialects have one list of tools for the whole conversation.",
        "item:*": _SERVER,
        "tool:namespace": "Other dialects have no namespaces of tools.",
        "tool:tool_search": "Other dialects are shown all tools at once.",
        "tool:*": _SERVER,
        "tool_choice:*": _SERVER,
    },
)
"""`item:*`, `tool:*`, `tool_choice:*`: every other kind belongs to one of the provider's own tools."""
