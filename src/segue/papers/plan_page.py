"""A simulation as one self-contained HTML page: the sentences, the figures, and when runs end, drawn.

Names in it come from files of the workspace and from the command line, and are escaped by the template. No script, no network.
"""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from segue.papers.plan_figures import (
    SCENARIO_NOTES,
    SPREADS,
    STEP_NOTES,
    chance,
    days,
    false_alarms,
    look_words,
    rows_of_scenarios,
    rows_of_steps,
    share_error,
)
from segue.papers.printable import printable_line, printable_name
from segue.papers.templating import asset, environment, policy_digest
from segue.simulation import ScenarioResult, Simulation
from segue.simulation.blindness import Sight

WIDTH, HEIGHT = 320.0, 120.0
_LINES = (
    ("rolled back", "back", 1),
    ("completed", "done", 2),
    ("waiting for people", "wait", 3),
    ("invalid", "void", 4),
)


@dataclass(frozen=True, slots=True)
class Line:
    """One curve of a plot: what it is, its class, its points as an attribute, and where it ends in words."""

    name: str
    tone: str
    points: str
    last: str


@dataclass(frozen=True, slots=True)
class Plot:
    """When the runs of a scenario ended. `words` say it for those who do not see the drawing."""

    title: str
    truth: str
    end: str
    lines: tuple[Line, ...]
    words: str


@dataclass(frozen=True, slots=True)
class Gauge:
    """What a step excludes of a gate against what it has to, as widths in per cent of the widest."""

    name: str
    excludes: str
    width: str
    limit: str
    limit_words: str
    is_blind: bool


def render_plan(found: Simulation) -> str:
    """The page as text (write it as UTF-8)."""
    style = asset("plan.css")
    scenario_head, scenario_rows = rows_of_scenarios(found, with_errors=True)
    step_head, step_rows = rows_of_steps(found)
    return (
        environment()
        .get_template("plan.html.j2")
        .render(
            title=f"Plan {printable_name(found.plan)}",
            plan=printable_name(found.plan),
            per_day=f"{found.per_day:,.0f}",
            runs=f"{max((one.runs for one in found.scenarios), default=0):,}",
            seed=str(found.seed),
            look=look_words(found),
            remarks=[printable_line(one) for one in found.remarks],
            sentences=[printable_line(one) for one in found.sentences],
            plots=[_plot(one) for one in found.scenarios if one.curve],
            gauges=_gauges(found.sights),
            scenario_notes=SCENARIO_NOTES,
            step_notes=STEP_NOTES,
            spreads=f"{SPREADS} Behind ± is the standard error of a share, in points. {false_alarms(found)}",
            scenario_head=scenario_head,
            scenario_rows=[[printable_name(name, 200), *map(_kept_together, figures)] for name, *figures in scenario_rows],
            step_head=step_head,
            step_rows=[[printable_name(cell, 200) for cell in row] for row in step_rows],
            width=f"{WIDTH:g}",
            height=f"{HEIGHT:g}",
            style=Markup(style),  # noqa: S704  our own file, and its digest is what the page's policy allows
            style_digest=policy_digest(style),
        )
    )


def _kept_together(figure: str) -> str:
    """A figure that may only be broken before its error or its remark, so that a wide table fits."""
    return figure.replace(" ", "\N{NO-BREAK SPACE}").replace("\N{NO-BREAK SPACE}±", " ±").replace("\N{NO-BREAK SPACE}(", " (")


def _plot(one: ScenarioResult) -> Plot:
    last_day = one.curve[-1][0] or 1.0
    lines = []
    ends = (one.rolled_back, one.completed, one.waiting, one.invalid)
    for (name, tone, column), end in zip(_LINES, ends, strict=True):
        points = " ".join(f"{WIDTH * row[0] / last_day:.1f},{HEIGHT * (1 - row[column]):.1f}" for row in one.curve)
        lines.append(Line(name, tone, points, share_error(end)))
    truth = {"within": "within every limit", "hold": "beyond a hold limit", "rollback": "beyond a rollback limit"}[one.truth]
    if one.is_troubled:
        truth = "nothing can be compared"
    shares = ", ".join(f"{name} {chance(end)}" for (name, *_), end in zip(_LINES, ends, strict=True))
    words = f"By day {days(last_day)}: {shares}."
    return Plot(printable_name(one.name, 200), truth, days(last_day), tuple(lines), words)


def _gauges(sights: tuple[Sight, ...]) -> list[Gauge]:
    """The totals and what has to be safe: how far what a step excludes is from what it has to."""
    shown = [one for one in sights if one.asked is not None]
    widest = max((max(one.asked or 0.0, min(one.excludes or 1.0, 1.0)) for one in shown), default=1.0)
    found = []
    for one in shown:
        reached = 1.0 if one.excludes is None else one.excludes
        where = f" on {one.slice}" if one.slice else ""
        found.append(
            Gauge(
                name=printable_name(f"Step {one.step + 1}, {one.share * 100:.3g} %: {one.gate}{where}", 200),
                excludes="nothing" if one.excludes is None else f"{one.excludes * 100:.2g} points",
                width=f"{100 * min(reached / widest, 1.0):.2f}",
                limit=f"{100 * (one.asked or 0.0) / widest:.2f}",
                limit_words=f"{(one.asked or 0.0) * 100:.2g} points",
                is_blind=one.is_blind,
            )
        )
    return found
