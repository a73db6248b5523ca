"""A plane from routes, bundles and providers: everything a request needs is worked out here, before any request.

What cannot be served is found here too, with its place: a route whose plane cannot be built never takes effect.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from segue.errors import Fault, InputError, ProviderError
from segue.gateway.applied import AppliedBundle
from segue.gateway.breaker import Breaker
from segue.gateway.http import Header, Timeouts, Upstream
from segue.gateway.http import Origin as Place
from segue.gateway.target import Plane, ServedWorkflow, Target
from segue.model import Bundle
from segue.model.route import RouteRevision
from segue.model.serving import Serving
from segue.providers.config import AnthropicConfig, OpenAIConfig, ProviderConfig, find_endpoint, wire_profile
from segue.routing import RoutingTable
from segue.wire.neutral.origin import Origin

OpenUpstream = Callable[[Place], Upstream]
_PORTS = {"http": 80, "https": 443}
_PLAIN: tuple[Header, ...] = ((b"content-type", b"application/json"), (b"accept", b"application/json, text/event-stream"))


@dataclass(frozen=True)
class Sources:
    """What a plane is made of. `bundles` by digest; `servings` by workflow, where one says something."""

    revisions: tuple[RouteRevision, ...]
    bundles: Mapping[str, Bundle]
    providers: Mapping[str, ProviderConfig]
    servings: Mapping[str, Serving] = field(default_factory=dict)


class Planes:
    """Builds planes. Connections and breakers live on from one to the next, so that a flip opens none and forgets nothing."""

    def __init__(self, open_upstream: OpenUpstream, environ: Mapping[str, str]) -> None:
        self._open = open_upstream
        self._environ = environ
        self._upstreams: dict[Place, Upstream] = {}
        self._breakers: dict[str, Breaker] = {}

    def build(self, sources: Sources) -> Plane:
        """Raises `InputError` with every bundle that cannot be served, and why."""
        faults: list[Fault] = []
        found: dict[str, ServedWorkflow] = {}
        for revision in sources.revisions:
            route = revision.route
            targets = dict(self._targets(revision, sources, faults))
            found[route.workflow] = ServedWorkflow(
                revision, RoutingTable(route), targets, _serving(sources, route.workflow).keep
            )
        if faults:
            raise InputError.from_faults(faults, subject="the routes")
        return Plane(found)

    @property
    def upstreams(self) -> Iterable[Upstream]:
        """All that were opened."""
        return self._upstreams.values()

    def _targets(self, revision: RouteRevision, sources: Sources, faults: list[Fault]) -> Iterable[tuple[str, Target]]:
        route = revision.route
        serving = _serving(sources, route.workflow)
        wanted = list(route.bundles())
        for digest in wanted:
            bundle = sources.bundles.get(digest)
            where = f"{route.workflow}/{route.environment}@{revision.revision}"
            if bundle is None:
                faults.append(_fault(f"The bundle {digest[:10]} is not here.", "Add it to the store.", where))
                continue
            if bundle.fallback is not None and bundle.fallback not in wanted:
                wanted.append(bundle.fallback)
            config = sources.providers.get(bundle.model.provider)
            if not isinstance(config, OpenAIConfig | AnthropicConfig):
                what = f"Bundle {bundle.short} is answered by '{bundle.model.provider}', which is no provider over HTTP here."
                faults.append(_fault(what, "Name it in segue.yaml under providers.", where))
                continue
            try:
                yield digest, self._target(bundle, config, serving)
            except InputError as error:
                faults += [_fault(f"Bundle {bundle.short}: {one.what}", one.fix, where) for one in error.faults]
            except ProviderError as error:
                faults.append(_fault(error.what, error.fix, where))

    def _target(self, bundle: Bundle, config: OpenAIConfig | AnthropicConfig, serving: Serving) -> Target:
        profile = wire_profile(config)
        applied = AppliedBundle.of(bundle, config.type, profile, serving)
        endpoint = find_endpoint(bundle.model.provider, config, self._environ)
        parts = urlsplit(endpoint.base_url)
        assert parts.hostname is not None, "the entry was checked when it was read"
        place = Place(parts.hostname, parts.port or _PORTS[parts.scheme], parts.scheme == "https")
        if place not in self._upstreams:
            self._upstreams[place] = self._open(place)
        headers = {**applied.headers, **endpoint.headers}
        return Target(
            digest=bundle.digest,
            applied=applied,
            upstream=self._upstreams[place],
            path=(parts.path.rstrip("/") + applied.path).encode("ascii"),
            headers=(*_PLAIN, *((name.lower().encode(), value.encode("latin-1")) for name, value in headers.items())),
            origin=Origin(config.type, endpoint.base_url, config.api_key_env or "", bundle.model.snapshot, bundle.digest),
            profile=profile,
            timeouts=Timeouts(
                connect_s=config.connect_timeout_s,
                first_byte_s=config.timeout_s,
                between_bytes_s=config.idle_timeout_s or 120.0,
                whole_s=config.timeout_s,
            ),
            breaker=self._breakers.setdefault(bundle.digest, Breaker()),
        )


def _serving(sources: Sources, workflow: str) -> Serving:
    return sources.servings.get(workflow, Serving())


def _fault(what: str, fix: str, where: str) -> Fault:
    return Fault(what=what, fix=fix, path=where)
