"""Which exchanges a reader wants. One meaning, two forms: a predicate over records, a condition over columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from segue.exchanges.ledger import ArchiveFile
from segue.exchanges.record import ServedExchange


@dataclass(frozen=True)
class Selection:
    """All that is given must hold. Times: from `since_ns` on, before `until_ns`. `without_tags`: none of these. `below`: scores
    that are known and lower than these."""

    id: str | None = None
    workflow: str | None = None
    environment: str | None = None
    arm: str | None = None
    bundle: str | None = None
    pair: str | None = None
    since_ns: int | None = None
    until_ns: int | None = None
    slices: Mapping[str, str] = field(default_factory=dict)
    without_tags: tuple[str, ...] = ()
    below: Mapping[str, float] = field(default_factory=dict)

    def takes(self, exchange: ServedExchange) -> bool:
        """Whether this exchange is one of them."""
        return (
            all(getattr(exchange, name) == value for name, value in self._equal())
            and (self.since_ns is None or exchange.at_ns >= self.since_ns)
            and (self.until_ns is None or exchange.at_ns < self.until_ns)
            and all(exchange.slices.get(name) == value for name, value in self.slices.items())
            and not any(tag in exchange.tags for tag in self.without_tags)
            and all(_is_below(exchange.scores.get(name), bound) for name, bound in self.below.items())
        )

    def can_hold(self, file: ArchiveFile) -> bool:
        """Whether a file of exchanges may have such a one."""
        return (
            (self.workflow is None or file.workflow == self.workflow)
            and (self.id is None or file.first_id <= self.id <= file.last_id)
            and (self.since_ns is None or file.last_ns >= self.since_ns)
            and (self.until_ns is None or file.first_ns < self.until_ns)
        )

    def condition(self, prefix: str = "v") -> tuple[str, list[Any]]:
        """The same as SQL, and the values of its variables `v0`, `v1` … (a view takes no other parameters)."""
        parts: list[str] = ["true"]
        values: list[Any] = []

        def variable(value: Any) -> str:
            values.append(value)
            return f"getvariable('{prefix}{len(values) - 1}')"

        for name, value in self._equal():
            parts.append(f'"{name}" = {variable(value)}')
        for sign, bound in ((">=", self.since_ns), ("<", self.until_ns)):
            if bound is not None:
                parts.append(f"at_ns {sign} {variable(bound)}")
        for name, value in self.slices.items():
            parts.append(f"coalesce(slices[{variable(name)}] = {variable(value)}, false)")
        for name, most in self.below.items():
            parts.append(f"coalesce(scores[{variable(name)}] < {variable(most)}, false)")
        if self.without_tags:
            parts.append(f"NOT coalesce(list_has_any(tags, {variable(list(self.without_tags))}), false)")
        return " AND ".join(parts), values

    def _equal(self) -> list[tuple[str, str]]:
        names = ("id", "workflow", "environment", "arm", "bundle", "pair")
        return [(name, value) for name in names if (value := getattr(self, name)) is not None]


def _is_below(value: float | None, bound: float) -> bool:
    return value is not None and value < bound
