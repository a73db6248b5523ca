"""Rehearsals of whole upgrades: what they take by size, and the recorded GPT-4 upgrade from the eval gate to the canary.

`--what speed`: an upgrade of 45 days on scripted models, at each of `--sizes` requests; processor seconds, those before the
first request apart. `--what recorded` (needs SEGUE_DATA): GPT-4 March to June is stopped at the eval; forced past it, in
shadow; forced past that, in the canary; and the March release against itself, its outputs redrawn, on `--seeds` seeds.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import table
from benchmarks.recorded_traffic import data_folder
from segue.imports import ingest, read_layout
from segue.model.plan import Plan
from segue.rehearsal.course import Course, look_seconds, planned_days
from segue.rehearsal.preparing import Pair, Prepared, prepare
from segue.rehearsal.result import Rehearsed
from segue.rehearsal.running import Order, rehearse, rehearse_seeds
from segue.simulation import Traffic
from segue.store import open_store
from segue.upgrade.state import Stage
from segue.workspace import load_workspace
from segue.workspace.trace_file import read_trace

EXAMPLES = Path(__file__).parent.parent / "examples"
AT = "2026-01-01T00:00:00Z"
MARCH, JUNE, AGAIN = "gpt-4-0314", "gpt-4-0613", "gpt-4-0314-again"
MOST_EXPOSED = 60
LONG: dict[str, Any] = {
    "preset": "1-5-25-100",
    "gates": [
        {"metric": "right_action", "baseline": 0.83, "better": "higher", "hold": "4 points", "rollback": "8 points"},
        {
            "metric": "usable",
            "baseline": 0.97,
            "better": "higher",
            "hold": "4 points",
            "rollback": "8 points",
            "watch": "total",
        },
    ],
    "slices": {f"task={name}": 0.2 for name in ("refund", "delivery", "billing", "account", "product")},
    "shadow": {"length": 14.0},
    "soak": 18.0,
}
"""Forty-five days on the demo's workspace."""
PRIME: dict[str, Any] = {
    "steps": [{"share": 0.05, "hold": 1.0}, {"share": 0.25, "hold": 1.0}],
    "gates": [
        {"metric": "correct", "baseline": 0.84, "better": "higher", "hold": "6 points", "rollback": "8 points", "age": 1 / 1440}
    ],
    "slices": {"kind=prime": 0.5, "kind=composite": 0.5},
    "shadow": {"length": 1.0},
    "soak": 1.0,
}
PER_DAY = 4_000.0
SCENARIOS: dict[str, tuple[str, tuple[str, ...], float]] = {
    "March to June": (JUNE, (), 3_600.0),
    "… forced past the eval": (JUNE, ("eval",), 3_600.0),
    "… and past shadow": (JUNE, ("eval", "shadow"), 900.0),
    "March to itself": (AGAIN, ("eval",), 7_200.0),
}
"""Candidate, past what, and how often the controller looks."""
Held = Callable[[Rehearsed], bool]
MUST_SHOW: dict[str, tuple[tuple[str, Held, float], ...]] = {
    "March to June": (("stopped at the eval", lambda one: _stops(one, "retune", "eval"), 1.0),),
    "… forced past the eval": (("stopped in shadow", lambda one: _stops(one, "shadow"), 1.0),),
    "… and past shadow": (
        (
            f"rolled back in the canary within {MOST_EXPOSED} exposed units",
            lambda one: one.ending == "rolled_back" and one.exposed_units <= MOST_EXPOSED,
            0.95,
        ),
    ),
    "March to itself": (
        ("completed", lambda one: one.ending == "completed", 0.95),
        ("without an alarm", lambda one: not one.alarms, 0.95),
    ),
}
"""What is asked of each, and of which share of the seeds."""


def _stops(one: Rehearsed, *stages: str) -> bool:
    """Nobody met the candidate, and it stands in this stage."""
    return one.ending in ("holding", "stopped", "deferred") and not one.exposed_units and one.where.split(" ")[0] in stages


def arguments(parser: argparse.ArgumentParser) -> None:
    """What may be set."""
    parser.add_argument("--what", choices=("speed", "recorded", "both"), default="both")
    parser.add_argument("--sizes", default="10000,100000,1000000", help="requests of the 45 days, commas between")
    parser.add_argument("--seeds", type=int, default=200, help="of each recorded scenario")
    parser.add_argument("--scenario", type=int, choices=range(1, len(SCENARIOS) + 1), help="of the recorded ones, this alone")
    parser.add_argument("--processes", type=int, default=2, help="of the recorded scenarios")


def measure(given: argparse.Namespace, results: Path | None) -> None:
    """Measure, print, save."""
    found: dict[str, Any] = {}
    if given.what != "recorded":
        found["speed"] = _speed([int(one) for one in given.sizes.split(",")])
        table.show("A rehearsed upgrade of 45 days", found["speed"])
    if given.what != "speed":
        if data_folder() is None:
            print("\nThe recorded upgrades are absent: set SEGUE_DATA to their folder.")
        else:
            found["recorded"] = _recorded(given.seeds, given.scenario, given.processes)
            shown = [{name: value for name, value in row.items() if name != "must show"} for row in found["recorded"]]
            table.show(f"The recorded GPT-4 upgrade, rehearsed on {given.seeds} seeds", shown)
            for line in (line for row in found["recorded"] for line in row["must show"].split("; ")):
                print(line)
    table.save(results, "rehearsal", found)


def _speed(sizes: Sequence[int]) -> list[dict[str, Any]]:
    rows = []
    with tempfile.TemporaryDirectory(prefix="segue-bench-") as scratch:
        root = Path(scratch) / "workspace"
        shutil.copytree(EXAMPLES / "support-reply", root, ignore=shutil.ignore_patterns(".segue"))
        began = time.process_time()
        prepared = prepare(
            load_workspace(root, {}), open_store("memory:"), open_store("memory:"), Pair("support-reply", "candidate-retuned")
        )
        preparation = time.process_time() - began
        plan = Plan.model_validate(LONG, strict=False)
        for size in sizes:
            traffic = Traffic.daily(size / planned_days(plan))
            # So that the long run is walked to its end whatever a small one may lack: people go on where evidence is short.
            past: frozenset[Stage] = frozenset(("canary", "soak"))
            course = Course(plan, traffic, look_seconds(plan, traffic), plan_name="long", critical=("task=refund",), past=past)
            cpu, wall = time.process_time(), time.monotonic()
            done = rehearse(prepared, course)
            cpu, wall = time.process_time() - cpu, time.monotonic() - wall
            rows.append(
                {
                    "requests": done.requests,
                    "mirrored": done.shadowed,
                    "days": done.days,
                    "ending": done.ending,
                    "look every h": course.look_s / 3600,
                    "preparation cpu s": preparation,
                    "run cpu s": cpu,
                    "run wall s": wall,
                    "cpu µs per request": cpu / done.requests * 1e6,
                    "load": table.machine()["load_1min"],
                }
            )
    return rows


def _recorded(seeds: int, only: int | None, processes: int) -> list[dict[str, Any]]:
    rows = []
    with tempfile.TemporaryDirectory(prefix="segue-bench-") as scratch:
        root = write_recorded(Path(scratch) / "workspace")
        for number, (name, (candidate, past, look_s)) in enumerate(SCENARIOS.items(), 1):
            if only in (None, number):
                done = run_recorded(root, candidate, past, look_s, range(seeds), processes)
                rows.append(_row(name, done))
                # Each is minutes of work: what is known is said at once.
                print("\n".join(rows[-1]["must show"].split("; ")), flush=True)
    return rows


def write_recorded(root: Path) -> Path:
    """The workspace of `examples/recorded` with the prime numbers imported, and the March release once more by another name."""
    data = data_folder()
    assert data is not None, "asked for before"
    shutil.copytree(EXAMPLES / "recorded", root, ignore=shutil.ignore_patterns(".segue"))
    bundles = root / "workflows" / "prime" / "bundles"
    bundles.mkdir()
    again = {"model": {"provider": "recorded", "snapshot": MARCH, "recording": MARCH}, "parameters": {"temperature": 0.5}}
    (bundles / f"{AGAIN}.yaml").write_text(json.dumps(again))
    (root / ".segue").mkdir()
    store = open_store(load_workspace(root, {}).state)
    source = read_layout(data / "llmdrift", report=lambda _: None, where={"task": "prime"})
    ingest(source, store=store, workflow="prime", suite_name="main", author="benchmark", at=AT)
    store.close()
    return root


def prepare_recorded(root: Path, candidate: str) -> Prepared:
    """March against a candidate."""
    workspace = load_workspace(root, {})
    return prepare(workspace, open_store(workspace.state), open_store("memory:"), Pair("prime", candidate))


def recorded_course(past: Sequence[str], look_s: float) -> Course:
    """The plan on the arrivals of a recorded hour, stretched to a day."""
    data = data_folder()
    assert data is not None, "asked for before"
    traffic = Traffic.of_trace(PER_DAY, read_trace(data / "traces" / "mooncake_conversation.jsonl.gz"))
    plan = Plan.model_validate(PRIME, strict=False)
    return Course(plan, traffic, look_s, plan_name="prime/recorded", past=frozenset(past))  # type: ignore[arg-type]


def run_recorded(
    root: Path, candidate: str, past: Sequence[str], look_s: float, seeds: Sequence[int], processes: int
) -> list[Rehearsed]:
    """Each seed of one scenario."""
    prepared = prepare_recorded(root, candidate)
    order = Order(
        root, load_workspace(root, {}).state, Pair("prime", candidate), recorded_course(past, look_s), prepared.verdict
    )
    found, is_interrupted = rehearse_seeds(order, prepared, seeds, processes, lambda _: None)
    if is_interrupted:
        raise KeyboardInterrupt
    return [found[seed] for seed in sorted(found)]


def _row(name: str, done: Sequence[Rehearsed]) -> dict[str, Any]:
    exposed = np.array([one.exposed_units for one in done])
    endings = Counter(f"{one.ending} in {one.where.split(' (')[0]}" if one.ending == "holding" else one.ending for one in done)
    backs = [one.exposed_units for one in done if one.ending == "rolled_back"]
    return {
        "upgrade": name,
        "seeds": len(done),
        "endings": ", ".join(f"{ending} {n}" for ending, n in endings.most_common()),
        "exposed, median": float(np.median(exposed)),
        "95 %": float(np.quantile(exposed, 0.95)),
        f"rolled back within {MOST_EXPOSED}": f"{sum(one <= MOST_EXPOSED for one in backs) / len(done) * 100:.1f} %",
        "alarmed": f"{sum(one.alarms > 0 for one in done) / len(done) * 100:.1f} %",
        "must show": "; ".join(_line(name, done, *one) for one in MUST_SHOW[name]),
    }


def _line(name: str, done: Sequence[Rehearsed], what: str, holds: Held, least: float) -> str:
    """`March to June: stopped at the eval in 200 of 200 seeds (100.0 %), at least 100 % asked: met`."""
    n = sum(holds(one) for one in done)
    met = "met" if n >= least * len(done) else "NOT MET"
    return f"{name}: {what} in {n} of {len(done)} seeds ({n / len(done):.1%}), at least {least:.0%} asked: {met}"
