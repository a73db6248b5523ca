"""Says that a command waits for a state store that somebody else writes to. The store itself waits in silence, up to its limit.

A SQLite file has one writer at a time. Whether it is taken is found by asking for it, without waiting, and giving it back at
once. Knows nothing of what the command does with the store.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

PATIENCE_S = 2.0
"""So long nothing is said: most writers are done by then."""
AGAIN_S = 0.3
TIMES = 3
"""So many times in a row, `AGAIN_S` apart, the store has to be found taken: our own short writes are not meant."""


@contextmanager
def told_of_a_lock(state: str, tell: Callable[[str], None]) -> Iterator[None]:
    """While the body runs: `tell` once if the store at `state` is held by another for longer than anybody likes to wonder."""
    path = Path(state.removeprefix("sqlite:///").partition("?")[0])
    if state == "memory:" or ("://" in state and not state.startswith("sqlite:///")) or not path.is_file():
        yield
        return
    done = threading.Event()

    def watch() -> None:
        if done.wait(PATIENCE_S):
            return
        for _ in range(TIMES):
            if not _is_taken(path) or done.wait(AGAIN_S):
                return
        tell(f"Waiting: another process is writing to the state store {path}. See which with: fuser '{path}'.")

    watcher = threading.Thread(target=watch, name="segue-lock-watch", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()


def _is_taken(path: Path) -> bool:
    """Whether no write could begin now. What else may be wrong with the file is the store's to say."""
    try:
        with closing(sqlite3.connect(path.absolute().as_uri() + "?mode=rw", uri=True, timeout=0, isolation_level=None)) as raw:
            raw.execute("BEGIN IMMEDIATE")
            raw.execute("ROLLBACK")
    except sqlite3.OperationalError as error:
        return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY
    except sqlite3.Error:
        return False
    return False
