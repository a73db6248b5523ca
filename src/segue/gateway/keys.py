"""Keys of the gateway: kept as hashes, scoped to workflows, several at once so that they can be rotated.

A key is 32 random bytes of its own making, so one SHA-256 is as good as a slow hash: there is nothing to guess. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import sha256

from segue.model.serving import GatewayKey

PREFIX = "sg-"


def make_key(secret: bytes) -> str:
    """The key that is shown once, from 32 random bytes."""
    assert len(secret) >= 32, "a key is not to be guessed"
    return PREFIX + secret.hex()


def hash_key(key: str) -> str:
    """What is kept of it."""
    return sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


class KeyRing:
    """All keys that are valid now. Looked up by hash, so that neither time nor order tells anything of a key."""

    __slots__ = ("_by_hash",)

    def __init__(self, keys: Iterable[GatewayKey]) -> None:
        self._by_hash = {bytes.fromhex(one.hash): one for one in keys}

    def __len__(self) -> int:
        return len(self._by_hash)

    def find(self, headers: Mapping[bytes, bytes]) -> GatewayKey | None:
        """The key a request carries: `Authorization: Bearer …` as OpenAI's clients do, or `x-api-key` as Anthropic's."""
        carried = headers.get(b"authorization")
        if carried is not None:
            scheme, _, key = carried.partition(b" ")
            if scheme.lower() == b"bearer":
                found = self._by_hash.get(sha256(key.strip()).digest())
                if found is not None:
                    return found
        key = headers.get(b"x-api-key", b"")
        return self._by_hash.get(sha256(key.strip()).digest()) if key else None
