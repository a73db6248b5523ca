"""Stage 0, "Decide": what speaks against beginning an upgrade, each with its remedy, and what is known to speak for it.

Only what can be known before the eval is asked for. Whether the candidate is better, cheaper or faster is what the eval finds,
and a candidate that turns out merely equal is deferred after it. What the upgrade itself costs: `grounds_cost`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from segue.controller.effects import AUTHOR
from segue.controller.grounds_cost import plan_days
from segue.controller.grounds_workspace import CurrentWorkspace
from segue.controller.moments import iso
from segue.errors import Fault, InputError, NotFoundError
from segue.evals.arms import vendor_of_entry
from segue.evals.catalogue import Catalogue
from segue.evals.connections import RECORDED
from segue.model import Bundle, Workflow
from segue.providers.catalogue import is_floating_alias, retirement
from segue.providers.config import environment_faults, parse_provider
from segue.store.base import Store, SuiteRecord
from segue.upgrade.log import Upgrade
from segue.workspace import Workspace
from segue.workspace.stats import suite_stats

_ASKED_FOR = ("empty", "task")
"""Of all that may be thin about a suite, what an upgrade waits for; the rest is shown by `segue suite stats`."""
ANSWERED_FOR = "no-suite"
"""The way of going wrong that somebody who opens an upgrade may answer for (`segue plan check`)."""
_STATS = "See what is missing: segue suite stats {workflow}. Cases can be made from recorded traffic: segue import --help."


@dataclass(frozen=True, slots=True)
class Ground:
    """What was found. `against` stops it; `reasons` speak for it already; `remarks` are worth knowing and stop nothing."""

    against: tuple[Fault, ...] = ()
    reasons: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


class WorkspaceGrounds:
    """The port `Grounds` on workspace and store. A suite is counted once as long as it stays the same."""

    def __init__(self, workspace: CurrentWorkspace, store: Store) -> None:
        self._workspace, self._store = workspace, store
        self._thin: dict[tuple[str, str], tuple[Fault, ...]] = {}

    def missing(self, upgrade: Upgrade) -> tuple[str, ...]:
        """What speaks against beginning, in sentences."""
        return tuple(dict.fromkeys(one.sentence() for one in self.examine(upgrade).against))

    def examine(self, upgrade: Upgrade) -> Ground:
        """The same as a value, with what speaks for it."""
        try:
            workspace = self._workspace.read()
            old, new = (self._store.get_bundle(one).bundle for one in (upgrade.state.incumbent, upgrade.state.candidate))
        except (InputError, NotFoundError) as error:
            return Ground(error.faults)
        begins = datetime.fromtimestamp(upgrade.opening.at, UTC).date()
        ends = begins + timedelta(days=plan_days(upgrade.plan))
        against = [*self._suite(workspace, upgrade, old, new), *faults_of_candidate(workspace, old, new, ends)]
        for role, bundle in (("incumbent", old), ("candidate", new)):
            against += _provider(workspace, role, bundle)
        reasons, remarks = _sunset(workspace, old, ends)
        if not reasons:
            remarks = (*remarks, "Whether there is a reason to migrate is for the eval to show: better, cheaper, or faster.")
        return Ground(tuple(against), reasons, remarks)

    def _suite(self, workspace: Workspace, upgrade: Upgrade, old: Bundle, new: Bundle) -> tuple[Fault, ...]:
        opening = upgrade.opening
        try:
            workflow = workspace.load_workflow(opening.workflow)
            catalogue = Catalogue(workspace, self._store, author=AUTHOR, at=iso(opening.at))
            suite = suite_of(catalogue, self._store, workflow, old, new)
        except (InputError, NotFoundError) as error:
            return error.faults
        if not workflow.scorers:
            fix = f"Declare what a right answer is: scorers: in workflows/{workflow.name}/workflow.yaml."
            return (Fault(f"{workflow.name} has no scorers, so nothing can be measured.", fix),)
        key = (workflow.model_dump_json(), suite.digest)
        if key not in self._thin:
            found = suite_stats(workflow, self._store.iter_cases(suite.digest)).thin
            fix = _STATS.format(workflow=workflow.name)
            self._thin = {key: tuple(Fault(one.sentence(), fix) for one in found if one.kind in _ASKED_FOR)}
        # Whoever opened it in spite of a small suite said why; the eval judges by the same sizes, and holds there.
        return () if ANSWERED_FOR in upgrade.despite else self._thin[key]


def suite_of(catalogue: Catalogue, store: Store, workflow: Workflow, old: Bundle, new: Bundle) -> SuiteRecord:
    """The suite that the eval will use (`evals.preparing`): the one both bundles pin, else the workflow's."""
    pinned = {one.suite for one in (old, new) if one.suite is not None}
    return store.get_suite(pinned.pop()) if len(pinned) == 1 else catalogue.suite(workflow)


def faults_of_candidate(workspace: Workspace, old: Bundle, new: Bundle, ends: date) -> tuple[Fault, ...]:
    """What speaks against this candidate itself: that it is no other bundle, a floating alias, or of a model that goes."""
    return (*_same(old, new), *_floating(workspace, new), *_short_lived(workspace, new, ends))


def _same(old: Bundle, new: Bundle) -> Iterator[Fault]:
    if old.behaviour == new.behaviour:
        fix = "Name another candidate. A bundle that differs in suite or fallback alone needs no upgrade: segue route set."
        yield Fault("Incumbent and candidate behave the same to the last byte: there is nothing to release.", fix)


def _provider(workspace: Workspace, role: str, bundle: Bundle) -> list[Fault]:
    """Whether the bundle's provider can be asked from here, where evals run."""
    name, entries = bundle.model.provider, workspace.config.providers
    if name == RECORDED and name not in entries:
        return []
    if name not in entries:
        known = NotFoundError.naming("provider", name, entries)
        fix = f"Add it under providers: in segue.yaml, or make a bundle of another: the {role} {bundle.short} needs it."
        return [Fault(known.what, fix)]
    try:
        return environment_faults(name, parse_provider(name, entries[name]), workspace.environ)
    except InputError as error:
        return list(error.faults)


def _floating(workspace: Workspace, new: Bundle) -> Iterator[Fault]:
    """Only a name that is known to float: of one's own server no rule tells."""
    if is_floating_alias(_vendor(workspace, new), new.model.snapshot):
        what = f"The candidate's model {new.model.snapshot} is a floating alias: its vendor may point it elsewhere at any time."
        yield Fault(what, "Name a dated snapshot in the bundle; what was measured would not be what serves.")


def _short_lived(workspace: Workspace, new: Bundle, ends: date) -> Iterator[Fault]:
    found = retirement(_vendor(workspace, new), new.model.snapshot)
    if found is not None and found.day <= ends:
        when = f"retires on {found.day}, before this upgrade would be over ({ends})"
        yield Fault(f"The candidate's own model {new.model.snapshot} {when}.", "Choose a model that stays.")


def _sunset(workspace: Workspace, old: Bundle, ends: date) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """A sunset is a reason; one that comes before the soak is over leaves nothing to roll back to."""
    found = retirement(_vendor(workspace, old), old.model.snapshot)
    if found is None:
        return (), ()
    reason = f"The incumbent's model {old.model.snapshot} retires on {found.day} ({found.source})."
    if found.day > ends:
        return (reason,), ()
    late = f"As planned the soak ends on {ends}: from {found.day} on there would be no incumbent to roll back to."
    return (reason,), (late,)


def _vendor(workspace: Workspace, bundle: Bundle) -> str | None:
    entry = workspace.config.providers.get(bundle.model.provider)
    return None if entry is None else vendor_of_entry(entry)
