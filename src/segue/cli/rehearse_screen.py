"""A rehearsal on the terminal: how far it is, the story of the upgrade, its days, and where everything is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from segue.cli.screen import Screen, error_console, print_indented, print_table
from segue.papers.printable import printable
from segue.papers.upgrade_words import event_words
from segue.rehearsal.course import Course, planned_days
from segue.rehearsal.result import EXIT_CODES, DayRow, Rehearsed, Told

ENDINGS = {
    "completed": "completed",
    "rolled_back": "rolled back",
    "stopped": "stopped",
    "deferred": "deferred",
    "holding": "holds: people have to look",
    "unfinished": "unfinished: the days were over",
    "interrupted": "interrupted",
}
MOST_REASONS = 4
MOST_DAYS = 70


class Watch:
    """The bar. Silent where there is no terminal."""

    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._task: TaskID | None = None
        self._what = ""

    def prepared(self, what: str, more: int) -> None:
        """One more step of the preparation."""
        if what != self._what or self._task is None:
            self._begin(what, None)
        assert self._task is not None, "it was begun"
        self._bar.update(self._task, advance=more, line=f"{what}")

    def looked(self, day: float, requests: int, where: str) -> None:
        """The controller has looked."""
        if self._what != "rehearsing" or self._task is None:
            self._begin("rehearsing", None)
        assert self._task is not None, "it was begun"
        self._bar.update(self._task, line=f"day {day:.1f}, {requests:,} requests: {where}")

    def runs(self, total: int) -> None:
        """So many runs come."""
        self._begin("rehearsing", total)

    def ran(self, one: Rehearsed) -> None:
        """One of them is done."""
        assert self._task is not None, "it was begun"
        self._bar.update(self._task, advance=1, line=f"seed {one.seed}: {ENDINGS[one.ending]}")

    def stop(self) -> None:
        """Before anything is printed."""
        self._bar.stop()

    def _begin(self, what: str, total: int | None) -> None:
        if self._task is not None:
            self._bar.remove_task(self._task)
        self._what, self._task = what, self._bar.add_task(what, total=total, line="")


@contextmanager
def watching(*, is_quiet: bool) -> Iterator[Watch]:
    """A bar on standard error while the context lasts."""
    screen = error_console()
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=12),
        TextColumn("{task.fields[line]}"),
        TimeRemainingColumn(),
        console=screen,
        transient=True,
        disable=is_quiet or not screen.is_terminal,
    )
    with bar:
        yield Watch(bar)


def print_rehearsed(screen: Screen, found: Rehearsed, course: Course, keep: Path | None) -> None:
    """Everything of one run."""
    screen.print(
        f"[bold]{escape(printable(course.plan_name))}[/] on virtual time: {found.requests:,} requests in {found.days:.1f} "
        f"days, seed {found.seed}; a look every {_hours(course.look_s)}"
    )
    for remark in found.remarks:
        print_indented(screen, escape(printable(remark)), 4, "•")
    screen.print("\n[bold]What happened[/]")
    for one in found.story:
        _print_told(screen, one)
    screen.print("\n[bold]Day by day[/]")
    _print_days(screen, found.by_day)
    screen.print(f"\n[bold]{ENDINGS[found.ending].capitalize()}[/] on day {found.days:.1f}{escape(_place(found))}.")
    for line in summary(found):
        print_indented(screen, escape(line), 4, "•")
    if keep is not None:
        workflow = course.plan_name.partition("/")[0]
        print_indented(screen, f"Kept in {escape(printable(str(keep)))}, as a workspace of its own. There:", 4, "•")
        for command in ("status", "why", "history"):
            print_indented(screen, f"segue {command} {escape(workflow)}", 8)


def _place(found: Rehearsed) -> str:
    """Where it stands; of one that went back, where from."""
    if found.ending in ("completed", "deferred"):
        return ""
    if found.ending in ("rolled_back", "stopped"):
        return f", from {found.story[-2].where}" if len(found.story) > 1 else ""
    return f", in {found.where}"


def summary(found: Rehearsed) -> Iterator[str]:
    """What it would have meant for users and for the bill."""
    yield f"{found.exposed_units:,} units met the candidate, in {found.exposed_requests:,} requests."
    yield (
        f"Of these the candidate answered {found.worse:,} worse than the incumbent would have, and {found.better:,} better."
        " (Only a rehearsal can know: the incumbent's answers to the same requests are at hand.)"
    )
    yield f"{found.shadowed:,} requests were mirrored; {found.failed:,} got no answer; all answers cost ${found.cost_usd:,.2f}."


def _print_told(screen: Screen, one: Told) -> None:
    by = f" by {one.by}" if one.by else ""
    line = f"[bold]day {one.day:5.1f}[/]  {escape(one.where)}: {escape(event_words(one.event))}{escape(by)}"
    screen.print(line, soft_wrap=True)
    for reason in one.because[:MOST_REASONS]:
        print_indented(screen, escape(printable(reason)), 14, "·")
    if len(one.because) > MOST_REASONS:
        print_indented(screen, f"and {len(one.because) - MOST_REASONS} more", 14, "·")


def _print_days(screen: Screen, rows: Sequence[DayRow]) -> None:
    head = ("day", "stage", "share", "requests", "exposed", "incumbent", "candidate", "fell back", "failed", "worse", "better")
    shown = [
        (
            str(one.day),
            one.where,
            f"{one.share * 100:.3g} %",
            f"{one.requests:,}",
            f"{one.exposed:,}",
            _percent(one.incumbent_right),
            _percent(one.candidate_right),
            f"{one.fell_back:,}",
            f"{one.failed:,}",
            f"{one.worse:,}",
            f"{one.better:,}",
        )
        for one in rows[:MOST_DAYS]
    ]
    print_table(screen, head, shown, right=(0, *range(2, len(head))))
    if len(rows) > MOST_DAYS:
        screen.print(f"  … and {len(rows) - MOST_DAYS} more days: --json has all of them.")


def _percent(rate: float | None) -> str:
    return "–" if rate is None else f"{rate * 100:.1f} %"


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:g} h" if seconds >= 3600 else f"{seconds / 60:g} min"


def runs_as_json(done: Sequence[Rehearsed], runs: int) -> dict[str, Any]:
    """Several runs: shares by outcome, and each without its days and story."""
    short = ("seed", "ending", "where", "days", "requests", "exposed_units", "worse", "better", "alarms")
    endings = Counter(one.ending for one in done)
    return {
        "runs": runs,
        "done": len(done),
        "endings": {name: endings[name] / len(done) for name in EXIT_CODES if endings[name]},
        "each": [{name: getattr(one, name) for name in short} for one in done],
    }


def print_runs(screen: Screen, done: Sequence[Rehearsed], runs: int, course: Course) -> None:
    """The share of runs by outcome, with what users met."""
    of = f"{len(done):,} of {runs:,} runs" if len(done) < runs else f"{runs:,} runs"
    screen.print(
        f"[bold]{escape(printable(course.plan_name))}[/] on virtual time: {of}, {planned_days(course.plan):g} days as planned"
    )
    for remark in done[0].remarks:
        print_indented(screen, escape(printable(remark)), 4, "•")
    rows = []
    for name in EXIT_CODES:
        some = [one for one in done if one.ending == name]
        if some:
            units = [one.exposed_units for one in some]
            rows.append(
                (
                    ENDINGS[name],
                    f"{len(some):,}",
                    f"{100 * len(some) / len(done):.1f} %",
                    f"{float(np.median([one.days for one in some])):.1f}",
                    f"{float(np.median(units)):,.0f}",
                    f"{float(np.quantile(units, 0.95)):,.0f}",
                    f"{float(np.median([one.worse for one in some])):,.0f}",
                )
            )
    head = ("outcome", "runs", "share", "days (median)", "exposed (median)", "(95 %)", "answered worse (median)")
    print_table(screen, head, rows, right=range(1, len(head)), fold=0)
