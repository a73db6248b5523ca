"""Where production is reached, and with which key: from `gateway: endpoint` of segue.yaml, or from whoever serves here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from segue.errors import Fault, InputError
from segue.model.serving import GatewaySettings

ENDPOINT_KEY = "SEGUE_ENDPOINT_KEY"
"""How the key is handed to a job: in its environment, never among its arguments."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The address without `/v1`, and a key that may call and pin."""

    url: str
    key: str = field(repr=False)

    @property
    def origin(self) -> str:
        """Without what OpenAI's clients want at the end."""
        return self.url.rstrip("/").removesuffix("/v1")


def find_endpoint(settings: GatewaySettings, environ: Mapping[str, str]) -> Endpoint | None:
    """`None` where none is named. `InputError` where it is, and its key is not there."""
    if settings.endpoint is None:
        return None
    variable = settings.endpoint_key_env or ENDPOINT_KEY
    key = environ.get(variable, "")
    if not key:
        what = f"The key for {settings.endpoint} is not there: the environment variable {variable} is not set."
        fix = f"Set it to a key that may call and pin (export {variable}=…); segue gateway key NAME makes one."
        raise InputError.from_faults([Fault(what, fix, path="gateway.endpoint_key_env")], subject="segue.yaml")
    return Endpoint(settings.endpoint, key)
