"""Writes a first workspace that works: two simulated models, one workflow, a handful of cases, comments that teach.

The texts are the files in `starter_files`. The suite is too thin on purpose, and `segue check` says so.
"""

from __future__ import annotations

import re
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path, PurePosixPath

from segue.errors import ConflictError, Fault, InputError
from segue.workspace.config import FILE

DEFAULT_WORKFLOW = "support-reply"
IGNORED = ".segue/"

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")


def init_workspace(root: Path, *, workflow: str = DEFAULT_WORKFLOW) -> list[Path]:
    """Write a workspace with one workflow into `root`; returns the files written or added to, in order.

    In a workspace that is there already only the workflow is written. A `.gitignore` that is there gets one more line.
    Nothing is overwritten: `ConflictError` lists every file in the way, before anything is written. `InputError` for a name
    that is none, and where `root` cannot be written to.
    """
    if not _NAME.fullmatch(workflow):
        fix = "Use lower-case letters, digits, '.', '_' and '-', beginning with a letter or digit."
        raise InputError(f"'{workflow[:80]}' cannot be the name of a workflow.", fix=fix)
    texts = _texts(workflow)
    if (root / FILE).is_file():
        del texts[PurePosixPath(FILE)]
    _refuse_conflicts(root, list(texts))
    try:
        written = []
        for name, text in texts.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8", newline="\n") as stream:
                stream.write(text)
            written.append(path)
        return [*written, *_ignore_state(root)]
    except FileExistsError as error:
        raise ConflictError(f"{error.filename} came into being meanwhile.", fix="Run `segue init` again.") from None
    except OSError as error:
        reason = error.strerror or type(error).__name__
        fix = "Check that the folder exists and that you may write to it."
        raise InputError(f"The workspace cannot be written to {root}: {reason}.", fix=fix) from error


def _texts(workflow: str) -> dict[PurePosixPath, str]:
    """The starter's files, by path in the workspace."""
    home = files("segue.workspace") / "starter_files"
    texts = {PurePosixPath(FILE): (home / FILE).read_text(encoding="utf-8")}
    for name, text in _walk(home / "workflow", PurePosixPath()):
        texts[PurePosixPath("workflows") / workflow / name] = text.replace(DEFAULT_WORKFLOW, workflow)
    return texts


def _walk(folder: Traversable, below: PurePosixPath) -> list[tuple[PurePosixPath, str]]:
    found = []
    for entry in sorted(folder.iterdir(), key=lambda one: one.name):
        if entry.is_dir():
            found += _walk(entry, below / entry.name)
        else:
            found.append((below / entry.name, entry.read_text(encoding="utf-8")))
    return found


def _refuse_conflicts(root: Path, names: list[PurePosixPath]) -> None:
    taken = [name for name in names if (root / name).exists() or (root / name).is_symlink()]
    blocked = {parent for name in names for parent in name.parents if (root / parent).exists() and not (root / parent).is_dir()}
    faults = [Fault("The file is there already.", "Move it away, or choose another name.", file=str(name)) for name in taken]
    faults += [Fault("A file stands where a folder is needed.", "Move it away.", file=str(name)) for name in sorted(blocked)]
    if faults:
        shown = ", ".join(fault.file or "" for fault in faults)
        fix = "Move them away, or run `segue init --workflow NAME` with another name. Nothing was written."
        raise ConflictError(f"These are in the way: {shown}.", fix=fix, faults=faults)


def _ignore_state(root: Path) -> list[Path]:
    """Make git leave the state out; returns `.gitignore` if it was written or added to."""
    path = root / ".gitignore"
    ours = (files("segue.workspace") / "starter_files" / "gitignore").read_text(encoding="utf-8")
    old = path.read_bytes() if path.exists() else b""
    if IGNORED.encode() in (line.strip() for line in old.splitlines()):
        return []
    gap = b"" if not old else b"\n" if old.endswith(b"\n") else b"\n\n"
    with path.open("ab") as stream:
        stream.write(gap + ours.encode())
    return [path]
