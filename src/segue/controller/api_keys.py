"""The keys that the HTTP API takes: found by their hashes, as the gateway finds its own. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import sha256

from segue.model.controlling import ControllerKey


class ControllerKeys:
    """All keys that are valid now."""

    def __init__(self, keys: Iterable[ControllerKey]) -> None:
        self._by_hash = {bytes.fromhex(one.hash): one for one in keys}

    def __len__(self) -> int:
        return len(self._by_hash)

    def find(self, headers: Mapping[bytes, bytes]) -> ControllerKey | None:
        """The one a request carries, as `Authorization: Bearer …`."""
        scheme, _, key = headers.get(b"authorization", b"").partition(b" ")
        return self._by_hash.get(sha256(key.strip()).digest()) if scheme.lower() == b"bearer" else None
