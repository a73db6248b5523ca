"""What a gateway serves from, read from workspace and store: routes, bundles, providers, keys."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from segue.errors import NotFoundError, SegueError, TamperError
from segue.gateway.last_known import Held, LastKnown, known
from segue.gateway.live_scorers import is_live
from segue.gateway.orders import RollbackOrder, enact_order, forget_order, list_orders, obeyed_by
from segue.model import Bundle, Json, ScorerSpec, SliceSpec
from segue.model.route import Route
from segue.model.serving import GatewayKey, Serving
from segue.providers.pricing import ModelPrice
from segue.store.base import Store
from segue.store.gateways import GatewaySaid
from segue.workspace import Workspace, load_workspace

Entries = Mapping[str, dict[str, Json]]


class WorkspaceReader:
    """Reads them again and again; files of the workspace only where one has changed, a bundle once.

    The store is opened at the first reading, and where that fails at the next: a gateway may start before its database.
    `instead` are providers' entries that take the place of those of the same name: simulated models are asked over HTTP like
    all others. `keys` are valid beside those of `segue.yaml`. `beside` is the folder where rollbacks wait for the store.
    """

    def __init__(
        self,
        root: Path,
        environ: Mapping[str, str],
        open_store: Callable[[], Store],
        environment: str,
        *,
        instead: Entries | None = None,
        keys: tuple[GatewayKey, ...] = (),
        beside: Path | None = None,
    ) -> None:
        self._beside = root / ".segue" if beside is None else beside
        self._root, self._environ, self._open_store = root, environ, open_store
        self._environment = environment
        self._instead, self._keys = dict(instead or {}), keys
        self._store: Store | None = None
        self._opening = threading.Lock()
        self._seen: Any = None
        self._workspace: Workspace | None = None
        self._servings: dict[str, Serving] = {}
        self._scorers: dict[str, tuple[ScorerSpec, ...]] = {}
        self._slices: dict[str, dict[str, SliceSpec]] = {}
        self._unreadable: dict[str, str] = {}
        self._bundles: dict[str, Bundle] = {}

    def read(self) -> LastKnown:
        """Raises what reading `segue.yaml` or the store raises. What is wrong with one workflow is said of that one."""
        revisions = self._opened().list_routes(self._environment)
        workspace = self._current(sorted({one.route.workflow for one in revisions}))
        held = {name: Held(reason=reason) for name, reason in self._unreadable.items()}
        bundles: dict[str, Bundle] = {}
        for revision in revisions:
            try:
                bundles.update(self._needed(revision.route))
            except TamperError as error:
                held[revision.route.workflow] = Held(reason=_sentences(error))
        self._bundles = bundles
        return LastKnown(
            environment=self._environment,
            revisions=tuple(known(one) for one in revisions),
            bundles=bundles,
            providers={**workspace.config.providers, **self._instead},
            servings=self._servings,
            scorers=self._scorers,
            slices=self._slices,
            keys=self._all_keys(workspace),
            prices={**declared_prices(workspace.config.providers), **workspace.config.prices},
            held=held,
        )

    def again(self, found: LastKnown) -> LastKnown:
        """What was written down at an earlier start, with the keys and the simulated providers of this one."""
        keys = self._all_keys(load_workspace(self._root, self._environ))
        return found.at_this_start(keys, self._instead)

    def orders(self, known: Iterable[RollbackOrder] = ()) -> list[RollbackOrder]:
        """Rollbacks that wait for the store, `known` ones among them: those that it is not seen to have."""
        found = {(one.key, one.ident): one for one in (*known, *list_orders(self._beside, self._environment))}
        return [one for one in found.values() if not self._has(one)]

    def enact(self, order: RollbackOrder) -> None:
        """Write it into the store, once; then it waits no more. Raises what the store raises."""
        enact_order(self._opened(), order)
        forget_order(self._beside, order)

    def tell(self, said: GatewaySaid) -> None:
        """Say in the store what this gateway serves. Nothing is said while the store is not open."""
        if self._store is not None:
            self._store.tell_gateway(said)

    def leave(self, name: str) -> None:
        """Say there that it has ended."""
        if self._store is not None:
            self._store.forget_gateway(name)

    def close(self) -> None:
        """Close the store, if it could be opened."""
        if self._store is not None:
            self._store.close()

    def _opened(self) -> Store:
        with self._opening:
            if self._store is None:
                self._store = self._open_store()
            return self._store

    def _has(self, order: RollbackOrder) -> bool:
        """Whether the store is seen to have it."""
        try:
            found = None if self._store is None else obeyed_by(order, self._store.route_history(*order.key))
        except SegueError:
            return False
        if found is not None:
            forget_order(self._beside, order)
        return found is not None

    def _all_keys(self, workspace: Workspace) -> tuple[GatewayKey, ...]:
        return (*workspace.config.gateway.keys, *self._keys)

    def _needed(self, route: Route) -> dict[str, Bundle]:
        """The bundles of a route and their fallbacks. One that the store lacks is left out: planes name it."""
        found: dict[str, Bundle] = {}
        wanted = list(route.bundles())
        for digest in wanted:
            bundle = self._bundle(digest)
            if bundle is not None:
                found[digest] = bundle
                if bundle.fallback is not None and bundle.fallback not in wanted:
                    wanted.append(bundle.fallback)
        return found

    def _bundle(self, digest: str) -> Bundle | None:
        """A digest says all that a bundle is: what was read once need not be again."""
        if digest in self._bundles:
            return self._bundles[digest]
        try:
            return self._opened().get_bundle(digest).bundle
        except NotFoundError:
            return None

    def _current(self, workflows: list[str]) -> Workspace:
        """The workspace, read anew where a file of it has changed."""
        files = [self._root / "segue.yaml", *(self._root / "workflows" / name / "workflow.yaml" for name in workflows)]
        seen = [(path, _stamp(path)) for path in files]
        if self._workspace is None or seen != self._seen:
            workspace = load_workspace(self._root, self._environ)
            self._servings, self._scorers, self._slices, self._unreadable = {}, {}, {}, {}
            here = set(workspace.workflows)
            for name in (one for one in workflows if one in here):
                try:
                    workflow = workspace.load_workflow(name)
                    self._servings[name] = workflow.serving
                    self._slices[name] = dict(workflow.slices)
                    self._scorers[name] = tuple(one for one in workflow.scorers if is_live(one))
                except SegueError as error:
                    # How its exchanges are to be kept stands there, so nothing is assumed of it.
                    self._unreadable[name] = _sentences(error)
            self._workspace, self._seen = workspace, seen
        return self._workspace


def declared_prices(entries: Entries) -> dict[str, ModelPrice]:
    """What simulated models cost, by snapshot: over HTTP nobody could tell."""
    found: dict[str, ModelPrice] = {}
    for entry in entries.values():
        models = entry.get("models") if entry.get("type") == "scripted" else None
        for snapshot, model in models.items() if isinstance(models, dict) else ():
            if isinstance(model, dict) and isinstance(model.get("price"), dict):
                with suppress(ValidationError):
                    found[str(snapshot)] = ModelPrice.model_validate(model["price"])
    return found


def _sentences(error: SegueError) -> str:
    return " ".join(fault.sentence() for fault in error.faults)


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size
