"""The memory store's routes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from segue.model import Json
from segue.model.route import Route, RouteRevision
from segue.store import chain
from segue.store.audit import StoredRecord, record_now
from segue.store.encoding import check_texts
from segue.store.rules import check_route, no_route


class MemoryRoutes:
    """Revisions per workflow and environment, oldest first. Its owner keeps the lock and the log."""

    def __init__(self) -> None:
        self._held: dict[tuple[str, str], list[RouteRevision]] = {}

    def flip(
        self, flipped: Route, follows: int | None, author: str, reason: str, at: str, owner: Callable[[str], str | None]
    ) -> RouteRevision:
        """Add a revision; `owner` says which workflow a bundle is of."""
        check_texts(workflow=flipped.workflow, environment=flipped.environment, author=author, reason=reason, at=at)
        held = self._held.get((flipped.workflow, flipped.environment), [])
        owners: Mapping[str, str | None] = {digest: owner(digest) for digest in flipped.bundles()}
        number = check_route(flipped, held[-1].revision if held else None, follows, owners)
        revision = RouteRevision(number, flipped, author, reason, at)
        self._held.setdefault((flipped.workflow, flipped.environment), []).append(revision)
        return revision

    def find(self, workflow: str, environment: str) -> RouteRevision:
        """The last revision."""
        held = self._held.get((workflow, environment))
        if not held:
            raise no_route(workflow, environment, list(self._held))
        return held[-1]

    def listed(self, environment: str | None) -> list[RouteRevision]:
        """The last revisions, by workflow and environment."""
        return [held[-1] for key, held in sorted(self._held.items()) if environment in (None, key[1])]

    def history(self, workflow: str, environment: str) -> list[RouteRevision]:
        """All of one, newest first."""
        return list(reversed(self._held.get((workflow, environment), [])))

    def records(self) -> Iterator[StoredRecord]:
        """As they are now, for the audit."""
        for (workflow, environment), held in self._held.items():
            for one in held:
                subject = chain.route_subject(workflow, environment, one.revision)
                yield record_now(chain.ROUTE_FLIPPED, subject, as_vouched(one))


def as_vouched(one: RouteRevision) -> Json:
    """What the log vouches for of a revision."""
    body = one.route.model_dump(mode="json", exclude_defaults=True)
    return chain.route_record(one.revision, body, one.author, one.reason, one.at)
