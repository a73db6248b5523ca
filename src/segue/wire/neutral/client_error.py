"""An error as the gateway tells it to a client, whatever the dialect: what happened, the status, the field, the sentence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from segue.model import Failure
from segue.wire.neutral.refusal import RefusedError

ErrorKind = Literal[
    "invalid_request", "auth", "permission", "not_found", "too_large", "rate_limit", "overloaded", "timeout", "server"
]

STATUS: Mapping[ErrorKind, int] = {
    "invalid_request": 400,
    "auth": 401,
    "permission": 403,
    "not_found": 404,
    "too_large": 413,
    "rate_limit": 429,
    "server": 502,
    "overloaded": 503,
    "timeout": 504,
}
"""A provider that fails is 502 here, never 500: the gateway itself is well."""

_BY_FAILURE: Mapping[str, ErrorKind] = {
    "refused_request": "invalid_request",
    "rate_limit": "rate_limit",
    "overloaded": "overloaded",
    "timeout": "timeout",
}


@dataclass(frozen=True, slots=True)
class ClientError:
    """`param` is the field that is wrong, `code` a stable word for programs, `retry_after` the header of that name."""

    kind: ErrorKind
    message: str
    param: str | None = None
    code: str | None = None
    retry_after: bytes | None = None

    @property
    def status(self) -> int:
        """The HTTP status that goes with it."""
        return STATUS[self.kind]

    @classmethod
    def from_refused(cls, refused: RefusedError) -> ClientError:
        """A request that cannot be carried to the bundle's dialect."""
        return cls("invalid_request", str(refused), refused.field, "not_representable")

    @classmethod
    def from_failure(cls, failure: Failure) -> ClientError:
        """A provider's failure. Its `auth` is the gateway's own key, which is no fault of the client: `server`."""
        return cls(_BY_FAILURE.get(failure.kind, "server"), failure.detail or "The provider failed.", code=failure.kind)
