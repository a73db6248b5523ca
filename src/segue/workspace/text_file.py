"""Reads one file of the workspace as text, or says why it cannot be: absent, elsewhere, too large, not UTF-8.

Line ends become `\\n` and a byte order mark goes, so that a checkout on another system gives the same digests.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from segue.errors import Fault
from segue.workspace.document import Reading, clipped, printable

YAML_LIMIT = 512 * 1024
TEXT_LIMIT = 4 * 1024 * 1024
"""Bytes a file may have. More is never a prompt or a setting written by people, and would slow every command."""

_CONTROL = frozenset(chr(code) for code in range(32)) - {"\t", "\n", "\r", "\f"} | {"\x7f"}


@dataclass(frozen=True, slots=True)
class Root:
    """The workspace's folder. Everything it refers to lies in it, symbolic links resolved."""

    path: Path

    def shown(self, path: Path) -> str:
        """`path` as messages name it: relative to the root, with forward slashes."""
        try:
            shown = path.relative_to(self.path).as_posix()
        except ValueError:
            shown = path.as_posix()
        return printable(shown)

    def find(self, base: Path, name: str) -> Reading[Path]:
        """The file that `name`, written in a setting, refers to from `base`."""
        outside = Fault(
            f"'{clipped(name)}' is outside the workspace.", "Copy the file into the workspace, and name it relative to it."
        )
        try:
            path = base / name
            if not path.resolve().is_relative_to(self.path.resolve()):
                return Reading(None, (outside,))
            return Reading(path)
        except (OSError, ValueError, RuntimeError):
            return Reading(None, (Fault(f"'{clipped(name)}' is not a file name.", "Write a path such as prompts/main.md."),))


def entries(folder: Path) -> list[Path]:
    """What is in `folder`, by name, but for hidden files and editors' backups; nothing where it cannot be read."""
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith(".") and not path.name.endswith("~"))
    except OSError:
        return []


def read_text(root: Root, path: Path, *, limit: int = TEXT_LIMIT) -> Reading[str]:
    """The text of `path`, with `\\n` line ends."""
    raw = read_bytes(root, path, limit=limit)
    if raw.value is None:
        return Reading(None, raw.faults)
    return decode(raw.value, root.shown(path))


def decode(raw: bytes, file: str) -> Reading[str]:
    """UTF-8 text of a file's bytes; names the line of the first byte that is none."""
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return Reading(None, (Fault("The file is UTF-16.", "Save it as UTF-8.", file=file),))
    try:
        text = raw.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        column = error.start - raw.rfind(b"\n", 0, error.start)
        what = f"Byte {column} of the line (0x{raw[error.start]:02x}) is not UTF-8."
        return Reading(None, (Fault(what, "Save the file as UTF-8.", file=file, line=line),))
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not _CONTROL.isdisjoint(text):
        place = next(index for index, char in enumerate(text) if char in _CONTROL)
        what = f"A control character (U+{ord(text[place]):04X}) is in the text."
        fault = Fault(what, "Delete it; the file may be binary, or damaged.", file=file, line=text.count("\n", 0, place) + 1)
        return Reading(None, (fault,))
    return Reading(text)


def read_bytes(root: Root, path: Path, *, limit: int) -> Reading[bytes]:
    """The bytes of a regular file of at most `limit` bytes."""
    file = root.shown(path)
    trouble = cannot_open(root, path)
    if trouble is not None:
        return Reading(None, (trouble,))
    try:
        size = path.stat().st_size
        if size > limit:
            what = f"The file has {size:,} bytes; {limit:,} are allowed here."
            return Reading(None, (Fault(what, "Shorten it, or move long texts to files of their own.", file=file),))
        return Reading(path.read_bytes())
    except OSError as error:
        return Reading(None, (_unreadable(file, error),))


def cannot_open(root: Root, path: Path) -> Fault | None:
    """Why `path` is no regular file that can be opened; `None` if it is one. A missing one is compared with its neighbours."""
    file = root.shown(path)
    try:
        if path.is_file():
            return None
        if path.is_dir():
            return Fault("This is a folder; a file is needed.", "Name a file in it.", file=file)
        if path.exists() or path.is_symlink():
            return Fault("This is not a regular file.", "Put a plain file in its place.", file=file)
        near = _near_file(root, path)
    except (OSError, ValueError) as error:
        return _unreadable(file, error)
    return Fault("There is no such file.", f"Create {clipped(file)}, or correct the name.", file=file, likely=near)


def _near_file(root: Root, path: Path) -> str | None:
    folder = path.parent
    while not folder.is_dir() and folder != root.path and folder != folder.parent:
        folder = folder.parent
    names = {}
    for index, other in enumerate(sorted(folder.rglob("*"))):
        if index >= 2000:
            break
        if other.is_file():
            names[other.name] = other
    near = get_close_matches(path.name[:200], list(names), n=1, cutoff=0.6)
    return f"'{root.shown(names[near[0]])}'" if near else None


def _unreadable(file: str, error: Exception) -> Fault:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
    return Fault(f"The file cannot be read: {reason}.", "Check that it exists and that you may read it.", file=file)
