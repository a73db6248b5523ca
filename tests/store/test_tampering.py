"""What the databases refuse to anybody, and what the log finds where somebody got round them."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest

from segue.errors import TamperError
from segue.store import MemoryStore, Store, open_store
from segue.store.chain import entry_hash
from segue.store.sql.schema import metadata
from segue.store.upgrades import UnderWay
from tests.store.builders import WHO, a_bundle, a_case, a_digest, fill
from tests.store.conftest import Place

APPEND_ONLY = sorted(set(metadata.tables) - {"labels", "gateways", "leases"})
"""All tables but the labels, which are pointers, and signs of life, which are written over."""

LEASE_CHANGES = (
    "UPDATE leases SET token = token - 1",
    "UPDATE leases SET holder = 'eve'",
    "UPDATE leases SET name = 'other', token = token + 1",
)


@pytest.fixture(scope="module")
def filled_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite store with something in every table, closed."""
    path = tmp_path_factory.mktemp("filled") / "state.db"
    store = open_store(path)
    fill(store)
    store.close()
    return path


@pytest.fixture
def filled(filled_once: Path, sqlite_path: Path) -> Path:
    """A copy of it, to tamper with."""
    shutil.copy(filled_once, sqlite_path)
    return sqlite_path


def tamper(path: Path, *statements: str) -> None:
    """What somebody with the file can do: drop the triggers, then change what they like."""
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        raw.execute("PRAGMA synchronous = OFF")
        raw.execute("BEGIN")
        triggers = raw.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for (trigger,) in triggers:
            raw.execute(f"DROP TRIGGER {trigger}")
        for statement in statements:
            assert raw.execute(statement).rowcount > 0, "the test changed nothing"
        raw.execute("COMMIT")


def faults_of(path: Path) -> Sequence[str]:
    store = open_store(path)
    try:
        return store.verify_log().faults
    finally:
        store.close()


class TestTheDatabaseItselfRefuses:
    @pytest.mark.parametrize("table", APPEND_ONLY)
    def test_no_row_is_changed_or_deleted_on_sqlite(self, filled: Path, table: str) -> None:
        """By whatever program; nor replaced, which asks no delete trigger."""
        with closing(sqlite3.connect(filled)) as raw:
            before = raw.execute(f"SELECT * FROM {table}").fetchall()
            column = metadata.tables[table].columns.keys()[-1]
            for statement in (f"UPDATE {table} SET {column} = {column}", f"DELETE FROM {table}"):
                with pytest.raises(sqlite3.IntegrityError, match=f"{table} is append-only"):
                    raw.execute(statement)
            with suppress(sqlite3.IntegrityError):
                raw.execute(f"INSERT OR REPLACE INTO {table} SELECT * FROM {table}")
            assert before
            assert raw.execute(f"SELECT * FROM {table}").fetchall() == before

    def test_a_replaced_exchange_or_score_is_ignored_on_sqlite(self, filled: Path) -> None:
        """With other content, too."""
        with closing(sqlite3.connect(filled)) as raw:
            for table, column in (("exchanges", "id"), ("scores", "metrics"), ("recorded_labels", "label")):
                before = raw.execute(f"SELECT * FROM {table}").fetchall()
                columns = metadata.tables[table].columns.keys()
                altered = ", ".join("'9'" if name == column else name for name in columns)
                raw.execute(f"INSERT OR REPLACE INTO {table} ({', '.join(columns)}) SELECT {altered} FROM {table}")
                assert raw.execute(f"SELECT * FROM {table}").fetchall() == before

    @pytest.mark.postgres
    def test_no_row_is_changed_or_deleted_on_postgresql(self, request: pytest.FixtureRequest) -> None:
        """Nor all of them at once."""
        address = request.getfixturevalue("postgres_server").emptied_database()
        store = open_store(address)
        fill(store)
        store.close()
        with closing(psycopg.connect(address, autocommit=True)) as raw:
            for table in APPEND_ONLY:
                column = metadata.tables[table].columns.keys()[-1]
                for statement in (f"UPDATE {table} SET {column} = {column}", f"DELETE FROM {table}", f"TRUNCATE {table}"):
                    with pytest.raises(psycopg.errors.RestrictViolation, match=f"{table} is append-only"):
                        raw.execute(statement)

    def test_the_token_of_a_lease_never_goes_back_on_sqlite(self, filled: Path) -> None:
        """Else who was fenced off could write again: no row goes, no token shrinks or changes hands."""
        with closing(sqlite3.connect(filled)) as raw:
            before = raw.execute("SELECT * FROM leases").fetchall()
            for statement in ("DELETE FROM leases", *LEASE_CHANGES):
                with pytest.raises(sqlite3.IntegrityError, match="lease"):
                    raw.execute(statement)
            raw.execute("INSERT OR REPLACE INTO leases SELECT name, 'eve', 1, until_s FROM leases")
            assert before
            assert raw.execute("SELECT * FROM leases").fetchall() == before

    @pytest.mark.postgres
    def test_the_token_of_a_lease_never_goes_back_on_postgresql(self, request: pytest.FixtureRequest) -> None:
        """The same."""
        address = request.getfixturevalue("postgres_server").emptied_database()
        store = open_store(address)
        fill(store)
        store.close()
        with closing(psycopg.connect(address, autocommit=True)) as raw:
            for statement in ("DELETE FROM leases", "TRUNCATE leases", *LEASE_CHANGES):
                with pytest.raises(psycopg.errors.RestrictViolation, match="lease"):
                    raw.execute(statement)


class TestTheLogFinds:
    def test_nothing_in_an_honest_store(self, database: Place) -> None:
        """On both databases, opened again."""
        fill(database.open())
        check = database.open().verify_log()
        assert (check.faults, check.n_entries) == ((), 13)

    @pytest.mark.parametrize(
        ("statement", "fault"),
        [
            ("UPDATE bundles SET body = replace(body, 'old', 'bad') WHERE id = 1", "Entry 1: the bundle {old} is not what"),
            ("UPDATE bundles SET author = 'eve' WHERE id = 2", "Entry 2: the bundle {new} is not what"),
            ("UPDATE bundles SET body = 'no json' WHERE id = 1", "Entry 1: the bundle {old} is not what"),
            ("DELETE FROM bundles WHERE id = 2", "Entry 2: the bundle {new} is gone"),
            ("UPDATE labels SET digest = '{new}'", "Entry 3: the label refunds/prod is not what"),
            ("DELETE FROM labels", "Entry 3: the label refunds/prod is gone"),
            (
                "UPDATE cases SET body = replace(body, 'refund', 'return') WHERE case_id = 'b'",
                "1 of its cases was altered ('b')",
            ),
            ("UPDATE cases SET slices = '{{\"task\":\"other\"}}' WHERE case_id = 'c'", "1 of its cases was altered ('c')"),
            ("UPDATE cases SET input_digest = 'x'", "3 of its cases were altered ('a', 'b', 'c')"),
            ("DELETE FROM suite_cases WHERE case_id = 'a'", "Entry 4: the suite refunds/main@"),
            ("DELETE FROM suites", "Entry 4: the suite refunds/main@"),
            ("DELETE FROM suite_names", "is gone"),
            ("UPDATE suites SET n_cases = 99", "it has 3 cases, but says 99"),
            ("UPDATE runs SET body = '{{\"repeats\":100}}'", "Entry 5: the run r1 is not what"),
            ("DELETE FROM runs", "Entry 5: the run r1 is gone"),
            ("UPDATE run_ends SET at = 'earlier'", "Entry 6: the end of run r1 is not what"),
            ('UPDATE verdicts SET body = \'{{"verdict":"pass"}}\'', "Entry 7: the verdict {verdict} is not what"),
            ("UPDATE verdicts SET workflow = 'other'", "Entry 7: the verdict {verdict} is not what"),
            ("UPDATE routes SET reason = 'because'", "Entry 8: the route refunds/production@1 is not what"),
            ('UPDATE upgrades SET body = \'{{"plan":"bold"}}\'', "Entry 10: the upgrade refunds-1 is not what"),
            ("UPDATE upgrades SET body = 'no json'", "Entry 10: the upgrade refunds-1 is not what"),
            ("UPDATE upgrades SET environment = 'staging'", "Entry 10: the upgrade refunds-1 is not what"),
            ("UPDATE upgrades SET upgrade = 'refunds-0'", "The upgrade refunds-0 is stored, but no entry"),
            ("DELETE FROM upgrades", "Entry 10: the upgrade refunds-1 is gone"),
            (
                "UPDATE upgrade_entries SET body = replace(body, 'passed', 'failed') WHERE number = 1",
                "Entry 11: the entry of upgrade refunds-1@1 is not what",
            ),
            ("UPDATE upgrade_entries SET ends = 0", "Entry 12: the entry of upgrade refunds-1@2 is not what"),
            ("UPDATE upgrade_entries SET ends = 7 WHERE ends = 1", "Entry 12: the entry of upgrade refunds-1@2 is not what"),
            ("UPDATE upgrade_entries SET author = 'eve' WHERE number = 2", "Entry 12: the entry of upgrade refunds-1@2 is not"),
            ("UPDATE upgrade_entries SET number = 3 WHERE number = 2", "Entry 12: the entry of upgrade refunds-1@2 is gone"),
            ("DELETE FROM upgrade_entries WHERE number = 1", "Entry 11: the entry of upgrade refunds-1@1 is gone"),
            ("UPDATE facts SET body = '{{\"number\":2}}'", "Entry 13: the fact refunds-1/effect-done@1 is not what"),
            ("UPDATE facts SET body = '{{\"number\":1e999}}'", "Entry 13: the fact refunds-1/effect-done@1 is not what"),
            ("UPDATE facts SET at = 'earlier'", "Entry 13: the fact refunds-1/effect-done@1 is not what"),
            ("UPDATE facts SET kind = 'drill'", "The fact refunds-1/drill@1 is stored, but no entry"),
            ("DELETE FROM facts", "Entry 13: the fact refunds-1/effect-done@1 is gone"),
            ("UPDATE log SET author = 'eve' WHERE seq = 3", "Entry 3: its content is not what its hash was made from"),
            ("UPDATE log SET body = 'no json' WHERE seq = 8", "Entry 8: its content is not what its hash was made from"),
            ("UPDATE log SET prev_hash = hash WHERE seq = 4", "Entry 4: it does not follow from the entry before it"),
            ("DELETE FROM log WHERE seq = 8 OR seq = 7", "The verdict {verdict} is stored, but no entry"),
            ("DELETE FROM log WHERE seq = 3", "Entry 3: missing from the log"),
            ("DELETE FROM log WHERE seq BETWEEN 3 AND 5", "Entry 3 to 5: missing from the log"),
            ("DELETE FROM log WHERE seq = 1", "Entry 1: missing from the log"),
        ],
    )
    def test_what_was_altered_behind_the_triggers(self, filled: Path, statement: str, fault: str) -> None:
        """And says at which entry."""
        named = {"old": a_bundle("old").digest, "new": a_bundle("new").digest, "verdict": a_digest("v")}
        tamper(filled, statement.format(**named))
        faults = faults_of(filled)
        assert any(fault.format(**named) in one for one in faults), faults

    @pytest.mark.parametrize(
        ("table", "key", "copied", "name"),
        [
            ("bundles", {"id": 9, "digest": "feed"}, "id = 1", "bundle feed"),
            ("upgrades", {"id": 9, "upgrade": "refunds-9"}, "id = 1", "upgrade refunds-9"),
            ("upgrade_entries", {"number": 3}, "number = 1", "entry of upgrade refunds-1@3"),
            ("facts", {"number": 2}, "number = 1", "fact refunds-1/effect-done@2"),
        ],
        ids=["bundles", "upgrades", "upgrade_entries", "facts"],
    )
    def test_a_record_that_was_slipped_in(
        self, filled: Path, table: str, key: dict[str, object], copied: str, name: str
    ) -> None:
        """However right its digest is."""
        columns = metadata.tables[table].columns.keys()
        values = ", ".join(repr(key[one]) if one in key else one for one in columns)
        tamper(filled, f"INSERT INTO {table} ({', '.join(columns)}) SELECT {values} FROM {table} WHERE {copied}")
        assert faults_of(filled) == (f"The {name} is stored, but no entry of the log vouches for it.",)

    def test_an_entry_rewritten_with_a_hash_of_its_own(self, filled: Path) -> None:
        """By the entry after it, which still names the old hash."""
        store = open_store(filled)
        entry = list(store.iter_log())[1]
        store.close()
        forged = entry_hash(entry.seq, entry.at, "eve", entry.kind, entry.subject, entry.body, entry.prev_hash)
        tamper(filled, f"UPDATE log SET author = 'eve', hash = '{forged}' WHERE seq = 2")
        assert faults_of(filled) == ("Entry 3: it does not follow from the entry before it.",)

    def test_a_tail_that_was_cut_off_only_by_an_earlier_head(self, filled: Path) -> None:
        """What a chain cannot prove: entry and record gone together. Whoever noted the head sees that it is gone."""
        store = open_store(filled)
        noted = store.verify_log().head
        store.close()
        tables = ("verdicts", "routes", "upgrades", "upgrade_entries", "facts")
        tamper(filled, "DELETE FROM log WHERE seq >= 7", *(f"DELETE FROM {table}" for table in tables))
        store = open_store(filled)
        check = store.verify_log()
        assert (check.holds, check.n_entries) == (True, 6)
        assert noted not in {entry.hash for entry in store.iter_log()}
        store.close()

    def test_only_so_many_faults_are_told_one_by_one(self, filled: Path) -> None:
        """The others are counted."""
        store = open_store(filled)
        for number in range(300):
            store.append_log("note", str(number), {}, **WHO)
        store.close()
        tamper(filled, "UPDATE log SET author = 'eve'")
        faults = faults_of(filled)
        assert (len(faults), faults[-1]) == (201, "And 113 more.")

    def test_a_record_altered_in_memory(self) -> None:
        """The fake checks as the databases do."""
        store = MemoryStore()
        fill(store)
        assert store.verify_log().holds
        digest = next(iter(store._suites))
        store._suites[digest] = (a_case("a"), a_case("b"), a_case("c", critical=True))
        assert [fault.split("@")[0] for fault in store.verify_log().faults] == ["Entry 4: the suite refunds/main"]


class TestReadingWhatWasAltered:
    def test_a_bundle_that_no_longer_has_its_digest_is_not_handed_out(self, filled: Path) -> None:
        """It would be released as something it is not."""
        tamper(filled, "UPDATE bundles SET body = replace(body, 'old', 'bad')")
        store = open_store(filled)
        with pytest.raises(TamperError, match="not what its digest says") as caught:
            store.get_bundle(a_bundle("old").digest)
        assert "segue log verify" in caught.value.fix
        store.close()

    def test_an_upgrade_that_cannot_be_read_keeps_nobody_on_a_candidate(self, filled: Path) -> None:
        """Whoever may is asked without it."""
        store = open_store(filled)
        store.open_upgrade("refunds-2", "refunds", "production", {"plan": "careful"}, **WHO)
        store.close()
        tamper(filled, "UPDATE upgrades SET body = '{'")
        store = open_store(filled)
        store.add_bundle(a_bundle("new"), **WHO)
        last = store.find_route("refunds", "production")
        route = last.route.model_copy(update={"candidate": a_bundle("new").digest, "share": 0.5})
        store.flip_route(route, follows=last.revision, reason="r", **WHO)
        seen: list[UnderWay | None] = []
        flipped, is_new = store.take_back("refunds", "production", reason="r", may=seen.append, **WHO)
        assert (is_new, flipped.route.candidate) == (True, None)
        assert seen == [UnderWay("refunds-2", "refunds", None)]
        store.close()

    @pytest.mark.parametrize(
        ("table", "read"),
        [
            ("bundles", lambda store: store.list_bundles("refunds")),
            ("runs", lambda store: store.get_run("r1")),
            ("run_ends", lambda store: store.list_runs("refunds")),
            ("verdicts", lambda store: store.list_verdicts("refunds")),
            ("upgrades", lambda store: store.get_upgrade("refunds-1")),
            ("upgrade_entries", lambda store: store.list_upgrades()),
            ("facts", lambda store: store.newest_fact("effect-done", "refunds-1")),
            ("facts", lambda store: store.list_facts()),
            ("log", lambda store: list(store.iter_log())),
            ("cases", lambda store: list(store.iter_cases(store.list_suites("refunds")[0].digest))),
            ("outcomes", lambda store: list(store.iter_exchanges("b"))),
            ("score_details", lambda store: list(store.iter_scores("b", "s"))),
        ],
    )
    def test_a_body_that_is_no_json_is_told_as_such(self, filled: Path, table: str, read: Callable[[Store], Any]) -> None:
        """Not as a programming error."""
        tamper(filled, f"UPDATE {table} SET body = '{{'")
        store = open_store(filled)
        with pytest.raises(TamperError, match=r"not what Segue stored|not what its digest says"):
            read(store)
        store.close()

    def test_an_arm_is_read_without_its_replies(self, filled: Path) -> None:
        """It is light: what is wrong with a reply's text does not even show."""
        tamper(filled, "UPDATE outcomes SET body = '{'")
        store = open_store(filled)
        assert [(row.case_id, row.status) for row in store.iter_arm("b", ["s"])] == [("a", "reply"), ("b", "failure")]
        store.close()
