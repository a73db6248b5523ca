"""Works out what a promptfoo provider with its prompt is as a release: name, snapshot, parameters, prompt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import orjson

from segue.model import Json, Prompt

MAX_NAME = 40
_MODES = frozenset(
    {"chat", "completion", "completions", "messages", "responses", "text-generation", "text", "realtime", "inference-profile"}
)
_CLIENT_SETTINGS = frozenset(
    {
        "apiHost",
        "apiBaseUrl",
        "apiKeyEnvar",
        "organization",
        "cost",
        "inputCost",
        "outputCost",
        "headers",
        "timeout",
        "maxRetries",
        "showThinking",
    }
)


@dataclass(frozen=True)
class PromptfooRelease:
    """One provider with one prompt. `name` is made unique by `name_releases`."""

    provider: str
    prompt_name: str
    snapshot: str
    params: Mapping[str, Json]
    prompt: Prompt
    name: str = field(default="")


def read_release(index: int, row: Mapping[str, Json], prompts: Sequence[Json], providers: Json) -> PromptfooRelease:
    """The release of prompt `index`, from its first row, the file's prompts and the providers of its configuration."""
    provider = row.get("provider")
    if isinstance(provider, dict):
        provider_id, label = _text(provider.get("id")), _text(provider.get("label"))
    else:
        provider_id, label = _text(provider), ""
    head = prompts[index] if index < len(prompts) and isinstance(prompts[index], dict) else {}
    provider_id = provider_id or _text(head.get("provider")) or "provider"
    template = _text(head.get("raw"))
    own = head.get("config")
    settings = {**_settings_of(provider_id, label, providers), **(own if isinstance(own, dict) else {})}
    return PromptfooRelease(
        provider=label or provider_id,
        prompt_name=_prompt_name(
            _text(head.get("label")), template, _text(head.get("id")) or _text(row.get("promptId")), index
        ),
        snapshot=snapshot_of(provider_id),
        params={key: value for key, value in settings.items() if key not in _CLIENT_SETTINGS},
        prompt=prompt_of(template),
    )


def name_releases(files: Sequence[Mapping[int, PromptfooRelease]]) -> list[dict[int, PromptfooRelease]]:
    """Names for the releases of all files: the provider, with the prompt's name where there is more than one prompt.

    What would be called alike (the same provider in a second file) is numbered: `name#2`.
    """
    several = len({release.prompt for file in files for release in file.values()}) > 1
    used: dict[str, int] = {}
    named = []
    for file in files:
        names = {}
        for index, release in file.items():
            name = f"{release.provider} / {release.prompt_name}" if several else release.provider
            used[name] = used.get(name, 0) + 1
            names[index] = replace(release, name=name if used[name] == 1 else f"{name}#{used[name]}")
        named.append(names)
    return named


def snapshot_of(provider_id: str) -> str:
    """The model id in a provider id: `openai:chat:gpt-4o` is `gpt-4o`, `bedrock:x-v1:0` is `x-v1:0`. Files stay as they are."""
    if provider_id.startswith(("file:", "exec:", "python:", "http:", "https:")):
        return provider_id
    vendor, _, rest = provider_id.partition(":")
    mode, _, model = rest.partition(":")
    return (model if mode in _MODES and model else rest) or vendor


def prompt_of(template: str) -> Prompt:
    """The template as a prompt. A JSON list of one system and one user message is taken apart; everything else stays whole."""
    try:
        messages = orjson.loads(template)
    except orjson.JSONDecodeError:
        return Prompt(template=template)
    if not isinstance(messages, list) or not all(isinstance(one, dict) for one in messages):
        return Prompt(template=template)
    roles = [one.get("role") for one in messages]
    texts = [one.get("content") for one in messages]
    if roles in (["user"], ["system", "user"]) and all(isinstance(text, str) for text in texts):
        return Prompt(system=texts[0] if len(texts) == 2 else "", template=texts[-1])
    return Prompt(template=template)


def _settings_of(provider_id: str, label: str, providers: Json) -> dict[str, Json]:
    """The `config` of the provider that has this label, or this id."""
    found: dict[str, Json] = {}
    for one in providers if isinstance(providers, list) else [providers]:
        if not isinstance(one, dict):
            continue
        if "id" not in one and len(one) == 1:
            (name, inner), *_ = one.items()
            one = {"id": name, **inner} if isinstance(inner, dict) else one
        config = one.get("config")
        if not isinstance(config, dict):
            continue
        if label and one.get("label") == label:
            return config
        if one.get("id") == provider_id and not found:
            found = config
    return found


def _prompt_name(label: str, template: str, prompt_id: str, index: int) -> str:
    if label and label != template and len(label) <= MAX_NAME and "\n" not in label:
        return label
    return f"prompt-{prompt_id[:8]}" if prompt_id else f"prompt-{index}"


def _text(value: Json) -> str:
    return value if isinstance(value, str) else ""
