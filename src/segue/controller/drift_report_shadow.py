"""The drift report of an upgrade's shadow stage: written down when shadow is passed, shown for as long as anybody asks.

What is written down (the fact `drift`) holds no words of users. Also here: a reader made from a workspace and its store.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

from pydantic import ValidationError

from segue.controller.drift_report import NS, DriftReader, DriftScope
from segue.controller.effects import AUTHOR
from segue.controller.jobs import SEGUE, Jobs
from segue.controller.staging_facts import DRIFT
from segue.drift.drift_report import DriftReport
from segue.errors import NotFoundError, SegueError
from segue.exchanges.query import ExchangeLog
from segue.gateway.enriching import Enricher
from segue.gateway.reading import declared_prices
from segue.model import Bundle
from segue.providers.config import parse_provider, vendor_of_provider
from segue.providers.pricing import PriceBook
from segue.store.base import Store
from segue.store.upgrades import UpgradeStore
from segue.upgrade.log import Upgrade
from segue.workspace import Workspace


def shadow_report(
    reader: DriftReader, upgrade: Upgrade, now: float, slices: frozenset[str] = frozenset()
) -> DriftReport | None:
    """What moved in shadow with the candidate as it is; `None` before it began. `slices` are those the workflow declares."""
    began = shadow_began(upgrade)
    if began is None:
        return None
    state = upgrade.state
    scope = DriftScope(
        workflow=state.workflow,
        environment=state.environment,
        incumbent=state.incumbent,
        candidate=state.candidate,
        since_ns=int(began * NS),
        until_ns=int(now * NS),
        slices=slices,
    )
    return reader.report(scope)


def shadow_began(upgrade: Upgrade) -> float | None:
    """When shadow of this candidate was entered last, in seconds since the epoch."""
    candidate = upgrade.state.candidate
    found = [
        entry.state.entered_at
        for entry in upgrade.entries
        if entry.state.stage == "shadow" and entry.state.candidate == candidate
    ]
    return found[-1] if found else None


def start_drift(jobs: Jobs, upgrade: Upgrade, command: tuple[str, ...] = SEGUE) -> None:
    """Have the report of a shadow that was passed written down, by a job: of many pairs it takes minutes. Once a candidate."""
    state = upgrade.state
    words = [*command, "drift", state.workflow, "--environment", state.environment, "--keep", "--json"]
    jobs.start(f"{state.upgrade}-drift-{state.candidate[:10]}", words, SEGUE_AUTHOR=AUTHOR)


def write_drift(store: UpgradeStore, upgrade: Upgrade, report: DriftReport, *, author: str, at: str) -> None:
    """Write it down, once for each candidate; without anybody's words."""
    before = read_drift(store, upgrade)
    if before is not None and before.candidate == report.candidate:
        return
    opening = upgrade.opening
    store.add_fact(DRIFT, opening.workflow, opening.upgrade, report.as_json(with_examples=False), author=author, at=at)


def read_drift(store: UpgradeStore, upgrade: Upgrade) -> DriftReport | None:
    """What was written down last."""
    found = None
    for fact in store.list_facts(upgrade.opening.workflow, kind=DRIFT, subject=upgrade.opening.upgrade):
        body: Any = fact.body
        try:
            found = DriftReport.model_validate(body)
        except ValidationError:
            continue  # of another version of Segue
    return found


def open_reader(
    workspace: Workspace, store: Store, log: ExchangeLog, today: date, progress: Callable[[int], None] = lambda _n: None
) -> DriftReader:
    """A reader that knows the workspace's prices and the store's bundles."""
    bundles: dict[str, Bundle | None] = {}

    def find(digest: str) -> Bundle | None:
        if digest not in bundles:
            try:
                bundles[digest] = store.get_bundle(digest).bundle
            except NotFoundError:
                bundles[digest] = None
        return bundles[digest]

    vendors: dict[str, str | None] = {}
    for name, entry in workspace.config.providers.items():
        try:
            vendors[name] = vendor_of_provider(parse_provider(name, entry))
        except SegueError:
            vendors[name] = None
    prices = {**declared_prices(workspace.config.providers), **workspace.config.prices}
    enricher = Enricher(find, vendors, PriceBook(prices, as_of=today))
    return DriftReader(log, find, enricher, progress)
