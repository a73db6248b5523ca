"""An even selection of a suite's cases, chosen in one walk whatever the size of the suite."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from segue.evals.slicing import CaseFilter
from segue.store.base import Store

CaseKey = tuple[str, str]
"""`(case_id, input_digest)`."""


@dataclass(frozen=True, slots=True)
class CaseSample:
    """Every `step`-th of the cases that were asked for, in order. `step` is 1 where all of them are here."""

    cases: tuple[CaseKey, ...]
    step: int = 1

    def thinned(self, most: int) -> CaseSample:
        """An even selection of at most `most` of these."""
        step = max(1, -(-len(self.cases) // most))
        return self if step == 1 else CaseSample(self.cases[::step], self.step * step)


def sample_cases(store: Store, suite: str, filters: Mapping[str, CaseFilter], *, most: int) -> dict[str, CaseSample]:
    """For each of `filters`, the cases of `suite` it admits, evenly thinned to at most `most`. One walk over the suite.

    Above `most` every second case is dropped, again and again, so that no more than `most` + 1 are held at any time.
    """
    choosing = {name: _Choosing(most) for name in filters}
    for row in store.iter_case_rows(suite):
        key = (row.case_id, row.input_digest)
        for name, wanted in filters.items():
            if wanted.admits(row):
                choosing[name].offer(key)
    return {name: CaseSample(tuple(one.kept), one.step) for name, one in choosing.items()}


class _Choosing:
    def __init__(self, most: int) -> None:
        self.kept: list[CaseKey] = []
        self.step = 1
        self._most = most
        self._seen = 0

    def offer(self, key: CaseKey) -> None:
        if self._seen % self.step == 0:
            self.kept.append(key)
            if len(self.kept) > self._most:
                self.kept = self.kept[::2]
                self.step *= 2
        self._seen += 1
