"""Drills: a rollback practised for real, with its times, after which the route is as it was.

In staging the candidate is given everyone, then taken back. On a holdback of production so many of the candidate's users go
back to the incumbent for a moment: never anybody to the candidate whom the plan did not give it. What a drill begins is written
down first, so that one that was cut off is found, and put right by the next (`unfinished`, `repair`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import ValidationError

from segue.controller.moments import iso
from segue.errors import ConflictError, InputError, NotFoundError
from segue.gateway.control import Confirmed
from segue.model import Json
from segue.model.route import Route, RouteRevision
from segue.store.base import Store

DRILL = "drill"
"""The kind of fact. Its subject is the drill."""
SURE_S = 120.0
"""A drill takes seconds: a route of one that began longer ago was left behind."""
HOLDBACK = 0.02
DrillKind = Literal["staging", "holdback"]
Confirm = Callable[[RouteRevision], list[Confirmed]]
"""Waits until every gateway that lives serves it, and gives what each said."""


@dataclass(frozen=True, slots=True)
class DrillAsked:
    """What to rehearse: of which workflow, where, with which candidate (of `holdback`: the route's), by whom."""

    name: str
    workflow: str
    environment: str
    kind: DrillKind
    by: str
    candidate: str | None = None


@dataclass(frozen=True, slots=True)
class Drilled:
    """How it went. `ok`: at least one gateway, and each confirmed every flip; the route is as it was found."""

    name: str
    kind: DrillKind
    environment: str
    flip_ms: float | None
    rollback_ms: float | None
    gateways: int
    faults: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether it counts as a rollback that was practised."""
        return not self.faults and self.gateways > 0


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A drill that was cut off: what the route was before, and what to do."""

    name: str
    workflow: str
    environment: str
    kind: DrillKind
    before: Route
    at: str
    began: float

    def sentence(self) -> str:
        """For whoever looks at the route."""
        again = f"segue drill {self.workflow}" + (
            " --holdback" if self.kind == "holdback" else f" --environment {self.environment}"
        )
        return f"A drill of {self.at} was cut off, and the route is not as it was before it. Put it right: {again}"


def run_drill(store: Store, asked: DrillAsked, confirm: Confirm, *, ticks: Callable[[], float], now: float) -> Drilled:
    """Flip, take back, and leave the route as it was, also when interrupted. `InputError` where nothing can be rehearsed."""
    before = store.find_route(asked.workflow, asked.environment)
    there, back = _routes(before.route, asked)
    run = _Run(store, asked, confirm, ticks, now, before)
    run.note("begun", {"before": before.revision, "route": before.route.model_dump(mode="json"), "began": now})
    try:
        run.flip(there, "flip")
        run.flip(back, "rollback")
    finally:
        # Also after Ctrl-C. Where even this is cut off, the next drill finds what was begun.
        drilled = run.end()
    return drilled


def unfinished(store: Store, workflow: str, environment: str) -> Unfinished | None:
    """The last drill there, if it was cut off and its route is in force still."""
    found = next((body for body in _bodies(store, workflow) if body.get("environment") == environment), None)
    if found is None or found.get("phase") != "begun":
        return None
    try:
        revision = store.find_route(workflow, environment)
        before = Route.model_validate(found["route"])
    except (NotFoundError, ValidationError, KeyError):
        return None
    name = str(found.get("drill"))
    if not is_of_drill(revision, name) or revision.route == before:
        return None
    kind: DrillKind = "holdback" if found.get("kind") == "holdback" else "staging"
    began = found.get("began")
    return Unfinished(
        name, workflow, environment, kind, before, str(found.get("at")), float(began) if isinstance(began, int | float) else 0.0
    )


def repair(store: Store, left: Unfinished, confirm: Confirm, *, by: str, now: float) -> list[Confirmed]:
    """Put the route back to what it was before a drill that was cut off."""
    last = store.find_route(left.workflow, left.environment)
    if not is_of_drill(last, left.name):
        return []
    said = {"author": by, "reason": f"drill {left.name}: as it was, after it was cut off", "at": iso(now)}
    restored = store.flip_route(left.before.following(last.route), follows=last.revision, **said)  # type: ignore[arg-type]
    confirmed = confirm(restored)
    body: dict[str, Json] = {"drill": left.name, "phase": "repaired", "environment": left.environment, "kind": left.kind}
    store.add_fact(DRILL, left.workflow, left.name, {**body, "ok": False}, author=by, at=iso(now))
    return confirmed


def is_under_way(store: Store, revision: RouteRevision, now: float) -> bool:
    """Whether this revision is of a drill that is going on: nobody changed the route for good."""
    left = unfinished(store, revision.route.workflow, revision.route.environment)
    return left is not None and 0 <= now - left.began <= SURE_S


def is_of_drill(revision: RouteRevision, name: str) -> bool:
    """Whether this drill put it in force, other than at its end."""
    return revision.reason.startswith(f"drill {name}: ") and not revision.reason.startswith(f"drill {name}: as it was")


def last_good_drill(store: Store, workflow: str, *, environment: str | None = None) -> Mapping[str, Any] | None:
    """The newest drill that counts."""
    wanted = (body for body in _bodies(store, workflow) if environment in (None, body.get("environment")))
    return next((body for body in wanted if body.get("phase") == "ended" and body.get("ok") is True), None)


def _bodies(store: Store, workflow: str) -> Iterator[dict[str, Any]]:
    """Newest first, with the time each was written."""
    for fact in reversed(store.list_facts(workflow, kind=DRILL)):
        if isinstance(fact.body, dict):
            yield {**fact.body, "at": fact.at}


def _routes(before: Route, asked: DrillAsked) -> tuple[Route, Route]:
    """The route to flip to, and the one that takes back."""
    if asked.kind == "holdback":
        held = _holding_back(before)
        if held == before:
            raise InputError(
                f"No user of '{asked.workflow}' in {asked.environment} meets a candidate, so there is nobody to hold back.",
                fix=f"Rehearse in staging: segue drill {asked.workflow} --environment staging",
            )
        return before, held
    candidate = asked.candidate or before.candidate
    if candidate is None:
        raise InputError(
            f"There is no candidate to rehearse with: '{asked.workflow}' has no upgrade under way, and its route in "
            f"{asked.environment} names none.",
            fix=f"Name one: segue drill {asked.workflow} --candidate BUNDLE",
        )
    if candidate == before.incumbent:
        raise InputError(
            f"{candidate[:10]} is the incumbent in {asked.environment}.", fix="Name another bundle with --candidate."
        )
    exposed = before.model_copy(update={"candidate": candidate, "share": 1.0, "segments": (), "shadow": None}).following(before)
    return exposed, exposed.rolled_back()


def _holding_back(route: Route) -> Route:
    """A little less for the candidate, everywhere it serves."""
    segments = tuple(one.model_copy(update={"share": max(0.0, one.share - HOLDBACK)}) for one in route.segments)
    return route.model_copy(update={"share": max(0.0, route.share - HOLDBACK), "segments": segments}).following(route)


class _Run:
    """One drill: what it flipped, how long each took, what went wrong."""

    def __init__(
        self, store: Store, asked: DrillAsked, confirm: Confirm, ticks: Callable[[], float], now: float, before: RouteRevision
    ) -> None:
        self._store, self._asked, self._confirm, self._ticks, self._now = store, asked, confirm, ticks, now
        self._before = self._last = before
        self._took: dict[str, float] = {}
        self._faults: list[str] = []
        self._gateways: int | None = None

    def flip(self, route: Route, what: Literal["flip", "rollback"]) -> None:
        """Put it in force and wait, unless it is in force."""
        if route == self._last.route:
            return
        began = self._ticks()
        self._last = self._put(route, what)
        confirmed = self._confirm(self._last)
        self._took[what] = (self._ticks() - began) * 1e3
        living = [one for one in confirmed if not one.is_silent]
        self._gateways = len(living) if self._gateways is None else min(self._gateways, len(living))
        for one in living:
            if one.fault is not None or (one.revision or 0) < self._last.revision:
                self._faults.append(
                    f"Gateway {one.gateway} did not confirm the {what}: {one.fault or 'it serves an older route'}"
                )
        if not living:
            environment = self._asked.environment
            self._faults.append(
                f"No gateway serves {environment}, so nobody confirmed the {what}. Start one: "
                f"segue gateway --environment {environment}"
            )

    def end(self) -> Drilled:
        """The route as it was; what came of it is written down."""
        self._restore()
        if "rollback" not in self._took and not self._faults:
            self._faults.append("It was interrupted.")
        asked = self._asked
        drilled = Drilled(
            asked.name,
            asked.kind,
            asked.environment,
            self._took.get("flip"),
            self._took.get("rollback"),
            self._gateways or 0,
            tuple(self._faults),
        )
        body: dict[str, Json] = {"flip_ms": drilled.flip_ms, "rollback_ms": drilled.rollback_ms, "gateways": drilled.gateways}
        body |= {"ok": drilled.ok, "faults": list(drilled.faults), "incumbent": self._before.route.incumbent}
        self.note("ended", body)
        return drilled

    def note(self, phase: str, more: dict[str, Json]) -> None:
        """A fact."""
        asked = self._asked
        body: dict[str, Json] = {"drill": asked.name, "phase": phase, "environment": asked.environment, "kind": asked.kind}
        self._store.add_fact(DRILL, asked.workflow, asked.name, {**body, **more}, author=asked.by, at=iso(self._now))

    def _restore(self) -> None:
        """Back to what was found; where somebody else flipped meanwhile, theirs stands."""
        before = self._before.route
        last = self._store.find_route(before.workflow, before.environment)
        if last.revision == self._before.revision or last.route == before:
            return
        if not is_of_drill(last, self._asked.name):
            self._faults.append(
                f"{last.author} flipped the route meanwhile (revision {last.revision}); it stands as they left it."
            )
            return
        try:
            began = self._ticks()
            restored = self._put(before.following(last.route), "as it was", follows=last.revision)
            confirmed = self._confirm(restored)
            if self._asked.kind == "holdback":
                # There the way to the candidate is the way back to how it was.
                self._took["flip"] = (self._ticks() - began) * 1e3
        except ConflictError:
            self._restore()
            return
        for one in confirmed:
            if not one.is_silent and one.fault is not None:
                self._faults.append(f"Gateway {one.gateway} did not confirm that the route is as it was: {one.fault}")

    def _put(self, route: Route, what: str, follows: int | None = None) -> RouteRevision:
        asked = self._asked
        reason = f"drill {asked.name}: {what}"
        after = self._last.revision if follows is None else follows
        return self._store.flip_route(route, follows=after, author=asked.by, reason=reason, at=iso(self._now))
