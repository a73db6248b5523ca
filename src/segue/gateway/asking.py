"""What is known of a request before anybody is asked, and what a bundle is asked for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from segue.errors import Fault, InputError
from segue.exchanges.record import ServedExchange
from segue.gateway.applied import Fields
from segue.gateway.edge import Edge
from segue.gateway.target import ServedWorkflow, Target
from segue.gateway.translated import Translation, passes_as_it_is, translate_request
from segue.routing import Assigned


@dataclass(frozen=True, slots=True)
class Asking:
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
    attributes: dict[str, str]
    idempotency_key: bytes | None = None


@dataclass(frozen=True, slots=True)
class Effects:
    """What serving does to the world. Times in nanoseconds; `keep` gives None where the log could not take it."""

    monotonic_ns: Callable[[], int]
    keep: Callable[[ServedExchange, bytes, bytes], int | None]
    breaker_moved: Callable[[Target], None]


def prepare(asking: Asking, target: Target) -> tuple[bytes, Translation | None]:
    """The body for a bundle, and what its answer needs if it has to be translated.

    Raises `InputError` with every field that cannot be served, each with its remedy.
    """
    try:
        return _prepared(asking, target)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        fault = Fault(what="The body holds text that is no Unicode, or is nested too deep.", fix="Send it as UTF-8.")
        raise InputError.from_faults([fault], subject="the request") from error


def _prepared(asking: Asking, target: Target) -> tuple[bytes, Translation | None]:
    applied = target.applied
    if passes_as_it_is(asking.edge, applied, asking.body):
        return applied.apply(asking.fields), None
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
