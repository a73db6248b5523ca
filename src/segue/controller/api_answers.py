"""Answers of the HTTP API: JSON, and one shape for everything that went wrong, `{"error": {code, what, fix, faults}}`. Pure.

Codes of `segue.errors` keep their names; those of HTTP alone are in `REFUSALS`. `docs/controller.md` lists both, and a test
compares.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from segue.errors import SegueError
from segue.gateway.http import Headers, Refusal

JSON_TYPE = (b"content-type", b"application/json")
Answer = tuple[int, Any]
"""Status and JSON."""

STATUS: Mapping[str, int] = {
    "input": 400,
    "usage": 400,
    "not-comparable": 400,
    "not-found": 404,
    "conflict": 409,
    "fenced": 409,
    "budget": 409,
    "provider": 502,
    "store": 503,
    "tampered": 500,
    "segue": 500,
}
"""Code of a `SegueError` → status."""
REFUSALS: Mapping[str, int] = {
    "no-key": 401,
    "no-permission": 403,
    "no-such-place": 404,
    "wrong-method": 405,
    "malformed": 400,
    "too-large": 413,
    "busy": 503,
    "broken": 500,
}
"""What is refused before anything is asked of an upgrade."""


def encode(body: Any) -> bytes:
    """JSON in one line."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode("utf-8", "replace") + b"\n"


def of_error(error: SegueError) -> Answer:
    """A `SegueError` as it is told everywhere, with its status."""
    return STATUS.get(error.code, 500), error.as_json()


def of_refusal(code: str, what: str, fix: str) -> Answer:
    """The same shape for what no `SegueError` is."""
    fault = {"severity": "error", "file": None, "line": None, "path": None, "what": what, "likely": None, "fix": fix}
    return REFUSALS[code], {"error": {"code": code, "what": what, "fix": fix, "faults": [fault]}}


def refusal_text(refusal: Refusal) -> tuple[Headers, bytes]:
    """What is told of bytes that are no request: by the server, before the API sees them."""
    code = "too-large" if refusal.status in (413, 431) else "busy" if refusal.status == 503 else "malformed"
    fix = "Send less at once." if code == "too-large" else "Try again soon." if code == "busy" else "Send HTTP/1.1."
    return [JSON_TYPE], encode(of_refusal(code, refusal.reason, fix)[1])
