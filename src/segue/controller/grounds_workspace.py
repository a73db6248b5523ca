"""The workspace as it is now, for parts that run for weeks: `segue.yaml` is read anew where it was edited, and only then."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from segue.workspace import Workspace, load_workspace
from segue.workspace.config import FILE

_Stamp = tuple[int, int, int]


class CurrentWorkspace:
    """Reads a workspace again and again. Workflows, bundles and suites `Workspace` reads itself, when they are asked for."""

    def __init__(self, root: Path, environ: Mapping[str, str]) -> None:
        self.root = root
        self.environ = environ
        self._seen: _Stamp | None = None
        self._workspace: Workspace | None = None

    def read(self) -> Workspace:
        """Raises what `load_workspace` raises: whoever edits `segue.yaml` may save a fault on the way."""
        stamp = _stamp(self.root / FILE)
        if self._workspace is None or stamp is None or stamp != self._seen:
            self._workspace, self._seen = load_workspace(self.root, self.environ), stamp
        return self._workspace


def _stamp(path: Path) -> _Stamp | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size
