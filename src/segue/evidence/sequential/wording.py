"""One sentence for people who do not read e-values. Numbers come from the evidence alone; nothing is decided here."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from segue.evidence.sequential.cells import POOLED

if TYPE_CHECKING:
    from segue.evidence.sequential.verdicts import Evidence, Settlement


def sentence_of(found: Evidence) -> str:
    """What a product manager should know of one cell."""
    where = found.metric if found.slice == POOLED else f"{found.metric} on {found.slice}"
    if found.verdict == "invalid":
        why = (
            "users were not assigned in the shares that were set"
            if found.void == "assignment"
            else "labels come back from the candidate's users at another rate than from the incumbent's"
        )
        return f"{where}: cannot be compared, for {why}. Nothing moves until that is mended."
    if not found.labelled:
        return f"{where}: nothing is known yet. {_absence(found)}"
    counted = f"{_count(found.labelled, 'outcome')} on the candidate"
    if found.verdict == "harm":
        limit = "at which the upgrade rolls back" if found.limit == "rollback" else "at which the upgrade holds and people look"
        shown = "" if found.bound is None else f", by at least {_amount(found, found.bound)}"
        return f"{where}: the candidate is worse{shown}: beyond the limit {limit} ({counted})."
    if found.verdict == "safe":
        kept = "its limit" if found.bound is None else _amount(found, found.bound)
        return f"{where}: harm beyond {kept} is excluded ({counted})."
    if not found.incumbent_labelled:
        return f"{where}: not settled: {counted}, but none on the incumbent, so there is nothing to compare with."
    seen = "" if found.effect is None else f"; so far {_direction(found, found.effect)}"
    seen += "" if found.bound is None else f", and harm beyond {_amount(found, found.bound)} is excluded"
    return f"{where}: not settled by {counted}{seen}. {_outlook(found.settlement)}"


def _absence(found: Evidence) -> str:
    if not found.exposed:
        return "No user of it has been served by the candidate."
    if not found.matured:
        served = "was served, not" if found.exposed == 1 else "were served, none"
        return f"{_count(found.exposed, 'user')} {served} long enough ago to be judged."
    if not found.asked:
        unasked = ("is", "was not") if found.matured == 1 else ("are", "none was")
        return f"{_count(found.matured, 'user')} {unasked[0]} old enough to be judged, but {unasked[1]} asked for a label."
    came = "was asked for and did not come" if found.asked == 1 else "were asked for and none came"
    return f"{_count(found.asked, 'label')} {came}: silence is not health."


def _outlook(settlement: Settlement | None) -> str:
    if settlement is None:
        return "How many more outcomes would settle it is not known yet."
    question = "harm beyond the limit" if settlement.question == "harm" else "that it is safe"
    if settlement.outcomes is None:
        return f"At these rates no number of outcomes would show {question}."
    when = "" if settlement.days is None else f", {_days(settlement.days)} at the present rate"
    return f"About {settlement.outcomes:,} more would show {question}{when}."


def _days(days: float) -> str:
    if days < 1:
        return "less than a day"
    return "a day" if days < 1.5 else f"{days:,.0f} days"


def _count(n: int, noun: str) -> str:
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def _amount(found: Evidence, value: float) -> str:
    """Three digits, written out: people read "1,230 ms" and not "1.23e+03 ms"."""
    number = format(Decimal(f"{value * found.unit.factor:.3g}"), ",f")
    name = found.unit.one if number == "1" and found.unit.one else found.unit.name
    return f"{number} {name}".strip()


def _direction(found: Evidence, effect: float) -> str:
    if abs(effect) * found.unit.factor < 5e-4:
        return "no difference"
    return f"{_amount(found, abs(effect))} {'worse' if effect > 0 else 'better'}"
