"""Routes: one row for each flip, vouched for by the log. On PostgreSQL a flip also wakes whoever listens for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import sqlalchemy as sa

from segue.errors import NotFoundError, TamperError
from segue.model import Json
from segue.model.route import Route, RouteRevision
from segue.store import chain
from segue.store.encoding import check_texts, encode_json
from segue.store.rules import check_route, is_taken_back, no_route
from segue.store.sql.database import Session
from segue.store.sql.leases import check_fenced
from segue.store.sql.part import SqlPart
from segue.store.sql.schema import bundles, routes
from segue.store.upgrades import Fence, UnderWay

CHANNEL = "segue_routes"
"""The PostgreSQL channel on which a flip is told, with `workflow environment revision` as JSON."""


_IN_FORCE = """
    SELECT routes.revision, routes.body, routes.author, routes.reason, routes.at, upgrades.upgrade, upgrades.body
    FROM routes LEFT JOIN upgrades ON upgrades.workflow = routes.workflow AND upgrades.environment = routes.environment
    AND NOT EXISTS (SELECT 1 FROM upgrade_entries WHERE upgrade_entries.upgrade = upgrades.upgrade AND upgrade_entries.ends = 1)
    WHERE routes.workflow = ? AND routes.environment = ?
    AND routes.revision = (SELECT max(revision) FROM routes WHERE workflow = ? AND environment = ?)
"""
"""With the upgrade under way: one round trip, for users wait."""


class RouteTables(SqlPart):
    """The revision in force is the last one."""

    def flip_route(
        self, route: Route, *, follows: int | None, author: str, reason: str, at: str, fence: Fence | None = None
    ) -> RouteRevision:
        check_texts(workflow=route.workflow, environment=route.environment, author=author, reason=reason, at=at)
        with self._db.write() as session:
            check_fenced(session, fence)
            core = session.core
            last = core.execute(_last(route.workflow, route.environment)).scalar()
            digests = list(route.bundles())
            owners: dict[str, str | None] = dict.fromkeys(digests)
            found = core.execute(sa.select(bundles.c.digest, bundles.c.workflow).where(bundles.c.digest.in_(digests)))
            owners.update({str(digest): str(workflow) for digest, workflow in found})
            revision = check_route(route, last, follows, owners)
            return self._flipped(session, RouteRevision(revision, route, author, reason, at))

    def take_back(
        self, workflow: str, environment: str, *, author: str, reason: str, at: str, may: Callable[[UnderWay | None], object]
    ) -> tuple[RouteRevision, bool]:
        check_texts(workflow=workflow, environment=environment, author=author, reason=reason, at=at)
        with self._db.write() as session:
            row = session.run(_IN_FORCE, (workflow, environment) * 2).fetchone()
            if row is None:
                raise self._no_route(session, workflow, environment)
            *found, upgrade, opening = row
            last = self._revision(workflow, environment, *found)
            may(None if upgrade is None else UnderWay(upgrade, workflow, self._readable(opening)))
            if is_taken_back(last.route):
                return last, False
            # It names bundles of the revision before, and so those that are here.
            route = last.route.rolled_back()
            return self._flipped(session, RouteRevision(last.revision + 1, route, author, reason, at)), True

    def _flipped(self, session: Session, flipped: RouteRevision) -> RouteRevision:
        """Written, vouched for, and told."""
        route, revision = flipped.route, flipped.revision
        body = route.model_dump(mode="json", exclude_defaults=True)
        said = {"author": flipped.author, "reason": flipped.reason, "at": flipped.at}
        key = {"workflow": route.workflow, "environment": route.environment, "revision": revision}
        added = routes.insert().values(**key, body=encode_json(body), **said)
        if session.core.dialect.name == "postgresql":
            # On the way, for a statement of its own costs a round trip; heard once the transaction is committed.
            told = encode_json([route.workflow, route.environment, revision])
            session.core.execute(added.returning(sa.func.pg_notify(CHANNEL, told)))
        else:
            session.core.execute(added)
        subject = chain.route_subject(route.workflow, route.environment, revision)
        record = chain.route_record(revision, body, flipped.author, flipped.reason, flipped.at)
        self._vouch(session, chain.ROUTE_FLIPPED, subject, {"reason": flipped.reason}, record, flipped.author, flipped.at)
        return flipped

    def _readable(self, opening: str) -> Json | None:
        """`None` for what was changed from outside: that stops no rollback."""
        with suppress(TamperError):
            return self._decoded(opening, "record of an upgrade")
        return None

    def find_route(self, workflow: str, environment: str) -> RouteRevision:
        with self._db.read() as session:
            last = _last(workflow, environment).scalar_subquery()
            row = session.core.execute(_of(workflow, environment).where(routes.c.revision == last)).first()
            if row is None:
                raise self._no_route(session, workflow, environment)
            return self._route(row)

    def list_routes(self, environment: str | None = None) -> list[RouteRevision]:
        key = (routes.c.workflow, routes.c.environment)
        last = sa.select(*key, sa.func.max(routes.c.revision).label("revision")).group_by(*key).subquery()
        same = sa.and_(*(routes.c[name] == last.c[name] for name in ("workflow", "environment", "revision")))
        query = sa.select(routes).join(last, same).order_by(*key)
        if environment is not None:
            query = query.where(routes.c.environment == environment)
        with self._db.read() as session:
            return self._routes(session.core.execute(query).all())

    def route_history(self, workflow: str, environment: str) -> list[RouteRevision]:
        with self._db.read() as session:
            query = _of(workflow, environment).order_by(routes.c.revision.desc())
            return self._routes(session.core.execute(query).all())

    def _routes(self, rows: Sequence[sa.Row[Any]]) -> list[RouteRevision]:
        return [self._route(row) for row in rows]

    def _route(self, row: sa.Row[Any]) -> RouteRevision:
        return self._revision(row.workflow, row.environment, row.revision, row.body, row.author, row.reason, row.at)

    def _revision(self, workflow: str, environment: str, revision: int, body: str, *said: str) -> RouteRevision:
        """As it is stored, with author, reason and time. `TamperError` where that is nobody's route, or another's."""
        try:
            route = Route.model_validate(self._decoded(body, "route"))
        except ValueError:
            route = None
        if route is None or (route.workflow, route.environment) != (workflow, environment):
            raise TamperError(
                f"Revision {revision} of the route of {workflow} in {self._db.place} is not what Segue stored.",
                fix="`segue log verify` says what was changed; restore the store from a backup.",
            )
        author, reason, at = said
        return RouteRevision(revision, route, author, reason, at)

    def _no_route(self, session: Session, workflow: str, environment: str) -> NotFoundError:
        known = session.core.execute(sa.select(routes.c.workflow, routes.c.environment).distinct())
        return no_route(workflow, environment, [(str(name), str(where)) for name, where in known])


def _of(workflow: str, environment: str) -> sa.Select[Any]:
    return sa.select(routes).where(routes.c.workflow == workflow, routes.c.environment == environment)


def _last(workflow: str, environment: str) -> sa.Select[Any]:
    named = (routes.c.workflow == workflow) & (routes.c.environment == environment)
    return sa.select(sa.func.max(routes.c.revision)).where(named)
