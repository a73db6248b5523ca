"""What is noted of a rehearsal while it runs: the upgrade's log in words, and the traffic day by day."""

from __future__ import annotations

from dataclasses import dataclass, field

from segue.model.route import Route
from segue.rehearsal.clock import DAY_S
from segue.rehearsal.result import DayRow, Ending, Rehearsed, Told
from segue.rehearsal.serving import Tally
from segue.upgrade.decide import where
from segue.upgrade.log import Upgrade
from segue.upgrade.state import UpgradeState

QUIET = frozenset(("confirmed",))
"""Events that say nothing to a reader of the story."""
ALARMS = frozenset(("harm", "harm_hold", "invalid", "critical_incident"))


@dataclass
class _Day:
    tally: Tally = field(default_factory=Tally)
    where: str = ""
    share: float = 0.0


@dataclass
class Diary:
    """Of one run. `story` grows with the upgrade's log."""

    upgrade: Upgrade
    begin: float
    story: list[Told] = field(default_factory=list)
    alarms: int = 0
    requests: int = 0
    _days: dict[int, _Day] = field(default_factory=dict)
    _units: set[str] = field(default_factory=set)
    _seen: int = 0

    @property
    def where(self) -> str:
        """`canary 5 %`."""
        return in_words(self.upgrade.state, self.upgrade.plan.canary)

    @property
    def exposed(self) -> int:
        """Units that met the candidate."""
        return len(self._units)

    def served(self, begin: float, tally: Tally, route: Route) -> None:
        """A stretch of traffic, on the day it began."""
        day = self._days.setdefault(int((begin - self.begin) // DAY_S), _Day())
        total = day.tally
        for name in ("n", "exposed", "shadowed", "failed", "fell_back", "worse", "better", "cost_microusd"):
            setattr(total, name, getattr(total, name) + getattr(tally, name))
        for arm, (value, n) in tally.right.items():
            before, m = total.right.get(arm, (0.0, 0))
            total.right[arm] = (before + value, m + n)
        day.where, day.share = self.where, max([route.share, *(one.share for one in route.segments)])
        self._units |= tally.units
        self.requests += tally.n

    def looked(self, upgrade: Upgrade) -> None:
        """What was written into the log since."""
        self.upgrade = upgrade
        for entry in upgrade.entries[self._seen :]:
            self.alarms += entry.event in ALARMS
            if entry.event not in QUIET:
                place = in_words(entry.state, upgrade.plan.canary)
                day = (entry.at - self.begin) / DAY_S
                self.story.append(Told(day, place, entry.event, entry.by, entry.because, self.exposed))
        self._seen = len(upgrade.entries)

    def close(self, ending: Ending, seed: int, now: float, remarks: tuple[str, ...]) -> Rehearsed:
        """The whole of it."""
        rows = tuple(_row(day, one) for day, one in sorted(self._days.items()))
        tallies = [one.tally for one in self._days.values()]
        return Rehearsed(
            ending=ending,
            where=self.where,
            seed=seed,
            days=(now - self.begin) / DAY_S,
            requests=self.requests,
            shadowed=sum(one.shadowed for one in tallies),
            exposed_units=self.exposed,
            exposed_requests=sum(one.exposed for one in tallies),
            worse=sum(one.worse for one in tallies),
            better=sum(one.better for one in tallies),
            failed=sum(one.failed for one in tallies),
            cost_usd=sum(one.cost_microusd for one in tallies) / 1e6,
            alarms=self.alarms,
            story=tuple(self.story),
            by_day=rows,
            remarks=remarks,
        )


def in_words(state: UpgradeState, steps: tuple[object, ...]) -> str:
    """`canary 5 %`, `soak (holding)`."""
    if state.stage != "canary":
        return where(state)
    share = getattr(steps[state.step], "share", 0.0)
    segment = getattr(steps[state.step], "segment", None)
    of = f" of {segment}" if segment else ""
    return f"canary {share * 100:.3g} %{of}" + ("" if state.standing == "going" else f" ({state.standing})")


def _row(day: int, one: _Day) -> DayRow:
    tally = one.tally
    return DayRow(
        day=day,
        where=one.where,
        share=one.share,
        requests=tally.n,
        shadowed=tally.shadowed,
        exposed=tally.exposed,
        incumbent_right=_rate(tally.right.get("incumbent")),
        candidate_right=_rate(tally.right.get("candidate")),
        failed=tally.failed,
        fell_back=tally.fell_back,
        worse=tally.worse,
        better=tally.better,
        cost_usd=tally.cost_microusd / 1e6,
    )


def _rate(sums: tuple[float, int] | None) -> float | None:
    return None if sums is None or not sums[1] else sums[0] / sums[1]
