"""Opening a store: what an address may be, and what is said where it cannot be opened."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

import segue.store.migrations
from segue.errors import InputError, SegueError, StoreError
from segue.store import MemoryStore, Store, open_store
from segue.store.address import parse_address
from segue.store.sql import SqlStore, exchanges, scores, suites
from segue.store.sql.opening import REVISIONS
from segue.store.sql.postgresql import WRITE_LOCK
from segue.store.sql.schema import VERSION_TABLE, metadata
from tests.store.builders import WHO, a_bundle, a_reply, fill
from tests.store.conftest import Place
from tests.store.postgres import PostgresServer

SECRET = "hunter2"


def refusal(address: str | os.PathLike[str]) -> SegueError:
    """The error of opening `address`, which has to have a remedy and must not show a password."""
    with pytest.raises(SegueError) as caught:
        open_store(address)
    error = caught.value
    assert error.fix
    assert SECRET not in f"{error.as_json()} {error.__cause__} {error.args}"
    return error


class TestAddresses:
    @pytest.mark.parametrize(
        ("text", "path"),
        [
            ("state.db", "state.db"),
            ("/var/lib/state.db", "/var/lib/state.db"),
            ("sqlite:///state.db", "state.db"),
            ("sqlite:////var/lib/a%20b.db", "/var/lib/a b.db"),
            ("odd?name.db", "odd?name.db"),
        ],
    )
    def test_a_path_or_a_sqlite_address_names_a_file(self, text: str, path: str) -> None:
        """Relative with three slashes, absolute with four."""
        address = parse_address(text)
        assert (address.kind, address.path) == ("sqlite", Path(path))

    def test_a_home_folder_is_found(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """As a shell would."""
        monkeypatch.setenv("HOME", "/home/ada")
        assert parse_address("~/state.db").path == Path("/home/ada/state.db")

    @pytest.mark.parametrize(
        ("text", "place"),
        [
            (f"postgresql://ada:{SECRET}@db.example:5433/segue", "PostgreSQL database 'segue' at db.example:5433"),
            (f"postgres://ada:{SECRET}@db.example/segue?sslmode=require", "PostgreSQL database 'segue' at db.example"),
            ("postgresql:///segue?host=/run/pg", "PostgreSQL database 'segue' at /run/pg"),
            ("postgresql://localhost", "PostgreSQL database (default) at localhost"),
        ],
    )
    def test_a_postgresql_place_shows_no_credentials(self, text: str, place: str) -> None:
        """Neither user nor password, in whatever form it is printed."""
        address = parse_address(text)
        assert (address.kind, address.place) == ("postgresql", place)
        assert SECRET not in repr(address)

    @pytest.mark.parametrize(
        "text",
        [
            f"postgresql://ada:a/{SECRET}@db.example/segue",
            f"postgresql://ada:7?{SECRET}@db.example/segue",
            f"postgresql://ada:7#{SECRET}@db.example/segue",
            f"postgresql://ada:{SECRET}@db.example:port/segue",
            f"postgresql://ada:{SECRET}@[::1/segue",
            f"mysql://ada:{SECRET}@db.example/segue",
            f"{SECRET} ://x",
        ],
    )
    def test_an_address_that_cannot_be_read_is_not_repeated(self, text: str) -> None:
        """A special character in a password cuts it at the wrong place."""
        assert isinstance(refusal(text), InputError)

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "  ",
            "a\0b",
            "oracle://x",
            "sqlite://",
            "sqlite:///",
            "sqlite:///:memory:",
            "sqlite://state.db",
            "sqlite:///a?timeout=x",
            "sqlite:///a?timeout=-1",
            "sqlite:///a?timeout=nan",
            "sqlite:///a?mode=ro",
        ],
    )
    def test_what_is_no_address_is_refused_with_what_is(self, text: str) -> None:
        """Before anything is made."""
        assert isinstance(refusal(text), InputError)

    def test_memory_is_a_new_store_each_time(self) -> None:
        """It ends with the process."""
        assert isinstance(open_store("memory:"), MemoryStore)
        assert open_store("memory:") is not open_store("memory:")


class TestSqlite:
    def test_the_file_and_its_folder_are_made(self, tmp_path: Path) -> None:
        """But not a whole path, which may be a slip of the pen."""
        open_store(tmp_path / ".segue" / "state.db").close()
        assert (tmp_path / ".segue" / "state.db").exists()
        error = refusal(tmp_path / "no" / "such" / "state.db")
        assert "mkdir -p" in error.fix
        assert not (tmp_path / "no").exists()

    def test_what_was_stored_is_there_when_it_is_opened_again(self, database: Place) -> None:
        """On both databases."""
        fill(database.open())
        again = database.open()
        assert len(again.list_bundles("refunds")) == 2
        assert again.verify_log().holds

    def test_a_folder_is_not_a_store(self, tmp_path: Path) -> None:
        """A file in it is proposed."""
        assert "state.db" in refusal(tmp_path).fix

    def test_a_path_through_a_file_is_told(self, tmp_path: Path) -> None:
        """Its own words, not the system's."""
        (tmp_path / "file").write_text("x")
        assert "is a file" in refusal(tmp_path / "file" / "state.db").what
        assert isinstance(refusal(tmp_path / "file" / "deeper" / "state.db"), StoreError)

    def test_a_file_that_is_no_database_is_left_alone(self, sqlite_path: Path) -> None:
        """Its place is named."""
        sqlite_path.write_text("case_id,label\n" * 1000)
        error = refusal(sqlite_path)
        assert isinstance(error, StoreError)
        assert str(sqlite_path) in error.what
        assert "not a database" in error.what
        assert sqlite_path.read_text().startswith("case_id")

    def test_another_programs_database_is_left_alone(self, sqlite_path: Path) -> None:
        """Not even its journal mode is changed."""
        with closing(sqlite3.connect(sqlite_path)) as raw:
            raw.execute("CREATE TABLE customers (name TEXT)")
        before = sqlite_path.read_bytes()
        assert "another program" in refusal(sqlite_path).what
        assert sqlite_path.read_bytes() == before

    def test_an_empty_file_becomes_a_store(self, sqlite_path: Path) -> None:
        """As `touch` or a mount makes it."""
        sqlite_path.touch()
        open_store(sqlite_path).close()
        open_store(sqlite_path).close()

    def test_a_cut_off_file_is_damaged(self, sqlite_path: Path) -> None:
        """At the latest when the log is verified."""
        store = open_store(sqlite_path)
        fill(store)
        store.close()
        sqlite_path.write_bytes(sqlite_path.read_bytes()[:20000])

        with pytest.raises(StoreError, match="is damaged") as caught, opened(sqlite_path) as store:
            fill(store)
        assert "backup" in caught.value.fix

    def test_a_locked_database_says_for_how_long_it_was_waited(self, sqlite_path: Path) -> None:
        """Readers are not kept from reading."""
        open_store(sqlite_path).close()
        store = open_store(f"sqlite:///{sqlite_path}?timeout=0.05")
        with closing(sqlite3.connect(sqlite_path)) as raw:
            raw.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreError, match="locked by another process") as caught:
                store.add_exchanges([a_reply()])
            assert "0.05 s" in caught.value.fix
            assert list(store.iter_arm("b", [])) == []
        assert store.add_exchanges([a_reply()]) == 1
        store.close()

    def test_a_wholly_locked_database_cannot_be_opened(self, sqlite_path: Path) -> None:
        """The same words."""
        with closing(sqlite3.connect(sqlite_path)) as raw:
            raw.execute("BEGIN EXCLUSIVE")
            raw.execute("CREATE TABLE segue_schema (version_num TEXT)")
            assert "locked by another process" in refusal(f"sqlite:///{sqlite_path}?timeout=0.05").what

    def test_a_folder_that_cannot_be_written_is_told(self) -> None:
        """For a new store, and for one that is there already."""
        # Not pytest's own folder: nobody but its owner may enter that.
        with tempfile.TemporaryDirectory(prefix="segue-") as made:
            folder = Path(made)
            open_store(folder / "state.db").close()
            (folder / "state.db").chmod(0o444)
            folder.chmod(0o555)
            with unprivileged():
                errors = [refusal(folder / "new.db"), refusal(folder / "deeper" / "new.db"), self.refused_write(folder)]
            folder.chmod(0o755)
        for error in errors:
            assert isinstance(error, StoreError)
            assert str(folder) in error.fix

    def refused_write(self, folder: Path) -> SegueError:
        with pytest.raises(StoreError, match=r"cannot be (opened|written)") as caught, opened(folder / "state.db") as store:
            store.add_bundle(a_bundle(), **WHO)
        return caught.value

    def test_a_value_of_the_wrong_type_is_refused(self, sqlite_path: Path) -> None:
        """Not stored as something else."""
        store = open_store(sqlite_path)
        with pytest.raises(InputError):
            store.add_exchanges([a_reply(repeat="first")])  # type: ignore[arg-type]
        with pytest.raises(InputError):
            store.add_exchanges([a_reply(repeat=2**70)])
        assert store.finished("b") == set()
        store.close()


@contextmanager
def opened(path: Path) -> Iterator[Store]:
    """An opened store, closed afterwards."""
    store = open_store(path)
    try:
        yield store
    finally:
        store.close()


@contextmanager
def unprivileged() -> Iterator[None]:
    """Permissions do not bind root, so as root this part of the test runs as nobody."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


class TestSchema:
    def test_the_revisions_are_the_scripts(self) -> None:
        """So that a newer store is told from an older one without loading alembic."""
        scripts = ScriptDirectory(str(Path(segue.store.migrations.__file__).parent))
        found = [script.revision for script in scripts.walk_revisions()]
        assert tuple(reversed(found)) == REVISIONS

    def test_the_migrations_make_the_tables_the_queries_see(self, database: Place) -> None:
        """On both databases: columns, types, indexes."""
        database.open()
        address = database.address.replace("postgresql://", "postgresql+psycopg://")
        engine = sa.create_engine(address)
        with engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE, "compare_type": True})
            assert compare_metadata(context, metadata) == []
        engine.dispose()

    def test_a_store_of_a_newer_program_is_refused(self, sqlite_path: Path) -> None:
        """With how to get the newer program."""
        open_store(sqlite_path).close()
        with closing(sqlite3.connect(sqlite_path)) as raw:
            raw.execute(f"UPDATE {VERSION_TABLE} SET version_num = 'r9999'")
            raw.commit()
        error = refusal(sqlite_path)
        assert "newer Segue" in error.what
        assert "r9999" in error.what
        assert "pip install --upgrade segue-ai" in error.fix

    def test_no_query_that_is_asked_for_in_order_sorts(self, sqlite_path: Path) -> None:
        """Reading a million rows in order is a walk of an index, so it streams."""
        open_store(sqlite_path).close()
        queries = {
            scores._ARM: 1,
            scores._METRICS: 2,
            scores._WHOLE: 2,
            exchanges._WHOLE + exchanges._ORDER: 1,
            f"SELECT c.body {suites._OF_SUITE} ORDER BY s.case_id": 1,
        }
        with closing(sqlite3.connect(sqlite_path)) as raw:
            for query, parameters in queries.items():
                plan = " / ".join(row[3] for row in raw.execute(f"EXPLAIN QUERY PLAN {query}", (1,) * parameters))
                assert "TEMP B-TREE" not in plan, plan
                assert "SCAN" not in plan, plan

    def test_importing_the_port_loads_no_database_library(self) -> None:
        """So that commands that need no store start fast."""
        code = (
            "import sys; from segue.store import open_store; open_store('memory:');"
            "print([name for name in ('sqlalchemy', 'alembic', 'psycopg', 'sqlite3') if name in sys.modules])"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == "[]"

    def test_opening_a_store_that_is_up_to_date_loads_no_alembic(self, sqlite_path: Path) -> None:
        """It takes as long as all the rest."""
        open_store(sqlite_path).close()
        code = (
            "import sys; from segue.store import open_store; open_store(sys.argv[1]).close();"
            "print('alembic' in sys.modules, 'psycopg' in sys.modules)"
        )
        done = subprocess.run([sys.executable, "-c", code, sqlite_path], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == "False False"


@pytest.mark.postgres
class TestPostgresql:
    def test_an_empty_database_gets_the_schema_once(self, postgres_server: PostgresServer) -> None:
        """Beside tables of others, whose version table is not touched."""
        address = postgres_server.new_database()
        with closing(psycopg.connect(address, autocommit=True)) as raw:
            raw.execute("CREATE TABLE alembic_version (version_num TEXT)")
            raw.execute("INSERT INTO alembic_version VALUES ('theirs')")
            for _ in range(2):
                store = open_store(address)
                store.add_bundle(a_bundle(), **WHO)
                assert store.verify_log().holds
                store.close()
            assert raw.execute("SELECT * FROM alembic_version").fetchall() == [("theirs",)]
            raw.execute(f"UPDATE {VERSION_TABLE} SET version_num = 'r9999'")
        assert "newer Segue" in refusal(address).what

    def test_a_database_that_is_not_utf8_is_refused(self, postgres_server: PostgresServer) -> None:
        """It could not keep what models say."""
        error = refusal(postgres_server.new_database("LATIN1"))
        assert "LATIN1" in error.what
        assert "UTF8" in error.fix

    def test_what_is_not_there_is_told_apart(self, postgres_server: PostgresServer, tmp_path: Path) -> None:
        """No such database, no such user, no server; with the place, without the password."""
        folder = postgres_server.folder
        assert "does not exist" in refusal(f"postgresql://segue:{SECRET}@/nothing?host={folder}").what
        assert "'nothing'" in refusal(f"postgresql://segue:{SECRET}@/nothing?host={folder}").what
        assert isinstance(refusal(f"postgresql://nobody:{SECRET}@/postgres?host={folder}"), StoreError)
        assert "cannot be reached" in refusal(f"postgresql://segue:{SECRET}@/segue?host={tmp_path}").what
        assert "cannot be reached" in refusal(f"postgresql://segue:{SECRET}@127.0.0.1:1/segue").what
        assert isinstance(refusal(f"postgresql://segue:{SECRET}@/segue?host={folder}&nonsense=1"), SegueError)

    def test_a_locked_database_is_told(self, postgres_server: PostgresServer) -> None:
        """Writers take turns, but do not wait for ever."""
        url = postgres_server.emptied_database()
        store = SqlStore(replace(parse_address(url), timeout_s=0.05))
        with closing(psycopg.connect(url)) as raw:
            raw.execute(f"SELECT pg_advisory_xact_lock({WRITE_LOCK})")
            with pytest.raises(StoreError, match="locked by another process"):
                store.add_exchanges([a_reply()])
        assert store.add_exchanges([a_reply()]) == 1
        store.close()

    def test_a_lost_connection_is_told_and_the_next_write_has_a_new_one(self, postgres_server: PostgresServer) -> None:
        """What was acknowledged before is there."""
        address = postgres_server.emptied_database()
        store = open_store(address)
        store.add_exchanges([a_reply("a")])
        with closing(psycopg.connect(address, autocommit=True)) as raw:
            raw.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        with pytest.raises(StoreError, match=r"shut down|reached"):
            store.add_exchanges([a_reply("b")])
        assert store.add_exchanges([a_reply("b")]) == 1
        assert {row.case_id for row in store.iter_arm("b", [])} == {"a", "b"}
        store.close()
