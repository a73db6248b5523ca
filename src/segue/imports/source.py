"""The frame all readers share: selection, counting, passes that can be repeated. A reader only says how a record is read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Set
from difflib import get_close_matches

from segue.errors import Fault, InputError
from segue.imports.base import Count, Counts, ImportedExchange, ImportedLabel, Place, Release, Report
from segue.imports.reading_pass import Flaw, ReadingPass, ToldFaults
from segue.imports.release_sketch import ReleaseSketches
from segue.imports.selection import Where, selects
from segue.model import Case
from segue.scoring.label_roles import LabelRole

MAX_SEEN_VALUES = 20


class StreamedSource(ABC):
    """An `ImportSource` over files. Subclasses read records: count each on the pass, then yield it or reject it.

    With a selection, the ids of the cases left out are kept (about 120 bytes each), so that their exchanges can be left out
    too.
    """

    def __init__(self, *, report: Report, where: Where | None) -> None:
        self.counts = Counts()
        self.roles: dict[str, LabelRole] = {}
        self._report = report
        self._where = where
        self._told = ToldFaults()
        self._left_out: Set[str] | None = frozenset() if where is None else None
        self._pass = ReadingPass.quiet()
        self._releases: Mapping[str, Release] | None = None

    @property
    def place(self) -> Place:
        """Where the record that was yielded last stands."""
        return self._pass.place

    def report(self, fault: Fault) -> None:
        """Add a fault found by whoever uses what was read."""
        self._report(fault)

    def cases(self) -> Iterator[Case]:
        """The selected cases. One that JSON cannot carry canonically is a fault."""
        count = self.counts.cases = Count()
        reading = self._start("cases", count)
        chosen = None if self._where is None else selects(self._where)
        left_out: set[str] = set()
        seen: dict[str, set[str]] = {}
        for case in self._read_cases(reading):
            if chosen is not None and not chosen(case):
                count.left_out += 1
                left_out.add(case.case_id)
                _remember(seen, case)
                continue
            if (flaw := _digest_flaw(case)) is not None:
                reading.reject(flaw)
                continue
            count.kept += 1
            yield case
        if self._where is not None:
            self._left_out = left_out
            if left_out and not count.kept:
                reading.move(reading.file or "", None, mark=0)
                reading.tell([_nothing_selected(self._where, seen)], level="selection")

    def exchanges(self) -> Iterator[ImportedExchange]:
        """The exchanges of all cases that were not left out, known or not."""
        left_out = self._cases_left_out()
        count = self.counts.exchanges = Count()
        for exchange in self._read_exchanges(self._start("exchanges", count)):
            if exchange.case_id in left_out:
                count.left_out += 1
            else:
                count.kept += 1
                yield exchange

    def labels(self) -> Iterator[ImportedLabel]:
        """The labels of all cases that were not left out."""
        left_out = self._cases_left_out()
        count = self.counts.labels = Count()
        for label in self._read_labels(self._start("labels", count)):
            if label.case_id in left_out:
                count.left_out += 1
            else:
                count.kept += 1
                yield label

    def releases(self) -> Mapping[str, Release]:
        """The releases among the exchanges; read once, in a pass of its own."""
        if self._releases is None:
            self._releases = self._find_releases(self._cases_left_out())
        return self._releases

    def _find_releases(self, left_out: Set[str]) -> Mapping[str, Release]:
        sketches = ReleaseSketches()
        for exchange in self._read_exchanges(ReadingPass.quiet()):
            if exchange.case_id not in left_out:
                sketches.add(exchange.release, exchange.snapshot, exchange.params)
        return sketches.releases()

    def _start(self, level: str, count: Count) -> ReadingPass:
        self._pass = ReadingPass(level, count, self._report, self._told)
        return self._pass

    def _cases_left_out(self) -> Set[str]:
        if self._left_out is None:
            assert self._where is not None
            chosen = selects(self._where)
            self._left_out = {case.case_id for case in self._read_cases(ReadingPass.quiet()) if not chosen(case)}
        return self._left_out

    @abstractmethod
    def _read_cases(self, reading: ReadingPass) -> Iterator[Case]: ...

    @abstractmethod
    def _read_exchanges(self, reading: ReadingPass) -> Iterator[ImportedExchange]: ...

    @abstractmethod
    def _read_labels(self, reading: ReadingPass) -> Iterator[ImportedLabel]: ...


def _digest_flaw(case: Case) -> Flaw | None:
    """The digests are worked out here, where file and line are known; they are kept on the case for whoever stores it."""
    if "\0" in case.case_id:
        return Flaw("case_id", "It holds a NUL character.", "Remove it.")
    try:
        _ = case.digest, case.input_digest
    except InputError as error:
        return Flaw(None, error.what, error.fix)
    return None


def _remember(seen: dict[str, set[str]], case: Case) -> None:
    for key, value in {**case.slices, "kind": case.kind}.items():
        values = seen.setdefault(key, set())
        if len(values) < MAX_SEEN_VALUES:
            values.add(value)


def _nothing_selected(where: Where, seen: Mapping[str, Set[str]]) -> Flaw:
    if callable(where):
        return Flaw(None, "No case is selected by the predicate.", "Loosen it, or leave it out.")
    for key, value in where.items():
        asked = [value] if isinstance(value, str) else list(value)
        if key not in seen:
            near = get_close_matches(key, seen, n=1)
            known = ", ".join(sorted(seen))
            return Flaw(None, f"No case has a slice '{key}'.", f"There are: {known}.", f"'{near[0]}'" if near else None)
        if not set(asked) & seen[key]:
            near = get_close_matches(asked[0], seen[key], n=1) if asked else []
            known = ", ".join(sorted(seen[key]))
            wanted = " or ".join(f"'{one}'" for one in asked) or "nothing"
            likely = f"'{near[0]}'" if near else None
            return Flaw(None, f"No case has {key} {wanted}.", f"Values of {key} here: {known}.", likely)
    return Flaw(None, "No case has all of the values asked for.", "Ask for fewer at once.")
