"""`segue review`: outputs drawn for people to read, on the keyboard; for scripts as JSON, and one mark at a time."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from segue.cli.desk import Desk, open_desk
from segue.cli.named_upgrade import find_named
from segue.cli.options import NAME, json_option
from segue.cli.route_commands import environment_option
from segue.cli.screen import console, error_console, print_json, print_table

if TYPE_CHECKING:
    from segue.controller.review_draw import ReviewItem
    from segue.exchanges.query import ExchangeLog
    from segue.upgrade.log import Upgrade


@click.command("review")
@click.argument("workflow", type=NAME)
@environment_option
@click.option("--mark", "marked", nargs=2, type=NAME, metavar="ITEM MARK", help="Mark one: good, bad, tone, format or skip.")
@click.option("--note", default="", help="With --mark: why.")
@click.option("--draw", is_flag=True, help="Draw now, whether or not the week is over.")
@click.option("--count", type=click.IntRange(1, 50), default=30, show_default=True, help="How many a draw has at most.")
@click.option("--reveal", is_flag=True, help="Say which bundle each output is from.")
@json_option
def review_command(workflow: str, environment: str, as_json: bool, **given: Any) -> None:
    """Read outputs of WORKFLOW's upgrade, drawn each week from what was served, and say what is wrong with them.

    On a terminal it shows one after the other and takes a key for each. It does not say whose they are. What was marked stays
    marked; leave at any time, and go on later.
    """

    with open_desk() as desk:
        upgrade = find_named(desk, workflow, environment)
        if given["marked"]:
            _mark(desk, upgrade, given["marked"], given["note"], as_json=as_json)
            return
        log = exchange_log(desk)
        if log is not None:
            _draw(desk, upgrade, log, is_now=given["draw"], count=given["count"])
        if as_json:
            print_json(_as_json(desk, upgrade, log, reveal=given["reveal"]))
        elif log is not None and sys.stdin.isatty() and sys.stdout.isatty():
            _read(desk, upgrade, log, reveal=given["reveal"])
        else:
            _list(desk, upgrade, reveal=given["reveal"])


def _mark(desk: Desk, upgrade: Upgrade, marked: tuple[str, str], note: str, *, as_json: bool) -> None:
    from segue.controller.review import mark_side

    found = mark_side(desk.store, upgrade, *marked, note=note, author=desk.author, at=desk.now())
    if as_json:
        print_json({"item": found.item, "mark": found.mark, "note": found.note})
    else:
        console().print(f"{found.item}: {found.mark}", markup=False)


def _draw(desk: Desk, upgrade: Upgrade, log: ExchangeLog, *, is_now: bool, count: int) -> None:
    from segue.cli.upgrade_opening import wall_clock
    from segue.controller.review import draw_if_due, draw_now

    make = draw_now if is_now else draw_if_due
    found = make(desk.store, log, upgrade, wall_clock(), author=desk.author, at=desk.now(), count=count)
    if found is not None:
        told = f"Drawn: {len(found.items)} of {found.n_outputs:,} outputs."
        error_console().print(told, style="dim", markup=False)
    elif is_now:
        error_console().print("Nothing was served since the last draw whose text the log has.", style="yellow")


def draw_week(desk: Desk, upgrade: Upgrade) -> None:
    """This week's draw, where it is due and there is a log to draw from."""
    log = exchange_log(desk)
    if log is not None:
        _draw(desk, upgrade, log, is_now=False, count=30)


def note_month(desk: Desk, upgrade: Upgrade) -> None:
    """What serving would cost in a month, by today's log."""
    from segue.cli.upgrade_opening import wall_clock
    from segue.controller.soak_facts import measure_month, save_month

    log = exchange_log(desk)
    if log is not None:
        found = measure_month(log, upgrade, wall_clock())
        save_month(desk.store, upgrade, found, author=desk.author, at=desk.now())


def _as_json(desk: Desk, upgrade: Upgrade, log: ExchangeLog | None, *, reveal: bool) -> dict[str, Any]:
    from segue.controller.review import list_draws, list_marks, review_seen
    from segue.controller.review_texts import ItemTexts, read_item

    seen = review_seen(desk.store, upgrade)
    marks: dict[str, list[dict[str, str]]] = {}
    for (item, author), mark in list_marks(desk.store, upgrade).items():
        marks.setdefault(item, []).append({"author": author, "mark": mark.mark, "note": mark.note})
    items = []
    for draw in list_draws(desk.store, upgrade):
        for one in draw.items:
            texts = ItemTexts(None, (None,) * len(one.sides)) if log is None else read_item(log, one)
            sides = [
                {
                    "item": one.side_of(at),
                    "output": texts.answers[at],
                    "marks": marks.get(one.side_of(at), []),
                    **({"bundle": side.bundle, "arm": side.arm, "exchange": side.exchange} if reveal else {}),
                }
                for at, side in enumerate(one.sides)
            ]
            items.append({"slices": one.slices, "asked": texts.asked, "sides": sides})
    body: dict[str, Any] = {"upgrade": upgrade.opening.upgrade, "sides": seen.n_sides, "read": seen.n_read, "items": items}
    if reveal:
        body["by_bundle"] = {bundle: dict(counts) for bundle, counts in seen.by_bundle.items()}
    return body


def _list(desk: Desk, upgrade: Upgrade, *, reveal: bool) -> None:
    """Where nobody sits: the queue as a table, without texts."""
    from segue.controller.review import list_draws, list_marks, review_seen

    marks = list_marks(desk.store, upgrade)
    by_item: dict[str, list[str]] = {}
    for (item, author), mark in marks.items():
        by_item.setdefault(item, []).append(f"{mark.mark} ({author})")
    rows = [
        _row(one, at, by_item, reveal=reveal)
        for draw in list_draws(desk.store, upgrade)
        for one in draw.items
        for at in range(len(one.sides))
    ]
    if rows:
        print_table(console(), ("item", "slices", "marks", *(("bundle", "arm") if reveal else ())), rows)
    error_console().print(review_seen(desk.store, upgrade).sentence, markup=False, soft_wrap=True)


def _row(one: ReviewItem, at: int, marks: dict[str, list[str]], *, reveal: bool) -> tuple[str, ...]:
    slices = ", ".join(f"{name}={value}" for name, value in sorted(one.slices.items()))
    name = one.side_of(at)
    said = ", ".join(marks.get(name, ["unread"]))
    side = one.sides[at]
    return (name, slices, said, *((side.bundle[:10], side.arm) if reveal else ()))


def _read(desk: Desk, upgrade: Upgrade, log: ExchangeLog, *, reveal: bool) -> None:
    from segue.cli.keys import TerminalKeys
    from segue.cli.review_screen import ReviewScreen
    from segue.controller.review import list_marks, mark_side, review_seen, unread
    from segue.controller.review_texts import read_item

    def write(item: str, mark: str, note: str) -> None:
        mark_side(desk.store, upgrade, item, mark, note=note, author=desk.author, at=desk.now())

    marked = {item for item, _ in list_marks(desk.store, upgrade)}

    def ask_note() -> str:
        with keys.lines():
            return console().input("note: ")

    with TerminalKeys() as keys:
        screen = ReviewScreen(
            console(), read=lambda one: read_item(log, one), write=write, key=keys.read, ask_note=ask_note, reveal=reveal
        )
        screen.run(unread(desk.store, upgrade), marked)
    console().print(review_seen(desk.store, upgrade).sentence, markup=False, soft_wrap=True)


def exchange_log(desk: Desk) -> ExchangeLog | None:
    """The workspace's exchange log; `None` where nothing was ever served here, or nothing is installed to read it with."""
    from importlib.util import find_spec

    from segue.cli.flipping import state_folder

    state = state_folder(desk.workspace.root)
    spool, archive = state / "spool", state / "exchanges"
    needed = ("duckdb", "pyarrow", "msgspec", "xxhash")
    if not (spool.exists() or archive.exists()) or any(find_spec(name) is None for name in needed):
        return None
    from segue.exchanges.query import ExchangeLog

    return ExchangeLog(spool, archive)
