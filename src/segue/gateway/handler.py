"""From a whole HTTP request to a request that is served: endpoint, key, workflow, unit, bundle.

Everything that is refused is told in the client's own dialect, with the remedy. Knows no sockets and no store; the plane it
serves from is put in its place from outside.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from segue.errors import Fault, InputError
from segue.gateway.applied import Fields, read_fields
from segue.gateway.asking import Asking, Effects
from segue.gateway.edge import EDGES, Edge
from segue.gateway.http import HttpExchange
from segue.gateway.identity import Identity, read_identity
from segue.gateway.keys import KeyRing
from segue.gateway.serving import ServedRequest
from segue.gateway.shadow import Shadows
from segue.gateway.target import Plane, ServedWorkflow
from segue.model.serving import GatewayKey
from segue.routing import Asked
from segue.wire.neutral.client_error import ClientError

_JSON = (b"content-type", b"application/json")
_EDGES: Mapping[bytes, Edge] = {path.encode(): edge for path, edge in EDGES.items()}
_encode = msgspec.json.Encoder().encode
_decode_text = msgspec.json.Decoder(str).decode


class Gateway:
    """The handler of all connections of one process. `plane` and `keys` may be replaced at any time, between two requests."""

    def __init__(
        self,
        *,
        plane: Plane,
        keys: KeyRing,
        effects: Effects,
        wall_ns: Callable[[], int],
        new_id: Callable[[], str],
        shadows: Shadows,
        readiness: Callable[[], Mapping[str, Any]],
    ) -> None:
        self.plane = plane
        self.keys = keys
        self._effects = effects
        self._wall_ns = wall_ns
        self._new_id = new_id
        self._shadows = shadows
        self._readiness = readiness
        self._others: Mapping[bytes, Callable[[HttpExchange, Mapping[bytes, bytes]], None]] = {
            b"/v1/models": self._models,
            b"/healthz": self._alive,
            b"/readyz": self._ready,
        }

    def __call__(self, exchange: HttpExchange) -> None:
        """Serve one request; the answer comes later."""
        request = exchange.request
        path = request.target.partition(b"?")[0]
        headers = dict(request.headers)
        edge = _EDGES.get(path)
        if edge is None:
            other = self._others.get(path)
            if other is None:
                self._unknown(exchange, path)
            elif request.method not in (b"GET", b"HEAD"):
                self._wrong_method(exchange, b"GET")
            else:
                other(exchange, headers)
            return
        if request.method != b"POST":
            self._wrong_method(exchange, b"POST")
            return
        error = self._serve(exchange, edge, headers)
        if error is not None:
            exchange.respond(error.status, [_JSON], edge.error_body(error))

    def _serve(self, exchange: HttpExchange, edge: Edge, headers: Mapping[bytes, bytes]) -> ClientError | None:
        """Begin to serve it, or say why not."""
        began_ns, at_ns = self._effects.monotonic_ns(), self._wall_ns()
        key = self.keys.find(headers)
        if key is None:
            return _no_key()
        try:
            fields = read_fields(exchange.request.body)
        except InputError as fault:
            return ClientError("invalid_request", fault.faults[0].sentence(), code="not_json")
        workflow = self._find(fields, key)
        if isinstance(workflow, ClientError):
            return workflow
        faults: list[Fault] = []
        who = read_identity(headers, fields, faults)
        pin_error = _check_pin(who, key, workflow)
        if pin_error is not None:
            return pin_error
        if faults:
            return ClientError("invalid_request", " ".join(one.sentence() for one in faults), faults[0].path, "bad_header")
        own = self._new_id()
        asked = Asked(who.unit or own, who.attributes, began_on=who.continues, pin=who.pin)
        asking = Asking(
            id=own,
            edge=edge,
            workflow=workflow,
            assigned=workflow.table.assign(asked),
            fields=fields,
            body=exchange.request.body,
            at_ns=at_ns,
            began_ns=began_ns,
            unit=who.unit,
            attributes=dict(who.attributes),
            idempotency_key=headers.get(b"idempotency-key"),
        )
        ServedRequest(exchange, asking, self._effects).begin()
        if asking.assigned.is_shadowed:
            self._shadows.mirror(asking)
        return None

    def _find(self, fields: Fields, key: GatewayKey) -> ServedWorkflow | ClientError:
        try:
            name = _decode_text(fields.get("model", b"null"))
        except (msgspec.DecodeError, UnicodeError):
            return ClientError("invalid_request", "'model' is missing: name the workflow there.", "model", "no_workflow")
        return self.plane.find(name, key)

    # what is not asked of a model

    def _models(self, exchange: HttpExchange, headers: Mapping[bytes, bytes]) -> None:
        """The workflows this key may call, where clients expect models; in the shape the client's SDK knows."""
        key = self.keys.find(headers)
        is_anthropic = b"anthropic-version" in headers
        if key is None:
            edge = _EDGES[b"/v1/messages" if is_anthropic else b"/v1/chat/completions"]
            exchange.respond(401, [_JSON], edge.error_body(_no_key()))
            return
        names = sorted(name for name in self.plane.workflows if key.may_call(name))
        epoch = "1970-01-01T00:00:00Z"
        if is_anthropic:
            rows: list[Any] = [{"type": "model", "id": name, "display_name": name, "created_at": epoch} for name in names]
            ends = {"first_id": names[0] if names else None, "last_id": names[-1] if names else None, "has_more": False}
            exchange.respond(200, [_JSON], _encode({"data": rows, **ends}))
        else:
            rows = [{"id": name, "object": "model", "created": 0, "owned_by": "segue"} for name in names]
            exchange.respond(200, [_JSON], _encode({"object": "list", "data": rows}))

    def _alive(self, exchange: HttpExchange, _headers: Mapping[bytes, bytes]) -> None:
        exchange.respond(200, [(b"content-type", b"text/plain")], b"ok\n")

    def _ready(self, exchange: HttpExchange, _headers: Mapping[bytes, bytes]) -> None:
        found = self._readiness()
        exchange.respond(200 if found.get("ready") else 503, [_JSON], _encode(found))

    def _unknown(self, exchange: HttpExchange, path: bytes) -> None:
        known = [*(one.decode() for one in _EDGES), *(one.decode() for one in self._others)]
        message = f"There is nothing at {path[:200].decode('ascii', 'replace')}. There are: {', '.join(known)}."
        exchange.respond(404, [_JSON], _encode({"error": {"message": message, "type": "not_found_error"}}))

    def _wrong_method(self, exchange: HttpExchange, method: bytes) -> None:
        message = f"This takes {method.decode()} alone."
        body = _encode({"error": {"message": message, "type": "invalid_request_error"}})
        exchange.respond(405, [_JSON, (b"allow", method)], body)


def _no_key() -> ClientError:
    message = "No valid gateway key came with this request. Set the client's API key to one; segue gateway key NAME makes one."
    return ClientError("auth", message, code="invalid_api_key")


def _check_pin(who: Identity, key: GatewayKey, workflow: ServedWorkflow) -> ClientError | None:
    """A pin needs a permission, and a bundle that the route holds."""
    if who.pin is None:
        return None
    if "pin" not in key.permissions:
        return ClientError("permission", f"The key '{key.name}' may not choose a bundle.", "segue-pin", "no_pin")
    if not workflow.table.holds(who.pin):
        held = ", ".join(one[:10] for one in workflow.targets)
        return ClientError("invalid_request", f"The route holds no such bundle. It holds: {held}.", "segue-pin", "no_bundle")
    return None
