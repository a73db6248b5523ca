"""The effects a command is given: the workspace, its store, the clock, the environment, and who is at the keyboard."""

from __future__ import annotations

import getpass
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from segue.store.base import Store
    from segue.workspace import Workspace


def utc_now() -> str:
    """Now, in UTC, ISO 8601 to the second: the one place where commands read the clock."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")  # noqa: TID251  the edge: commands pass it on


def author() -> str:
    """`SEGUE_AUTHOR`, else the login name."""
    named = os.environ.get("SEGUE_AUTHOR", "").strip()
    if named:
        return named
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


@dataclass(frozen=True)
class Desk:
    """What commands work with."""

    workspace: Workspace
    store: Store
    author: str

    def now(self) -> str:
        return utc_now()


@contextmanager
def open_desk(start: Path | None = None, *, is_bulk: bool = False) -> Iterator[Desk]:
    """Find the workspace at or above `start` (default: the working folder), open its store, and close it afterwards.

    `is_bulk` is for commands whose own writes take long: they are not told that the store is taken.
    """
    from segue.cli.lock_watch import told_of_a_lock
    from segue.cli.screen import error_console
    from segue.workspace import find_workspace, load_workspace

    workspace = load_workspace(find_workspace(start or Path.cwd()), os.environ)
    state = workspace.state

    def tell(text: str) -> None:
        error_console().print(text, style="yellow", markup=False)

    with told_of_a_lock("memory:" if is_bulk else state, tell):
        store = open_state(workspace)
        try:
            yield Desk(workspace, store, author())
        finally:
            store.close()


def open_state(workspace: Workspace) -> Store:
    """The store of a workspace. Its folder is made where there is none."""
    from segue.store import open_store

    state = workspace.state
    if "://" not in state and state != "memory:":
        _make_folder(Path(state).parent)
    return open_store(state)


def _make_folder(folder: Path) -> None:
    """`StoreError` where there can be none."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        from segue.errors import StoreError

        raise StoreError(
            f"The folder of the state store, {folder}, cannot be made: {error.strerror or type(error).__name__}.",
            fix="Move away what is in its place, or write another place as state: in segue.yaml.",
        ) from None
