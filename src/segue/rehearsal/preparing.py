"""From two bundles and a suite to everything a rehearsal needs, worked out once for any number of runs.

A rehearsal has a store of its own, with what it needs copied into it: what is rehearsed leaves no trace in the workspace's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from segue.controller.moments import iso
from segue.errors import InputError
from segue.evals.catalogue import Catalogue, NamedBundle
from segue.evals.connections import Connections
from segue.evals.session import Listener, Request, Session
from segue.gates.report import Report
from segue.gates.report_reading import report_from_json
from segue.model import Bundle, Case, Json, Workflow
from segue.rehearsal.answers import Answers
from segue.rehearsal.clock import MONDAY, ImpatientClock
from segue.rehearsal.outputs import Outputs, ScriptedOutputs, find_outputs
from segue.rehearsal.scoring import Ruler, recorded_behaviour
from segue.store.base import Store
from segue.workspace import Workspace

AUTHOR = "rehearsal"
MOST_CASES = 5_000
"""Cases that requests are drawn from; of a larger suite so many, by chance."""
AT = iso(MONDAY)
Told = Callable[[str, int], None]
"""What is being prepared, and how much more of it was done."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Which candidate is to take which incumbent's place, as a user names them."""

    workflow: str
    candidate: str
    incumbent: str | None = None


@dataclass(frozen=True)
class Prepared:
    """Both bundles with all they say, ready to be served. `verdict` is what the regression eval came to."""

    workspace: Workspace
    workflow: Workflow
    incumbent: NamedBundle
    candidate: NamedBundle
    suite_name: str
    suite: tuple[Case, ...] = field(repr=False)
    cases: tuple[Case, ...] = field(repr=False)
    answers: Mapping[str, Answers] = field(repr=False)
    verdict: tuple[str, Json] = field(repr=False)
    report: Report = field(repr=False)
    bundles: tuple[tuple[str, Bundle], ...] = field(default=(), repr=False)
    remarks: tuple[str, ...] = ()

    def furnish(self, store: Store, *, with_verdict: bool = True) -> None:
        """Put into an empty store what the controller looks up. The verdict is for whoever asks for it later, and large."""
        for label, bundle in self.bundles:
            store.add_bundle(bundle, author=AUTHOR, at=AT)
            store.set_label(self.workflow.name, label, bundle.digest, author=AUTHOR, at=AT)
        store.add_suite(self.workflow.name, self.suite_name, self.suite, author=AUTHOR, at=AT)
        if with_verdict:
            store.add_verdict(self.verdict[0], self.workflow.name, self.verdict[1], author=AUTHOR, at=AT)


def prepare(
    workspace: Workspace,
    state: Store,
    work: Store,
    pair: Pair,
    told: Told = lambda *_: None,
    verdict: tuple[str, Json] | None = None,
) -> Prepared:
    """Resolve, copy, ask the scripted models, score, and evaluate. `state` is the workspace's store and is only read; `work` is
    an empty one. With a `verdict`, the eval was made before. `InputError`, `NotFoundError`: with the place and the remedy.
    """
    workflow, incumbent, candidate = pair.workflow, pair.incumbent, pair.candidate
    catalogue = Catalogue(workspace, work, author=AUTHOR, at=AT)
    declared = catalogue.workflow(workflow)
    old_ref = incumbent or declared.incumbent
    if old_ref is None:
        fix = f"Add --incumbent LABEL, or write incumbent: LABEL into workflows/{workflow}/workflow.yaml."
        raise InputError(f"Which bundle serves {workflow} now? No incumbent is named.", fix=fix)
    _copy_records(state, work, workspace, workflow)
    old, new = catalogue.bundle(workflow, old_ref), catalogue.bundle(workflow, candidate)
    if old.bundle.digest == new.bundle.digest:
        fix = "Name another bundle: one that only says so in its description is enough to rehearse a release against itself."
        raise InputError(f"Incumbent and candidate are the same bundle, {old.bundle.short}.", fix=fix)
    outputs = {one.bundle.digest: find_outputs(workspace, state, one.bundle, workflow) for one in (old, new)}
    suite = catalogue.suite(declared)
    everything = tuple(work.iter_cases(suite.digest))
    cases, remarks = _askable(everything, outputs.values())
    contract = new.bundle.contract or old.bundle.contract
    answers: dict[str, Answers] = {}
    left_out: tuple[str, ...] = ()
    for digest, one in outputs.items():
        ruler = Ruler(workspace, state, declared, one.bundle, contract)
        answers[digest] = Answers(one, ruler, cases)
        left_out = ruler.left_out
        answers[digest].fill(lambda n: told("scoring what both arms say", n))
    if left_out:
        remarks = (*remarks, f"Not scored, since a rehearsal asks no judge and starts no command: {', '.join(left_out)}.")
    if verdict is None:
        for one in outputs.values():
            if not isinstance(one, ScriptedOutputs):
                _copy_exchanges(state, work, recorded_behaviour(state, one.bundle, workflow), one.bundle)
        verdict = _evaluate(catalogue, workspace, workflow, old, new, outputs.values(), told)
    labels = work.labels(workflow)
    return Prepared(
        workspace,
        declared,
        old,
        new,
        suite.name,
        everything,
        cases,
        answers,
        verdict,
        report_from_json(verdict[1]),
        tuple((label, work.get_bundle(digest).bundle) for label, digest in sorted(labels.items())),
        remarks,
    )


def _askable(cases: Iterable[Case], outputs: Iterable[Outputs]) -> tuple[tuple[Case, ...], tuple[str, ...]]:
    """Cases of ordinary traffic that both arms have outputs for, and remarks on the others."""
    every = [one for one in cases if one.kind != "red-team"]
    both = list(outputs)
    found = [case for case in every if all(one.draws(case) for one in both)]
    remarks = []
    if not found:
        raise InputError("Incumbent and candidate have outputs to no case in common.", fix="Evaluate both on one suite first.")
    if len(found) < len(every):
        remarks.append(
            f"{len(every) - len(found):,} of {len(every):,} cases are left out: one of the arms has no output to them."
        )
    if len(found) > MOST_CASES:
        chosen = np.sort(np.random.default_rng(0).choice(len(found), MOST_CASES, replace=False))
        remarks.append(f"Requests are drawn from {MOST_CASES:,} of {len(found):,} cases.")
        found = [found[index] for index in chosen]
    return tuple(found), tuple(remarks)


def _copy_records(state: Store, work: Store, workspace: Workspace, workflow: str) -> None:
    """Bundles, labels and suites that no file makes: those of an import."""
    files = workspace.bundle_labels(workflow)
    for label, digest in sorted(state.labels(workflow).items()):
        if label not in files:
            work.add_bundle(state.get_bundle(digest).bundle, author=AUTHOR, at=AT)
            work.set_label(workflow, label, digest, author=AUTHOR, at=AT)
    for record in state.list_suites(workflow):
        if record.name not in workspace.suites(workflow):
            work.add_suite(workflow, record.name, state.iter_cases(record.digest), author=AUTHOR, at=AT)


def _copy_exchanges(state: Store, work: Store, behaviour: str, bundle: Bundle) -> None:
    """Stored outputs and labels, under the behaviour of the bundle that replays them."""
    work.add_exchanges(replace(one, behaviour=bundle.behaviour) for one in state.iter_exchanges(behaviour))
    work.add_labels(bundle.behaviour, list(state.iter_labels(behaviour)))


def _evaluate(
    catalogue: Catalogue,
    workspace: Workspace,
    workflow: str,
    old: NamedBundle,
    new: NamedBundle,
    outputs: Iterable[Outputs],
    told: Told,
) -> tuple[str, Json]:
    """The regression eval itself, on the same models; asked where they are scripted, compared where outputs are stored."""

    class NoLuck:
        def random(self) -> float:
            return 0.0

    connections = Connections(workspace, catalogue.store, clock=ImpatientClock(), rng=NoLuck())
    session = Session(catalogue, connections, now=lambda: AT, author=AUTHOR, new_run=lambda: "rehearsal")
    request = Request(workflow=workflow, incumbent=old.bundle.digest, candidate=new.bundle.digest)
    done = 0

    def progressed(run: object) -> None:
        nonlocal done
        now = int(getattr(run, "done", 0))
        told("regression eval", now - done)
        done = now

    if any(isinstance(one, ScriptedOutputs) for one in outputs):
        found = session.evaluate(request, Listener(progressed=progressed), stop=lambda _: None)
    else:
        found = session.compare(request, Listener())
    return found.verdict, found.report.as_json()
