"""Looks up labels given outside Segue, along the order in which exchanges are read."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from segue.store.base import RecordedLabel, Store


class OrderedLabels:
    """`(case_id, repeat)` → label of one labeler on one arm.

    Cheap and constant in memory while `case_id` rises, as it does when exchanges are read in order; a step back starts over.
    """

    def __init__(self, open_labels: Callable[[], Iterator[RecordedLabel]]) -> None:
        self._open = open_labels
        self._case = ""
        self._group: list[RecordedLabel] = []
        self._restart()

    def __call__(self, case_id: str, repeat: int) -> RecordedLabel | None:
        if case_id < self._case:
            self._restart()
        if case_id != self._case:
            self._advance(case_id)
        for_all = None
        for label in self._group:
            if label.repeat == repeat:
                return label
            if label.repeat is None:
                for_all = label
        return for_all

    def _restart(self) -> None:
        self._labels = self._open()
        self._next = next(self._labels, None)
        self._case, self._group = "", []

    def _advance(self, case_id: str) -> None:
        self._case, self._group = case_id, []
        while self._next is not None and self._next.case_id < case_id:
            self._next = next(self._labels, None)
        while self._next is not None and self._next.case_id == case_id:
            self._group.append(self._next)
            self._next = next(self._labels, None)


def labels_of(store: Store, behaviour: str) -> Callable[[str], OrderedLabels]:
    """Labeler → lookup, for one arm."""
    return lambda labeler: OrderedLabels(lambda: store.iter_labels(behaviour, labeler))
