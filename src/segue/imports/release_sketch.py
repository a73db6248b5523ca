"""Works out what the records of one release have in common, while they stream by."""

from __future__ import annotations

from collections.abc import Mapping

from segue.imports.base import Release
from segue.model import Json, Prompt

_ABSENT = object()


class ReleaseSketches:
    """Releases by name. The snapshot is the first one seen; a parameter that differs between records is set aside by name."""

    def __init__(self) -> None:
        self._snapshots: dict[str, str] = {}
        self._params: dict[str, dict[str, Json]] = {}
        self._varying: dict[str, set[str]] = {}
        self._latest: dict[str, Mapping[str, Json]] = {}

    def add(self, name: str, snapshot: str, params: Mapping[str, Json]) -> None:
        """One more record of release `name`."""
        if name not in self._snapshots:
            self._snapshots[name] = snapshot
            self._params[name] = dict(params)
            self._varying[name] = set()
        elif params != self._latest[name]:
            common, varying = self._params[name], self._varying[name]
            for key in {*common, *params}:
                if key not in varying and common.get(key, _ABSENT) != params.get(key, _ABSENT):
                    varying.add(key)
                    common.pop(key, None)
        self._latest[name] = params

    def releases(self, prompts: Mapping[str, Prompt] | None = None) -> dict[str, Release]:
        """What is known of each, in order of name."""
        return {
            name: Release(
                name=name,
                snapshot=self._snapshots[name],
                params=self._params[name],
                varying=tuple(sorted(self._varying[name])),
                prompt=(prompts or {}).get(name, Prompt()),
            )
            for name in sorted(self._snapshots)
        }
