"""Upgrades with their entries, leases, and facts. A lease's row is written over, but never goes, and its token only grows."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "r0004"
down_revision = "r0003"
branch_labels = None
depends_on = None

Text = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
Number: sa.types.TypeEngine[float] = sa.REAL().with_variant(postgresql.DOUBLE_PRECISION(), "postgresql")
Count = sa.Integer().with_variant(sa.BigInteger(), "postgresql")

APPEND_ONLY: dict[str, list[tuple[str, ...]]] = {
    "upgrades": [("id",), ("upgrade",)],
    "upgrade_entries": [("upgrade", "number")],
    "facts": [("number",)],
}
"""With the sets of columns that are unique in each."""


def upgrade() -> None:
    op.create_table(
        "upgrades",
        count("id", primary_key=True),
        *texts("upgrade", "workflow", "environment", "body", "author", "at"),
        sa.UniqueConstraint("upgrade"),
        sqlite_strict=True,
    )
    op.create_table(
        "upgrade_entries",
        sa.Column("upgrade", Text, primary_key=True),
        count("number", primary_key=True),
        count("ends"),
        *texts("body", "author", "at"),
        sqlite_strict=True,
    )
    op.create_table(
        "leases",
        sa.Column("name", Text, primary_key=True),
        *texts("holder"),
        count("token"),
        sa.Column("until_s", Number),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "facts",
        count("number", primary_key=True),
        *texts("kind", "workflow", "subject", "body", "author", "at"),
        sqlite_strict=True,
    )
    op.create_index("upgrades_by_workflow", "upgrades", ["workflow", "environment", "id"])
    last = sa.text("ends = 1")
    op.create_index("upgrade_ends", "upgrade_entries", ["upgrade"], unique=True, sqlite_where=last, postgresql_where=last)
    op.create_index("facts_by_subject", "facts", ["subject", "kind", "number"])
    op.create_index("facts_by_kind", "facts", ["kind", "workflow", "number"])
    if op.get_context().dialect.name == "sqlite":
        guard_sqlite()
    else:
        guard_postgresql()


def count(name: str, *, primary_key: bool = False) -> sa.Column[int]:
    return sa.Column(name, Count, primary_key=primary_key, autoincrement=False, nullable=False)


def texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, Text, nullable=False) for name in names]


def guard_sqlite() -> None:
    for table, unique in APPEND_ONLY.items():
        for change in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{change.lower()} BEFORE {change} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            )
        same = " OR ".join(
            f"EXISTS (SELECT 1 FROM {table} WHERE {' AND '.join(f'{one} = NEW.{one}' for one in columns)})"  # noqa: S608
            for columns in unique
        )
        op.execute(
            f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} WHEN {same} "
            f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        )
    op.execute(
        "CREATE TRIGGER leases_no_delete BEFORE DELETE ON leases BEGIN SELECT RAISE(ABORT, 'a lease keeps its token'); END"
    )
    op.execute(
        "CREATE TRIGGER leases_no_replace BEFORE INSERT ON leases WHEN EXISTS (SELECT 1 FROM leases WHERE name = NEW.name) "
        "BEGIN SELECT RAISE(IGNORE); END"
    )
    op.execute(
        f"CREATE TRIGGER leases_grow BEFORE UPDATE ON leases WHEN {SHRINKS} "
        "BEGIN SELECT RAISE(ABORT, 'the token of a lease grows'); END"
    )


SHRINKS = "NEW.name <> OLD.name OR NEW.token < OLD.token OR (NEW.token = OLD.token AND NEW.holder <> OLD.holder)"
"""No token goes back, and none is given to two holders."""


def guard_postgresql() -> None:
    for table in (*APPEND_ONLY, "leases"):
        changes = "DELETE" if table == "leases" else "UPDATE OR DELETE"
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE {changes} ON {table} FOR EACH ROW EXECUTE FUNCTION segue_append_only()"
        )
        op.execute(
            f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION segue_append_only()"
        )
    op.execute(
        "CREATE FUNCTION segue_token_grows() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'the token of a lease grows' USING ERRCODE = 'restrict_violation'; END $$"
    )
    op.execute(
        f"CREATE TRIGGER leases_grow BEFORE UPDATE ON leases FOR EACH ROW WHEN ({SHRINKS}) EXECUTE FUNCTION segue_token_grows()"
    )
