"""Tables on the screen, and the same figures as JSON."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

Row = Mapping[str, Any]


def show(title: str, rows: Sequence[Row]) -> None:
    """Print rows of one shape as a table; keys are the columns."""
    print(f"\n{title}")
    if not rows:
        print("  nothing measured")
        return
    columns = list(rows[0])
    cells = [[_text(row.get(column)) for column in columns] for row in rows]
    widths = [max(len(column), *(len(line[at]) for line in cells)) for at, column in enumerate(columns)]
    for line in ([columns], cells):
        for row in line:
            print("  " + "  ".join(_aligned(text, width, at) for at, (text, width) in enumerate(zip(row, widths, strict=True))))


def machine() -> dict[str, Any]:
    """What the figures were measured on, and how busy it was."""
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "load_1min": round(os.getloadavg()[0], 2),
    }


def save(path: Path | None, name: str, results: Mapping[str, Any]) -> None:
    """Write the results of one benchmark to a JSON file, beside those of others that are there."""
    if path is None:
        return
    everything = json.loads(path.read_text()) if path.exists() else {}
    everything[name] = {"machine": machine(), **results}
    path.write_text(json.dumps(everything, indent=2) + "\n")


def _aligned(text: str, width: int, at: int) -> str:
    return text.ljust(width) if at == 0 else text.rjust(width)


def _text(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:,.2f}" if abs(value) < 100 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
