"""The workspace a team keeps in git, read and checked (`docs/workspace.md`). The edge: this package reads files.

`workspace` finds and loads it, `check` finds every fault, `starter` writes a first one, `stats` says what a suite lacks.
Names are imported when they are asked for: YAML and numbers take time to load.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from segue.workspace.check import check_workspace
    from segue.workspace.config import WorkspaceConfig
    from segue.workspace.gate_check import gate_faults
    from segue.workspace.starter import init_workspace
    from segue.workspace.stats import SuiteStats, suite_stats
    from segue.workspace.workspace import Workspace, find_workspace, load_workspace

_HOMES = {
    "SuiteStats": "stats",
    "Workspace": "workspace",
    "WorkspaceConfig": "config",
    "check_workspace": "check",
    "find_workspace": "workspace",
    "gate_faults": "gate_check",
    "init_workspace": "starter",
    "load_workspace": "workspace",
    "suite_stats": "stats",
}

__all__ = [
    "SuiteStats",
    "Workspace",
    "WorkspaceConfig",
    "check_workspace",
    "find_workspace",
    "gate_faults",
    "init_workspace",
    "load_workspace",
    "suite_stats",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
