"""`segue plan check`: finds plan and bundles, has the eight ways looked for, and shows them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.markup import escape

from segue.cli.desk import Desk, open_desk
from segue.cli.plan_setting import checked_plan
from segue.cli.screen import Screen, print_indented
from segue.errors import NotFoundError
from segue.gates.verdict import EXIT_CODES, Outcome
from segue.papers.printable import printable

if TYPE_CHECKING:
    from segue.model import Bundle
    from segue.workspace.plan_ways import Severity, Way

CANDIDATE = "candidate"
WORDS: dict[Severity, str] = {"error": "[red]refused[/]", "warning": "[yellow]warning[/]", "remark": "[dim]unknown[/]"}


@dataclass(frozen=True)
class Checked:
    """A plan with what it invites of the eight ways, and between which bundles that was looked for; what else to see to."""

    plan: str
    environment: str
    incumbent: str | None
    candidate: str | None
    ways: tuple[Way, ...]
    warnings: tuple[str, ...] = ()

    @property
    def outcome(self) -> Outcome:
        """The worst of them; what is unknown neither refuses nor warns."""
        found = {one.severity for one in self.ways}
        return "fail" if "error" in found else "caution" if "warning" in found or self.warnings else "pass"

    @property
    def exit_code(self) -> int:
        """As of every command that judges."""
        return EXIT_CODES[self.outcome]

    def as_json(self) -> dict[str, Any]:
        """For a program."""
        return {
            "plan": self.plan,
            "environment": self.environment,
            "incumbent": self.incumbent,
            "candidate": self.candidate,
            "outcome": self.outcome,
            "ways": [one.as_json() for one in self.ways],
            "warnings": list(self.warnings),
        }


def check_named(ref: str, candidate: str | None, environment: str) -> Checked:
    """Look at the plan that `ref` names. `NotFoundError`, and `InputError` with all faults of the plan itself."""
    from datetime import date

    from segue.controller.notices_made import unset_notices
    from segue.controller.plan_ways import Known, ways_between
    from segue.workspace.plan_file import find_plan

    with open_desk() as desk:
        workflow, name = find_plan(desk.workspace, ref)
        plan, *_ = checked_plan(desk, workflow, name)
        new = _bundle(desk, workflow, candidate) if candidate else _likely(desk, workflow)
        known = Known(desk.workspace, desk.store, date.fromisoformat(desk.now()[:10]))
        ways = ways_between(known, workflow, plan, None, new, environment=environment)
        try:
            serves = desk.store.find_route(workflow, environment).route.incumbent
        except NotFoundError:
            serves = None
        warnings = unset_notices(plan.notify, desk.workspace.environ)
    return Checked(f"{workflow}/{name}", environment, serves, None if new is None else new.digest, tuple(ways), warnings)


def _likely(desk: Desk, workflow: str) -> Bundle | None:
    """That of the newest verdict, else the label `candidate`; `None` where there is neither."""
    for _, _, body in desk.store.list_verdicts(workflow)[:1]:
        try:
            return desk.store.get_bundle(body["candidate"]["digest"]).bundle
        except (KeyError, TypeError, NotFoundError):
            continue
    try:
        return _bundle(desk, workflow, CANDIDATE)
    except NotFoundError:
        return None


def _bundle(desk: Desk, workflow: str, ref: str) -> Bundle:
    """A label's file as it is now, which is not stored for looking at it; else a stored bundle."""
    labels = desk.workspace.bundle_labels(workflow)
    if ref not in labels:
        try:
            return desk.store.find_bundle(workflow, ref).bundle
        except NotFoundError:
            known = {*labels, *desk.store.labels(workflow)}
            raise NotFoundError.naming("bundle", ref, known, fix=f"See them with: segue bundle list {workflow}.") from None

    def resolve(name: str, fallback: str) -> str | None:
        try:
            return desk.store.find_bundle(name, fallback).bundle.digest
        except NotFoundError:
            return None

    return desk.workspace.load_bundle_source(workflow, ref, resolve=resolve)


def print_ways(screen: Screen, found: Checked) -> None:
    """Those that are refused first."""
    counts = {kind: sum(one.severity == kind for one in found.ways) for kind in WORDS}
    between = f"{_short(found.incumbent)} → {_short(found.candidate)} in {found.environment}"
    screen.print(f"[bold]{_shown(found.plan)}[/]: {between}", soft_wrap=True)
    for kind, word in WORDS.items():
        for one in found.ways:
            if one.severity == kind:
                screen.print(f"{word} [bold]{_shown(one.title)}[/]", soft_wrap=True)
                print_indented(screen, _shown(one.what), 2)
                print_indented(screen, _shown(one.fix), 4, "→")
    for warning in found.warnings:
        screen.print(f"{WORDS['warning']} {_shown(warning)}", soft_wrap=True)
    if not counts["error"] and not counts["warning"]:
        screen.print("None of the eight ways in which upgrades go wrong is in sight.", style="bold")
    else:
        screen.print(f"{counts['error']} refused, {counts['warning'] + len(found.warnings)} warned of.", style="bold")


def _short(digest: str | None) -> str:
    return "nothing" if digest is None else digest[:10]


def _shown(text: str) -> str:
    return escape(printable(text))
