"""The controller's world made of the real things: this workspace, its store, its gateways, its jobs, its exchange log."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from segue.cli.flipping import state_folder

if TYPE_CHECKING:
    from segue.controller.grounds_workspace import CurrentWorkspace
    from segue.controller.ports import Clock, LiveEvidence
    from segue.controller.suites_endpoint import Endpoint
    from segue.controller.world import World
    from segue.gates.report import Report
    from segue.model import Budgets
    from segue.store.base import Store
    from segue.upgrade.log import Upgrade, UpgradeEntry
    from segue.workspace import Workspace


def build_world(
    workspace: Workspace, store: Store, clock: Clock, stack: ExitStack, *, endpoint: Endpoint | None = None
) -> World:
    """All ports on what is really there; `stack` closes them. `endpoint` is where production is reached, if one was told."""
    from segue.controller.data_plane import StoreGateways
    from segue.controller.drift_report_shadow import start_drift
    from segue.controller.grounds import WorkspaceGrounds
    from segue.controller.grounds_workspace import CurrentWorkspace
    from segue.controller.incidents import open_incident
    from segue.controller.jobs import Jobs
    from segue.controller.notices import Webhooks
    from segue.controller.notices_troubles import Troubles
    from segue.controller.probing import Prober
    from segue.controller.probing_asking import probe_endpoint, probe_provider
    from segue.controller.soak_lacks import soak_lacks
    from segue.controller.staging import StagingJobs
    from segue.controller.suites import EvalJobs
    from segue.controller.world import World
    from segue.errors import SegueError
    from segue.gateway.control import socket_folder

    root, environ = workspace.root, dict(workspace.environ)
    state = state_folder(root)
    current = CurrentWorkspace(root, environ)
    where = _endpoint(current, endpoint)
    jobs = Jobs(state / "jobs", cwd=root, environ=environ)
    probe = probe_provider(current, store) if where() is None else probe_endpoint(where)
    prober = Prober(store, probe)
    stack.callback(prober.close)
    webhooks = Webhooks(store, environ, clock=clock)
    stack.callback(webhooks.close)
    troubles = Troubles(store, webhooks.tell)

    def incident(upgrade: Upgrade, entry: UpgradeEntry) -> None:
        open_incident(store, upgrade, entry, clock())

    def shadowed(upgrade: Upgrade, entry: UpgradeEntry) -> None:  # noqa: ARG001  the signature is the world's
        # A report that cannot be begun keeps no upgrade from going on.
        with suppress(OSError, SegueError):
            start_drift(jobs, upgrade)

    return World(
        store=store,
        clock=clock,
        live=_live(current, store, state),
        grounds=WorkspaceGrounds(current, store),
        suites=EvalJobs(store, jobs, clock, where),
        staging=StagingJobs(store, jobs, clock),
        gateways=StoreGateways(store, socket_folder(state)),
        incumbent=prober,
        notices=webhooks,
        incident=incident,
        shadowed=shadowed,
        soak_lacks=partial(soak_lacks, store),
        troubles=troubles.look,
        led_fault=troubles.led_fault,
    )


def _endpoint(current: CurrentWorkspace, told: Endpoint | None) -> Callable[[], Endpoint | None]:
    """Where production is reached: as it was told at the start, else as segue.yaml says now."""
    from segue.controller.suites_endpoint import find_endpoint
    from segue.errors import SegueError

    def where() -> Endpoint | None:
        if told is not None:
            return told
        try:
            workspace = current.read()
        except SegueError:
            return None
        return find_endpoint(workspace.config.gateway, workspace.environ)

    return where


def _live(current: CurrentWorkspace, store: Store, state: Path) -> LiveEvidence:
    """What the exchange log of this workspace shows. Budgets are the workflow's as they are now."""
    from segue.controller.live import LogEvidence
    from segue.controller.live_levels import FactLevels
    from segue.exchanges.query import ExchangeLog

    def budgets(workflow: str) -> Budgets:
        return current.read().load_workflow(workflow).budgets

    log = ExchangeLog(state / "spool", state / "exchanges")
    return LogEvidence(log, levels=FactLevels(store), report=lambda one: suite_report(store, one), budgets=budgets)


def suite_report(store: Store, upgrade: Upgrade) -> Report | None:
    """The regression gate's report that the upgrade went on with; `None` where it did not, or the report cannot be read."""
    from segue.errors import SegueError
    from segue.gates.report_reading import report_from_json

    for entry in reversed(upgrade.entries):
        suite = entry.evidence.get("suite")
        if isinstance(suite, dict):
            try:
                return report_from_json(store.get_verdict(str(suite["verdict"]))[1])
            except SegueError:
                return None
    return None
