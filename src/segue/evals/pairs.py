"""Both arms' whole exchanges of one metric, pair by pair, read from the store each time they are walked."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import islice

from segue.drift import JudgedPair
from segue.evals.case_sample import CaseKey, CaseSample
from segue.evals.slicing import CaseFilter
from segue.model import Exchange, Score
from segue.store.base import Store

MOST_PAIRS = 10_000
"""Texts of at most this many cases are read, evenly chosen, so that a look behind the numbers does not grow with the suite."""
CHUNK = 500
"""Cases read at a time: what one statement of the store takes."""

Verdict = bool | None
Side = tuple[str, str, frozenset[int] | None]
"""Behaviour, scorer digest, and the repeats that count (`None`: all)."""


class StoredPairs(Collection[JudgedPair]):
    """Judged pairs of one metric, one per case that both arms replied to: of each arm the lowest repeat that was scored, else
    the lowest there is.

    It holds no text; every walk reads them again. `verdicts` and `where` look at the scores, and read only the texts they need.
    """

    def __init__(
        self,
        store: Store,
        suite: str,
        *,
        old: Side,
        new: Side,
        metric: str,
        lower: bool = False,
        cases: CaseSample | CaseFilter,
    ) -> None:
        """`lower` where less is better; `cases` are chosen ones, or all that a filter admits."""
        self._store, self._suite, self._metric, self._lower = store, suite, metric, lower
        self._old, self._new, self._cases = old, new, cases

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __contains__(self, pair: object) -> bool:
        return any(pair == one for one in self)

    def __iter__(self) -> Iterator[JudgedPair]:
        return self.where(lambda _old, _new: True)

    def verdicts(self) -> Iterator[tuple[Verdict, Verdict]]:
        """`(old_right, new_right)` of each pair that was scored on both arms; no text is read."""
        for chunk in self._chunks():
            old, new = self._scored(self._old, chunk), self._scored(self._new, chunk)
            yield from ((old[case_id][1], new[case_id][1]) for case_id, _ in chunk if case_id in old and case_id in new)

    def where(self, wanted: Callable[[Verdict, Verdict], bool]) -> Iterator[JudgedPair]:
        """The pairs whose `(old_right, new_right)` are wanted; the texts of the others are not read."""
        for chunk in self._chunks():
            old, new = self._scored(self._old, chunk), self._scored(self._new, chunk)
            some = [
                (case_id, digest)
                for case_id, digest in chunk
                if wanted(old.get(case_id, _UNSCORED)[1], new.get(case_id, _UNSCORED)[1])
            ]
            if some:
                yield from self._pairs(some, old, new)

    def _pairs(
        self, chunk: Sequence[CaseKey], old: Mapping[str, tuple[int, Verdict]], new: Mapping[str, tuple[int, Verdict]]
    ) -> Iterator[JudgedPair]:
        ids = [case_id for case_id, _ in chunk]
        before, after = self._exchanges(self._old, chunk, old), self._exchanges(self._new, chunk, new)
        for case in self._store.iter_cases(self._suite, case_ids=ids):
            one, two = before.get(case.case_id), after.get(case.case_id)
            if one is not None and two is not None:
                was, is_now = old.get(case.case_id, _UNSCORED)[1], new.get(case.case_id, _UNSCORED)[1]
                yield JudgedPair(case, one, two, was, is_now)

    def _chunks(self) -> Iterator[Sequence[CaseKey]]:
        if isinstance(self._cases, CaseSample):
            chosen = iter(self._cases.cases)
        else:
            rows = filter(self._cases.admits, self._store.iter_case_rows(self._suite))
            chosen = ((row.case_id, row.input_digest) for row in rows)
        while chunk := list(islice(chosen, CHUNK)):
            yield chunk

    def _scored(self, side: Side, chunk: Sequence[CaseKey]) -> dict[str, tuple[int, Verdict]]:
        """Case → its lowest scored repeat, and whether it is right."""
        behaviour, scorer, repeats = side
        current = dict(chunk)
        found: dict[str, tuple[int, Verdict]] = {}
        for case_id, digest, repeat, scores in self._store.iter_scores(behaviour, scorer, case_ids=list(current)):
            if case_id not in found and digest == current[case_id] and (repeats is None or repeat in repeats):
                found[case_id] = (repeat, self._read(scores))
        return found

    def _exchanges(
        self, side: Side, chunk: Sequence[CaseKey], scored: Mapping[str, tuple[int, Verdict]]
    ) -> dict[str, Exchange]:
        behaviour, _, repeats = side
        current = dict(chunk)
        found: dict[str, Exchange] = {}
        for one in self._store.iter_exchanges(behaviour, case_ids=list(current)):
            if one.reply is None or one.case_id in found or one.input_digest != current[one.case_id]:
                continue
            if one.repeat == scored[one.case_id][0] if one.case_id in scored else repeats is None or one.repeat in repeats:
                found[one.case_id] = one
        return found

    def _read(self, scores: Sequence[Score]) -> Verdict:
        for score in scores:
            if score.name == self._metric and score.value is not None:
                return score.value < 0.5 if self._lower else score.value > 0.5
        return None


_UNSCORED: tuple[int, Verdict] = (0, None)
