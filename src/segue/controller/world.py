"""Everything a controller touches, in one value: the store, the clock and the ports. The rehearsal makes another one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from segue.controller.ports import (
    Clock,
    Gateways,
    Grounds,
    Incumbent,
    LedFault,
    LedFaultTold,
    LiveEvidence,
    Notices,
    Staging,
    Suites,
)
from segue.store.base import Store
from segue.store.upgrades import Fence
from segue.upgrade.log import Upgrade, UpgradeEntry
from segue.upgrade.seen import Seen


def _no_incident(upgrade: Upgrade, entry: UpgradeEntry) -> None:
    """For worlds in which nobody reads incidents."""


def _nothing_lacks(upgrade: Upgrade, now: float) -> tuple[str, ...]:  # noqa: ARG001  the signature is the world's
    """For worlds without daily evals."""
    return ()


def _no_troubles(upgrade: Upgrade, seen: Seen, now: float, fence: Fence | None) -> None:
    """For worlds in which nobody is told of them."""


def _no_led_fault(upgrade: Upgrade, fault: LedFault, now: float, fence: Fence | None) -> None:
    """For worlds in which nobody reads notices."""


@dataclass(frozen=True)
class World:
    """What the controller is given. `incident` opens an entry's incident, once; `shadowed` hears of one that leaves shadow.

    `soak_lacks` names what a soak waits for beside its labels. `troubles` tells people of what nothing is decided on,
    `led_fault` of a fault that lasts.
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
    troubles: Callable[[Upgrade, Seen, float, Fence | None], None] = _no_troubles
    led_fault: LedFaultTold = _no_led_fault
