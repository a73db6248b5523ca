"""The figures of a simulation as rows of text: the same on the terminal and on the page. Unknown is `–`, never 0."""

from __future__ import annotations

from collections.abc import Callable

from segue.model.plan_text import share_text
from segue.simulation import ScenarioResult, Simulation
from segue.simulation.result import Chance, Spread
from segue.simulation.wording import points

NONE = "–"
Rows = tuple[tuple[str, ...], list[tuple[str, ...]]]


SCENARIO_NOTES = (
    ("shadow stops", "runs that shadow would have ended; the canary's figures are for candidates that got past it"),
    ("noticed", "runs held for people, rolled back or invalid; the days count from the first step"),
    ("rolled back", "runs that went back by themselves, in canary or soak; (false) where the candidate is within every limit"),
    ("days", "beside 'rolled back': from the beginning of the harm to the rollback, of the runs rolled back alone"),
    ("users exposed", "units served by the candidate up to the rollback, of the runs rolled back alone"),
    ("completed", "runs through canary and soak, and the day on which half of these were"),
    ("waiting", "runs in which people have to decide: held, not settled in time, or after a soak that saw too few outcomes"),
    ("invalid", "runs that a guard ended since nothing could be compared; (false) where nothing is wrong with the comparison"),
)
"""What the columns of the scenarios mean, for the page."""
STEP_NOTES = (
    ("outcomes", "labels of the candidate by the end of the step, if it lasts as planned"),
    ("has to exclude", "the harm that the step has to exclude before the next one; – where nothing waits for it"),
    ("excludes", "the smallest harm that it has excluded by then if the candidate is equal"),
    ("in days", "how long the step takes to exclude what it has to; planned is how long it lasts at least"),
    ("rolls back on", "the smallest drop that it rolls back by itself"),
)
"""The same of the steps."""
SPREADS = "Days and users: median / 95th percentile."


def rows_of_scenarios(found: Simulation, *, with_errors: bool = False) -> Rows:
    """A row for each scenario; on request each share with its standard error in points."""
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
        "invalid",
    )
    return head, [_scenario(one, share_error if with_errors else chance) for one in found.scenarios]


def _scenario(one: ScenarioResult, shown: Callable[[Chance], str]) -> tuple[str, ...]:
    back = shown(one.rolled_back)
    if one.is_false and one.rolled_back.share:
        back += " (false)"
    invalid = shown(one.invalid)
    if not one.is_troubled and one.invalid.share:
        invalid += " (false)"
    return (
        one.name,
        NONE if one.shadow is None else shown(one.shadow),
        shown(one.noticed),
        spread_days(one.noticed_days),
        back,
        spread_days(one.detect_days),
        spread_count(one.exposed),
        shown(one.completed),
        days(one.complete_days.median),
        shown(one.waiting),
        invalid,
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
    """`12.5 %`, `4.3 %`; a share of no runs is unknown."""
    return NONE if one.share is None else f"{one.share * 100:.{2 if one.share < 0.0995 else 3}g} %"


def share_error(one: Chance) -> str:
    """`12.5 % ± 1.9`, with the standard error in points."""
    return chance(one) if one.error is None else f"{chance(one)} ± {one.error * 100:.2g}"


def precision(found: Simulation) -> str:
    """How far the shares may be off, at their least certain; nothing where no run was done."""
    shares = [
        each
        for one in found.scenarios
        for each in (one.shadow, one.noticed, one.rolled_back, one.completed, one.waiting, one.invalid)
        if each
    ]
    errors = [each.error for each in shares if each.error is not None]
    return f"Shares have a standard error of {max(errors) * 100:.2g} points or less." if errors else ""


def false_alarms(found: Simulation) -> str:
    """How often guards ended runs whose comparison nothing is wrong with; nothing where there were none such."""
    calm = [one for one in found.scenarios if not one.is_troubled and one.invalid.share is not None]
    runs = sum(one.runs for one in calm)
    if not runs:
        return ""
    share = sum((one.invalid.share or 0.0) * one.runs for one in calm) / runs
    shown = f"{chance(Chance(share, None))} of the {runs:,} runs without trouble"
    return f"Guards raised a false alarm in {shown}; they promise at most {share_text(found.guard_alpha)}."


def look_words(found: Simulation) -> str:
    """`a look every 3 hours`."""
    return f"a look every {'hour' if found.look_hours == 1 else f'{found.look_hours} hours'}"


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
