"""What `segue serve` runs: the gateway, and the controller beside it, which reaches production through that gateway."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from segue.cli.process_tree import Child, ChildFailedError, ProcessTree, Words
from segue.cli.screen import error_console, print_error
from segue.cli.streams import write_out
from segue.controller.jobs import SEGUE
from segue.controller.suites_endpoint import ENDPOINT_KEY
from segue.errors import Fault, InputError, SegueError

GATEWAY_KEY, API_KEY = "SEGUE_SERVE_KEY", "SEGUE_SERVE_API_KEY"
"""Keys that this process makes for its children, so that one that is started again takes the same."""
ANNOUNCE = "SEGUE_SERVE_ANNOUNCE"
"""Set for the controller: it writes where it is to standard output, whatever else it writes."""


@dataclass(frozen=True)
class Serving:
    """Words of both commands."""

    gateway: tuple[str, ...]
    controller: tuple[str, ...]
    port: int
    api_port: int
    gateway_key: str
    api_key: str
    as_json: bool = False


def run_both(serving: Serving) -> int:
    """Until told to end; the exit code."""
    return asyncio.run(_run(serving))


async def _run(serving: Serving) -> int:
    screen = error_console()

    def say(text: str) -> None:
        screen.print(text, style="yellow", markup=False, soft_wrap=True)

    def line(name: str, told: dict[str, Any]) -> None:
        if serving.as_json:
            write_out(json.dumps({name: told}, ensure_ascii=sys.stdout.encoding.lower() != "utf-8"))

    def failed(name: str, error: ChildFailedError) -> int:
        """The exit code; what a child wrote to standard output is told as any command tells it."""
        if error.told is not None:
            if serving.as_json:
                line(name, error.told)
            else:
                print_error(_error_of(error), as_json=False)
        return error.code

    tree = ProcessTree(say, line)
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, tree.end)
    gateway = Child("gateway", lambda started: _gateway(serving, started))
    controller = Child("controller", lambda started: _controller(serving, started, gateway.started or {}))
    try:
        await tree.run((gateway, controller))
    except ChildFailedError as error:
        return failed("gateway" if controller.started is None and gateway.started is None else "controller", error)
    return 0


def _error_of(failed: ChildFailedError) -> SegueError:
    """What a child said with `--json`, as it would have said it to people."""
    told = (failed.told or {}).get("error")
    told = told if isinstance(told, dict) else {}
    rows = [row for row in told.get("faults") or () if isinstance(row, dict)]
    faults = [_fault_of(row) for row in rows]
    return InputError(failed.why, fix=str(told.get("fix") or ""), faults=faults)


def _fault_of(row: dict[str, Any]) -> Fault:
    file, line, path, likely = (row.get(name) for name in ("file", "line", "path", "likely"))
    return Fault(str(row.get("what")), str(row.get("fix") or ""), file, line, path, likely)


def _gateway(serving: Serving, started: dict[str, Any] | None) -> Words:
    port = serving.port if started is None else _port_of(started["url"])
    command = (*SEGUE, "gateway", *serving.gateway, "--port", str(port), "--json")
    return Words(command, {**os.environ, GATEWAY_KEY: serving.gateway_key})


def _controller(serving: Serving, started: dict[str, Any] | None, gateway: dict[str, Any]) -> Words:
    port = serving.api_port if started is None or not started.get("url") else _port_of(started["url"])
    words: Sequence[str] = (*SEGUE, "controller", *serving.controller, "--port", str(port))
    environ = {**os.environ, API_KEY: serving.api_key, ANNOUNCE: "1"}
    if gateway.get("key"):
        # No key is declared, so the one made for this start is the only one there is.
        words = (*words, "--endpoint", gateway["url"])
        environ[ENDPOINT_KEY] = gateway["key"]
    return Words((*words, "--json") if serving.as_json else tuple(words), environ)


def _port_of(url: str) -> int:
    return int(url.rpartition(":")[2])
