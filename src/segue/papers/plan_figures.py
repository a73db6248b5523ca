"""The figures of a simulation as rows of text: the same on the terminal and on the page. Unknown is `–`, never 0."""

from __future__ import annotations

from segue.model.plan_text import share_text
from segue.simulation import ScenarioResult, Simulation
from segue.simulation.result import Chance, Spread
from segue.simulation.wording import points

NONE = "–"
Rows = tuple[tuple[str, ...], list[tuple[str, ...]]]


def rows_of_scenarios(found: Simulation) -> Rows:
    """A row for each scenario."""
    head = (
        "scenario",
        "shadow stops",
        "noticed",
        "days",
        "rolled back",
        "days",
        "users exposed",
        "completed",
        "days",
        "waiting",
    )
    return head, [_scenario(one) for one in found.scenarios]


def _scenario(one: ScenarioResult) -> tuple[str, ...]:
    back = chance(one.rolled_back)
    if one.is_false and one.rolled_back.share:
        back += " (false)"
    return (
        one.name,
        NONE if one.shadow is None else chance(one.shadow),
        chance(one.noticed),
        spread_days(one.noticed_days),
        back,
        spread_days(one.detect_days),
        spread_count(one.exposed),
        chance(one.completed),
        days(one.complete_days.median),
        chance(Chance(None, None) if one.held.share is None else Chance(one.held.share + (one.unsettled.share or 0.0), None)),
    )


def rows_of_steps(found: Simulation) -> Rows:
    """A row for each step and gate."""
    head = ("step", "gate", "slice", "outcomes", "has to exclude", "excludes", "in days", "planned", "rolls back on")
    rows: list[tuple[str, ...]] = [
        (
            f"{one.step + 1}: {share_text(one.share)}",
            one.gate,
            one.slice or "all",
            f"{one.outcomes:,.0f}",
            "–" if one.asked is None else points(one.asked),
            points(one.excludes),
            "–" if one.asked is None else "never" if one.asked_days is None else days(one.asked_days),
            days(one.days),
            points(one.rolls_back_on),
        )
        for one in found.sights
    ]
    return head, rows


def chance(one: Chance) -> str:
    """`12.5 %`; a share of no runs is unknown."""
    return NONE if one.share is None else f"{one.share * 100:.3g} %"


def days(value: float | None) -> str:
    """Days with as many digits as they deserve."""
    if value is None:
        return NONE
    return f"{value:.1f}".removesuffix(".0") if value < 100 else f"{value:,.0f}"


def spread_days(one: Spread) -> str:
    """Median and 95th percentile."""
    return NONE if one.median is None else f"{days(one.median)} / {days(one.p95)}"


def spread_count(one: Spread) -> str:
    """The same of counts."""
    return NONE if one.median is None or one.p95 is None else f"{one.median:,.0f} / {one.p95:,.0f}"
