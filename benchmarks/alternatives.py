"""Inspect and promptfoo, installed apart and asked to do the same: the same texts, a trivial scorer, no cache, no telemetry."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.hosted import Hosted
from benchmarks.process import Taken, run
from benchmarks.workspace import write_json, write_lines

_TASK = """
from inspect_ai import Task, task
from inspect_ai.dataset import json_dataset
from inspect_ai.scorer import includes


@task
def bench():
    return Task(dataset=json_dataset("cases.jsonl"), scorer=includes())
"""
_QUIET: Mapping[str, str] = {
    "PROMPTFOO_DISABLE_TELEMETRY": "1",
    "PROMPTFOO_DISABLE_UPDATE": "1",
    "PROMPTFOO_DISABLE_REMOTE_GENERATION": "1",
    "PROMPTFOO_DISABLE_SHARING": "1",
    "PROMPTFOO_CACHE_ENABLED": "false",
}


def install(names: Sequence[str], tools: Path) -> None:
    """Install what is not there yet, each in a folder of its own."""
    if "inspect" in names and not (tools / "inspect" / "bin" / "inspect").exists():
        run([sys.executable, "-m", "venv", tools / "inspect"])
        run([tools / "inspect" / "bin" / "python", "-m", "pip", "install", "--quiet", "inspect-ai", "openai"])
    if "promptfoo" in names and not _promptfoo(tools).exists():
        (tools / "promptfoo").mkdir(parents=True, exist_ok=True)
        write_json(tools / "promptfoo" / "package.json", {"name": "bench", "private": True})
        # A Node.js of its own: promptfoo asks for a newer one than many machines have.
        run(["npm", "install", "--no-audit", "--no-fund", "node@22", "promptfoo"], cwd=tools / "promptfoo")


def versions(names: Sequence[str], tools: Path) -> dict[str, str]:
    """Which versions were measured."""
    found = {}
    if "inspect" in names:
        found["inspect"] = run([tools / "inspect" / "bin" / "inspect", "--version"]).output.strip()
    if "promptfoo" in names:
        found["promptfoo"] = run([_promptfoo(tools), "--version"], env=_surroundings(tools)).output.strip().splitlines()[-1]
    return found


def _promptfoo(tools: Path) -> Path:
    return tools / "promptfoo" / "node_modules" / ".bin" / "promptfoo"


def _surroundings(tools: Path) -> dict[str, str]:
    """The environment of promptfoo: no telemetry, no cache, and the Node.js that was installed with it."""
    return {**_QUIET, "PATH": os.pathsep.join((str(_promptfoo(tools).parent), os.environ.get("PATH", "")))}


def measure_inspect(folder: Path, server: Hosted, texts: Sequence[str], *, in_flight: int, tools: Path) -> Taken:
    """`inspect eval` with every text twice, as one model's samples: what suits it best."""
    (folder / "task.py").write_text(_TASK)
    write_lines(folder / "cases.jsonl", ({"input": text, "target": "yes"} for text in (*texts, *texts)))
    command: list[str | Path] = [
        tools / "inspect" / "bin" / "inspect",
        "eval",
        "task.py",
        "--model",
        "openai-api/bench/model-1",
    ]
    command += ["--model-base-url", server.base_url, "--max-connections", str(in_flight), "--max-samples", str(2 * in_flight)]
    command += ["--display", "none", "--no-log-realtime", "--ctl-server", "false", "--log-dir", folder / "logs"]
    return run(command, cwd=folder, env={"BENCH_API_KEY": "none", "HOME": str(folder)})


def measure_promptfoo(folder: Path, server: Hosted, texts: Sequence[str], *, in_flight: int, tools: Path) -> Taken:
    """`promptfoo eval` with every text for two providers."""
    providers = [
        {"id": f"openai:chat:model-{number}", "config": {"apiBaseUrl": server.base_url, "apiKey": "none"}} for number in (1, 2)
    ]
    tests = [{"vars": {"question": text}, "assert": [{"type": "contains", "value": "yes"}]} for text in texts]
    write_json(folder / "config.json", {"prompts": ["{{question}}"], "providers": providers, "tests": tests})
    command: list[str | Path] = [_promptfoo(tools), "eval", "--config", "config.json", "--max-concurrency", str(in_flight)]
    command += ["--no-cache", "--no-progress-bar", "--no-table", "--no-share"]
    env = {**_surroundings(tools), "PROMPTFOO_CONFIG_DIR": str(folder / "state"), "HOME": str(folder)}
    return run(command, cwd=folder, env=env)
