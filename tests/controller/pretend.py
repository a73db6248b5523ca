"""A world on virtual time for the controller: a real store, pretended ports, and trouble at any of their calls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from segue.controller.controller import Controller, Took
from segue.controller.moments import iso
from segue.controller.ports import LiveSeen, Standstill, Unheard
from segue.controller.reading import read_record
from segue.controller.world import World
from segue.errors import StoreError
from segue.evidence.sequential.verdicts import Judgement
from segue.gates.verdict import Outcome
from segue.model import Bundle
from segue.model.plan import Plan, PlanGate, PlanStep, ShadowSpec
from segue.model.route import Route, RouteRevision
from segue.store import open_store
from segue.store.base import Store
from segue.upgrade.decide import act
from segue.upgrade.log import Opening, Upgrade, UpgradeEntry
from segue.upgrade.seen import SuiteSeen
from segue.upgrade.table import Action
from segue.upgrade.wanted import most_share

DAY = 86_400.0
WORKFLOW = "w"
PLAN = Plan(
    steps=(PlanStep(share=0.05, hold=1), PlanStep(share=0.25, hold=2), PlanStep(share=0.5, hold=1)),
    gates=(PlanGate(metric="right"),),
    shadow=ShadowSpec(length=1),
    soak=2,
)


class Killed(BaseException):
    """The process is gone: nothing after it runs, and nobody catches it."""


def judged(verdict: str, limit: str | None = None) -> Judgement:
    """A judgement without cells."""
    return Judgement(verdict, limit, 0.0, 0.0, (), ())  # type: ignore[arg-type]


@dataclass
class Pretend:
    """The ports. What they answer is set by the test; what was asked of them is kept."""

    now: float = 1_800_000_000.0
    verdict: str = "safe"
    limit: str | None = None
    is_quiet: bool = False
    suite: Outcome = "pass"
    answers: bool | None = True
    heard_at: float = 1_800_000_000.0
    serving: bool = True
    missing: tuple[str, ...] | None = ()
    started: list[tuple[str, str, int]] = field(default_factory=list)
    sent: list[tuple[str, int]] = field(default_factory=list)
    incidents: list[tuple[str, int]] = field(default_factory=list)

    # live evidence
    def look(self, upgrade: Upgrade, now: float) -> LiveSeen:
        """As the test has it; the time of a stage counts as its periods have it."""
        return LiveSeen(
            judgement=judged(self.verdict, self.limit),
            missing=self.missing,
            quiet_s=10 * DAY if self.is_quiet else 1.0,
            covered_s=upgrade.state.counted_s(now),
        )


@dataclass
class Answers:
    """Grounds, suites, staging, gateways, incumbent and notices in one."""

    pretend: Pretend

    def missing(self, upgrade: Upgrade) -> tuple[str, ...] | None:
        return ()

    def serve(self, revision: RouteRevision) -> bool:
        return self.pretend.serving

    def tell(self, revision: RouteRevision) -> None:
        """Heard."""

    def answers(self, upgrade: Upgrade, now: float) -> bool | None:
        return self.pretend.answers

    def unheard(self, upgrade: Upgrade, now: float) -> Unheard | None:
        return Unheard(now - self.pretend.heard_at, "no key") if self.pretend.answers is None else None

    def send(self, upgrade: Upgrade, entry: UpgradeEntry) -> None:
        self.pretend.sent.append((upgrade.opening.upgrade, entry.number))


@dataclass
class Jobs:
    """Suites or staging: finished as soon as begun."""

    pretend: Pretend
    what: str

    def start(self, upgrade: Upgrade, number: int) -> None:
        self.pretend.started.append((self.what, upgrade.opening.upgrade, number))

    def standstill(self, upgrade: Upgrade) -> Standstill | None:
        """Nothing takes long here."""

    def keep_up(self, upgrade: Upgrade, now: float) -> None:
        """Nothing daily here."""

    def seen(self, upgrade: Upgrade) -> Any:
        begun = any(what == self.what and name == upgrade.opening.upgrade for what, name, _ in self.pretend.started)
        if self.what == "staging":
            return (True if begun else None), ()
        outcome = self.pretend.suite
        return SuiteSeen(outcome, may_migrate=outcome == "pass", verdict="v") if begun else None


class Trouble:
    """Stands before an object and lets each call go wrong: `before` it happens, or after it has happened."""

    def __init__(self, inner: Any, told: Callable[[str, str], None]) -> None:
        self._inner, self._told = inner, told

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if not callable(found):
            return found

        def call(*given: Any, **named: Any) -> Any:
            self._told("before", name)
            result = found(*given, **named)
            self._told("after", name)
            return result

        return call


def no_trouble(when: str, name: str) -> None:
    """All goes well."""


class Stage:
    """A workflow with two bundles and a route, and controllers that may lead its upgrade."""

    def __init__(self, store: Store | None = None, plan: Plan = PLAN) -> None:
        self.store = store or open_store("memory:")
        self.plan, self.pretend = plan, Pretend()
        self.old, self.new = (self._bundle(name) for name in ("old", "new"))
        route = Route(workflow=WORKFLOW, incumbent=self.old)
        self.store.flip_route(route, follows=None, author="ada", reason="first", at=self.at)
        self.shares: list[tuple[float, float]] = []
        """Of every flip of a controller: the share it brought, and the most that plan and log allowed at that moment."""
        self.trouble: Callable[[str, str], None] = no_trouble

    @property
    def at(self) -> str:
        """Now."""
        return iso(self.pretend.now)

    def open(self, name: str = "u1") -> None:
        """Begin an upgrade."""
        opening = Opening(
            upgrade=name,
            workflow=WORKFLOW,
            incumbent=self.old,
            candidate=self.new,
            plan=self.plan,
            by="ada",
            at=self.pretend.now,
        )
        body = opening.model_dump(mode="json")
        self.store.open_upgrade(name, WORKFLOW, "production", body, author="ada", at=self.at)

    def controller(self, holder: str = "c1", trouble: Callable[[str, str], None] | None = None) -> Controller:
        """A fresh one, which knows nothing of those before it."""

        def told(when: str, name: str) -> None:
            if name == "flip_route" and when == "before":
                self._before = self.upgrade().state
            (trouble or self.trouble)(when, name)
            if name == "flip_route" and when == "after":
                route = self.route()
                share = max([route.share, *(one.share for one in route.segments)])
                self.shares.append((share, most_share(self.upgrade().state, self.plan)))

        pretend, answers = self.pretend, Answers(self.pretend)
        world = World(
            store=Trouble(self.store, told),
            clock=lambda: self.pretend.now,
            live=Trouble(pretend, told),
            grounds=Trouble(answers, told),
            suites=Trouble(Jobs(pretend, "suite"), told),
            staging=Trouble(Jobs(pretend, "staging"), told),
            gateways=Trouble(answers, told),
            incumbent=Trouble(answers, told),
            notices=Trouble(answers, told),
            incident=lambda upgrade, entry: pretend.incidents.append((upgrade.opening.upgrade, entry.number)),
        )
        return Controller(world, holder, keeps_time=False)

    def upgrade(self, name: str = "u1") -> Upgrade:
        """As the store has it."""
        return read_record(self.store.get_upgrade(name))

    def route(self) -> Route:
        """In force."""
        return self.store.find_route(WORKFLOW, "production").route

    def person(self, action: Action, by: str = "ada") -> None:
        """Somebody acts, with no controller's help."""
        upgrade = self.upgrade()
        revision = self.store.find_route(WORKFLOW, "production").revision
        decision = act(upgrade.state, action, self.plan, by=by, reason="because", at=self.pretend.now)
        entry = UpgradeEntry(
            upgrade=upgrade.opening.upgrade,
            number=decision.state.number,
            event=decision.event,
            by=by,
            at=self.pretend.now,
            because=decision.because,
            effects=decision.effects,
            evidence={"route": revision},
            state=decision.state,
        )
        self.store.add_upgrade_entry(
            entry.upgrade,
            entry.number,
            entry.model_dump(mode="json"),
            ends=entry.state.is_ended,
            fence=None,
            author=by,
            at=self.at,
        )

    def days(self, controller: Controller, days: float, each: float = DAY / 4) -> list[Took]:
        """Let time pass, a look every `each` seconds; gives what was done."""
        done: list[Took] = []
        for _ in range(round(days * DAY / each)):
            self.pretend.now += each
            done += controller.tick() or []
        return done

    def _bundle(self, name: str) -> str:
        bundle = Bundle.model_validate({"workflow": WORKFLOW, "model": {"provider": "p", "snapshot": name}})
        self.store.add_bundle(bundle, author="ada", at=self.at)
        return bundle.digest


def gone(when: str, name: str) -> None:
    """The database does not answer."""
    raise StoreError("It is gone.", fix="Wait.")
