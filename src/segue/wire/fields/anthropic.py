"""The fields of a Messages request. Source: `anthropic.types.message_create_params`, walked by the tests.

`temperature`, `top_p` and `top_k` are of API version 2023-06-01 and no longer in the SDK's types.
"""

from __future__ import annotations

from segue.wire.fields.table import Fields, carried, dropped, refused

_CACHE = dropped("Marks for the cache change the cost, not the answer.")
_CITED = refused("Only this dialect cites documents.", harmless=({"enabled": False},))
_SOURCE = {"type": carried()}
_CALLER = refused("Only direct calls are translated.", harmless=({"type": "direct"},))
_TOOLSET = refused("Toolsets are run with this provider only.")
_DISPLAY = dropped("Other dialects show reasoning or not by themselves.")
_PARALLEL = carried("`parallel_tool_calls` turned round.")
_SERVER = "The provider runs it, and another one does not."

ANTHROPIC = Fields(
    "anthropic_messages",
    {
        "request": {
            "max_tokens": carried(),
            "messages": carried(holds="message"),
            "model": carried("Names the workflow; the bundle's snapshot is sent."),
            "cache_control": _CACHE,
            "container": refused(_SERVER),
            "diagnostics": dropped("It asks why the cache was missed."),
            "inference_geo": refused("A promise about places that another provider does not make."),
            "metadata": carried(holds="metadata"),
            "output_config": carried(holds="output_config"),
            "service_tier": dropped("It changes cost and latency, and its words differ."),
            "speed": dropped("It changes cost and latency."),
            "stop_sequences": carried("Refused by Responses; Chat takes four."),
            "stream": carried(),
            "system": carried(holds="block"),
            "temperature": carried(),
            "top_p": carried(),
            "top_k": refused("Only this dialect has it."),
            "thinking": carried(holds="thinking"),
            "tool_choice": carried(holds="tool_choice"),
            "tools": carried(holds="tool"),
            "user_profile_id": refused("A party known to this provider only."),
            "workspace_id": refused("The workspace belongs to the credentials of the gateway."),
        },
        "message:user": {"role": carried(), "content": carried(holds="block")},
        "message:assistant": {"role": carried(), "content": carried(holds="block")},
        "message:system": {"role": carried(), "content": carried(holds="block")},
        "block:text": {
            "type": carried(),
            "text": carried(),
            "cache_control": _CACHE,
            "citations": dropped("Where an earlier answer found its facts; the text says what was said."),
        },
        "block:image": {
            "type": carried(),
            "source": carried(holds="source"),
            "cache_control": _CACHE,
            "transformations": refused("Other providers scale images their own way.", harmless=({},)),
        },
        "block:document": {
            "type": carried(),
            "source": carried("Only PDF and plain text.", holds="source"),
            "cache_control": _CACHE,
            "citations": _CITED,
            "context": refused("Other dialects have no context of a document.", remedy="Write it in the text."),
            "title": carried("The file's name."),
        },
        "block:thinking": {"type": carried(), "signature": carried("Replayed only where it came from."), "thinking": carried()},
        "block:redacted_thinking": {"type": carried(), "data": carried("Replayed only where it came from.")},
        "block:tool_use": {
            "type": carried(),
            "id": carried("Made anew where the form differs."),
            "name": carried(),
            "input": carried(),
            "cache_control": _CACHE,
            "caller": _CALLER,
            "toolset_name": _TOOLSET,
        },
        "block:tool_result": {
            "type": carried(),
            "tool_use_id": carried("Made anew where the form differs."),
            "content": carried(holds="block"),
            "is_error": carried("Elsewhere the result begins with the line `Error:`."),
            "cache_control": _CACHE,
            "toolset_name": _TOOLSET,
        },
        "source:base64": {**_SOURCE, "media_type": carried(), "data": carried()},
        "source:url": {**_SOURCE, "url": carried()},
        "source:file": {**_SOURCE, "file_id": carried("Refused by OpenAI, which does not hold the file.")},
        "source:text": {**_SOURCE, "media_type": carried(), "data": carried()},
        "metadata": {"user_id": carried("OpenAI's `user`.")},
        "output_config": {"effort": carried(), "format": carried(holds="format")},
        "format:json_schema": {"type": carried(), "schema": carried()},
        "thinking:enabled": {
            "type": carried(),
            "budget_tokens": carried("Refused by OpenAI; use effort."),
            "display": _DISPLAY,
        },
        "thinking:disabled": {"type": carried("OpenAI's effort `none`.")},
        "thinking:adaptive": {"type": carried("Towards OpenAI it needs an effort."), "display": _DISPLAY},
        "thinking:between_tools": {"type": carried("Refused by OpenAI.")},
        "tool_choice:auto": {"type": carried(), "disable_parallel_tool_use": _PARALLEL},
        "tool_choice:any": {"type": carried(), "disable_parallel_tool_use": _PARALLEL},
        "tool_choice:tool": {"type": carried(), "name": carried(), "disable_parallel_tool_use": _PARALLEL},
        "tool_choice:none": {"type": carried()},
        "tool:custom": {
            "type": carried(),
            "name": carried(),
            "description": carried(),
            "input_schema": carried(),
            "strict": carried(),
            "cache_control": _CACHE,
            "eager_input_streaming": dropped("It changes when pieces come, not what they say."),
            "allowed_callers": refused("Only direct calls are translated.", harmless=(["direct"],)),
            "defer_loading": refused("Other dialects are shown all tools at once.", harmless=(False,)),
            "input_examples": refused(
                "Other dialects have no examples of inputs.", remedy="Write them in the description.", harmless=([],)
            ),
        },
    },
    {
        "block:search_result": "Only this dialect has search results.",
        "block:server_tool_use": _SERVER,
        "block:web_search_tool_result": _SERVER,
        "block:web_fetch_tool_result": _SERVER,
        "block:code_execution_tool_result": _SERVER,
        "block:bash_code_execution_tool_result": _SERVER,
        "block:text_editor_code_execution_tool_result": _SERVER,
        "block:tool_search_tool_result": _SERVER,
        "block:container_upload": _SERVER,
        "block:tool_reference": "Other dialects are shown all tools at once.",
        "block:browser_state": _SERVER,
        "source:content": "Only this dialect has documents made of blocks.",
        "tool:*": _SERVER,
    },
)
"""`tool:*`: every tool with another type is one of the provider's own."""
