"""Which slices a case belongs to, and which of them are critical."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from segue.errors import Fault, InputError, NotFoundError
from segue.model import Workflow
from segue.store.base import CaseRow

MOST_VALUES = 200
"""A dimension with more values than this is an identifier, not a slice; it is left out, and said so."""


@dataclass(frozen=True, slots=True)
class SlicePlan:
    """The slices of one suite: dimensions that tell cases apart, and the critical ones by name."""

    dimensions: tuple[str, ...]
    with_kind: bool
    with_critical: bool
    critical: frozenset[str]
    notes: tuple[str, ...] = ()
    chosen: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def of(self, row: CaseRow) -> tuple[str, ...]:
        """The slices of a case, as `dimension=value`, without the total."""
        names = [
            f"{name}={row.slices[name]}"
            for name in self.dimensions
            if name in row.slices and (name not in self.chosen or row.slices[name] in self.chosen[name])
        ]
        if self.with_kind:
            names.append(f"case_kind={row.kind}")
        if self.with_critical and row.critical:
            names.append("critical=yes")
        return tuple(names)


def plan_slices(workflow: Workflow, rows: Iterable[CaseRow]) -> SlicePlan:
    """Look once over the suite. A dimension in which all cases agree says nothing the total does not, and is left out."""
    values: dict[str, dict[str, int]] = {}
    kinds: set[str] = set()
    n = n_critical = 0
    for row in rows:
        n += 1
        kinds.add(row.kind)
        n_critical += row.critical
        for name, value in row.slices.items():
            counts = values.setdefault(name, {})
            if len(counts) <= MOST_VALUES:
                counts[value] = counts.get(value, 0) + 1
    declared = tuple(workflow.slices) or tuple(values)
    if "task" in values and "task" not in declared:
        declared = ("task", *declared)
    notes = []
    dimensions = []
    chosen: dict[str, frozenset[str]] = {}
    for name in declared:
        counts = values.get(name, {})
        critical_here = workflow.slices[name].critical if name in workflow.slices else ()
        if critical_here and counts:
            # Critical values are judged whatever else is so of their dimension.
            dimensions.append(name)
            if len(counts) > MOST_VALUES:
                chosen[name] = frozenset(critical_here)
        elif len(counts) > MOST_VALUES:
            notes.append(f"{name} has more than {MOST_VALUES} values, so it is not judged as a slice.")
        elif counts and not (len(counts) == 1 and sum(counts.values()) == n):
            dimensions.append(name)
    critical = {f"{name}={value}" for name, spec in workflow.slices.items() for value in spec.critical}
    if n_critical:
        critical.add("critical=yes")
    return SlicePlan(tuple(dimensions), len(kinds) > 1, n_critical > 0, frozenset(critical), tuple(notes), chosen)


@dataclass(frozen=True, slots=True)
class CaseFilter:
    """`--only dimension=value`, any number of times: same dimension means *or*, different ones mean *and*."""

    wanted: Mapping[str, frozenset[str]]

    @classmethod
    def parse(cls, words: Iterable[str]) -> CaseFilter:
        """From `dimension=value` words. `InputError` names every word that is not one."""
        wanted: dict[str, set[str]] = {}
        faults = []
        for word in words:
            name, equals, value = word.partition("=")
            if not equals or not name or not value:
                faults.append(Fault(f"--only takes dimension=value, not '{word}'.", "For example: --only task=refund"))
            else:
                wanted.setdefault(name, set()).add(value)
        if faults:
            raise InputError.from_faults(faults, subject="--only")
        return cls({name: frozenset(values) for name, values in wanted.items()})

    def admits(self, row: CaseRow) -> bool:
        """Whether the case is asked for."""
        for name, values in self.wanted.items():
            if name == "case_kind":
                have: str | None = row.kind
            elif name == "critical":
                have = "yes" if row.critical else "no"
            else:
                have = row.slices.get(name)
            if have not in values:
                return False
        return True

    def check(self, rows: Iterable[CaseRow]) -> None:
        """`NotFoundError` if a wanted dimension or value occurs nowhere, naming the near ones."""
        if not self.wanted:
            return
        known: dict[str, set[str]] = {"case_kind": set(), "critical": {"yes", "no"}}
        for row in rows:
            known["case_kind"].add(row.kind)
            for name, value in row.slices.items():
                known.setdefault(name, set()).add(value)
        for name, values in self.wanted.items():
            if name not in known:
                raise NotFoundError.naming("slice dimension", name, known, fix="See them with: segue suite stats.")
            for value in sorted(values - known[name]):
                raise NotFoundError.naming(
                    "slice",
                    f"{name}={value}",
                    (f"{name}={one}" for one in known[name]),
                    fix="See them with: segue suite stats.",
                )
