"""The entries under `providers:` in segue.yaml, and opening them.

Keys are references to the environment: `api_key_env: OPENAI_API_KEY`. They are read from the mapping that is passed in,
and a missing one is told before any call.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import orjson
from pydantic import Field, TypeAdapter, ValidationError, field_validator

from segue.errors import Fault, InputError, NotFoundError, ProviderError
from segue.model import Frozen, Json, Parameters
from segue.providers.base import Provider
from segue.providers.catalogue import vendor_of
from segue.providers.clock import Clock
from segue.providers.pacing import RetryPolicy
from segue.providers.pricing import PriceBook
from segue.providers.recorded import RecordedConfig, RecordedProvider, RecordingLookup
from segue.providers.scripted_config import ScriptedConfig
from segue.wire.profiles import (
    ANTHROPIC,
    OPENAI,
    OPENAI_COMPATIBLE,
    OPENAI_RESPONSES,
    AnthropicVersion,
    OutputLimitField,
    WireProfile,
)

_SECRET_HEADERS = frozenset({"authorization", "x-api-key", "api-key", "cookie", "proxy-authorization", "x-goog-api-key"})
_OWN_HEADERS = frozenset({"content-type", "content-length", "host", "idempotency-key", "anthropic-version", "accept-encoding"})
STREAM_IDLE_S = 120.0
"""Seconds of silence within a stream, where the entry says none."""
_TELL_USAGE_UNASKED = frozenset({"mistral"})
"""They refuse `stream_options.include_usage` (422), and say tokens with the end of any stream."""
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


class _Hosted(Frozen):
    """What providers over HTTP have in common. Times are in seconds.

    `headers` are sent as they stand; `headers_env` maps a header to the environment variable that holds its value.
    `vendor` says whose price list holds, where the address does not tell. `idle_timeout_s` bounds the silence between two
    pieces of a reply; left out, it is two minutes for a stream, and `timeout_s` where the whole reply comes at once.

    At the gateway `timeout_s` ends where a stream begins: from there `idle_timeout_s` bounds its silence, and
    `stream_timeout_s` all of it.
    """

    base_url: str | None = None
    api_key_env: str | None = None
    headers: dict[str, str] = Field(default_factory=dict)
    headers_env: dict[str, str] = Field(default_factory=dict)
    stream: bool = False
    timeout_s: float = Field(default=600.0, gt=0, le=7200)
    connect_timeout_s: float = Field(default=10.0, gt=0, le=600)
    idle_timeout_s: float | None = Field(default=None, gt=0, le=7200)
    stream_timeout_s: float = Field(default=3600.0, gt=0, le=86_400)
    max_reply_bytes: int = Field(default=16_777_216, ge=1024)
    max_concurrency: int = Field(default=16, ge=1, le=10_000)
    retries: RetryPolicy = RetryPolicy()
    vendor: str | None = None

    @field_validator("base_url")
    @classmethod
    def _is_address(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("base_url is not an address like https://host/v1")
        if parts.username or parts.password:
            raise ValueError("base_url holds a user name or password; use headers_env")
        if parts.query or parts.fragment:
            raise ValueError("base_url ends with its path; leave out '?' and '#'")
        return value.rstrip("/")

    @field_validator("api_key_env")
    @classmethod
    def _is_variable(cls, value: str | None) -> str | None:
        if value is not None and not _VARIABLE.fullmatch(value):
            # The value is not repeated: whoever wrote the key itself here must not see it in a log.
            raise ValueError("api_key_env names an environment variable, such as OPENAI_API_KEY; it is not the key itself")
        return value

    @field_validator("headers")
    @classmethod
    def _no_secrets(cls, value: dict[str, str]) -> dict[str, str]:
        for name, text in value.items():
            if name.lower() in _SECRET_HEADERS:
                raise ValueError(f"{name} carries a secret; name its environment variable in headers_env")
            if not _HEADER.fullmatch(name) or not text.isprintable():
                raise ValueError("a header is a name and one line of text")
        return cls._not_own(value)

    @field_validator("headers_env")
    @classmethod
    def _are_variables(cls, value: dict[str, str]) -> dict[str, str]:
        for name, variable in value.items():
            if not _HEADER.fullmatch(name) or not _VARIABLE.fullmatch(variable):
                raise ValueError("headers_env maps a header to the name of an environment variable")
        return cls._not_own(value)

    @classmethod
    def _not_own(cls, value: dict[str, str]) -> dict[str, str]:
        own = sorted(name for name in value if name.lower() in _OWN_HEADERS)
        if own:
            raise ValueError(f"{own[0]} is set by Segue")
        return value


class OpenAIConfig(_Hosted):
    """OpenAI, or a server that speaks its Chat Completions or Responses. `base_url` includes the version: `http://localhost:8000/v1`."""

    type: Literal["openai"]
    api: Literal["chat", "responses"] = "chat"
    output_limit: OutputLimitField | None = None
    stream_usage: bool | None = None

    @property
    def dialect(self) -> str:
        """How it is spoken to."""
        return "openai_responses" if self.api == "responses" else "openai"


class AnthropicConfig(_Hosted):
    """Anthropic's Messages API. Version 2026-10-21 has no temperature, top_p and top_k; 2023-06-01 leaves that to the model."""

    type: Literal["anthropic"]
    api_version: AnthropicVersion = "2023-06-01"

    @property
    def dialect(self) -> str:
        """How it is spoken to."""
        return "anthropic"


ProviderConfig = OpenAIConfig | AnthropicConfig | RecordedConfig | ScriptedConfig
"""One entry of `providers:`."""

_TYPES = ("openai", "anthropic", "recorded", "scripted")
_ADAPTER: TypeAdapter[ProviderConfig] = TypeAdapter(Annotated[ProviderConfig, Field(discriminator="type")])
_HOMES = {
    "openai": ("https://api.openai.com/v1", "OPENAI_API_KEY"),
    "anthropic": ("https://api.anthropic.com", "ANTHROPIC_API_KEY"),
}
"""Address and key variable of the vendors themselves, used where an entry names no address."""


def parse_provider(name: str, entry: Mapping[str, Json]) -> ProviderConfig:
    """An entry of `providers:`. Raises `InputError` with every fault and its path."""
    if entry.get("type") not in _TYPES:
        error = NotFoundError.naming("provider type", str(entry.get("type", "")), _TYPES)
        fault = Fault(what=error.what, fix=f"Use one of {', '.join(_TYPES)}.", path=f"providers.{name}.type")
        raise InputError.from_faults([fault], subject=f"provider '{name}'")
    try:
        return _ADAPTER.validate_json(orjson.dumps(entry, default=str), strict=True)
    except ValidationError as error:
        faults = [_fault(name, detail) for detail in error.errors(include_url=False, include_input=False)]
    raise InputError.from_faults(faults, subject=f"provider '{name}'")


def _fault(name: str, detail: Mapping[str, Any]) -> Fault:
    steps = [str(step) for step in detail["loc"][1:]]
    message = str(detail["msg"]).removeprefix("Value error, ")
    fix = "Take it out, or see the settings of this provider type." if detail["type"] == "extra_forbidden" else "Correct it."
    return Fault(what=f"{message[:1].upper()}{message[1:]}.", fix=fix, path=".".join(["providers", name, *steps]))


def environment_faults(name: str, config: ProviderConfig, environ: Mapping[str, str]) -> list[Fault]:
    """Warnings about what surrounds a valid entry: keys that are not set, and keys sent in the clear."""
    if isinstance(config, RecordedConfig | ScriptedConfig):
        return []
    _, key_env = _address(config)
    wanted = {f"providers.{name}.api_key_env": key_env} if key_env else {}
    wanted |= {f"providers.{name}.headers_env.{header}": variable for header, variable in config.headers_env.items()}
    faults = [
        Fault(
            what=f"The environment variable {variable} is not set.",
            fix=f"Set it before a run: export {variable}=…",
            path=path,
            severity="warning",
        )
        for path, variable in wanted.items()
        if not environ.get(variable, "").strip()
    ]
    parts = urlsplit(config.base_url or "")
    if wanted and parts.scheme == "http" and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
        faults.append(
            Fault(
                what="A key is sent to this address without encryption.",
                fix="Use https, unless the network between is your own.",
                path=f"providers.{name}.base_url",
                severity="warning",
            )
        )
    return faults


def wire_profile(config: OpenAIConfig | AnthropicConfig) -> WireProfile:
    """What the endpoint of an entry can be told."""
    if isinstance(config, AnthropicConfig):
        return ANTHROPIC[config.api_version]
    if config.api == "responses":
        return OPENAI_RESPONSES
    vendor = vendor_of_provider(config)
    profile = OPENAI if vendor in ("openai", "azure") else OPENAI_COMPATIBLE
    output_limit = config.output_limit or profile.output_limit
    stream_usage = vendor not in _TELL_USAGE_UNASKED if config.stream_usage is None else config.stream_usage
    if (output_limit, stream_usage) == (profile.output_limit, profile.stream_usage):
        return profile
    return replace(profile, output_limit=output_limit, stream_usage=stream_usage)


def vendor_of_provider(config: ProviderConfig) -> str | None:
    """Whose naming rules, price list and retirements hold for the models of an entry (`segue.providers.catalogue`)."""
    if isinstance(config, RecordedConfig | ScriptedConfig):
        return config.type
    return config.vendor or vendor_of(_address(config)[0])


def parameter_faults(config: ProviderConfig, parameters: Parameters) -> list[Fault]:
    """What of a bundle's parameters the provider cannot be told, so that a check finds it before a run does."""
    if isinstance(config, RecordedConfig | ScriptedConfig):
        return []
    from segue.providers.dialects import DIALECTS

    return DIALECTS[config.dialect].parameter_faults(parameters, wire_profile(config))


def open_provider(
    name: str,
    config: ProviderConfig,
    *,
    environ: Mapping[str, str],
    clock: Clock,
    prices: PriceBook | None = None,
    recordings: RecordingLookup | None = None,
) -> Provider:
    """A connection under `name`. Opens no socket yet.

    Without `prices`, list prices as of today's date hold. `recordings` is what a `recorded` provider replays from.
    Raises `ProviderError` naming the variable and the entry where a key is missing.
    """
    if isinstance(config, ScriptedConfig):
        from segue.providers.scripted import ScriptedProvider

        return ScriptedProvider(name, config, clock=clock)
    if isinstance(config, RecordedConfig):
        return RecordedProvider(name, recordings or (lambda *_: None), clock=clock, latency=config.latency)
    from segue.providers.dialects import DIALECTS
    from segue.providers.http import HttpProvider, HttpSettings

    dialect = DIALECTS[config.dialect]
    endpoint = find_endpoint(name, config, environ)
    settings = HttpSettings(
        base_url=endpoint.base_url,
        headers=endpoint.headers,
        secrets=endpoint.secrets,
        profile=wire_profile(config),
        stream=config.stream,
        timeout_s=config.timeout_s,
        connect_timeout_s=config.connect_timeout_s,
        idle_timeout_s=config.idle_timeout_s or (STREAM_IDLE_S if config.stream else config.timeout_s),
        max_reply_bytes=config.max_reply_bytes,
        vendor=vendor_of_provider(config),
    )
    today = datetime.fromtimestamp(clock.wall(), tz=UTC).date()
    return HttpProvider(name, dialect, settings, clock=clock, prices=prices or PriceBook(as_of=today))


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where an entry over HTTP is asked, and with which headers. `secrets` are the values among them that nobody may see."""

    base_url: str
    headers: Mapping[str, str] = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)


def find_endpoint(name: str, config: OpenAIConfig | AnthropicConfig, environ: Mapping[str, str]) -> Endpoint:
    """Raises `ProviderError` naming the variable and the entry where a key is missing."""
    from segue.providers.dialects import DIALECTS

    dialect = DIALECTS[config.dialect]
    base_url, key_env = _address(config)
    secrets = {
        header: _secret(name, f"headers_env.{header}", variable, environ) for header, variable in config.headers_env.items()
    }
    headers = {**config.headers, **secrets}
    if key_env:
        secrets[dialect.key_header] = _secret(name, "api_key_env", key_env, environ)
        headers[dialect.key_header] = dialect.key_prefix + secrets[dialect.key_header]
    return Endpoint(base_url, headers, tuple(secrets.values()))


def base_url_of(config: OpenAIConfig | AnthropicConfig) -> str:
    """Where an entry over HTTP is asked: its own address, or its vendor's."""
    return _address(config)[0]


def _address(config: OpenAIConfig | AnthropicConfig) -> tuple[str, str | None]:
    """Base URL and the variable of the key. Another address than the vendor's own gets no key unless one is named."""
    home, key_env = _HOMES[config.type]
    if config.base_url is None or config.base_url == home:
        return home, config.api_key_env or (None if config.headers_env else key_env)
    base_url = config.base_url
    if isinstance(config, AnthropicConfig):
        base_url = base_url.removesuffix("/v1")
    return base_url, config.api_key_env


def _secret(name: str, field: str, variable: str, environ: Mapping[str, str]) -> str:
    value = environ.get(variable, "").strip()
    entry = f"providers.{name}.{field} in segue.yaml"
    if not value:
        raise ProviderError(
            f"Provider '{name}' needs the environment variable {variable} ({entry}), and it is not set.",
            fix=f"Set it: export {variable}=…",
        )
    if not value.isascii() or not value.isprintable():
        raise ProviderError(
            f"The environment variable {variable} ({entry}) holds characters that no HTTP header can carry.",
            fix="Copy the key again, without line breaks.",
        )
    return value
