"""The breaker: a bundle that burns is cut off by the gateway itself, at once, without asking anybody.

Pure: a value and a table of moves, time handed in. It counts calls, not users; whether the candidate is *worse* is for the
evidence to say, whether it *answers* is for this. A call carries the number of the spell it began in: how calls of an earlier
spell end says nothing of this one.

    closed ──(failures ≥ share of the last calls, and at least so many)──► open
    open ────(rest_s later, for one call at a time)──► half open
    half open ──(the call answered)──► closed      half open ──(it failed)──► open

A call whose client gave up on it tells little: the client may be impatient. As many of them in a row as there have to be
failures, with no answer in between, are failures all together, and so is each that follows.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from math import inf
from typing import Literal

State = Literal["closed", "open", "half open"]


@dataclass(frozen=True, slots=True)
class BreakerSettings:
    """`window_s` seconds are looked at, to a twentieth; `share` of the calls in them have to fail, and at least `failures`."""

    window_s: float = 10.0
    failures: int = 5
    share: float = 0.5
    rest_s: float = 5.0


SLOTS = 20
"""Calls are counted by twentieths of the window: one by one, thousands a second would be remembered, and forgotten, singly."""


class _Slot:
    """The calls that ended in one part of the window."""

    __slots__ = ("begun", "failed", "n")

    def __init__(self, begun: float) -> None:
        self.begun = begun
        self.n = self.failed = 0


class Breaker:
    """Of one bundle in one process."""

    __slots__ = (
        *("_failed", "_is_trying", "_left", "_n", "_rests_until", "_slot", "_slot_ends", "_slots"),
        *("settings", "spell", "state"),
    )

    def __init__(self, settings: BreakerSettings | None = None) -> None:
        self.settings = settings or BreakerSettings()
        self.state: State = "closed"
        self._slots: deque[_Slot] = deque()
        self._slot = _Slot(0.0)
        self._slot_ends = -inf
        self._n = self._failed = 0
        self._rests_until = 0.0
        self._is_trying = False
        self._left = 0
        self.spell = 0
        """The one that calls begin in now, as long as it is closed."""

    def admit(self, now: float) -> int | None:
        """Whether a call may be made: the spell it belongs to, `None` for no. How it ended must be told with that."""
        if self.state == "closed":
            return self.spell
        if self.state == "open" and now >= self._rests_until:
            self.state, self._is_trying = "half open", False
        if self.state == "half open" and not self._is_trying:
            self._is_trying = True
            self.spell += 1
            return self.spell
        return None

    def abandon(self, spell: int, *, is_well: bool = False) -> None:
        """A call that was let through ended without an outcome; `is_well` if an answer was coming when its client left."""
        if spell == self.spell:
            self._is_trying = False
            if is_well:
                self._left = 0

    def give_up(self, now: float, spell: int) -> bool:
        """A call ended as its client gave up on a bundle that said nothing (more). True if this opens it."""
        if spell != self.spell:
            return False
        self._is_trying = False
        self._left += 1
        enough = self.settings.failures
        if self._left < enough:
            return False
        if self._left == enough and self.state == "closed":
            for _ in range(enough - 1):
                self._note(now, answered=False)
        return self.tell(now, spell, answered=False)

    def tell(self, now: float, spell: int, *, answered: bool) -> bool:
        """How a call ended. True if this closes or opens it: somebody should hear of that."""
        if spell != self.spell:
            return False
        before = self.state
        if answered and before == "closed" and now < self._slot_ends:
            # Nearly every call ends here.
            self._slot.n += 1
            self._n += 1
            self._left = 0
            return False
        if before == "half open":
            self._is_trying = False
            self._left = 0 if answered else self._left
            self._move("closed" if answered else "open", now)
        elif before == "closed":
            self._note(now, answered)
            if answered:
                self._left = 0
            elif self._burns():
                self._move("open", now)
        return self.state != before

    def _note(self, now: float, answered: bool) -> None:
        if now >= self._slot_ends:
            self._begin_slot(now)
        self._slot.n += 1
        self._n += 1
        if not answered:
            self._slot.failed += 1
            self._failed += 1

    def _begin_slot(self, now: float) -> None:
        slots, window = self._slots, self.settings.window_s
        self._slot, self._slot_ends = _Slot(now), now + window / SLOTS
        slots.append(self._slot)
        while slots[0].begun < now - window:
            old = slots.popleft()
            self._n -= old.n
            self._failed -= old.failed

    def _burns(self) -> bool:
        return self._failed >= self.settings.failures and self._failed >= self.settings.share * self._n

    def _move(self, state: State, now: float) -> None:
        self.state, self._rests_until = state, now + self.settings.rest_s
        self.spell += 1
        self._slots.clear()
        self._slot_ends = -inf
        self._n = self._failed = 0
