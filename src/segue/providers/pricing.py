"""What a call costs, from its tokens and dated list prices. An unknown price is `None` with a reason, never 0.

Prices come from the `genai-prices` package and from the user's own entries under `prices:` in segue.yaml, which go first.
Both arms of a comparison are priced as of one date: `PriceBook.snapshot` names list, date and overrides, and two arms with
different snapshots are not comparable.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from importlib.metadata import version
from typing import Any

from pydantic import Field, ValidationError

from segue.errors import Fault, InputError
from segue.model import Frozen, Json, Usage, canonical_json

_PROBE = 1000
"""Tokens a linear price is read off with. Below every tier of the list, the lowest of which begins at 32,000 tokens."""


class ModelPrice(Frozen):
    """US dollars per million tokens, which is the same number in millionths of a dollar per token.

    Without the last two, such tokens cost what other input costs.
    """

    input_usd_per_mtok: float = Field(ge=0)
    output_usd_per_mtok: float = Field(ge=0)
    cached_input_usd_per_mtok: float | None = Field(default=None, ge=0)
    cache_write_usd_per_mtok: float | None = Field(default=None, ge=0)

    def card(self) -> _Card:
        """The same, ready to multiply with."""
        cached, written = self.cached_input_usd_per_mtok, self.cache_write_usd_per_mtok
        return _Card(
            input=self.input_usd_per_mtok,
            output=self.output_usd_per_mtok,
            cached=self.input_usd_per_mtok if cached is None else cached,
            written=self.input_usd_per_mtok if written is None else written,
            holds_to=float("inf"),
        )


@dataclass(frozen=True, slots=True)
class Cost:
    """Millionths of a US dollar. `source` is the price snapshot, or says why the cost is unknown."""

    microusd: float | None
    source: str


@dataclass(frozen=True, slots=True)
class _Card:
    """Linear prices per token in millionths of a dollar, good up to `holds_to` input tokens."""

    input: float
    output: float
    cached: float
    written: float
    holds_to: float

    def cost(self, fresh: int, cached: int, written: int, output: int) -> float:
        return fresh * self.input + cached * self.cached + written * self.written + output * self.output


def parse_prices(raw: Mapping[str, Json], *, path: str = "prices") -> dict[str, ModelPrice]:
    """The `prices:` of segue.yaml. Raises `InputError` with every fault."""
    prices: dict[str, ModelPrice] = {}
    faults: list[Fault] = []
    for model, entry in raw.items():
        try:
            prices[model] = ModelPrice.model_validate(entry)
        except ValidationError as error:
            faults += [
                Fault(
                    what=f"{one['msg']}.",
                    fix="A price has input_usd_per_mtok and output_usd_per_mtok: US dollars per million tokens.",
                    path=".".join([path, model, *(str(part) for part in one["loc"])]),
                )
                for one in error.errors(include_url=False, include_input=False)
            ]
    if faults:
        raise InputError.from_faults(faults, subject="the prices")
    return prices


def price_snapshot(overrides: Mapping[str, ModelPrice] | None = None, *, as_of: date) -> str:
    """Names everything that decides a price, such as `genai-prices 0.2.3 as of 2026-11-20, own prices 3f2a9c71bd`."""
    name = f"genai-prices {version('genai-prices')} as of {as_of.isoformat()}"
    if overrides:
        body = {model: price.model_dump(exclude_none=True) for model, price in overrides.items()}
        name += f", own prices {hashlib.sha256(canonical_json(body)).hexdigest()[:10]}"
    return name


class PriceBook:
    """Prices as of the beginning of one day, UTC. `vendor` is whose list a model is looked up in (`catalogue.vendor_of`)."""

    def __init__(self, overrides: Mapping[str, ModelPrice] | None = None, *, as_of: date) -> None:
        self._overrides = dict(overrides or {})
        self._as_of = as_of
        self._cards: dict[tuple[str | None, str], _Card | str] = {}
        self._source = f"genai-prices {version('genai-prices')} as of {as_of.isoformat()}"
        self.snapshot = price_snapshot(self._overrides, as_of=as_of)

    def cost(self, vendor: str | None, model: str, usage: Usage, cache_write_tokens: int | None = None) -> Cost:
        """What the call costs."""
        if usage.input_tokens is None or usage.output_tokens is None:
            return Cost(None, "unknown: the provider reported no token usage")
        key = (vendor, model)
        card = self._cards.get(key)
        if card is None:
            card = self._cards[key] = self._card(vendor, model)
        if isinstance(card, str):
            return Cost(None, card)
        cached, written = usage.cached_tokens or 0, cache_write_tokens or 0
        fresh = max(0, usage.input_tokens - cached - written)
        if usage.input_tokens > card.holds_to:
            priced = self._from_list(vendor, model)
            assert not isinstance(priced, str), "a model with a card has a price"
            return Cost(priced(usage.input_tokens, cached, written, usage.output_tokens), self.snapshot)
        return Cost(card.cost(fresh, cached, written, usage.output_tokens), self.snapshot)

    def why_unknown(self, vendor: str | None, model: str) -> str | None:
        """Why `model` has no price; `None` if it has one."""
        card = self._card(vendor, model)
        return card if isinstance(card, str) else None

    def _card(self, vendor: str | None, model: str) -> _Card | str:
        own = self._overrides.get(model)
        if own is not None:
            return own.card()
        price = self._from_list(vendor, model)
        if isinstance(price, str):
            return price
        return _Card(
            input=price(_PROBE, 0, 0, 0) / _PROBE,
            output=price(0, 0, 0, _PROBE) / _PROBE,
            cached=price(_PROBE, _PROBE, 0, 0) / _PROBE,
            written=price(_PROBE, 0, _PROBE, 0) / _PROBE,
            holds_to=price.tier_start,
        )

    def _from_list(self, vendor: str | None, model: str) -> _ListPrice | str:
        remedy = "name it under prices: in segue.yaml (input_usd_per_mtok, output_usd_per_mtok)"
        if vendor is None:
            return f"unknown: no price list is known for this address; {remedy}"
        from genai_prices.data_snapshot import get_snapshot

        try:
            _, info = get_snapshot().find_provider_model(model, None, vendor, None)
        except LookupError:
            return f"unknown: {self._source} has no price for {model} of {vendor}; {remedy}"
        at = datetime(self._as_of.year, self._as_of.month, self._as_of.day, tzinfo=UTC)
        prices = info.get_prices(at)
        if prices.input_mtok is None and prices.output_mtok is None:
            return f"unknown: {self._source} lists {model} of {vendor} without a price per token; {remedy}"
        starts = [float(tier.start) for value in vars(prices).values() for tier in getattr(value, "tiers", ())]
        return _ListPrice(lambda usage: prices.calc_price(usage), min(starts, default=float("inf")))


@dataclass(frozen=True, slots=True)
class _ListPrice:
    """The list's own arithmetic, in millionths of a dollar."""

    calculate: Callable[[Any], Any]
    tier_start: float

    def __call__(self, total_input: int, cached: int, written: int, output: int) -> float:
        from genai_prices import Usage as ListUsage

        usage = ListUsage(
            input_tokens=total_input,
            output_tokens=output,
            cache_read_tokens=cached or None,
            cache_write_tokens=written or None,
        )
        return float(self.calculate(usage)["total_price"] * 1_000_000)
