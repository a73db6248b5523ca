"""What a provider's error means: one table of HTTP statuses and one of error codes, for all dialects.

Both dialects wrap errors as `{"error": {"type", "message", ...}}`; compatible servers also send plain text or HTML.
The message of an error is shown only where it repeats nothing of the request, and never for authentication errors, for
providers quote keys and prompts in them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

import orjson

from segue.model.exchange import Failure, FailureKind

_BY_CODE: Mapping[str, FailureKind] = {
    "insufficient_quota": "auth",
    "billing_hard_limit_reached": "auth",
    "billing_not_active": "auth",
    "invalid_api_key": "auth",
    "account_deactivated": "auth",
}
"""Codes that say more than the status: an empty account is sent as 429, and waiting does not fill it."""

_BY_STATUS: Mapping[int, FailureKind] = {
    401: "auth",
    402: "auth",
    403: "auth",
    407: "auth",
    408: "timeout",
    409: "server",  # a lock conflict at the provider, which both official SDKs retry
    425: "server",
    429: "rate_limit",
    503: "overloaded",
    504: "timeout",
    522: "timeout",
    524: "timeout",
    529: "overloaded",
}

_BY_TYPE: Mapping[str, FailureKind] = {
    "authentication_error": "auth",
    "permission_error": "auth",
    "billing_error": "auth",
    "invalid_request_error": "refused_request",
    "not_found_error": "refused_request",
    "request_too_large": "refused_request",
    "rate_limit_error": "rate_limit",
    "rate_limit_exceeded": "rate_limit",
    "requests": "rate_limit",
    "tokens": "rate_limit",
    "overloaded_error": "overloaded",
    "timeout_error": "timeout",
    "api_error": "server",
    "server_error": "server",
}
"""For errors inside a stream that began with status 200."""

_PLAIN = re.compile(r"[\w .,:/\[\]$-]{1,80}")
_MESSAGE_LIMIT = 300
_RUN = 24
_QUOTED = re.compile(r"['\"`]([^'\"`]{4,})['\"`]")
_TELLING = re.compile(r"\S*[\d@]\S{3,}|\S{3,}[\d@]\S*")


@dataclass(frozen=True, slots=True)
class ErrorBody:
    """The parts of an error that providers agree on; each may be missing."""

    type: str | None = None
    code: str | None = None
    param: str | None = None
    message: str | None = None


def read_error_body(body: bytes) -> ErrorBody:
    """Whatever `body` is: a JSON error of either dialect, of a compatible server, or no JSON at all. Never raises."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return ErrorBody()
    return error_from_json(value)


def error_from_json(value: object) -> ErrorBody:
    """The same, from parsed JSON."""
    if not isinstance(value, dict):
        return ErrorBody()
    error = value.get("error", value)
    if isinstance(error, str):
        return ErrorBody(message=error)
    if not isinstance(error, dict):
        return ErrorBody()

    def part(name: str) -> str | None:
        found = error.get(name)
        return found if isinstance(found, str) and found else None

    return ErrorBody(part("type"), part("code"), part("param"), part("message") or part("detail"))


def is_too_long(error: ErrorBody) -> bool:
    """Whether it says that the conversation is longer than the model can read. Anthropic has no code for that."""
    return error.code == "context_length_exceeded" or (error.message or "").startswith("prompt is too long")


def failure_kind(status: int, error: ErrorBody) -> FailureKind:
    """What an error means for retrying and for the verdict. `status` is 200 for an error inside a stream."""
    named = _BY_CODE.get(error.code or "") or _BY_CODE.get(error.type or "")
    if named is not None:
        return named
    if status < 300:
        return _BY_TYPE.get(error.type or "") or _BY_TYPE.get(error.code or "") or "server"
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    return "server" if status >= 500 else "refused_request"


def describe_error(status: int, error: ErrorBody, *, withheld: Iterable[str] = ()) -> Failure:
    """The failure with its sentence. `withheld` are the texts of the request, which no message may repeat."""
    kind = failure_kind(status, error)
    detail = f"HTTP {status}" if status >= 300 else "An error inside the stream"
    if 300 <= status < 400:
        detail += ": the address redirects, and redirects are not followed. Set base_url to where it leads"
    shown = [
        f"{name} {value}"
        for name, value in (("type", error.type), ("code", error.code), ("param", error.param))
        if _plain(value)
    ]
    if shown:
        detail += f" ({', '.join(shown)})"
    if error.message and kind != "auth":
        message = " ".join(error.message.split())[:_MESSAGE_LIMIT]
        detail += ": (message withheld: it repeats part of the request)" if _repeats(message, withheld) else f": {message}"
    return Failure(kind, detail if detail.endswith((".", ")")) else detail + ".")


def parse_retry_after(headers: Mapping[str, str], *, now_s: float) -> float | None:
    """Seconds to wait, from `retry-after-ms`, or `Retry-After` as seconds or HTTP date; `now_s` is Unix time.

    Source: RFC 9110, section 10.2.3. What cannot be read is `None`; a date in the past is 0.
    """
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        value = headers.get(name)
        if value is None:
            continue
        try:
            seconds = float(value) * unit
        except ValueError:
            continue
        if math.isfinite(seconds) and seconds >= 0:
            return seconds
    date = headers.get("retry-after")
    if date is None:
        return None
    try:
        return max(0.0, parsedate_to_datetime(date).timestamp() - now_s)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def _plain(value: str | None) -> bool:
    return value is not None and _PLAIN.fullmatch(value) is not None


def _repeats(message: str, withheld: Iterable[str]) -> bool:
    """Whether `message` quotes the request: a whole text, a long run, something in quotation marks, a number or an address."""
    pieces = {*_QUOTED.findall(message), *_TELLING.findall(message)}
    pieces.update(message[at : at + _RUN] for at in range(len(message) - _RUN + 1))
    for text in withheld:
        text = " ".join(text.split())
        if len(text) >= 4 and (text in message or any(piece in text for piece in pieces)):
            return True
    return False
