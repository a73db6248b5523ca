"""Where the texts behind a comparison are read from: its arms, its question, its store."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from segue.evals.arms import PreparedArm
from segue.evals.case_sample import CaseSample, sample_cases
from segue.evals.compare import Question
from segue.evals.pairs import MOST_PAIRS, StoredPairs
from segue.evals.slicing import CaseFilter
from segue.gates.tally import TOTAL
from segue.store.base import Store


@dataclass(frozen=True)
class Scope:
    """Where pairs are read from: one comparison, its arms and their repeats. `samples` are cases chosen already, by slice."""

    store: Store
    question: Question
    old: PreparedArm
    new: PreparedArm
    samples: Mapping[str, CaseSample] = field(default_factory=dict)

    def sampled(self, places: Iterable[str]) -> Scope:
        """The same with cases chosen for these slices, in one walk over the suite."""
        filters = {where: self._filter(where) for where in places}
        return replace(self, samples=sample_cases(self.store, self.question.suite, filters, most=MOST_PAIRS))

    def has_scores(self, metric: str) -> bool:
        """Whether both arms have scores of `metric` as its scorer is set up now."""
        for arm in (self.old, self.new):
            scorer = arm.scorer_of(metric)
            if scorer is None or next(self.store.iter_scores(arm.behaviour, arm.key_of(scorer)), None) is None:
                return False
        return True

    def pairs(self, metric: str, where: str = TOTAL, *, most: int | None = MOST_PAIRS) -> StoredPairs | None:
        """Pairs of one metric on one slice, evenly chosen above `most`; `None` if nobody gives the metric."""
        scorer, after = self.old.scorer_of(metric), self.new.scorer_of(metric)
        if scorer is None or after is None:
            return None
        better = {one.name: one.better for one in self.question.metrics}
        return StoredPairs(
            self.store,
            self.question.suite,
            old=(self.old.behaviour, self.old.key_of(scorer), self.question.old.ref.repeats),
            new=(self.new.behaviour, self.new.key_of(after), self.question.new.ref.repeats),
            metric=metric,
            lower=better[metric] == "lower",
            cases=self._filter(where) if most is None else self._sample(where, most),
        )

    def _sample(self, where: str, most: int) -> CaseSample:
        found = self.samples.get(where)
        if found is None or most > MOST_PAIRS:
            found = sample_cases(self.store, self.question.suite, {where: self._filter(where)}, most=most)[where]
        return found.thinned(most)

    def _filter(self, where: str) -> CaseFilter:
        wanted = dict(self.question.only.wanted)
        if where:
            name, _, value = where.partition("=")
            wanted[name] = frozenset({value})
        return CaseFilter(wanted)
