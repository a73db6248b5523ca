"""A PostgreSQL server that a test may crash and start again, with all that it held."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.store.postgres import PostgresServer, _unprivileged, _wait_for


class Database(PostgresServer):
    """Made once, and then up or down."""

    def __init__(self, programs: Path, folder: Path) -> None:
        super().__init__(folder)
        self._programs = programs
        self._process: subprocess.Popen[bytes] | None = None
        owner = _unprivileged()
        self._owner: dict[str, Any] = {} if owner is None else {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}
        if owner is not None:
            os.chown(folder, owner.pw_uid, owner.pw_gid)
        command: list[Any] = [
            programs / "initdb",
            "-D",
            folder / "data",
            "-U",
            "segue",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C",
        ]
        subprocess.run([*command, "--no-sync"], check=True, capture_output=True, cwd=folder, **self._owner)

    def start(self) -> None:
        """Up, and taking connections."""
        settings = ["listen_addresses=", f"unix_socket_directories={self.folder}", "fsync=off", "shared_buffers=16MB"]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._programs / "postgres", "-D", self.folder / "data", *(part for one in settings for part in ("-c", one))],
                stdout=log,
                stderr=log,
                cwd=self.folder,
                **self._owner,
            )
        _wait_for(self._programs, self.folder, self._process)

    def crash(self) -> None:
        """Down at once: no connection is told good-bye, nothing is written down."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(timeout=30)
            self._process = None


@contextmanager
def a_database(programs: Path) -> Iterator[Database]:
    """Up; removed afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="segue-pg-"))
    database = None
    try:
        database = Database(programs, folder)
        database.start()
        yield database
    finally:
        if database is not None:
            database.crash()
        shutil.rmtree(folder, ignore_errors=True)
