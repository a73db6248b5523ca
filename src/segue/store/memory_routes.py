"""The memory store's routes."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

from segue.model import Json
from segue.model.route import Route, RouteRevision
from segue.store import chain
from segue.store.audit import StoredRecord, record_now
from segue.store.encoding import check_texts
from segue.store.rules import check_route, is_taken_back, no_route
from segue.store.upgrades import Fence, UnderWay


class MemoryRoutes:
    """Revisions per workflow and environment, oldest first. The store that this is a part of has the lock and the log, knows
    whose a bundle is and which fences stand.
    """

    def __init__(self) -> None:
        self._routes: dict[tuple[str, str], list[RouteRevision]] = {}

    @abstractmethod
    def _open(self) -> AbstractContextManager[Any]: ...

    @abstractmethod
    def _vouch(self, kind: str, subject: str, body: dict[str, Json], record: Json, author: str, at: str) -> None: ...

    @abstractmethod
    def _check_fence(self, fence: Fence | None) -> None: ...

    @abstractmethod
    def _owner(self, digest: str) -> str | None:
        """Which workflow a bundle is of."""

    @abstractmethod
    def _under_way(self, workflow: str, environment: str) -> UnderWay | None:
        """The upgrade that is open."""

    def flip_route(
        self, route: Route, *, follows: int | None, author: str, reason: str, at: str, fence: Fence | None = None
    ) -> RouteRevision:
        check_texts(workflow=route.workflow, environment=route.environment, author=author, reason=reason, at=at)
        with self._open():
            self._check_fence(fence)
            held = self._routes.get((route.workflow, route.environment), [])
            owners = {digest: self._owner(digest) for digest in route.bundles()}
            number = check_route(route, held[-1].revision if held else None, follows, owners)
            flipped = RouteRevision(number, route, author, reason, at)
            subject = chain.route_subject(route.workflow, route.environment, number)
            self._vouch(chain.ROUTE_FLIPPED, subject, {"reason": reason}, as_vouched(flipped), author, at)
            self._routes.setdefault((route.workflow, route.environment), []).append(flipped)
            return flipped

    def take_back(
        self, workflow: str, environment: str, *, author: str, reason: str, at: str, may: Callable[[UnderWay | None], object]
    ) -> tuple[RouteRevision, bool]:
        with self._open():
            last = self.find_route(workflow, environment)
            may(self._under_way(workflow, environment))
            if is_taken_back(last.route):
                return last, False
            route = last.route.rolled_back()
            return self.flip_route(route, follows=last.revision, author=author, reason=reason, at=at), True

    def find_route(self, workflow: str, environment: str) -> RouteRevision:
        with self._open():
            held = self._routes.get((workflow, environment))
            if not held:
                raise no_route(workflow, environment, list(self._routes))
            return held[-1]

    def list_routes(self, environment: str | None = None) -> list[RouteRevision]:
        with self._open():
            return [held[-1] for key, held in sorted(self._routes.items()) if environment in (None, key[1])]

    def route_history(self, workflow: str, environment: str) -> list[RouteRevision]:
        with self._open():
            return list(reversed(self._routes.get((workflow, environment), [])))

    def _route_records(self) -> Iterator[StoredRecord]:
        """As they are now, for the audit."""
        for (workflow, environment), held in self._routes.items():
            for one in held:
                subject = chain.route_subject(workflow, environment, one.revision)
                yield record_now(chain.ROUTE_FLIPPED, subject, as_vouched(one))


def as_vouched(one: RouteRevision) -> Json:
    """What the log vouches for of a revision."""
    body = one.route.model_dump(mode="json", exclude_defaults=True)
    return chain.route_record(one.revision, body, one.author, one.reason, one.at)
