"""The breaker: a bundle that burns is cut off by the gateway itself, at once, without asking anybody.

Pure: a value and a table of moves, time handed in. It counts calls, not users; whether the candidate is *worse* is for the
evidence to say, whether it *answers* is for this. A call carries the number of the spell it began in: how calls of an earlier
spell end says nothing of this one.

    closed ──(failures ≥ share of the last calls, and at least so many)──► open
    open ────(rest_s later, for one call at a time)──► half open
    half open ──(the call answered)──► closed      half open ──(it failed)──► open
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Literal

State = Literal["closed", "open", "half open"]


@dataclass(frozen=True, slots=True)
class BreakerSettings:
    """`window_s` seconds are looked at; `share` of the calls in them have to fail, and at least `failures`."""

    window_s: float = 10.0
    failures: int = 5
    share: float = 0.5
    rest_s: float = 5.0


class Breaker:
    """Of one bundle in one process."""

    __slots__ = ("_calls", "_failed", "_is_trying", "_rests_until", "_spell", "settings", "state")

    def __init__(self, settings: BreakerSettings | None = None) -> None:
        self.settings = settings or BreakerSettings()
        self.state: State = "closed"
        self._calls: deque[tuple[float, bool]] = deque()
        self._failed = 0
        self._rests_until = 0.0
        self._is_trying = False
        self._spell = 0

    def admit(self, now: float) -> int | None:
        """Whether a call may be made: the spell it belongs to, `None` for no. How it ended must be told with that."""
        if self.state == "closed":
            return self._spell
        if self.state == "open" and now >= self._rests_until:
            self.state, self._is_trying = "half open", False
        if self.state == "half open" and not self._is_trying:
            self._is_trying = True
            self._spell += 1
            return self._spell
        return None

    def abandon(self, spell: int) -> None:
        """A call that was let through ended without an outcome: the client went away."""
        if spell == self._spell:
            self._is_trying = False

    def tell(self, now: float, spell: int, *, answered: bool) -> bool:
        """How a call ended. True if this closes or opens it: somebody should hear of that."""
        if spell != self._spell:
            return False
        before = self.state
        if before == "half open":
            self._is_trying = False
            self._move("closed" if answered else "open", now)
        elif before == "closed":
            self._note(now, answered)
            if not answered and self._burns():
                self._move("open", now)
        return self.state != before

    def _note(self, now: float, answered: bool) -> None:
        calls = self._calls
        calls.append((now, answered))
        self._failed += not answered
        horizon = now - self.settings.window_s
        while calls[0][0] < horizon:
            self._failed -= not calls.popleft()[1]

    def _burns(self) -> bool:
        return self._failed >= self.settings.failures and self._failed >= self.settings.share * len(self._calls)

    def _move(self, state: State, now: float) -> None:
        self.state, self._rests_until = state, now + self.settings.rest_s
        self._spell += 1
        self._calls.clear()
        self._failed = 0
