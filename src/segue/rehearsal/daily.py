"""The daily eval on virtual time: `controller/daily_eval` asks the rehearsal's models in the place of the production endpoint.

Cases, scorers, figures and facts are those of the shipped job; what a bundle says that day is drawn anew, and troubles that are
on befall it as they befall traffic.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import numpy as np

from segue.controller.daily_desk import DailyDesk, prepare_daily, run_daily
from segue.controller.daily_eval import Answer, Asks, DailyEval
from segue.controller.effects import AUTHOR
from segue.controller.moments import iso
from segue.controller.reading import read_upgrade
from segue.controller.soak_lacks import daily_lacks
from segue.controller.suites import EvalJobs
from segue.controller.suites_endpoint import Endpoint
from segue.evals.arms import AnyScorer
from segue.model import Case, Exchange, Reply, Score
from segue.model.route import Route
from segue.rehearsal.crowd import Asker
from segue.rehearsal.preparing import Prepared
from segue.rehearsal.serving import Active, Counter
from segue.rehearsal.troubles import ArmName
from segue.scoring.base import Scorer
from segue.store.base import Store
from segue.upgrade.log import Upgrade

ENDPOINT = Endpoint("http://rehearsal.invalid", "")
"""Where nothing is asked over a network."""


@dataclass
class RehearsedDaily:
    """The work of a daily job. `route` and `active` are as they are at the moment."""

    prepared: Prepared
    store: Store
    clock: Callable[[], float]
    counter: Counter
    seed: int
    route: Callable[[], Route]
    active: Callable[[], Mapping[ArmName, Active]]
    _desk: DailyDesk | None = None

    def run(self, words: Sequence[str]) -> None:
        """As `segue daily WORKFLOW` would."""
        upgrade, at = read_upgrade(self.store, words[2]), iso(self.clock())
        if self._desk is None:
            self._desk = self._prepared(upgrade, at)
        desk = self._desk
        day = datetime.fromtimestamp(self.clock(), UTC).date()
        models = _Models(self, {case.case_id: place for place, case in enumerate(self.prepared.cases)}, day.toordinal())
        run_daily(self.store, upgrade, desk, models, day=day.isoformat(), author=AUTHOR, at=at)

    def _prepared(self, upgrade: Upgrade, at: str) -> DailyDesk:
        """Of the suite's cases those that the rehearsal has answers to."""
        desk = prepare_daily(self.prepared.workspace, self.store, upgrade, author=AUTHOR, at=at)
        known = {case.case_id for case in self.prepared.cases}
        arms = tuple(replace(one, arm=replace(one.arm, scorers=tuple(map(_remembering, one.arm.scorers)))) for one in desk.arms)
        return replace(desk, arms=arms, cases=tuple(case for case in desk.cases if case.case_id in known))


class _Remembered:
    """A scorer that is asked once for each output: what it says follows from case and reply, and those come again."""

    def __init__(self, scorer: Scorer) -> None:
        self._scorer = scorer
        self.identity, self.metrics = scorer.identity, scorer.metrics
        self._known: dict[tuple[str, int], tuple[Reply | None, Sequence[Score]]] = {}

    def score(self, case: Case, exchange: Exchange) -> Sequence[Score]:
        """As it said the first time."""
        # The reply is kept beside it: as long as it is, nothing else has its id.
        key = (case.case_id, id(exchange.reply))
        if key not in self._known:
            self._known[key] = exchange.reply, self._scorer.score(case, exchange)
        return self._known[key][1]


def _remembering(scorer: AnyScorer) -> AnyScorer:
    return _Remembered(scorer) if isinstance(scorer, Scorer) else scorer


@dataclass
class DailyEvals:
    """Begins each day's once, by the port that ships."""

    jobs: EvalJobs
    store: Store
    _day: str = ""
    _lacks: tuple[str, tuple[str, ...]] | None = None

    def keep_up(self, upgrade: Upgrade, now: float) -> None:
        """Whether today's was made is asked of the store once a day: it reads all of them."""
        day = iso(now)[:10]
        if day != self._day:
            self.jobs.keep_up(upgrade, now)
            self._day, self._lacks = day, None

    def lacks(self, upgrade: Upgrade, now: float) -> tuple[str, ...]:
        """What a soak waits for; of the daily evals alone, for nobody reads here. Worked out once a day, as it is measured."""
        # A real controller began today's at midnight, and not at the first look after it.
        self.keep_up(upgrade, now)
        day = iso(now)[:10]
        if self._lacks is None or self._lacks[0] != day:
            self._lacks = day, daily_lacks(self.store, upgrade, now)
        return self._lacks[1]


@dataclass
class _Models(DailyEval):
    """What both bundles say on one day."""

    daily: RehearsedDaily
    places: Mapping[str, int]
    day: int
    _luck: dict[int, list[float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__init__(ENDPOINT, self.daily.prepared.workflow.name)

    @asynccontextmanager
    async def _asking(self) -> AsyncIterator[Asks]:
        yield self._say

    async def _say(self, bundle: str, case: Case) -> tuple[Answer, str, float]:
        daily, place = self.daily, self.places[case.case_id]
        route, active = daily.route(), daily.active()
        if bundle not in (route.incumbent, route.candidate):
            return "no bundle", "no_bundle", 0.0
        if place not in self._luck:
            width = 2 + max((len(one.forms) for one in active.values()), default=0)
            self._luck[place] = np.random.default_rng([daily.seed, 5, self.day, place]).random(width).tolist()
        which, *chances = self._luck[place]
        answer, factor, _ = daily.counter.answer(bundle, Asker(None, place, case.slices), which, chances, active)
        ms = (answer.latency_ns or 0) * factor / 1e6
        reply = answer.outcome.reply
        return (answer.failure or "no answer", "", ms) if reply is None else (reply, "", ms)
