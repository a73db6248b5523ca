"""Whose model a bundle is, as OpenTelemetry names providers, and where it is asked. From the last known routes; no secret."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from segue.errors import SegueError
from segue.model import Bundle, Json
from segue.providers.config import AnthropicConfig, OpenAIConfig, base_url_of, parse_provider, vendor_of_provider

_WELL_KNOWN = {
    "openai": "openai",
    "anthropic": "anthropic",
    "azure": "azure.ai.openai",
    "mistral": "mistral_ai",
    "groq": "groq",
    "deepseek": "deepseek",
    "x-ai": "x_ai",
}
"""The conventions' names, by the vendor names of our price list."""
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class ModelPlace:
    """`provider` as the conventions name it: the vendor where it is known, else the dialect that the endpoint speaks."""

    provider: str
    model: str
    address: str | None = None
    port: int | None = None


UNKNOWN = ModelPlace("other", "other")
"""A bundle of a route that this process never saw."""


class ModelPlaces:
    """By digest; those of earlier routes stay, for their exchanges may still come."""

    def __init__(self) -> None:
        self._places: dict[str, ModelPlace] = {}

    def __call__(self, digest: str) -> ModelPlace:
        """Where the bundle with this digest is answered."""
        return self._places.get(digest, UNKNOWN)

    def learn(self, bundles: Mapping[str, Bundle], providers: Mapping[str, Mapping[str, Json]]) -> None:
        """The bundles of routes that are known now."""
        for digest, bundle in bundles.items():
            entry = providers.get(bundle.model.provider)
            if entry is not None:
                self._places[digest] = _place(bundle, entry)


def _place(bundle: Bundle, entry: Mapping[str, Json]) -> ModelPlace:
    model = bundle.model.snapshot
    try:
        config = parse_provider(bundle.model.provider, entry)
    except SegueError:
        return ModelPlace("other", model)
    if not isinstance(config, OpenAIConfig | AnthropicConfig):
        return ModelPlace("other", model)
    parts = urlsplit(base_url_of(config))
    provider = _WELL_KNOWN.get(vendor_of_provider(config) or "", config.type)
    return ModelPlace(provider, model, parts.hostname, parts.port or _PORTS.get(parts.scheme))
