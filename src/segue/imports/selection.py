"""Choosing cases: by task, slice, kind, or any predicate. Each task of a data set becomes a workflow of its own."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from segue.model import Case

Where = Mapping[str, str | Collection[str]] | Callable[[Case], bool]
"""`{"task": "prime"}`, `{"lang": ["de", "fr"]}`, or a function of the case."""


def selects(where: Where) -> Callable[[Case], bool]:
    """A predicate for `where`. All keys must hold; a key is `task`, `kind` or a slice, and a case without it is left out."""
    if callable(where):
        return where
    wanted = {key: {value} if isinstance(value, str) else set(value) for key, value in where.items()}

    def chosen(case: Case) -> bool:
        return all((case.kind if key == "kind" else case.slices.get(key)) in values for key, values in wanted.items())

    return chosen
