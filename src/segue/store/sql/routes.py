"""Routes: one row for each flip, vouched for by the log. On PostgreSQL a flip also wakes whoever listens for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from segue.errors import TamperError
from segue.model.route import Route, RouteRevision
from segue.store import chain
from segue.store.encoding import check_texts, encode_json
from segue.store.rules import check_route, no_route
from segue.store.sql.leases import check_fenced
from segue.store.sql.part import SqlPart
from segue.store.sql.schema import bundles, routes
from segue.store.upgrades import Fence

CHANNEL = "segue_routes"
"""The PostgreSQL channel on which a flip is told, with `workflow environment revision` as JSON."""


class RouteTables(SqlPart):
    """The revision in force is the last one."""

    def flip_route(
        self, route: Route, *, follows: int | None, author: str, reason: str, at: str, fence: Fence | None = None
    ) -> RouteRevision:
        check_texts(workflow=route.workflow, environment=route.environment, author=author, reason=reason, at=at)
        key = {"workflow": route.workflow, "environment": route.environment}
        with self._db.write() as session:
            check_fenced(session, fence)
            core = session.core
            last = core.execute(_last(route.workflow, route.environment)).scalar()
            digests = list(route.bundles())
            owners: dict[str, str | None] = dict.fromkeys(digests)
            found = core.execute(sa.select(bundles.c.digest, bundles.c.workflow).where(bundles.c.digest.in_(digests)))
            owners.update({str(digest): str(workflow) for digest, workflow in found})
            revision = check_route(route, last, follows, owners)
            body = route.model_dump(mode="json", exclude_defaults=True)
            row = {"body": encode_json(body), "author": author, "reason": reason, "at": at}
            core.execute(routes.insert().values(**key, revision=revision, **row))
            subject = chain.route_subject(route.workflow, route.environment, revision)
            record = chain.route_record(revision, body, author, reason, at)
            self._vouch(session, chain.ROUTE_FLIPPED, subject, {"reason": reason}, record, author, at)
            if core.dialect.name == "postgresql":
                told = encode_json([route.workflow, route.environment, revision])
                core.execute(sa.text("SELECT pg_notify(:channel, :told)"), {"channel": CHANNEL, "told": told})
            return RouteRevision(revision, route, author, reason, at)

    def find_route(self, workflow: str, environment: str) -> RouteRevision:
        with self._db.read() as session:
            last = _last(workflow, environment).scalar_subquery()
            row = session.core.execute(_of(workflow, environment).where(routes.c.revision == last)).first()
            if row is None:
                known = session.core.execute(sa.select(routes.c.workflow, routes.c.environment).distinct())
                raise no_route(workflow, environment, [(str(name), str(where)) for name, where in known])
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
        try:
            route = Route.model_validate(self._decoded(row.body, "route"))
        except ValueError:
            route = None
        if route is None or (route.workflow, route.environment) != (row.workflow, row.environment):
            raise TamperError(
                f"Revision {row.revision} of the route of {row.workflow} in {self._db.place} is not what Segue stored.",
                fix="`segue log verify` says what was changed; restore the store from a backup.",
            )
        return RouteRevision(row.revision, route, row.author, row.reason, row.at)


def _of(workflow: str, environment: str) -> sa.Select[Any]:
    return sa.select(routes).where(routes.c.workflow == workflow, routes.c.environment == environment)


def _last(workflow: str, environment: str) -> sa.Select[Any]:
    named = (routes.c.workflow == workflow) & (routes.c.environment == environment)
    return sa.select(sa.func.max(routes.c.revision)).where(named)
