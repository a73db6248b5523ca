"""What a rehearsal came to, as one value: screen and JSON show the same."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

Ending = Literal["completed", "rolled_back", "stopped", "deferred", "holding", "unfinished", "interrupted"]
"""holding: something is wrong, and nobody here is to settle it. unfinished: the days were over first."""
EXIT_CODES: dict[Ending, int] = {
    "completed": 0,
    "rolled_back": 12,
    "stopped": 12,
    "deferred": 12,
    "holding": 11,
    "unfinished": 11,
    "interrupted": 130,
}


@dataclass(frozen=True, slots=True)
class Told:
    """One entry of the upgrade's log, in words. `exposed` are units that had met the candidate by then."""

    day: float
    where: str
    event: str
    by: str
    because: tuple[str, ...]
    exposed: int


@dataclass(frozen=True, slots=True)
class DayRow:
    """One day of traffic. Rates are those of the primary metric, `None` where nothing was served. `where` is at its end."""

    day: int
    where: str
    share: float
    requests: int
    shadowed: int
    exposed: int
    incumbent_right: float | None
    candidate_right: float | None
    failed: int
    fell_back: int
    worse: int
    better: int
    cost_usd: float


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """One run. `worse`: answers to exposed requests that the incumbent would have given right; `better` the other way round.

    `exposed_units` met the candidate before the end; `exposed_at_end` is the same within the step or stage it ended in.
    """

    ending: Ending
    where: str
    seed: int
    days: float
    requests: int
    shadowed: int
    exposed_units: int
    exposed_requests: int
    worse: int
    better: int
    failed: int
    cost_usd: float
    alarms: int
    story: tuple[Told, ...]
    by_day: tuple[DayRow, ...]
    remarks: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        return EXIT_CODES[self.ending]

    def as_json(self) -> dict[str, Any]:
        """All of it."""
        return asdict(self)
