"""`segue replay`: recorded requests through the gateway of another environment, where the candidate shadows them."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from segue.cli.desk import Desk, open_desk
from segue.cli.evaluation import SILENCE_S, stop_on_interrupt
from segue.cli.exchange_commands import Moment
from segue.cli.flipping import state_folder
from segue.cli.options import NAME, NEW, Money, json_option
from segue.cli.screen import console, error_console, print_json
from segue.errors import InputError, NotFoundError, ProviderError

if TYPE_CHECKING:
    from segue.controller.replaying import Tally
    from segue.controller.replaying_folder import Head, Sent
    from segue.controller.replaying_run import Replayed, Source, Watch
    from segue.exchanges.query import ExchangeLog

KEY = "SEGUE_GATEWAY_KEY"
INTERRUPTED, ERROR = 130, 1
STOPPED = {
    "limit": "The budget is reached: no more was asked. The same command with a larger --budget goes on from there.",
    "unpriced": "Stopped: a reply came without a price, so --budget cannot be kept. "
    "Name the model's price under prices: in segue.yaml, or leave --budget out.",
}
SINCE = "segue.replay.since"


class Rate(click.ParamType[float]):
    """So many a second: `5/s`, `0.5/s`, `300/m`."""

    name = "n/s"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(?:/\s*([smh]))?", str(value).strip(), re.ASCII)
        rate = 0.0 if match is None else float(match[1]) / {"m": 60, "h": 3600}.get(match[2], 1)
        if rate <= 0:
            self.fail(f"{str(value)[:40]!r} is no rate. Write it as 5/s, or 300/m.", param, ctx)
        return rate


class Since(Moment):
    """A time of which the words are kept: the same words go on with the same replay, whatever `7d` comes to by then."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if ctx is not None and not isinstance(value, int):
            ctx.meta[SINCE] = str(value).strip()
        return super().convert(value, param, ctx)


@click.command("replay")
@click.argument("workflow", type=NAME)
@click.option("--from", "export", type=click.Path(path_type=Path, dir_okay=False), help="An export of segue exchanges export.")
@click.option("--from-log", is_flag=True, help="The gateway's own log of production, in this workspace.")
@click.option("--since", type=Since(), help="From then on, of the log: 7d, 24h, 2026-11-21.")
@click.option("--environment", default="staging", show_default=True, help="Where to; its route shadows every request.")
@click.option(
    "--url", help="A gateway of that environment; without it, one is started for the replay. Its key: SEGUE_GATEWAY_KEY."
)
@click.option("--rate", type=Rate(), help="Begin so many a second at most: 5/s, 300/m.")
@click.option("--budget", type=Money(), help="Stop before both bundles have cost this, earlier runs included; e.g. 5usd.")
@click.option("--at-once", type=click.IntRange(1, 64), default=8, show_default=True, help="Requests under way.")
@click.option("--limit", type=click.IntRange(min=1), help="The first so many alone.")
@click.option("--name", type=NEW, help="What to call it; the same name goes on where it stopped.")
@click.option("--upgrade", type=NAME, help="Staging of this upgrade: replay its traffic, and write down what moved.")
@click.option("--entry", type=click.IntRange(min=1), help="The entry of the upgrade's log that asks for it.")
@json_option
def replay_command(workflow: str, upgrade: str | None, as_json: bool, **given: Any) -> None:
    """Send recorded requests through a gateway of another environment, in order; each gives a pair that segue drift compares.

    Killed or interrupted, the same command goes on where it stopped: each request is answered at most once. Only models are
    asked: tools are the application's, and nobody runs them here. What cannot be replayed, since no body was kept, is counted.
    """
    need_extra()
    if upgrade is not None:
        if given["budget"] is not None:
            raise click.UsageError("The budget of staging is the plan's: shadow: usd_per_day.")
        _stage(workflow, upgrade, given, as_json=as_json)
        return
    if (given["export"] is not None) == given["from_log"]:
        raise click.UsageError("Say what to replay: --from FILE, or --from-log.")
    if given["since"] is not None and not given["from_log"]:
        raise click.UsageError("--since belongs to --from-log.")
    from segue.controller.replaying_folder import find_replay
    from segue.controller.replaying_run import check_route, run_replay

    with open_desk() as desk:
        desk.workspace.folder(workflow)
        check_route(desk.store, workflow, given["environment"])
        state = state_folder(desk.workspace.root)
        log = open_log(state)
        source = _source(log, workflow, given)
        folder = find_replay(state, workflow, source.asked, given["name"])
        folder.open()
        try:
            with _watching() as watch:
                done = run_replay(_work(desk, log, workflow, given), folder, source, watch)
        finally:
            folder.close()
    _show(done, as_json=as_json)
    if done.is_stopped:
        raise SystemExit(INTERRUPTED)
    if done.money:
        raise SystemExit(ERROR)


def open_log(state: Path) -> ExchangeLog:
    """The exchange log of a workspace, also where it is empty yet."""
    from segue.exchanges.query import ExchangeLog

    return ExchangeLog(state / "spool", state / "exchanges")


def _stage(workflow: str, name: str, given: dict[str, Any], *, as_json: bool) -> None:
    """The job of a staging."""
    from segue.controller.drift_report_shadow import open_reader
    from segue.controller.reading import read_named
    from segue.controller.replaying_folder import FOLDER, ReplayFolder
    from segue.controller.staging import asked_number, job_name, judge_result
    from segue.controller.staging_job import StagingWork, run_staging

    with open_desk() as desk:
        upgrade = read_named(desk.store, name)
        if upgrade.opening.workflow != workflow:
            raise InputError(f"Upgrade '{name}' is of '{upgrade.opening.workflow}'.", fix=f"segue replay {workflow} --from-log")
        number = given["entry"] or asked_number(upgrade)
        if number is None:
            raise InputError(f"Upgrade '{name}' has not come to staging.", fix=f"See where it is: segue status {workflow}")
        state = state_folder(desk.workspace.root)
        reader = open_reader(desk.workspace, desk.store, open_log(state), date.fromisoformat(desk.now()[:10]))
        declared = desk.workspace.load_workflow(workflow)
        work = StagingWork(desk.workspace, desk.store, declared, reader, time.time_ns, desk.author, os.environ)
        folder = ReplayFolder(state / FOLDER / job_name(upgrade.opening.upgrade, number))
        folder.open()
        try:
            with _watching() as watch:
                result = run_staging(work, upgrade, number, folder, watch)
        finally:
            folder.close()
        if result is None:
            raise SystemExit(INTERRUPTED)
        passed, faults = judge_result(desk.store, upgrade, result)
    if as_json:
        print_json({"passed": passed, "faults": list(faults), **result.model_dump(mode="json")})
        return
    screen = console()
    screen.print("Staging is passed." if passed else "Staging is not passed:", markup=False)
    for fault in faults:
        screen.print(f"- {fault}", markup=False, soft_wrap=True)


def _source(log: ExchangeLog, workflow: str, given: dict[str, Any]) -> Source:
    from segue.controller.replaying_run import export_source, log_source

    export, limit = given["export"], given["limit"]
    if export is not None:
        if not export.exists():
            raise NotFoundError(f"There is no file {export}.", fix=f"Make one: segue exchanges export --out {export}")
        stat = export.stat()
        asked = f"from {export.absolute()} {stat.st_size} {stat.st_mtime_ns} limit {limit} in {given['environment']}"
        return export_source(export, workflow, limit, asked)
    words = click.get_current_context().meta.get(SINCE, "the beginning")
    return log_source(log, workflow, given["since"], limit, f"from log since {words} limit {limit} in {given['environment']}")


def _work(desk: Desk, log: ExchangeLog, workflow: str, given: dict[str, Any]) -> Any:
    from segue.controller.drift_report_shadow import open_reader
    from segue.controller.replaying_run import ReplayWork

    key = os.environ.get(KEY, "").strip()
    if given["url"] is not None and not key:
        raise InputError(f"--url needs a key of that gateway in {KEY}.", fix="Make one: segue gateway key replay")
    return ReplayWork(
        root=desk.workspace.root,
        log=log,
        workflow=workflow,
        environment=given["environment"],
        clock_ns=time.time_ns,
        url=given["url"],
        key=key,
        per_second=given["rate"],
        at_once=given["at_once"],
        limit_microusd=given["budget"],
        enrich=open_reader(desk.workspace, desk.store, log, date.fromisoformat(desk.now()[:10])).enrich,
    )


@contextmanager
def _watching() -> Iterator[Watch]:
    """A bar on a terminal; piped, a line at the beginning and now and then: by them a job's standstill is told."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from segue.controller.replaying_run import Watch

    screen = error_console()
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=20), MofNCompleteColumn(), TimeRemainingColumn())
    bar = Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal)
    task = bar.add_task("replaying", total=None)
    before, total, said = 0, 0, bar.get_time()

    def moved(text: str) -> None:
        nonlocal said
        if not screen.is_terminal and bar.get_time() - said >= SILENCE_S:
            said = bar.get_time()
            screen.print(text, markup=False)

    def gathered(head: Head, sent: Sent) -> None:
        nonlocal before, total
        before, total = len(sent.answered) + len(sent.refused), head.n
        on = f", {before:,} of them sent before" if before else ""
        screen.print(f"{head.name}: {head.n:,} requests{on}.", markup=False)
        for reason, n in head.left_out.items():
            screen.print(f"  {n:,} cannot be replayed: {reason}.", markup=False)
        bar.update(task, total=head.n, completed=before)

    def told(tally: Tally) -> None:
        done = before + tally.answered + sum(tally.failures.values())
        bar.update(task, completed=done)
        moved(f"{done:,} of {total:,} requests sent.")

    def waiting(served: int, shadowed: int) -> None:
        bar.update(task, description="waiting for shadows", total=served, completed=shadowed)
        moved(f"{shadowed:,} of {served:,} shadows are there.")

    with bar:
        yield Watch(gathered, told, waiting, stop_on_interrupt(screen))


def _show(done: Replayed, *, as_json: bool) -> None:
    head, sent = done.head, done.sent
    left = head.n - len(sent.answered) - len(sent.refused)
    if as_json:
        body: dict[str, Any] = {"replay": head.name, "source": head.source, "environment": head.environment, "requests": head.n}
        body |= {"answered": len(sent.answered), "failures": dict(sent.failures), "left": left}
        spent = None if done.spent is None else done.spent.microusd / 1e6
        body |= {"stopped_by": done.money or None, "spent_usd": spent}
        body |= {"left_out": head.left_out, "pairs": done.n_shadowed, "served": done.n_served}
        print_json({**body, "this_run": {"answered": done.tally.answered, "failures": dict(done.tally.failures)}})
        return
    say: Callable[[str], None] = lambda text: console().print(text, markup=False, soft_wrap=True)  # noqa: E731  a short name
    say(f"{len(sent.answered):,} of {head.n:,} requests answered; {done.n_shadowed:,} pairs in {head.environment}.")
    failures = sent.failures.copy()
    if left:
        # What the gateway refused is noted as done; what had no connection is among those that are left.
        failures.update({kind: n for kind, n in done.tally.failures.items() if kind not in sent.failures})
    for kind, n in failures.most_common():
        say(f"  {n:,} failed: {kind}")
    if failures:
        say(f"  Why: segue exchanges list --workflow {head.workflow} --environment {head.environment}")
    if done.n_shadowed < done.n_served:
        say(f"  {done.n_served - done.n_shadowed:,} were not mirrored, or their shadow has not come yet.")
    if done.money:
        cost = 0.0 if done.spent is None else done.spent.microusd / 1e6
        say(STOPPED[done.money])
        say(f"It cost ${cost:,.4f} so far; {left:,} are left: --name {head.name}")
    elif left:
        say(f"{left:,} are left. The same command goes on: --name {head.name}")
    else:
        say(f"What moved: segue drift {head.workflow} --environment {head.environment}")


def need_extra() -> None:
    """`ProviderError` where the packages that read the log are not installed."""
    try:
        import duckdb  # noqa: F401
        import httptools  # noqa: F401
        import msgspec  # noqa: F401
        import pyarrow  # noqa: F401
        import xxhash  # noqa: F401
    except ImportError as error:
        raise ProviderError(
            f"Replaying needs packages that are not installed ({error.name}).",
            fix="Install them: pip install 'segue-ai[serve]'",
        ) from None
