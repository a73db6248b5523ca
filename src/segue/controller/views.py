"""What there is to show of an upgrade, worked out from log, facts, lease, route and gateways; rendered elsewhere.

Reads and changes nothing. Command line, HTTP API and dashboard show these values and work nothing out themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from segue.controller.actions import LOOK
from segue.controller.controller import LOOKS_A_CYCLE
from segue.controller.effects import DONE
from segue.controller.learnings import list_learnings
from segue.controller.led_faults import standing_fault
from segue.controller.moments import iso
from segue.controller.soak_facts import soak_facts_view
from segue.controller.views_next import next_steps
from segue.errors import NotFoundError
from segue.evidence.sequential.cells import POOLED
from segue.evidence.sequential.verdicts import Evidence
from segue.model import Json
from segue.model.plan import Plan, PlanGate
from segue.papers.upgrade_view import (
    BundleView,
    ClockView,
    ControllerView,
    EntryView,
    FaultView,
    GateView,
    GatewayView,
    HistoryView,
    LearningView,
    LookView,
    PlaceView,
    StatusView,
    SuiteView,
    WhyView,
)
from segue.store.base import Store
from segue.upgrade.decide import where
from segue.upgrade.event import DAY_S, lengths
from segue.upgrade.judgement_json import judgement_from_json
from segue.upgrade.log import Upgrade, UpgradeEntry
from segue.upgrade.state import ORDER, UpgradeState
from segue.upgrade.table import LIVE
from segue.upgrade.wanted import most_share

OLD_S = 120.0
"""A look younger than this is not said to be old, however short the plan's cycle."""


def lease_of(environment: str) -> str:
    """The name of the lease under which one controller acts for an environment."""
    return f"controller/{environment}"


def controller_view(store: Store, environment: str, now: float | None = None) -> ControllerView:
    """Who acts there. `now` only where time is virtual."""
    lease = store.find_lease(lease_of(environment), now=now)
    return ControllerView() if lease is None else ControllerView(lease.holder, lease.seconds)


def status_view(store: Store, upgrade: Upgrade, now: float, *, lease_now: float | None = None) -> StatusView:
    """One screen of an upgrade."""
    opening, state, plan = upgrade.opening, upgrade.state, upgrade.plan
    look, look_served_s = _last_look(store, upgrade, now)
    clock = _clock(upgrade, look_served_s, now)
    served_s = 0.0 if clock is None else clock.served_s
    revision, taught = _revision(store, upgrade), len(list_learnings(store, upgrade)) if state.is_ended else 0
    return StatusView(
        upgrade=opening.upgrade,
        workflow=opening.workflow,
        environment=opening.environment,
        at=iso(now),
        incumbent=_bundle(store, state.workflow, state.incumbent),
        candidate=_bundle(store, state.workflow, state.candidate),
        plan=opening.plan_name,
        opened_by=opening.by,
        opened_at=iso(opening.at),
        reason=opening.reason,
        despite=upgrade.despite,
        stage=state.stage,
        standing=state.standing,
        step=state.step if state.stage == "canary" else None,
        steps=len(plan.canary),
        share=most_share(state, plan),
        entered_at=iso(state.entered_at),
        entries=len(upgrade.entries),
        because=state.because,
        places=_places(upgrade),
        clock=clock,
        approvals=tuple(f"{one.by} ({one.reason})" for one in state.approvals),
        look=look,
        next=next_steps(upgrade, served_s=served_s, missing=None if look is None else look.missing, now=now, learnings=taught),
        controller=controller_view(store, opening.environment, lease_now),
        revision=revision,
        gateways=_gateways(store, upgrade),
        beside=soak_facts_view(store, upgrade, now),
        fault=_fault(store, upgrade),
    )


def history_view(store: Store, upgrade: Upgrade) -> HistoryView:
    """The log, oldest first, the opening before it."""
    opening = upgrade.opening
    done = _done(store, upgrade)
    return HistoryView(
        opening.upgrade,
        opening.workflow,
        opening.environment,
        (_opened(upgrade), *(_entry(upgrade, one, done) for one in upgrade.entries)),
        tuple(LearningView(one.at, one.by, one.about, one.text) for one in list_learnings(store, upgrade)),
    )


def why_view(store: Store, upgrade: Upgrade, number: int | None = None) -> WhyView:
    """One decision with its evidence; by default the last one that moved the upgrade. `NotFoundError` for one not there."""
    opening = upgrade.opening
    last = len(upgrade.entries)
    chosen = _last_moving(upgrade) if number is None else number
    if not 0 <= chosen <= last:
        raise NotFoundError(
            f"Upgrade {opening.upgrade} has no entry {chosen}; its last one is {last}.",
            fix=f"See them all: segue history {opening.workflow}",
        )
    if chosen == 0:
        return _why(upgrade, _opened(upgrade), {"plan": opening.plan.model_dump(mode="json", exclude_defaults=True)}, {})
    entry = upgrade.entries[chosen - 1]
    view = _entry(upgrade, entry, _done(store, upgrade))
    return _why(upgrade, view, entry.evidence, _seen_then(store, upgrade, entry))


# parts


def _why(upgrade: Upgrade, entry: EntryView, evidence: Mapping[str, Json], seen: Mapping[str, Json]) -> WhyView:
    """`seen` is the observation behind it: the decision's own, or the look that stood before a person who acted."""
    body = {**seen, **evidence}
    suite = body.get("suite")
    others = [*_texts(body, "incidents"), *_texts(body, "over_budget"), *_texts(body, "staging_faults")]
    gates, fault = _gates(upgrade, body.get("judgement"))
    at = body.get("at")
    return WhyView(
        upgrade=upgrade.opening.upgrade,
        workflow=upgrade.opening.workflow,
        environment=upgrade.opening.environment,
        entry=entry,
        seen_at=iso(float(at)) if isinstance(at, int | float) else None,
        gates=gates,
        suite=None if not isinstance(suite, dict) else SuiteView(suite["outcome"], suite["verdict"], _texts(suite, "reasons")),
        missing=_texts(body, "missing") if body.get("missing") is not None else None,
        others=(*others, *_texts(body, "disagreements"), *fault),
        revision=body.get("route"),
        served_s=body.get("served_s"),
        key=str(body.get("key", "")),
        evidence=evidence,
    )


def _seen_then(store: Store, upgrade: Upgrade, entry: UpgradeEntry) -> Mapping[str, Json]:
    """The look that an entry of a person's refers to."""
    number = entry.evidence.get("look")
    if not isinstance(number, int):
        return {}
    opening = upgrade.opening
    facts = store.list_facts(opening.workflow, kind=LOOK, subject=opening.upgrade, after=number - 1)
    found = next((one for one in facts if one.number == number), None)
    return found.body if found is not None and isinstance(found.body, dict) else {}


def _last_moving(upgrade: Upgrade) -> int:
    """The last entry after which the upgrade stood elsewhere."""
    before = [upgrade.opening.state, *(one.state for one in upgrade.entries)]
    for number in range(len(upgrade.entries), 0, -1):
        old, new = before[number - 1], before[number]
        if (old.stage, old.step, old.standing, old.candidate) != (new.stage, new.step, new.standing, new.candidate):
            return number
    return len(upgrade.entries)


def _opened(upgrade: Upgrade) -> EntryView:
    opening = upgrade.opening
    because = [opening.reason] if opening.reason else []
    because += [f"In spite of: {one}." for one in opening.despite]
    return EntryView(0, iso(opening.at), "opened", opening.by, where(opening.state), "", tuple(because))


def _entry(upgrade: Upgrade, entry: UpgradeEntry, done: frozenset[int]) -> EntryView:
    before = upgrade.entries[entry.number - 2].state if entry.number > 1 else upgrade.opening.state
    return EntryView(
        number=entry.number,
        at=iso(entry.at),
        event=entry.event,
        by=entry.by,
        place=where(entry.state),
        came_from=where(before),
        because=entry.because,
        effects=entry.effects,
        undone=() if entry.number in done else entry.effects,
    )


def _done(store: Store, upgrade: Upgrade) -> frozenset[int]:
    opening = upgrade.opening
    facts = store.list_facts(opening.workflow, kind=DONE, subject=opening.upgrade)
    return frozenset(one.body["number"] for one in facts if isinstance(one.body, dict))


def _fault(store: Store, upgrade: Upgrade) -> FaultView | None:
    """What keeps it from being led on. Of one that has ended with all of it carried out nobody looks any more."""
    found = standing_fault(store, upgrade.opening.upgrade)
    if found is None or (upgrade.state.is_ended and not _left(upgrade, _done(store, upgrade))):
        return None
    return FaultView(iso(found.since), found.what, found.fix)


def _left(upgrade: Upgrade, done: frozenset[int]) -> bool:
    """Whether something that its log asks for is still to be carried out."""
    return any(one.effects and one.number not in done for one in upgrade.entries)


def _last_look(store: Store, upgrade: Upgrade, now: float) -> tuple[LookView | None, float | None]:
    """The newest observation of this stage: the controller's last look, or what its last decision rests on."""
    opening, state = upgrade.opening, upgrade.state
    fact = store.newest_fact(LOOK, opening.upgrade)
    bodies = [one.evidence for one in upgrade.entries[-1:]]
    if fact is not None and isinstance(fact.body, dict):
        bodies.append(fact.body)
    known = [one for one in bodies if isinstance(one.get("at"), int | float)]
    if not known:
        return None, None
    body = max(known, key=lambda one: float(one["at"]))
    at = float(body["at"])
    if not state.is_ended and (state.stage not in LIVE or at < state.entered_at):
        # Of what nobody meets nothing is looked at again and again: the job says when it is done.
        return None, None
    gates, fault = _gates(upgrade, body.get("judgement"))
    missing = None if body.get("missing") is None else _texts(body, "missing")
    look = LookView(
        at=iso(at),
        age_s=now - at,
        is_old=now - at > max(OLD_S, 2 * upgrade.plan.cycle * DAY_S / LOOKS_A_CYCLE),
        gates=gates,
        missing=fault or missing,
        over_budget=_texts(body, "over_budget"),
        disagreements=_texts(body, "disagreements"),
        incidents=_texts(body, "incidents"),
        quiet_s=body.get("quiet_s"),
        figures=body.get("figures") or {},
    )
    return look, body.get("served_s")


def _clock(upgrade: Upgrade, look_served_s: float | None, now: float) -> ClockView | None:
    """Of a stage whose time counts. Shadow counts what was covered, which only a look knows."""
    state = upgrade.state
    if state.stage not in LIVE:
        return None
    least, longest = lengths(state, upgrade.plan)
    served_s = (look_served_s or 0.0) if state.stage == "shadow" else state.counted_s(now)
    return ClockView(served_s, least, longest, state.is_counting)


def _places(upgrade: Upgrade) -> tuple[PlaceView, ...]:
    state, plan = upgrade.state, upgrade.plan
    way: list[tuple[str, str, int, PlaceView]] = []
    for stage in ORDER:
        if stage == "canary":
            for index, step in enumerate(plan.canary):
                way.append((stage, "", index, PlaceView(f"step {index + 1}", "ahead", step.share, step.segment)))
        elif not (stage == "shadow" and not plan.shadow.length) and not (stage == "soak" and not plan.soak):
            way.append((stage, stage, 0, PlaceView("re-tune" if stage == state.stage == "retune" else stage, "ahead")))
    here = _reached(upgrade)
    at = next((place for place, (stage, _, step, _) in enumerate(way) if (stage, step) == here), 0)
    found = []
    for place, (_, _, _, view) in enumerate(way):
        standing = "behind" if place < at else "here" if place == at else "ahead"
        found.append(PlaceView(view.name, standing, view.share, view.segment))  # type: ignore[arg-type]
    if state.is_ended and state.stage != "completed":
        kept = found[: at + 1]
        kept[-1] = PlaceView(kept[-1].name, "left", kept[-1].share, kept[-1].segment)
        return (*kept, PlaceView(state.stage.replace("_", " "), "here"))
    return tuple(found)


def _reached(upgrade: Upgrade) -> tuple[str, int]:
    """The stage and step it is in, or was in when it ended."""
    states: list[UpgradeState] = [upgrade.opening.state, *(one.state for one in upgrade.entries)]
    last = next((one for one in reversed(states) if not one.is_ended or one.stage == "completed"), states[0])
    return ("eval" if last.stage == "retune" else last.stage), last.step


def _gates(upgrade: Upgrade, stored: Json) -> tuple[tuple[GateView, ...], tuple[str, ...]]:
    """The gates of a stored judgement; a sentence instead where it cannot be read."""
    if stored is None:
        return (), ()
    try:
        judgement = judgement_from_json(stored)
    except ValueError as error:
        return (), (f"What the gates showed cannot be read: {error}",)
    return tuple(_gate(upgrade, one) for one in judgement.cells), ()


def _gate(upgrade: Upgrade, one: Evidence) -> GateView:
    gate = _gate_of(upgrade.plan, one)
    factor = one.unit.factor
    settled = one.settlement
    low, high = _interval(one)
    return GateView(
        metric=one.metric,
        where="" if one.slice == POOLED else one.slice,
        verdict=one.verdict,
        sentence=one.sentence,
        hold="" if gate is None else gate.hold.words,
        rollback="" if gate is None else gate.rollback.words,
        is_required=gate is None or gate.required,
        is_critical=one.slice in upgrade.opening.critical,
        unit=one.unit.name,
        effect=_scaled(one.effect, factor),
        low=_scaled(low, factor),
        high=_scaled(high, factor),
        exposed=one.exposed,
        labelled=one.labelled,
        settled_by=None if settled is None else settled.outcomes,
        settled_in_days=None if settled is None else settled.days,
    )


def _interval(one: Evidence) -> tuple[float | None, float | None]:
    """Its ends; unknown where the estimate has left it.

    An interval lags a few blocks of time, and holds for a difference that stays. Where a model was changed under way, what was
    excluded before is no bound for what is now.
    """
    low, high = one.interval.low, one.interval.high
    if one.effect is not None and ((low is not None and one.effect < low) or (high is not None and one.effect > high)):
        return None, None
    return low, high


def _gate_of(plan: Plan, one: Evidence) -> PlanGate | None:
    """The gate a cell belongs to: of its own title, else of its metric, that on this slice before that on all."""
    named = [gate for gate in plan.gates if one.metric in (gate.title, gate.metric)]
    return next((gate for gate in named if gate.title == one.metric or one.slice in gate.only), named[0] if named else None)


def _scaled(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor


def _texts(body: Mapping[str, Json], name: str) -> tuple[str, ...]:
    found: Any = body.get(name)
    return tuple(str(one) for one in found) if isinstance(found, list | tuple) else ()


def _bundle(store: Store, workflow: str, digest: str) -> BundleView:
    label = next((name for name, target in sorted(store.labels(workflow).items()) if target == digest), "")
    try:
        return BundleView(digest, label, store.get_bundle(digest).bundle.model.snapshot)
    except NotFoundError:
        return BundleView(digest, label)


def _revision(store: Store, upgrade: Upgrade) -> int | None:
    try:
        return store.find_route(upgrade.opening.workflow, upgrade.opening.environment).revision
    except NotFoundError:
        return None


def _gateways(store: Store, upgrade: Upgrade) -> tuple[GatewayView, ...]:
    workflow = upgrade.opening.workflow
    return tuple(
        GatewayView(one.said.name, one.said.revisions.get(workflow), one.age_s, one.said.refused.get(workflow, ""))
        for one in store.list_gateways(upgrade.opening.environment)
    )
