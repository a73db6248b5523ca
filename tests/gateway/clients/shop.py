"""`segue gateway` as a process before stand-ins that speak the providers' APIs: what every client of these tests talks to.

Nothing here knows a client. A workflow is named after the provider that answers it; its application may set whatever the SDKs
can say, since it is the clients that are tried here.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import chdir, contextmanager, redirect_stdout
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any

from segue.cli.app import root as commands
from segue.gateway.keys import hash_key, make_key
from segue.standin.server import StandIn
from segue.standin.settings import StandInSettings, Trouble, TroubleKind

SEGUE = [sys.executable, "-c", "from segue.cli import main; main()"]
KEY = make_key(bytes(range(3, 35)))
TEXT = "Tools said: {results}. Images seen: {images}."
MAY_SET = [
    *("tools", "tool_choice", "parallel_tool_calls", "response_format", "text", "output_config", "output_format"),
    *("reasoning", "reasoning_effort", "thinking", "temperature", "top_p", "stop", "stop_sequences", "seed", "n", "store"),
    *("max_tokens", "max_completion_tokens", "max_output_tokens", "truncation"),
]


def answers(dialect: Any, trouble: TroubleKind | None = None, **given: Any) -> StandInSettings:
    """A stand-in of this dialect that tells in its answer what reached it."""
    troubles = () if trouble is None else (Trouble(kind=trouble, **given.pop("when", {})),)
    return StandInSettings(**{"dialect": dialect, "text": TEXT, "troubles": troubles, **given})


class StandIns:
    """Stand-ins in a thread of their own, so that a test may wait for a client that runs in this one."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._running: list[StandIn] = []

    def start(self, settings: StandInSettings) -> tuple[StandIn, str]:
        """A stand-in and its base URL."""
        made = StandIn(settings)
        base_url = asyncio.run_coroutine_threadsafe(made.__aenter__(), self._loop).result(30)
        self._running.append(made)
        return made, base_url

    def close(self) -> None:
        """End them all."""
        for one in self._running:
            asyncio.run_coroutine_threadsafe(one.__aexit__(None, None, None), self._loop).result(30)
        asyncio.run_coroutine_threadsafe(_cancel_all(), self._loop).result(30)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(30)
        self._loop.close()


async def _cancel_all() -> None:
    """Answers that nobody waits for any more: a stand-in that hangs does so for an hour."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


def write(root: Path, name: str, content: Any) -> None:
    """A file of the workspace; JSON is YAML."""
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content) + "\n", encoding="utf-8")


def segue(root: Path, *words: str, environ: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """A command typed in the workspace."""
    return subprocess.run(
        [*SEGUE, *words], cwd=root, capture_output=True, text=True, timeout=120, env={**os.environ, **(environ or {})}
    )


def make_workspace(root: Path, providers: Mapping[str, Mapping[str, Any]], bundles: Mapping[str, Mapping[str, Any]]) -> None:
    """A workspace with a workflow for each bundle, all served by it."""
    keys = {"keys": [{"name": "app", "hash": hash_key(KEY)}]}
    write(root, "segue.yaml", {"version": 1, "providers": dict(providers), "gateway": keys})
    for name, bundle in bundles.items():
        home = f"workflows/{name}"
        scorer = {"name": "right", "type": "contains"}
        workflow = {"scorers": [scorer], "gate": {"primary": ["right"]}, "serving": {"may_set": MAY_SET}}
        write(root, f"{home}/workflow.yaml", workflow)
        write(root, f"{home}/bundles/now.yaml", bundle)
        case = {"case_id": "c1", "messages": [{"role": "user", "content": "Hello"}], "reference": "Tools"}
        write(root, f"{home}/suites/main.jsonl", case)
    # In this process: each would take a second to start.
    with chdir(root), redirect_stdout(StringIO()):
        for name in bundles:
            commands.main(["route", "set", name, "now"], standalone_mode=False)


@contextmanager
def running_gateway(root: Path, *, environ: Mapping[str, str] | None = None) -> Iterator[dict[str, Any]]:
    """What `segue gateway --json` says of itself, until left."""
    command = [*SEGUE, "gateway", "--port", "0", "--json"]
    said = root / "gateway.log"
    with said.open("w", encoding="utf-8") as errors:
        process = subprocess.Popen(
            command, cwd=root, stdout=subprocess.PIPE, stderr=errors, text=True, env={**os.environ, **(environ or {})}
        )
        try:
            assert process.stdout is not None, "asked for"
            line = process.stdout.readline()
            assert line, said.read_text(encoding="utf-8")
            yield json.loads(line)
        finally:
            process.send_signal(signal.SIGTERM)
            status = process.wait(timeout=60)
            assert process.stdout is not None, "asked for"
            process.stdout.close()
        assert status == 0, said.read_text(encoding="utf-8")


@dataclass
class Shop:
    """A gateway that runs, and the stand-ins behind it by the name of the workflow each serves."""

    root: Path
    url: str
    stand_ins: dict[str, StandIn] = field(default_factory=dict)

    @property
    def openai(self) -> dict[str, Any]:
        """What an OpenAI client is given."""
        return {"base_url": f"{self.url}/v1", "api_key": KEY, "max_retries": 0, "timeout": 20}

    @property
    def anthropic(self) -> dict[str, Any]:
        """What an Anthropic client is given."""
        return {**self.openai, "base_url": self.url}

    def calls(self, workflow: str) -> int:
        """How often the provider of this workflow was asked."""
        return self.stand_ins[workflow].ledger.calls


def _api(name: str, settings: StandInSettings) -> dict[str, str]:
    return {"type": settings.dialect, **({"api": "responses"} if "responses" in name else {})}


@contextmanager
def a_shop(root: Path, settings: Mapping[str, StandInSettings], **bundle: Any) -> Iterator[Shop]:
    """A shop with a workflow, a provider and a stand-in of each name; one with `responses` in it is asked over that API."""
    stand_ins = StandIns()
    try:
        made = {name: stand_ins.start(one) for name, one in settings.items()}
        entries = {name: {**_api(name, settings[name]), "base_url": url, "timeout_s": 20} for name, (_, url) in made.items()}
        given = {"parameters": {"max_output_tokens": 4096}, "prompt": {"system": "You are the shop's."}, **bundle}
        bundles = {name: {"model": {"provider": name, "snapshot": f"{name}-1"}, **given} for name in settings}
        make_workspace(root, entries, bundles)
        with running_gateway(root) as told:
            yield Shop(root, told["url"], {name: one for name, (one, _) in made.items()})
    finally:
        stand_ins.close()
