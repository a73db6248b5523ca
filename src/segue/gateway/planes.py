"""A plane from routes, bundles and providers: everything a request needs is worked out here, before any request.

Each workflow by itself: one whose route cannot be served keeps what it served, or is absent with the reason, and the others
go on. Nothing is read here; see `last_known` for where it comes from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
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
from segue.providers.config import STREAM_IDLE_S, AnthropicConfig, OpenAIConfig, ProviderConfig, find_endpoint, wire_profile
from segue.routing import RoutingTable
from segue.wire.neutral.origin import Origin

OpenUpstream = Callable[[Place], Upstream]
_PORTS = {"http": 80, "https": 443}
_PLAIN: tuple[Header, ...] = ((b"content-type", b"application/json"), (b"accept", b"application/json, text/event-stream"))


@dataclass(frozen=True)
class Sources:
    """What a plane is made of. `bundles` by digest; `servings` by workflow, where one says something.

    `unreadable` are providers whose entry says nothing that can be used, and why; `refused` are workflows whose newest route
    is not among the revisions because it cannot be served, and why.
    """

    revisions: tuple[RouteRevision, ...]
    bundles: Mapping[str, Bundle]
    providers: Mapping[str, ProviderConfig]
    servings: Mapping[str, Serving] = field(default_factory=dict)
    unreadable: Mapping[str, str] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)


class Planes:
    """Builds planes. Connections and breakers live on from one to the next, so that a flip opens none and forgets nothing.

    Targets do too where nothing of them has changed: a flip of a share makes a routing table and nothing else.
    """

    def __init__(self, open_upstream: OpenUpstream, environ: Mapping[str, str]) -> None:
        self._open = open_upstream
        self._environ = environ
        self._upstreams: dict[Place, Upstream] = {}
        self._breakers: dict[str, Breaker] = {}
        self._made: dict[str, tuple[ProviderConfig, Serving, Target]] = {}

    def build(self, *all_sources: Sources, last: Plane | None = None) -> Plane:
        """What can be served; of a workflow that cannot, what `last` served of it. `Plane.refused` says why."""
        found: dict[str, ServedWorkflow] = {}
        refused: dict[str, str] = {}
        for sources in all_sources:
            refused.update(sources.refused)
            for revision in sources.revisions:
                name = revision.route.workflow
                faults: list[Fault] = []
                targets = dict(self._targets(revision, sources, faults))
                if not faults:
                    table = RoutingTable(revision.route)
                    found[name] = ServedWorkflow(revision, table, targets, _serving(sources, name).keep)
                    continue
                refused[name] = " ".join(fault.sentence() for fault in faults)
                if last is not None and name in last.workflows:
                    found[name] = last.workflows[name]
        used = {digest for served in found.values() for digest in served.targets}
        self._made = {digest: made for digest, made in self._made.items() if digest in used}
        return Plane(found, refused)

    @property
    def upstreams(self) -> Iterable[Upstream]:
        """All that were opened."""
        return self._upstreams.values()

    def _targets(self, revision: RouteRevision, sources: Sources, faults: list[Fault]) -> Iterator[tuple[str, Target]]:
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
            if bundle.model.provider in sources.unreadable:
                faults.append(_fault(sources.unreadable[bundle.model.provider], "", where))
                continue
            if not isinstance(config, OpenAIConfig | AnthropicConfig):
                what = f"Bundle {bundle.short} is answered by '{bundle.model.provider}', which is no provider over HTTP here."
                faults.append(_fault(what, "Name it in segue.yaml under providers.", where))
                continue
            try:
                yield digest, self._made_target(bundle, config, serving)
            except InputError as error:
                faults += [_fault(f"Bundle {bundle.short}: {one.what}", one.fix, where) for one in error.faults]
            except ProviderError as error:
                faults.append(_fault(error.what, error.fix, where))

    def _made_target(self, bundle: Bundle, config: OpenAIConfig | AnthropicConfig, serving: Serving) -> Target:
        """The one there is, if it is of the same bundle, provider and serving."""
        made = self._made.get(bundle.digest)
        if made is None or made[:2] != (config, serving):
            made = self._made[bundle.digest] = (config, serving, self._target(bundle, config, serving))
        return made[2]

    def _target(self, bundle: Bundle, config: OpenAIConfig | AnthropicConfig, serving: Serving) -> Target:
        profile = wire_profile(config)
        applied = AppliedBundle.of(bundle, config.dialect, profile, serving)
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
                between_bytes_s=config.timeout_s,
                whole_s=config.timeout_s,
                stream_idle_s=config.idle_timeout_s or STREAM_IDLE_S,
                stream_s=config.stream_timeout_s,
            ),
            breaker=self._breakers.setdefault(bundle.digest, Breaker()),
        )


def _serving(sources: Sources, workflow: str) -> Serving:
    return sources.servings.get(workflow, Serving())


def _fault(what: str, fix: str, where: str) -> Fault:
    return Fault(what=what, fix=fix, path=where)
