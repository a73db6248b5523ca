"""Tells the first sight of a case from a repetition and from a clash, for files that repeat the case in every row."""

from __future__ import annotations

from typing import Literal

import orjson

from segue.model import Json

Sight = Literal["new", "known", "clash"]


class SeenCases:
    """Ids with a 64-bit hash of what the case holds: about 150 bytes per case, whatever its size."""

    def __init__(self, *, number_clashes: bool = False) -> None:
        self._first: dict[str, int] = {}
        self._others: dict[str, list[int]] = {}
        self._number_clashes = number_clashes

    def sight(self, case_id: str, mark: int) -> tuple[str, Sight]:
        """`(id, sight)` of a case with the content `mark`. A clash is an id seen before with other content.

        With `number_clashes` there are none: the other case is called `id#2`, `id#3` in order of first sight.
        """
        first = self._first.get(case_id)
        if first is None:
            self._first[case_id] = mark
            return case_id, "new"
        if first == mark:
            return case_id, "known"
        if not self._number_clashes:
            return case_id, "clash"
        others = self._others.setdefault(case_id, [])
        if mark in others:
            return f"{case_id}#{others.index(mark) + 2}", "known"
        others.append(mark)
        return f"{case_id}#{len(others) + 1}", "new"


def mark_of(body: Json) -> int:
    """A 64-bit hash of JSON content, good within this process."""
    return hash(orjson.dumps(body, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS))
