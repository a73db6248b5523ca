"""What a suite has, and what is thin about it: whether it could show that an upgrade makes something worse. Pure.

Every finding is a sentence with a remedy. How many cases settle a question depends on the churn, the share of cases that
change sides between two bundles; before a comparison it is assumed, and the assumption is stated. The drop that has to show is
the margin that the workflow's own gate has there.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from segue.evidence.sample_size import ASSUMED_CHURN, cases_to_settle
from segue.gates.findings import margin_of
from segue.gates.tally import TOTAL
from segue.model import Case, SliceSpec, Workflow
from segue.scoring.when import applies
from segue.workspace.document import clipped, listed
from segue.workspace.reference_needs import has_reference, needs_reference

MOST_VALUES = 200
"""A slice with more values than this is an identifier, not a slice; comparisons leave it out, too."""

ThinKind = Literal[
    "empty", "suite", "task", "slice", "critical-slice", "no-red-team", "no-regression", "duplicates", "no-reference"
]


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

    `needed_for_drop` is how many cases of an ordinary slice show a drop of `drop` (a share) at 80 % power if `churn` of the
    cases change sides; `needed_in_total` and `total_drop` are the same of the whole suite. `None` where the margin is 0, which
    no number of cases shows.
    """

    n_cases: int
    n_critical: int
    by_task: Mapping[str, int]
    by_kind: Mapping[str, int]
    by_slice: Mapping[str, Mapping[str, int]]
    duplicate_inputs: tuple[tuple[str, ...], ...]
    churn: float
    drop: float
    needed_for_drop: int | None
    total_drop: float
    needed_in_total: int | None
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


@dataclass(frozen=True, slots=True)
class _Margins:
    """The drop that has to show at a place, and how many cases that takes. Of several primary metrics, the strictest."""

    workflow: Workflow
    churn: float

    def drop(self, where: str, *, is_critical: bool = False) -> float:
        gate = self.workflow.gate
        return min(margin_of(gate, metric, where, is_critical=is_critical) for metric in gate.primary or ("",))

    def needed(self, drop: float) -> int | None:
        return cases_to_settle(self.churn, drop, alpha=self.workflow.gate.alpha) if drop > 0 else None


def suite_stats(workflow: Workflow, cases: Iterable[Case], *, churn: float = ASSUMED_CHURN) -> SuiteStats:
    """Count `cases` in one pass and say what is thin, by the margins of the workflow's gate. `churn` is a share."""
    count = _count(workflow, cases)
    n_cases = count.tasks.total()
    margins = _Margins(workflow, churn)
    drop, total_drop = margins.drop("an ordinary slice"), margins.drop(TOTAL)
    thin = [
        *_thin_total(margins, n_cases, total_drop),
        *_thin_tasks(workflow, count),
        *_thin_slices(workflow, count, margins),
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
        needed_for_drop=margins.needed(drop),
        total_drop=total_drop,
        needed_in_total=margins.needed(total_drop),
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


def _thin_total(margins: _Margins, n: int, drop: float) -> Iterable[Thin]:
    needed = margins.needed(drop)
    if needed is not None and n < needed:
        what = f"The suite has {_cases(n)}: {_sees(n, drop, needed, margins.churn)}."
        remedy = f"Add {needed - n:,} to see one of {_points(drop)} in total."
        yield Thin("suite", margins.workflow.suite, what, remedy, n, needed)


def _thin_slices(workflow: Workflow, count: _Count, margins: _Margins) -> Iterable[Thin]:
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
            yield from _thin_slice(f"{name}={value}", seen[value], value in spec.critical, margins)


def _thin_slice(subject: str, n: int, is_critical: bool, margins: _Margins) -> Iterable[Thin]:
    slice_ = f"The {'critical ' if is_critical else ''}slice '{clipped(subject)}'"
    drop = margins.drop(subject, is_critical=is_critical)
    needed = margins.needed(drop)
    if not n and is_critical:
        what = f"{slice_} has no cases: the gate could not judge it."
        yield Thin("critical-slice", subject, what, f"Add cases with {clipped(subject)}.", 0, needed)
    elif not n:
        remedy = "Add cases, or delete the value from workflow.yaml."
        yield Thin("slice", subject, f"{slice_} has no cases.", remedy, 0, needed)
    elif needed is not None and n < needed:
        what = f"{slice_} has {_cases(n)}: {_sees(n, drop, needed, margins.churn)}."
        yield Thin("slice", subject, what, f"Add {needed - n:,} to see one of {_points(drop)}.", n, needed)


def _sees(n: int, drop: float, needed: int, churn: float) -> str:
    """What `n` cases show at 80 % power: the formula of `cases_to_settle`, solved for the margin."""
    visible = drop * math.sqrt(needed / n) if n else 1.0
    sees = f"no drop under {100 * visible:.0f} points would show" if visible < 1 else "no drop would show"
    return f"{sees}, if {100 * churn:.0f} % of the cases change sides"


def _points(drop: float) -> str:
    return f"{100 * drop:g} point{'' if drop == 0.01 else 's'}"


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
