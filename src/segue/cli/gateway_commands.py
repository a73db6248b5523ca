"""`segue gateway`: serve workflows. `segue gateway key`: make a key for an application."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from socket import gethostname
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import click

from segue.cli.flipping import state_folder
from segue.cli.gateway_screen import open_screen
from segue.cli.groups import CommandGroup
from segue.cli.options import NEW, json_option
from segue.cli.process_tree import end_with_parent
from segue.cli.route_commands import environment_option
from segue.cli.screen import console, error_console, print_json
from segue.errors import ProviderError, StoreError

if TYPE_CHECKING:
    from segue.gateway.keeper import Keeper, Started
    from segue.gateway.telemetry.settings import TelemetrySettings
    from segue.model.serving import GatewayKey, LogForm
    from segue.workspace import Workspace

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


@click.group("gateway", cls=CommandGroup, invoke_without_command=True)
@click.option("--host", default="127.0.0.1", show_default=True, help="Where to listen.")
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True, help="0 takes a free one.")
@click.option("--workers", type=click.IntRange(1, 256), default=1, show_default=True, help="Processes that share the port.")
@click.option("--metrics", metavar="HOST:PORT", help="Where to serve Prometheus metrics; else as in segue.yaml, else nowhere.")
@click.option(
    "--log",
    type=click.Choice(["text", "json", "access"]),
    help="What to write to standard error: text, a JSON object for each event, or one for each exchange, too.",
)
@click.option("--own-key", is_flag=True, help="Make a key for this start, also where segue.yaml declares some; on loopback.")
@environment_option
@json_option
@click.pass_context
def gateway_command(
    context: click.Context,
    host: str,
    port: int,
    workers: int,
    metrics: str | None,
    log: LogForm | None,
    own_key: bool,
    environment: str,
    as_json: bool,
) -> None:
    """Serve the workflows that have a route, to OpenAI and Anthropic clients, until told to end.

    With --json, one line on standard output says where it serves, once it does.
    """
    if context.invoked_subcommand is None:
        need_extra()
        _serve(host, port, workers, environment, metrics=metrics, log=log, own_key=own_key, as_json=as_json)


@gateway_command.command("key")
@click.argument("name", type=NEW)
@click.option("--workflow", "workflows", multiple=True, help="May call this one; without any, all.")
@click.option("--may-pin", is_flag=True, help="Requests may choose their bundle, for debugging.")
@json_option
def make(name: str, workflows: tuple[str, ...], may_pin: bool, as_json: bool) -> None:
    """Make a key for the application NAME: shown once, and kept nowhere."""
    need_extra()
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


def _serve(
    host: str,
    port: int,
    workers: int,
    environment: str,
    *,
    metrics: str | None,
    log: LogForm | None,
    own_key: bool,
    as_json: bool,
) -> None:
    from segue.cli.desk import open_state
    from segue.gateway.control import socket_folder
    from segue.gateway.keeper import Keeper, KeeperSettings
    from segue.gateway.reading import WorkspaceReader
    from segue.gateway.telemetry.lines import Happened
    from segue.gateway.worker import WorkerSettings
    from segue.workspace import find_workspace, load_workspace

    workspace = load_workspace(find_workspace(Path.cwd()), os.environ)
    telemetry = _telemetry(workspace, metrics, log)
    screen = open_screen(telemetry.log)
    with ExitStack() as stack:
        state = state_folder(workspace.root)
        keys = _passing_keys(workspace, host, is_wanted=own_key)
        source = WorkspaceReader(
            workspace.root,
            workspace.environ,
            lambda: open_state(workspace),
            environment,
            instead=stack.enter_context(_simulated(workspace)),
            keys=tuple(key for _, key in keys),
        )
        stack.callback(source.close)
        sockets = socket_folder(state)
        sockets.mkdir(parents=True, exist_ok=True, mode=0o700)
        worker = WorkerSettings(
            number=0,
            run=secrets.token_hex(4),
            host=host,
            port=port,
            last_known=state / f"last-known-{environment}.json",
            spool=state / "spool",
            passes_traces=telemetry.spans,
        )
        name = f"{gethostname()}-{os.getpid()}-{worker.run}"
        own = sockets / f"{os.getpid()}.sock"
        settings = KeeperSettings(
            name,
            workers,
            worker,
            own,
            state / "exchanges",
            telemetry=telemetry,
            ship_within_s=workspace.config.gateway.ship_within_s,
        )

        def started(found: Started) -> None:
            url, metrics = url_of(host, found.port), None
            if telemetry.metrics is not None and found.metrics_port is not None:
                metrics = f"{url_of(telemetry.metrics[0], found.metrics_port)}/metrics"
            if as_json:
                key = keys[0][0] if keys else None
                given = {"url": url, "revisions": found.revisions, "refused": found.refused, "key": key, "metrics": metrics}
                sys.stdout.write(json.dumps(given) + "\n")
                sys.stdout.flush()
            screen.started(url, environment, found, metrics, [key for key, _ in keys])

        keeper = Keeper(settings, source=source, environ=workspace.environ, report=screen.report, started=started)
        if telemetry.spans:
            screen.report(Happened("spans_on", "Spans go to the collector that OTEL_EXPORTER_OTLP_… names.", "info"))
        asyncio.run(_until_told(keeper, workspace.state, environment))
    screen.stopped()


def _telemetry(workspace: Workspace, metrics: str | None, log: LogForm | None) -> TelemetrySettings:
    """As the command line says, else as segue.yaml does; spans as OpenTelemetry's variables do."""
    from segue.gateway.telemetry.exporting import wants_spans
    from segue.gateway.telemetry.settings import TelemetrySettings
    from segue.model.serving import parse_address

    declared = workspace.config.gateway
    where = metrics or declared.metrics
    try:
        address = None if where is None else parse_address(where)
    except ValueError as error:
        raise click.BadParameter(f"{error}.", param_hint="--metrics") from None
    wanted = wants_spans(os.environ)
    _need_packages(metrics=address is not None, spans=wanted)
    return TelemetrySettings(address, log or declared.log, wanted)


async def _until_told(keeper: Keeper, store: str, environment: str) -> None:
    from segue.store.flips import FlipBell

    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, keeper.stop)

    def tell(workflow: str, where: str, revision: int) -> None:
        if where == environment:
            loop.call_soon_threadsafe(keeper.ring, {workflow: revision})

    with FlipBell(store, lambda: loop.call_soon_threadsafe(keeper.ring), tell=tell):
        await keeper.run()


def url_of(host: str, port: int) -> str:
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{port}"


def _passing_keys(workspace: Workspace, host: str, *, is_wanted: bool) -> list[tuple[str, GatewayKey]]:
    """A key for trying things out, where none is declared or one is wanted, and nobody else can reach the gateway."""
    from segue.gateway.keys import hash_key, make_key
    from segue.model.serving import GatewayKey

    if workspace.config.gateway.keys and not is_wanted:
        return []
    if host not in LOOPBACK:
        if workspace.config.gateway.keys:
            raise ProviderError(
                f"--own-key is for loopback, and {host} can be reached by others.",
                fix="Leave it out, and use a key that segue.yaml declares.",
            )
        raise ProviderError(
            f"segue.yaml declares no gateway key, and {host} can be reached by others.",
            fix="Make one: segue gateway key NAME",
        )
    # Under `segue serve` the key outlives this process: whoever starts it again gives the same.
    key = os.environ.get("SEGUE_SERVE_KEY") or make_key(secrets.token_bytes(32))
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
            # All are started before the first is waited for: each takes most of a second.
            for number, entry in enumerate(entries.values()):
                script = Path(scratch) / f"{number}.json"
                script.write_text(json.dumps(entry), encoding="utf-8")
                given = ("--script", str(script), "--suite", str(suite), "--root", str(workspace.root))
                command = [sys.executable, "-m", "segue.standin", *given]
                process = subprocess.Popen(
                    command, stdout=subprocess.PIPE, text=True, start_new_session=True, preexec_fn=end_with_parent
                )
                processes.append(process)
            for name, process in zip(entries, processes, strict=True):
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


def _need_packages(*, metrics: bool, spans: bool) -> None:
    """What telemetry is made with, where it is asked for."""
    if metrics and not _is_installed("prometheus_client"):
        raise ProviderError(
            "Metrics need a package that is not installed (prometheus_client).",
            fix="Install it: pip install 'segue-ai[serve]'",
        )
    if spans and not (_is_installed("opentelemetry.sdk") and _is_installed("opentelemetry.exporter.otlp.proto.http")):
        raise ProviderError(
            "OpenTelemetry's variables name a collector, and the packages for it are not installed.",
            fix="Install them: pip install 'segue-ai[serve,otel]'. To go without: export OTEL_TRACES_EXPORTER=none",
        )


def _is_installed(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:
        return False


def need_extra() -> None:
    try:
        import httptools  # noqa: F401
        import msgspec  # noqa: F401
        import xxhash  # noqa: F401
    except ImportError as error:
        raise ProviderError(
            f"The gateway needs packages that are not installed ({error.name}).",
            fix="Install them: pip install 'segue-ai[serve]'",
        ) from None
