"""Gateways: what each of them said last. Rows that are written over, so no trigger guards them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "r0003"
down_revision = "r0002"
branch_labels = None
depends_on = None

Text = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
Number: sa.types.TypeEngine[float] = sa.REAL().with_variant(postgresql.DOUBLE_PRECISION(), "postgresql")


def upgrade() -> None:
    op.create_table(
        "gateways",
        sa.Column("name", Text, primary_key=True),
        *(sa.Column(name, Text, nullable=False) for name in ("environment", "body")),
        sa.Column("told_s", Number, nullable=False),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
