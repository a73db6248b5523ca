"""`segue import`: results that exist already, into the store of a workspace."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from segue.cli.desk import open_desk
from segue.cli.groups import CommandGroup
from segue.cli.options import NEW, Condition, json_option
from segue.cli.screen import console, error_console, print_faults, print_json
from segue.errors import Fault

if TYPE_CHECKING:
    from segue.imports import ImportSource, ImportSummary, TableMapping

    Open = Callable[[Callable[[Fault], None]], ImportSource]

Where = tuple[tuple[str, str], ...]
SHOWN_FAULTS = 20


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

    _run(lambda report: read_promptfoo(list(paths), report=report, where=dict(where) or None, slices=slices or None), options)


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
    )


def _run(open_source: Open, options: dict[str, Any]) -> None:
    from segue.imports import ImportProgress, ingest

    faults: list[Fault] = []
    screen = error_console()
    workflow: str = options["workflow"]
    with open_desk() as desk, screen.status("Reading …") as status:

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
        )
        started = _start_workflow(desk.workspace.root, workflow, options["suite"], summary)
    if options["as_json"]:
        print_json({**summary.as_json(), "faults": [fault.as_json() for fault in faults]})
    else:
        _print(summary, faults, workflow, started)
    if faults and options["strict"]:
        raise SystemExit(1)


def _print(summary: ImportSummary, faults: list[Fault], workflow: str, started: Path | None) -> None:
    out = console()
    for line in summary.lines():
        out.print(line, markup=False, soft_wrap=True)
    if summary.is_unchanged:
        out.print("All of it was stored already.", style="dim")
    if faults:
        print_faults(error_console(), faults[:SHOWN_FAULTS])
        more = f" The first {SHOWN_FAULTS} are shown; --json lists all." if len(faults) > SHOWN_FAULTS else ""
        error_console().print(f"{len(faults):,} records could not be read; the rest is kept.{more}", style="yellow")
    if started is not None:
        out.print(f"\nWritten: {started}", markup=False, soft_wrap=True)
        out.print("It scores by the labels that came along; read it before you trust it.")
    labels = list(summary.bundle_labels.values())
    if len(labels) >= 2:
        out.print("\nNext, with the release that serves now as the incumbent:")
        names = [shlex.quote(one) for one in (workflow, *labels[:2])]
        out.print(f"  segue compare {names[0]} --incumbent {names[1]} --candidate {names[2]}", markup=False, soft_wrap=True)


def _start_workflow(root: Path, workflow: str, suite: str, summary: ImportSummary) -> Path | None:
    """A first `workflow.yaml` where there is none: it reads the labels that were imported."""
    path = root / "workflows" / workflow / "workflow.yaml"
    if path.exists():
        return None
    labelers = sorted({labeler for release in summary.releases for labeler in release.labels})
    lines = [f"description: Imported results of {workflow}."]
    lines += [f"suite: {json.dumps(suite)}"] if suite != "main" else []
    lines.append("scorers:")
    names: list[str] = []
    for labeler in labelers:
        names.append(_metric_name(labeler, names))
        lines += [f"  - name: {names[-1]}", "    type: recorded_label", f"    labeler: {json.dumps(labeler)}"]
        lines.append("    # Labels that are not numbers from 0 to 1 need a map, for example:  map: {right: 1, wrong: 0}")
    if not names:
        lines += [
            "  # No labels came along. Choose a scorer (docs/scorers.md), for example:",
            "  - name: correct",
            "    type: exact",
        ]
    lines += ["gate:", f"  primary: [{(names or ['correct'])[0]}]", ""]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def _metric_name(labeler: str, taken: Sequence[str]) -> str:
    """A labeler as the name of its metric: lower-case letters, digits and `_`, like no other."""
    name = re.sub(r"[^a-z0-9]+", "_", labeler.lower()).strip("_") or "label"
    name = name if name[0].isalpha() else f"label_{name}"
    alike = sum(one == name or one.startswith(f"{name}_") for one in taken)
    return f"{name}_{alike + 1}" if name in taken else name


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
