"""Who asks what: units, cases and attributes of requests, drawn so that slices and segments have their shares. Pure, seeded.

Cases come from the suite; attacks do not (`red-team` cases are no part of ordinary traffic). A user asks within the slices of
their first request: one whose outcomes are averaged belongs to one slice.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from segue.errors import Fault, InputError
from segue.model import Case
from segue.model.plan import Plan
from segue.model.plan_segment import PlanSegment

ROUNDS = 40
"""Of fitting weights to the shares of several dimensions of slices (iterative proportional fitting)."""
LATELY = 2_000
"""Users who may come back at any time."""


@dataclass(frozen=True, slots=True)
class Asker:
    """One request before it is served. Without a unit it is its own."""

    unit: str | None
    case: int
    attributes: Mapping[str, str]


class Crowd:
    """Draws askers. `cases` are those that both arms have an answer to."""

    def __init__(self, cases: Sequence[Case], plan: Plan, *, seed: int) -> None:
        self._rng = np.random.default_rng([seed, 2])
        self._weights = np.cumsum(case_weights(cases, plan.slices))
        self._by_user = plan.unit == "user"
        self._is_new = 1.0 / plan.requests_per_user
        self._segments = [(spec, spec.share) for spec in plan.segments.values() if spec.where and spec.share]
        self._attributes: list[list[Mapping[str, str]]] = [self._with_segments(case) for case in cases]
        self._pools = _pools(cases, case_weights(cases, plan.slices))
        self._pool_of = {index: pool for pool in self._pools for index in pool[0]}
        self._users: list[tuple[str, int, Mapping[str, str]]] = []
        self._known = 0

    def draw(self, n: int) -> list[Asker]:
        """The next `n` requests."""
        cases = np.searchsorted(self._weights, self._rng.random(n) * self._weights[-1], side="right").tolist()
        luck = self._rng.random((n, 3)).tolist() if self._by_user else None
        members = self._members(n)
        if luck is None:
            attributes = self._attributes
            return [Asker(None, case, attributes[case][member]) for case, member in zip(cases, members, strict=True)]
        return [self._user(case, member, *one) for case, member, one in zip(cases, members, luck, strict=True)]

    def _user(self, case: int, member: int, fresh: float, who: float, which: float) -> Asker:
        if fresh < self._is_new or not self._users:
            self._known += 1
            name, attributes = f"user-{self._known}", self._attributes[case][member]
            if len(self._users) < LATELY:
                self._users.append((name, case, attributes))
            else:
                self._users[self._known % LATELY] = (name, case, attributes)
            return Asker(name, case, attributes)
        name, first, attributes = self._users[int(who * len(self._users))]
        indices, weights = self._pool_of[first]
        again = indices[min(bisect_right(weights, which * weights[-1]), len(indices) - 1)]
        return Asker(name, again, attributes)

    def _members(self, n: int) -> list[int]:
        """Which segments each is in, as bits."""
        bits = np.zeros(n, np.int64)
        for place, (_, share) in enumerate(self._segments):
            bits |= (self._rng.random(n) < (share or 0.0)).astype(np.int64) << place
        return [int(one) for one in bits]

    def _with_segments(self, case: Case) -> list[Mapping[str, str]]:
        """The attributes of a request with this case, for each set of segments."""
        found: list[Mapping[str, str]] = []
        for bits in range(1 << len(self._segments)):
            attributes = dict(case.slices)
            for place, (spec, _) in enumerate(self._segments):
                _join(attributes, spec, is_in=bool(bits >> place & 1))
            found.append(attributes)
        return found


def _join(attributes: dict[str, str], spec: PlanSegment, *, is_in: bool) -> None:
    """In a segment a request has its values; outside it lacks those that the case does not bring along."""
    for name, values in spec.where.items():
        if is_in:
            if attributes.get(name) not in values:
                attributes[name] = values[0]
        elif attributes.get(name) in values:
            attributes[name] = "none of these"


def case_weights(cases: Sequence[Case], shares: Mapping[str, float]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """How often each case is asked, so that slices have `shares` (`task=refund` → 0.12); what is not named keeps its
    proportions. `InputError` where a slice with a share has no case.
    """
    weights = np.full(len(cases), 1.0 / len(cases))
    masks: dict[str, list[tuple[np.ndarray[tuple[int], np.dtype[np.bool_]], float]]] = {}
    faults = []
    for where, share in shares.items():
        name, _, value = where.partition("=")
        mask = np.array([case.slices.get(name) == value for case in cases])
        if share > 0 and not mask.any():
            faults.append(Fault(what=f"No case is in the slice {where}.", fix="Add such cases to the suite.", path="slices"))
        masks.setdefault(name, []).append((mask, share))
    if faults:
        raise InputError.from_faults(faults, subject="the traffic of the rehearsal")
    for _ in range(ROUNDS if len(masks) > 1 else 1):
        for parts in masks.values():
            rest = ~np.logical_or.reduce([mask for mask, _ in parts])
            left = max(0.0, 1.0 - sum(share for _, share in parts))
            for mask, share in (*parts, *([(rest, left)] if rest.any() else [])):
                total = weights[mask].sum()
                if total > 0:
                    weights[mask] *= share / total
    return np.asarray(weights / weights.sum())


def _pools(cases: Sequence[Case], weights: np.ndarray[tuple[int], np.dtype[np.float64]]) -> list[tuple[list[int], list[float]]]:
    """Cases of the same slices, with their added weights."""
    found: dict[tuple[tuple[str, str], ...], list[int]] = {}
    for index, case in enumerate(cases):
        found.setdefault(tuple(sorted(case.slices.items())), []).append(index)
    return [(some, np.cumsum(weights[some]).tolist()) for some in found.values()]
