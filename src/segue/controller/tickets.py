"""How many support tickets a workflow had, day by day, as somebody told us: written down, corrected, and read with its trend.

A day without a count is unknown, and stays so: a help desk that told nothing is not one that nobody wrote to. Knows nothing of
where counts come from; the command is `cli/ticket_commands.py`, and the HTTP API calls `record_tickets` as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from segue.errors import Fault, InputError
from segue.model import Json
from segue.store.upgrades import Fact, UpgradeStore

KIND = "tickets"
MOST = 10_000_000
"""Tickets of a day; more is a slip of the finger."""
WEEK = 7


@dataclass(frozen=True, slots=True)
class TicketDay:
    """The tickets of one day (UTC). `by_source` is what each told last; `count` is `None` where nobody told anything."""

    day: date
    by_source: Mapping[str, int]

    @property
    def count(self) -> int | None:
        return sum(self.by_source.values()) if self.by_source else None


@dataclass(frozen=True, slots=True)
class TicketTrend:
    """The days of a stretch, oldest first, beside the same number of weeks before it.

    `per_day` and `per_day_before` are means over the days that are known; `None` where none is. `sentence` says it all.
    """

    days: tuple[TicketDay, ...]
    per_day: float | None
    per_day_before: float | None
    unknown: tuple[date, ...]
    sentence: str


def record_tickets(
    store: UpgradeStore, workflow: str, day: date, count: int, source: str, *, author: str, at: str, today: date
) -> bool:
    """Write down the tickets of a day as `source` counts them. The same count told again changes nothing and gives `False`.

    Another count for the same day and source is a correction: a new fact, which holds from then on. `InputError` for a day to
    come, a count that is no number from 0, or a source without a name.
    """
    if faults := _faults(workflow, day, count, source, today):
        raise InputError.from_faults(faults, subject="the count of tickets")
    before = _latest(store.list_facts(workflow, kind=KIND)).get((day, source))
    if before is not None and before.body["count"] == count:
        return False
    body: dict[str, Json] = {"day": day.isoformat(), "count": count, "source": source}
    if before is not None:
        body["corrects"] = before.number
    store.add_fact(KIND, workflow, workflow, body, author=author, at=at)
    return True


def ticket_days(store: UpgradeStore, workflow: str, first: date, last: date) -> tuple[TicketDay, ...]:
    """Every day from `first` to `last`, both included, whether anybody counted or not."""
    told: dict[date, dict[str, int]] = {}
    for (day, source), fact in _latest(store.list_facts(workflow, kind=KIND)).items():
        told.setdefault(day, {})[source] = int(fact.body["count"])
    n_days = (last - first).days + 1
    return tuple(TicketDay(day, told.get(day, {})) for day in (first + timedelta(days=n) for n in range(n_days)))


def ticket_trend(store: UpgradeStore, workflow: str, first: date, last: date) -> TicketTrend:
    """The days from `first` to `last` beside the whole weeks before them, so that weekdays are alike."""
    days = ticket_days(store, workflow, first, last)
    weeks = max(1, -(-len(days) // WEEK))
    earlier = ticket_days(store, workflow, first - timedelta(days=weeks * WEEK), first - timedelta(days=1))
    unknown = tuple(one.day for one in days if one.count is None)
    per_day, before = _mean(days), _mean(earlier)
    return TicketTrend(days, per_day, before, unknown, _sentence(days, per_day, before, len(unknown)))


def _faults(workflow: str, day: date, count: int, source: str, today: date) -> list[Fault]:
    faults = []
    if not workflow:
        faults.append(Fault("The workflow has no name.", "Name one.", path="workflow"))
    if not isinstance(count, int) or isinstance(count, bool) or not 0 <= count <= MOST:
        faults.append(Fault("The count is no whole number from 0 on.", "Count the tickets of one day.", path="count"))
    if day > today:
        faults.append(Fault(f"The day {day.isoformat()} is not over yet, nor begun.", "Give a day up to today.", path="day"))
    if not source.strip() or len(source) > 100:
        faults.append(Fault("The source has no name of at most 100 characters.", "Say who counted.", path="source"))
    return faults


def _latest(facts: Iterable[Fact]) -> dict[tuple[date, str], Fact]:
    """What holds of each day and source: facts come oldest first."""
    return {(date.fromisoformat(str(one.body["day"])), str(one.body["source"])): one for one in facts}


def _mean(days: Sequence[TicketDay]) -> float | None:
    known = [one.count for one in days if one.count is not None]
    return sum(known) / len(known) if known else None


def _sentence(days: Sequence[TicketDay], per_day: float | None, before: float | None, n_unknown: int) -> str:
    if per_day is None:
        return f"Nobody told how many tickets there were in {_days(len(days))}."
    gaps = f"; {_days(n_unknown)} without a count" if n_unknown else ""
    if before is None:
        return f"{per_day:.1f} tickets a day, and nothing is known of the time before{gaps}."
    change = "" if before == 0 else f" ({per_day / before - 1:+.0%})"
    return f"{per_day:.1f} tickets a day, {before:.1f} in the weeks before{change}{gaps}."


def _days(n: int) -> str:
    return "1 day" if n == 1 else f"{n} days"
