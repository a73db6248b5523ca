"""Bringing an opened database's schema up to date, or refusing it.

Alembic is loaded only when there is something to migrate.
"""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from segue.errors import StoreError
from segue.store.address import StoreAddress
from segue.store.sql.database import Database, Session
from segue.store.sql.schema import VERSION_TABLE

REVISIONS = ("r0001", "r0002", "r0003", "r0004")
"""Every revision of the schema this program knows, oldest first (a test compares them with the scripts)."""


def open_database(address: StoreAddress) -> Database:
    """Connect, check whose database it is, migrate. `StoreError` with the place and the remedy."""
    if address.kind == "sqlite":
        from segue.store.sql.sqlite import SqliteDatabase

        database: Database = SqliteDatabase(address)
    else:
        from segue.store.sql.postgresql import PostgresqlDatabase

        database = PostgresqlDatabase(address)
    try:
        with database.read() as session:
            current = _revision(database.place, session)
        if current != REVISIONS[-1]:
            with database.write() as session:
                # Again, now that nobody else can be migrating it.
                if _revision(database.place, session) != REVISIONS[-1]:
                    _migrate(session.core)
    except BaseException:
        database.close()
        raise
    return database


def _revision(place: str, session: Session) -> str | None:
    """The schema's revision; `None` for an empty database."""
    if VERSION_TABLE not in sa.inspect(session.core).get_table_names():
        return None
    revision = str(session.core.exec_driver_sql(f"SELECT version_num FROM {VERSION_TABLE}").scalar_one())  # noqa: S608
    if revision not in REVISIONS:
        raise StoreError(
            f"The state store at {place} was written by a newer Segue (schema {revision}; this one knows {REVISIONS[-1]}).",
            fix="Upgrade this one: pip install --upgrade segue-ai.",
        )
    return revision


def _migrate(core: sa.Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    folder = Path(__file__).parent.parent / "migrations"
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    config.attributes["connection"] = core
    command.upgrade(config, "head")
