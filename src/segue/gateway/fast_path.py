"""The fast path: what nearly every request is, served without the objects that only the others need.

It takes a request whose head is known, of a key and a workflow that were served before, to a bundle of the client's own
dialect whose breaker is closed and to whose provider a connection is free; and of such a request an answer that is one, and no
stream (`fast_call.py`). Where anything else turns up before the request is sent, nothing has happened yet, and the handler is
asked. What is sent, answered and logged is to the byte what the handler would have: a test holds one against the other.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import msgspec

from segue.errors import InputError
from segue.gateway.applied import CODEC_OF, plain_turns
from segue.gateway.applied import decode_fields as decode
from segue.gateway.asking import Effects
from segue.gateway.caller import Caller, read_caller
from segue.gateway.edge import Edge
from segue.gateway.fast_call import FastCall
from segue.gateway.fast_shadow import Mirror, mirror_of
from segue.gateway.http import ClientConnection, HeadError, KnownHead
from segue.gateway.identity import Identity, read_user
from segue.gateway.keys import KeyRing
from segue.gateway.lane import Lane
from segue.gateway.marked import prepare_own
from segue.gateway.shadow import Shadows
from segue.gateway.target import Plane, ServedWorkflow

_LONGEST = 64 * 1024
"""Longer requests are not worth it: what they take is in their bytes."""
_LONGEST_NAME = 128
_MOST_NAMES = 256
_MOST_DOORS = 1024

_decode_text = msgspec.json.Decoder(str).decode


class Serving(Protocol):
    """Whose plane and keys hold, at any time."""

    plane: Plane
    keys: KeyRing


_Way = tuple[Lane | None, Mirror | None]
"""To the bundle of a unit, and to the one it is mirrored to. `None` where it has to be asked in the general way."""


class _Row:
    """One workflow as one head asks for it: how its units are drawn, and a way to each bundle they may get."""

    __slots__ = ("_draw", "_edge", "_ways", "_who", "_workflow")

    def __init__(self, workflow: ServedWorkflow, who: Identity, edge: Edge) -> None:
        self._workflow = workflow
        self._who = who
        self._edge = edge
        self._draw = workflow.table.draw(who.attributes)
        self._ways: dict[int, _Way] = {}
        """By the identity of what was assigned, which the workflow's table keeps."""

    def way(self, unit: str, effects: Effects, shadows: Shadows) -> _Way:
        """The way of this unit."""
        assigned = self._draw.same or self._draw.of(unit)
        found = self._ways.get(id(assigned))
        if found is None:
            workflow, edge, target = self._workflow, self._edge, self._workflow.targets[assigned.bundle]
            found = None, None
            if CODEC_OF[target.applied.dialect] == edge.codec:
                lane = Lane(effects, edge, workflow, assigned, self._who.attributes, target=target, arm=assigned.arm)
                found = lane, mirror_of(lane, shadows)
            self._ways[id(assigned)] = found
        return found


class _Door:
    """What one head leads to, under one plane and one ring of keys. Without a caller: not to the fast path."""

    __slots__ = ("caller", "edge", "rows", "unit")

    def __init__(self, caller: Caller | None, edge: Edge | None) -> None:
        self.caller = caller
        self.edge = edge
        self.unit = None if caller is None else caller.who.unit
        self.rows: dict[bytes, _Row] = {}
        """By the bytes that name the workflow in a body."""


class FastPath:
    """Takes requests off a connection before the handler is asked (`http.connection.Shortcut`)."""

    def __init__(
        self,
        serving: Serving,
        effects: Effects,
        shadows: Shadows,
        find_edge: Callable[[bytes], Edge | None],
        *,
        wall_ns: Callable[[], int],
        new_id: Callable[[], str],
        passes_traces: bool,
    ) -> None:
        self._serving = serving
        self._effects = effects
        self._monotonic_ns = effects.monotonic_ns
        self._shadows = shadows
        self._find_edge = find_edge
        self._wall_ns = wall_ns
        self._new_id = new_id
        self._passes_traces = passes_traces
        self._plane: Plane | None = None
        self._ring: KeyRing | None = None
        self._doors: dict[KnownHead, _Door] = {}
        """All of one plane and one ring: with another of either they go, and hold nothing of the old."""

    def expects(self, head: KnownHead) -> bool:
        """Whether a request with this head is one for the fast path, as far as the head says."""
        return self._door(head).caller is not None

    def __call__(self, head: KnownHead, body: bytes, connection: ClientConnection) -> FastCall | None:
        """Ask for it, if it is one for the fast path. `None`: nothing has happened."""
        door = self._door(head)
        if door.caller is None or len(body) > _LONGEST:
            return None
        began_ns, at_ns = self._monotonic_ns(), self._wall_ns()
        try:
            fields = decode(body)
            model = fields.get("model")
            if model is None:
                return None
            name = bytes(model)
            row = door.rows.get(name) or self._find(name, door)
            if row is None:
                return None
            own = self._new_id()
            unit = door.unit or read_user(fields)
            lane, mirror = row.way(unit or own, self._effects, self._shadows)
            if lane is None or lane.breaker.state != "closed":
                return None
            said = plain_turns(fields) if lane.codec == "openai_chat" else None
            sent = lane.dress_plainly(fields, said)
            marking = lane.marking
            if sent is None:
                sent, marking = prepare_own(lane.target.applied, fields, body, lane.target.origin)
        except (InputError, HeadError, msgspec.DecodeError, UnicodeError, RecursionError):
            return None
        carrier = lane.upstream.lend()
        if carrier is None:
            return None
        now = lane.clock()
        data = lane.written(sent)
        facts = own, at_ns, began_ns, unit, fields, body, marking
        call = FastCall(lane, connection, head, facts, data, now)
        carrier.begin(call, data, now)
        if mirror is not None:
            self._shadows.put_off(mirror, facts, said, call.asking)
        elif lane.is_shadowed:
            self._shadows.put_off(self._shadows.mirror, call.asking())
        return call

    def _door(self, head: KnownHead) -> _Door:
        serving = self._serving
        if self._plane is not serving.plane or self._ring is not serving.keys or len(self._doors) > _MOST_DOORS:
            self._doors.clear()
            self._plane, self._ring = serving.plane, serving.keys
        return self._doors.get(head) or self._open(head)

    def _open(self, head: KnownHead) -> _Door:
        caller = read_caller(head, self._serving.keys)
        edge = self._find_edge(caller.path)
        is_fit = edge is not None and head.method == b"POST" and caller.asks_for_no_more(passes_traces=self._passes_traces)
        door = self._doors[head] = _Door(caller if is_fit else None, edge)
        return door

    def _find(self, name: bytes, door: _Door) -> _Row | None:
        caller, edge = door.caller, door.edge
        assert caller is not None
        assert caller.key is not None
        assert edge is not None
        found = self._serving.plane.find(_decode_text(name), caller.key)
        if not isinstance(found, ServedWorkflow):
            return None
        row = _Row(found, caller.who, edge)
        if len(name) <= _LONGEST_NAME and len(door.rows) < _MOST_NAMES:
            door.rows[name] = row
        return row
