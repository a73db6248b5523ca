"""Exchanges and bundles as telemetry meets them."""

from __future__ import annotations

from typing import Any

from segue.exchanges.record import BodyNote, Logged, ServedExchange
from segue.gateway.telemetry.models import ModelPlaces
from segue.model import Bundle, ModelRef

NOW_NS = 1_800_000_000_000_000_000
CLIENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
"""The example of the W3C's page."""


def a_bundle(label: str = "old") -> Bundle:
    """A bundle whose provider has this name."""
    return Bundle(workflow="mail", model=ModelRef(provider=label, snapshot=f"{label}-1"))


OLD, NEW = a_bundle("old"), a_bundle("new")
PROVIDERS: dict[str, dict[str, Any]] = {
    "old": {"type": "openai"},
    "new": {"type": "anthropic", "base_url": "http://127.0.0.1:9001"},
}


def places() -> ModelPlaces:
    """Where both bundles are answered."""
    found = ModelPlaces()
    found.learn({one.digest: one for one in (OLD, NEW)}, PROVIDERS)
    return found


def an_exchange(**given: Any) -> ServedExchange:
    """A served exchange that went well."""
    usual: dict[str, Any] = {
        "id": "x1",
        "at_ns": NOW_NS,
        "workflow": "mail",
        "environment": "production",
        "route_revision": 3,
        "arm": "incumbent",
        "bundle": OLD.digest,
        "answered_by": OLD.digest,
        "status": 200,
        "latency_ns": 1_500_000_000,
    }
    return ServedExchange(**{**usual, **given})


def a_log(response: bytes = b"", **given: Any) -> Logged:
    """The same with the bytes of its answer."""
    note = BodyNote("full", len(response)) if response else BodyNote()
    return Logged(an_exchange(response=note, **given), b"", response)
