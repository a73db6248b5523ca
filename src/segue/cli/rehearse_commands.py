"""`segue rehearse`: a whole upgrade on virtual time, before it is done for real."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from segue.cli.options import NAME, json_option
from segue.cli.plan_commands import PerDay

if TYPE_CHECKING:
    from segue.cli.desk import Desk
    from segue.rehearsal.course import Course
    from segue.rehearsal.preparing import Prepared
    from segue.rehearsal.troubles import Trouble
    from segue.simulation import Traffic
    from segue.store.base import Store

REQUESTS = 20_000
_LENGTHS = {"m": 60.0, "h": 3_600.0, "d": 86_400.0, "w": 604_800.0}
_PAST = ("eval", "staging", "shadow", "canary", "soak")


class Length(click.ParamType[float]):
    """A length of time: `30m`, `4h`, `2d`. Becomes seconds."""

    name = "length"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([mhdw])", str(value).strip(), re.ASCII)
        if found is None or not 60 <= float(found[1]) * _LENGTHS[found[2]] <= 400 * 86_400:
            self.fail(f"'{str(value)[:80]}' is no length of time from a minute up. Write it as 30m, 4h or 2d.", param, ctx)
        return float(found[1]) * _LENGTHS[found[2]]


class Approval(Length):
    """When people say yes: `at-once`, `never`, or a length of time after they were asked."""

    name = "when"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        words = {"at-once": 0.0, "never": -1.0}
        return words[value] if value in words else super().convert(value, param, ctx)


@click.command("rehearse")
@click.argument("plan", type=NAME)
@click.option("--candidate", type=NAME, required=True, help="Bundle that is to be released.")
@click.option("--incumbent", type=NAME, help="Bundle that serves now. Default: the workflow's incumbent.")
@click.option(
    "--requests",
    type=click.IntRange(1, 100_000_000),
    help=f"Requests over the planned length of the upgrade (default {REQUESTS:,}).",
)
@click.option(
    "--traffic", "per_day", type=PerDay(), help="Requests of the workflow, such as 20000/day, in place of --requests."
)
@click.option(
    "--days", type=click.FloatRange(0.01, 4_000), help="End after so many days. Default: as long as the plan may take."
)
@click.option(
    "--trace",
    type=click.Path(path_type=Path),
    help='Recorded arrivals, one {"t_s": …} per line: the shape of the traffic. Default: a daily cycle.',
)
@click.option(
    "--trouble",
    "troubles",
    multiple=True,
    metavar="TROUBLE",
    help="What goes wrong, such as 'task=refund right_action -10pts from day 9', 'fence +20%', 'slow x10 for 5%', 'cost x2', "
    "'outage day 5 for 2h'; may be repeated.",
)
@click.option(
    "--approve", type=Approval(), default="at-once", show_default=True, help="When approvers say yes: at-once, never, 4h."
)
@click.option(
    "--accept",
    type=Approval(),
    default="at-once",
    show_default=True,
    help="When somebody accepts by name what moved in staging, a broken contract apart: at-once, never, 4h.",
)
@click.option(
    "--past",
    type=click.Choice(_PAST),
    multiple=True,
    help="Have somebody go on in spite of what this stage found (canary, soak: where it waits for evidence); may be repeated.",
)
@click.option("--every", type=Length(), help="How often the controller looks. Default: by traffic and length, from 1h to 12h.")
@click.option("--runs", type=click.IntRange(1, 100_000), default=1, show_default=True, help="Seeds to rehearse, side by side.")
@click.option(
    "--seed", type=click.IntRange(0, 2**31 - 1), default=1, show_default=True, help="The same seed makes the same upgrade."
)
@click.option(
    "--processes", type=click.IntRange(1, 256), help="Processes to work in, of several runs. Default: one for each core."
)
@click.option(
    "--keep",
    type=click.Path(path_type=Path),
    help="Keep store and exchange log there, as a workspace.",
)
@json_option
def rehearse_command(
    plan: str,
    candidate: str,
    incumbent: str | None,
    requests: int | None,
    per_day: float | None,
    days: float | None,
    trace: Path | None,
    troubles: tuple[str, ...],
    approve: float,
    accept: float,
    past: tuple[str, ...],
    every: float | None,
    runs: int,
    seed: int,
    processes: int | None,
    keep: Path | None,
    as_json: bool,
) -> None:
    """Run PLAN as a whole upgrade on virtual time: same controller, routing, scorers and exchange log, no network.

    PLAN is WORKFLOW/PLAN, or the plan's name where one workflow alone has it. Leaves with 0 if the upgrade completed, with 12
    if it was rolled back, stopped or deferred, with 11 if it holds; several runs leave with 0.
    """
    if requests is not None and per_day is not None:
        raise click.UsageError("--requests and --traffic say the same in two ways: give one.")
    if keep is not None and runs > 1:
        raise click.UsageError("--keep keeps one run; leave --runs out.")
    from segue.cli.desk import open_desk
    from segue.cli.rehearse_screen import watching
    from segue.rehearsal.preparing import Pair
    from segue.store import open_store
    from segue.workspace.plan_file import find_plan

    with open_desk() as desk, watching(is_quiet=as_json) as screen:
        workflow, name = find_plan(desk.workspace, plan)
        pair = Pair(workflow, candidate, incumbent)
        if keep is not None:
            _require_empty(keep)
        with _closing(open_store("memory:")) as work:
            prepared = _prepare(desk, work, pair, screen.prepared)
            course = _course(
                desk,
                work,
                prepared,
                name,
                traffic=(per_day, requests, trace),
                troubles=troubles,
                days=days,
                every=every,
                seed=seed,
                approve=None if approve < 0 else approve,
                accept=None if accept < 0 else accept,
                past=past,
            )
        if runs == 1:
            raise SystemExit(_one(prepared, course, keep, screen, as_json=as_json))
        raise SystemExit(_several(desk, prepared, course, pair, runs, processes, screen, as_json=as_json))


@contextmanager
def _closing(store: Store) -> Iterator[Store]:
    try:
        yield store
    finally:
        store.close()


def _prepare(desk: Desk, work: Store, pair: Any, told: Any) -> Prepared:
    from segue.rehearsal.preparing import prepare

    return prepare(desk.workspace, desk.store, work, pair, told)


def _course(
    desk: Desk,
    work: Store,
    prepared: Prepared,
    name: str,
    *,
    traffic: tuple[float | None, int | None, Path | None],
    troubles: tuple[str, ...],
    days: float | None,
    every: float | None,
    seed: int,
    approve: float | None,
    accept: float | None,
    past: tuple[str, ...],
) -> Course:
    """The plan as the upgrade would be opened with it, and how the rehearsal goes."""
    from segue.cli.desk import Desk
    from segue.cli.plan_setting import settled_plan
    from segue.rehearsal.course import Course, longest_days, look_seconds, planned_days
    from segue.rehearsal.preparing import AUTHOR

    workflow = prepared.workflow.name
    plan, critical, remarks = settled_plan(Desk(desk.workspace, work, AUTHOR), workflow, name)
    shape = _traffic(traffic, planned_days(plan))
    return Course(
        plan=plan,
        traffic=shape,
        look_s=every or look_seconds(plan, shape),
        seed=seed,
        most_days=days or longest_days(plan),
        troubles=_troubles(prepared, plan, troubles),
        approve_after_s=approve,
        accept_after_s=accept,
        past=frozenset(past),  # type: ignore[arg-type]
        plan_name=f"{workflow}/{name}",
        critical=critical,
        remarks=remarks,
    )


def _traffic(given: tuple[float | None, int | None, Path | None], days: float) -> Traffic:
    from segue.errors import InputError
    from segue.simulation import Traffic

    per_day, requests, trace = given
    rate = per_day or (requests or REQUESTS) / days
    if trace is None:
        return Traffic.daily(rate)
    from segue.workspace.trace_file import read_trace

    try:
        return Traffic.of_trace(rate, read_trace(trace))
    except ValueError as error:
        raise InputError(f"{trace}: {error}", fix="Take a longer trace, or leave --trace out.") from None


def _troubles(prepared: Prepared, plan: Any, texts: tuple[str, ...]) -> tuple[Trouble, ...]:
    from segue.rehearsal.troubles import Known, read_troubles

    slices = sorted({f"{name}={value}" for case in prepared.cases for name, value in case.slices.items()})
    metrics = sorted({name for one in prepared.answers.values() for name in one.better})
    outcomes = [gate.metric for gate in plan.gates if gate.source == "outcome"]
    return read_troubles(texts, Known(metrics, list(dict.fromkeys(outcomes)), slices))


def _one(prepared: Prepared, course: Course, keep: Path | None, screen: Any, *, as_json: bool) -> int:
    from segue.cli.rehearse_screen import print_rehearsed
    from segue.cli.screen import console, print_json
    from segue.rehearsal.running import rehearse
    from segue.rehearsal.world import Listener, Rehearsal

    listener = Listener(looked=screen.looked)
    if keep is None:
        found = rehearse(prepared, course, listener)
    else:
        with _closing(_keep_workspace(prepared, keep)) as store:
            prepared.furnish(store)
            found = Rehearsal(prepared, course, store, keep / ".segue").run(listener)
    screen.stop()
    if as_json:
        print_json({**found.as_json(), "kept": None if keep is None else str(keep)})
    else:
        print_rehearsed(console(), found, course, keep)
    return found.exit_code


def _several(
    desk: Desk,
    prepared: Prepared,
    course: Course,
    pair: Any,
    runs: int,
    processes: int | None,
    screen: Any,
    *,
    as_json: bool,
) -> int:
    from segue.cli.rehearse_screen import print_runs, runs_as_json
    from segue.cli.screen import console, print_json
    from segue.rehearsal.running import Order, rehearse_seeds

    order = Order(desk.workspace.root, desk.workspace.state, pair, course, prepared.verdict)
    seeds = range(course.seed, course.seed + runs)
    screen.runs(runs)
    found, is_interrupted = rehearse_seeds(order, prepared, seeds, processes or os.cpu_count() or 1, screen.ran)
    screen.stop()
    if is_interrupted and not found:
        raise KeyboardInterrupt
    done = [found[seed] for seed in sorted(found)]
    if as_json:
        print_json(runs_as_json(done, runs))
    else:
        print_runs(console(), done, runs, course)
    return 130 if is_interrupted else 0


def _require_empty(folder: Path) -> None:
    from segue.errors import InputError

    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(
            f"{folder} is there already, and is not empty.", fix="Name a folder that does not exist yet: --keep FOLDER."
        )


def _keep_workspace(prepared: Prepared, folder: Path) -> Store:
    """A copy of the workspace's files with a store of its own."""
    import shutil

    from segue.errors import InputError
    from segue.store import open_store

    root = prepared.workspace.root
    try:
        shutil.copytree(root / "workflows", folder / "workflows", dirs_exist_ok=True)
        text = (root / "segue.yaml").read_text(encoding="utf-8")
        lines = [line for line in text.splitlines() if not line.startswith("state:")]
        (folder / "segue.yaml").write_text("\n".join([*lines, "state: .segue/state.db", ""]), encoding="utf-8")
        (folder / ".segue").mkdir()
    except OSError as error:
        raise InputError(
            f"{folder} could not be written: {error.strerror or type(error).__name__}.",
            fix="Name another folder: --keep FOLDER.",
        ) from None
    return open_store(str(folder / ".segue" / "state.db"))
