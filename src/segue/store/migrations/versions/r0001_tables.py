"""The tables of the first release, and the triggers that keep them append-only.

On SQLite, `INSERT OR REPLACE` deletes without asking the delete triggers, so a third trigger stands in its way.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "r0001"
down_revision = None
branch_labels = None
depends_on = None

Text = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
Number: sa.types.TypeEngine[float] = sa.REAL().with_variant(postgresql.DOUBLE_PRECISION(), "postgresql")
Count = sa.Integer().with_variant(sa.BigInteger(), "postgresql")

# Table: the sets of columns that are unique in it, and what a second insert of one does on SQLite. `IGNORE` where the program
# itself adds only what is new.
APPEND_ONLY: dict[str, tuple[list[tuple[str, ...]], str]] = {
    "identifiers": ([("id",), ("text",)], "ABORT"),
    "bundles": ([("id",), ("digest",)], "ABORT"),
    "suites": ([("id",), ("digest",)], "ABORT"),
    "suite_names": ([("id",), ("suite_id", "workflow", "name")], "ABORT"),
    "cases": ([("id",), ("digest",)], "ABORT"),
    "suite_cases": ([("suite_id", "case_id")], "ABORT"),
    "exchanges": ([("behaviour_id", "case_id", "input_digest", "repeat", "failure_no")], "IGNORE"),
    "outcomes": ([("id",)], "ABORT"),
    "attempts": ([("behaviour_id", "case_id", "input_digest", "repeat", "run_id", "failures_before")], "IGNORE"),
    "recorded_labels": ([("behaviour_id", "case_id", "repeat", "labeler")], "IGNORE"),
    "scores": ([("behaviour_id", "scorer_id", "case_id", "input_digest", "repeat")], "IGNORE"),
    "score_details": ([("id",)], "ABORT"),
    "runs": ([("id",), ("run",)], "ABORT"),
    "run_ends": ([("run",)], "ABORT"),
    "verdicts": ([("id",), ("digest",)], "ABORT"),
    "log": ([("seq",)], "ABORT"),
}


def key(name: str) -> sa.Column[int]:
    return sa.Column(name, Count, primary_key=True, autoincrement=False)


def text(name: str, *, primary_key: bool = False, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, Text, primary_key=primary_key, nullable=nullable)


def exchange_key() -> list[sa.Column[Any]]:
    return [text("case_id", primary_key=True), text("input_digest", primary_key=True), key("repeat")]


def count(name: str, *, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(name, Count, nullable=nullable)


def record() -> list[sa.Column[str]]:
    return [text("workflow"), text("body"), text("author"), text("at")]


def create(name: str, *items: sa.schema.SchemaItem, clustered: bool = False) -> None:
    """A table; `clustered` ones are kept in the order of their key (on SQLite, `WITHOUT ROWID`)."""
    op.create_table(name, *items, sqlite_strict=True, sqlite_with_rowid=not clustered)


def upgrade() -> None:
    create("identifiers", key("id"), text("text"), sa.UniqueConstraint("text"))
    create("bundles", key("id"), text("digest"), *record(), sa.UniqueConstraint("digest"))
    create("labels", text("workflow", primary_key=True), text("label", primary_key=True), text("digest"), clustered=True)
    create("suites", key("id"), text("digest"), count("n_cases"), sa.UniqueConstraint("digest"))
    create(
        "suite_names",
        key("id"),
        count("suite_id"),
        text("workflow"),
        text("name"),
        sa.UniqueConstraint("suite_id", "workflow", "name"),
    )
    create(
        "cases",
        key("id"),
        text("digest"),
        text("case_id"),
        text("input_digest"),
        text("task"),
        text("slices"),
        text("kind"),
        count("critical"),
        text("cluster", nullable=True),
        text("body"),
        sa.UniqueConstraint("digest"),
    )
    create("suite_cases", key("suite_id"), text("case_id", primary_key=True), count("case_no"), clustered=True)
    create_exchanges()
    create("runs", key("id"), text("run"), *record(), sa.UniqueConstraint("run"))
    create("run_ends", text("run", primary_key=True), *record())
    create("verdicts", key("id"), text("digest"), *record(), sa.UniqueConstraint("digest"))
    create(
        "log",
        key("seq"),
        text("at"),
        text("author"),
        text("kind"),
        text("subject"),
        text("body"),
        text("prev_hash"),
        text("hash"),
    )
    for table in ("bundles", "suite_names", "runs", "verdicts"):
        op.create_index(f"{table}_by_workflow", table, ["workflow", "id"])
    op.create_index("attempts_by_run", "attempts", ["run_id"])
    if op.get_context().dialect.name == "sqlite":
        guard_sqlite()
    else:
        guard_postgresql()


def create_exchanges() -> None:
    create(
        "exchanges",
        key("behaviour_id"),
        *exchange_key(),
        key("failure_no"),
        count("id"),
        text("failure_kind", nullable=True),
        sa.Column("latency_ms", Number),
        sa.Column("ttft_ms", Number),
        sa.Column("cost_microusd", Number),
        count("input_tokens", nullable=True),
        count("output_tokens", nullable=True),
        count("reasoning_tokens", nullable=True),
        clustered=True,
    )
    create(
        "outcomes",
        key("id"),
        text("body"),
        count("cached_tokens", nullable=True),
        text("cost_source", nullable=True),
        text("at", nullable=True),
    )
    create(
        "attempts",
        key("behaviour_id"),
        *exchange_key(),
        key("run_id"),
        key("failures_before"),
        clustered=True,
    )
    create(
        "recorded_labels",
        key("behaviour_id"),
        text("case_id", primary_key=True),
        key("repeat"),
        text("labeler", primary_key=True),
        text("label"),
        text("detail", nullable=True),
        clustered=True,
    )
    create(
        "scores",
        key("behaviour_id"),
        key("scorer_id"),
        *exchange_key(),
        text("metrics"),
        count("details_id", nullable=True),
        clustered=True,
    )
    create("score_details", key("id"), text("body"))


def guard_sqlite() -> None:
    for table, (unique, second) in APPEND_ONLY.items():
        for change in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{change.lower()} BEFORE {change} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            )
        same = " OR ".join(
            f"EXISTS (SELECT 1 FROM {table} WHERE {' AND '.join(f'{one} = NEW.{one}' for one in columns)})"  # noqa: S608
            for columns in unique
        )
        raised = "RAISE(IGNORE)" if second == "IGNORE" else f"RAISE(ABORT, '{table} is append-only')"
        op.execute(f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} WHEN {same} BEGIN SELECT {raised}; END")


def guard_postgresql() -> None:
    op.execute(
        "CREATE FUNCTION segue_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation'; END $$"
    )
    for table in APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION segue_append_only()"
        )
        op.execute(
            f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION segue_append_only()"
        )
