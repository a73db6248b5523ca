"""What a suite has, and what is thin about it: whether it could show that an upgrade makes something worse. Pure.

Every finding is a sentence with a remedy. How many cases settle a question depends on the churn, the share of cases that
change sides between two bundles; before a comparison it is assumed, and the assumption is stated.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from segue.evidence.sample_size import cases_to_settle
from segue.model import Case, SliceSpec, Workflow
from segue.scoring.when import applies
from segue.workspace.document import clipped, listed
from segue.workspace.reference_needs import has_reference, needs_reference

ASSUMED_CHURN = 0.15
"""Of 77 recorded pairs of releases with 100 cases or more (LLMDrift, BFCL, XSTest), half change sides on 5 to 22 % of them."""
MOST_VALUES = 200
"""A slice with more values than this is an identifier, not a slice; comparisons leave it out, too."""

ThinKind = Literal["empty", "task", "slice", "critical-slice", "no-red-team", "no-regression", "duplicates", "no-reference"]


@dataclass(frozen=True, slots=True)
class Thin:
    """One thing the suite is short of. `n` cases are there; `needed` would do, where a number can be given."""

    kind: ThinKind
    subject: str
    what: str
    remedy: str
    n: int
    needed: int | None = None

    def sentence(self) -> str:
        """What is thin and what to do about it."""
        return f"{self.what} {self.remedy}"


@dataclass(frozen=True, slots=True)
class SuiteStats:
    """Counts of a suite, and what is thin. `by_slice` maps a slice to its values' counts; the task is a slice too.

    `needed_for_drop` is how many cases show a drop of `drop` (a share) at 80 % power if `churn` of the cases change sides.
    """

    n_cases: int
    n_critical: int
    by_task: Mapping[str, int]
    by_kind: Mapping[str, int]
    by_slice: Mapping[str, Mapping[str, int]]
    duplicate_inputs: tuple[tuple[str, ...], ...]
    churn: float
    drop: float
    needed_for_drop: int
    thin: tuple[Thin, ...]


@dataclass(slots=True)
class _Count:
    tasks: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    slices: dict[str, Counter[str]] = field(default_factory=dict)
    critical: int = 0
    inputs: dict[str, list[str]] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)
    unanswerable: dict[str, list[str]] = field(default_factory=dict)


def suite_stats(workflow: Workflow, cases: Iterable[Case], *, churn: float = ASSUMED_CHURN, drop: float = 0.05) -> SuiteStats:
    """Count `cases` in one pass and say what is thin. `churn` and `drop` are shares."""
    count = _count(workflow, cases)
    n_cases = count.tasks.total()
    needed = cases_to_settle(churn, drop)
    thin = [
        *_thin_tasks(workflow, count),
        *_thin_slices(workflow, count, churn, drop, needed),
        *_missing_kinds(count, n_cases),
        *_duplicates(count),
        *_missing_references(workflow, count),
    ]
    if not n_cases:
        what = "The suite has no cases: nothing can be judged."
        thin = [
            Thin("empty", workflow.suite, what, "Write cases from recorded traffic, and the rare ones that matter most.", 0)
        ]
    return SuiteStats(
        n_cases=n_cases,
        n_critical=count.critical,
        by_task=dict(sorted(count.tasks.items())),
        by_kind=dict(sorted(count.kinds.items())),
        by_slice={name: dict(sorted(values.items())) for name, values in sorted(count.slices.items())},
        duplicate_inputs=tuple(tuple(ids) for ids in count.inputs.values() if len(ids) > 1),
        churn=churn,
        drop=drop,
        needed_for_drop=needed,
        thin=tuple(thin),
    )


def _count(workflow: Workflow, cases: Iterable[Case]) -> _Count:
    count = _Count()
    readers = [spec for spec in workflow.scorers if needs_reference(spec)]
    for case in cases:
        count.tasks[case.task] += 1
        count.kinds[case.kind] += 1
        count.critical += case.critical
        for name, value in case.slices.items():
            count.slices.setdefault(name, Counter())[value] += 1
        count.inputs.setdefault(case.input_digest, []).append(case.case_id)
        for spec in readers:
            if applies(spec.when, case):
                count.asked[spec.name] += 1
                if not has_reference(spec, case):
                    count.unanswerable.setdefault(spec.name, []).append(case.case_id)
    return count


def _thin_tasks(workflow: Workflow, count: _Count) -> Iterable[Thin]:
    wanted = workflow.gate.min_cases
    for task, n in sorted(count.tasks.items()):
        if n < wanted:
            what = f"The task '{clipped(task)}' has {_cases(n)}; {wanted} are wanted before an upgrade is judged."
            remedy = f"Add {wanted - n}: from recorded traffic first, then the rare ones where a mistake costs most."
            yield Thin("task", task, what, remedy, n, wanted)


def _thin_slices(workflow: Workflow, count: _Count, churn: float, drop: float, needed: int) -> Iterable[Thin]:
    declared = dict(workflow.slices) or {name: SliceSpec() for name in count.slices if name != "task"}
    for name, spec in declared.items():
        seen = count.slices.get(name, Counter())
        if len(seen) > MOST_VALUES:
            what = f"The slice '{clipped(name)}' has {len(seen):,} values: it is an identifier, and is not judged."
            yield Thin(
                "slice", name, what, "Move it to `metadata`, or to `cluster` if its cases depend on each other.", len(seen)
            )
            continue
        for value in dict.fromkeys((*spec.values, *sorted(seen))):
            if seen[value] < needed:
                yield _thin_slice(f"{name}={value}", seen[value], value in spec.critical, churn, drop, needed)


def _thin_slice(subject: str, n: int, is_critical: bool, churn: float, drop: float, needed: int) -> Thin:
    slice_ = f"The {'critical ' if is_critical else ''}slice '{clipped(subject)}'"
    if not n and is_critical:
        what = f"{slice_} has no cases: the gate could not judge it."
        return Thin("critical-slice", subject, what, f"Add cases with {clipped(subject)}.", 0, needed)
    if not n:
        return Thin(
            "slice", subject, f"{slice_} has no cases.", "Add cases, or delete the value from workflow.yaml.", 0, needed
        )
    # A drop that n cases show at 80 % power: the formula of cases_to_settle, solved for the margin.
    visible = drop * math.sqrt(needed / n)
    sees = f"no drop under {100 * visible:.0f} points would show" if visible < 1 else "no drop would show"
    what = f"{slice_} has {_cases(n)}: {sees}, if {100 * churn:.0f} % of the cases change sides."
    return Thin("slice", subject, what, f"Add {needed - n:,} to see one of {100 * drop:.0f} points.", n, needed)


def _missing_kinds(count: _Count, n_cases: int) -> Iterable[Thin]:
    if n_cases and not count.kinds["red-team"]:
        what = "No case is of the kind red-team: an upgrade that gives in to misuse would pass."
        yield Thin("no-red-team", "red-team", what, 'Add attacks and forbidden requests with `"kind": "red-team"`.', 0)
    if n_cases and not count.kinds["regression"]:
        what = "No case is of the kind regression: failures that were fixed once may come back unseen."
        yield Thin("no-regression", "regression", what, 'Add each failure that was ever fixed, with `"kind": "regression"`.', 0)


def _duplicates(count: _Count) -> Iterable[Thin]:
    groups = [ids for ids in count.inputs.values() if len(ids) > 1]
    if groups:
        extra = sum(len(ids) - 1 for ids in groups)
        verb = "repeats" if extra == 1 else "repeat"
        what = f"{_cases(extra)} {verb} the input of another case, such as {listed(groups[0], 3)}."
        remedy = "Delete them, or give them one `cluster`, so that one answer does not count twice."
        yield Thin("duplicates", groups[0][0], what, remedy, extra)


def _missing_references(workflow: Workflow, count: _Count) -> Iterable[Thin]:
    for spec in workflow.scorers:
        lacking = count.unanswerable.get(spec.name, [])
        if lacking:
            asked = count.asked[spec.name]
            shown = f"{len(lacking):,} of {_cases(asked)}, such as {listed(lacking, 3)}"
            what = f"The scorer '{spec.name}' finds no reference in {shown}: they stay unscored."
            remedy = "Add `reference` to them, or limit the scorer with `when`."
            yield Thin("no-reference", spec.name, what, remedy, asked - len(lacking), asked)


def _cases(n: int) -> str:
    return "1 case" if n == 1 else f"{n:,} cases"
