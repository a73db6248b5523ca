"""A simulation on the terminal: first what is wrong with the plan, then the figures, then when runs end."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape

from segue.cli.screen import Screen, print_indented, print_table
from segue.papers.plan_figures import (
    SPREADS,
    days,
    false_alarms,
    look_words,
    precision,
    rows_of_scenarios,
    rows_of_steps,
    share_error,
)
from segue.papers.printable import printable
from segue.simulation import ScenarioResult, Simulation

_BARS = " ▁▂▃▄▅▆▇█"
_WIDTH = 40


def print_simulation(screen: Screen, found: Simulation) -> None:
    """Everything that was found."""
    runs = max((one.runs for one in found.scenarios), default=0)
    screen.print(
        f"[bold]{escape(printable(found.plan))}[/] at {found.per_day:,.0f} requests a day; {runs:,} runs a scenario, "
        f"seed {found.seed}, {look_words(found)}"
    )
    for remark in found.remarks:
        print_indented(screen, escape(printable(remark)), 4, "•")
    screen.print("\n[bold]What to know before using it[/]")
    for sentence in found.sentences or ("At this traffic every step sees what it has to, and no scenario was missed.",):
        print_indented(screen, escape(printable(sentence)), 4, "•")
    screen.print("\n[bold]Scenarios[/]")
    head, rows = rows_of_scenarios(found)
    print_table(screen, head, rows, right=range(1, len(head)), fold=0)
    print_indented(
        screen,
        f"[dim]{SPREADS} Those beside 'rolled back' are of the runs rolled back alone; "
        "users are the candidate's units up to the rollback. Shadow stands beside: the canary's figures are for candidates "
        "that got past it. Noticed: held for people, rolled back or invalid; invalid: ended by a guard, since nothing could be "
        f"compared. {false_alarms(found)} {precision(found)}[/]",
        2,
    )
    screen.print("\n[bold]What each step can see[/] (80 % power, with the evidence of the steps before)")
    head, rows = rows_of_steps(found)
    print_table(screen, head, rows, right=range(3, len(head)), fold=1)
    _print_ends(screen, found)


def _print_ends(screen: Console, found: Simulation) -> None:
    """When runs are rolled back, as a row of bars per scenario."""
    shown = [one for one in found.scenarios if one.curve and (one.rolled_back.share or 0) > 0]
    if not shown:
        return
    screen.print("\n[bold]Rolled back by day[/]")
    for one in shown:
        line = "".join(_bar(_at(one, place / (_WIDTH - 1))) for place in range(_WIDTH))
        last = one.curve[-1][0]
        share = f"{share_error(one.rolled_back)} of {one.runs:,} runs"
        screen.print(f"  │{line}│ {share} by day {days(last)}: {printable(one.name)}", markup=False, soft_wrap=True)


def _at(one: ScenarioResult, place: float) -> float:
    return one.curve[round(place * (len(one.curve) - 1))][1]


def _bar(share: float) -> str:
    return _BARS[min(len(_BARS) - 1, int(share * (len(_BARS) - 1) + 0.999))]
