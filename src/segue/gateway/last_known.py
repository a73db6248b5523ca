"""The last known routes, with all they need, as a file: a gateway starts from it alone, without store and controller.

Of a workflow whose newest route cannot be served it keeps the one before (`settle`), so that the file holds what is served.
A rollback that the store does not have yet stands in the place of the store's route, marked in `orders`.
Holds no secret: providers are the entries of `segue.yaml`, whose keys are references to the environment. Written whole, synced
and renamed, so that it is the old one or the new one whatever happens; what cannot be read is said and never served half.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from segue.errors import InputError, StoreError
from segue.gateway.orders import RollbackOrder
from segue.gateway.planes import Sources
from segue.model import Bundle, Frozen, Json, ScorerSpec, SliceSpec
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


class Held(Frozen):
    """A workflow whose newest route cannot be served: why, and what is served in its place, if it ever was served.

    `providers` and `serving` are those of the older revision; the bundles are among the others, for a digest says which.
    """

    reason: str
    revision: KnownRevision | None = None
    providers: dict[str, dict[str, Json]] = Field(default_factory=dict)
    serving: Serving | None = None


class LastKnown(Frozen):
    """Everything a gateway serves from. `revisions` are those in force in one environment, but for the workflows in `held`."""

    version: int = VERSION
    environment: str
    revisions: tuple[KnownRevision, ...] = ()
    bundles: dict[str, Bundle] = Field(default_factory=dict)
    providers: dict[str, dict[str, Json]] = Field(default_factory=dict)
    servings: dict[str, Serving] = Field(default_factory=dict)
    scorers: dict[str, tuple[ScorerSpec, ...]] = Field(default_factory=dict)
    slices: dict[str, dict[str, SliceSpec]] = Field(default_factory=dict)
    keys: tuple[GatewayKey, ...] = ()
    prices: dict[str, ModelPrice] = Field(default_factory=dict)
    held: dict[str, Held] = Field(default_factory=dict)
    orders: dict[str, RollbackOrder] = Field(default_factory=dict)

    def sources(self) -> Iterator[Sources]:
        """What planes are built from: what is in force, then what is held."""
        reasons = {name: one.reason for name, one in self.held.items()}
        yield self._sources(self.revisions, self.providers, self.servings, reasons)
        for name, one in self.held.items():
            if one.revision is not None:
                servings = {} if one.serving is None else {name: one.serving}
                yield self._sources((one.revision,), one.providers, servings, {})

    def _sources(
        self,
        revisions: Iterable[KnownRevision],
        entries: Mapping[str, dict[str, Json]],
        servings: Mapping[str, Serving],
        refused: Mapping[str, str],
    ) -> Sources:
        made = tuple(RouteRevision(one.revision, one.route, one.author, one.reason, one.at) for one in revisions)
        wanted = {bundle.model.provider for bundle in self.bundles.values()}
        providers, unreadable = {}, {}
        for name in sorted(wanted & entries.keys()):
            try:
                providers[name] = parse_provider(name, entries[name])
            except InputError as error:
                unreadable[name] = " ".join(fault.sentence() for fault in error.faults)
        return Sources(made, self.bundles, providers, servings, unreadable, refused)

    def needed(self, route: Route) -> dict[str, Bundle]:
        """The bundles of a route and their fallbacks, as far as they are here."""
        wanted, found = list(route.bundles()), {}
        for digest in wanted:
            bundle = self.bundles.get(digest)
            if bundle is not None:
                found[digest] = bundle
                if bundle.fallback is not None and bundle.fallback not in wanted:
                    wanted.append(bundle.fallback)
        return found

    def holding(self, workflow: str, reason: str) -> Held:
        """What is known of a workflow, as something to serve while its newest route cannot be."""
        if workflow in self.held:
            return self.held[workflow].model_copy(update={"reason": reason})
        revision = next((one for one in self.revisions if one.route.workflow == workflow), None)
        if revision is None:
            return Held(reason=reason)
        wanted = {bundle.model.provider for bundle in self.needed(revision.route).values()}
        providers = {name: entry for name, entry in self.providers.items() if name in wanted}
        return Held(reason=reason, revision=revision, providers=providers, serving=self.servings.get(workflow))

    def find(self, workflow: str) -> KnownRevision | None:
        """The revision of a workflow that is served, newest or held."""
        for one in self.revisions:
            if one.route.workflow == workflow:
                return one
        return self.held[workflow].revision if workflow in self.held else None

    def obeying(self, orders: Mapping[str, RollbackOrder], before: LastKnown | None = None) -> LastKnown:
        """With what rollbacks ask for in the place of the newest routes. Bundles that this lacks are taken from `before`."""
        if not orders:
            return self.model_copy(update={"orders": {}}) if self.orders else self
        bundles, providers, servings = {**self.bundles}, {**self.providers}, {**self.servings}
        revisions = {one.route.workflow: one for one in self.revisions}
        for name, order in orders.items():
            if before is not None:
                bundles = {**before.needed(order.route), **bundles}
                providers = {**before.providers, **providers}
            if name in self.held:
                providers = {**self.held[name].providers, **providers}
                if (serving := self.held[name].serving) is not None:
                    servings.setdefault(name, serving)
            revisions[name] = KnownRevision(
                revision=order.after, route=order.route, author=order.author, reason=order.reason, at=order.at
            )
        taken: dict[str, Any] = {"bundles": bundles, "providers": providers, "servings": servings, "orders": dict(orders)}
        taken["held"] = {name: one for name, one in self.held.items() if name not in orders}
        return self.model_copy(update={"revisions": tuple(revisions.values()), **taken})

    def numbers(self) -> dict[str, int]:
        """Workflow → revision: the newest of each, as it was read."""
        return {one.route.workflow: one.revision for one in self.revisions}

    def at_this_start(self, keys: tuple[GatewayKey, ...], providers: Mapping[str, dict[str, Json]]) -> LastKnown:
        """With keys and addresses of this start of the gateway in the place of those of an earlier one."""
        held = {
            name: one.model_copy(update={"providers": {**one.providers, **_named(providers, one.providers)}})
            for name, one in self.held.items()
        }
        return self.model_copy(update={"keys": keys, "providers": {**self.providers, **providers}, "held": held})


def _named(entries: Mapping[str, dict[str, Json]], names: Iterable[str]) -> dict[str, dict[str, Json]]:
    wanted = set(names)
    return {name: entry for name, entry in entries.items() if name in wanted}


def settle(found: LastKnown, before: LastKnown | None, refused: Mapping[str, str]) -> LastKnown:
    """What to serve: `found`, and of each workflow in `refused` what was known of it before, with the reason."""
    if not refused:
        return found
    if before is None or before.environment != found.environment:
        before = LastKnown(environment=found.environment)
    held = {name: before.holding(name, reason) for name, reason in sorted(refused.items())}
    older = {}
    for one in held.values():
        if one.revision is not None:
            older.update(before.needed(one.revision.route))
    revisions = tuple(one for one in found.revisions if one.route.workflow not in refused)
    return found.model_copy(update={"revisions": revisions, "bundles": {**older, **found.bundles}, "held": held})


def known(revision: RouteRevision) -> KnownRevision:
    """As it is written down."""
    return KnownRevision(
        revision=revision.revision, route=revision.route, author=revision.author, reason=revision.reason, at=revision.at
    )


def save_last_known(path: Path, found: LastKnown, *, is_synced: bool = True) -> None:
    """Raises `StoreError` where it cannot be written; the one before stays. What outlives no process needs no syncing."""
    # Several gateways of a machine write the same file.
    scratch = path.with_suffix(f".{os.getpid()}.new")
    text = found.model_dump_json(exclude_defaults=True).encode()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with scratch.open("wb") as file:
            file.write(text)
            file.flush()
            if is_synced:
                os.fsync(file.fileno())
        scratch.replace(path)
    except OSError as error:
        with suppress(OSError):
            scratch.unlink(missing_ok=True)
        if _holds(path, text):
            return
        raise StoreError(
            f"The last known routes cannot be written to {path}: {error.strerror or type(error).__name__}.",
            fix="Make room, or let the gateway write there. It serves what it knows meanwhile.",
        ) from error


def _holds(path: Path, text: bytes) -> bool:
    """Whether it is written there already: a gateway that starts from it on a full disk needs no room for it."""
    try:
        return path.read_bytes() == text
    except OSError:
        return False


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
