"""Whether a rollback would work, as five questions that are answered by doing: each yes, no or unknown, with reason and remedy.

What is known comes in as values; who asks providers and files is `readiness_probing`, and the command. Unknown is not yes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from segue.controller.drilling import last_good_drill
from segue.controller.moments import iso
from segue.errors import NotFoundError, SegueError
from segue.model import Json
from segue.model.route import Route, RouteRevision
from segue.store.base import Store

READINESS = "readiness"
"""The kind of fact. Its subject is the workflow."""
BoxName = Literal["answers", "prompt", "flip", "drill", "runbook"]
Answer = Literal["yes", "no", "unknown"]
WEEK_S = 7 * 86_400.0
RUNBOOKS = ("RUNBOOK.md", "docs/RUNBOOK.md", "workflows/{workflow}/RUNBOOK.md")


@dataclass(frozen=True, slots=True)
class Box:
    """One question. `remedy` is empty where the answer is yes."""

    name: BoxName
    question: str
    answer: Answer
    reason: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Readiness:
    """The five, in their order."""

    workflow: str
    environment: str
    boxes: tuple[Box, ...]

    @property
    def is_ready(self) -> bool:
        """All yes."""
        return all(one.answer == "yes" for one in self.boxes)

    def as_json(self) -> dict[str, Json]:
        """For a program, and as the fact has it."""
        boxes: list[Json] = [asdict(one) for one in self.boxes]
        return {"workflow": self.workflow, "environment": self.environment, "ready": self.is_ready, "boxes": boxes}


@dataclass(frozen=True, slots=True)
class Burst:
    """What asking the incumbent came to: so many at once, so many answered. `reasons` are of the others, each once."""

    asked: int
    answered: int
    reasons: tuple[str, ...] = ()
    unasked: str = ""
    """Why nobody could be asked at all."""


@dataclass(frozen=True, slots=True)
class LastServed:
    """What the gateway served last. `None` is unknown. `known` is the bundle's digest worked out from the last known routes;
    `incumbent` the bundle that the last request of the incumbent's share was given to."""

    known: str | None
    incumbent: str | None
    busiest: int | None
    """Requests in the busiest minute of the last week."""


def judge_answers(revision: RouteRevision, burst: Burst, served: LastServed) -> Box:
    """The incumbent answers, and has quota for everyone's requests at once."""
    question, workflow = "The incumbent answers, with quota for the full load", revision.route.workflow
    if burst.unasked:
        return Box("answers", question, "unknown", f"It could not be asked: {burst.unasked}", "Mend that, and ask again.")
    if burst.answered < burst.asked:
        said = f"{burst.answered} of {burst.asked} asked at once answered ({', '.join(burst.reasons)})."
        remedy = "See the provider's limits and its status; until then nobody can be taken back in full."
        return Box("answers", question, "no", said, remedy)
    if burst.asked == 1:
        least = "" if served.busiest is None else f" (the busiest minute of the last week had {served.busiest})"
        remedy = f"Try it; it costs as many calls: segue ready {workflow} --burst {served.busiest or 'REQUESTS-A-MINUTE'}"
        return Box(
            "answers", question, "unknown", f"It answers. Whether it would answer everyone at once is not known{least}.", remedy
        )
    if served.busiest is not None and burst.asked < served.busiest:
        said = f"{burst.asked} at once were answered; the busiest minute of the last week had {served.busiest}."
        return Box("answers", question, "unknown", said, f"segue ready {workflow} --burst {served.busiest}")
    load = "as the full load was stated" if served.busiest is None else f"the busiest minute of the week had {served.busiest}"
    return Box("answers", question, "yes", f"{burst.asked} of {burst.asked} at once were answered; {load}.")


def judge_prompt(store: Store, revision: RouteRevision, served: LastServed) -> Box:
    """The incumbent's bundle is stored, unchanged, and is what was served last."""
    question, route = "Its prompt is stored as last served", revision.route
    short = route.incumbent[:10]
    try:
        stored = store.get_bundle(route.incumbent).bundle.digest
    except SegueError as error:
        return Box("prompt", question, "no", error.what, error.fix or "Restore the store from a backup.")
    if stored != route.incumbent:
        return Box("prompt", question, "no", f"What is stored as {short} is {stored[:10]}.", "segue bundle verify")
    if served.known is not None and served.known != stored:
        said = f"The gateway's last known routes hold {served.known[:10]} in its place."
        return Box("prompt", question, "no", said, "Start the gateway again where it can read the store.")
    if served.incumbent is not None and served.incumbent != stored:
        said = f"The incumbent's share was served {served.incumbent[:10]} last, and the route names {short}."
        return Box("prompt", question, "no", said, f"See when that changed: segue route history {route.workflow}")
    if served.incumbent is None and served.known is None:
        said = f"{short} is stored, and no gateway of this machine has served it."
        return Box("prompt", question, "unknown", said, "Ask where a gateway runs, once it has served the workflow.")
    where = "and served last" if served.incumbent is not None else "and in the gateway's last known routes"
    return Box("prompt", question, "yes", f"{short} is stored {where}, digest for digest.")


def judge_flip(revision: RouteRevision, labels: Mapping[str, str]) -> Box:
    """The rollback is one line, and takes everybody back."""
    question, route = "The flip is one line", revision.route
    line = flip_line(route, labels)
    retain = []
    if route.conversations != "switch" and route.candidate is not None:
        retain.append(f"conversations begun on the candidate stay there ({route.conversations})")
    if route.candidate is not None and route.fallback == route.candidate:
        retain.append("the candidate would still answer where the incumbent fails (fallback)")
    if retain:
        remedy = f"Set the route without that: segue route set {route.workflow} --help"
        return Box("flip", question, "no", f"{line}, but {' and '.join(retain)}.", remedy)
    return Box("flip", question, "yes", line)


def flip_line(route: Route, labels: Mapping[str, str]) -> str:
    """What a rollback changes, for a reviewer at a glance: `serves old for 75 %, new for 25 % → old for everyone`."""

    def named(digest: str) -> str:
        return f"{labels[digest]} ({digest[:10]})" if digest in labels else digest[:10]

    old = named(route.incumbent)
    if route.rolled_back() == route:
        return f"{route.workflow}: {old} for everyone; a rollback changes nothing now"
    parts = [f"{old} for {100 * (1 - route.share):.4g} %"]
    if route.candidate is not None:
        parts.append(f"{named(route.candidate)} for {100 * route.share:.4g} %")
        parts += [f"for {100 * one.share:.4g} % of {one.segment}" for one in route.segments]
    if route.shadow is not None:
        parts.append(f"shadow {100 * route.shadow.share:.4g} %")
    return f"{route.workflow}: {', '.join(parts)} → {old} for everyone"


def judge_drill(store: Store, revision: RouteRevision, now: float) -> Box:
    """Rehearsed within a week, with this incumbent; on a holdback of production counts, too."""
    question, route = "It was drilled within a week", revision.route
    remedy = f"segue drill {route.workflow}"
    found = last_good_drill(store, route.workflow)
    if found is None:
        return Box("drill", question, "no", "No rollback of it was ever drilled.", remedy)
    at, where = str(found["at"]), str(found.get("environment"))
    age = now - _seconds(at)
    took = f"{float(found.get('rollback_ms') or 0.0):,.0f} ms until the last of {found.get('gateways')} gateways"
    if not 0 <= age <= WEEK_S:
        return Box("drill", question, "no", f"The last drill was on {at[:10]}, in {where}.", remedy)
    if found.get("incumbent") != route.incumbent:
        said = f"The drill of {at[:10]} went back to {str(found.get('incumbent'))[:10]}, which is not the incumbent any more."
        return Box("drill", question, "no", said, remedy)
    return Box("drill", question, "yes", f"On {at[:10]}, in {where}: {took}.")


def judge_runbook(root: Path, workflow: str) -> Box:
    """The on-call runbook names the step, word for word."""
    question, command = "The on-call runbook names the step", f"segue rollback {workflow}"
    paths = [root / one.format(workflow=workflow) for one in RUNBOOKS]
    there = []
    for path in paths:
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        there.append(path)
        if command in _commands(text):
            return Box("runbook", question, "yes", f"{path.relative_to(root)} says: {command}")
    shown = " and ".join(str(one.relative_to(root)) for one in there)
    reason = (
        f"{shown} does not name it." if there else f"There is none ({', '.join(str(one.relative_to(root)) for one in paths)})."
    )
    where = there[0] if there else paths[0]
    return Box("runbook", question, "no", reason, f"Add this line to {where.relative_to(root)}: `{command} --reason '…'`")


def _commands(text: str) -> Sequence[str]:
    """Every rollback that is named, with its workflow."""
    found = []
    for line in text.splitlines():
        start = line.find("segue rollback ")
        while start >= 0:
            rest = line[start:]
            word = rest.split()[2] if len(rest.split()) > 2 else ""
            found.append(f"segue rollback {word.strip('`.,;:)|')}")
            start = line.find("segue rollback ", start + 1)
    return found


def note_readiness(store: Store, found: Readiness, *, by: str, now: float) -> None:
    """As a fact."""
    store.add_fact(READINESS, found.workflow, found.workflow, found.as_json(), author=by, at=iso(now))


def find_revision(store: Store, workflow: str, environment: str) -> RouteRevision:
    """The route to be ready for. `NotFoundError` where there is none: there is nothing to go back to."""
    try:
        return store.find_route(workflow, environment)
    except NotFoundError as error:
        raise NotFoundError(error.what, fix=f"Put what serves today in force: segue route set {workflow} BUNDLE") from None


def _seconds(at: str) -> float:
    try:
        found = datetime.fromisoformat(at)
    except ValueError:
        return float("-inf")
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def boxes_of(found: Readiness) -> Mapping[str, Any]:
    """By name, for tests and screens."""
    return {one.name: one for one in found.boxes}
