"""A PostgreSQL server to throw away: made from the machine's own programs, on a socket in a temporary folder."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import psycopg

from segue.store import open_store
from segue.store.sql.schema import metadata

_names = count(1)


class PostgresServer:
    """A running server. `new_database` gives the address of an empty one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def address(self, database: str) -> str:
        return f"postgresql://segue:not-a-secret@/{database}?host={self.folder}"

    def emptied_database(self) -> str:
        """The address of one that has Segue's schema already and nothing in it: far cheaper than a new one for each test.

        Its triggers forbid emptying it, except to a superuser who says so.
        """
        address = self.address("emptied")
        with psycopg.connect(self.address("postgres"), autocommit=True) as connection:
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = 'emptied'").fetchone():
                connection.execute("CREATE DATABASE emptied TEMPLATE template0")
                open_store(address).close()
        with psycopg.connect(address) as connection:
            connection.execute("SET session_replication_role = replica")
            for table in metadata.tables:
                connection.execute(f"DELETE FROM {table}")  # the names are our own
        return address

    def new_database(self, encoding: str = "UTF8") -> str:
        name = f"db{next(_names)}"
        with psycopg.connect(self.address("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C'")
        return self.address(name)


def find_programs() -> Path | None:
    """The folder of initdb and postgres, if the machine has them."""
    on_path = shutil.which("initdb")
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    if on_path:
        folders.insert(0, Path(on_path).resolve().parent)
    return next((one for one in folders if (one / "initdb").exists() and (one / "postgres").exists()), None)


@contextmanager
def running_server(programs: Path) -> Iterator[PostgresServer]:
    """Start a server; stop it and remove all of it afterwards. As root it runs as an unprivileged user, as it demands."""
    folder = Path(tempfile.mkdtemp(prefix="segue-pg-"))
    owner = _unprivileged()
    if owner is not None:
        os.chown(folder, owner.pw_uid, owner.pw_gid)
    as_owner = {} if owner is None else {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}
    data = folder / "data"
    server = None
    try:
        subprocess.run(
            [programs / "initdb", "-D", data, "-U", "segue", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"],
            check=True,
            capture_output=True,
            cwd=folder,
            **as_owner,
        )
        settings = ["listen_addresses=", f"unix_socket_directories={folder}", "fsync=off", "shared_buffers=16MB"]
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen(
                [programs / "postgres", "-D", data, *(part for one in settings for part in ("-c", one))],
                stdout=log,
                stderr=log,
                cwd=folder,
                **as_owner,
            )
        _wait_for(programs, folder, server)
        yield PostgresServer(folder)
    finally:
        if server is not None:
            # A fast shutdown: it does not wait for clients to leave.
            server.send_signal(signal.SIGINT)
            try:
                server.wait(10)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _wait_for(programs: Path, folder: Path, server: subprocess.Popen[bytes]) -> None:
    for _ in range(100):
        # pg_isready itself waits for the answer; where the socket is not there yet, a moment is needed.
        ready = subprocess.run([programs / "pg_isready", "-q", "-h", folder, "-t", "1"], check=False)
        if ready.returncode == 0:
            return
        try:
            server.wait(0.05)
        except subprocess.TimeoutExpired:
            continue
        break
    raise RuntimeError(f"PostgreSQL did not start: {(folder / 'log').read_text()[-2000:]}")


def _unprivileged() -> pwd.struct_passwd | None:
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise RuntimeError("PostgreSQL does not run as root, and there is neither a user postgres nor nobody.")
