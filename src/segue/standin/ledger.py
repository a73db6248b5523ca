"""What a stand-in has seen: calls, answers and bills. A key is billed once, however often it is sent."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from segue.model import Json


@dataclass(slots=True)
class Ledger:
    """Counts. `billed` are answers that a provider would charge for; calls without a key are charged one by one."""

    calls: int = 0
    billed: int = 0
    in_flight: int = 0
    most_in_flight: int = 0
    by_status: Counter[int] = field(default_factory=Counter)
    by_trouble: Counter[str] = field(default_factory=Counter)
    calls_by_key: Counter[str] = field(default_factory=Counter)
    _billed_keys: set[str] = field(default_factory=set)

    def begin(self, key: str) -> int:
        """A call has come; returns which call of its key it is, from 1."""
        self.calls += 1
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        self.calls_by_key[key] += 1
        return self.calls_by_key[key]

    def bill(self, key: str) -> None:
        """The model has worked for this call."""
        if not key:
            self.billed += 1
        elif key not in self._billed_keys:
            self._billed_keys.add(key)
            self.billed += 1

    def as_json(self, *, with_keys: bool = False) -> dict[str, Json]:
        """What `/__stand-in/state` shows."""
        keys = {key: count for key, count in self.calls_by_key.items() if key}
        body: dict[str, Json] = {
            "calls": self.calls,
            "billed": self.billed,
            "keys": len(keys),
            "repeated_keys": sum(count > 1 for count in keys.values()),
            "in_flight": self.in_flight,
            "most_in_flight": self.most_in_flight,
            "by_status": {str(status): count for status, count in sorted(self.by_status.items())},
            "by_trouble": dict(self.by_trouble),
        }
        if with_keys:
            body["calls_by_key"] = keys
        return body
