"""Costs come from dated lists or the user's own prices, and an unknown price is never zero."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from genai_prices import Usage as ListUsage
from genai_prices import calc_price
from hypothesis import given
from hypothesis import strategies as st

from segue.errors import InputError
from segue.model import Usage
from segue.providers.pricing import ModelPrice, PriceBook, parse_prices, price_snapshot

DAY = date(2026, 11, 20)
BOOK = PriceBook(as_of=DAY)
TOKENS = st.integers(min_value=0, max_value=400_000)


@given(
    st.sampled_from([("openai", "gpt-4o-2024-08-06"), ("openai", "gpt-6-sol"), ("anthropic", "claude-sonnet-4-5-20250929")]),
    TOKENS,
    TOKENS,
    TOKENS,
    TOKENS,
)
def test_costs_equal_the_price_lists_own_arithmetic(
    model: tuple[str, str], fresh: int, cached: int, written: int, output: int
) -> None:
    """Also beyond the tiers, where all tokens cost more."""
    vendor, name = model
    total = fresh + cached + written
    usage = ListUsage(
        input_tokens=total, output_tokens=output, cache_read_tokens=cached or None, cache_write_tokens=written or None
    )
    at = datetime(2026, 11, 20, tzinfo=UTC)
    listed = calc_price(usage, name, provider_id=vendor, genai_request_timestamp=at).total_price
    cost = BOOK.cost(vendor, name, Usage(total, output, None, cached), written)
    assert cost.microusd == pytest.approx(float(listed) * 1e6, rel=1e-9, abs=1e-9)
    assert cost.source == BOOK.snapshot


@pytest.mark.parametrize(
    ("vendor", "model", "usage", "why"),
    [
        ("openai", "gpt-4o", Usage(), "no token usage"),
        ("openai", "gpt-4o", Usage(input_tokens=5), "no token usage"),
        ("openai", "gpt-of-tomorrow", Usage(5, 5), "no price for gpt-of-tomorrow"),
        ("nobody", "gpt-4o", Usage(5, 5), "no price for gpt-4o"),
        (None, "llama", Usage(5, 5), "no price list is known"),
        ("openai", "whisper-1", Usage(5, 5), "without a price per token"),
    ],
)
def test_an_unknown_cost_is_none_with_a_reason(vendor: str | None, model: str, usage: Usage, why: str) -> None:
    """Never zero: a comparison of costs would praise it."""
    cost = BOOK.cost(vendor, model, usage)
    assert cost.microusd is None
    assert why in cost.source


def test_own_prices_go_first() -> None:
    """Dollars per million tokens are millionths of a dollar per token."""
    book = PriceBook({"llama": ModelPrice(input_usd_per_mtok=2, output_usd_per_mtok=10)}, as_of=DAY)
    assert book.cost(None, "llama", Usage(100, 10, None, 50), 20).microusd == 300
    price = ModelPrice(input_usd_per_mtok=2, output_usd_per_mtok=10, cached_input_usd_per_mtok=1, cache_write_usd_per_mtok=4)
    assert PriceBook({"llama": price}, as_of=DAY).cost(None, "llama", Usage(100, 10, None, 50), 20).microusd == 290


def test_a_free_model_costs_nothing_and_says_so() -> None:
    """Zero that was declared is not unknown."""
    book = PriceBook({"own": ModelPrice(input_usd_per_mtok=0, output_usd_per_mtok=0)}, as_of=DAY)
    assert book.cost(None, "own", Usage(5, 5)).microusd == 0
    assert book.why_unknown(None, "own") is None
    assert book.why_unknown(None, "other") is not None


def test_the_snapshot_names_all_that_decides_a_price() -> None:
    """List, date and own prices: two arms must share it."""
    own = {"m": ModelPrice(input_usd_per_mtok=1, output_usd_per_mtok=2)}
    plain = price_snapshot(as_of=DAY)
    assert plain.startswith("genai-prices ")
    assert "2026-11-20" in plain
    assert price_snapshot(own, as_of=DAY) not in (plain, price_snapshot(own, as_of=date(2026, 11, 21)))
    assert PriceBook(own, as_of=DAY).snapshot == price_snapshot(dict(own), as_of=DAY)


def test_prices_change_with_the_date() -> None:
    """A list with dates answers for the day that was asked for."""
    old = PriceBook(as_of=date(2025, 1, 1)).cost("openai", "o3", Usage(1000, 1000))
    new = BOOK.cost("openai", "o3", Usage(1000, 1000))
    assert old.microusd is not None
    assert new.microusd is not None
    assert old.microusd > new.microusd


def test_faults_of_own_prices_are_told_at_once() -> None:
    """Each with its path."""
    raw = {"a": {"input_usd_per_mtok": -1, "output_usd_per_mtok": 1}, "b": {"input": 1}, "c": 3}
    with pytest.raises(InputError) as caught:
        parse_prices(raw)
    paths = {fault.path for fault in caught.value.faults}
    assert {"prices.a.input_usd_per_mtok", "prices.b.input", "prices.b.output_usd_per_mtok", "prices.c"} <= paths
    assert parse_prices({"a": {"input_usd_per_mtok": 1, "output_usd_per_mtok": 2}})["a"].output_usd_per_mtok == 2
