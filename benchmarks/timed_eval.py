"""`segue` with the time of its asking phase written to a file: `python -m benchmarks.timed_eval FILE eval …`."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from segue.cli import main
from segue.evals.run import Runner


def timed(path: Path) -> None:
    """Replace `Runner.perform` by one that also notes how long it took."""
    perform = Runner.perform
    phases: list[dict[str, float]] = []

    async def noted(self: Runner, *given: Any, **named: Any) -> Any:
        began, cpu = time.perf_counter(), time.process_time()
        try:
            return await perform(self, *given, **named)
        finally:
            phases.append({"wall_s": time.perf_counter() - began, "cpu_s": time.process_time() - cpu})
            path.write_text(json.dumps(phases))

    Runner.perform = noted  # type: ignore[method-assign]


if __name__ == "__main__":
    timed(Path(sys.argv[1]))
    sys.argv = ["segue", *sys.argv[2:]]
    main()
