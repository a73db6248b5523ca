"""Bodies of the HTTP API, read once into what they mean; every fault of one is named with its place. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import date
from hashlib import sha256
from typing import Annotated, Any, TypeVar

from pydantic import ConfigDict, Field, ValidationError

from segue.errors import Fault, InputError
from segue.model.base import Frozen
from segue.model.plan_people import Person

LARGEST = 64 * 1024
"""Bytes of a body."""
LONGEST_KEY = 200
"""Characters of an `Idempotency-Key`."""

Name = Annotated[str, Field(min_length=1, max_length=200)]
Reason = Annotated[str, Field(max_length=4_000)]


class OpenBody(Frozen):
    """What opens an upgrade. `plan` may be left out where the workflow has one alone; `environment` is the controller's own."""

    model_config = ConfigDict(strict=True)

    workflow: Name
    candidate: Name
    by: Person
    plan: Annotated[str, Field(max_length=200)] = ""
    reason: Reason = ""
    despite: list[Name] = Field(default_factory=list, max_length=20)


class ActBody(Frozen):
    """Who does something to an upgrade, and why; *replace* names another candidate, and the ways that `by` answers for."""

    model_config = ConfigDict(strict=True)

    by: Person
    reason: Annotated[Reason, Field(min_length=1)]
    candidate: Name | None = None
    despite: list[Name] = Field(default_factory=list, max_length=20)


class TicketBody(Frozen):
    """How many tickets a workflow had on a day (UTC), as `source` counts them."""

    model_config = ConfigDict(strict=True)

    workflow: Name
    day: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]
    count: int
    source: Annotated[str, Field(min_length=1, max_length=100)]
    by: Person | None = None

    @property
    def date(self) -> date:
        """The day. `InputError` for one that no calendar has."""
        try:
            return date.fromisoformat(self.day)
        except ValueError:
            fault = Fault(what=f"{self.day} is no day of the calendar.", fix="Write it as 2026-11-22.", path="day")
            raise InputError.from_faults([fault], subject="the body") from None


B = TypeVar("B", bound=Frozen)


def read_body(kind: type[B], raw: bytes) -> B:
    """`InputError` with every fault: no JSON, keys written twice, unknown ones, values of another type."""
    value = _decoded(raw)
    if not isinstance(value, dict):
        keys = ", ".join(kind.model_fields)
        raise _refused([Fault(what="The body is no JSON object.", fix=f"Send an object with the keys {keys}.")])
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        raise _refused(_fault(one, kind) for one in error.errors(include_url=False, include_input=False)) from None


def idempotency_of(raw: bytes | None, key: str) -> str:
    """What a request is known by when it is sent again: of the header and of whose API key it came with. Empty without one."""
    if raw is None:
        return ""
    text = raw.decode("utf-8", "replace").strip()
    if not 0 < len(text) <= LONGEST_KEY:
        fix = f"Send 1 to {LONGEST_KEY} characters, such as a UUID, or leave the header out."
        raise _refused([Fault(what="The header is empty or too long.", fix=fix, path="idempotency-key")])
    return sha256(f"{key}\n{text}".encode()).hexdigest()[:16]


def _decoded(raw: bytes) -> Any:
    if not raw.strip():
        raise _refused([Fault(what="The body is empty.", fix="Send a JSON object.")])
    try:
        return json.loads(raw.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_number)
    except UnicodeDecodeError:
        raise _refused([Fault(what="The body is not UTF-8.", fix="Send JSON in UTF-8.")]) from None
    except RecursionError:
        raise _refused([Fault(what="The body is nested too deep.", fix="Send a flat JSON object.")]) from None
    except json.JSONDecodeError as error:
        what = f"The body is no JSON: {error.msg} at line {error.lineno}, column {error.colno}."
        raise _refused([Fault(what=what, fix="Send a JSON object.", line=error.lineno)]) from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = sorted({name[:80] for name in names if names.count(name) > 1})
        raise _refused([Fault(what="It is written twice.", fix="Write it once.", path=one) for one in twice])
    return found


def _no_number(text: str) -> Any:
    raise _refused([Fault(what=f"{text} is no number of JSON.", fix="Send a number, or null.")])


def _fault(found: Any, kind: type[Frozen]) -> Fault:
    """Without the value: it may be anything."""
    path = ".".join(map(str, found["loc"]))[:120]
    if found["type"] == "missing":
        return Fault(what="It is missing.", fix=_FIXES.get(path, "Send it."), path=path)
    if found["type"] == "extra_forbidden":
        return Fault(what="It is no key here.", fix=f"Keys here: {', '.join(kind.model_fields)}.", path=path)
    return Fault(what=f"{found['msg']}.", fix=_FIXES.get(path, "Send what is asked for."), path=path)


_FIXES = {
    "by": "Say who does it, in the name that the plan knows.",
    "reason": "Say why, for whoever reads the log in a year.",
    "candidate": "Name a bundle, by label or digest.",
    "workflow": "Name a workflow.",
    "day": "Write it as 2026-11-22.",
    "count": "Send a whole number.",
    "source": "Say who counted.",
}


def _refused(faults: Iterable[Fault]) -> InputError:
    return InputError.from_faults(faults, subject="the request")
