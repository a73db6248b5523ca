"""Names of models: which are pinned, which float, which retire when; what no rule covers is unknown."""

from __future__ import annotations

from datetime import date

import pytest

from segue.providers.catalogue import is_deprecated, is_floating_alias, retirement, vendor_of
from segue.providers.retirements import RETIREMENTS


@pytest.mark.parametrize(
    ("vendor", "snapshot", "floating"),
    [
        ("openai", "gpt-4o", True),
        ("openai", "gpt-4o-2024-08-06", False),
        ("openai", "gpt-4-0613", False),
        ("openai", "gpt-4-1106-preview", False),
        ("openai", "gpt-4-turbo-preview", True),
        ("openai", "chatgpt-4o-latest", True),
        ("openai", "o3-mini-2025-01-31", False),
        ("openai", "ft:gpt-4o-2024-08-06:acme::abc", False),
        ("openai", "gpt-6-sol", True),
        ("anthropic", "claude-sonnet-4-5", True),
        ("anthropic", "claude-sonnet-4-5-20250929", False),
        ("anthropic", "claude-3-7-sonnet-latest", True),
        ("anthropic", "claude-3-haiku", True),
        ("anthropic", "claude-opus-4-0", True),
        ("anthropic", "claude-opus-4-6", False),
        ("anthropic", "claude-opus-5", False),
        ("anthropic", "claude-fable-5-2", False),
        ("anthropic", "claude-2.1", False),
        ("anthropic", "claude-mythos-preview", None),
        ("mistral", "mistral-large-latest", True),
        ("mistral", "mistral-large-2512", False),
        ("mistral", "mistral-large", None),
        ("recorded", "gpt-4", False),
        ("scripted", "anything", False),
        ("nobody", "gpt-4o", None),
        (None, "llama-3", None),
    ],
)
def test_which_names_float(vendor: str | None, snapshot: str, floating: bool | None) -> None:
    """By each vendor's own rule of naming."""
    assert is_floating_alias(vendor, snapshot) is floating


@pytest.mark.parametrize(
    ("address", "vendor"),
    [
        ("https://api.openai.com/v1", "openai"),
        ("https://eu.api.openai.com/v1", "openai"),
        ("https://acme.openai.azure.com/openai/v1", "azure"),
        ("https://api.anthropic.com", "anthropic"),
        ("https://api.openai.com.evil.example/v1", None),
        ("http://localhost:8000/v1", None),
        ("", None),
    ],
)
def test_whose_models_answer_at_an_address(address: str, vendor: str | None) -> None:
    """The whole host decides, not a part of it."""
    assert vendor_of(address) == vendor


def test_announced_retirements_are_known_with_their_source() -> None:
    """The day, and where it was read."""
    found = retirement("anthropic", "claude-sonnet-4-5-20250929")
    assert found is not None
    assert found.day == date(2026, 11, 30)
    assert "Anthropic" in found.source
    assert retirement("openai", "gpt-6-sol") is None
    assert retirement(None, "gpt-4o") is None


def test_every_retirement_day_is_a_date() -> None:
    """A typing error in the table would be found only when a model retires."""
    for vendor, days in RETIREMENTS.items():
        for name, day in days.items():
            assert date.fromisoformat(day) > date(2023, 1, 1), (vendor, name)


def test_the_price_lists_mark_of_deprecation_is_shown_where_there_is_one() -> None:
    """`None` where the list does not say."""
    assert is_deprecated("mistral", "devstral-2512") is True
    assert is_deprecated("openai", "gpt-6-sol") is None
    assert is_deprecated("openai", "no-such-model") is None
    assert is_deprecated(None, "x") is None
