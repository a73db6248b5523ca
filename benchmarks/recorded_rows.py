"""Makes recorded rows in Segue's layout: `python -m benchmarks.recorded_rows FOLDER ROWS [--labels]`.

Half of the rows are of each release. The second one is better in total and worse on one task.
"""

from __future__ import annotations

import argparse
import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

TASKS, LANGUAGES, TIERS = 8, ("en", "de", "fr", "es", "pt"), ("free", "team", "enterprise")
RELEASES = ("model-march", "model-june")


def generate(folder: Path, rows: int, *, labels: bool) -> None:
    """Write `rows` recordings in our layout: cases, two releases, labels. Always the same for one size."""
    folder.mkdir(parents=True, exist_ok=True)
    cases = rows // len(RELEASES)
    right = {name: _right(name, cases) for name in RELEASES}

    def case(number: int) -> dict[str, Any]:
        return {
            "case_id": f"c{number:07d}",
            "task": f"task-{number % TASKS}",
            "slice": {"lang": LANGUAGES[number % len(LANGUAGES)], "tier": TIERS[number % 7 % len(TIERS)]},
            "messages": [{"role": "user", "content": f"Request {number}: where is my order, and may I still send it back?"}],
            "reference": f"Order {number} is on its way and may be returned within 30 days.",
        }

    def recording(name: str, number: int) -> dict[str, Any]:
        said = "is on its way and may be returned within 30 days" if right[name][number] else "cannot be found"
        return {
            "case_id": f"c{number:07d}",
            "model": name,
            "repeat": 0,
            "output": f"Order {number} {said}.",
            "latency_s": 0.4 + number % 97 / 100,
            "usage": {"input_tokens": 40 + number % 11, "output_tokens": 14},
            "cost_usd": 0.0002 + number % 5 / 1e6,
        }

    def label(name: str, number: int) -> dict[str, Any]:
        value = str(int(right[name][number]))
        return {"case_id": f"c{number:07d}", "model": name, "repeat": 0, "labeler": "rule", "label": value}

    both = [(name, number) for name in RELEASES for number in range(cases)]
    _write(folder / "cases.jsonl.gz", map(case, range(cases)))
    _write(folder / "recordings.jsonl.gz", (recording(*one) for one in both))
    if labels:
        _write(folder / "labels.jsonl.gz", (label(*one) for one in both))


def _right(name: str, cases: int) -> np.ndarray:
    import numpy as np

    rng = np.random.default_rng([RELEASES.index(name), cases])
    share = np.full(cases, 0.90)
    if name == RELEASES[1]:
        share += 0.02
        share[np.arange(cases) % TASKS == 3] -= 0.12
    return rng.random(cases) < share


def _write(path: Path, rows: Iterator[dict[str, Any]]) -> None:
    with gzip.open(path, "wt", compresslevel=1, encoding="utf-8") as stream:
        for row in rows:
            stream.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("rows", type=int)
    parser.add_argument("--labels", action="store_true")
    given = parser.parse_args()
    generate(given.folder, given.rows, labels=given.labels)
