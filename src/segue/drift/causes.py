"""Cause before blame: why newly failing outputs fail, where the reason is mechanical.

A repair explains a failure when the repaired output is right. What cannot be repaired (a refusal, a cut-off) is named where
newly failing outputs show it and right ones do not. Presence alone is never a cause.

Pure. It does not score: `rescore` is passed in, or labels recorded on repaired outputs. Nor does it judge significance: it
returns the counts of both arms after the same repair, for the gate. See `docs/decisions/0006-cause-before-blame.md`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from segue.drift.pairs import MAX_INSPECTED, JudgedPair, PairedCounts, PairKey, Repaired, count_pairs, verdicts_of
from segue.drift.renames import learn_renames, rename_repair
from segue.drift.repairs import REPAIRS, Repair, repair_all
from segue.drift.symptoms import SYMPTOMS, view_pair
from segue.model import Case, Exchange

FORMAT_BROKE = "format broke, ability did not"
"""The verdict's words, for a caller who found the repaired candidate not worse than the incumbent repaired the same way."""

TOGETHER = "together"
"""The name of the cause that stands for all repairs one after the other."""

_SAFE_TOGETHER = frozenset(repair.name for repair in REPAIRS) - {"unwrap_json", "take_label", "strip_blanks"}
_P_CHANCE = 0.01
_LEAST_PRESENT = 0.2  # a format trait that nothing can judge has to be in a fifth of the failures to be worth a word

Basis = Literal["rescored", "recorded", "presence"]
Rescore = Callable[[Case, Exchange], bool | None]


@dataclass(frozen=True, slots=True)
class RecordedRepair:
    """Labels somebody gave to repaired outputs, 1 for right, by `(case_id, repeat)`, for both arms."""

    old: Mapping[PairKey, float]
    new: Mapping[PairKey, float]


@dataclass(frozen=True, slots=True)
class Cause:
    """One mechanical cause.

    `n_affected` of `n_inspected` newly failing outputs show it; `n_explained` of them are right once repaired (for a symptom
    without repair: all affected; None where neither rescoring nor a recorded label says). `n_beyond` of the explained are
    explained by no cause listed before. `n_right_affected` of `n_right_inspected` right outputs show it too.
    """

    name: str
    sentence: str
    basis: Basis
    n_inspected: int
    n_affected: int
    n_explained: int | None
    n_beyond: int
    n_right_inspected: int
    n_right_affected: int
    repaired: Repaired | None
    examples: tuple[str, ...]

    @property
    def share_affected(self) -> float:
        """Share of the newly failing outputs that show it."""
        return self.n_affected / self.n_inspected

    @property
    def share_explained(self) -> float | None:
        """Share of the newly failing outputs that it explains; None if nothing says."""
        return None if self.n_explained is None else self.n_explained / self.n_inspected

    def describe(self, before: PairedCounts) -> str:
        """One sentence for people; `before` are the counts without repair."""
        subject = self.sentence[:1].upper() + self.sentence[1:]
        of = f"{self.n_inspected:,} newly failing outputs"
        if before.n_lost > self.n_inspected:
            of += f" looked at, of {before.n_lost:,}"
        if self.n_explained is None or self.basis == "presence":
            return (
                f"{subject}: {self.n_affected:,} of {of} ({self.n_right_affected:,} of {self.n_right_inspected:,} right ones)."
            )
        text = f"{subject} explains {self.n_explained:,} of {of}"
        if self.repaired is None or not self.repaired.counts.n or not before.n:
            return text + "."
        return f"{text}: {_move(before)} as it stands, {_move(self.repaired.counts)} once repaired on both arms."


def _move(counts: PairedCounts) -> str:
    return f"{100 * counts.old_right / counts.n:.1f} % → {100 * counts.new_right / counts.n:.1f} %"


@dataclass(frozen=True, slots=True)
class CauseReport:
    """All causes, the one that explains most first, and how much they explain together.

    `counts` are both arms as they stand. `n_newly_failing` may exceed `n_inspected` (`MAX_INSPECTED`). `n_unexplained` of the
    inspected are explained by nothing found here: as far as can be seen, they are wrong in what they say.
    """

    counts: PairedCounts
    n_newly_failing: int
    n_inspected: int
    n_unexplained: int
    causes: tuple[Cause, ...]

    @property
    def best_repair(self) -> Cause | None:
        """The repair after which the new arm gets most answers right, if it gets more right than as it stands."""
        repaired = [cause for cause in self.causes if cause.repaired is not None and cause.repaired.counts.n]
        best = max(repaired, key=_repaired_rate, default=None)
        return best if best is not None and _repaired_rate(best) > (self.counts.new_rate or 0.0) else None


def _repaired_rate(cause: Cause) -> float:
    assert cause.repaired is not None
    return cause.repaired.counts.new_rate or 0.0


@dataclass(slots=True)
class _Found:
    name: str
    sentence: str
    basis: Basis
    repair: Repair | None = None
    affected: list[int] = field(default_factory=list)
    explained: list[int] = field(default_factory=list)
    n_right_affected: int = 0


class _Judge:
    """Whether one arm's exchange is right after a repair: by recorded label, by rescoring, or unknown."""

    def __init__(self, rescore: Rescore | None, recorded: Mapping[str, RecordedRepair]) -> None:
        self._rescore = rescore
        self._recorded = recorded

    def basis(self, repair: str) -> Basis:
        if repair in self._recorded:
            return "recorded"
        return "presence" if self._rescore is None else "rescored"

    def judge_old(self, repair: Repair, pair: JudgedPair) -> tuple[bool, bool | None]:
        """`(did it apply, is it right now)` of the old arm; what the repair leaves alone keeps its verdict."""
        recorded = self._recorded.get(repair.name)
        return self._judge(repair, pair, pair.old, pair.old_right, recorded.old if recorded else None)

    def judge_new(self, repair: Repair, pair: JudgedPair) -> tuple[bool, bool | None]:
        """The same of the new arm."""
        recorded = self._recorded.get(repair.name)
        return self._judge(repair, pair, pair.new, pair.new_right, recorded.new if recorded else None)

    def _judge(
        self, repair: Repair, pair: JudgedPair, exchange: Exchange, as_is: bool | None, labels: Mapping[PairKey, float] | None
    ) -> tuple[bool, bool | None]:
        repaired = None if exchange.reply is None else repair.apply(exchange.reply)
        applied = repaired is not None
        if labels is not None:
            label = labels.get(pair.key)
            return applied, label >= 0.5 if label is not None else None if applied else as_is
        if repaired is None:
            return False, as_is
        return True, None if self._rescore is None else self._rescore(pair.case, replace(exchange, reply=repaired))


def _select(pairs: Iterable[JudgedPair], counts: PairedCounts) -> tuple[list[JudgedPair], list[JudgedPair]]:
    """An even selection of the newly failing pairs and of those with a right new answer, in one walk."""
    failing_stride = max(1, math.ceil(counts.n_lost / MAX_INSPECTED))
    right_stride = max(1, math.ceil(counts.new_right / MAX_INSPECTED))
    failing: list[JudgedPair] = []
    right: list[JudgedPair] = []
    n_failing = n_right = 0
    for pair in pairs:
        if pair.is_newly_failing:
            if n_failing % failing_stride == 0:
                failing.append(pair)
            n_failing += 1
        elif pair.new_right and pair.old_right is not None:
            if n_right % right_stride == 0:
                right.append(pair)
            n_right += 1
    return failing, right


def _tail(k: int, drawn: int, marked: int, total: int) -> float:
    """P(X ≥ k), X hypergeometric: Fisher's exact one-sided test that `marked` of `total` gather among `drawn`."""

    def log_choose(n: int, r: int) -> float:
        return math.lgamma(n + 1) - math.lgamma(r + 1) - math.lgamma(n - r + 1)

    base = log_choose(total, drawn)
    terms = range(k, min(drawn, marked) + 1)
    return min(1.0, sum(math.exp(log_choose(marked, x) + log_choose(total - marked, drawn - x) - base) for x in terms))


def _gathers(n_affected: int, n_failing: int, n_right_affected: int, n_right: int) -> bool:
    """Whether a sign gathers among the failing: twice as frequent as among the right ones, and not by chance."""
    if n_affected < min(2, n_failing) or n_affected == 0:
        return False
    if n_right == 0:
        return n_affected * 2 >= n_failing
    if n_affected / n_failing < 2 * n_right_affected / n_right:
        return False
    return _tail(n_affected, n_failing, n_affected + n_right_affected, n_failing + n_right) <= _P_CHANCE


def _search_repairs(
    repairs: Sequence[Repair], failing: Sequence[JudgedPair], right: Sequence[JudgedPair], judge: _Judge
) -> Iterator[_Found]:
    for repair in repairs:
        found = _try_repair(repair, failing, judge)
        by_presence = found.basis == "presence"
        if not found.affected or not (repair.is_telling if by_presence else found.explained):
            continue
        for pair in right:
            found.n_right_affected += _applies(repair, pair.new) and not (by_presence and _applies(repair, pair.old))
        is_frequent = len(found.affected) >= _LEAST_PRESENT * len(failing)
        gathers = is_frequent and _gathers(len(found.affected), len(failing), found.n_right_affected, len(right))
        if gathers or not by_presence:
            yield found


def _try_repair(repair: Repair, failing: Sequence[JudgedPair], judge: _Judge) -> _Found:
    """Where one repair applies, and where it makes right. If nothing could be judged, presence is all there is."""
    found = _Found(repair.name, repair.sentence, judge.basis(repair.name), repair)
    n_judged = 0
    for index, pair in enumerate(failing):
        applied, is_right = judge.judge_new(repair, pair)
        if not applied and not is_right:
            continue
        found.affected.append(index)
        n_judged += is_right is not None
        if is_right:
            found.explained.append(index)
    if n_judged == 0:
        found.basis = "presence"
        found.affected = [index for index in found.affected if not _applies(repair, failing[index].old)]
    return found


def _applies(repair: Repair, exchange: Exchange) -> bool:
    return exchange.reply is not None and repair.apply(exchange.reply) is not None


def _search_symptoms(failing: Sequence[JudgedPair], right: Sequence[JudgedPair]) -> Iterator[_Found]:
    found = {symptom.name: _Found(symptom.name, symptom.sentence, "presence") for symptom in SYMPTOMS}
    for index, pair in enumerate(failing):
        old, new = view_pair(pair)
        for symptom in SYMPTOMS:
            if symptom.is_shown(old, new):
                found[symptom.name].affected.append(index)
    shown = [symptom for symptom in SYMPTOMS if found[symptom.name].affected]
    for pair in right if shown else ():
        old, new = view_pair(pair)
        for symptom in shown:
            found[symptom.name].n_right_affected += symptom.is_shown(old, new)
    for symptom in shown:
        one = found[symptom.name]
        one.explained = one.affected
        if _gathers(len(one.affected), len(failing), one.n_right_affected, len(right)):
            yield one


class _Tally:
    """Both arms under one repair, pair by pair."""

    def __init__(self, repair: Repair) -> None:
        self.repair = repair
        self.verdicts: Counter[tuple[bool | None, bool | None]] = Counter()
        self.changes: tuple[dict[PairKey, bool], dict[PairKey, bool]] = ({}, {})

    def add(self, pair: JudgedPair, judge: _Judge) -> None:
        _, old = judge.judge_old(self.repair, pair)
        _, new = judge.judge_new(self.repair, pair)
        self.verdicts[old, new] += 1
        for known, before, after in zip(self.changes, (pair.old_right, pair.new_right), (old, new), strict=True):
            if after is not None and after != before:
                known[pair.key] = after

    def close(self) -> Repaired:
        n_unknown = sum(count for verdict, count in self.verdicts.items() if None in verdict)
        return Repaired(count_pairs(self.verdicts.elements()), n_unknown, *self.changes)


def _repair_arms(repairs: Iterable[Repair], pairs: Iterable[JudgedPair], judge: _Judge) -> dict[str, Repaired]:
    """Both arms under each repair, by its name, in one walk."""
    tallies = [_Tally(repair) for repair in repairs]
    for pair in pairs if tallies else ():
        if pair.old_right is None or pair.new_right is None:
            continue
        for tally in tallies:
            tally.add(pair, judge)
    return {tally.repair.name: tally.close() for tally in tallies}


def _together(found: Sequence[_Found], repairs: Sequence[Repair]) -> Repair:
    telling = {one.name for one in found if one.explained} | _SAFE_TOGETHER | {"rename_field"}
    chosen = tuple(repair for repair in repairs if repair.name in telling)
    return Repair(TOGETHER, "several format breaks at once", lambda reply: repair_all(reply, chosen))


def find_causes(
    pairs: Collection[JudgedPair],
    rescore: Rescore | None = None,
    recorded_repaired: Mapping[str, RecordedRepair] | None = None,
) -> CauseReport:
    """Find the mechanical causes that newly failing outputs share.

    `pairs` are all pairs of both arms (walked three times). `rescore` says whether a repaired exchange is right, None
    where it cannot say. `recorded_repaired` maps a repair's name to labels recorded on repaired outputs; for that repair
    they count instead of `rescore`. A repair is reported if it turns at least one newly failing output right; a symptom,
    and a repair that nothing can judge, only where it gathers among the failing (Fisher's exact test, one-sided, 1 %).
    """
    counts = count_pairs(verdicts_of(pairs))
    if not counts.n_lost:
        return CauseReport(counts, 0, 0, 0, ())
    failing, right = _select(pairs, counts)
    judge = _Judge(rescore, recorded_repaired or {})
    repairs: tuple[Repair, ...] = REPAIRS
    renames = learn_renames((pair.old.reply, pair.new.reply) for pair in failing if pair.old.reply and pair.new.reply)
    if renames:
        repairs = (*repairs, rename_repair(renames))
    found = list(_search_repairs(repairs, failing, right, judge))
    if rescore is not None:
        best = max((len(one.explained) for one in found), default=0)
        alone = {index for one in found for index in one.explained}
        for one in _search_repairs([_together(found, repairs)], failing, right, _Judge(rescore, {})):
            if len(one.explained) > best and (len(found) > 1 or not alone.issuperset(one.explained)):
                found.append(one)
    found.extend(_search_symptoms(failing, right))
    order = {one.name: place for place, one in enumerate(found)}
    found.sort(key=lambda one: (-len(one.explained), -len(one.affected), order[one.name]))
    causes, explained = _as_causes(found, failing, len(right), pairs, judge)
    return CauseReport(counts, counts.n_lost, len(failing), len(failing) - len(explained), causes)


def _as_causes(
    found: Sequence[_Found], failing: Sequence[JudgedPair], n_right: int, pairs: Collection[JudgedPair], judge: _Judge
) -> tuple[tuple[Cause, ...], set[int]]:
    arms = _repair_arms((one.repair for one in found if one.repair and one.basis != "presence"), pairs, judge)
    seen: set[int] = set()
    causes: list[Cause] = []
    for one in found:
        is_judged = one.repair is None or one.basis != "presence"
        causes.append(
            Cause(
                name=one.name,
                sentence=one.sentence,
                basis=one.basis,
                n_inspected=len(failing),
                n_affected=len(one.affected),
                n_explained=len(one.explained) if is_judged else None,
                n_beyond=len(set(one.explained) - seen),
                n_right_inspected=n_right,
                n_right_affected=one.n_right_affected,
                repaired=arms.get(one.name),
                examples=tuple(failing[index].case.case_id for index in (one.explained or one.affected)[:5]),
            )
        )
        seen.update(one.explained)
    return tuple(causes), seen
