"""The fields of a Chat Completions request. Source: `openai.types.chat.completion_create_params`, walked by the tests."""

from __future__ import annotations

from segue.wire.fields.table import Fields, carried, dropped, refused

CACHE_POINT = dropped("A cache breakpoint changes the cost, not the answer.")
_PARSED = dropped("What the SDK's helper read out of the text beside it.")
_SEALED = dropped(
    "What a server sealed for itself, such as Gemini's `thought_signature`; within Chat it goes back to its maker."
)
_TEXT = {"type": carried(), "text": carried(), "prompt_cache_breakpoint": CACHE_POINT}
_SAID = {"role": carried(), "content": carried(holds="part"), "name": carried("Refused by dialects without names.")}
_HINT = "Carried between OpenAI's dialects, dropped towards Anthropic: "

CHAT = Fields(
    "openai_chat",
    {
        "request": {
            "messages": carried(holds="message"),
            "model": carried("Names the workflow; the bundle's snapshot is sent."),
            "audio": refused("Spoken answers exist in this dialect only."),
            "frequency_penalty": refused("Only this dialect has penalties.", harmless=(0,)),
            "function_call": refused("Deprecated by OpenAI.", remedy="Use tool_choice."),
            "functions": refused("Deprecated by OpenAI.", remedy="Use tools."),
            "logit_bias": refused("Token numbers mean something to one model only.", harmless=({},)),
            "logprobs": carried("Refused by Anthropic."),
            "max_completion_tokens": carried(),
            "max_tokens": carried(),
            "metadata": carried(_HINT + "labels for the provider's dashboard."),
            "modalities": refused("Only text is translated.", harmless=(["text"],)),
            "moderation": refused("Moderation by the provider has no place in the answer of another."),
            "n": refused("Other dialects give one answer.", harmless=(1,)),
            "parallel_tool_calls": carried(),
            "prediction": dropped("A guess at the output makes it faster, not different."),
            "presence_penalty": refused("Only this dialect has penalties.", harmless=(0,)),
            "prompt_cache_key": carried(_HINT + "it changes the cost."),
            "prompt_cache_options": dropped("It changes the cost, not the answer."),
            "prompt_cache_retention": carried(_HINT + "it changes the cost."),
            "reasoning_effort": carried("Anthropic has no `minimal`."),
            "response_format": carried(holds="response_format"),
            "safety_identifier": carried(_HINT + "see `user`."),
            "seed": refused("Only this dialect has a seed."),
            "service_tier": carried(_HINT + "it changes cost and latency."),
            "stop": carried("Refused by Responses."),
            "store": dropped("The gateway keeps its own log; nothing is kept at another provider on its behalf."),
            "stream": carried(),
            "stream_options": carried(holds="stream_options"),
            "temperature": carried("Anthropic takes 0 to 1, its version 2026-10-21 none."),
            "tool_choice": carried(holds="tool_choice"),
            "tools": carried(holds="tool"),
            "top_logprobs": carried("Refused by Anthropic."),
            "top_p": carried("Anthropic's version 2026-10-21 has none."),
            "user": carried("Anthropic's `metadata.user_id`."),
            "verbosity": carried("Refused by Anthropic, but for `medium`."),
            "web_search_options": refused("The provider would search; another one does not."),
        },
        "message:developer": _SAID,
        "message:system": _SAID,
        "message:user": _SAID,
        "message:assistant": {
            **_SAID,
            "audio": refused("Only text is translated."),
            "function_call": refused("Deprecated by OpenAI.", remedy="Use tool_calls."),
            "refusal": carried("Towards Anthropic it becomes text of the assistant."),
            "tool_calls": carried(holds="call"),
            "annotations": dropped("Where an earlier answer found its facts; the model is not shown it."),
            "reasoning_details": carried(
                "Reasoning as the gateway sealed it, replayed only where it came from. What else stands there is left out."
            ),
            "reasoning_content": dropped("Reasoning without a signature; no model is shown it as text."),
            "reasoning": dropped("Reasoning without a signature; no model is shown it as text."),
            "extra_content": _SEALED,
            "parsed": _PARSED,
        },
        "message:tool": {"role": carried(), "content": carried(holds="part"), "tool_call_id": carried()},
        "part:text": _TEXT,
        "part:image_url": {"type": carried(), "image_url": carried(holds="image_url"), "prompt_cache_breakpoint": CACHE_POINT},
        "part:file": {"type": carried(), "file": carried(holds="file"), "prompt_cache_breakpoint": CACHE_POINT},
        "part:refusal": {"type": carried(), "refusal": carried("Towards Anthropic it becomes text of the assistant.")},
        "image_url": {"url": carried(), "detail": carried("Anthropic looks closely at all images and refuses `low`.")},
        "file": {
            "file_data": carried(),
            "file_id": carried("Refused by Anthropic, which does not hold the file."),
            "filename": carried(),
        },
        "call:function": {
            "id": carried("Made anew where the form differs."),
            "type": carried(),
            "function": carried(holds="called"),
            "index": dropped("Its place in a stream; the SDK's helper leaves it in."),
            "extra_content": _SEALED,
        },
        "call:custom": {
            "id": carried("Made anew where the form differs."),
            "type": carried(),
            "custom": carried(holds="called"),
        },
        "called": {
            "name": carried(),
            "arguments": carried("Anthropic takes a JSON object only."),
            "input": carried(),
            "parsed_arguments": _PARSED,
        },
        "response_format:text": {"type": carried()},
        "response_format:json_object": {"type": carried("Refused by Anthropic, which wants a schema.")},
        "response_format:json_schema": {"type": carried(), "json_schema": carried(holds="json_schema")},
        "json_schema": {
            "name": carried("Anthropic has none; it is left out there."),
            "description": carried("Refused by Anthropic."),
            "schema": carried(),
            "strict": carried("Anthropic is always strict."),
        },
        "stream_options": {
            "include_usage": carried(),
            "include_obfuscation": dropped("Padding against eavesdroppers is not made; the gateway's frames carry none."),
        },
        "tool_choice:function": {"type": carried(), "function": carried(holds="named")},
        "tool_choice:custom": {"type": carried(), "custom": carried(holds="named")},
        "tool_choice:allowed_tools": {"type": carried(), "allowed_tools": carried(holds="allowed")},
        "allowed": {"mode": carried(), "tools": carried("Anthropic is sent these tools only.")},
        "named": {"name": carried()},
        "tool:function": {"type": carried(), "function": carried(holds="function")},
        "tool:custom": {"type": carried("Refused by Anthropic."), "custom": carried(holds="custom")},
        "function": {"name": carried(), "description": carried(), "parameters": carried(), "strict": carried()},
        "custom": {"name": carried(), "description": carried(), "format": carried(holds="custom_format")},
        "custom_format:text": {"type": carried()},
        "custom_format:grammar": {"type": carried(), "grammar": carried(holds="grammar")},
        "grammar": {"definition": carried(), "syntax": carried()},
    },
    {
        "message:function": "Deprecated by OpenAI; results of tools have the role `tool`.",
        "part:input_audio": "Sound is not translated.",
    },
)
