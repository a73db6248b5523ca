"""A workspace made for a measurement, and the `segue` command in it."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

VERDICTS = (0, 10, 11, 12)
"""Exit codes of a comparison that was made, whatever it says."""

SEGUE = (sys.executable, "-c", "from segue.cli import main; main()")
"""The `segue` command of the interpreter that runs the benchmark."""

BESIDE = {"PYTHONPATH": os.pathsep.join(filter(None, [str(Path(__file__).parent.parent), os.environ.get("PYTHONPATH")]))}
"""Environment in which a child finds the modules of this package, wherever it works."""


def write_json(path: Path, value: Any) -> None:
    """Write JSON, which YAML reads too."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")


def write_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write JSON Lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as stream:
        for row in rows:
            stream.write(json.dumps(row) + "\n")
