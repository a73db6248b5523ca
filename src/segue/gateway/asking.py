"""What is known of a request before anybody is asked, and what a bundle is asked for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from segue.errors import Fault, InputError
from segue.exchanges.outcome import Outcome
from segue.exchanges.record import ServedExchange
from segue.gateway.applied import CODEC_OF, Fields
from segue.gateway.betas import refuse_betas, tell_ignored, with_betas
from segue.gateway.edge import Edge
from segue.gateway.http import Header
from segue.gateway.marked import Marking, prepare_own
from segue.gateway.target import ServedWorkflow, Target
from segue.gateway.translated import Translation, translate_request
from segue.gateway.unasked import Unasked
from segue.routing import Assigned


class Asking(msgspec.Struct, frozen=True):
    """One request of a client. Times in nanoseconds: `at_ns` is UTC since 1970, `began_ns` of a clock that never goes back."""

    id: str
    edge: Edge
    workflow: ServedWorkflow
    assigned: Assigned
    fields: Fields
    body: bytes
    at_ns: int
    began_ns: int
    unit: str | None
    attributes: Mapping[str, str]
    idempotency_key: bytes | None = None
    traceparent: str | None = None
    tags: tuple[str, ...] = ()
    betas: bytes | None = None


@dataclass(frozen=True, slots=True)
class Effects:
    """What serving does to the world. Times in nanoseconds; `keep` gives None where the log could not take it."""

    monotonic_ns: Callable[[], int]
    keep: Callable[[ServedExchange | Outcome, bytes, bytes], int | None]
    breaker_moved: Callable[[Target], None]


def prepare(asking: Asking, target: Target) -> tuple[bytes, Translation | Marking | Unasked | None]:
    """The body for a bundle, and what its answer needs to become the client's: to be translated, to be marked, or nothing.

    Raises `InputError` with every field that cannot be served, each with its remedy.
    """
    try:
        return _prepared(asking, target)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        fault = Fault(what="The body holds text that is no Unicode, or is nested too deep.", fix="Send it as UTF-8.")
        raise InputError.from_faults([fault], subject="the request") from error


def upstream_headers(asking: Asking, target: Target) -> Sequence[Header]:
    """What a bundle's provider is told in the head, beside what only the user's own request brings."""
    return target.headers if asking.betas is None else with_betas(target.headers, asking.betas, target.applied)


def ignored_headers(asking: Asking) -> Sequence[Header]:
    """What the answer says of headers that went no further."""
    return () if asking.betas is None else tell_ignored(asking.workflow.targets[asking.assigned.bundle].applied)


def _prepared(asking: Asking, target: Target) -> tuple[bytes, Translation | Marking | Unasked | None]:
    applied = target.applied
    if asking.betas is not None:
        refuse_betas(applied)
    if asking.edge.codec == CODEC_OF[applied.dialect]:
        return prepare_own(applied, asking.fields, asking.body, target.origin)
    translation = translate_request(
        asking.edge,
        applied,
        asking.fields,
        target.origin,
        target.profile,
        answer_id=asking.id,
        created_s=asking.at_ns // 1_000_000_000,
    )
    return translation.body, translation
