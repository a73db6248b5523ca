"""Gateways' signs of life: one row for each, written over and over."""

from __future__ import annotations

import sqlalchemy as sa

from segue.store.encoding import check_texts, encode_json
from segue.store.gateways import FORGET_S, GatewaySaid, GatewaySeen, said_as_json, said_from_json
from segue.store.sql.part import UNREADABLE, SqlPart
from segue.store.sql.schema import gateways

_TELL = (
    "INSERT INTO gateways (name, environment, body, told_s) VALUES (?, ?, ?, {now}) "
    "ON CONFLICT (name) DO UPDATE SET environment = excluded.environment, body = excluded.body, told_s = excluded.told_s"
)


class GatewayTables(SqlPart):
    """The rows of all environments."""

    def tell_gateway(self, said: GatewaySaid) -> None:
        check_texts(name=said.name, environment=said.environment)
        with self._db.sign() as session:
            session.run(_TELL.format(now=self._db.now_s), (said.name, said.environment, encode_json(said_as_json(said))))
            session.run(f"DELETE FROM gateways WHERE told_s < {self._db.now_s} - ?", (FORGET_S,))  # noqa: S608  our own words

    def list_gateways(self, environment: str | None = None) -> list[GatewaySeen]:
        now: sa.ColumnElement[float] = sa.literal_column(self._db.now_s)
        age = (now - gateways.c.told_s).label("age_s")
        query = sa.select(gateways.c.body, age).where(age <= FORGET_S).order_by(gateways.c.name)
        if environment is not None:
            query = query.where(gateways.c.environment == environment)
        with self._db.read() as session:
            rows = session.core.execute(query).all()
        found = []
        for row in rows:
            try:
                found.append(GatewaySeen(said_from_json(self._decoded(row.body, "gateway")), max(0.0, float(row.age_s))))
            except UNREADABLE as error:
                raise self._altered("gateway") from error
        return found

    def forget_gateway(self, name: str) -> None:
        with self._db.sign() as session:
            session.run("DELETE FROM gateways WHERE name = ?", (name,))
