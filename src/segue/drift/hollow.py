"""Hollow rises: a rate that goes up because outputs stopped saying anything. Flagged, not celebrated. Pure.

Some scores are right by default: where no tool fits, whatever does not parse as a call counts as right; where a phrase is
banned, an empty output is clean. An output is hollow where it is right and yet empty, cut off, unreadable, a refusal or a
non-answer, and the case does not ask for that.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Literal

from segue.drift.fingerprint import FormatFingerprint, fingerprint
from segue.drift.pairs import MAX_INSPECTED, JudgedPair, count_pairs, verdicts_of
from segue.model import Case, Exchange, Json

HollowKind = Literal["empty", "truncated", "unparsable", "refusal", "non-answer"]

_SILENT: frozenset[HollowKind] = frozenset({"refusal", "non-answer"})
_NO_CALL = frozenset({"no_call", "no-call"})
_DECLINES = _NO_CALL | {"refuse", "refusal", "decline", "no_answer", "should_not_answer", "unanswerable"}


def _wanted(case: Case) -> Json:
    """What the reference expects: `{"expect": …}` says it in a word."""
    return case.reference.get("expect", case.reference) if isinstance(case.reference, dict) else case.reference


def accepted_hollowness(case: Case) -> frozenset[HollowKind]:
    """What a case asks for by its reference: where no call, or a refusal, is expected, declining in words is an answer.

    A red-team case accepts a refusal too. An empty output is accepted where the reference is empty. Where the reference holds
    an object or array to compare with, an output that was found right was read, whatever it looks like from here.
    """
    wanted = _wanted(case)
    if wanted in ("", [], {}):
        return frozenset({"empty"})
    if isinstance(wanted, str) and wanted.strip().casefold() in _DECLINES:
        return _SILENT
    accepted: frozenset[HollowKind] = _SILENT if case.kind == "red-team" else frozenset()
    return accepted | {"unparsable"} if isinstance(case.reference, dict | list) else accepted


def find_hollowness(case: Case, exchange: Exchange) -> HollowKind | None:
    """In which way a reply says nothing usable, the most mechanical first; None if it does.

    Where the case expects no call, a call in any writing but the proper one is unparsable: it was not meant as "no call".
    """
    if exchange.reply is None:
        return None
    wanted = _wanted(case)
    return _kind(fingerprint(exchange.reply), expects_no_call=isinstance(wanted, str) and wanted in _NO_CALL)


def _kind(one: FormatFingerprint, *, expects_no_call: bool) -> HollowKind | None:
    if one.is_empty:
        return "empty"
    if one.is_truncated:
        return "truncated"
    if one.json == "malformed" or one.calls == "broken" or (expects_no_call and one.calls in ("bare", "quoted")):
        return "unparsable"
    if one.is_refusal:
        return "refusal"
    return "non-answer" if one.is_non_answer else None


@dataclass(frozen=True, slots=True)
class HollowRise:
    """A rise, and what is left of it when hollow outputs do not count as right, on either arm.

    `n` pairs, scored on both arms, were looked at; `old_hollow` and `new_hollow` of the right outputs are hollow. So are
    `n_newly_passing_hollow` of `n_newly_passing` outputs; `kinds` counts those, `examples` names five of their cases.
    """

    n: int
    old_right: int
    new_right: int
    old_hollow: int
    new_hollow: int
    n_newly_passing: int
    n_newly_passing_hollow: int
    kinds: Mapping[HollowKind, int]
    examples: tuple[str, ...]

    @property
    def rise(self) -> float:
        """New rate less old rate, as scored."""
        return (self.new_right - self.old_right) / self.n

    @property
    def solid_rise(self) -> float:
        """The same without hollow outputs."""
        return (self.new_right - self.new_hollow - self.old_right + self.old_hollow) / self.n

    def describe(self) -> str:
        """One sentence for people."""
        parts = ", ".join(f"{count:,} {kind}" for kind, count in sorted(self.kinds.items(), key=lambda item: -item[1]))
        return (
            f"The rate rises by {100 * self.rise:.1f} points, but {self.n_newly_passing_hollow:,} of {self.n_newly_passing:,} "
            f"newly right outputs say nothing ({parts}); without such outputs it moves by {100 * self.solid_rise:+.1f} points."
        )


def flag_hollow_rise(
    pairs: Collection[JudgedPair],
    accepts: Callable[[Case], frozenset[HollowKind]] = accepted_hollowness,
) -> HollowRise | None:
    """The hollow rise of `pairs`, or None where the rate does not rise or at least half of the rise is solid.

    Call it per metric and slice, for metrics that measure answers. For one that measures refusing itself, a refusal is the
    answer: pass an `accepts` that says so. `accepts` names the kinds a case asks for.
    """
    counts = count_pairs(verdicts_of(pairs))
    if counts.new_right <= counts.old_right:
        return None
    tally = _Tally(accepts)
    stride = max(1, math.ceil(counts.n / MAX_INSPECTED))
    scored = (pair for pair in pairs if pair.old_right is not None and pair.new_right is not None)
    for pair in islice(scored, 0, None, stride):
        tally.add(pair)
    flagged = tally.close()
    return flagged if flagged.rise > 0 and flagged.solid_rise < flagged.rise / 2 else None


class _Tally:
    """Counts right and hollow outputs, pair by pair."""

    def __init__(self, accepts: Callable[[Case], frozenset[HollowKind]]) -> None:
        self._accepts = accepts
        self._n = self._old_right = self._new_right = self._old_hollow = self._new_hollow = self._n_newly_passing = 0
        self._kinds: Counter[HollowKind] = Counter()
        self._examples: list[str] = []

    def add(self, pair: JudgedPair) -> None:
        self._n += 1
        self._n_newly_passing += pair.is_newly_passing
        if pair.old_right:
            self._old_right += 1
            self._old_hollow += self._find(pair.case, pair.old) is not None
        if not pair.new_right:
            return
        self._new_right += 1
        kind = self._find(pair.case, pair.new)
        if kind is None:
            return
        self._new_hollow += 1
        if pair.is_newly_passing:
            self._kinds[kind] += 1
            self._examples.append(pair.case.case_id)

    def _find(self, case: Case, exchange: Exchange) -> HollowKind | None:
        kind = find_hollowness(case, exchange)
        return None if kind is None or kind in self._accepts(case) else kind

    def close(self) -> HollowRise:
        return HollowRise(
            n=self._n,
            old_right=self._old_right,
            new_right=self._new_right,
            old_hollow=self._old_hollow,
            new_hollow=self._new_hollow,
            n_newly_passing=self._n_newly_passing,
            n_newly_passing_hollow=self._kinds.total(),
            kinds=dict(self._kinds),
            examples=tuple(self._examples[:5]),
        )
