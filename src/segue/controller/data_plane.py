"""The gateways as the controller sees them: by what each says of itself in the store, told of a flip over their sockets.

One that has been silent is not waited for: it may be gone, and if it lives without the store it serves the last known route.
A flip that brings users *to* the candidate then reaches it late or never, which exposes nobody; going back is `rolling_back`'s.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from segue.gateway.control import SILENT_S, sync_gateways
from segue.model.route import RouteRevision
from segue.store.gateways import GatewayStore


@dataclass(frozen=True)
class StoreGateways:
    """`folder` holds the sockets of this machine's gateways; `start` runs something off the tick's way."""

    store: GatewayStore
    folder: Path
    start: Callable[[Callable[[], object]], object] = lambda work: threading.Thread(target=work, daemon=True).start()

    def serve(self, revision: RouteRevision) -> bool:
        """By what each said last, a few moments ago at most."""
        route = revision.route
        living = [one for one in self.store.list_gateways(route.environment) if one.age_s <= SILENT_S]
        return bool(living) and all(one.said.revisions.get(route.workflow, 0) >= revision.revision for one in living)

    def tell(self, revision: RouteRevision) -> None:
        """Those of this machine; they say in the store what they serve."""
        route = revision.route
        self.start(lambda: sync_gateways(self.folder, route.workflow, route.environment))
