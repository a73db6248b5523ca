"""From gathered pairs to a drift report: tests, intervals, the correction, and what each dimension comes to. Pure.

Traits: exact McNemar and Tango's interval where every unit came once; otherwise, and for amounts, Student's t over blocks of
units. See `docs/staging-and-shadow.md`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from math import log10

from segue.drift.correction import ALPHA, adjust, least_log10_p
from segue.drift.drift_report import DimensionSeen, DriftReport, Move, Standing, Tail
from segue.drift.drift_words import TITLES, hidden_sentence, move_sentence
from segue.drift.gathering import WHOLE, Cell, Floats, Gathering
from segue.drift.questions import DIMENSIONS, PLACES, QUESTIONS, Dimension, Question
from segue.evidence.paired import PairedSample, tango_interval
from segue.evidence.paired import test_difference as compare_paired
from segue.evidence.special import ndtri, stdtr, stdtrit

LEAST_PAIRS = 10
"""Below so many pairs a question is not asked: its answer could only be wrong or empty."""
_TAILS = ((0.5, "latency_ms"), (0.95, "latency_ms"), (0.99, "latency_ms"), (0.95, "ttft_ms"), (0.95, "cost_microusd"))


@dataclass(frozen=True, slots=True)
class _Asked:
    """One question on one slice, tested."""

    question: Question
    where: str
    n: int
    old: float
    new: float
    change: float
    error: float
    degrees: float
    discordant: tuple[float, float] | None
    log10_p: float

    @property
    def least(self) -> float:
        return 0.0 - math.inf if self.discordant is None else least_log10_p(sum(self.discordant))


@dataclass(frozen=True, slots=True)
class About:
    """What a report is about, beside the pairs."""

    workflow: str
    environment: str
    incumbent: str
    candidate: str
    begins_at: float | None = None
    ends_at: float | None = None
    without_body: str = ""
    """Why bodies are not there, where some are not."""


def judge_drift(gathering: Gathering, about: About) -> DriftReport:
    """Everything that moved, named; and of everything else, what could have hidden."""
    # A slice that all pairs belong to says nothing that the whole does not.
    cells = {where: cell for where, cell in gathering.cells.items() if where == WHOLE or cell.n_pairs < gathering.n_pairs}
    asked = [one for where, cell in cells.items() for one in _ask(where, cell, is_clustered=gathering.is_clustered)]
    moves: list[Move] = []
    hidden: dict[Dimension, list[tuple[str, float, float]]] = {}
    n_counted = 0
    for of_slices in (False, True):
        family = [one for one in asked if (one.where != WHOLE) == of_slices]
        adjusted, counted = adjust([one.log10_p for one in family], [one.least for one in family], ALPHA / 2)
        n_counted += counted
        level = 1 - ALPHA / 2 / max(1, counted)
        for one, log10_p in zip(family, adjusted, strict=True):
            low, high = _interval(one, level)
            # Of what differs by chance, only so much is a move; and no move is named whose interval says that it may be none.
            least = one.question.limit if one.question.kind == "differs" else 0.0
            if log10_p <= log10(ALPHA / 2) and (low > least or high < 0):
                moves.append(_move(one, low, high, log10_p, gathering.cells[one.where]))
            elif not of_slices:
                hidden.setdefault(one.question.dimension, []).append((one.question.name, low, high))
    moves.sort(key=lambda one: (not one.is_beyond, one.where != WHOLE, -abs(one.change) / (one.limit or 0.001), one.where))
    whole = gathering.cells[WHOLE]
    place = PLACES["contract"]
    has_contract = bool(whole.n[:, place].sum())
    return DriftReport(
        workflow=about.workflow,
        environment=about.environment,
        incumbent=about.incumbent,
        candidate=about.candidate,
        begins_at=about.begins_at,
        ends_at=about.ends_at,
        n_pairs=gathering.n_pairs,
        n_units=gathering.n_units,
        n_questions=len(asked),
        n_counted=n_counted,
        dimensions=tuple(_dimension(name, gathering, moves, hidden.get(name, []), about) for name in DIMENSIONS),
        moves=tuple(moves),
        tails=tuple(_tails(gathering)),
        contract_broken=int(whole.gained[place]) if has_contract else None,
        contract_mended=int(whole.lost[place]) if has_contract else None,
        remarks=tuple(_remarks(gathering, about)),
    )


def _ask(where: str, cell: Cell, *, is_clustered: bool) -> Iterable[_Asked]:
    counts = cell.n.sum(axis=0)
    for place, question in enumerate(QUESTIONS):
        n = int(counts[place])
        if n < LEAST_PAIRS:
            continue
        blocks = cell.n[:, place] > 0
        sizes, sums = cell.n[blocks, place], cell.moved[blocks, place]
        mean = float(sums.sum() / n)
        error, degrees = _cluster_error(sizes, sums, mean)
        gained, lost = float(cell.gained[place]), float(cell.lost[place])
        discordant = None if question.kind == "amount" or is_clustered else (gained, lost)
        log10_p = _student(mean, error, degrees, len(sizes)) if discordant is None else _mcnemar(gained, lost)
        yield _Asked(
            question,
            where,
            n,
            float(cell.old[place] / n),
            float(cell.new[place] / n),
            mean,
            error,
            degrees,
            discordant,
            log10_p,
        )


def _mcnemar(gained: float, lost: float) -> float:
    if not gained + lost:
        return 0.0
    sample = PairedSample.from_blocks({(1, 0.0, 1.0): int(gained), (1, 1.0, 0.0): int(lost)})
    return compare_paired(sample).log10_two_sided


def _cluster_error(sizes: Floats, sums: Floats, mean: float) -> tuple[float, float]:
    """Standard error of a mean of pairs, blocks of units being independent, and Kish's degrees of freedom."""
    n, blocks = float(sizes.sum()), len(sizes)
    if blocks < 2:
        return math.inf, 1.0
    residual = sums - sizes * mean
    spread = float((residual**2).sum()) * blocks / (blocks - 1)
    effective = n**2 / float((sizes**2).sum())
    # Two blocks more, one that did not move and one that moved twice as far: that all are alike does not read as certainty.
    least = abs(mean) * math.sqrt(2.0) / (blocks + 2)
    return max(math.sqrt(spread) / n, least), max(1.0, effective - 1)


def _student(mean: float, error: float, degrees: float, blocks: int) -> float:
    """Log10 of the two-sided p-value; no smaller than what so many fair coins could give."""
    if mean == 0 or math.isinf(error):
        return 0.0
    floor = (1 - blocks) * log10(2.0)
    if error == 0:
        return floor
    tail = float(stdtr(degrees, -abs(mean) / error))
    return max(floor, log10(max(2 * tail, 1e-300)))


def _interval(one: _Asked, level: float) -> tuple[float, float]:
    """Of the change, in the terms of `Move`."""
    if one.discordant is not None:
        gained, lost = one.discordant
        return tango_interval(lost, gained, one.n, float(ndtri(0.5 + level / 2)))
    if math.isinf(one.error):
        reach = math.inf
    else:
        reach = float(stdtrit(one.degrees, 0.5 + level / 2)) * max(
            one.error, 1.0 / one.n if one.question.kind != "amount" else 0
        )
    low, high = one.change - reach, one.change + reach
    if one.question.kind == "amount":
        return math.expm1(max(low, -7.0)), math.expm1(min(high, 7.0))
    return max(-1.0, low), min(1.0, high)


def _move(one: _Asked, low: float, high: float, log10_p: float, cell: Cell) -> Move:
    question = one.question
    change = math.expm1(one.change) if question.kind == "amount" else one.change
    witnesses = cell.witnesses.get((PLACES[question.name], one.change > 0), [])
    limit = question.limit
    if question.kind == "amount" and change < 0:
        limit = 1 - 1 / (1 + limit)  # a tenth more and the way back from it are moves of one size
    return Move(
        question=question.name,
        dimension=question.dimension,
        where=one.where,
        n_pairs=one.n,
        old=one.old,
        new=one.new,
        change=change,
        low=low,
        high=high,
        p_adjusted=min(1.0, 2 * 10**log10_p),
        limit=question.limit,
        is_beyond=abs(change) > limit and (change > 0 or not question.is_harm_alone),
        sentence=move_sentence(question, one.where, one.old, one.new, change, low, high, one.n),
        witnesses=tuple(pair for _, pair in witnesses),
    )


def _dimension(
    name: Dimension, gathering: Gathering, moves: list[Move], hidden: list[tuple[str, float, float]], about: About
) -> DimensionSeen:
    mine = [one for one in moves if one.dimension == name]
    counts = gathering.cells[WHOLE].n.sum(axis=0)
    known = max(int(counts[PLACES[one.name]]) for one in QUESTIONS if one.dimension == name)
    standing: Standing
    if mine:
        beyond = [one for one in mine if one.is_beyond]
        standing = "moved beyond" if beyond else "moved within"
        return DimensionSeen(name=name, standing=standing, n_pairs=known, sentence=(beyond or mine)[0].sentence)
    if known >= LEAST_PAIRS:
        widest = max(hidden, key=lambda one: max(abs(one[1]), abs(one[2])))
        return DimensionSeen(name=name, standing="not moved", n_pairs=known, sentence=hidden_sentence(*widest))
    standing, sentence = _unseen(name, gathering, known, about)
    return DimensionSeen(name=name, standing=standing, n_pairs=known, sentence=sentence)


_OF_BODIES: frozenset[Dimension] = frozenset(("contract", "refusals", "tool-calls", "format", "language", "length", "tone"))
_MAY_BE_ABSENT: frozenset[Dimension] = frozenset(("contract", "language", "tone", "format"))


def _unseen(name: Dimension, gathering: Gathering, known: int, about: About) -> tuple[Standing, str]:
    """Why a dimension has no answer: nothing of the kind is there, or nothing could be looked at."""
    n = gathering.n_pairs
    if n < LEAST_PAIRS:
        return "unknown", f"Only {n:,} pairs: at least {LEAST_PAIRS} are needed."
    lacks_bodies = gathering.n_without_body > n - LEAST_PAIRS
    if name in _OF_BODIES and lacks_bodies:
        why = about.without_body or "no text of the answers is kept"
        return "unknown", f"{TITLES[name].capitalize()} could not be looked at: {why}."
    if name in _MAY_BE_ABSENT:
        what = "no bundle has a contract" if name == "contract" else "the answers hold too little prose of a known language"
        return "nothing", f"Nothing to look at: {what}."
    if name == "cost":
        return "unknown", f"Cost is known of {known:,} pairs only: the models need a price, in the list or under prices."
    return "unknown", f"{TITLES[name].capitalize()} is known of {known:,} pairs only."


def _tails(gathering: Gathering) -> Iterable[Tail]:
    for share, name in _TAILS:
        old, new = (gathering.spreads[name, is_new].quantile(share) for is_new in (False, True))
        if old is not None and new is not None:
            yield Tail(
                name=name,
                share=share,
                old=old.value,
                old_low=old.low,
                old_high=old.high,
                new=new.value,
                new_low=new.low,
                new_high=new.high,
            )


def _remarks(gathering: Gathering, about: About) -> Iterable[str]:
    if gathering.is_clustered:
        yield f"The {gathering.n_pairs:,} pairs are of {gathering.n_units:,} units; uncertainty is that of units, not of pairs."
    if gathering.n_without_body:
        why = f": {about.without_body}" if about.without_body else ""
        yield f"Of {gathering.n_without_body:,} pairs the answers are not there to be read{why}."
    if gathering.n_slices_left_out:
        yield f"{gathering.n_slices_left_out:,} slices beyond the first {len(gathering.cells) - 1} were not looked at."
