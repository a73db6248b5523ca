"""`segue gateway`: serve workflows. `segue gateway key`: make a key for an application."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import click
from rich.markup import escape

from segue.cli.desk import open_desk
from segue.cli.groups import CommandGroup
from segue.cli.options import NEW, json_option
from segue.cli.route_commands import environment_option, state_folder
from segue.cli.screen import console, error_console, print_json
from segue.errors import ProviderError, StoreError

if TYPE_CHECKING:
    from segue.gateway.keeper import Keeper
    from segue.gateway.last_known import LastKnown
    from segue.model.serving import GatewayKey
    from segue.workspace import Workspace

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


@click.group("gateway", cls=CommandGroup, invoke_without_command=True)
@click.option("--host", default="127.0.0.1", show_default=True, help="Where to listen.")
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True, help="0 takes a free one.")
@click.option("--workers", type=click.IntRange(1, 256), default=1, show_default=True, help="Processes that share the port.")
@environment_option
@json_option
@click.pass_context
def gateway_command(context: click.Context, host: str, port: int, workers: int, environment: str, as_json: bool) -> None:
    """Serve the workflows that have a route, to OpenAI and Anthropic clients, until told to end.

    With --json, one line on standard output says where it serves, once it does.
    """
    if context.invoked_subcommand is None:
        _need_extra()
        _serve(host, port, workers, environment, as_json=as_json)


@gateway_command.command("key")
@click.argument("name", type=NEW)
@click.option("--workflow", "workflows", multiple=True, help="May call this one; without any, all.")
@click.option("--may-pin", is_flag=True, help="Requests may choose their bundle, for debugging.")
@json_option
def make(name: str, workflows: tuple[str, ...], may_pin: bool, as_json: bool) -> None:
    """Make a key for the application NAME: shown once, and kept nowhere."""
    _need_extra()
    from segue.gateway.keys import hash_key, make_key

    key = make_key(secrets.token_bytes(32))
    entry: dict[str, Any] = {"name": name, "hash": hash_key(key)}
    if workflows:
        entry["workflows"] = list(workflows)
    if may_pin:
        entry["permissions"] = ["call", "feedback", "pin"]
    if as_json:
        print_json({"key": key, "entry": entry})
        return
    screen = console()
    screen.print(key, markup=False, soft_wrap=True)
    error_console().print(
        "That is the key; it is shown this once. Write this under gateway: keys: in segue.yaml, and commit it:\n"
        f"  - {json.dumps(entry)}",
        markup=False,
        soft_wrap=True,
    )


def _serve(host: str, port: int, workers: int, environment: str, *, as_json: bool) -> None:
    from segue.gateway.control import socket_folder
    from segue.gateway.keeper import Keeper, KeeperSettings
    from segue.gateway.worker import WorkerSettings
    from segue.workspace import find_workspace, load_workspace

    screen = error_console()
    workspace = load_workspace(find_workspace(Path.cwd()), os.environ)
    with ExitStack() as stack:
        state = state_folder(workspace.root)
        keys = _passing_keys(workspace, host)
        last_known = state / f"last-known-{environment}.json"
        read = _reader(stack, workspace, environment, last_known, tuple(key for _, key in keys))
        sockets = socket_folder(state)
        sockets.mkdir(parents=True, exist_ok=True, mode=0o700)
        run = secrets.token_hex(4)
        worker = WorkerSettings(
            number=0,
            run=run,
            host=host,
            port=port,
            last_known=last_known,
            spool=state / "spool",
        )
        settings = KeeperSettings(workers, worker, sockets / f"{os.getpid()}.sock", state / "exchanges")

        def report(text: str) -> None:
            screen.print(text, style="yellow", markup=False)

        def started(listening: int) -> None:
            found = read()
            if as_json:
                given = {"url": _url(host, listening), "revisions": found.numbers(), "key": keys[0][0] if keys else None}
                sys.stdout.write(json.dumps(given) + "\n")
                sys.stdout.flush()
            _greet(_url(host, listening), found, keys)

        keeper = Keeper(settings, read=read, environ=workspace.environ, report=report, started=started)
        asyncio.run(_until_told(keeper, workspace.state))
    screen.print("Stopped. Requests under way were finished.", style="dim")


def _reader(
    stack: ExitStack, workspace: Workspace, environment: str, last_known: Path, keys: tuple[GatewayKey, ...]
) -> Callable[[], LastKnown]:
    """What to serve from: workspace and store; where the store cannot be opened, the last known routes."""
    from segue.gateway.last_known import load_last_known
    from segue.gateway.reading import WorkspaceReader

    try:
        desk = stack.enter_context(open_desk())
    except StoreError as error:
        found = load_last_known(last_known)
        told = f"The store cannot be opened: {error.what} Serving the last known routes, of {_when(last_known)}."
        error_console().print(told, style="yellow", markup=False)
        return lambda: found.model_copy(update={"keys": (*workspace.config.gateway.keys, *keys)})
    instead = stack.enter_context(_simulated(workspace))
    reader = WorkspaceReader(workspace.root, workspace.environ, desk.store, environment, instead=instead, keys=keys)
    return reader.read


def _when(path: Path) -> str:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC).strftime("%Y-%m-%d %H:%M UTC")


async def _until_told(keeper: Keeper, store: str) -> None:
    from segue.store.flips import FlipBell

    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, keeper.stop)
    with FlipBell(store, lambda: loop.call_soon_threadsafe(keeper.ring)):
        await keeper.run()


def _url(host: str, port: int) -> str:
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{port}"


def _greet(url: str, found: LastKnown, keys: list[tuple[str, GatewayKey]]) -> None:
    """Where it is, what it serves, and how to ask."""
    screen = error_console()
    numbers = found.numbers()
    screen.print(f"Serving {found.environment} on {url}", style="bold")
    for workflow, revision in sorted(numbers.items()):
        screen.print(f"  {escape(workflow)}, revision {revision}")
    if not numbers:
        screen.print("  No workflow has a route yet: segue route set WORKFLOW BUNDLE. It is served as soon as it is set.")
    for key, _ in keys:
        screen.print("segue.yaml declares no gateway key, so this one is valid until the gateway ends:")
        screen.print(f"  {key}", markup=False, soft_wrap=True)
    screen.print(f"OpenAI clients: base URL {url}/v1. Anthropic clients: {url}.", style="dim")


def _passing_keys(workspace: Workspace, host: str) -> list[tuple[str, GatewayKey]]:
    """A key for trying things out, where none is declared and nobody else can reach the gateway."""
    from segue.gateway.keys import hash_key, make_key
    from segue.model.serving import GatewayKey

    if workspace.config.gateway.keys:
        return []
    if host not in LOOPBACK:
        raise ProviderError(
            f"segue.yaml declares no gateway key, and {host} can be reached by others.",
            fix="Make one: segue gateway key NAME",
        )
    key = make_key(secrets.token_bytes(32))
    permissions = ("call", "feedback", "pin", "metrics")
    return [(key, GatewayKey(name="this-gateway", hash=hash_key(key), permissions=permissions))]


@contextmanager
def _simulated(workspace: Workspace) -> Iterator[Mapping[str, dict[str, Any]]]:
    """Scripted providers as servers of their own, so that a simulated model is asked over HTTP as any other is."""
    entries = {name: entry for name, entry in workspace.config.providers.items() if entry.get("type") == "scripted"}
    instead: dict[str, dict[str, Any]] = {}
    processes: list[subprocess.Popen[str]] = []
    with TemporaryDirectory(prefix="segue-scripted-") as scratch:
        suite = Path(scratch) / "suite.jsonl"
        suite.write_text("".join(_cases(workspace)) if entries else "", encoding="utf-8")
        try:
            for number, (name, entry) in enumerate(entries.items()):
                script = Path(scratch) / f"{number}.json"
                script.write_text(json.dumps(entry), encoding="utf-8")
                command = [sys.executable, "-m", "segue.standin", "--script", str(script), "--suite", str(suite)]
                process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
                processes.append(process)
                assert process.stdout is not None, "asked for"
                base_url = process.stdout.readline().strip()
                if not base_url:
                    raise StoreError(f"The simulated provider '{name}' did not start.", fix="See the message above.")
                instead[name] = {"type": "openai", "base_url": base_url}
            yield instead
        finally:
            for process in processes:
                process.terminate()
            for process in processes:
                process.wait(timeout=10)


def _cases(workspace: Workspace) -> Iterator[str]:
    """The cases whose references simulated models answer with."""
    for workflow in workspace.workflows:
        for suite in workspace.suites(workflow):
            for case in workspace.iter_suite(workflow, suite):
                yield case.model_dump_json(exclude_defaults=True) + "\n"


def _need_extra() -> None:
    try:
        import httptools  # noqa: F401
        import msgspec  # noqa: F401
    except ImportError as error:
        raise ProviderError(
            f"The gateway needs packages that are not installed ({error.name}).",
            fix="Install them: pip install 'segue-ai[serve]'",
        ) from None
