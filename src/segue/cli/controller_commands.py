"""`segue controller`: lead the upgrades of an environment, and serve the HTTP API. `segue serve`: the gateway beside it."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from socket import gethostname
from typing import TYPE_CHECKING, Any

import click

from segue.cli.gateway_commands import LOOPBACK, need_extra, url_of
from segue.cli.groups import CommandGroup
from segue.cli.options import NEW, json_option
from segue.cli.route_commands import environment_option
from segue.cli.screen import console, error_console, print_json
from segue.errors import ProviderError

if TYPE_CHECKING:
    from segue.controller.controller import Controller
    from segue.controller.suites_endpoint import Endpoint
    from segue.model.controlling import ControllerKey
    from segue.store.base import Store
    from segue.workspace import Workspace

EVERY_S = 5.0
API_PORT = 8090
every_option = click.option(
    "--every",
    type=click.FloatRange(0.1, 60.0),
    default=EVERY_S,
    show_default=True,
    metavar="SECONDS",
    help="How often to look, and to carry out what people asked for.",
)


@click.group("controller", cls=CommandGroup, invoke_without_command=True)
@environment_option
@every_option
@click.option("--host", default="127.0.0.1", show_default=True, help="Where the API listens.")
@click.option("--port", type=click.IntRange(0, 65535), default=API_PORT, show_default=True, help="0 takes a free one.")
@click.option("--no-api", is_flag=True, help="Serve no API.")
@click.option("--endpoint", metavar="URL", help="Where production is reached, for daily evals; else as in segue.yaml.")
@json_option
@click.pass_context
def controller_command(
    context: click.Context,
    environment: str,
    every: float,
    host: str,
    port: int,
    no_api: bool,
    endpoint: str | None,
    as_json: bool,
) -> None:
    """Lead the open upgrades of an environment until told to end, and serve the HTTP API.

    Any number may run: one acts, the others stand by. With --json, a line on standard output for each decision.
    """
    if context.invoked_subcommand is None:
        need_extra()
        _run(environment, every, None if no_api else (host, port), endpoint, as_json=as_json)


@controller_command.command("key")
@click.argument("name", type=NEW)
@click.option("--may-operate", is_flag=True, help="May open upgrades and act on them, and tell of tickets; else it may read.")
@click.option("--for", "people", multiple=True, metavar="PERSON", help="In whose name it may act; without any, in anyone's.")
@click.option("--workflow", "workflows", multiple=True, help="For this one; without any, for all.")
@json_option
def make(name: str, may_operate: bool, people: tuple[str, ...], workflows: tuple[str, ...], as_json: bool) -> None:
    """Make a key of the HTTP API for the program NAME: shown once, and kept nowhere."""
    from segue.gateway.keys import hash_key, make_key

    key = make_key(secrets.token_bytes(32))
    entry: dict[str, Any] = {"name": name, "hash": hash_key(key)}
    if may_operate:
        entry["permissions"] = ["read", "operate", "tickets"]
    if people:
        entry["people"] = list(people)
    if workflows:
        entry["workflows"] = list(workflows)
    if as_json:
        print_json({"key": key, "entry": entry})
        return
    console().print(key, markup=False, soft_wrap=True)
    error_console().print(
        "That is the key; it is shown this once. Write this under controller: keys: in segue.yaml, and commit it:\n"
        f"  - {json.dumps(entry)}",
        markup=False,
        soft_wrap=True,
    )


def _run(environment: str, every: float, where: tuple[str, int] | None, endpoint: str | None, *, as_json: bool) -> None:
    from segue.cli.controller_notices import NoticesBegun
    from segue.cli.controller_running import Running
    from segue.cli.controller_screen import JsonTelling, TextTelling
    from segue.cli.upgrade_opening import wall_clock
    from segue.workspace import find_workspace, load_workspace

    workspace = load_workspace(find_workspace(Path.cwd()), os.environ)
    told = _told_endpoint(endpoint, workspace.environ)
    keys = _passing_keys(workspace, where)
    holder = f"{gethostname()}-{os.getpid()}-{secrets.token_hex(2)}"
    stores = Stores(workspace)

    def build(stack: ExitStack) -> Controller:
        from segue.cli.controller_world import build_world
        from segue.controller.controller import LEASE_S, Controller

        store = stores.get()
        world = build_world(workspace, store, wall_clock, stack, endpoint=told)
        return Controller(world, holder, environment, lease_s=max(3 * every, min(LEASE_S, 15 * every)))

    telling = JsonTelling() if as_json else TextTelling()
    running = Running(build, telling, every, NoticesBegun(telling))
    try:
        asyncio.run(_until_told(running, workspace, stores, environment, where, keys, holder, as_json=as_json))
    finally:
        stores.close()
    if not as_json:
        error_console().print("Stopped. Whoever starts next goes on from here.", style="dim")


async def _until_told(
    running: Any,
    workspace: Workspace,
    stores: Stores,
    environment: str,
    where: tuple[str, int] | None,
    keys: list[tuple[str, ControllerKey]],
    holder: str,
    *,
    as_json: bool,
) -> None:
    from segue.store.flips import FlipBell

    loop = asyncio.get_running_loop()
    bells: list[asyncio.Event] = []

    def ring() -> None:
        for bell in bells:
            loop.call_soon_threadsafe(bell.set)

    listener, url = None, None
    if where is not None:
        from segue.cli.controller_api import serve_api

        listener, port = await serve_api(workspace, stores.get, environment, where, [one for _, one in keys], ring)
        url = url_of(where[0], port)
    try:
        _say_started(environment, holder, url, [key for key, _ in keys], as_json=as_json)
        with FlipBell(workspace.state, ring):
            await running.run(bells.append)
    finally:
        if listener is not None:
            await listener.stop()


def _say_started(environment: str, holder: str, url: str | None, keys: list[str], *, as_json: bool) -> None:
    if as_json or os.environ.get("SEGUE_SERVE_ANNOUNCE"):
        given = {"environment": environment, "holder": holder, "url": url, "key": keys[0] if keys else None}
        sys.stdout.write(json.dumps(given) + "\n")
        sys.stdout.flush()
    if as_json:
        return
    screen = error_console()
    api = f"; the API is on {url}" if url else ""
    screen.print(f"Leading the upgrades of {environment}{api}", style="bold", markup=False, soft_wrap=True)
    for key in keys:
        screen.print("segue.yaml declares no controller key, so this one is valid until the controller ends:")
        screen.print(f"  {key}", markup=False, soft_wrap=True)


class Stores:
    """One store for controller and API, opened at the first call that finds it there."""

    def __init__(self, workspace: Workspace) -> None:
        import threading

        self._workspace = workspace
        self._store: Store | None = None
        self._lock = threading.Lock()

    def get(self) -> Store:
        """`StoreError` where it cannot be opened."""
        from segue.cli.desk import open_state

        with self._lock:
            if self._store is None:
                self._store = open_state(self._workspace)
            return self._store

    def close(self) -> None:
        """Close it, if it was opened."""
        if self._store is not None:
            self._store.close()


def _told_endpoint(url: str | None, environ: Mapping[str, str]) -> Endpoint | None:
    from segue.controller.suites_endpoint import ENDPOINT_KEY, Endpoint

    if url is None:
        return None
    key = environ.get(ENDPOINT_KEY, "")
    if not key:
        raise ProviderError(
            f"The key for {url[:200]} is not there: {ENDPOINT_KEY} is not set.",
            fix=f"export {ENDPOINT_KEY}=…, a gateway key that may call and pin: segue gateway key NAME --may-pin",
        )
    return Endpoint(url, key)


def _passing_keys(workspace: Workspace, where: tuple[str, int] | None) -> list[tuple[str, ControllerKey]]:
    """A key for trying things out, where none is declared and nobody else can reach the API."""
    from segue.gateway.keys import hash_key, make_key
    from segue.model.controlling import ControllerKey

    if where is None or workspace.config.controller.keys:
        return []
    if where[0] not in LOOPBACK:
        raise ProviderError(
            f"segue.yaml declares no controller key, and {where[0]} can be reached by others.",
            fix="Make one: segue controller key NAME --may-operate; or leave the API out: --no-api",
        )
    key = os.environ.get("SEGUE_SERVE_API_KEY") or make_key(secrets.token_bytes(32))
    permissions = ("read", "operate", "tickets")
    return [(key, ControllerKey(name="this-controller", hash=hash_key(key), permissions=permissions))]


@click.command("serve")
@environment_option
@click.option("--host", default="127.0.0.1", show_default=True, help="Where gateway and API listen.")
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True, help="The gateway's; 0: a free one.")
@click.option(
    "--api-port", type=click.IntRange(0, 65535), default=API_PORT, show_default=True, help="The API's; 0: a free one."
)
@click.option("--no-api", is_flag=True, help="Serve no API.")
@click.option("--workers", type=click.IntRange(1, 256), default=1, show_default=True, help="Processes of the gateway.")
@every_option
@click.option("--metrics", metavar="HOST:PORT", help="Where to serve Prometheus metrics; else as in segue.yaml, else nowhere.")
@click.option("--log", type=click.Choice(["text", "json", "access"]), help="What the gateway writes to standard error.")
@json_option
def serve_command(
    environment: str,
    host: str,
    port: int,
    api_port: int,
    no_api: bool,
    workers: int,
    every: float,
    metrics: str | None,
    log: str | None,
    as_json: bool,
) -> None:
    """Serve: the gateway and the controller together, until told to end.

    Ctrl-C ends both, requests under way finished first; one that dies is started again. With --json, what each says is a line
    on standard output, under its name.
    """
    need_extra()
    from segue.cli.serve_command import Serving, run_both
    from segue.gateway.keys import make_key
    from segue.workspace import find_workspace, load_workspace

    load_workspace(find_workspace(Path.cwd()), os.environ)
    shared = ("--environment", environment, "--host", host)
    own = ("--own-key",) if host in LOOPBACK else ()
    gateway = (*shared, *own, "--workers", str(workers), *_given("--metrics", metrics), *_given("--log", log))
    controller = (*shared, "--every", str(every), *(("--no-api",) if no_api else ()))
    keys = [make_key(secrets.token_bytes(32)) for _ in range(2)]
    code = run_both(Serving(gateway, controller, port, api_port, keys[0], keys[1], as_json))
    if code:
        raise click.exceptions.Exit(code)


def _given(option: str, value: str | None) -> tuple[str, ...]:
    return () if value is None else (option, value)
