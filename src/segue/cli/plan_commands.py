"""`segue plan`: plans of upgrades, tried out before they are used."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from segue.cli.groups import CommandGroup
from segue.cli.options import NAME, json_option

if TYPE_CHECKING:
    from segue.simulation import Scenario, Setting, Traffic

MOST_PER_DAY = 1e9
_DAYS = {"s": 86_400, "m": 1_440, "h": 24, "d": 1}


class PerDay(click.ParamType[float]):
    """So many requests in a length of time: `20000/day`, `20k/d`, `50/hour`. Becomes requests a day."""

    name = "n/day"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        text = str(value).strip().replace(",", "").replace("_", "")
        found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kM]?)\s*/\s*(s|m|h|d)(?:ec|in|our|r|ay)?", text, re.ASCII)
        if found is None:
            near = f" Did you mean {text}/day?" if re.fullmatch(r"\d+(\.\d+)?[kM]?", text, re.ASCII) else ""
            self.fail(f"'{str(value)[:80]}' is no rate.{near} Write it as 20000/day, 20k/day or 50/hour.", param, ctx)
        amount = float(found[1]) * {"": 1, "k": 1e3, "M": 1e6}[found[2]] * _DAYS[found[3]]
        if not 0 < amount <= MOST_PER_DAY:
            self.fail(f"{amount:g} requests a day cannot be simulated. Write more than none and up to 1000M/day.", param, ctx)
        return amount


class Points(click.ParamType[float]):
    """A difference of rates: `3pts`. Becomes a share."""

    name = "points"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(?:pp|pts?|points?)", str(value).strip(), re.ASCII)
        if found is None or float(found[1]) > 50:
            self.fail(f"'{str(value)[:80]}' is no number of points up to 50. Write it as 3pts.", param, ctx)
        return float(found[1]) / 100


@click.group("plan", cls=CommandGroup)
def plan_command() -> None:
    """Plans of upgrades: by which steps a candidate takes the traffic, and what stops it."""


@plan_command.command("simulate")
@click.argument("plan", type=NAME)
@click.option("--traffic", "per_day", type=PerDay(), required=True, help="Requests of the workflow, such as 20000/day.")
@click.option(
    "--trace",
    type=click.Path(path_type=Path),
    help='Recorded arrivals, one {"t_s": …} per line: the shape of the traffic. Default: a daily cycle.',
)
@click.option(
    "--regression",
    "regressions",
    multiple=True,
    metavar="SCENARIO",
    help="What is wrong with the candidate, such as 'slice=refund quality -8pts'; may be repeated. "
    "Default: each gate at its hold limit and beyond its rollback limit, a critical slice, a late change, and a trouble.",
)
@click.option(
    "--trouble",
    "troubles",
    multiple=True,
    metavar="TROUBLE",
    help="What is wrong with the comparison itself: 'share +20%' gives the candidate a fifth more than each step says, "
    "'answers -10pts' makes its users answer less often; may be repeated.",
)
@click.option("--drift", type=Points(), default=0.0, help="How far the rates of both arms swing over a week, such as 3pts.")
@click.option("--runs", type=click.IntRange(1, 100_000), default=300, show_default=True, help="Runs of each scenario.")
@click.option(
    "--seed", type=click.IntRange(0, 2**63 - 1), default=1, show_default=True, help="The same seed gives the same figures."
)
@click.option(
    "--processes",
    type=click.IntRange(1, 256),
    help="Processes to work in. Default: one for each core. Figures do not depend on it.",
)
@click.option("--html", type=click.Path(path_type=Path), help="Also write a self-contained page with plots.")
@json_option
def simulate(
    plan: str,
    per_day: float,
    trace: Path | None,
    regressions: tuple[str, ...],
    troubles: tuple[str, ...],
    drift: float,
    runs: int,
    seed: int,
    processes: int | None,
    html: Path | None,
    as_json: bool,
) -> None:
    """Run PLAN many times on simulated outcomes: what it would catch, how late, and what each step is blind to.

    PLAN is WORKFLOW/PLAN, or the plan's name where one workflow alone has it.
    """
    from segue.cli.papers_out import require_place, write_text
    from segue.cli.plan_pool import work_through
    from segue.cli.plan_screen import print_simulation
    from segue.cli.plan_setting import load_setting
    from segue.cli.screen import console, error_console, print_json
    from segue.simulation import Simulator, block_hours, conclude, join, late_remark, share_out, summarise

    require_place(html)
    setting, remarks = load_setting(plan)
    traffic = _traffic(per_day, trace)
    scenarios = _scenarios(setting, regressions, troubles)
    remarks = (*remarks, *(said for one in scenarios if (said := late_remark(setting, one))))
    hours = block_hours(traffic, setting.canary_days, min(step.share * step.segment_share for step in setting.steps))
    simulator = Simulator(setting, scenarios, traffic, hours, drift)
    work = share_out(len(scenarios), runs, seed)
    done, is_interrupted = work_through(simulator, work, processes or os.cpu_count() or 1, error_console(), is_quiet=as_json)
    if is_interrupted and not done:
        raise KeyboardInterrupt
    finished = [
        summarise(
            setting, scenario, join([done[index] for index, one in enumerate(work) if one.scenario == place and index in done])
        )
        for place, scenario in enumerate(scenarios)
        if any(work[index].scenario == place for index in done)
    ]
    if is_interrupted:
        remarks = (*remarks, f"Interrupted: {sum(one.runs for one in finished):,} of {runs * len(scenarios):,} runs were done.")
    found = conclude(setting, traffic, finished, seed=seed, look_hours=hours, remarks=remarks)
    if as_json:
        print_json(found.as_json())
    else:
        print_simulation(console(), found)
    if html is not None:
        from segue.papers.plan_page import render_plan

        write_text(html, render_plan(found))
    if is_interrupted:
        raise SystemExit(130)


@plan_command.command("check")
@click.argument("plan", type=NAME)
@click.option(
    "--candidate",
    metavar="BUNDLE",
    help="The bundle that is to be released. Default: that of the newest verdict, else the one labelled candidate.",
)
@click.option("--environment", default="production", show_default=True, help="Where it is to be released.")
@json_option
def check(plan: str, candidate: str | None, environment: str, as_json: bool) -> None:
    """Look for the eight ways in which upgrades go wrong: each one that PLAN invites is refused or warned of.

    PLAN is WORKFLOW/PLAN, or the plan's name where one workflow alone has it. Exit code 12 if one is refused, 10 if one is
    warned of.
    """
    from segue.cli.plan_checking import check_named, print_ways
    from segue.cli.screen import console, print_json

    found = check_named(plan, candidate, environment)
    if as_json:
        print_json(found.as_json())
    else:
        print_ways(console(), found)
    if found.exit_code:
        raise SystemExit(found.exit_code)


def _traffic(per_day: float, trace: Path | None) -> Traffic:
    from segue.errors import InputError
    from segue.simulation import Traffic

    if trace is None:
        return Traffic.daily(per_day)
    from segue.workspace.trace_file import read_trace

    try:
        return Traffic.of_trace(per_day, read_trace(trace))
    except ValueError as error:
        raise InputError(f"{trace}: {error}", fix="Take a longer trace, or leave --trace out.") from None


def _scenarios(setting: Setting, regressions: tuple[str, ...], troubles: tuple[str, ...]) -> tuple[Scenario, ...]:
    """Those typed, with the one that nothing is wrong in; all faults at once."""
    from segue.errors import Fault, InputError
    from segue.simulation import Scenario, ScenarioError, default_scenarios, default_troubles, read_scenario, read_trouble

    if not regressions and not troubles:
        return (*default_scenarios(setting), *default_troubles(setting))
    scenarios, faults = [Scenario("no change")], []
    for option, typed, read in (("--regression", regressions, read_scenario), ("--trouble", troubles, read_trouble)):
        for index, text in enumerate(typed):
            try:
                scenarios.append(read(text, setting))
            except ScenarioError as error:
                faults.append(Fault(error.what, error.fix, path=f"{option} {index + 1}", likely=error.likely))
    if faults:
        raise InputError.from_faults(faults, subject="the scenarios")
    return tuple(dict.fromkeys(scenarios))
