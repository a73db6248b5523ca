"""`LogEvidence`: what the exchange log shows of an upgrade in shadow, canary and soak. The port `LiveEvidence`, as it ships.

It remembers what it read, so that a look costs what came since the last one, and comes to the same having remembered nothing.
What is bet is `live_shadow`'s, `live_canary`'s and `live_soak`'s; in which blocks, `live_feed`'s. It decides nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar

from segue.controller.live_blocks import DAY_S, last_state
from segue.controller.live_canary import Canary
from segue.controller.live_disagreements import disagreements
from segue.controller.live_feed import Feed, Timing, make_feed, timing_of
from segue.controller.live_incidents import Incidents
from segue.controller.live_levels import KeptLevels, Levels, freeze, wanted_levels
from segue.controller.live_operations import Operations
from segue.controller.live_rows import Reader
from segue.controller.live_shadow import Shadow
from segue.controller.live_soak import Soak
from segue.controller.ports import LiveSeen
from segue.errors import InputError
from segue.evidence.sequential.verdicts import Judgement
from segue.exchanges.query import ExchangeLog
from segue.gates.report import Report
from segue.model import Budgets, Json
from segue.simulation.setting import Setting
from segue.simulation.soak import planned_blocks
from segue.simulation.step_limits import for_canary
from segue.upgrade.log import Upgrade
from segue.upgrade.seen import OverBudget
from segue.upgrade.settled import setting_of
from segue.upgrade.state import UpgradeState

T = TypeVar("T")


def _no_report(upgrade: Upgrade) -> Report | None:  # noqa: ARG001  the signature is the port's
    """For those who have no suite's verdict at hand."""
    return None


def _no_budgets(workflow: str) -> Budgets:  # noqa: ARG001  the signature is the port's
    """For workflows without any."""
    return Budgets()


@dataclass
class _Read(Generic[T]):
    """One stage of one upgrade, as far as it was read. `key` says what it is of: with another, everything begins anew."""

    key: tuple[object, ...]
    feed: Feed
    evidence: T
    turn: int = 0
    incidents: Incidents | None = None
    answer: tuple[tuple[object, ...], Judgement | None, tuple[str, ...]] | None = None


@dataclass
class LogEvidence:
    """Of every upgrade whose traffic is in `log`. Without a `timing`, each has its plan's.

    `report` is the suite's on an upgrade's candidate, `budgets` are a workflow's.
    """

    log: ExchangeLog
    timing: Timing | None = None
    levels: Levels = field(default_factory=KeptLevels)
    report: Callable[[Upgrade], Report | None] = _no_report
    budgets: Callable[[str], Budgets] = _no_budgets
    _settings: dict[str, Setting] = field(default_factory=dict)
    _shadows: dict[str, _Read[Shadow]] = field(default_factory=dict)
    _canaries: dict[str, _Read[Canary]] = field(default_factory=dict)
    _soaks: dict[str, _Read[Soak]] = field(default_factory=dict)

    def look(self, upgrade: Upgrade, now: float) -> LiveSeen:
        """What live traffic shows of the stage it is in. `StoreError` where the log cannot be read just now."""
        state = upgrade.state
        if state.stage == "shadow":
            return self._look_at_shadow(upgrade, now)
        if state.stage == "canary":
            return self._look_at_canary(upgrade, now)
        if state.stage == "soak":
            return self._look_at_soak(upgrade, now)
        return LiveSeen()

    def _setting(self, upgrade: Upgrade) -> Setting:
        """Worked out once: how an upgrade was opened never changes."""
        name = upgrade.opening.upgrade
        if name not in self._settings:
            self._settings[name] = setting_of(upgrade.opening)
        return self._settings[name]

    def _look_at_shadow(self, upgrade: Upgrade, now: float) -> LiveSeen:
        name, state = upgrade.opening.upgrade, upgrade.state
        setting = self._setting(upgrade)
        alpha = setting.alpha_of("shadow", state.restarts)

        def begin(_: Feed) -> Shadow:
            return Shadow.start(setting, alpha=alpha, since=state.evidence_from)

        # The halves of a pair are judged by what both said at once: no metric of shadow has an age.
        ages = (0.0,) * len(setting.streams)
        read = self._shadows.get(name)
        read = self._shadows[name] = self._read(read, upgrade, state, setting, {}, ages, begin, now)
        shadow = read.evidence
        for due in read.feed.due(now):
            shadow.take(due)
            read.turn += 1
        judgement, missing = _answered(read, state, lambda: (shadow.judgement(), tuple(shadow.missing())))
        figures: dict[str, Json] = {
            "pairs": shadow.pairs,
            "served": shadow.served,
            "mirrored": shadow.mirrored,
            "answered": shadow.answered,
            "coverage": shadow.answered / shadow.served if shadow.served else None,
            "covered_s": shadow.covered_s,
            "counting_s": shadow.counting_s,
            **_common(read.feed, shadow.blocks, alpha, state.restarts, shadow.operations),
        }
        return self._seen(upgrade, read, setting, judgement, missing, shadow.covered_s, figures, None, now)

    def _look_at_canary(self, upgrade: Upgrade, now: float) -> LiveSeen:
        read, setting, levels, _ = self._canary(upgrade, now)
        state, canary = upgrade.state, read.evidence

        def answer() -> tuple[Judgement | None, tuple[str, ...]]:
            unknown = _unknown_levels(upgrade, levels)
            return canary.judgement(state.step), (*canary.missing(state.step), *unknown)

        judgement, missing = _answered(read, state, answer)
        exposed, _, begin, end = canary.by_step.get(state.step, (None, None, 0.0, 0.0))
        drawn = canary.drawn
        figures: dict[str, Json] = {
            "exposed": {"incumbent": int(canary.all_exposed[0, 0]), "candidate": int(canary.all_exposed[1, 0])},
            "exposed_in_step": 0 if exposed is None else int(exposed[0]),
            "step_read_s": end - begin,
            "exposed_beside": dict(canary.members.met),
            "share_seen": drawn[1] / sum(drawn) if any(drawn) else None,
            "share_planned": setting.steps[state.step].share,
            "levels": dict(levels),
            **_common(read.feed, canary.blocks, canary.alpha, state.restarts, canary.operations),
        }
        covered = state.counted_s(now)
        return self._seen(upgrade, read, canary.setting, judgement, missing, covered, figures, canary.operations, now)

    def _look_at_soak(self, upgrade: Upgrade, now: float) -> LiveSeen:
        canary, setting, levels, is_anew = self._canary(upgrade, now)
        name, state = upgrade.opening.upgrade, upgrade.state
        alpha = setting.alpha_of("soak", state.restarts)
        ages = _ages(setting)
        known = self._soaks.get(name)
        if is_anew:
            # The level that the soak compares with is the canary's: where that is counted anew, so is this.
            known = None

        def begin(feed: Feed) -> Soak:
            memory = canary.evidence.grid.groups[0].harm.memory
            return Soak.start(setting, feed.told, alpha=alpha, since=state.evidence_from, memory=memory, ages=ages)

        read = self._soaks[name] = self._read(known, upgrade, state, setting, levels, ages, begin, now)
        soak = read.evidence
        for due in read.feed.due(now):
            # The canary's last outcomes of this age came of age before, and went into the level.
            soak.memory = canary.evidence.grid.groups[0].harm.memory
            soak.take(due)
            read.turn += 1
        unknown = _unknown_levels(upgrade, levels)
        judgement, missing = _answered(read, state, lambda: (soak.judgement(), (*soak.missing(), *unknown)))
        figures: dict[str, Json] = {
            "exposed": {"incumbent": int(soak.exposed[0, 0]), "candidate": int(soak.exposed[1, 0])},
            "control": "a live holdback" if soak.is_live else "the incumbent's level as the canary recorded it",
            "holdback": setting.plan.holdback,
            "detectors_begun_anew": max((one.turn for one in soak.watches.values()), default=0),
            "levels": dict(levels),
            **_common(read.feed, soak.blocks, alpha, state.restarts, soak.operations),
        }
        covered = state.counted_s(now)
        return self._seen(upgrade, read, setting, judgement, missing, covered, figures, soak.operations, now)

    def _canary(self, upgrade: Upgrade, now: float) -> tuple[_Read[Canary], Setting, Mapping[str, float], bool]:
        """The canary, read up to now, and whether all of it was read anew."""
        state = last_state(upgrade, "canary")
        assert state is not None, "a soak follows a canary"
        setting = self._setting(upgrade)
        levels = self._frozen(upgrade, state, now)
        alpha = setting.alpha_of("canary", state.restarts)

        def begin(feed: Feed) -> Canary:
            return Canary.start(for_canary(setting), feed.told, alpha=alpha, since=state.evidence_from)

        name = upgrade.opening.upgrade
        known = self._canaries.get(name)
        read = self._read(known, upgrade, state, setting, levels, _ages(setting), begin, now)
        is_anew = known is None or read.evidence is not known.evidence
        self._canaries[name] = read
        for due in read.feed.due(now):
            read.evidence.take(due)
            read.turn += 1
        return read, setting, levels, is_anew

    def _read(
        self,
        known: _Read[T] | None,
        upgrade: Upgrade,
        state: UpgradeState,
        setting: Setting,
        levels: Mapping[str, float],
        ages: tuple[float, ...],
        begin: Callable[[Feed], T],
        now: float,
    ) -> _Read[T]:
        """The stage with everything that came to the log; what was made of it before is kept unless it begins anew."""
        key = (state.stage, state.evidence_from, state.restarts, state.candidate, tuple(sorted(levels.items())))
        if known is None or known.key != key:
            feed = self._feed(upgrade, state, setting, levels, ages)
            known = _Read(key, feed, begin(feed), incidents=Incidents(self.log))
        if known.feed.follow(upgrade, now):
            known = replace(known, evidence=begin(known.feed), turn=0, answer=None)
        return known

    def _feed(
        self, upgrade: Upgrade, state: UpgradeState, setting: Setting, levels: Mapping[str, float], ages: tuple[float, ...]
    ) -> Feed:
        opening, stage = upgrade.opening, state.stage
        reader = Reader.of(setting, opening.environment, opening.incumbent, state.candidate, levels)
        timing = self._timing(upgrade)
        if stage == "soak":
            timing = replace(timing, block_s=upgrade.plan.soak * DAY_S / planned_blocks(setting))
        holds = tuple(step.hold for step in setting.steps) if stage == "canary" else ()
        return make_feed(self.log, reader, upgrade, stage, state.evidence_from, ages=ages, timing=timing, hold_days=holds)

    def _timing(self, upgrade: Upgrade) -> Timing:
        return timing_of(upgrade.plan) if self.timing is None else self.timing

    def _frozen(self, upgrade: Upgrade, state: UpgradeState, now: float) -> Mapping[str, float]:
        """The levels written down; where none are, and all that is needed is in the log, now."""
        if not wanted_levels(upgrade):
            return {}
        known = self.levels.get(upgrade)
        if known is None and now >= state.evidence_from + self._timing(upgrade).settle_s:
            self.levels.keep(upgrade, freeze(self.log, upgrade, state.evidence_from), now)
            known = self.levels.get(upgrade)
        return known or {}

    def _seen(
        self,
        upgrade: Upgrade,
        read: _Read[T],
        setting: Setting,
        judgement: Judgement | None,
        missing: tuple[str, ...],
        covered_s: float,
        figures: Mapping[str, Json],
        operations: Operations | None,
        now: float,
    ) -> LiveSeen:
        feed, report = read.feed, self.report(upgrade)
        try:
            over_budget = tuple(self._over_budget(upgrade, operations))
        except InputError as error:
            # A fault in somebody's file lets nothing pass, and hides no harm.
            over_budget, missing = (), (*missing, f"The workflow's budgets cannot be read: {error.what}")
        assert read.incidents is not None, "they are made with the feed"
        return LiveSeen(
            judgement=judgement,
            missing=missing,
            quiet_s=None if feed.newest is None else max(0.0, now - feed.newest),
            covered_s=covered_s,
            incidents=read.incidents.of(upgrade, feed.told.incidents),
            over_budget=over_budget,
            disagreements=() if report is None or judgement is None else tuple(disagreements(setting, judgement, report)),
            figures=figures,
        )

    def _over_budget(self, upgrade: Upgrade, operations: Operations | None) -> Iterator[OverBudget]:
        """The workflow's budgets, each replaced by the plan's own where that has one."""
        if operations is None:
            return
        budgets = self.budgets(upgrade.opening.workflow)
        own = upgrade.plan.budgets
        mine = {name: value for name in Budgets.model_fields if (value := getattr(own, name, None)) is not None}
        yield from operations.over(budgets.model_copy(update=mine), own.usd_per_day)


def _answered(
    read: _Read[T], state: UpgradeState, work_out: Callable[[], tuple[Judgement | None, tuple[str, ...]]]
) -> tuple[Judgement | None, tuple[str, ...]]:
    """Judgement and what is missing; those of the last look where nothing has come of age since."""
    key = (read.turn, state.stage, state.step)
    if read.answer is None or read.answer[0] != key:
        read.answer = (key, *work_out())
    return read.answer[1], read.answer[2]


def _common(feed: Feed, blocks: int, alpha: float, restarts: int, operations: Operations) -> dict[str, Json]:
    return {
        "blocks": blocks,
        "read_until": feed.frontier,
        "late_records": feed.late,
        "waiting_records": feed.waiting,
        "unreadable_outcomes": feed.told.unreadable,
        "alpha": alpha,
        "restarts": restarts,
        "operations": operations.as_json(),
    }


def _unknown_levels(upgrade: Upgrade, levels: Mapping[str, float]) -> tuple[str, ...]:
    required = {gate.metric for gate in upgrade.plan.gates if gate.required}
    return tuple(
        f"{metric}: too little was served by the incumbent beforehand to know the level that it is held against."
        for metric in wanted_levels(upgrade)
        if metric not in levels and metric in required
    )


def _ages(setting: Setting) -> tuple[float, ...]:
    return tuple(stream.age * DAY_S for stream in setting.streams)


__all__ = ["LogEvidence", "Timing"]
