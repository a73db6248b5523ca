"""`segue exchanges`: list, show and export what the gateway answered and shadowed; check the log itself."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from segue.cli.app import ERROR
from segue.cli.groups import CommandGroup
from segue.cli.options import NAME, Condition, json_option
from segue.cli.screen import console, error_console, print_json, print_table
from segue.cli.streams import stop_writing
from segue.errors import ConflictError, InputError, NotFoundError, ProviderError

if TYPE_CHECKING:
    from segue.exchanges.query import ExchangeLog
    from segue.exchanges.record import Logged
    from segue.exchanges.selection import Selection

ARMS = ("incumbent", "candidate", "pinned", "shadow", "fallback")
_AGO = re.compile(r"(\d{1,6})([mhd])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


class Moment(click.ParamType[int]):
    """A time, UTC unless it says otherwise: `2026-11-21`, `2026-11-21T10:30`, or how long ago: `90m`, `24h`, `7d`."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        text = str(value).strip()
        ago = _AGO.fullmatch(text)
        if ago is not None:
            return max(0, time.time_ns() - int(timedelta(**{_UNITS[ago[2]]: int(ago[1])}).total_seconds()) * 1_000_000_000)
        try:
            at = datetime.fromisoformat(text)
            return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()) * 1_000_000_000
        except (ValueError, OverflowError):
            self.fail(f"{text[:40]!r} is no time. Write 2026-11-21, 2026-11-21T10:30, or how long ago: 24h, 7d.", param, ctx)


class Bound(click.ParamType[tuple[str, float]]):
    """`SCORE=NUMBER`: a score that is known and lower."""

    name = "score=number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, float]:
        if isinstance(value, tuple):
            return value
        name, _, number = str(value).rpartition("=")
        try:
            bound = float(number) if name else None
        except ValueError:
            bound = None
        if bound is None:
            self.fail(f"{str(value)[:60]!r} is no SCORE=NUMBER. For example: --score-below contract=1", param, ctx)
        return name, bound


def selecting(command: Callable[..., None]) -> Callable[..., None]:
    """The options that say which exchanges are meant."""
    options = (
        click.option("--workflow", type=NAME, help="Of this workflow."),
        click.option("--bundle", type=NAME, help="That the route gave to this bundle: a digest, or a label of --workflow."),
        click.option("--arm", type=click.Choice(ARMS), help="Of this arm."),
        click.option("--shadow", is_flag=True, help="Only what the candidate answered in shadow, as --arm shadow."),
        click.option("--environment", type=NAME, help="Of this environment."),
        click.option("--since", type=Moment(), help="From then on: 2026-11-21, 2026-11-21T10:30 (UTC), or 24h, 7d ago."),
        click.option("--until", type=Moment(), help="Before then."),
        click.option("--where", type=Condition(), multiple=True, help="Of this slice: lang=de. May be given several times."),
        click.option("--score-below", type=Bound(), multiple=True, help="With a known score below: contract=1."),
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.group("exchanges", cls=CommandGroup)
def exchanges_command() -> None:
    """Exchanges: what the gateway answered and shadowed, as the log keeps it."""


@exchanges_command.command("list")
@selecting
@click.option("--limit", type=click.IntRange(1, 100_000), default=20, show_default=True, help="How many at most.")
@json_option
def list_exchanges(limit: int, as_json: bool, **given: Any) -> None:
    """List the latest exchanges, newest first, without bodies."""
    with _open_log() as log:
        selection = _selection(given)
        found = log.newest(selection, limit)
        _explain_nothing(log, selection, found)
    if as_json:
        from segue.exchanges.export import exchange_json

        print_json([exchange_json(one, with_bodies=False) for one in found])
        return
    rows = [_row(one) for one in found]
    columns = ("id", "at", "workflow", "arm", "bundle", "status", "ms", "tokens", "worst score")
    if rows:
        print_table(console(), columns, rows, right=(5, 6, 7), fold=2)


@exchanges_command.command("show")
@click.argument("exchange", type=NAME)
@json_option
def show(exchange: str, as_json: bool) -> None:
    """Show EXCHANGE, its bodies included, and what came of it."""
    from segue.exchanges.export import exchange_json, outcome_json
    from segue.exchanges.feedback import Feedback

    with _open_log() as log:
        found = log.find(exchange)
        outcomes = [] if found is None else [outcome_json(told) for told in Feedback(log).of(exchange)]
    if found is None:
        raise NotFoundError(
            f"There is no exchange '{exchange[:80]}' in the log: it may be beyond retention, or sampled out.",
            fix="See the latest: segue exchanges list",
        )
    body = exchange_json(found)
    if as_json:
        print_json({**body, "outcomes": outcomes})
        return
    screen = console()
    for name, value in body.items():
        if name in ("request", "response"):
            _show_body(name, value)
        elif name != "format":
            text = _time(value) if name == "at_ns" else value if isinstance(value, str) else json.dumps(value)
            screen.print(f"{name:<17} {text}", markup=False, soft_wrap=True)
    for outcome in outcomes:
        _show_outcome(outcome)


@exchanges_command.command("export")
@selecting
@click.option("--limit", type=click.IntRange(min=1), help="How many at most.")
@click.option("--without-bodies", is_flag=True, help="Leave bodies out.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write to this file, which must not be there yet.")
@json_option
def export(limit: int | None, without_bodies: bool, out: Path | None, as_json: bool, **given: Any) -> None:
    """Write exchanges as lines of JSON, bodies included, oldest day first: for `segue replay`, or for a program.

    They go to standard output, or to --out; then --json says how many there were.
    """
    from segue.exchanges.export import exchange_line

    with _open_log() as log:
        selection = _selection(given)
        rows = islice(log.iterate(selection, with_bodies=not without_bodies), limit)
        count = 0
        with _opened(out) as file:
            for row in rows:
                file.write(exchange_line(row, with_bodies=not without_bodies) + "\n")
                count += 1
        if not count:
            _explain_nothing(log, selection, [])
    if out is not None and as_json:
        print_json({"exchanges": count, "file": str(out)})
    elif out is not None:
        error_console().print(f"{count:,} exchanges in {out}", markup=False, soft_wrap=True)


@exchanges_command.command("check")
@click.option("--repair", is_flag=True, help="Write the ledger anew from the files, if it is gone or damaged.")
@json_option
def check(repair: bool, as_json: bool) -> None:
    """Count what the log holds and where it went. Exit code 1 if its ledger is gone or damaged.

    The shipping of a gateway repairs it by itself; --repair does so where no gateway runs.
    """
    from segue.exchanges.shipper import Shipper

    with _open_log() as log:
        rebuilt = None
        if repair:
            try:
                shipper = Shipper(log.spool, log.archive, clock=time.time_ns)
            except ConflictError:
                raise ConflictError(
                    "A gateway ships to this log, and repairs it by itself.", fix="Ask without --repair, in a minute."
                ) from None
            rebuilt = shipper.rebuilt
            shipper.close()
        recount, outcomes, aside = log.recount(), log.recount("outcomes"), log.set_aside()
        with log.moment() as moment:
            lost = moment.ledger_is_lost
    if as_json:
        counts = {name: getattr(recount, name) for name in (*recount.__dataclass_fields__, "readable", "appended")}
        told = None if rebuilt is None else rebuilt.text
        kept = {"folder": str(aside.folder), "files": aside.n_files, "bytes": aside.n_bytes}
        print_json({"holds": not lost, "repaired": told, "exchanges": counts, "outcomes": outcomes.readable, "set_aside": kept})
    else:
        screen = console()
        if rebuilt is not None:
            screen.print(rebuilt.text, markup=False, soft_wrap=True)
        told = f"{recount.readable:,} exchanges ({recount.waiting:,} not yet shipped), {outcomes.readable:,} outcomes"
        gone = (("sampled out", recount.sampled_out), ("beyond retention", recount.expired), ("set aside", recount.unreadable))
        told += "".join(f"; {n:,} {what}" for what, n in gone if n)
        screen.print(f"{told}.", markup=False, soft_wrap=True)
        if aside.n_files:
            files = "1 file" if aside.n_files == 1 else f"{aside.n_files:,} files"
            screen.print(
                f"Set aside because it could not be read: {files} ({aside.n_bytes:,} bytes) in {aside.folder}\n"
                "A power cut in the middle of a write leaves such a file, and so does a failing disk. Segue neither reads nor"
                " deletes it: look into it, then delete it.",
                markup=False,
                soft_wrap=True,
            )
    if lost:
        error_console().print(
            "The ledger is gone or damaged: questions are answered from the files, and take longer.\n"
            "Repair it: segue exchanges check --repair",
            markup=False,
        )
        raise SystemExit(ERROR)


@contextmanager
def _open_log() -> Iterator[ExchangeLog]:
    """The log of the workspace that the command stands in."""
    try:
        import duckdb  # noqa: F401
        import msgspec  # noqa: F401
        import pyarrow  # noqa: F401
        import xxhash  # noqa: F401
    except ImportError as error:
        raise ProviderError(
            f"The exchange log needs packages that are not installed ({error.name}).",
            fix="Install them: pip install 'segue-ai[serve]'",
        ) from None
    from segue.cli.flipping import state_folder
    from segue.exchanges.query import ExchangeLog
    from segue.workspace import find_workspace

    state = state_folder(find_workspace(Path.cwd()))
    log = ExchangeLog(state / "spool", state / "exchanges")
    if not (log.spool.exists() or log.archive.exists()):
        raise NotFoundError("No gateway of this workspace has kept an exchange yet.", fix="Start one: segue gateway")
    yield log


def _selection(given: dict[str, Any]) -> Selection:
    from segue.exchanges.selection import Selection

    if given["shadow"] and given["arm"] not in (None, "shadow"):
        raise click.UsageError(f"--shadow and --arm {given['arm']} exclude each other.")
    bundle = given["bundle"]
    return Selection(
        workflow=given["workflow"],
        environment=given["environment"],
        arm="shadow" if given["shadow"] else given["arm"],
        bundle=None if bundle is None else _digest(given["workflow"], bundle),
        since_ns=given["since"],
        until_ns=given["until"],
        slices=dict(given["where"]),
        below=dict(given["score_below"]),
    )


def _digest(workflow: str | None, ref: str) -> str:
    if re.fullmatch(r"[0-9a-f]{64}", ref):
        return ref
    if workflow is None:
        raise InputError(
            f"'{ref[:80]}' is no whole digest, and labels belong to a workflow.", fix="Name it: --workflow WORKFLOW"
        )
    from segue.cli.desk import open_desk
    from segue.cli.flipping import digest_of

    with open_desk() as desk:
        return digest_of(desk, workflow, ref)


def _explain_nothing(log: ExchangeLog, selection: Selection, found: list[Logged]) -> None:
    """An empty list is explained: a workflow that was never called is named beside those that were."""
    if found:
        return
    known = log.workflows()
    if selection.workflow is not None and selection.workflow not in known:
        raise NotFoundError.naming("workflow in the log", selection.workflow, known)
    error_console().print("No exchange is like that. Leave an option out, or ask for a longer time.")


def _row(one: Logged) -> tuple[str, ...]:
    exchange = one.exchange
    tokens = "" if exchange.output_tokens is None else f"{exchange.output_tokens:,}"
    scores = {name: value for name, value in exchange.scores.items() if name.startswith("contract") and value is not None}
    worst = min(scores, key=lambda name: scores[name], default=None)
    return (
        exchange.id,
        _time(exchange.at_ns),
        exchange.workflow,
        exchange.arm,
        exchange.bundle[:10],
        exchange.failure or ("" if exchange.status is None else str(exchange.status)),
        "" if exchange.latency_ns is None else f"{exchange.latency_ns / 1e6:,.0f}",
        tokens,
        "" if worst is None else f"{worst}={scores[worst]:g}",
    )


def _time(at_ns: int) -> str:
    return datetime.fromtimestamp(at_ns // 1_000_000_000, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _show_body(name: str, part: dict[str, Any]) -> None:
    screen = console()
    length = f", {part['length']:,} bytes" if "length" in part else ""
    screen.print(f"{name:<17} {part['kept']}{length}", markup=False)
    text = part.get("body")
    if text is not None:
        with suppress(ValueError):
            text = json.dumps(json.loads(text), indent=2, ensure_ascii=False)
        from segue.papers.printable import printable

        screen.print(printable(text), markup=False, soft_wrap=True)
    elif "body_base64" in part:
        screen.print("(no text; see it with --json)", markup=False)


def _show_outcome(outcome: dict[str, Any]) -> None:
    """`rating 2 of 1 to 5, by ada, 2026-11-21 10:31:00`, and its text below."""
    from segue.papers.printable import printable

    said = [_said(outcome[name]) for name in ("kind", "value", "label") if name in outcome]
    if "scale" in outcome:
        said.append("of {} to {}".format(*map(_said, outcome["scale"])))
    by = [f"by {outcome['author']}"] if "author" in outcome else []
    line = ", ".join((" ".join(said), *by, _time(outcome["at_ns"])))
    console().print(f"{'outcome':<17} {printable(line)}", markup=False, soft_wrap=True)
    if "text" in outcome:
        console().print(printable(outcome["text"]), markup=False, soft_wrap=True)


def _said(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


@contextmanager
def _opened(out: Path | None) -> Iterator[IO[str]]:
    """The file, or standard output; a reader of the latter that goes away ends the command quietly."""
    if out is not None:
        try:
            with out.open("x", encoding="utf-8") as file:
                yield file
        except FileExistsError:
            raise InputError(f"{out} is there already.", fix="Name another file, or delete it.") from None
        except FileNotFoundError:
            raise InputError(f"There is no folder {out.parent}.", fix=f"Make it: mkdir -p {out.parent}") from None
        return
    try:
        yield sys.stdout
    except BrokenPipeError:
        stop_writing(sys.stdout)
        raise SystemExit(0) from None
