"""What is known about models by name: whether the name is pinned to a snapshot, and when the model retires.

Facts by vendor, kept as data with their sources. What the data does not cover is `None`: unknown, not safe.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from urllib.parse import urlsplit

from segue.providers.retirements import RETIREMENTS, SOURCES

_HOSTS: tuple[tuple[str, str], ...] = (
    (r"api\.openai\.com|[\w-]+\.api\.openai\.com", "openai"),
    (r"api\.anthropic\.com", "anthropic"),
    (r"api\.mistral\.ai", "mistral"),
    (r"[\w-]+\.openai\.azure\.com", "azure"),
    (r"openrouter\.ai", "openrouter"),
    (r"api\.together\.(?:xyz|ai)", "together"),
    (r"api\.fireworks\.ai", "fireworks"),
    (r"api\.groq\.com", "groq"),
    (r"api\.deepseek\.com", "deepseek"),
    (r"api\.x\.ai", "x-ai"),
)
"""Whose models answer at a host. The names are those of the price list."""

_ALIAS_RULES: Mapping[str, tuple[tuple[str, bool], ...]] = {
    # OpenAI, "Models": a dated name is one snapshot; a name without a date points to one and may be pointed elsewhere.
    "openai": (
        (r"^ft:", False),
        (r"-latest$", True),
        (r"-\d{4}-\d{2}-\d{2}$", False),
        (r"-\d{4}(?:-preview)?$", False),
        (r"", True),
    ),
    # Anthropic, "Model IDs and versioning": from generation 4.6 on every name is pinned; before, only dated names are.
    "anthropic": (
        (r"-latest$", True),
        (r"-\d{8}$", False),
        (r"^claude-(?:[12]\.\d|instant-1\.\d)$", False),
        (r"^claude-\d-\d-\w+$|^claude-\d-\w+$", True),
        (r"^claude-[a-z]+-4(?:-[0-5])?$", True),
        (r"^claude-[a-z]+-\d+(?:-\d{1,2})?$", False),
    ),
    # Mistral, "Model lifecycle": names end in a year and month, or in -latest.
    "mistral": (
        (r"-latest$", True),
        (r"-\d{4}$", False),
    ),
    # What is recorded or declared does not change behind its name.
    "recorded": ((r"", False),),
    "scripted": ((r"", False),),
}


@dataclass(frozen=True, slots=True)
class Retirement:
    """The day a model stops answering, as its vendor has announced it, and where that was read."""

    day: date
    source: str


def vendor_of(base_url: str) -> str | None:
    """Whose models answer at `base_url`; `None` for a host that is not known, such as one's own server."""
    host = (urlsplit(base_url).hostname or "").lower()
    return next((vendor for pattern, vendor in _HOSTS if re.fullmatch(pattern, host)), None)


def is_floating_alias(vendor: str | None, snapshot: str) -> bool | None:
    """Whether `snapshot` names whatever its vendor points it to. `None` where no rule tells."""
    for pattern, floating in _ALIAS_RULES.get(vendor or "", ()):
        if re.search(pattern, snapshot):
            return floating
    return None


def retirement(vendor: str | None, snapshot: str) -> Retirement | None:
    """When `snapshot` retires, as far as was announced when this version of Segue was made."""
    day = RETIREMENTS.get(vendor or "", {}).get(snapshot)
    return None if day is None else Retirement(date.fromisoformat(day), SOURCES[vendor or ""])


def is_deprecated(vendor: str | None, snapshot: str) -> bool | None:
    """Whether the price list marks the model as deprecated. `None` where it does not know the model or does not say."""
    if vendor is None:
        return None
    from genai_prices.data_snapshot import get_snapshot

    try:
        _, info = get_snapshot().find_provider_model(snapshot, None, vendor, None)
    except LookupError:
        return None
    return info.deprecated
