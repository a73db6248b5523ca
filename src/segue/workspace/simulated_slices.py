"""Whether the slices that simulated models are told about exist: a share for a slice that no case has is never used. Pure.

Reads `segue.yaml` as it is written, so that a provider's other faults hide none of this.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import get_args

from segue.errors import Fault
from segue.model import CaseKind, Workflow
from segue.workspace.document import Document, ValuePath, clipped, likely_name, listed
from segue.workspace.partial import Lost
from segue.workspace.suite_survey import SuiteSurvey

SHARES = ("accuracy", "refuse_share", "fence_share", "prose_before_share", "truncate_share")
"""The keys of a simulated model that take shares by slice."""


@dataclass(slots=True)
class SlicesInUse:
    """The slices of all workflows, `name=value`. Of `open_names` any value may be; `is_open` where any name may be."""

    known: set[str] = field(default_factory=set)
    open_names: set[str] = field(default_factory=set)
    is_open: bool = False

    def note(self, workflow: Workflow | None, lost: Lost, surveys: Iterable[SuiteSurvey]) -> None:
        """Add what a workflow declares; where it declares nothing, what its cases have."""
        surveys = list(surveys)
        all_read = bool(surveys) and not any(survey.faults for survey in surveys)
        declared = {} if workflow is None else {name: spec.values for name, spec in workflow.slices.items()}
        for name, values in declared.items():
            self.known.update(f"{name}={value}" for value in values)
            if not values and (not all_read or lost.touches("slices", name)):
                self.open_names.add(name)
        if not declared and not all_read:
            self.is_open = True
        if "task" not in declared and not all_read:
            self.open_names.add("task")
        for survey in surveys:
            self.known.update(f"{name}={value}" for name, value in survey.slices if not declared.get(name))
        if workflow is None or ("slices",) in lost.paths:
            self.is_open = True

    def has(self, selector: str) -> bool:
        """Whether a case could have the slice."""
        return self.is_open or selector in self.known or selector.partition("=")[0] in self.open_names


def check_simulated(document: Document, slices: SlicesInUse) -> Iterator[Fault]:
    """A warning for each share of a simulated model that no case can ask for."""
    of_each_case = {f"kind={kind}" for kind in get_args(CaseKind)} | {"critical=true", "critical=false"}
    known = sorted(slices.known | of_each_case)
    for at in _shares(document):
        selector = str(at[-1])
        if "=" in selector and selector not in of_each_case and not slices.has(selector):
            what = f"No workflow has the slice '{clipped(selector)}', so this share is never used."
            likely = likely_name(selector, known)
            fix = f"Slices: {listed(known)}."
            yield document.fault(at, what, fix, likely=likely, severity="warning")


def _shares(document: Document) -> Iterator[ValuePath]:
    """The paths of all shares by slice, in both of the forms they can be written in."""
    for provider in _keys(document, ("providers",)):
        if document.at(("providers", provider, "type")) != "scripted":
            continue
        for model in _keys(document, ("providers", provider, "models")):
            for share in SHARES:
                at: ValuePath = ("providers", provider, "models", model, share)
                inner = (*at, "slices")
                at = inner if _keys(document, inner) else at
                yield from ((*at, selector) for selector in _keys(document, at))


def _keys(document: Document, path: ValuePath) -> list[str]:
    here = document.at(path)
    return list(here) if isinstance(here, dict) else []
