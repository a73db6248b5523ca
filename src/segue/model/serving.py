"""What is declared of serving: what a workflow lets the application say, and which keys the gateway takes."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from segue.model.base import Frozen

Permission = Literal["call", "pin", "feedback", "metrics"]
LogForm = Literal["text", "json", "access"]


SHIP_WITHIN_S = 4.0
"""Each round of shipping writes a file and commits: with little traffic it should wait for more to come."""


class GatewayKey(Frozen):
    """One key. No `workflows` is all of them. `pin` allows a request to choose its bundle (for debugging)."""

    name: str = Field(min_length=1, max_length=100)
    hash: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    workflows: tuple[str, ...] = ()
    permissions: tuple[Permission, ...] = ("call", "feedback")

    def may_call(self, workflow: str) -> bool:
        """Whether requests of this workflow may be made with it."""
        return "call" in self.permissions and (not self.workflows or workflow in self.workflows)

    def may_tell(self, workflow: str) -> bool:
        """Whether feedback on exchanges of this workflow may be given with it."""
        return "feedback" in self.permissions and (not self.workflows or workflow in self.workflows)


class Serving(Frozen):
    """The bundle decides the behaviour; the application brings the conversation.

    `may_set` names further fields of a request that the application may set, by their names in its dialect, and the header
    `anthropic-beta`. `otherwise` says what becomes of all other fields: refused, so that nobody believes in a setting that is
    not there, or left out in silence.
    `keep` says what the exchange log keeps of bodies: all, their digests, or nothing. `keep_days` bounds how long a record
    stays; of all exchanges the log keeps `keep_share`, and of all those the bodies of `keep_bodies_share`.
    """

    may_set: tuple[str, ...] = ()
    otherwise: Literal["refuse", "ignore"] = "refuse"
    keep: Literal["full", "digest", "none"] = "full"
    keep_days: int | None = Field(default=None, ge=1)
    keep_share: float = Field(default=1.0, ge=0, le=1)
    keep_bodies_share: float = Field(default=1.0, ge=0, le=1)


class GatewaySettings(Frozen):
    """The gateway of a workspace. Keys are rotated by having two of them for a while.

    `metrics` is where Prometheus metrics are served, host and port; left out, nowhere. `log` says what the gateway writes to
    standard error: words for a person, a JSON object for each event, or (`access`) one for each exchange, too. `endpoint` is
    where production is reached, for the daily evals and probes of an upgrade; `endpoint_key_env` names the variable with a key
    for it, which may call and pin. `ship_within_s` is how long, in seconds, a finished exchange waits at most until it is on
    its way to the archive, where statistics see it.
    """

    keys: tuple[GatewayKey, ...] = ()
    metrics: str | None = None
    log: LogForm = "text"
    endpoint: str | None = Field(default=None, pattern=r"^https?://[^\s/?#]+(/[^\s?#]*)?$")
    endpoint_key_env: str | None = Field(default=None, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    ship_within_s: float = Field(default=SHIP_WITHIN_S, ge=0.2, le=60)

    @field_validator("metrics")
    @classmethod
    def _is_address(cls, value: str | None) -> str | None:
        if value is not None:
            parse_address(value)
        return value


def parse_address(text: str) -> tuple[str, int]:
    """`127.0.0.1:9464`, `[::1]:9464`, `localhost:0`. Raises `ValueError` with what is wrong."""
    host, colon, port = text.strip().rpartition(":")
    if not colon or not host:
        raise ValueError("an address to listen on is a host and a port, such as 127.0.0.1:9464")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError("an IPv6 address stands in brackets, such as [::1]:9464")
    if not port.isascii() or not port.isdecimal() or int(port) > 65535:
        raise ValueError("a port is a number up to 65535")
    return host, int(port)
