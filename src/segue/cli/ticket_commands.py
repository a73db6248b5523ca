"""`segue tickets`: how many support tickets a workflow had, told day by day, and shown with the trend."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import click

from segue.cli.desk import open_desk
from segue.cli.groups import CommandGroup
from segue.cli.options import NAME, json_option
from segue.cli.screen import console, print_json, print_table


class Day(click.ParamType[date]):
    """A day: `2026-11-21`, `today`, `yesterday` (UTC)."""

    name = "day"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        if isinstance(value, date):
            return value
        text = str(value).strip()
        if text in ("today", "yesterday"):
            return _today() - timedelta(days=text == "yesterday")
        try:
            return date.fromisoformat(text)
        except ValueError:
            self.fail(f"{text[:40]!r} is no day. Write 2026-11-21, today or yesterday.", param, ctx)


def _today() -> date:
    from segue.cli.desk import utc_now

    return date.fromisoformat(utc_now()[:10])


@click.group("tickets", cls=CommandGroup)
def tickets_command() -> None:
    """Support tickets: how many a workflow had, day by day."""


@tickets_command.command("add")
@click.argument("workflow", type=NAME)
@click.argument("count", type=click.IntRange(0, 10_000_000))
@click.option("--day", type=Day(), default="yesterday", show_default=True, help="Of which day (UTC): 2026-11-21, today.")
@click.option("--source", type=NAME, default="by hand", show_default=True, help="Who counted; each source counts its own.")
@json_option
def add(workflow: str, count: int, day: date, source: str, as_json: bool) -> None:
    """Write down that WORKFLOW had COUNT tickets on a day. Told again it changes nothing; another count is a correction."""
    from segue.controller.tickets import record_tickets

    with open_desk() as desk:
        desk.workspace.folder(workflow)
        is_new = record_tickets(desk.store, workflow, day, count, source, author=desk.author, at=desk.now(), today=_today())
    if as_json:
        print_json({"workflow": workflow, "day": day.isoformat(), "count": count, "source": source, "is_new": is_new})
    else:
        told = "" if is_new else " (known already)"
        console().print(f"{workflow}, {day}: {count:,} tickets ({source}){told}", markup=False)


@tickets_command.command("list")
@click.argument("workflow", type=NAME)
@click.option("--days", type=click.IntRange(1, 400), default=14, show_default=True, help="How many days back.")
@json_option
def list_tickets(workflow: str, days: int, as_json: bool) -> None:
    """The tickets of WORKFLOW, day by day up to yesterday, beside the weeks before. A day without a count is unknown."""
    from segue.controller.tickets import ticket_trend

    last = _today() - timedelta(days=1)
    with open_desk() as desk:
        desk.workspace.folder(workflow)
        trend = ticket_trend(desk.store, workflow, last - timedelta(days=days - 1), last)
    if as_json:
        rows = [{"day": one.day.isoformat(), "count": one.count, "by_source": dict(one.by_source)} for one in trend.days]
        print_json({"days": rows, "per_day": trend.per_day, "per_day_before": trend.per_day_before, "sentence": trend.sentence})
        return
    rows_ = [
        (
            one.day.isoformat(),
            "unknown" if one.count is None else f"{one.count:,}",
            ", ".join(f"{source} {count:,}" for source, count in sorted(one.by_source.items())),
        )
        for one in trend.days
    ]
    print_table(console(), ("day", "tickets", "counted by"), rows_, right=(1,))
    console().print(trend.sentence, markup=False, soft_wrap=True)
