"""Reasoning as providers seal it: bound to who made it, refused where it was changed or comes from elsewhere.

Whoever made it is a provider at an address, for an account, by a model. Knows no dialect's shapes; a real provider's seals hold
the reasoning itself, these hold a digest of it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass

_KEY = b"stand-in"
_KEYS = ("x-api-key", "Authorization")


@dataclass(frozen=True, slots=True)
class Scope:
    """Where reasoning can be read again."""

    provider: str
    origin: str
    credential: str
    model: str

    @classmethod
    def of(cls, provider: str, origin: str, headers: Mapping[str, str], model: str) -> Scope:
        """The scope of one call. The credential is the key it came with, if it came with one."""
        return cls(provider, origin, next((headers[name] for name in _KEYS if name in headers), ""), model)

    def seal(self, *said: str) -> str:
        """What goes with this reasoning."""
        named = "\0".join((self.provider, self.origin, self.credential, self.model, *said))
        digest = hmac.new(_KEY, named.encode("utf-8", "surrogatepass"), hashlib.sha256).digest()
        return base64.b64encode(digest).decode()

    def holds(self, seal: object, *said: str) -> bool:
        """Whether it was sealed here, and is as it was."""
        return isinstance(seal, str) and hmac.compare_digest(seal.encode("utf-8", "surrogatepass"), self.seal(*said).encode())
