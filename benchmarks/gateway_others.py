"""LiteLLM's proxy and Portkey's gateway, installed apart and run on one core: a key, one model behind a name, no telemetry.

Neither logs bodies here: that suits them best. TensorZero's gateway is not in a package registry, and so not here.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.process import run
from benchmarks.workspace import write_json

KEY = "sk-" + "0f1e2d3c4b5a6978" * 4
QUIET = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_TELEMETRY": "False",
    "DISABLE_ADMIN_UI": "True",
    "LITELLM_LOG": "ERROR",
    "NODE_ENV": "production",
}


def install(tools: Path) -> None:
    """Install what is not there yet, each in a folder of its own."""
    if not (tools / "litellm" / "bin" / "litellm").exists():
        run([sys.executable, "-m", "venv", tools / "litellm"])
        run([tools / "litellm" / "bin" / "python", "-m", "pip", "install", "--quiet", "litellm[proxy]"])
    if not _portkey(tools).exists():
        (tools / "portkey").mkdir(parents=True, exist_ok=True)
        write_json(tools / "portkey" / "package.json", {"name": "bench", "private": True})
        run(["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "@portkey-ai/gateway"], cwd=tools / "portkey")


def versions(tools: Path) -> dict[str, str]:
    """Which versions were measured."""
    told = run([tools / "litellm" / "bin" / "python", "-m", "pip", "show", "litellm"]).output
    litellm = next(line.split()[1] for line in told.splitlines() if line.startswith("Version:"))
    portkey = json.loads((_portkey(tools).parents[1] / "package.json").read_text())["version"]
    return {"LiteLLM": litellm, "Portkey": str(portkey)}


def _portkey(tools: Path) -> Path:
    return tools / "portkey" / "node_modules" / "@portkey-ai" / "gateway" / "build" / "start-server.js"


@contextmanager
def litellm(tools: Path, upstream: int) -> Iterator[tuple[int, list[int], Mapping[str, str]]]:
    """One worker of LiteLLM's proxy. Gives its port, its pids, and the headers it asks for."""
    parameters = {"model": "openai/m", "api_base": f"http://127.0.0.1:{upstream}/v1", "api_key": "none"}
    config = {
        "model_list": [{"model_name": "bench", "litellm_params": parameters}],
        "general_settings": {"master_key": KEY},
    }
    with tempfile.TemporaryDirectory(prefix="segue-bench-") as scratch:
        write_json(Path(scratch) / "config.yaml", config)
        command = [tools / "litellm" / "bin" / "litellm", "--config", "config.yaml", "--host", "127.0.0.1"]
        with _running(command, "--port", Path(scratch)) as (port, pids):
            yield port, pids, {"authorization": f"Bearer {KEY}"}


@contextmanager
def portkey(tools: Path, upstream: int) -> Iterator[tuple[int, list[int], Mapping[str, str]]]:
    """Portkey's gateway, one process."""
    there = {"x-portkey-provider": "openai", "x-portkey-custom-host": f"http://127.0.0.1:{upstream}/v1"}
    with (
        tempfile.TemporaryDirectory(prefix="segue-bench-") as scratch,
        _running(["node", _portkey(tools), "--headless"], "--port=", Path(scratch)) as (port, pids),
    ):
        yield port, pids, {"authorization": "Bearer none", **there}


@contextmanager
def _running(command: Sequence[str | Path], flag: str, folder: Path) -> Iterator[tuple[int, list[int]]]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    words = [*command, f"{flag}{port}"] if flag.endswith("=") else [*command, flag, str(port)]
    with (folder / "told").open("w") as told:
        process = subprocess.Popen(
            list(map(str, words)),
            cwd=folder,
            env={**os.environ, **QUIET},
            stdout=told,
            stderr=subprocess.STDOUT,
            preexec_fn=lambda: os.sched_setaffinity(0, {1}),
        )
    try:
        _wait(port, process, folder / "told")
        yield port, _tree(process.pid)
    finally:
        process.terminate()
        process.wait(60)


def _wait(port: int, process: subprocess.Popen[Any], told: Path) -> None:
    end = time.monotonic() + 180
    while time.monotonic() < end:
        if process.poll() is not None:
            break
        with socket.socket() as line:
            if not line.connect_ex(("127.0.0.1", port)):
                return
        time.sleep(0.2)
    raise SystemExit(f"It did not begin to listen:\n{told.read_text()[-2000:]}")


def _tree(pid: int) -> list[int]:
    """The process and all below it."""
    below = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(one for child in below for one in _tree(int(child)))]
