"""`segue init` and `segue check`."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from segue.cli.app import ERROR
from segue.cli.desk import utc_now
from segue.cli.options import NEW, json_option
from segue.cli.screen import console, print_faults, print_json
from segue.errors import Fault, SegueError

if TYPE_CHECKING:
    from segue.store.base import CaseRow, Store


@click.command("init")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), default=Path())
@click.option("--workflow", type=NEW, default="support-reply", show_default=True, help="Name of the first workflow.")
@json_option
def init_command(folder: Path, workflow: str, as_json: bool) -> None:
    """Make a workspace in FOLDER (default: here), with a first workflow that runs offline."""
    from segue.workspace import init_workspace

    written = init_workspace(folder, workflow=workflow)
    if as_json:
        print_json({"written": [str(path) for path in written]})
        return
    screen = console()
    for path in written:
        screen.print(f"  {path}", soft_wrap=True, markup=False)
    screen.print(f"\nA workspace with the workflow [bold]{workflow}[/]. Next:")
    if folder.resolve() != Path.cwd():
        screen.print(f"  cd {shlex.quote(str(folder))}", soft_wrap=True, markup=False)
    screen.print("  segue check")
    screen.print(f"  segue suite stats {workflow}")
    screen.print(f"  segue eval {workflow} --candidate candidate")


@click.command("check")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path), required=False)
@json_option
def check_command(folder: Path | None, as_json: bool) -> None:
    """Validate the whole workspace and report all faults at once. Exit code 1 if there is an error; warnings pass."""
    from datetime import date

    from segue.workspace import check_workspace, find_workspace

    root = find_workspace(folder or Path.cwd())
    with _stored(root) as (stored, trouble):
        today = date.fromisoformat(utc_now()[:10])
        resolve, suite = (stored.bundle, stored.suite) if stored is not None else (None, None)
        faults = [*check_workspace(root, os.environ, resolve=resolve, stored_suite=suite, today=today), *trouble]
    errors = [fault for fault in faults if fault.severity == "error"]
    warnings = len(faults) - len(errors)
    if as_json:
        print_json({"errors": len(errors), "warnings": warnings, "faults": [fault.as_json() for fault in faults]})
    else:
        screen = console()
        print_faults(screen, [*errors, *(fault for fault in faults if fault.severity != "error")])
        if not faults:
            screen.print("The workspace is in order.")
        else:
            screen.print(f"{_counted(len(errors), 'error')}, {_counted(warnings, 'warning')}.", style="bold")
    if errors:
        raise SystemExit(ERROR)


@contextmanager
def _stored(root: Path) -> Iterator[tuple[_Stored | None, list[Fault]]]:
    """What the store knows, `None` where there is no store yet; and a warning where there is one that cannot be asked."""
    from segue.store import open_store
    from segue.workspace import load_workspace

    try:
        state = load_workspace(root, os.environ).state
    except SegueError:
        # What is wrong with segue.yaml is the check's to say.
        yield None, []
        return
    if "://" not in state and not Path(state).exists():
        yield None, []
        return
    try:
        store = open_store(state)
    except SegueError as error:
        yield None, [Fault(error.what, error.fix, file="segue.yaml", path="state", severity="warning")]
        return
    try:
        yield _Stored(store), []
    finally:
        store.close()


class _Stored:
    """Bundles and suites of the store, by the names that files give them."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[tuple[str, str], str | None] = {}

    def bundle(self, workflow: str, ref: str) -> str | None:
        """The digest of a bundle, by label or digest."""
        if (workflow, ref) not in self._known:
            try:
                self._known[workflow, ref] = self._store.find_bundle(workflow, ref).bundle.digest
            except SegueError:
                self._known[workflow, ref] = None
        return self._known[workflow, ref]

    def suite(self, workflow: str, name: str) -> Iterable[CaseRow] | None:
        """The cases of the latest suite of this name."""
        found = [one for one in self._store.list_suites(workflow) if name in (one.name, one.digest)]
        return self._store.iter_case_rows(found[-1].digest) if found else None


def _counted(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"
