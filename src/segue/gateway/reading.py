"""What a gateway serves from, read from workspace and store: routes, bundles, providers, keys."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from segue.gateway.last_known import LastKnown, known
from segue.model import Bundle, Json
from segue.model.serving import GatewayKey, Serving
from segue.store.base import Store
from segue.workspace import Workspace, load_workspace

Entries = Mapping[str, dict[str, Json]]


class WorkspaceReader:
    """Reads them again and again; files of the workspace only where one has changed.

    `instead` are providers' entries that take the place of those of the same name: simulated models are asked over HTTP like
    all others. `keys` are valid beside those of `segue.yaml`.
    """

    def __init__(
        self,
        root: Path,
        environ: Mapping[str, str],
        store: Store,
        environment: str,
        *,
        instead: Entries | None = None,
        keys: tuple[GatewayKey, ...] = (),
    ) -> None:
        self._root, self._environ, self._store = root, environ, store
        self._environment = environment
        self._instead, self._keys = dict(instead or {}), keys
        self._seen: Any = None
        self._workspace: Workspace | None = None
        self._servings: dict[str, Serving] = {}

    def read(self) -> LastKnown:
        """Raises what reading the workspace or the store raises; nothing is left out in silence."""
        revisions = self._store.list_routes(self._environment)
        workspace = self._current(sorted({one.route.workflow for one in revisions}))
        bundles: dict[str, Bundle] = {}
        for revision in revisions:
            for digest in revision.route.bundles():
                for bundle in self._with_fallbacks(digest):
                    bundles[bundle.digest] = bundle
        return LastKnown(
            environment=self._environment,
            revisions=tuple(known(one) for one in revisions),
            bundles=bundles,
            providers={**workspace.config.providers, **self._instead},
            servings=self._servings,
            keys=(*workspace.config.gateway.keys, *self._keys),
            prices=workspace.config.prices,
        )

    def _with_fallbacks(self, digest: str) -> Iterator[Bundle]:
        seen: set[str] = set()
        while digest is not None and digest not in seen:
            seen.add(digest)
            bundle = self._store.get_bundle(digest).bundle
            yield bundle
            if bundle.fallback is None:
                return
            digest = bundle.fallback

    def _current(self, workflows: list[str]) -> Workspace:
        """The workspace, read anew where a file of it has changed."""
        files = [self._root / "segue.yaml", *(self._root / "workflows" / name / "workflow.yaml" for name in workflows)]
        seen = [(path, _stamp(path)) for path in files]
        if self._workspace is None or seen != self._seen:
            workspace = load_workspace(self._root, self._environ)
            here = set(workspace.workflows)
            self._servings = {name: workspace.load_workflow(name).serving for name in workflows if name in here}
            self._workspace, self._seen = workspace, seen
        return self._workspace


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size
