"""`segue import`: results that exist already, into the store of a workspace."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from segue.cli.desk import open_desk
from segue.cli.groups import CommandGroup
from segue.cli.options import NEW, Condition, Role, json_option
from segue.cli.screen import console, error_console, print_faults, print_json
from segue.errors import Fault

if TYPE_CHECKING:
    from segue.cli.desk import Desk
    from segue.imports import ImportSource, ImportSummary, TableMapping

    Open = Callable[[Callable[[Fault], None]], ImportSource]

Where = tuple[tuple[str, str], ...]
SHOWN_FAULTS = 20


@dataclass(frozen=True)
class Started:
    """The workflow file that an import began, and what there is to say of it."""

    path: Path
    remarks: tuple[str, ...]


@click.group("import", cls=CommandGroup)
def import_command() -> None:
    """Bring in results that exist already, so that they can be gated today.

    A record that cannot be read is named by file and line, and the rest is kept.
    """


def import_options(command: Callable[..., None]) -> Callable[..., None]:
    """What all importers have in common."""
    options = (
        click.argument("workflow", type=NEW),
        click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path)),
        click.option("--suite", type=NEW, default="main", show_default=True, help="Name of the suite that the cases become."),
        click.option(
            "--where",
            multiple=True,
            type=Condition(),
            metavar="NAME=VALUE",
            help="Only cases of this task or slice; may be repeated.",
        ),
        click.option(
            "--strict", is_flag=True, help="Fail if any record cannot be read (the readable ones are kept all the same)."
        ),
        click.option(
            "--role",
            "roles",
            multiple=True,
            type=Role(),
            metavar="LABELER=ROLE",
            help="Who a labeler is: human, judge or rule. Default: the word before the colon of its name.",
        ),
        json_option,
    )
    for option in reversed(options):
        command = option(command)
    return command


@import_command.command("layout")
@import_options
def layout(paths: tuple[Path, ...], where: Where, **options: Any) -> None:
    """From a folder with cases, recordings and labels as JSON Lines (docs/imports.md), into WORKFLOW."""
    from segue.imports import read_layout

    if len(paths) != 1:
        raise click.UsageError("Name one folder.")
    _run(lambda report: read_layout(paths[0], report=report, where=dict(where) or None), options)


@import_command.command("table")
@import_options
@click.option("--preset", metavar="NAME", help="A column mapping that comes with Segue (llmdrift).")
@click.option(
    "--mapping", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Your own mapping, as YAML or JSON."
)
@click.option("--release", "releases", multiple=True, help="Name of each file's release, in order, where no column names it.")
def table(
    paths: tuple[Path, ...],
    where: Where,
    preset: str | None,
    mapping: Path | None,
    releases: tuple[str, ...],
    **options: Any,
) -> None:
    """From CSV or JSON Lines with a column mapping, into WORKFLOW."""
    from segue.imports import read_table

    if (preset is None) == (mapping is None):
        raise click.UsageError("Say which columns mean what: --mapping FILE, or --preset llmdrift.")
    columns: TableMapping | str = preset if preset is not None else _mapping(mapping)
    _run(
        lambda report: read_table(list(paths), columns, report=report, where=dict(where) or None, releases=releases or None),
        options,
    )


@import_command.command("promptfoo")
@import_options
@click.option("--slices", multiple=True, metavar="KEY", help="Metadata that becomes slices. Default: all of it.")
def promptfoo(paths: tuple[Path, ...], where: Where, slices: tuple[str, ...], **options: Any) -> None:
    """From results of `promptfoo eval -o results.json` (version 3), into WORKFLOW."""
    from segue.imports import read_promptfoo

    _run(
        lambda report: read_promptfoo(list(paths), report=report, where=dict(where) or None, slices=slices or None),
        options,
        slices,
    )


@import_command.command("inspect")
@import_options
@click.option("--slices", multiple=True, metavar="KEY", help="Metadata that becomes slices. Default: all of it.")
@click.option("--release", "releases", multiple=True, help="Name of each log's release, in order. Default: its model.")
def inspect(
    paths: tuple[Path, ...],
    where: Where,
    slices: tuple[str, ...],
    releases: tuple[str, ...],
    **options: Any,
) -> None:
    """From Inspect logs (.eval or .json), into WORKFLOW."""
    from segue.imports import read_inspect

    _run(
        lambda report: read_inspect(
            list(paths), report=report, where=dict(where) or None, releases=releases or None, slices=slices or None
        ),
        options,
        slices,
    )


def _run(open_source: Open, options: dict[str, Any], slices: tuple[str, ...] = ()) -> None:
    from segue.imports import ImportProgress, ingest

    faults: list[Fault] = []
    screen = error_console()
    workflow: str = options["workflow"]
    with open_desk(is_bulk=True) as desk, screen.status("Reading …") as status:

        def progressed(step: ImportProgress) -> None:
            status.update(f"{step.stage}: {step.done:,} stored")

        summary = ingest(
            open_source(faults.append),
            store=desk.store,
            workflow=workflow,
            suite_name=options["suite"],
            author=desk.author,
            at=desk.now(),
            progress=progressed,
            roles=dict(options["roles"]),
        )
        faults += _missing_slices(desk, summary, slices)
        started = _start_workflow(desk.workspace.root, workflow, options["suite"], summary)
        offered = _next_step(desk, workflow, list(summary.bundle_labels.values()))
    if options["as_json"]:
        written = None if started is None else {"path": str(started.path), "remarks": list(started.remarks)}
        print_json({**summary.as_json(), "workflow": written, "faults": [fault.as_json() for fault in faults]})
    else:
        _print(summary, faults, started, offered)
        if started is None and options["roles"]:
            error_console().print(f"workflows/{workflow}/workflow.yaml stays as it is: write role: there, at its scorers.")
    if options["strict"] and any(fault.severity == "error" for fault in faults):
        raise SystemExit(1)


def _print(summary: ImportSummary, faults: list[Fault], started: Started | None, offered: list[str]) -> None:
    out = console()
    for line in summary.lines():
        out.print(line, markup=False, soft_wrap=True)
    if summary.is_unchanged:
        out.print("All of it was stored already.", style="dim")
    if faults:
        print_faults(error_console(), faults[:SHOWN_FAULTS])
        more = f" The first {SHOWN_FAULTS} are shown; --json lists all." if len(faults) > SHOWN_FAULTS else ""
        if lost := sum(fault.severity == "error" for fault in faults):
            records = "1 record" if lost == 1 else f"{lost:,} records"
            more = f"{records} could not be read; the rest is kept.{more}"
        if more:
            error_console().print(more.strip(), style="yellow")
    if started is not None:
        out.print(f"\nWritten: {started.path}", markup=False, soft_wrap=True)
        for remark in started.remarks:
            out.print(remark, markup=False, soft_wrap=not out.is_terminal)
        out.print("Read it before you trust it.")
    for line in offered:
        out.print(line, markup=False, soft_wrap=True)


def _missing_slices(desk: Desk, summary: ImportSummary, slices: tuple[str, ...]) -> list[Fault]:
    """A key of the metadata that was asked for and that no case has: most likely it is called otherwise."""
    there = {name for row in desk.store.iter_case_rows(summary.suite.digest) for name in row.slices} if slices else set()
    return [
        Fault(f"No case has '{key}' in its metadata, so it is no slice.", "Correct --slices.", severity="warning")
        for key in slices
        if key not in there
    ]


def _next_step(desk: Desk, workflow: str, labels: list[str]) -> list[str]:
    """What to type next: the workflow's incumbent against what came along; else two of the releases."""
    from segue.errors import SegueError

    try:
        incumbent = desk.workspace.load_workflow(workflow).incumbent
    except SegueError:
        incumbent = None  # what is wrong with the file is the check's to say
    known = {*labels, *desk.store.labels(workflow)}
    if incumbent in known:
        others = [one for one in labels if one != incumbent]
        if not others:
            return []
        return ["\nNext:", f"  segue compare {shlex.quote(workflow)} --candidate {shlex.quote(others[0])}"]
    if len(labels) < 2:
        return []
    names = [shlex.quote(one) for one in (workflow, *labels[:2])]
    return [
        "\nNext, with the release that serves now as the incumbent:",
        f"  segue compare {names[0]} --incumbent {names[1]} --candidate {names[2]}",
    ]


def _start_workflow(root: Path, workflow: str, suite: str, summary: ImportSummary) -> Started | None:
    """A first `workflow.yaml` where there is none: it reads the labels that were imported."""
    from segue.imports.first_workflow import first_workflow

    path = root / "workflows" / workflow / "workflow.yaml"
    if path.exists():
        return None
    first = first_workflow(workflow, suite, summary)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(first.text, encoding="utf-8")
    return Started(path, first.remarks)


def _mapping(path: Path | None) -> TableMapping:
    """A column mapping from a file; every fault is named."""
    from segue.imports import TableMapping
    from segue.workspace.shape import parse
    from segue.workspace.text_file import Root, read_text
    from segue.workspace.yaml_file import read_yaml

    assert path is not None, "a mapping or a preset is given"
    shown = str(path)
    text = read_text(Root(path.absolute().parent), path.absolute()).unwrap(shown)
    document = read_yaml(text, shown).unwrap(shown)
    return parse(TableMapping, document).unwrap(shown)
