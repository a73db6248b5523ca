"""The last known routes, with all they need, as a file: a gateway starts from it alone, without store and controller.

Holds no secret: providers are the entries of `segue.yaml`, whose keys are references to the environment. Written whole, synced
and renamed, so that it is the old one or the new one whatever happens; what cannot be read is said and never served half.
"""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import Field, ValidationError

from segue.errors import InputError, StoreError
from segue.gateway.planes import Sources
from segue.model import Bundle, Frozen, Json
from segue.model.route import Route, RouteRevision
from segue.model.serving import GatewayKey, Serving
from segue.providers.config import parse_provider
from segue.providers.pricing import ModelPrice

VERSION = 1


class KnownRevision(Frozen):
    """A revision of a route, as it is written down."""

    revision: int
    route: Route
    author: str
    reason: str
    at: str


class LastKnown(Frozen):
    """Everything a gateway serves from. `revisions` are those in force in one environment."""

    version: int = VERSION
    environment: str
    revisions: tuple[KnownRevision, ...] = ()
    bundles: dict[str, Bundle] = Field(default_factory=dict)
    providers: dict[str, dict[str, Json]] = Field(default_factory=dict)
    servings: dict[str, Serving] = Field(default_factory=dict)
    keys: tuple[GatewayKey, ...] = ()
    prices: dict[str, ModelPrice] = Field(default_factory=dict)

    def sources(self) -> Sources:
        """What planes are built from. Raises `InputError` with what is wrong with a provider's entry."""
        revisions = tuple(RouteRevision(one.revision, one.route, one.author, one.reason, one.at) for one in self.revisions)
        wanted = {bundle.model.provider for bundle in self.bundles.values()}
        providers = {name: parse_provider(name, entry) for name, entry in self.providers.items() if name in wanted}
        return Sources(revisions, self.bundles, providers, self.servings)

    def numbers(self) -> dict[str, int]:
        """Workflow → revision: how a gateway says what it serves."""
        return {one.route.workflow: one.revision for one in self.revisions}


def known(revision: RouteRevision) -> KnownRevision:
    """As it is written down."""
    return KnownRevision(
        revision=revision.revision, route=revision.route, author=revision.author, reason=revision.reason, at=revision.at
    )


def save_last_known(path: Path, found: LastKnown) -> None:
    """Raises `StoreError` where it cannot be written; the one before stays."""
    scratch = path.with_suffix(".new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with scratch.open("wb") as file:
            file.write(found.model_dump_json(exclude_defaults=True).encode())
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(path)
    except OSError as error:
        raise StoreError(
            f"The last known routes cannot be written to {path}: {error.strerror or type(error).__name__}.",
            fix="Make room, or let the gateway write there. It serves what it knows meanwhile.",
        ) from error


def load_last_known(path: Path) -> LastKnown:
    """Raises `StoreError` where there is none, `InputError` where it is not what was written."""
    try:
        text = path.read_bytes()
    except OSError as error:
        raise StoreError(
            f"There are no last known routes at {path} ({error.strerror or type(error).__name__}).",
            fix="Start the gateway once where it can read the store.",
        ) from error
    try:
        found = LastKnown.model_validate_json(text)
    except ValidationError as error:
        raise InputError(
            f"{path} is not what a gateway wrote: {error.error_count()} faults, the first at "
            f"{'.'.join(map(str, error.errors(include_input=False, include_url=False)[0]['loc'])) or 'its beginning'}.",
            fix="Remove it, and start the gateway once where it can read the store.",
        ) from error
    if found.version != VERSION:
        raise InputError(f"{path} has version {found.version}, and this Segue reads {VERSION}.", fix="Upgrade Segue.")
    return found
