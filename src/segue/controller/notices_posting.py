"""One attempt at a webhook: the signature of Standard Webhooks (standardwebhooks.com), and the request. Keeps nothing."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Callable, Mapping
from contextlib import suppress
from hashlib import sha256
from http.client import HTTPConnection, HTTPSConnection
from urllib.parse import urlsplit

TIMEOUT_S = 10.0
_PREFIX = "whsec_"
Post = Callable[[str, Mapping[str, str], bytes], int]
"""`(url, headers, body)` → status. `OSError` or `HTTPException` where there was none."""


def signed(secret: str, name: str, at: int, body: bytes) -> dict[str, str]:
    """The headers of Standard Webhooks: HMAC-SHA256 over id, time and body. After `whsec_` a secret is base64."""
    key = secret.encode()
    if secret.startswith(_PREFIX):
        with suppress(binascii.Error, ValueError):
            key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    mark = base64.b64encode(hmac.new(key, f"{name}.{at}.".encode() + body, sha256).digest()).decode()
    headers = {"webhook-id": name, "webhook-timestamp": str(at), "webhook-signature": f"v1,{mark}"}
    return {"content-type": "application/json", "user-agent": "segue", **headers}


def post_once(url: str, headers: Mapping[str, str], body: bytes) -> int:
    """Follows no redirect, and reads no more of the answer than its status."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise OSError("not an address")
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = kind(parts.hostname, parts.port, timeout=TIMEOUT_S)
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("POST", target, body, dict(headers))
        return connection.getresponse().status
    finally:
        connection.close()
