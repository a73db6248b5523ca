"""What requests are sent to: a bundle made ready, the connections to its provider, and its breaker; by workflow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches

from segue.exchanges.record import Keep
from segue.gateway.applied import AppliedBundle
from segue.gateway.breaker import Breaker
from segue.gateway.http import Header, Timeouts, Upstream
from segue.model.route import RouteRevision
from segue.model.serving import GatewayKey
from segue.routing import Assigned, RoutingTable
from segue.wire.neutral.client_error import ClientError
from segue.wire.neutral.origin import Origin
from segue.wire.profiles import WireProfile


@dataclass(frozen=True, slots=True)
class Target:
    """One bundle of one workflow. `headers` carry the provider's key; they are never shown, logged or sent to a client."""

    digest: str
    applied: AppliedBundle
    upstream: Upstream
    path: bytes
    headers: tuple[Header, ...] = field(repr=False)
    origin: Origin
    profile: WireProfile
    timeouts: Timeouts
    breaker: Breaker
    named: Header = field(init=False, repr=False)
    """How an answer says whose it is."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "named", (b"segue-bundle", self.digest.encode()))


@dataclass(frozen=True, slots=True)
class ServedWorkflow:
    """A workflow as it is served now: its route's revision, compiled, and every bundle that the route names."""

    revision: RouteRevision
    table: RoutingTable
    targets: Mapping[str, Target]
    keep: Keep = "full"
    _chains: dict[str, tuple[Target, ...]] = field(default_factory=dict, init=False, compare=False, repr=False)

    @property
    def name(self) -> str:
        """Of the workflow."""
        return self.revision.route.workflow

    def chain(self, assigned: Assigned) -> tuple[Target, ...]:
        """Whom to ask, in turn: the bundle assigned, the incumbent, the bundle's own fallback, the route's. Each once."""
        chain = self._chains.get(assigned.bundle)
        if chain is None:
            route, fallback = self.revision.route, self.targets[assigned.bundle].applied.bundle.fallback
            digests = dict.fromkeys((assigned.bundle, route.incumbent, fallback, route.fallback))
            chain = tuple(self.targets[one] for one in digests if one is not None and one in self.targets)
            self._chains[assigned.bundle] = chain
        return chain


@dataclass(frozen=True, slots=True)
class Plane:
    """All workflows of one environment. Immutable: a flip puts another in its place, and requests under way keep theirs.

    `refused` are those whose newest route cannot be served, and why: some are served on from an older one, some not at all.
    """

    workflows: Mapping[str, ServedWorkflow] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)

    def numbers(self) -> dict[str, int]:
        """Workflow → revision: what is served."""
        return {name: served.revision.revision for name, served in self.workflows.items()}

    def find(self, name: str, key: GatewayKey) -> ServedWorkflow | ClientError:
        """A workflow that this key may call; of others it learns no more than that it may not."""
        found = self.workflows.get(name)
        if found is not None and key.may_call(name):
            return found
        if "call" not in key.permissions:
            message = f"The key '{key.name}' may not call workflows. Add 'call' to its permissions in segue.yaml."
            return ClientError("permission", message, code="no_call")
        if name in self.refused and key.may_call(name):
            message = f"The workflow '{name}' cannot be served: {self.refused[name]}"
            return ClientError("overloaded", message, "model", "workflow_not_servable")
        known = [one for one in self.workflows if key.may_call(one)]
        near = get_close_matches(name, known, n=1, cutoff=0.5)
        if near:
            told = f" Did you mean '{near[0]}'?"
        elif known:
            told = f" This key may call: {', '.join(sorted(known)[:8])}."
        else:
            told = " It may call none that has a route; this sets one: segue route set WORKFLOW BUNDLE."
        message = f"'model' names a workflow here, and there is no '{name[:100]}' that this key may call.{told}"
        return ClientError("not_found", message, "model", "workflow_not_found")
