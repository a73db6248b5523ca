"""Routes: every flip is a row of its own, numbered per workflow and environment."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "r0002"
down_revision = "r0001"
branch_labels = None
depends_on = None

Text = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
Count = sa.Integer().with_variant(sa.BigInteger(), "postgresql")


def upgrade() -> None:
    op.create_table(
        "routes",
        sa.Column("workflow", Text, primary_key=True),
        sa.Column("environment", Text, primary_key=True),
        sa.Column("revision", Count, primary_key=True, autoincrement=False),
        *(sa.Column(name, Text, nullable=False) for name in ("body", "author", "reason", "at")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    if op.get_context().dialect.name == "sqlite":
        guard_sqlite()
    else:
        guard_postgresql()


def guard_sqlite() -> None:
    for change in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER routes_no_{change.lower()} BEFORE {change} ON routes "
            "BEGIN SELECT RAISE(ABORT, 'routes is append-only'); END"
        )
    op.execute(
        "CREATE TRIGGER routes_no_replace BEFORE INSERT ON routes WHEN EXISTS (SELECT 1 FROM routes "
        "WHERE workflow = NEW.workflow AND environment = NEW.environment AND revision = NEW.revision) "
        "BEGIN SELECT RAISE(ABORT, 'routes is append-only'); END"
    )


def guard_postgresql() -> None:
    op.execute(
        "CREATE TRIGGER routes_append_only BEFORE UPDATE OR DELETE ON routes FOR EACH ROW EXECUTE FUNCTION segue_append_only()"
    )
    op.execute(
        "CREATE TRIGGER routes_no_truncate BEFORE TRUNCATE ON routes FOR EACH STATEMENT EXECUTE FUNCTION segue_append_only()"
    )
