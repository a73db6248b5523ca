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
    """The slices of one suite: dimensions that tell cases apart, and the critical ones by name.

    `criticality` are the values of the slice `critical` (`yes`, `no`) that are judged.
    """

    dimensions: tuple[str, ...]
    with_kind: bool
    criticality: frozenset[str]
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
        word = "yes" if row.critical else "no"
        if word in self.criticality:
            names.append(f"critical={word}")
        return tuple(names)


def plan_slices(workflow: Workflow, rows: Iterable[CaseRow], only: CaseFilter | None = None) -> SlicePlan:
    """Look once over the cases. A dimension in which all cases agree says nothing the total does not, and is left out.

    Not so where `only` asks for it: what is chosen by its slice is judged as that slice, by the slice's own rules.
    """
    wanted = only.wanted if only is not None else {}
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
    for name in dict.fromkeys((*declared, *(one for one in wanted if one in values))):
        counts = values.get(name, {})
        named = frozenset(workflow.slices[name].critical if name in workflow.slices else ()) | wanted.get(name, frozenset())
        if named and counts:
            # Critical and asked-for values are judged whatever else is so of their dimension.
            dimensions.append(name)
            if len(counts) > MOST_VALUES:
                chosen[name] = named
        elif len(counts) > MOST_VALUES:
            notes.append(f"{name} has more than {MOST_VALUES} values, so it is not judged as a slice.")
        elif counts and not (len(counts) == 1 and sum(counts.values()) == n):
            dimensions.append(name)
    critical = {f"{name}={value}" for name, spec in workflow.slices.items() for value in spec.critical}
    if n_critical:
        critical.add("critical=yes")
    return SlicePlan(
        dimensions=tuple(dimensions),
        with_kind=len(kinds) > 1 or "case_kind" in wanted,
        criticality=wanted.get("critical", frozenset()) | (frozenset({"yes"}) if n_critical else frozenset()),
        critical=frozenset(critical),
        notes=tuple(notes),
        chosen=chosen,
    )


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

    @property
    def part(self) -> str:
        """What is chosen, in words; where it is one slice, its name. Empty where everything is."""
        return ", ".join(f"{name}={value}" for name, values in self.wanted.items() for value in sorted(values))

    def check(self, rows: Iterable[CaseRow]) -> None:
        """`NotFoundError` if a wanted dimension or value occurs nowhere, naming all of them, each with the near ones."""
        if not self.wanted:
            return
        known: dict[str, set[str]] = {"case_kind": set(), "critical": {"yes", "no"}}
        for row in rows:
            known["case_kind"].add(row.kind)
            for name, value in row.slices.items():
                known.setdefault(name, set()).add(value)
        fix = "See them with: segue suite stats WORKFLOW"
        unknown = []
        for name, values in self.wanted.items():
            if name not in known:
                unknown.append(NotFoundError.naming("slice dimension", name, known, fix=fix))
                continue
            there = [f"{name}={one}" for one in known[name]]
            lacking = (f"{name}={value}" for value in sorted(values - known[name]))
            unknown += [NotFoundError.naming("slice", one, there, fix=fix) for one in lacking]
        if len(unknown) == 1:
            raise unknown[0]
        if unknown:
            faults = [fault for one in unknown for fault in one.faults]
            raise NotFoundError(f"{len(unknown)} slices that --only names are not in the suite.", fix=fix, faults=faults)
