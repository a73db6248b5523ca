"""A lane of the fast path: all that does not depend on the request, for the units that get one bundle by one rule.

Who goes along it: `fast_call.py` (the user's own request), `fast_shadow.py` (the same to the candidate, which nobody sees).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import msgspec

from segue.exchanges.record import BodyNote, ServedExchange
from segue.gateway.answer import LONGEST_ANSWER
from segue.gateway.applied import Fields
from segue.gateway.asking import Asking, Effects
from segue.gateway.edge import Edge
from segue.gateway.http import Call, ResponseHead
from segue.gateway.marked import Marking
from segue.gateway.target import ServedWorkflow, Target
from segue.routing import Assigned
from segue.wire.passing import may_hold_reasoning

Facts = tuple[str, int, int, str | None, Fields, bytes, Marking]
"""Of the user's request: its id, when it came (UTC, and by the clock that never goes back; nanoseconds), the unit, the fields
and bytes of its body, and what its answer needs."""
_MOST_PARTS, _LARGEST_PART = 256, 16 * 1024
"""What is gathered before an answer is whole. All of it together is far from what is too long for any answer."""
assert _MOST_PARTS * _LARGEST_PART < LONGEST_ANSWER


class _PlainMessage(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    role: msgspec.Raw = msgspec.Raw()
    content: msgspec.Raw = msgspec.Raw()
    refusal: msgspec.Raw = msgspec.Raw()
    annotations: msgspec.Raw = msgspec.Raw()


class _PlainChoice(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    message: _PlainMessage
    index: int = 0
    finish_reason: str | None = None
    logprobs: None = None


class _PlainAnswer(msgspec.Struct, gc=False):
    """An answer of Chat Completions in whose messages there is no place for what would have to be marked."""

    choices: Annotated[list[_PlainChoice], msgspec.Meta(min_length=1)]
    error: None = None


_decode_plain = msgspec.json.Decoder(_PlainAnswer).decode


class Lane:
    """One bundle of one workflow, as one head asks for it. `arm` is what its records are of."""

    __slots__ = (
        *("_plain", "arm", "assigned", "attributes", "beginning", "breaker", "clock", "codec", "dress_plainly", "edge"),
        *("effects", "is_shadowed", "keep", "keeps_all", "marking", "name", "named", "route", "target", "times", "upstream"),
        "workflow",
    )

    def __init__(
        self,
        effects: Effects,
        edge: Edge,
        workflow: ServedWorkflow,
        assigned: Assigned,
        attributes: Mapping[str, str],
        *,
        target: Target,
        arm: str,
    ) -> None:
        self.effects = effects
        self.edge, self.codec = edge, edge.codec
        self._plain = _decode_plain if edge.codec == "openai_chat" else None
        self.workflow = workflow
        self.name = workflow.name
        self.route = workflow.revision
        self.keep = workflow.keep
        self.keeps_all = workflow.keep == "full"
        self.assigned = assigned
        self.is_shadowed = assigned.is_shadowed
        self.attributes = attributes
        self.target = target
        self.arm = arm
        self.named = b"segue-bundle: " + target.named[1]
        self.breaker = target.breaker
        self.upstream = target.upstream
        self.clock = target.upstream.clock
        self.times = target.timeouts
        self.beginning = target.upstream.beginning(b"POST", target.path, target.headers)
        self.marking = Marking(edge.codec, target.origin)
        self.dress_plainly = target.applied.dress_plainly

    def written(self, sent: bytes) -> bytes:
        """A request of this lane as bytes."""
        return b"%bcontent-length: %d\r\n\r\n%b" % (self.beginning, len(sent), sent)

    def passes(self, body: bytes) -> bool:
        """Whether a body is an answer, and nothing in it has to be marked."""
        try:
            if not body.isascii():
                body.decode()
            if self._plain is not None:
                try:
                    self._plain(body)
                    return True
                except msgspec.ValidationError:
                    pass
            self.edge.check_answer(body)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            return False
        return not may_hold_reasoning(self.codec, body)

    def asking(self, facts: Facts) -> Asking:
        """A request as all others know it."""
        own, at_ns, began_ns, unit, fields, body, _ = facts
        return Asking(
            id=own,
            edge=self.edge,
            workflow=self.workflow,
            assigned=self.assigned,
            fields=fields,
            body=body,
            at_ns=at_ns,
            began_ns=began_ns,
            unit=unit,
            attributes=self.attributes,
        )

    def record(
        self,
        own: str,
        pair: str | None,
        at_ns: int,
        unit: str | None,
        latency_ns: int,
        request: BodyNote,
        response: BodyNote,
    ) -> ServedExchange:
        """The record of a request that this lane's bundle has answered."""
        route, bundle = self.route.route, self.target.digest
        return ServedExchange(
            own,
            at_ns,
            route.workflow,
            route.environment,
            self.route.revision,
            self.arm,
            bundle,
            bundle,
            unit,
            self.assigned.segment,
            {},
            self.attributes,
            self.codec,
            self.target.applied.dialect,
            200,
            latency_ns,
            pair=pair,
            request=request,
            response=response,
        )


class PlainCall(Call):
    """A call along a lane, sent as soon as it is made, whose answer is gathered until it is whole."""

    __slots__ = ("_facts", "_lane", "_parts", "_said")

    _lane: Lane
    _facts: Facts
    _said: ResponseHead | None
    _parts: list[bytes] | None

    def asking(self) -> Asking:
        """The user's request as all others know it."""
        return self._lane.asking(self._facts)

    def on_head(self, head: ResponseHead) -> None:
        """Nothing is done before it is seen whether the answer is whole."""
        self._said = head

    def _gather(self, chunk: bytes) -> bool:
        """One more part of an answer that is not whole yet; False where that is too much for a plain one."""
        parts = self._parts = self._parts or []
        parts.append(chunk)
        return len(parts) <= _MOST_PARTS and len(chunk) <= _LARGEST_PART
