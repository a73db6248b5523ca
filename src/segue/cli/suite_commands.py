"""`segue suite`: what a suite holds, and what is thin."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import click
from rich.markup import escape

from segue.cli.desk import Desk, open_desk
from segue.cli.groups import CommandGroup
from segue.cli.options import NAME, json_option
from segue.cli.screen import console, error_console, print_indented, print_json, print_table
from segue.papers.printable import printable

if TYPE_CHECKING:
    from segue.model import Case

MOST_VALUES = 12


@click.group("suite", cls=CommandGroup)
def suite_command() -> None:
    """Suites: versioned sets of cases."""


@suite_command.command("list")
@click.argument("workflow", type=NAME)
@json_option
def list_suites(workflow: str, as_json: bool) -> None:
    """List the suites of WORKFLOW: its files, and what is stored."""
    with open_desk() as desk:
        files = {name: desk.workspace.suite_digest_of(workflow, name) for name in desk.workspace.suites(workflow)}
        stored = desk.store.list_suites(workflow)
    kept = {(one.name, one.digest) for one in stored}
    rows = [(name, digest[:10], "", "file, not stored yet") for name, digest in files.items() if (name, digest) not in kept]
    for one in stored:
        where = "file and store" if files.get(one.name) == one.digest else "store"
        rows.append((one.name, one.digest[:10], f"{one.n_cases:,}", where))
    if as_json:
        print_json(
            {"files": files, "stored": [{"name": one.name, "digest": one.digest, "cases": one.n_cases} for one in stored]}
        )
    elif rows:
        print_table(console(), ("suite", "digest", "cases", "where"), rows, right=(2,))
    else:
        error_console().print(f"{workflow} has no suite yet. Write workflows/{workflow}/suites/main.jsonl.")


@suite_command.command("stats")
@click.argument("workflow", type=NAME)
@click.argument("suite", required=False, type=NAME)
@json_option
def stats(workflow: str, suite: str | None, as_json: bool) -> None:
    """Count the cases of a suite of WORKFLOW, and say what is too thin to judge by."""
    from segue.gates.report import plain
    from segue.workspace import suite_stats

    with open_desk() as desk:
        declared = desk.workspace.load_workflow(workflow)
        found = suite_stats(declared, _cases(desk, workflow, suite or declared.suite))
    if as_json:
        body = plain(found)
        assert isinstance(body, dict)
        print_json({**body, "sentences": [one.sentence() for one in found.thin]})
        return
    screen = console()
    cases = "1 case" if found.n_cases == 1 else f"{found.n_cases:,} cases"
    screen.print(f"[bold]{cases}[/], {found.n_critical:,} of them critical")
    rows = [("kind", _counts(found.by_kind))]
    rows += [(name, _counts(values)) for name, values in found.by_slice.items()]
    print_table(screen, ("by", "cases"), rows, fold=1)
    if not found.thin:
        screen.print("\nNothing is thin: every task, slice and kind has enough cases.", style="green")
        return
    sizes = [
        f"{100 * drop:g} points {where} takes about {needed:,} cases"
        for where, drop, needed in (
            ("in total", found.total_drop, found.needed_in_total),
            ("on a slice", found.drop, found.needed_for_drop),
        )
        if needed is not None
    ]
    told = f" (to see a drop of {', of '.join(sizes)}, if {100 * found.churn:g} % of the cases change sides)" if sizes else ""
    screen.print(f"\n[bold]What is thin[/]{told}")
    for one in found.thin:
        print_indented(screen, escape(printable(one.sentence())), 4, "•")


def _cases(desk: Desk, workflow: str, suite: str) -> Iterator[Case]:
    """From the file if there is one, else from the store."""
    if suite in desk.workspace.suites(workflow):
        return desk.workspace.iter_suite(workflow, suite)
    from segue.evals.catalogue import Catalogue

    catalogue = Catalogue(desk.workspace, desk.store, author=desk.author, at=desk.now())
    record = catalogue.suite(desk.workspace.load_workflow(workflow), suite)
    return desk.store.iter_cases(record.digest)


def _counts(values: Mapping[str, int]) -> str:
    ordered = sorted(values.items(), key=lambda item: -item[1])
    shown = ", ".join(f"{name} {count:,}" for name, count in ordered[:MOST_VALUES])
    return shown + (f" and {len(ordered) - MOST_VALUES} more" if len(ordered) > MOST_VALUES else "")
