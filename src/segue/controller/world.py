"""Everything a controller touches, in one value: the store, the clock and the ports. The rehearsal makes another one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from segue.controller.ports import Clock, Gateways, Grounds, Incumbent, LiveEvidence, Notices, Staging, Suites
from segue.store.base import Store
from segue.upgrade.log import Upgrade, UpgradeEntry


def _no_incident(upgrade: Upgrade, entry: UpgradeEntry) -> None:
    """For worlds in which nobody reads incidents."""


def _nothing_lacks(upgrade: Upgrade, now: float) -> tuple[str, ...]:  # noqa: ARG001  the signature is the world's
    """For worlds without daily evals."""
    return ()


@dataclass(frozen=True)
class World:
    """What the controller is given. `incident` opens an entry's incident, once; `shadowed` hears of one that leaves shadow.

    `soak_lacks` names what a soak waits for beside its labels.
    """

    store: Store
    clock: Clock
    live: LiveEvidence
    grounds: Grounds
    suites: Suites
    staging: Staging
    gateways: Gateways
    incumbent: Incumbent
    notices: Notices
    incident: Callable[[Upgrade, UpgradeEntry], None] = _no_incident
    shadowed: Callable[[Upgrade, UpgradeEntry], None] = _no_incident
    soak_lacks: Callable[[Upgrade, float], tuple[str, ...]] = _nothing_lacks
