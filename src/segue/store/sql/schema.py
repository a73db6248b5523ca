"""The tables, as the queries see them. The database itself is made by `segue.store.migrations`; a test compares the two.

All text that is ordered by is ordered by code points: SQLite's BINARY, PostgreSQL's collation C.
Behaviours, scorers and runs are named by small integers (`identifiers`) in the tables that grow.
"""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

VERSION_TABLE = "segue_schema"
"""Where the schema's revision is kept. Not under alembic's own name: that may be taken by the team's application."""

metadata = sa.MetaData()

Text = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
Number: sa.types.TypeEngine[float] = sa.REAL().with_variant(postgresql.DOUBLE_PRECISION(), "postgresql")
Count = sa.Integer().with_variant(sa.BigInteger(), "postgresql")


def _key(name: str) -> sa.Column[int]:
    return sa.Column(name, Count, primary_key=True, autoincrement=False)


def _text(name: str, *, primary_key: bool = False, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, Text, primary_key=primary_key, nullable=nullable)


def _count(name: str, *, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(name, Count, nullable=nullable)


identifiers = sa.Table("identifiers", metadata, _key("id"), _text("text"), sa.UniqueConstraint("text"))

bundles = sa.Table(
    "bundles",
    metadata,
    _key("id"),
    _text("digest"),
    _text("workflow"),
    _text("body"),
    _text("author"),
    _text("at"),
    sa.UniqueConstraint("digest"),
    sa.Index("bundles_by_workflow", "workflow", "id"),
)

labels = sa.Table("labels", metadata, _text("workflow", primary_key=True), _text("label", primary_key=True), _text("digest"))

suites = sa.Table("suites", metadata, _key("id"), _text("digest"), _count("n_cases"), sa.UniqueConstraint("digest"))

suite_names = sa.Table(
    "suite_names",
    metadata,
    _key("id"),
    _count("suite_id"),
    _text("workflow"),
    _text("name"),
    sa.UniqueConstraint("suite_id", "workflow", "name"),
    sa.Index("suite_names_by_workflow", "workflow", "id"),
)

cases = sa.Table(
    "cases",
    metadata,
    _key("id"),
    _text("digest"),
    _text("case_id"),
    _text("input_digest"),
    _text("task"),
    _text("slices"),
    _text("kind"),
    _count("critical"),
    _text("cluster", nullable=True),
    _text("body"),
    sa.UniqueConstraint("digest"),
)

suite_cases = sa.Table(
    "suite_cases",
    metadata,
    _key("suite_id"),
    _text("case_id", primary_key=True),
    _count("case_no"),
)

exchanges = sa.Table(
    "exchanges",
    metadata,
    _key("behaviour_id"),
    _text("case_id", primary_key=True),
    _text("input_digest", primary_key=True),
    _key("repeat"),
    _key("failure_no"),
    _count("id"),
    _text("failure_kind", nullable=True),
    sa.Column("latency_ms", Number),
    sa.Column("ttft_ms", Number),
    sa.Column("cost_microusd", Number),
    _count("input_tokens", nullable=True),
    _count("output_tokens", nullable=True),
    _count("reasoning_tokens", nullable=True),
)
"""The light part: key, outcome, costs. `failure_no` is 0 for a reply; the failures before it count from 1."""

outcomes = sa.Table(
    "outcomes",
    metadata,
    _key("id"),
    _text("body"),
    _count("cached_tokens", nullable=True),
    _text("cost_source", nullable=True),
    _text("at", nullable=True),
)
"""The heavy part of the exchange of the same `id`: the reply, or what is known of the failure."""

attempts = sa.Table(
    "attempts",
    metadata,
    _key("behaviour_id"),
    _text("case_id", primary_key=True),
    _text("input_digest", primary_key=True),
    _key("repeat"),
    _key("run_id"),
    _key("failures_before"),
    sa.Index("attempts_by_run", "run_id"),
)
"""Calls about to be sent. An attempt is over once its key has a reply, or more failures than `failures_before`."""

recorded_labels = sa.Table(
    "recorded_labels",
    metadata,
    _key("behaviour_id"),
    _text("case_id", primary_key=True),
    _key("repeat"),
    _text("labeler", primary_key=True),
    _text("label"),
    _text("detail", nullable=True),
)
"""`repeat` is -1 for a label that holds for all repeats."""

scores = sa.Table(
    "scores",
    metadata,
    _key("behaviour_id"),
    _key("scorer_id"),
    _text("case_id", primary_key=True),
    _text("input_digest", primary_key=True),
    _key("repeat"),
    _text("metrics"),
    _count("details_id", nullable=True),
)
"""`metrics` is JSON, name → value; whatever else there is to the scores is in `score_details`."""

score_details = sa.Table("score_details", metadata, _key("id"), _text("body"))

runs = sa.Table(
    "runs",
    metadata,
    _key("id"),
    _text("run"),
    _text("workflow"),
    _text("body"),
    _text("author"),
    _text("at"),
    sa.UniqueConstraint("run"),
    sa.Index("runs_by_workflow", "workflow", "id"),
)

run_ends = sa.Table(
    "run_ends", metadata, _text("run", primary_key=True), _text("workflow"), _text("body"), _text("author"), _text("at")
)

verdicts = sa.Table(
    "verdicts",
    metadata,
    _key("id"),
    _text("digest"),
    _text("workflow"),
    _text("body"),
    _text("author"),
    _text("at"),
    sa.UniqueConstraint("digest"),
    sa.Index("verdicts_by_workflow", "workflow", "id"),
)

routes = sa.Table(
    "routes",
    metadata,
    _text("workflow", primary_key=True),
    _text("environment", primary_key=True),
    _key("revision"),
    _text("body"),
    _text("author"),
    _text("reason"),
    _text("at"),
)

upgrades = sa.Table(
    "upgrades",
    metadata,
    _key("id"),
    _text("upgrade"),
    _text("workflow"),
    _text("environment"),
    _text("body"),
    _text("author"),
    _text("at"),
    sa.UniqueConstraint("upgrade"),
    sa.Index("upgrades_by_workflow", "workflow", "environment", "id"),
)
"""`body` is the opening."""

upgrade_entries = sa.Table(
    "upgrade_entries",
    metadata,
    _text("upgrade", primary_key=True),
    _key("number"),
    _count("ends"),
    _text("body"),
    _text("author"),
    _text("at"),
    sa.Index("upgrade_ends", "upgrade", unique=True, sqlite_where=sa.text("ends = 1"), postgresql_where=sa.text("ends = 1")),
)
"""`ends` is 1 in the last entry of an upgrade that has ended. The index finds the open ones without reading any entry."""

leases = sa.Table(
    "leases",
    metadata,
    _text("name", primary_key=True),
    _text("holder"),
    _count("token"),
    sa.Column("until_s", Number),
)
"""Who acts. `until_s` is by the database's clock, in seconds of the Unix epoch; null once it was dropped. Tokens only grow."""

facts = sa.Table(
    "facts",
    metadata,
    _key("number"),
    _text("kind"),
    _text("workflow"),
    _text("subject"),
    _text("body"),
    _text("author"),
    _text("at"),
    sa.Index("facts_by_subject", "subject", "kind", "number"),
    sa.Index("facts_by_kind", "kind", "workflow", "number"),
)

gateways = sa.Table(
    "gateways",
    metadata,
    _text("name", primary_key=True),
    _text("environment"),
    _text("body"),
    sa.Column("told_s", Number, nullable=False),
)
"""Signs of life, each written over by the next. `told_s` is by the database's clock, in seconds of the Unix epoch."""

log = sa.Table(
    "log",
    metadata,
    _key("seq"),
    _text("at"),
    _text("author"),
    _text("kind"),
    _text("subject"),
    _text("body"),
    _text("prev_hash"),
    _text("hash"),
)


@dataclass(frozen=True, slots=True)
class Bulk:
    """A table that rows are added to in bulk: its name, its columns in order, and how many of the first ones are its key."""

    table: sa.Table
    n_key: int

    @property
    def name(self) -> str:
        """The table's name."""
        return self.table.name

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of its columns, in order."""
        return tuple(column.name for column in self.table.columns)


EXCHANGES = Bulk(exchanges, 5)
OUTCOMES = Bulk(outcomes, 1)
SCORES = Bulk(scores, 5)
SCORE_DETAILS = Bulk(score_details, 1)
RECORDED_LABELS = Bulk(recorded_labels, 4)
CASES = Bulk(cases, 1)
SUITE_CASES = Bulk(suite_cases, 2)
