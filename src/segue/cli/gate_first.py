"""A session as the command line opens it: before anything is asked or judged, it looks at the gate it would be judged by.

`segue check` says the same and more; nobody has to have run it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from itertools import islice

from segue.cli.screen import error_console, print_faults
from segue.errors import Fault, InputError, SegueError
from segue.evals.session import Listener, Outcome, Request, Session
from segue.model import Workflow
from segue.papers.printable import printable_name
from segue.store.base import Store
from segue.workspace import gate_faults

SLICES = "slices."
LOOKED_AT = 200
SHOWN = 4


class GateFirstSession(Session):
    """Refuses a gate that could not judge. A critical slice without cases stops what costs money; else it is told."""

    def compare(self, request: Request, listener: Listener) -> Outcome:
        self._look_at_the_gate(request, asks=False)
        return super().compare(request, listener)

    def evaluate(self, request: Request, listener: Listener, *, stop: Callable[[asyncio.Event], None]) -> Outcome:
        self._look_at_the_gate(request, asks=True)
        return super().evaluate(request, listener, stop=stop)

    def _look_at_the_gate(self, request: Request, *, asks: bool) -> None:
        catalogue = self._catalogue
        workflow = catalogue.workflow(request.workflow)
        suite = request.suite or workflow.suite
        try:
            rows = catalogue.store.iter_case_rows(catalogue.suite(workflow, suite).digest)
        except SegueError:
            rows = None  # whoever needs the suite says what is wrong with it
        faults = gate_faults(catalogue.workspace.root, workflow.name, suite, rows)
        errors = [one for one in faults if one.severity == "error" and (asks or not (one.path or "").startswith(SLICES))]
        if errors:
            raise InputError.from_faults(errors, subject=f"the gate of {workflow.name}")
        if words := list(_labels_without_worth(catalogue.store, workflow)):
            raise InputError.from_faults(words, subject=f"the gate of {workflow.name}")
        told = [one for one in faults if one.severity == "error" or (one.path or "").startswith("gate.")]
        print_faults(error_console(), told)


def _labels_without_worth(store: Store, workflow: Workflow) -> Iterator[Fault]:
    """Gated scorers of recorded labels that are words, where nothing says what the words are worth: all would be unscored."""
    for index, spec in enumerate(workflow.scorers):
        settings = spec.settings()
        is_gated = spec.name in (*workflow.gate.primary, *workflow.gate.guardrails)
        if spec.type != "recorded_label" or not is_gated or settings.get("map") or settings.get("by_reference"):
            continue
        labeler = str(settings.get("labeler", ""))
        behaviours = {record.bundle.behaviour for record in store.list_bundles(workflow.name)}
        seen = {one.label for each in behaviours for one in islice(store.iter_labels(each, labeler), LOOKED_AT)}
        if seen and not any(map(_is_number, seen)):
            shown = sorted(seen)[:SHOWN]
            known = ", ".join(f"'{printable_name(word, 60)}'" for word in shown) + (" and others" if len(seen) > SHOWN else "")
            # No worth is guessed: a guess that is pasted would turn a verdict round.
            example = ", ".join(f"{json.dumps(word[:60], ensure_ascii=False)}: ?" for word in shown)
            yield Fault(
                what=f"The labels of {labeler} are words ({known}), and nothing says what they are worth.",
                fix=f"Say it there, with a number from 0 (bad) to 1 (good) for each ?: map: {{{example}}}",
                file=f"workflows/{workflow.name}/workflow.yaml",
                path=f"scorers[{index}].map",
            )


def _is_number(label: str) -> bool:
    try:
        float(label)
    except ValueError:
        return False
    return True
