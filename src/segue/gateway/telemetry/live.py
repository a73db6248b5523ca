"""What only a worker knows, as it says it once a second: counts since it began, and how it stands now. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from segue.exchanges.spool import SpoolState
from segue.gateway.http import Upstream
from segue.gateway.shadow import Shadows
from segue.gateway.target import Plane
from segue.gateway.telemetry.sums import Sums
from segue.model.digest import short_id


def live_sums(
    number: int,
    *,
    connections: int,
    refused: Mapping[str, int],
    plane: Plane,
    upstreams: Iterable[Upstream],
    shadows: Shadows,
    spool: SpoolState,
    is_ready: bool,
) -> Sums:
    """Of one worker."""
    own = (str(number),)
    found = Sums()
    found.counts = {
        ("segue_spool_kept_total", ()): float(spool.kept),
        ("segue_spool_not_kept_total", ()): float(spool.not_kept),
        ("segue_spool_cut_total", ()): float(spool.cut),
        **{("segue_refused_total", (code,)): float(n) for code, n in refused.items()},
        **{("segue_shadow_mirrored_total", (workflow,)): float(n) for workflow, n in shadows.mirrored.items()},
        **{
            ("segue_shadow_shed_total", (workflow, reason.replace(" ", "_"))): float(n)
            for (workflow, reason), n in shadows.shed.items()
        },
    }
    opened = list(upstreams)
    found.gauges = {
        ("segue_ready", own): float(is_ready),
        ("segue_connections", own): float(connections),
        ("segue_calls_in_flight", own): float(sum(one.in_use for one in opened)),
        ("segue_calls_waiting", own): float(sum(one.waiting for one in opened)),
        ("segue_shadows_in_flight", own): float(shadows.in_flight),
    }
    for workflow in plane.workflows.values():
        found.gauges["segue_route_revision", (*own, workflow.name)] = float(workflow.revision.revision)
        for target in workflow.targets.values():
            state = target.breaker.state.replace(" ", "_")
            found.gauges["segue_breaker_workers", (short_id(target.digest), state)] = 1.0
    return found
