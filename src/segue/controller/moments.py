"""Moments as the store writes them. Imports nothing of the controller, so that every part of it may import this."""

from __future__ import annotations

from datetime import UTC, datetime


def iso(now: float) -> str:
    """UTC, to the second."""
    return datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
