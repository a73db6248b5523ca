"""Stores labels batch by batch, and finds the ones the store refuses without losing the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from segue.errors import ConflictError, InputError
from segue.imports.base import Place
from segue.imports.summary import ReleaseSummary
from segue.model import RecordedLabel
from segue.store.base import Store

MAX_REFUSED = 50
"""After so many refusals of one labeler on one release its further labels are no longer tried."""

Reject = Callable[[Place, str | None, str], None]
"""`(place, what, fix)`; `what` is `None` for a label that is only counted."""


class _Waiting(NamedTuple):
    label: RecordedLabel
    place: Place


class LabelBatches:
    """Labels waiting to be stored, by release."""

    def __init__(self, store: Store, reject: Reject) -> None:
        self._store = store
        self._reject = reject
        self._waiting: dict[str, list[_Waiting]] = {}
        self._summaries: dict[str, ReleaseSummary] = {}
        self._refused: dict[tuple[str, str], int] = {}
        self.waiting = 0

    def add(self, release: ReleaseSummary, label: RecordedLabel, place: Place) -> None:
        """One more label to be stored with the next `flush`."""
        if self._refused.get((release.release, label.labeler), 0) >= MAX_REFUSED:
            self._reject(place, None, "")
            return
        self._summaries[release.release] = release
        self._waiting.setdefault(release.release, []).append(_Waiting(label, place))
        self.waiting += 1

    def flush(self) -> int:
        """Store what waits; returns how many labels the store holds of them."""
        stored = 0
        for name, waiting in self._waiting.items():
            stored += self._store_or_split(self._summaries[name], waiting)
        self._waiting.clear()
        self.waiting = 0
        return stored

    def _store_or_split(self, release: ReleaseSummary, waiting: Sequence[_Waiting]) -> int:
        """Halve until the refused labels stand alone; of two that contradict each other, the first stays."""
        try:
            release.new_labels += self._store.add_labels(release.behaviour, [one.label for one in waiting])
        except (ConflictError, InputError) as error:
            if len(waiting) > 1:
                if self._has_given_up(release, waiting):
                    for one in waiting:
                        self._reject(one.place, None, "")
                    return 0
                middle = len(waiting) // 2
                return self._store_or_split(release, waiting[:middle]) + self._store_or_split(release, waiting[middle:])
            self._refuse(release, waiting[0], error)
            return 0
        for one in waiting:
            release.labels[one.label.labeler] = release.labels.get(one.label.labeler, 0) + 1
        return len(waiting)

    def _has_given_up(self, release: ReleaseSummary, waiting: Sequence[_Waiting]) -> bool:
        return all(self._refused.get((release.release, one.label.labeler), 0) >= MAX_REFUSED for one in waiting)

    def _refuse(self, release: ReleaseSummary, one: _Waiting, error: ConflictError | InputError) -> None:
        key = (release.release, one.label.labeler)
        if self._refused.get(key, 0) >= MAX_REFUSED:
            self._reject(one.place, None, "")
            return
        refused = self._refused[key] = self._refused.get(key, 0) + 1
        what, fix = error.faults[0].what, error.faults[0].fix
        if refused == MAX_REFUSED:
            what += (
                f" That is the {MAX_REFUSED}th of '{one.label.labeler}' on '{release.release}'; its further ones are not tried."
            )
        self._reject(one.place, what, fix)
