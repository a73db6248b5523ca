"""One pass over a suite for what the checks of workflow and bundles ask of it, in memory that does not grow with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from segue.errors import Fault
from segue.model import Case, Workflow
from segue.providers.rendering import INPUT
from segue.store.base import CaseRow
from segue.workspace.case_check import check_case
from segue.workspace.fault_tally import FaultTally
from segue.workspace.suite_file import read_suite
from segue.workspace.text_file import Root

MOST_SHAPES = 500
"""Sets of variable names that are told apart. Beyond them the suite is too irregular for a template anyway."""


@dataclass(slots=True)
class Seen:
    """How many cases, and the line of the first."""

    count: int = 0
    first_line: int = 0

    def add(self, line: int) -> None:
        self.count += 1
        self.first_line = self.first_line or line


@dataclass(slots=True)
class SuiteSurvey:
    """What a suite has. `variables` counts cases by the set of names a prompt may ask them for, `input` among them."""

    file: str
    n_lines: int = 0
    n_cases: int = 0
    tasks: Counter[str] = field(default_factory=Counter)
    slices: Counter[tuple[str, str]] = field(default_factory=Counter)
    variables: dict[frozenset[str], Seen] = field(default_factory=dict)
    without_messages: Seen = field(default_factory=Seen)
    faults: tuple[Fault, ...] = ()
    is_stored: bool = False

    def values_of(self, name: str) -> list[str]:
        """The values of a slice that occur."""
        return [value for one, value in self.slices if one == name]

    def lacking(self, name: str) -> Seen:
        """The cases that do not give the variable `name`."""
        lacking = Seen()
        for names, seen in self.variables.items():
            if name not in names:
                first = min(lacking.first_line or seen.first_line, seen.first_line)
                lacking = Seen(lacking.count + seen.count, first)
        return lacking

    def names(self) -> set[str]:
        """Every name that some case gives."""
        return set().union(*self.variables)

    def note(self, case: Case, line: int) -> None:
        """Count one case."""
        self.n_cases += 1
        self.tasks[case.task] += 1
        self.slices.update(case.slices.items())
        names = frozenset(case.variables)
        if any(turn.role == "user" for turn in case.messages):
            names |= {INPUT}
        if names in self.variables or len(self.variables) < MOST_SHAPES:
            self.variables.setdefault(names, Seen()).add(line)
        if all(turn.role == "system" for turn in case.messages):
            self.without_messages.add(line)


def survey_stored(name: str, rows: Iterable[CaseRow]) -> SuiteSurvey:
    """What is known of a suite of which there is no file: tasks and slices, and nothing of its texts."""
    survey = SuiteSurvey(f"the stored suite '{name}'", is_stored=True)
    for row in rows:
        survey.n_cases += 1
        survey.tasks[row.task] += 1
        survey.slices.update({"task": row.task, **row.slices}.items())
    return survey


def survey_suite(root: Root, path: Path, workflow: Workflow | None) -> SuiteSurvey:
    """Read the suite at `path` once. Without a workflow its slices are taken as they come."""
    file = root.shown(path)
    survey = SuiteSurvey(file)
    tally = FaultTally(file)
    for line in read_suite(root, path):
        survey.n_lines += 1
        for kind, fault in line.faults:
            tally.add(kind, fault)
        if line.case is None:
            continue
        survey.note(line.case, line.line)
        if workflow is not None:
            for kind, fault in check_case(line.case, workflow, file=file, line=line.line):
                tally.add(kind, fault)
    survey.faults = tuple(tally.faults())
    return survey
