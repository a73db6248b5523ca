"""The daily evals through the production endpoint, as facts: written whole, read back, and what they show over the days.

One fact a day and bundle. `change` compares means of the same cases on two days, or of two bundles on one; how sure it is
allowed for all looks of an upgrade together. Pure but for reading facts; asking is `daily_eval`'s.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

from pydantic import Field, ValidationError

from segue.controller.daily_change import Cell, Change, find_changes
from segue.errors import TamperError
from segue.model import Frozen
from segue.model.workflow import Direction
from segue.store.upgrades import Fact, UpgradeStore
from segue.upgrade.log import Upgrade

KIND, TROUBLE = "daily-eval", "daily-trouble"
LATE_DAYS = 2
"""With the newest measurement so old, something keeps the daily eval from running."""
MOST_FAILED = 0.05


class DailyMetric(Frozen):
    """One metric of one bundle on one day. `cells` maps a slice, "" for all cases, to count, sum and sum of squares."""

    better: Direction = "higher"
    is_bounded: bool = True
    cells: dict[str, tuple[int, float, float]] = Field(default_factory=dict)


class DailyResult(Frozen):
    """What one bundle answered on one day. `absent` says why it was not asked at all; then all else is empty.

    `cases` is the digest of which cases were asked, so that only the same ones are compared.
    """

    day: str
    bundle: str
    role: str
    absent: str = ""
    suite: str = ""
    cases: str = ""
    n_cases: int = 0
    n_suite: int = 0
    n_answered: int = 0
    failures: dict[str, int] = Field(default_factory=dict)
    metrics: dict[str, DailyMetric] = Field(default_factory=dict)
    latency_p50_ms: float | None = None
    latency_p95_ms: float | None = None
    unscored: tuple[str, ...] = ()
    """Metrics that are not asked daily: a judge is paid by the question."""

    @property
    def n_failed(self) -> int:
        return sum(self.failures.values())


@dataclass(frozen=True, slots=True)
class DailySeen:
    """All daily evals of an upgrade. `latest` is by role; `changes` are shown ones only, within a bundle since its first day
    and between bundles on the last one. `trouble` is empty while nothing is wrong, and a finding for people otherwise.
    """

    n_days: int
    last_day: date | None
    latest: Mapping[str, DailyResult] = field(default_factory=dict)
    changes: tuple[Change, ...] = ()
    trouble: tuple[str, ...] = ()


def save_daily(store: UpgradeStore, upgrade: Upgrade, result: DailyResult, *, author: str, at: str) -> None:
    """Write down what a bundle answered today."""
    opening = upgrade.opening
    store.add_fact(KIND, opening.workflow, opening.upgrade, result.model_dump(mode="json"), author=author, at=at)


def list_daily(store: UpgradeStore, upgrade: Upgrade) -> list[DailyResult]:
    """All of an upgrade, oldest first. `TamperError` where one was changed into what none can be."""
    opening = upgrade.opening
    return [_read(one) for one in store.list_facts(opening.workflow, kind=KIND, subject=opening.upgrade)]


def last_trouble(store: UpgradeStore, upgrade: Upgrade) -> str:
    """What last kept a daily eval from running, if none was made since; empty where nothing does."""
    opening = upgrade.opening
    facts = store.list_facts(opening.workflow, kind=TROUBLE, subject=opening.upgrade)
    made = store.list_facts(opening.workflow, kind=KIND, subject=opening.upgrade)
    if not facts or (made and made[-1].number > facts[-1].number):
        return ""
    return str(facts[-1].body.get("trouble", ""))


def is_measured(store: UpgradeStore, upgrade: Upgrade, day: date) -> bool:
    """Whether both bundles have a result of this day."""
    found = {one.bundle for one in list_daily(store, upgrade) if one.day == day.isoformat()}
    return {upgrade.state.incumbent, upgrade.state.candidate} <= found


def daily_seen(store: UpgradeStore, upgrade: Upgrade, now: float) -> DailySeen:
    """What they show by now."""
    results = [one for one in list_daily(store, upgrade) if not one.absent]
    state = upgrade.state
    days = sorted({one.day for one in results})
    last = date.fromisoformat(days[-1]) if days else None
    latest: dict[str, DailyResult] = {}
    changes: list[Change] = []
    # Three comparisons a look, and the sum of 1/d² over all days d is below 5/3: together they stay within the level.
    looks = 5 * max(1, len(days)) ** 2
    for role, bundle in (("incumbent", state.incumbent), ("candidate", state.candidate)):
        own = [one for one in results if one.bundle == bundle]
        if own:
            latest[role] = own[-1]
            first = next(one for one in own if one.cases == own[-1].cases)
            changes += find_changes(f"{role} since {first.day}", _cells(first), _cells(own[-1]), looks=looks)
    if len(latest) == 2 and latest["incumbent"].day == latest["candidate"].day:
        old, new = latest["incumbent"], latest["candidate"]
        if old.cases == new.cases:
            changes += find_changes(f"candidate beside incumbent on {new.day}", _cells(old), _cells(new), looks=looks)
    told = [*filter(None, [last_trouble(store, upgrade)]), *_measuring(latest.values(), last, now, upgrade.opening.at)]
    told += [one.sentence for one in changes if one.is_worse]
    return DailySeen(len(days), last, latest, tuple(changes), tuple(told))


def _measuring(latest: Iterable[DailyResult], last: date | None, now: float, opened: float) -> list[str]:
    """What is wrong with measuring itself."""
    today = datetime.fromtimestamp(now, UTC).date()
    since = last or datetime.fromtimestamp(opened, UTC).date()
    told = []
    if (today - since).days >= LATE_DAYS:
        when = f"since {last}" if last else f"yet, {(today - since).days} days after it was opened"
        told.append(f"There was no daily eval {when}: a silent change would not be seen.")
    for one in latest:
        if one.n_cases and one.n_failed > MOST_FAILED * one.n_cases:
            reasons = ", ".join(f"{n} × {why}" for why, n in sorted(one.failures.items(), key=lambda pair: -pair[1])[:3])
            told.append(f"The {one.role} did not answer {one.n_failed} of {one.n_cases} cases on {one.day}: {reasons}.")
    return told


def _cells(one: DailyResult) -> list[Cell]:
    return [
        Cell(name, where, metric.better, metric.is_bounded, *sums)
        for name, metric in one.metrics.items()
        for where, sums in metric.cells.items()
    ]


def _read(fact: Fact) -> DailyResult:
    try:
        return DailyResult.model_validate(fact.body)
    except ValidationError as error:
        what = f"Fact {fact.number} ({KIND}) cannot be read back ({error.error_count()} faults)."
        raise TamperError(what, fix="Check the log: segue log verify.") from None
