"""The daily evals through the production endpoint, as facts: written whole, read back, and what they show over the days.

One fact a day and bundle. `change` compares means of the same cases on two days, or of two bundles on one; how sure it is
allowed for all looks of an upgrade together. Pure but for reading facts; asking is `daily_eval`'s.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from itertools import takewhile

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
class DailyTrouble:
    """A finding for people. `key` is the same on every day that it lasts, so that it is told once; the sentence may not be."""

    key: str
    sentence: str
    is_absence: bool = False
    """That nothing was measured for days, whatever the reason."""


@dataclass(frozen=True, slots=True)
class DailySeen:
    """All daily evals of an upgrade. `latest` is by role; `changes` are shown ones only, within a bundle since its first day
    and between bundles on the last one. `troubles` is empty while nothing is wrong.
    """

    n_days: int
    last_day: date | None
    latest: Mapping[str, DailyResult] = field(default_factory=dict)
    changes: tuple[Change, ...] = ()
    troubles: tuple[DailyTrouble, ...] = ()

    @property
    def trouble(self) -> tuple[str, ...]:
        """In sentences."""
        return tuple(one.sentence for one in self.troubles)


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
    worse: list[DailyTrouble] = []
    # Three comparisons a look, and the sum of 1/d² over all days d is below 5/3: together they stay within the level.
    looks = 5 * max(1, len(days)) ** 2

    def compare(what: str, key: str, before: DailyResult, after: DailyResult) -> None:
        found = find_changes(what, _cells(before), _cells(after), looks=looks)
        changes.extend(found)
        worse.extend(DailyTrouble(f"{key}: {one.metric}", one.sentence) for one in found if one.is_worse)

    for role, bundle in (("incumbent", state.incumbent), ("candidate", state.candidate)):
        own = [one for one in results if one.bundle == bundle]
        if own:
            latest[role] = own[-1]
            first = next(one for one in own if one.cases == own[-1].cases)
            compare(f"{role} since {first.day}", f"{bundle[:12]} since {first.day}", first, own[-1])
    if len(latest) == 2 and latest["incumbent"].day == latest["candidate"].day:
        old, new = latest["incumbent"], latest["candidate"]
        if old.cases == new.cases:
            compare(f"candidate beside incumbent on {new.day}", f"{new.bundle[:12]} beside {old.bundle[:12]}", old, new)
    kept = last_trouble(store, upgrade)
    troubles = [DailyTrouble(_unmeasured(last), kept)] if kept else []
    troubles += [*_measuring(last, now, upgrade.opening.at), *_failing(latest.values(), results), *worse]
    return DailySeen(len(days), last, latest, tuple(changes), tuple(troubles))


def _unmeasured(last: date | None) -> str:
    """One trouble until there is another measurement, whatever keeps it from being made."""
    return f"unmeasured since {last or 'the opening'}"


def _measuring(last: date | None, now: float, opened: float) -> Iterator[DailyTrouble]:
    """What is wrong with measuring itself."""
    today = datetime.fromtimestamp(now, UTC).date()
    since = last or datetime.fromtimestamp(opened, UTC).date()
    if (today - since).days >= LATE_DAYS:
        when = f"since {last}" if last else f"yet, {(today - since).days} days after it was opened"
        told = f"There was no daily eval {when}: a silent change would not be seen."
        yield DailyTrouble(_unmeasured(last), told, is_absence=True)


def _failing(latest: Iterable[DailyResult], results: Sequence[DailyResult]) -> Iterator[DailyTrouble]:
    """Bundles that left too many cases without an answer."""
    for one in latest:
        if _is_failing(one):
            reasons = ", ".join(f"{n} × {why}" for why, n in sorted(one.failures.items(), key=lambda pair: -pair[1])[:3])
            told = f"The {one.role} did not answer {one.n_failed} of {one.n_cases} cases on {one.day}: {reasons}."
            own = [earlier for earlier in results if earlier.bundle == one.bundle]
            begun = list(takewhile(_is_failing, reversed(own)))[-1]
            yield DailyTrouble(f"{one.bundle[:12]} fails since {begun.day}", told)


def _is_failing(one: DailyResult) -> bool:
    return bool(one.n_cases) and one.n_failed > MOST_FAILED * one.n_cases


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
