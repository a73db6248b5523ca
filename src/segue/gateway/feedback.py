"""Takes feedback: `POST /v1/feedback`, and the header `segue-feedback` on any request.

It is in the spool before it is acknowledged, as an exchange is, and goes the same way from there. An identifier does not tell
whose exchange it is, so the record says which workflows the key may tell of, and is held against the exchange's own where both
meet (`segue.exchanges.feedback`). What is said is read in `told.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from segue.errors import Fault, InputError, NotFoundError
from segue.exchanges.outcome import Outcome
from segue.exchanges.record import Keep
from segue.gateway.http import HttpExchange
from segue.gateway.target import Plane
from segue.gateway.told import HEADER, LARGEST, LONGEST, Feedback, Teller, read_feedback, read_header
from segue.model.serving import GatewayKey
from segue.wire.neutral.client_error import STATUS, ClientError, ErrorKind

PATH = b"/v1/feedback"
_JSON = (b"content-type", b"application/json")
_LEAST_FIRST: tuple[Keep, ...] = ("none", "digest", "full")
_TYPES: Mapping[ErrorKind, str] = {
    "invalid_request": "invalid_request_error",
    "auth": "authentication_error",
    "permission": "permission_error",
    "too_large": "request_too_large",
    "overloaded": "overloaded_error",
}
_encode = msgspec.json.Encoder().encode

KeepOutcome = Callable[[Outcome, bytes], int | None]
"""Puts an outcome and its text in the log; `None` where that could not take it."""


class FeedbackDesk:
    """One per process. `keep` is the log's; `plane` says what is served now."""

    def __init__(self, *, keep: KeepOutcome, wall_ns: Callable[[], int], plane: Callable[[], Plane]) -> None:
        self._keep = keep
        self._wall_ns = wall_ns
        self._plane = plane

    def post(self, exchange: HttpExchange, headers: Mapping[bytes, bytes], key: GatewayKey | None) -> None:
        """Answer `POST /v1/feedback`: 202 once all of it is kept, and nothing of it where something is wrong with any."""
        error = _refusal(key)
        if error is not None or key is None:
            exchange.respond(*_told(error or _no_key()))
            return
        body = exchange.request.body
        if len(body) > LARGEST:
            message = f"The body has {len(body):,} bytes, and {LARGEST:,} are taken at once. Send it in parts."
            exchange.respond(*_told(ClientError("too_large", message, code="too_large")))
            return
        try:
            own = _own_key(headers)
            is_list, found = read_feedback(body, self._teller(key), own)
        except InputError as refused:
            message = " ".join(fault.sentence() for fault in refused.faults[:20])
            error = ClientError("invalid_request", message, refused.faults[0].path, "bad_feedback")
            exchange.respond(*_told(error, refused.faults))
            return
        if not self._keep_all(found):
            message = "The log can keep nothing at the moment. Send it again later: what was kept of it counts once."
            exchange.respond(*_told(ClientError("overloaded", message, code="not_kept")))
            return
        rows = [_answer(one) for one in found]
        exchange.respond(202, [_JSON], _encode({"feedback": rows} if is_list else rows[0]))

    def keyless(self) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        """What is told without a valid key, whatever the body may hold."""
        return _told(_no_key())

    def take_header(self, raw: bytes, key: GatewayKey) -> ClientError | None:
        """Feedback that comes with a request: kept, or what is wrong with it. A log that cannot keep it stops no request."""
        error = _refusal(key)
        if error is not None:
            return error
        found, faults = read_header(raw, self._teller(key))
        if faults:
            message = " ".join(fault.sentence() for fault in faults)
            return ClientError("invalid_request", message, HEADER.decode(), "bad_header")
        self._keep_all(found)
        return None

    def _keep_all(self, found: list[Feedback]) -> bool:
        return all(self._keep(outcome, text) is not None for one in found for outcome, text in one.outcomes)

    def _teller(self, key: GatewayKey) -> Teller:
        plane = self._plane()

        def find_keep(workflow: str | None) -> Keep | Fault:
            """Where no workflow is named, a text is kept as the most reticent of all that it may be about would have it."""
            mine = [one for one in plane.workflows.values() if key.may_tell(one.name)]
            if workflow is not None:
                named = next((one for one in mine if one.name == workflow), None)
                if named is None:
                    error = NotFoundError.naming("workflow", workflow, [one.name for one in mine])
                    return Fault(what=error.what, fix="Name one that is served here and that this key may tell of.")
                return named.keep
            return min((one.keep for one in mine), key=_LEAST_FIRST.index, default="none")

        return Teller(key.name, key.workflows, self._wall_ns(), find_keep)


def _answer(one: Feedback) -> dict[str, Any]:
    """What is told of an item that was kept; how much of a text was, says the workflow's `serving.keep`."""
    texts = {outcome.kind: outcome.text.kept for outcome, _ in one.outcomes if outcome.text.kept != "absent"}
    told = {"feedback_id": one.id, "exchange": one.exchange, "kinds": [outcome.kind for outcome, _ in one.outcomes]}
    return {**told, "texts_kept": texts} if texts else told


def _own_key(headers: Mapping[bytes, bytes]) -> str | None:
    raw = headers.get(b"idempotency-key")
    if raw is None:
        return None
    text = raw.decode("utf-8", "replace").strip()
    if not 0 < len(text) <= LONGEST:
        fix = f"Send 1 to {LONGEST} characters."
        fault = Fault(what="The header is empty or too long.", fix=fix, path="idempotency-key")
        raise InputError.from_faults([fault], subject="the feedback")
    return text


def _no_key() -> ClientError:
    return ClientError("auth", "No valid gateway key came with this request.", code="invalid_api_key")


def _refusal(key: GatewayKey | None) -> ClientError | None:
    if key is None:
        return _no_key()
    if "feedback" not in key.permissions:
        message = f"The key '{key.name}' may not give feedback. Add 'feedback' to its permissions in segue.yaml."
        return ClientError("permission", message, HEADER.decode(), "no_feedback")
    return None


def _told(error: ClientError, faults: tuple[Fault, ...] = ()) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """An error for a client of no dialect: with all faults, each with its place and remedy."""
    body = {"message": error.message, "type": _TYPES[error.kind], "param": error.param, "code": error.code}
    return STATUS[error.kind], [_JSON], _encode({"error": {**body, "faults": [one.as_json() for one in faults]}})
