"""One sentence for people who do not read e-values. Numbers come from the evidence alone; nothing is decided here."""

from __future__ import annotations

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
    counted = f"{found.labelled:,} outcomes on the candidate"
    if found.verdict == "harm":
        limit = "at which the upgrade rolls back" if found.limit == "rollback" else "at which the upgrade holds and people look"
        shown = "" if found.bound is None else f", by at least {_amount(found, found.bound)}"
        return f"{where}: the candidate is worse{shown}: beyond the limit {limit} ({counted})."
    if found.verdict == "safe":
        kept = "its limit" if found.bound is None else _amount(found, found.bound)
        return f"{where}: harm beyond {kept} is excluded ({counted})."
    seen = "" if found.effect is None else f"; so far {_direction(found, found.effect)}"
    return f"{where}: not settled by {counted}{seen}. {_outlook(found.settlement)}"


def _absence(found: Evidence) -> str:
    if not found.exposed:
        return "No user of it has been served by the candidate."
    if not found.matured:
        return f"{found.exposed:,} users were served, none long enough ago to be judged."
    if not found.asked:
        return f"{found.matured:,} users are old enough to be judged, but none was asked for a label."
    return f"{found.asked:,} labels were asked for and none came: silence is not health."


def _outlook(settlement: Settlement | None) -> str:
    if settlement is None:
        return "How many more outcomes would settle it is not known yet."
    if settlement.outcomes is None:
        return "At these rates more outcomes would not settle it: it lies at the limit."
    question = "harm beyond the limit" if settlement.question == "harm" else "that it is safe"
    when = "" if settlement.days is None else f", {_days(settlement.days)} at the present rate"
    return f"About {settlement.outcomes:,} more would show {question}{when}."


def _days(days: float) -> str:
    if days < 1:
        return "less than a day"
    return "a day" if days < 1.5 else f"{days:,.0f} days"


def _amount(found: Evidence, value: float) -> str:
    return f"{value * found.unit.factor:.3g} {found.unit.name}".strip()


def _direction(found: Evidence, effect: float) -> str:
    if abs(effect) * found.unit.factor < 5e-4:
        return "no difference"
    return f"{_amount(found, abs(effect))} {'worse' if effect > 0 else 'better'}"
